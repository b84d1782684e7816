"""The runner on all operations: inputs that must be refused, conventions, replies of each kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from mlp_ref.corpus.names import REJECTS
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.gate.cases import REJECTION, Case, build_cases
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.run import CaseReport, Summary, run_case
from mlp_ref.subjects import CONVENTIONS, Kind, Question, Reply, Subject, load

CASES = list(build_cases())
WRONG = {kind: next(case for case in CASES if case.rejects == kind) for kind in REJECTS}
RIGHT = {
    name: next(c for c in CASES if c.operation == name and not c.rejects) for name in OPERATIONS
}
NUMPY = load("numpy")


def subject(run: Callable[[Question], Mapping[str, Any]] = NUMPY.run, **declared: Any) -> Subject:
    """A subject of all operations."""
    return Subject("mine", run, tuple(OPERATIONS), ("float32", "float64"), **declared)


def only(report: CaseReport) -> tuple[str, Verdict, str]:
    """The one tensor of a case of wrong inputs."""
    (result,) = report.results
    assert result.tensor == REJECTION
    return str(report.verdict), result.verdict, result.reason


def raises(error: BaseException) -> Callable[[Question], Any]:
    """A subject that always raises."""

    def run(question: Question) -> Any:
        raise error

    return run


# ---------------------------------------------------------------------- inputs that must be refused


@pytest.mark.parametrize("kind", REJECTS)
def test_wrong_inputs_that_are_refused_pass(kind: str) -> None:
    """Whatever is raised, and it counts as one entry that was judged."""
    for error in (ValueError("no"), TypeError(), IndexError("1"), SystemExit(1)):
        report = run_case(subject(raises(error), checks=(kind,)), WRONG[kind])
        assert only(report) == ("pass", Verdict.PASS, "")
        assert (report.hint, report.results[0].entries, report.results[0].failed) == ("", 1, 0)


@pytest.mark.parametrize("kind", REJECTS)
@pytest.mark.parametrize("answer", [{}, {"z": np.ones(1)}, {REJECTION: True}, {"loss": np.nan}])
def test_wrong_inputs_that_are_answered_fail(kind: str, answer: dict[str, Any]) -> None:
    """Every answer is wrong, also an empty one; the hint says how to claim less."""
    report = run_case(subject(lambda question: answer, checks=(kind,)), WRONG[kind])
    assert only(report) == ("fail", Verdict.FAIL, f"answered instead of refused: {REJECTS[kind]}")
    assert report.hint == f"Leave {kind!r} out of its checks if it claims none."
    assert (report.results[0].entries, report.results[0].failed) == (1, 1)


@pytest.mark.parametrize("kind", REJECTS)
def test_wrong_inputs_that_a_subject_does_not_check_are_not_asked(kind: str) -> None:
    """They are skipped with the reason, and prove nothing."""
    others = tuple(other for other in REJECTS if other != kind)
    report = run_case(subject(raises(KeyboardInterrupt()), checks=others), WRONG[kind])
    reason = "inputs that are wrong in a way that the subject does not claim to check"
    assert only(report) == ("skip", Verdict.SKIP, reason)
    summary = Summary()
    summary.add(report)
    assert (summary.judged, summary.status) == (0, 3)


def test_not_implemented_is_no_refusal() -> None:
    """A subject that raises it for everything would pass all wrong inputs."""
    report = run_case(
        subject(raises(NotImplementedError("later")), checks=("shape",)), WRONG["shape"]
    )
    assert only(report) == ("skip", Verdict.SKIP, "not implemented: later")


def test_a_refusal_of_right_inputs_is_an_error() -> None:
    """The same exception, where nothing is wrong: every tensor is an error with that reason."""
    for case in RIGHT.values():
        report = run_case(subject(raises(ValueError("no")), checks=tuple(REJECTS)), case)
        assert {result.verdict for result in report.results} == {Verdict.ERROR}
        assert [result.tensor for result in report.results] == list(case.tensors)
        assert all(r.reason.startswith("ValueError: no (test_run_op") for r in report.results)


def test_wrong_inputs_reach_the_subject_as_they_are() -> None:
    """The wrong dtype is not put right by the gate."""
    seen: list[Question] = []

    def run(question: Question) -> Any:
        seen.append(question)
        raise ValueError

    case = WRONG["dtype"]
    run_case(subject(run, checks=("dtype",)), case)
    (question,) = seen
    assert {k: x.dtype for k, x in question.inputs.items()} == {
        k: x.dtype for k, x in case.inputs.items()
    }
    assert len({x.dtype for x in question.inputs.values() if x.dtype.kind == "f"}) > 1


# -------------------------------------------------------------------------------------- conventions


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_convention_skips_its_cases_and_no_other(name: str) -> None:
    """With the reason; without it they are judged."""
    flag, why = CONVENTIONS[name]
    mine = subject(conventions=(name,), checks=tuple(REJECTS))
    marked = [case for case in CASES if flag in case.record.flags]
    assert marked
    for case in marked:
        report = run_case(mine, case)
        assert report.verdict == Verdict.SKIP
        assert {result.reason for result in report.results} == {f"convention {name}: {why}"}
        assert run_case(subject(checks=tuple(REJECTS)), case).verdict == Verdict.PASS
    for case in RIGHT.values():
        assert (run_case(mine, case).verdict == Verdict.SKIP) == (flag in case.record.flags)


# ----------------------------------------------------------------------------------- each operation


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_asked_and_judged(operation: str) -> None:
    """With its own parameters, inputs and tensors; a wrong tensor fails it, alone."""
    case, seen = RIGHT[operation], list[Question]()
    broken = case.tensors[0]

    def run(question: Question) -> Any:
        seen.append(question)
        answer = dict(NUMPY.run(question))
        return answer | {broken: np.asarray(answer[broken]) * answer[broken].dtype.type(1.5) + 1}

    assert run_case(subject(), case).verdict == Verdict.PASS
    report = run_case(subject(run), case)
    assert [result.tensor for result in report.failures] == [broken]
    assert (seen[0].operation, seen[0].arithmetic) == (operation, case.arithmetic.name)
    assert seen[0].parameters.keys() == case.record.parameters.keys()
    assert seen[0].inputs.keys() == case.inputs.keys()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nan_everywhere_is_no_pass(operation: str) -> None:
    """Where not even one number is expected to be NaN, nothing passes."""

    def run(question: Question) -> Any:
        return {k: np.asarray(x) * np.nan for k, x in NUMPY.run(question).items()}

    report = run_case(subject(run), RIGHT[operation])
    assert {result.verdict for result in report.results} == {Verdict.FAIL}
    assert all(result.failed == result.entries for result in report.results)


# ----------------------------------------------------------------------------- replies of each kind


@dataclass
class Fixed:
    """A session that always replies the same."""

    reply: Reply
    name: str = "mine"
    operations: tuple[str, ...] = tuple(OPERATIONS)
    arithmetics: tuple[str, ...] = ("float32", "float64")
    versions: Mapping[str, str] = field(default_factory=dict)

    def excuse(self, rejects: str, flags: tuple[str, ...]) -> str:
        """Nothing is excused."""
        return ""

    def ask(self, question: Question) -> Reply:
        """The reply."""
        return self.reply

    def close(self) -> None:
        """Nothing is held."""

    abort = close


def said(kind: Kind, case: Case) -> tuple[set[Verdict], set[str]]:
    """Verdicts and reasons of a reply without tensors."""
    report = run_case(Fixed(Reply(kind, "because")), case)
    assert report.case is case
    assert report.hint == "" or kind == Kind.ANSWER
    return {r.verdict for r in report.results}, {r.reason for r in report.results}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("kind", "verdict", "reason"),
    [
        (Kind.ANSWER, Verdict.SKIP, "not returned by the subject"),
        (Kind.SKIP, Verdict.SKIP, "because"),
        (Kind.REJECT, Verdict.ERROR, "because"),
        (Kind.ERROR, Verdict.ERROR, "because"),
    ],
)
def test_what_a_reply_makes_of_right_inputs(
    kind: Kind, verdict: Verdict, reason: str, operation: str
) -> None:
    """All tensors share it: an answer without tensors is no pass, a refusal is an error."""
    assert said(kind, RIGHT[operation]) == ({verdict}, {reason})


@pytest.mark.parametrize("name", ["cmd:./mine", "so:./mine.so", "files:answers"])
def test_a_program_that_refuses_right_inputs_is_told_what_it_did(name: str) -> None:
    """The bare reason would read as if the inputs were wrong; an error stays as it is."""
    for kind, reason in ((Kind.REJECT, "refused valid inputs: because"), (Kind.ERROR, "because")):
        report = run_case(Fixed(Reply(kind, "because"), name), RIGHT["dense"])
        assert {result.reason for result in report.results} == {reason}
        assert report.verdict == Verdict.ERROR


@pytest.mark.parametrize("rejects", REJECTS)
@pytest.mark.parametrize(
    ("kind", "verdict"),
    [(Kind.ANSWER, Verdict.FAIL), (Kind.SKIP, Verdict.SKIP), (Kind.REJECT, Verdict.PASS),
     (Kind.ERROR, Verdict.ERROR)],
)  # fmt: skip
def test_what_a_reply_makes_of_wrong_inputs(kind: Kind, verdict: Verdict, rejects: str) -> None:
    """A crash is no refusal: only a subject that says no has checked."""
    verdicts, reasons = said(kind, WRONG[rejects])
    assert verdicts == {verdict}
    assert reasons == {
        "" if kind == Kind.REJECT else "because" if kind != Kind.ANSWER else
        f"answered instead of refused: {REJECTS[rejects]}"
    }  # fmt: skip
