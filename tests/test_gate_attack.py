"""Where the gate was wrong: right subjects that it refused, wrong ones that it let pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from user_modules import folder, message, write
from user_networks import LISTS

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import ARITHMETICS, BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Arithmetic
from mlp_ref.checks import InputError
from mlp_ref.corpus import load
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.gate.cases import Case, build_cases, case_of
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.report_jsonl import read_results, result_lines
from mlp_ref.gate.run import run_case
from mlp_ref.operations import OPERATIONS as REFERENCE
from mlp_ref.subjects import Question, Subject
from mlp_ref.subjects.messages import parse_reply, reply_line
from mlp_ref.subjects.protocol import Kind, Reply

__all__ = ["folder"]  # a fixture

Answer = dict[str, Any]
BY_ID = {case.id: case for case in build_cases()}
DIGITS = BY_ID["mlp/digits-16-6-10/relu/squared_error/float32"]


def answer_of(case: Case) -> Answer:
    """The reference's, in float64, rounded to the arithmetic."""
    question, A = case.question(), case.arithmetic
    wide = {k: x.astype(np.float64) if x.dtype.kind == "f" else x for k, x in case.inputs.items()}
    found = REFERENCE[question.operation](question.parameters, wide)
    return {name: np.asarray(A.quantize(np.asarray(x))) for name, x in found.items()}


def subject(run: Callable[[Question], Mapping[str, Any]], **declared: Any) -> Subject:
    """Of all operations and arithmetics."""
    return Subject("mine", run, OPERATIONS, tuple(ARITHMETICS), **declared)


def always(answer: Answer) -> Callable[[Question], Answer]:
    """The same answer to every question."""
    return lambda question: answer


def verdict(case: Case, answer: Answer) -> Verdict:
    """That of the case."""
    return run_case(subject(always(answer)), case).verdict


# ----------------------------------------------------------------------------------------- scalars


@pytest.mark.parametrize("wide", [float, np.float64, lambda x: np.array(x, np.float64)])
@pytest.mark.parametrize("A", [FLOAT32, BFLOAT16, FLOAT16], ids=lambda A: A.name)
def test_a_loss_in_float64_is_judged_alike_in_every_process(
    wide: Callable[[float], Any], A: Arithmetic
) -> None:
    """A scalar may be float64 always: here, and as it comes back over the wire."""
    case = case_of(DIGITS.record, A)
    answer = answer_of(case)
    for factor, expected in ((1, Verdict.PASS), (2, Verdict.FAIL)):
        mine = answer | {"loss": wide(factor * float(answer["loss"]))}
        _, sent = parse_reply(reply_line("0" * 16, Reply(Kind.ANSWER, tensors=mine)))
        assert verdict(case, mine) == verdict(case, dict(sent.tensors)) == expected


def test_other_tensors_in_float64_are_refused() -> None:
    """Also those of one entry."""
    answer = answer_of(DIGITS)
    report = run_case(subject(lambda q: answer | {"g": answer["g"].astype(np.float64)}), DIGITS)
    assert [(r.tensor, r.reason) for r in report.failures] == [
        ("g", "must be float32; got float64")
    ]


# -------------------------------------------------------------------------- what nothing can prove


@pytest.mark.parametrize("A", [BFLOAT16, FLOAT16], ids=lambda A: A.name)
def test_what_no_number_could_fail_is_no_pass(A: Arithmetic) -> None:
    """Adam's parameters have no finite bound there: a skip with the reason, for NaN a failure."""
    cases = {c.id: c for c in build_cases([A], operations=["optimizer"])}
    case = cases[f"optimizer/first-step/adam/{A.name}"]
    answer = answer_of(case)
    for params in (answer["params"], 2 * answer["params"]):
        report = run_case(subject(always(answer | {"params": params})), case)
        (skipped,) = [r for r in report.results if r.verdict == Verdict.SKIP]
        assert (skipped.tensor, report.verdict) == ("params", Verdict.PASS)
        assert skipped.reason == "every number would pass: its bound is infinite"
    assert verdict(case, answer | {"params": np.nan * answer["params"]}) == Verdict.FAIL


# ------------------------------------------------------------------------------------------- kinks


def _right_slope(low: float, x: Any, y: Any, out: Any = None) -> Any:
    return np.where(np.isnan(x), x, np.where(x < 0, low, 1))


@pytest.fixture
def from_the_right(monkeypatch: pytest.MonkeyPatch) -> Callable[[Case], Answer]:
    """Answers with the derivatives from the right at 0, of a reference that is left as it was."""

    def answer(case: Case) -> Answer:
        with monkeypatch.context() as patch:
            changed = {
                name: replace(ACTIVATIONS[name], slope=partial(_right_slope, low))
                for name, low in (("relu", 0.0), ("leaky_relu", 0.01))
            }
            patch.setattr("mlp_ref.corpus.library.ACTIVATIONS", {**ACTIVATIONS, **changed})
            return answer_of(case)

    return answer


