"""Hints: what a wrong tensor looks like, in the words of the convention that may differ.

A hint is only given when the numbers prove it: the tensor, once corrected, lies within its bound.
Otherwise the hint says where to look, which the first wrong tensor of a case always shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import FLOAT32, FLOAT64, Array
from mlp_ref.bounds import Bounded
from mlp_ref.gate.cases import Case
from mlp_ref.gate.judge import Result, refusal

__all__ = ["explain"]


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
        or _transposed(case, result.tensor, numbers, wanted)
        or _no_bias(case, result.tensor, numbers, wanted)
        or _other_activation(case, result.tensor, numbers, wanted, expected)
        or _single_precision(case, result.tensor, numbers, wanted)
        or _where(case, result.tensor)
    )


def _matches(case: Case, numbers: Array, wanted: Bounded) -> bool:
    """Whether corrected numbers lie within their bound, rounded once more, and prove something."""
    size = np.abs(wanted.value)
    allowed = wanted.allowed + case.arithmetic.u * size
    within = np.abs(numbers - wanted.value) <= allowed
    return bool(within.all() and (allowed < size).any())


def _malformed(case: Case, tensor: str, got: object, wanted: Bounded) -> str:
    shape, right = np.shape(got), np.shape(wanted.value)  # type: ignore[arg-type]
    n, classes = case.x.shape[0], case.model.sizes[-1]
    if len(right) == 2 and shape == right[::-1] and tensor.startswith("dW"):
        return f"{tensor} is transposed: weights are (n_in, n_out) here; PyTorch stores (n_out, n_in)."
    if tensor == "loss" and shape in ((n,), (n, 1), (n, classes)):
        return "The loss is the mean; the subject returns one number per row or entry."
    if shape == right:
        return (
            f"The arrays were {case.arithmetic.dtype}: a {getattr(got, 'dtype', 'wider')} array "
            "somewhere changed the dtype of what follows."
        )
    if tensor.startswith("db") and shape == (1, *right):
        return f"{tensor} must be summed over the rows to {right}; keepdims keeps an axis too many."
    return "Rows are samples: x is (n, n_in), W is (n_in, n_out), z = x W + b."


def _not_finite(case: Case, tensor: str, numbers: Array) -> str:
    what = "NaN" if np.isnan(numbers).any() else "inf"
    if tensor in ("loss", "g") and case.loss.name == "cross_entropy":
        return f"{what}: exp overflows unless the maximum of each ROW is subtracted first."
    if tensor in ("loss", "g"):
        return f"{what}: take the loss from the logits, never the logarithm of a rounded probability."
    return f"{what}: exp(|x|) overflows; evaluate exp(-|x|) instead, on the side where it is small."


def _scaled(case: Case, tensor: str, numbers: Array, wanted: Bounded) -> str:
    """The usual constant factors between two conventions of the same loss."""
    n, classes, loss = case.x.shape[0], case.model.sizes[-1], case.loss.name
    rows_only = f"averaged over the {n} rows only; {loss} is the mean over all {n * classes} entries"
    factors: dict[float, str] = {-1: "the sign is reversed"}
    factors.setdefault(n, f"summed over the batch of {n} rows, while the loss is averaged")
    if loss != "cross_entropy":
        factors.setdefault(classes, rows_only)
    factors.setdefault(
        n * classes, f"summed over all {n * classes} entries, while the loss is averaged"
    )
    factors.setdefault(1 / n, f"divided by the {n} rows twice")
    factors.setdefault(
        1 / classes, f"divided by the {classes} outputs, though {loss} is not, or is already"
    )
    factors.setdefault(0.5, "squared_error is (z - t)^2 with gradient 2 (z - t), not half of it")
    factors.setdefault(2, "a factor of 2 too many, as from (z - t)^2 where half of it is meant")
    for factor, text in factors.items():
        if factor != 1 and _matches(case, numbers / factor, wanted):
            name = "The loss" if tensor == "loss" else tensor
            return f"{name} is {_plain(factor)} times the reference: {text}."
    return ""


def _plain(factor: float) -> str:
    return f"{factor:g}" if factor == int(factor) else f"1/{1 / factor:g}"


def _transposed(case: Case, tensor: str, numbers: Array, wanted: Bounded) -> str:
    square = numbers.ndim == 2 and numbers.shape[0] == numbers.shape[1]
    if square and _matches(case, numbers.T, wanted):
        return f"{tensor} is transposed: weights are (n_in, n_out) here; PyTorch stores (n_out, n_in)."
    return ""


def _no_bias(case: Case, tensor: str, numbers: Array, wanted: Bounded) -> str:
    if tensor[0] != "z":
        return ""
    layer = case.params.layers[int(tensor[1:])]
    if np.any(layer.b) and _matches(case, numbers + layer.b, wanted):
        return f"{tensor} is a W without the bias."
    return ""


def _other_activation(
    case: Case, tensor: str, numbers: Array, wanted: Bounded, expected: Mapping[str, Bounded]
) -> str:
    if tensor[0] != "a":
        return ""
    k = int(tensor[1:])
    z, asked = expected[f"z{k}"].value, case.model.activations[k].name
    for name, f in ACTIVATIONS.items():
        if name != asked and _matches(case, numbers, wanted._replace(value=f.value(z))):
            return f"{tensor} holds {name}, not {asked}."
    return ""


def _single_precision(case: Case, tensor: str, numbers: Array, wanted: Bounded) -> str:
    """Bounds grow in proportion to u, so that the claim can be tried in float32."""
    if case.arithmetic != FLOAT64 or tensor[0] not in "zg":
        return ""
    scale = FLOAT32.u / FLOAT64.u
    if _matches(case, numbers, wanted._replace(bound=wanted.bound * scale)):
        return f"{tensor} holds as float32, not as float64: is something cast to single precision?"
    return ""


def _where(case: Case, tensor: str) -> str:
    """What the first wrong tensor says about the place of the mistake."""
    if tensor in ("loss", "g"):
        what = "its gradient with respect to the output" if tensor == "g" else "the loss itself"
        return f"The forward pass is right; look at {case.loss.name}: {what}."
    if tensor == "dx":
        return "Every parameter gradient is right; look at the product with W0 transposed."
    k, last = int(tensor[-1]), len(case.model.activations) - 1
    f = case.model.activations[k].name
    if tensor[0] == "z":
        return f"What goes into layer {k} is right; look at its product and bias."
    if tensor[0] == "a":
        return f"z{k} is right; look at the value of {f}."
    if tensor[:2] == "db":
        return f"dW{k} is right; db{k} is the sum of the same delta over the rows."
    before = "g" if k == last else f"dW{k + 1}"
    step = "" if k == last else f" and the product with W{k + 1} transposed"
    return f"The forward pass and {before} are right; look at the derivative of {f} in layer {k}{step}."
