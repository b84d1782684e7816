"""The runner: one verdict per case and tensor, and no subject can end the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from networks import NETWORKS

from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.run import run_case, run_cases
from mlp_ref.subjects import Subject, network_subject
from mlp_ref.subjects.numpy_subject import run as right

CASES = {case.id: case for case in NETWORKS}
CASE = next(case for name, case in CASES.items() if name.startswith("mlp/batch-7/tanh/"))
Run = Callable[..., Any]


def subject(run: Run) -> Subject:
    """A subject of that function."""
    return network_subject("mine", run, ("float32", "float64"), {})


def without_loss(**question: Any) -> Any:
    """Everything but the loss."""
    return {k: v for k, v in right(**question).items() if k != "loss"}


def wrong_loss(**question: Any) -> Any:
    """Three times the loss plus one."""
    answer = dict(right(**question))
    return answer | {"loss": 3 * answer["loss"] + 1}


def raises(error: BaseException) -> Run:
    """A subject that always raises."""

    def run(**question: Any) -> Any:
        raise error

    return run


def reason_of(run: Run, verdict: Verdict) -> str:
    """The one reason that all tensors of the case have."""
    report = run_case(subject(run), CASE)
    assert report.verdict == verdict
    assert [result.tensor for result in report.results] == list(CASE.tensors)
    assert {result.verdict for result in report.results} == {verdict}
    assert report.hint == ""
    (reason,) = {result.reason for result in report.results}
    return reason


def test_a_right_subject_passes_every_tensor_without_a_hint() -> None:
    """The reference agrees with itself, and nothing is said about it."""
    report = run_case(subject(right), CASE)
    assert report.verdict == "pass"
    assert [(r.tensor, r.verdict) for r in report.results] == [(t, "pass") for t in CASE.tensors]
    assert (report.failures, report.hint) == ((), "")
    assert report.seconds > 0


def test_one_wrong_tensor_fails_the_case() -> None:
    """A case is as good as its worst tensor; the others keep their own verdicts."""
    report = run_case(subject(wrong_loss), CASE)
    assert report.verdict == "fail"
    assert [r.tensor for r in report.failures] == ["loss"]
    assert "look at" in report.hint


def test_a_missing_tensor_is_skipped_and_the_rest_judged() -> None:
    """What is left out is counted as skipped, not as right and not as wrong."""
    report = run_case(subject(without_loss), CASE)
    assert report.verdict == "pass"
    skipped = [(r.tensor, r.reason) for r in report.results if r.verdict == "skip"]
    assert skipped == [("loss", "not returned by the subject")]


def test_an_empty_answer_is_a_skip() -> None:
    """A case in which nothing was compared has not passed."""
    assert reason_of(lambda **question: {}, Verdict.SKIP) == "not returned by the subject"


def test_not_implemented_is_a_skip_with_its_reason() -> None:
    """A subject that does not offer an operation says so."""
    run = raises(NotImplementedError("linear\n  regression only"))
    assert reason_of(run, Verdict.SKIP) == "not implemented: linear regression only"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("bad\nshapes"), "ValueError: bad shapes (test_run.py, line "),
        (SystemExit(3), "SystemExit: 3 (test_run.py, line "),
        (MemoryError(), "MemoryError: no reason given (test_run.py, line "),
    ],
)
def test_whatever_a_subject_raises_is_an_error_of_the_case(error: BaseException, text: str) -> None:
    """The error names the exception in one line, and where in the subject's file it began."""
    assert reason_of(raises(error), Verdict.ERROR).startswith(text)


def test_an_error_deep_in_a_library_is_traced_to_the_line_of_the_subject() -> None:
    """The line of the user's own file is named, not the one in the library below it."""

    def run(**question: Any) -> Any:
        return np.linalg.inv(question["x"])

    reason = reason_of(run, Verdict.ERROR)
    assert reason.startswith("LinAlgError: ")
    assert reason.endswith(f"(test_run.py, line {run.__code__.co_firstlineno + 1})")


def test_a_wrong_signature_is_an_error_that_names_the_argument() -> None:
    """A function that does not take the keywords is told which one."""

    def run(x: Any) -> Any:
        raise AssertionError

    text = "run() got an unexpected keyword argument 'weights'"
    assert reason_of(run, Verdict.ERROR).endswith(text)


