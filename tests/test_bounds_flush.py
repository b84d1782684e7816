"""Flush-to-zero of what is read: a number below the smallest normal one of its memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from mlp_ref.activations import LEAKY_RELU, RELU, Elementwise
from mlp_ref.arithmetic import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Arithmetic, Array
from mlp_ref.bounds import exactly, slope_error, value_error
from mlp_ref.corpus import load
from mlp_ref.gate.cases import case_of
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.run import run_case
from mlp_ref.operations import OPERATIONS
from mlp_ref.subjects import Question, Subject


@pytest.mark.parametrize(
    ("A", "least"),
    [(FLOAT64, 2.0**-1022), (FLOAT32, 2.0**-126), (BFLOAT16, 2.0**-126), (FLOAT16, 2.0**-14)],
)
@pytest.mark.parametrize(("f", "jump"), [(RELU, 1.0), (LEAKY_RELU, 0.99)])
def test_it_may_be_read_as_zero(A: Arithmetic, least: float, f: Elementwise, jump: float) -> None:
    """Then the derivative is the one on the left of the kink; a normal number has its sign."""
    for z in (least, least / 2, least / 8):
        given = exactly(np.array([[z]]))
        error = slope_error(A, f, given, exactly(f.value(given.value))).item()
        assert error >= jump if z < least else error < 1 - jump + 0.01
        assert z == least or value_error(A, f, given).item() >= z


def flushed(x: Array) -> Array:
    """A tensor of float16 without its subnormal numbers."""
    return np.where(np.abs(x) < FLOAT16.tiny_store, np.copysign(0, x), x).astype(np.float16)


def answer(question: Question) -> Mapping[str, Array]:
    """Computed in float32 from float16 tensors, which are flushed on both ways."""
    inputs = {name: flushed(x).astype(np.float32) for name, x in question.inputs.items()}
    found = OPERATIONS[question.operation](question.parameters, inputs)
    return {name: flushed(FLOAT16.quantize(np.asarray(x))) for name, x in found.items()}


@pytest.mark.parametrize("f", ["relu", "leaky_relu", "identity", "tanh"])
def test_a_processor_that_flushes_half_precision_passes(f: str) -> None:
    """Its derivative of a subnormal number is that of 0; twice of it is still wrong."""
    (record,) = (r for r in load("activation").records if r.id == f"activation/tiny/{f}/float32")
    case = case_of(record, FLOAT16)
    assert (np.abs(case.inputs["x"]) < FLOAT16.tiny_store).any()
    subject = Subject("mine", answer, ("activation",), ("float16",))
    assert run_case(subject, case).verdict == Verdict.PASS
    twice = Subject("mine", lambda q: {k: 2 * x for k, x in answer(q).items()}, *_declared(subject))
    assert run_case(twice, case).verdict == Verdict.FAIL


def _declared(subject: Subject) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return subject.operations, subject.arithmetics
