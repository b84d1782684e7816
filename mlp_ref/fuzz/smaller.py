"""Smaller questions: one row, column, unit or class less, or one number simpler.

Hypothesis simplifies what it has drawn, byte by byte. A wrong last column among zeros stays a last
column, whatever byte is lowered; here the columns before it go.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.corpus.records import Record
from mlp_ref.fuzz.questions import record_of
from mlp_ref.parameters import Params

__all__ = ["smaller"]

Arrays = dict[str, Array]
_Axis = tuple[tuple[str, int], ...]  # arrays, and which of their axes shrinks with the others
_FEW = 100  # numbers that are simplified one by one
_VECTORS = ("params", "m", "v")


def smaller(record: Record) -> Iterator[Record]:
    """Every question that is smaller by one step; some may break a rule of the operation."""
    arrays = _layered(record)
    axes = _axes(record, arrays)
    for axis in axes:
        for k in reversed(range(_length(arrays, axis))):
            yield _with(record, _cut(arrays, axis, k))
    for one, other in combinations(axes, 2):  # what is square may have to stay so
        if _length(arrays, one) == _length(arrays, other):
            for k in reversed(range(_length(arrays, one))):
                yield _with(record, _cut(_cut(arrays, one, k), other, k))
    if sum(x.size for x in arrays.values()) <= _FEW:
        yield from _simpler(record, arrays)


def _length(arrays: Arrays, axis: _Axis) -> int:
    """How many there are to choose from: none of a last one."""
    name, along = axis[0]
    length = arrays[name].shape[along]
    return length if length > 1 else 0


def _cut(arrays: Arrays, axis: _Axis, k: int) -> Arrays:
    cut = {name: np.delete(arrays[name], k, dim) for name, dim in axis if dim < arrays[name].ndim}
    return arrays | cut | _labels(arrays, axis, k)


def _simpler(record: Record, arrays: Arrays) -> Iterator[Record]:
    """Each number that is neither 0 nor 1 replaced by one of these, or by a whole one."""
    for name, x in arrays.items():
        for k, number in enumerate(x.flat):
            for simple in (0, 1, round(float(number)) if abs(number) < 2**20 else 1):
                if number == simple or number in (0, 1):
                    break
                changed = x.copy()
                changed.flat[k] = simple
                yield _with(record, arrays | {name: changed})


def _labels(arrays: Arrays, axis: _Axis, k: int) -> Arrays:
    """Labels beyond a class that goes; -1, which no question has, for the class itself."""
    target = arrays.get("target")
    if target is None or target.dtype.kind != "i" or ("target", 1) not in axis:
        return {}
    return {"target": np.where(target == k, -1, target - (target > k))}


def _axes(record: Record, arrays: Arrays) -> list[_Axis]:
    """Samples, inputs, outputs, units and parameters."""
    match record.operation:
        case "activation" | "softmax" | "log_softmax":
            return [(("x", 0), ("g", 0)), (("x", 1), ("g", 1))]
        case "loss":
            return [(("z", 0), ("target", 0)), (("z", 1), ("target", 1))]
        case "dense":
            return [
                (("x", 0), ("g", 0)), (("x", 1), ("W", 0)), (("W", 1), ("b", 0), ("g", 1)),
            ]  # fmt: skip
        case "optimizer":
            return [tuple((name, 0) for name in arrays)] if len(arrays["params"]) > 2 else []
    depth = len(record.parameters["activations"])
    vectors = [f"{name}." for name in _VECTORS if f"{name}.W0" in arrays] or [""]
    axes: list[_Axis] = [(("x", 0), ("target", 0)), (("x", 1), *((f"{v}W0", 0) for v in vectors))]
    for k in range(depth):
        own = [place for v in vectors for place in ((f"{v}W{k}", 1), (f"{v}b{k}", 0))]
        after = [(f"{v}W{k + 1}", 0) for v in vectors] if k < depth - 1 else [("target", 1)]
        axes.append((*own, *after))
    return axes


def _layered(record: Record) -> Arrays:
    """The inputs; flat vectors of a training step as ``params.W0``, ``params.b0``, ``m.W0``, ..."""
    inputs = record.arrays()
    if record.operation != "train_step":
        return inputs
    sizes, found = tuple(record.parameters["sizes"]), Arrays()
    for name, x in inputs.items():
        if name not in _VECTORS:
            found[name] = x
            continue
        for k, layer in enumerate(Params(x, sizes).layers):
            found |= {f"{name}.W{k}": layer.W.copy(), f"{name}.b{k}": layer.b.copy()}
    return found


def _with(record: Record, arrays: Arrays) -> Record:
    parameters: dict[str, Any] = dict(record.parameters)
    if record.operation == "train_step":
        depth = range(len(parameters["activations"]))
        sizes = [arrays["x"].shape[1], *(arrays[f"params.W{k}"].shape[1] for k in depth)]
        parameters["sizes"] = sizes
        named = [f"{part}{k}" for k in depth for part in "Wb"]
        arrays = {
            name: np.concatenate([arrays[f"{name}.{part}"].ravel() for part in named])
            if name in _VECTORS else arrays[name]
            for name in record.inputs
        }  # fmt: skip
    return record_of(record.operation, parameters, arrays, record.arithmetic)
