"""Causes: what usual mistakes compute, and the proof that a wrong tensor holds it.

Each cause comes with a candidate: what the tensor would hold, and within which bound. It is proven
when every number lies within that bound, and when those that are wrong carry enough bits to tell
the candidate from the reference. What has too many possible causes is stated and left unnamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import FLOAT32, FLOAT64, Array, representable
from mlp_ref.bounds import Bounded, derive
from mlp_ref.dense import Layer
from mlp_ref.gate.cases import Case
from mlp_ref.gate.judge import refusal
from mlp_ref.gate.proof import BITS_OF_PROOF, bits_of_proof
from mlp_ref.parameters import Params

__all__ = ["LAYOUT", "ROWS", "Cause", "proven_causes"]

ROWS = "rows are samples, x is (n, n_in), W is (n_in, n_out) and z = x W + b"
LAYOUT = "weights are (n_in, n_out) here; PyTorch stores (n_out, n_in)"

# Between these |z| the activations show their shape: nearer to 0, most of them and their clipped
# relatives are one line; farther out, two.
_TELLING = (1.0, 4.0)


class Cause(NamedTuple):
    """What a wrong tensor holds. ``named`` unless the numbers leave the reason open."""

    text: str
    named: bool = True


class _Candidate(NamedTuple):
    cause: Cause
    tensor: Bounded


def proven_causes(
    case: Case, tensor: str, answer: Mapping[str, Any], expected: Mapping[str, Bounded]
) -> list[Cause]:
    """Every cause that explains all numbers of a finite tensor, for several may."""
    numbers, wanted = np.asarray(answer[tensor], np.float64), expected[tensor]
    with np.errstate(all="ignore"):  # what overflows is no proof
        candidates = (
            *_scaled(case, tensor, answer, expected),
            *_other_products(case, tensor),
            *_other_activations(case, tensor, expected),
            *_transposed(tensor, wanted),
            *_rounded_inputs(case, tensor),
        )
        found = [c.cause for c in candidates if _proven(case, numbers, c.tensor, wanted)]
        return found or list(_single_precision(case, tensor, numbers, wanted))


def _within(numbers: Array, candidate: Bounded) -> bool:
    return bool((np.abs(numbers - candidate.value) <= candidate.allowed).all())


def _proven(case: Case, numbers: Array, candidate: Bounded, wanted: Bounded) -> bool:
    """Whether all numbers are the candidate's, and the wrong ones could hardly be another's.

    Of the small integers of the exact cases, several are needed.
    """
    if not _within(numbers, candidate):
        return False
    wrong = np.abs(numbers - wanted.value) > wanted.allowed
    entries = case.network.x.shape[0] * case.network.model.sizes[-1]
    bits = bits_of_proof(candidate.value, wanted.value, candidate.allowed, entries)
    return bool(bits[wrong].sum() >= BITS_OF_PROOF)


# ------------------------------------------------------------------------------ constant factors


def _by_rows(case: Case) -> Iterator[tuple[float, str]]:
    """What averaging once too little or too much does."""
    n = case.network.x.shape[0]
    yield n, f"summed over the {n} rows, not averaged"
    yield 1 / n, f"divided by the {n} rows twice"


def _by_outputs(case: Case) -> Iterator[tuple[float, str]]:
    """The constant factors between two conventions of the same mean over the outputs."""
    n, classes, loss = case.network.x.shape[0], case.network.model.sizes[-1], case.network.loss.name
    if loss == "cross_entropy":
        yield 1 / classes, f"divided by the {classes} classes, where only rows are averaged"
        return
    entries = f"{loss} is the mean over all {n * classes} entries"
    yield classes, f"summed over the {classes} outputs of each row, while {entries}"
    yield n * classes, f"summed, while {entries}"
    yield 1 / classes, f"divided by the {classes} outputs twice"
    yield 1 / (n * classes), f"divided by the {n * classes} entries twice"
    if loss == "squared_error":
        yield classes / 2, f"half the sum over the {classes} outputs of each row, while {entries}"
        yield n * classes / 2, f"half the sum, while {entries}"


def _reasons(
    case: Case, tensor: str, answer: Mapping[str, Any], expected: Mapping[str, Bounded]
) -> dict[float, list[str]]:
    """Factors and the conventions that would explain each; none where the reason is open.

    What precedes the loss knows no convention of it. Neither does a gradient after a g that is
    right, except that each product with the rows may average once more. A factor of 2 has many
    reasons, of which only the half of a square is usual enough to be named.
    """
    found: dict[float, list[str]] = {-1: ["the sign is reversed"], 2: [], 0.5: []}
    if tensor[0] in "za":
        return found
    rows = list(_by_rows(case))
    for factor, text in (*rows, *_by_outputs(case)):
        if factor in (1, 2, 0.5):
            continue
        listed, parameters = found.setdefault(factor, []), tensor[:2] in ("dW", "db")
        averaged = parameters and (factor, text) in rows
        if averaged or _is_of_the_loss(case, tensor, factor, answer, expected):
            listed.append(text)
    half = case.network.loss.name == "squared_error"
    if half and _is_of_the_loss(case, tensor, 0.5, answer, expected):
        found[0.5].append("squared_error is (z - t)^2, not half of it")
    return found


def _is_of_the_loss(
    case: Case,
    tensor: str,
    factor: float,
    answer: Mapping[str, Any],
    expected: Mapping[str, Bounded],
) -> bool:
    """Whether a factor can be that of the loss: in g or, where no g tells, in every gradient."""
    if tensor in ("loss", "g"):
        return True
    gradients = [name for name in answer if name[0] == "d"]
    return "g" not in answer and len(gradients) > 1 and all(
        not refusal(answer[name], expected[name], case.arithmetic)
        and _within(np.asarray(answer[name], np.float64), _times(factor, expected[name], case))
        for name in gradients
    )  # fmt: skip


def _times(factor: float, wanted: Bounded, case: Case) -> Bounded:
    """The tensor times a factor, rounded once more."""
    value, size = factor * wanted.value, abs(factor)
    rounding = case.arithmetic.u * np.abs(value)
    return Bounded(value, size * wanted.radius, size * wanted.bound + rounding)


def _scaled(
    case: Case, tensor: str, answer: Mapping[str, Any], expected: Mapping[str, Bounded]
) -> Iterator[_Candidate]:
    """The tensor times a constant factor."""
    name = "The loss" if tensor == "loss" else tensor
    for factor, texts in _reasons(case, tensor, answer, expected).items():
        plain = f"{factor:g}" if abs(factor) >= 1 else f"1/{1 / factor:g}"
        text = f"{name} is {plain} times the reference"
        cause = Cause(f"{text}: {', or '.join(texts)}") if texts else Cause(text, named=False)
        yield _Candidate(cause, _times(factor, expected[tensor], case))


# --------------------------------------------------------------------------------- other networks


def _other_products(case: Case, tensor: str) -> Iterator[_Candidate]:
    """z_k without its bias, or with its weights transposed."""
    if tensor[0] != "z":
        return
    k, layers = int(tensor[1:]), case.network.params.layers
    W, b = layers[k]
    others = {f"a W{k} without the bias": Layer(W, 0 * b)}
    if W.shape == W.T.shape:
        others[f"the product with W{k} transposed: {LAYOUT}"] = Layer(W.T, b)
    for what, layer in others.items():
        params = Params.from_layers([*layers[:k], layer, *layers[k + 1 :]])
        bounds = derive(case.network.model, params, case.network.x, arithmetic=case.arithmetic)
        yield _Candidate(Cause(f"{tensor} holds {what}"), bounds[tensor])


def _other_activations(
    case: Case, tensor: str, expected: Mapping[str, Bounded]
) -> Iterator[_Candidate]:
    """a_k of another function, where z_k has numbers of both signs that show which it is."""
    if tensor[0] != "a":
        return
    k, fs = int(tensor[1:]), case.network.model.activations
    z = expected[f"z{k}"].value
    telling = (np.abs(z) > _TELLING[0]) & (np.abs(z) < _TELLING[1])
    if not ((telling & (z > 0)).any() and (telling & (z < 0)).any()):
        return
    for name, f in ACTIVATIONS.items():
        if f is not fs[k]:
            model = replace(case.network.model, activations=(*fs[:k], f, *fs[k + 1 :]))
            bounds = derive(model, case.network.params, case.network.x, arithmetic=case.arithmetic)
            yield _Candidate(Cause(f"{tensor} holds {name}, not {fs[k].name}"), bounds[tensor])


def _transposed(tensor: str, wanted: Bounded) -> Iterator[_Candidate]:
    """The same numbers in another layout, which a square shape does not show."""
    if wanted.value.ndim == 2 and wanted.value.shape == wanted.T.value.shape:
        layout = LAYOUT if tensor.startswith("dW") else ROWS
        yield _Candidate(Cause(f"{tensor} is transposed: {layout}"), wanted.T)


# ------------------------------------------------------------------------------- single precision


def _rounded_inputs(case: Case, tensor: str) -> Iterator[_Candidate]:
    """What float64 computes from parameters or data that went through float32."""
    if case.arithmetic != FLOAT64:
        return
    model, own, exact, loss, target = case.network
    x = FLOAT32.quantize(exact).astype(np.float64)
    params = own.astype(np.float32).astype(np.float64)
    if not (np.isfinite(x).all() and np.isfinite(params.flat).all()):
        return  # out of the range of float32
    rounded = {
        "x": (own, x), "the parameters": (params, exact), "x and the parameters": (params, x),
    }  # fmt: skip
    if np.array_equal(x, exact):
        rounded = {"the parameters": (params, x)}
    for what, (theta, data) in rounded.items():
        bounds = derive(model, theta, data, loss, target, arithmetic=FLOAT64)
        text = f"{tensor} is computed from {what} in single precision"
        yield _Candidate(Cause(text), bounds[tensor])


def _single_precision(case: Case, tensor: str, numbers: Array, wanted: Bounded) -> Iterator[Cause]:
    """Numbers of float32, all of them, that are as right as float32 can be.

    The wrong ones must need more than half of its 24 bits: 0 and 1 are numbers of float32 too.
    """
    if case.arithmetic != FLOAT64:
        return
    wide = wanted.bound * (FLOAT32.u / FLOAT64.u) + FLOAT32.u * np.abs(wanted.value)
    wrong = np.abs(numbers - wanted.value) > wanted.allowed
    long = ~representable(numbers, FLOAT32.precision // 2)
    if (
        _within(numbers, wanted._replace(bound=wide))
        and representable(numbers, FLOAT32.precision).all()
        and (wrong & long).any()
    ):
        yield Cause(f"{tensor} holds numbers of float32: something is cast to single precision")
