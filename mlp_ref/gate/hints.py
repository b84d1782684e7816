"""Hints: what a wrong tensor looks like, in the words of the convention that may differ.

A hint names a cause only when the numbers prove it: the tensor, once corrected, lies within its
bound. Otherwise it says where to look, which the first wrong tensor of a case always shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import FLOAT32, FLOAT64, Array
from mlp_ref.bounds import Bounded, derive
from mlp_ref.dense import Layer
from mlp_ref.gate.cases import Case
from mlp_ref.gate.judge import Result, refusal
from mlp_ref.model import MLP
from mlp_ref.parameters import Params

__all__ = ["explain"]

_ROWS = "rows are samples, x is (n, n_in), W is (n_in, n_out) and z = x W + b"
_LAYOUT = "weights are (n_in, n_out) here; PyTorch stores (n_out, n_in)"


def explain(
    case: Case, result: Result, answer: Mapping[str, Any], expected: Mapping[str, Bounded]
) -> str:
    """One or two sentences on the first failing tensor of a case."""
    got, wanted = answer[result.tensor], expected[result.tensor]
    if refusal(got, wanted, case.arithmetic):
        return _malformed(case, result.tensor, got, wanted)
    numbers = np.asarray(got, np.float64)
    if not np.isfinite(numbers).all():
        return _not_finite(case, result.tensor, numbers)
    return (
        _scaled(case, result.tensor, numbers, wanted)
        or _other_network(case, result.tensor, numbers)
        or _transposed(result.tensor, numbers, wanted)
        or _single_precision(case, result.tensor, numbers, wanted)
        or _where(case, result.tensor, answer)
    )


def _matches(numbers: Array, wanted: Bounded, slack: float = 0.0) -> bool:
    """Whether all numbers lie within their bound, plus ``slack`` times their size, and prove it."""
    size = np.abs(wanted.value)
    allowed = wanted.allowed + slack * size
    within = np.abs(numbers - wanted.value) <= allowed
    return bool(within.all() and (allowed < size).any())


def _malformed(case: Case, tensor: str, got: object, wanted: Bounded) -> str:
    if not isinstance(got, np.ndarray | np.generic):
        return "Return NumPy arrays: np.asarray(a), or a.detach().numpy() of a PyTorch tensor."
    right, n, classes = np.shape(wanted.value), case.x.shape[0], case.model.sizes[-1]
    if got.shape == right:
        asked = case.arithmetic.dtype
        return f"The arrays of the case are {asked}; something turns them into {got.dtype}."
    if tensor == "loss" and got.shape in ((n,), (n, 1), (n, classes)):
        return "The loss is the mean, one number; the subject returns one per row or entry."
    if tensor == "loss":
        return "The loss is one number: a scalar, or an array of shape ()."
    if tensor.startswith("dW") and got.shape == right[::-1]:
        return f"{tensor} is transposed: {_LAYOUT}."
    if tensor.startswith("db") and got.shape == (1, *right):
        return f"{tensor} must be summed over the rows to {right}; keepdims keeps an axis too many."
    if tensor.startswith("db") and got.shape == (n, *right):
        return f"{tensor} must be summed over the {n} rows."
    return f"Shapes follow from the layout: {_ROWS}."


def _not_finite(case: Case, tensor: str, numbers: Array) -> str:
    what = "NaN" if np.isnan(numbers).any() else "inf"
    if tensor in ("loss", "g") and case.loss.name == "cross_entropy":
        return (
            f"{what}: exp overflows, or underflows in a whole row, unless the maximum of each ROW "
            "is subtracted first; and log(p) is -inf where p underflows."
        )
    if tensor in ("loss", "g"):
        return f"{what}: take the loss from the logits, not the logarithm of a rounded probability."
    if tensor[0] == "z":
        return f"{what}: all that goes into {tensor} is finite; is memory used before it is set?"
    return f"{what}: exp(|x|) overflows; exp(-|x|) never does, and gives the same functions."


def _factors(case: Case) -> Iterator[tuple[float, str]]:
    """The usual constant factors between two conventions of the same loss."""
    n, classes, loss = case.x.shape[0], case.model.sizes[-1], case.loss.name
    yield -1, "the sign is reversed"
    yield n, f"summed over the {n} rows, not averaged"
    yield 1 / n, f"divided by the {n} rows twice"
    if loss == "cross_entropy":
        yield 1 / classes, f"divided by the {classes} classes, where only rows are averaged"
    else:
        entries = f"{loss} is the mean over all {n * classes} entries"
        yield classes, f"summed over the {classes} outputs of each row, while {entries}"
        yield n * classes, f"summed, while {entries}"
        yield 1 / classes, f"divided by the {classes} outputs twice"
        yield 1 / (n * classes), f"divided by the {n * classes} entries twice"
    if loss == "squared_error":
        yield 0.5, "squared_error is (z - t)^2, not half of it"
        yield 2, "squared_error is (z - t)^2, with gradient 2 (z - t)"


def _scaled(case: Case, tensor: str, numbers: Array, wanted: Bounded) -> str:
    """Every convention that explains the numbers: in a batch of 2, several may."""
    found: dict[float, list[str]] = {}
    for factor, text in _factors(case):
        if factor != 1 and _matches(numbers / factor, wanted, case.arithmetic.u):
            found.setdefault(factor, []).append(text)
    name = "The loss" if tensor == "loss" else tensor
    for factor, texts in found.items():
        return f"{name} is {_plain(factor)} times the reference: {', or '.join(texts)}."
    return ""


def _plain(factor: float) -> str:
    return f"{factor:g}" if factor == int(factor) else f"1/{1 / factor:g}"


def _transposed(tensor: str, numbers: Array, wanted: Bounded) -> str:
    square = numbers.ndim == 2 and numbers.shape[0] == numbers.shape[1]
    if square and _matches(numbers.T, wanted):
        return f"{tensor} is transposed: {_LAYOUT if tensor.startswith('dW') else _ROWS}."
    return ""


def _other_networks(case: Case, tensor: str) -> Iterator[tuple[str, MLP, Params]]:
    """Networks that a subject may have computed instead, up to z_k or a_k."""
    if tensor[0] not in "za":
        return
    model, k = case.model, int(tensor[1:])
    if tensor[0] == "a":
        for name, f in ACTIVATIONS.items():
            names = (*model.activations[:k], f, *model.activations[k + 1 :])
            if f is not model.activations[k]:
                what = f"{name}, not {model.activations[k].name}"
                yield what, replace(model, activations=names), case.params
    else:
        layers = case.params.layers
        W, b = layers[k]
        others = {f"a W{k} without the bias": Layer(W, 0 * b)}
        if W.shape == W.T.shape:
            others[f"the product with W{k} transposed: {_LAYOUT}"] = Layer(W.T, b)
        for what, layer in others.items():
            yield what, model, Params.from_layers([*layers[:k], layer, *layers[k + 1 :]])


def _other_network(case: Case, tensor: str, numbers: Array) -> str:
    for what, model, params in _other_networks(case, tensor):
        bounds = derive(model, params, case.x, arithmetic=case.arithmetic)
        if _matches(numbers, bounds[tensor]):
            return f"{tensor} holds {what}."
    return ""


def _single_precision(case: Case, tensor: str, numbers: Array, wanted: Bounded) -> str:
    """Bounds grow in proportion to u, so that the claim can be tried in float32."""
    if case.arithmetic != FLOAT64:
        return ""
    wide = wanted._replace(bound=wanted.bound * (FLOAT32.u / FLOAT64.u))
    if _matches(numbers, wide, FLOAT32.u):
        return f"{tensor} holds as float32, not as float64: is something cast to single precision?"
    return ""


def _where(case: Case, tensor: str, answer: Mapping[str, Any]) -> str:
    """What the first wrong tensor says about the place of the mistake."""
    earlier = case.tensors[: case.tensors.index(tensor)]
    missing = [name for name in earlier if name not in answer]
    if missing:
        return f"To see where it begins, return {' '.join(missing)} too: they come before {tensor}."
    if tensor in ("loss", "g"):
        what = "its gradient with respect to the output" if tensor == "g" else "the loss itself"
        return f"The forward pass is right; look at {case.loss.name}: {what}."
    if tensor == "dx":
        return "Every parameter gradient is right; look at the product with W0 transposed."
    part = tensor.rstrip("0123456789")
    k, last = int(tensor.removeprefix(part)), len(case.model.activations) - 1
    f = case.model.activations[k].name
    if part == "z":
        return f"What goes into layer {k} is right; look at its product and bias."
    if part == "a":
        return f"z{k} is right; look at the value of {f}."
    if part == "db":
        return f"dW{k} is right; db{k} is the sum of the same delta over the rows."
    steps = [] if k == last else [f"the product with W{k + 1} transposed"]
    steps += [] if f == "identity" else [f"the derivative of {f} in layer {k}"]
    steps += [f"{tensor} = {f'a{k - 1}' if k else 'x'}^T delta"]
    before = "g" if k == last else f"dW{k + 1}"
    return f"All up to {before} is right; look at {', or '.join(steps)}."
