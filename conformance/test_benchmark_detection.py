"""The rules of the detection benchmark against the real assert_close, gradcheck and check_grads."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import measure
from benchmarks.differences import DIFFERENCES, Subject, rejects
from benchmarks.entries import smallest_errors
from benchmarks.implementations import LIBRARIES, implementation, made_of
from benchmarks.judging import Judged, known_cases
from benchmarks.methods import OURS, TOLERANCES
from benchmarks.real import REAL
from benchmarks.views import answers_of, value_of
from mlp_ref.faults import FAULTS, RIGHT, VARIANTS

# Seen, not seen, seen at some points; of value, gradient and both; and what is right.
TRIED = (
    "", "variant-sums-reversed", "walkthrough", "activation-slope-forgotten",
    "activation-softplus-threshold", "dense-transposed-dx", "entry-relative-1e-3",
    "entry-relative-1e-6", "label-zero-ignored", "loss-gradient-sign", "loss-squared-root",
    "precision-float32-weights", "reduction-both-summed", "softmax-vjp-no-sum",
)  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_assert_close_accepts_less_and_rejects_more(dtype: str) -> None:
    """At its defaults for the dtype, on both sides; NaN equals NaN, and nothing else."""
    rule, right = TOLERANCES["assert_close"], np.array([1.0, -40.0, 1e-9], dtype)
    allowed = rule.absolute(dtype, "value") + rule.relative(dtype, "value") * np.abs(right)
    room = 0.01 * allowed + 2 * np.spacing(np.abs(right))
    assert not rule.rejects((right + allowed - room).astype(dtype), right, "value")
    for k in range(right.size):
        got = right.copy()
        got[k] += allowed[k] + room[k]
        assert rule.rejects(got, right, "value")
    nan = np.array([np.nan], dtype)
    assert not rule.rejects(nan, nan, "value")
    assert rule.rejects(nan, np.ones(1, dtype), "value")


@pytest.mark.parametrize("method", DIFFERENCES)
@pytest.mark.parametrize("name", TRIED)
def test_the_rule_is_that_of_the_checker(method: str, name: str) -> None:
    """At points of every operation, of the corpus and normal, both reject or both accept."""
    parts = {"": RIGHT}.get(name) or (FAULTS.get(name) or VARIANTS[name]).parts
    subject = Subject(answers_of(parts), value_of(parts))
    for inputs in ("corpus", "normal"):
        for arithmetic in DIFFERENCES[method].arithmetics:
            known = known_cases(inputs, arithmetic).values()
            views = [k.view for k in known if k.view and sum(x.size for x in k.view.point()) < 99]
            for view in views[len(name) % 25 :: 25]:
                found = rejects(method, subject, view)
                assert REAL[method](subject, view) == found, view.case.id


def test_a_rule_that_rejects_more_than_its_checker_stops_the_benchmark() -> None:
    """What counts as found is confirmed by the checker itself."""
    judged = Judged(made_of("right", RIGHT), "normal", "float64")
    case = next(name for name, known in judged.known.items() if known.view)
    with pytest.raises(AssertionError, match="gradcheck itself accepts right at normal/"):
        measure._confirm(judged, case, "gradcheck")


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_raises_no_alarm_under_derived_bounds(library: str) -> None:
    """Where it is rejected a ledger says so, and the case is counted apart."""
    found = measure.alarms_of(library, [OURS, "assert_close"], 50)
    assert not [by.cases for key, by in found.items() if key.method == OURS and by.cases]
    assert all(set(map(implementation(library).known, by.known)) <= {True} for by in found.values())
    assert min(by.asked for by in found.values()) >= 6


@pytest.mark.parametrize("method", ["assert_close", "gradcheck", "check_grads"])
def test_the_smallest_error_is_confirmed_by_the_checker(method: str) -> None:
    """It accepts a little less and rejects a little more."""
    found = smallest_errors(method, "float64", every=16)
    assert found.errors.size > 50
    assert found.quantile(0.5) > 1e-8