@pytest.mark.parametrize(
    ("answer", "kind"), [(None, "NoneType"), ([1.0], "list"), (np.ones(2), "ndarray")]
)
def test_an_answer_must_be_a_mapping(answer: object, kind: str) -> None:
    """Anything else is an error of the protocol."""
    reason = reason_of(lambda **question: answer, Verdict.ERROR)
    assert reason == f"a subject must return a mapping of tensors; got {kind}"


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("dw0", "did you mean 'dW0'?"),
        ("Loss", "did you mean 'loss'?"),
        ("db01", "did you mean 'db1'?"),
        (3, "there are z0 a0 z1 a1 loss g dW1 db1 dW0 db0 dx"),
    ],
)
def test_an_unknown_tensor_is_an_error_with_a_suggestion(name: object, instead: str) -> None:
    """A misspelt tensor is not silently skipped."""
    reason = reason_of(lambda **question: {name: 1.0}, Verdict.ERROR)
    assert reason == f"there is no tensor {name!r} in this case; {instead}"


class Lazy(Mapping[str, Any]):
    """A mapping that computes when it is read, and fails."""

    def __getitem__(self, name: str) -> Any:
        raise OSError("the board is gone")

    def __iter__(self) -> Iterator[str]:
        return iter(["loss"])

    def __len__(self) -> int:
        return 1


def test_a_mapping_that_fails_when_read_is_an_error_of_the_case() -> None:
    """Reading the answer is part of the question."""
    reason = reason_of(lambda **question: Lazy(), Verdict.ERROR)
    assert reason.startswith("OSError: the board is gone")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("x", lambda q: q["x"].__setitem__((0, 0), -q["x"][0, 0])),
        ("x", lambda q: q["x"].resize(3, 7)),
        ("target", lambda q: q["target"].fill(0)),
        ("W1", lambda q: q["weights"][1].__iadd__(1)),
        ("b0", lambda q: q["biases"][0].fill(3)),
    ],
)
def test_an_argument_changed_in_place_is_an_error(name: str, change: Run) -> None:
    """A subject that writes into its arguments would spoil what is computed from them later."""

    def run(**question: Any) -> Any:
        answer = right(**question)
        change(question)
        return answer

    reason = reason_of(run, Verdict.ERROR)
    assert reason == f"the subject changed its argument {name!r} in place; copy it first"


def test_a_changed_sign_of_zero_is_noticed() -> None:
    """Arguments are compared bit for bit: -0 is not 0."""

    def run(**question: Any) -> Any:
        question["x"] += 0.0
        return {}

    case = CASES["mlp/negative-zero/relu/float64"]
    assert "'x' in place" in run_case(subject(run), case).results[0].reason


@pytest.mark.parametrize("ragged", [[[1.0], [1.0, 2.0]], {1.0}, object(), "text"])
def test_a_strange_tensor_fails_and_does_not_end_the_run(ragged: object) -> None:
    """What NumPy cannot even make an array of is a failure of that tensor."""
    report = run_case(subject(lambda **question: {"z0": ragged}), CASE)
    assert report.verdict == "fail"
    assert report.hint.startswith("Return NumPy arrays: np.asarray(a)")


def test_the_run_goes_on_after_a_crash() -> None:
    """One case crashes, the one before and the one after it are judged."""
    calls = []

    def run(**question: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise SystemExit
        return right(**question)

    reports = list(run_cases(subject(run), [CASE] * 3))
    assert [report.verdict for report in reports] == ["pass", "error", "pass"]


def test_ctrl_c_ends_the_run() -> None:
    """KeyboardInterrupt is the user's, not the subject's."""
    with pytest.raises(KeyboardInterrupt):
        run_case(subject(raises(KeyboardInterrupt())), CASE)


# ------------------------------------------------------------------------------------- summary


class Outcome(BaseException):
    """As pytest's, which are no Exception, with a message that cannot be shown."""

    def __str__(self) -> str:
        raise ValueError


def test_an_outcome_that_is_no_exception_is_an_error_of_the_case() -> None:
    """Neither its class nor a message that raises ends the run."""
    reason = reason_of(raises(Outcome()), Verdict.ERROR)
    assert reason.startswith("Outcome: a reason that cannot be shown (test_run.py, line ")


def test_the_error_state_of_a_subject_ends_with_its_call() -> None:
    """numpy.seterr(all="raise") in a right subject raises nothing in the gate."""

    def strict(**question: Any) -> Any:
        with np.errstate(all="ignore"):
            answer = right(**question)
        np.seterr(all="raise")
        return answer

    before = np.geterr()
    assert run_case(subject(strict), CASE).verdict == Verdict.PASS
    assert np.geterr() == before
