"""Conditions: what all failing cases of a family have, and none of those that pass.

A mistake in one activation, in odd batches or in the decay of a rule leaves every other case right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from mlp_ref.gate.diagnosis.samples import Sample

__all__ = ["condition"]

_ENOUGH = 4  # cases that fail, and that pass; for two conditions at once, twice as many
_NONZERO = {"weight_decay": "weight decay", "momentum": "momentum", "nesterov": "Nesterov's form"}
_FLAGS = {
    "Square": "as many rows as inputs and outputs", "OutputActivation": "an output activation",
    "RealDigits": "real digits", "LeftDerivative": "z = 0 exactly", "NotFinite": "NaN or inf",
}  # fmt: skip


def condition(failing: Sequence[Sample], samples: Sequence[Sample]) -> str:
    """``with relu and an odd number of rows``, or nothing that would tell them apart."""
    operations = {sample.case.operation for sample in failing}
    passing = [s for s in samples if not s.wrong and s.case.operation in operations]
    if min(len(failing), len(passing)) < _ENOUGH:
        return ""
    had = [set(_properties(sample)) for sample in failing]
    others = [set(_properties(sample)) for sample in passing]
    common = sorted(set.intersection(*had), key=list(_properties(failing[0])).index)
    for text in common:
        if not any(text in other for other in others):
            return f"with {text}"
    if min(len(failing), len(passing)) >= 2 * _ENOUGH:
        for pair in combinations(common, 2):
            if not any(other.issuperset(pair) for other in others):
                return f"with {pair[0]} and {pair[1]}"
    return ""


def _properties(sample: Sample) -> Iterator[str]:
    """What may be said of a case, the most telling first."""
    case, p = sample.case, sample.case.record.parameters
    for key in ("function", "method", "loss"):
        if p.get(key):
            yield str(p[key])
    yield from dict.fromkeys(p.get("activations", ()))
    yield from (text for key, text in _NONZERO.items() if p.get(key))
    if "t" in p:
        yield "steps before" if p["t"] else "no step before"
    target = case.inputs.get("target")
    if target is not None and p.get("loss") == "cross_entropy":
        yield "labels" if target.ndim == 1 else "probabilities as targets"
    yield from _of_shapes(sample)
    yield from (text for flag, text in _FLAGS.items() if flag in case.flags)
    yield case.arithmetic.name


def _of_shapes(sample: Sample) -> Iterator[str]:
    n, sizes = sample.rows, _inputs(sample)
    yield "a single row" if n == 1 else "more than one row"
    yield "an odd number of rows" if n % 2 else "an even number of rows"
    yield "one output" if sample.outputs == 1 else "more than one output"
    if sizes:
        odd = any(size % 2 for size in sizes)
        yield "an odd number of inputs of a layer" if odd else "even numbers of inputs"
        if any(size % 4 for size in sizes):
            yield "inputs of a layer that are no multiple of 4"
        yield "hidden layers" if len(sizes) > 1 else "a single layer"


def _inputs(sample: Sample) -> list[int]:
    """The number of inputs of each layer."""
    inputs = sample.case.inputs
    layers = [name for name in inputs if name.startswith("W")]
    return [int(inputs[name].shape[0]) for name in layers]
