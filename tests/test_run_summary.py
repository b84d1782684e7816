"""The counts of a run, its exit status, and expectations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from test_run import CASE, raises, subject, without_loss, wrong_loss

from mlp_ref.checks import InputError
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.run import Summary, run_case
from mlp_ref.subjects.numpy_subject import run as right

Run = Callable[..., Any]


def known(*tensors: str, most: float = 1e9) -> Expectation:
    """An expectation that names tensors of the case."""
    failing = {CASE.id: dict.fromkeys(tensors, most)}
    return Expectation("known", ("mine",), "1", "measured", "because", failing)


def summary(*runs: Run, require: int = 1, expect: tuple[Expectation, ...] = ()) -> Summary:
    """The summary over one case per function."""
    total = Summary(require, expect)
    for run in runs:
        total.add(run_case(subject(run), CASE, expect))
    return total


def test_every_case_and_tensor_is_counted_once() -> None:
    """The four verdicts add up to the cases, and those of the tensors to the tensors."""
    stop = raises(ValueError()), raises(NotImplementedError())
    total, n = summary(right, wrong_loss, without_loss, *stop), len(CASE.tensors)
    assert total.cases == {"pass": 2, "fail": 1, "error": 1, "skip": 1}
    assert total.tensors == {"pass": 3 * n - 2, "fail": 1, "error": n, "skip": n + 1}
    entries = sum(q.hi.size for q in CASE.expected().values())
    assert total.entries == 3 * entries - 1
    assert (total.judged, total.status) == (3, 1)


@pytest.mark.parametrize(
    ("runs", "require", "status"),
    [
        ((right, without_loss), 2, 0),
        ((right, raises(NotImplementedError())), 2, 3),
        ((raises(NotImplementedError()),), 1, 3),
        ((), 1, 3),
        ((wrong_loss,), 1, 1),
        ((right, raises(ValueError())), 1, 1),
        ((wrong_loss,), 9, 1),
    ],
)
def test_exit_status(runs: tuple[Run, ...], require: int, status: int) -> None:
    """0 conforms, 1 does not, 3 too few were judged: an empty run is never green."""
    assert summary(*runs, require=require).status == status


def test_an_expected_failure_fails_but_does_not_count() -> None:
    """The tensor stays a failure; the exit status is 0 and there is no hint."""
    expect = (known("loss"),)
    report = run_case(subject(wrong_loss), CASE, expect)
    assert (report.verdict, report.unexpected, report.hint) == ("fail", (), "")
    total = summary(wrong_loss, expect=expect)
    assert (total.status, total.expected_cases, total.expected_tensors) == (0, 1, 1)
    assert total.cases["fail"] == 1


def test_a_failure_beside_an_expected_one_counts() -> None:
    """An expectation excuses the tensors that it names and no other."""
    total = summary(wrong_loss, expect=(known("g"),))
    assert (total.status, total.expected_cases) == (1, 0)


def test_a_larger_error_than_expected_counts() -> None:
    """The expectation is told not to explain it, and the hint says where to look."""
    expect = (known("loss", most=1e-3),)
    report = run_case(subject(wrong_loss), CASE, expect)
    assert [r.tensor for r in report.unexpected] == ["loss"]
    assert report.expectations == {}
    assert report.hint.startswith("known explains an error of 1.0e-03, not this one. The forward")
    assert summary(wrong_loss, expect=expect).status == 1


def test_what_follows_from_an_expected_failure_is_not_given_a_place() -> None:
    """After a wrong z0 that is expected, nobody knows what makes the loss wrong."""

    def run(**question: Any) -> Any:
        answer = wrong_loss(**question)
        return answer | {"z0": 2 * answer["z0"]}

    report = run_case(subject(run), CASE, (known("z0"),))
    assert report.hint == "z0 before it fails as expected, and loss may follow from that."


def test_an_expectation_of_what_does_not_exist_is_stale() -> None:
    """Status 5, unless something is worse."""
    unknown = {"known": ["no-such-case loss"]}
    total = Summary(1, (), unknown)
    assert total.status == 3
    total.add(run_case(subject(right), CASE))
    assert total.status == 5
    total.add(run_case(subject(wrong_loss), CASE))
    assert total.status == 1


@pytest.mark.parametrize("require", [0, -1])
def test_at_least_one_case_is_required(require: int) -> None:
    """A run that judged nothing cannot be asked to pass."""
    text = f"--require must be 1 or more; got {require}; a run that judged nothing proves nothing"
    with pytest.raises(InputError) as caught:
        Summary(require)
    assert str(caught.value) == text


def test_a_passing_tensor_makes_its_expectation_stale() -> None:
    """What no longer fails must be removed: exit status 5, and the tensor is named."""
    total = summary(right, expect=(known("loss"),))
    assert (total.status, total.stale) == (5, {"known": [f"{CASE.id} loss"]})
    assert summary(without_loss, expect=(known("loss"),)).status == 0