@pytest.mark.parametrize("A", [FLOAT64, FLOAT16], ids=lambda A: A.name)
def test_the_convention_of_the_right_derivative_excuses_all_that_it_changes(
    from_the_right: Callable[[Case], Answer], A: Arithmetic
) -> None:
    """Exact networks of integers and inputs that round to 0 meet the kink, too; few others skip."""
    records = [r for r in load().records if "relu" in r.id and not r.rejects]
    cases = build_cases([A], records, ["activation", "mlp", "train_step"])
    found = {}
    for case in cases:
        answer = from_the_right(case)
        mine = subject(always(answer), conventions=("right-derivative",))
        found[case.id] = run_case(mine, case).verdict
        if found[case.id] == Verdict.SKIP:
            assert case.flags[-1] == "LeftDerivative"
    assert {*found.values()} == {Verdict.PASS, Verdict.SKIP}
    skipped = [name for name, verdict in found.items() if verdict == Verdict.SKIP]
    assert f"mlp/exact-13-7-4/relu/{A.name}" in skipped
    assert len(skipped) < len(found) / 3


def test_a_wrong_gradient_of_a_case_at_a_kink_is_told_the_convention(
    from_the_right: Callable[[Case], Answer],
) -> None:
    """Whether z is 0 cannot be seen from the gradient."""
    case = BY_ID["mlp/negative-zero/leaky_relu/float64"]
    answer = from_the_right(case)
    hint = run_case(subject(always(answer)), case).hint
    assert hint.endswith(
        " At z = 0 exactly, which this case has, the derivative is the one from the left."
    )


# ------------------------------------------------------------------------------------------- hints


@pytest.mark.parametrize("digits", [4, 6])
def test_numbers_that_were_printed_too_short_are_no_tf32(digits: int) -> None:
    """%g prints 6 digits, which lie between TF32 and float32."""
    case = _dense()
    short = {
        name: np.vectorize(lambda v: np.float32(f"{v:.{digits - 1}e}"))(x)
        for name, x in answer_of(case).items()
    }
    hint = run_case(subject(always(short)), case).hint
    assert hint.startswith(f"Its numbers have {digits} decimal digits at most: 9 are needed")
    noisy = {name: (x * np.float32(1 + 1e-5)) for name, x in short.items()}
    assert "decimal" not in run_case(subject(always(noisy)), case).hint


def _dense() -> Case:
    """The largest product of numbers with all their bits."""
    cases = [c for c in BY_ID.values() if c.id.startswith("dense/shape") and not c.rejects]
    real = [c for c in cases if c.arithmetic == FLOAT32]
    return max(real, key=lambda case: case.inputs["x"].size * case.inputs["W"].size)


def test_a_wrong_activation_is_no_matrix_product() -> None:
    """z0 is right: TF32 is not suggested for what is made of it, but is where z0 is not told."""
    answer = answer_of(DIGITS)
    answer["a0"] = answer["a0"] * np.float32(1 + 2.0**-14)
    assert "TF32" not in run_case(subject(always(answer)), DIGITS).hint
    del answer["z0"]
    assert "TF32" in run_case(subject(always(answer)), DIGITS).hint


def test_the_sign_of_zero_is_named() -> None:
    """0 and -0 have no error between them."""
    case = next(c for c in BY_ID.values() if "SignedZero" in c.record.flags)
    answer = answer_of(case)
    answer["y"] = answer["y"] + 0.0
    report = run_case(subject(always(answer)), case)
    assert report.failures[0].reason == "1 of 4 entries with the wrong sign of zero"


# ----------------------------------------------------------------------------------- resumed runs


def test_a_resumed_run_excuses_what_its_own_ledger_names_only() -> None:
    """The ledger may have been corrected since the lines were written, under the same id."""
    answer = answer_of(DIGITS) | {"loss": 1e6}
    known = Expectation("a", ("mine",), "v", "e", "w", {DIGITS.id: {"loss": 1e7}})
    report = run_case(subject(always(answer)), DIGITS, [known])
    lines = list(result_lines(report))
    assert [r.expectations for r in read_results(lines, [DIGITS], [known])] == [{"loss": "a"}]
    other = replace(known, failing={DIGITS.id: {"g": 1e7}})
    with pytest.raises(InputError, match="must be those of its tensors"):
        list(read_results(lines, [DIGITS], [other]))


# ----------------------------------------------------------------------------- classes of students


def test_an_output_with_a_cache_is_named(folder: Path) -> None:
    """Instead of NumPy's complaint about it."""
    write(folder, LISTS.replace("return self.a[-1]", "return self.a[-1], self.a", 1))
    assert "; got a tuple of 2; " in message("py:homework:MLP")


def test_a_loss_of_inputs_that_are_predictions(folder: Path) -> None:
    """PyTorch calls predictions inputs: the class is not judged by a loss of x."""
    source = LISTS.replace("loss(self, y_pred, y)", "loss(self, inputs, y)")
    write(folder, source.replace("(y_pred - y)", "(inputs - y)"))
    text = message("py:homework:MLP")
    start = "the method loss of py:homework:MLP must give the loss, where inputs is the x, y is the"
    assert text.startswith(start)
    assert "; got ValueError in the loss: " in text
