"""The libraries of the benchmark of speed take the steps of the reference, loss by loss."""

from __future__ import annotations

from itertools import product

import pytest

from benchmarks.speed import rounds
from benchmarks.speed.workloads import OPTIMIZERS, WORKLOADS, problem

LIBRARIES = ["scikit-learn", "torch eager", "torch fused", "JAX jit"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_takes_the_steps_of_the_reference(library) -> None:
    """Four losses agree with ours to a thousandth of what a step changes, in both precisions."""
    with rounds.processes(["mlp_ref", library]) as running:
        for question in product(["tiny", "mnist"], OPTIMIZERS):
            ours, theirs = (one.ask(prepare=question) for one in running)
            assert "error" not in theirs
            assert rounds.other(theirs["losses"], ours["losses"]) == "", question


def test_the_workloads_hold_both_precisions() -> None:
    """What is tested above are a float64 and a float32 network."""
    assert {WORKLOADS[name].dtype for name in ("tiny", "mnist")} == {"float64", "float32"}
    assert problem("mnist", "sgd").x.dtype == "float32"
