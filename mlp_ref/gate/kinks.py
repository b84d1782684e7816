"""Whether a case meets a kink, where the convention of the derivative shows in the answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from mlp_ref.activations import Activation, Elementwise
from mlp_ref.arithmetic import Array
from mlp_ref.corpus.library import activation_of, layers_of, model_of
from mlp_ref.corpus.records import Record
from mlp_ref.parameters import Params

__all__ = ["meets_kink"]

_EITHER = "Kink"  # flag of the cases in which every side is right


def meets_kink(record: Record) -> bool:
    """Whether an activation of a valid question has its argument exactly at a kink.

    A z that is 0 in the reference alone, by rounding, counts too: such a case is asked one time
    less. Where several derivatives are accepted, nothing depends on the convention.
    """
    return _EITHER not in record.flags and any(
        isinstance(f, Elementwise) and f.kinks and bool(np.isin(z, f.kinks).any())
        for f, z in _arguments(record)
    )


def _arguments(record: Record) -> Iterable[tuple[Activation, Array]]:
    """Every activation with what it is applied to, in float64."""
    if record.operation == "activation":
        return [(activation_of(record.parameters["function"]), record.arrays()["x"])]
    return _layers(record) if record.operation in ("mlp", "train_step") else ()


def _layers(record: Record) -> Iterator[tuple[Activation, Array]]:
    inputs = record.arrays()
    params = (
        layers_of(inputs) if record.operation == "mlp"
        else Params(inputs["params"], tuple(record.parameters["sizes"]))
    )  # fmt: skip
    model = model_of(params.sizes, record.parameters)
    wide = params.astype(np.float64)
    _, trace = model.forward(wide, inputs["x"].astype(np.float64))
    yield from zip(model.activations, trace.z, strict=True)
