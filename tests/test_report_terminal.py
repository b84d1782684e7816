"""The report for people: the right words, and no line over 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import NETWORKS
from rich.console import Console

import mlp_ref
from mlp_ref.activations import IDENTITY
from mlp_ref.arithmetic import FLOAT64
from mlp_ref.corpus import Corpus
from mlp_ref.gate.cases import Case, network_case
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.report_terminal import render
from mlp_ref.gate.run import Summary, run_cases
from mlp_ref.gate.tally import Tally
from mlp_ref.losses import SQUARED_ERROR
from mlp_ref.model import MLP
from mlp_ref.parameters import Params
from mlp_ref.subjects import network_subject
from mlp_ref.subjects.numpy_subject import run as right

CASES = NETWORKS
CASE = next(c for c in CASES if c.id == "mlp/digits-16-5-4-10/tanh/cross_entropy/float64")
CORPUS = Corpus("2026.1", "0123456789abcdef" * 4, (), Path())
HUGE = network_case(
    "mlp/huge/float64", "", FLOAT64, MLP((1, 1), (IDENTITY,)),
    Params.from_layers([(np.zeros((1, 1)), np.full(1, 1.2e154))]), np.zeros((1, 1)), SQUARED_ERROR,
    np.zeros((1, 1)),
)  # fmt: skip
Run = Callable[..., Any]


def report(
    run: Run,
    cases: Sequence[Case] = (CASE,),
    expectations: tuple[Expectation, ...] = (),
    require: int = 1,
    versions: dict[str, str] | None = None,
    unknown: dict[str, list[str]] | None = None,
) -> str:
    """What is printed, with every run of blanks as one; no line is over 80 columns."""
    subject = network_subject("mine", run, ("float32", "float64"), versions or {})
    summary, tally = Summary(require, expectations, unknown or {}), Tally()
    for outcome in run_cases(subject, cases, expectations):
        summary.add(outcome)
        tally.add(outcome)
    file = StringIO()
    Console(width=80, file=file).print(render(subject, CORPUS, tally, summary))
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    return "\n".join(" ".join(line.split()) for line in lines)


def doubled(*names: str) -> Run:
    """A subject that returns twice what it should."""

    def run(**question: Any) -> Any:
        answer = dict(right(**question))
        return answer | {name: 2 * answer[name] for name in names if name in answer}

    return run


def raises(error: BaseException) -> Run:
    """A subject that always raises."""

    def run(**question: Any) -> Any:
        raise error

    return run


def test_a_passing_run() -> None:
    """One table per arithmetic, every denominator, and one word for the verdict."""
    text = report(right, CASES, versions={"mine": "1.2"})
    assert f"mlp-ref {mlp_ref.__version__} judges mine 1.2 in float64 and float32\n" in text
    assert "\nby corpus 2026.1, sha256 0123456789ab\n" in text
    for arithmetic in ("float32", "float64"):
        count = sum(case.arithmetic.name == arithmetic for case in CASES)
        assert f"\n{arithmetic}, {count} cases\n" in text
        assert f"\nloss {count}/{count} loss " in text
    assert "tensor passed worst entry error bound error/bound ULP digits" in text
    tensors = sum(len(case.tensors) for case in CASES)
    assert text.count("\nloss ") == 2
    assert "PASS mine 1.2 conforms\n" in text
    assert f"{len(CASES):,} cases: pass {len(CASES)} fail 0 error 0 skip 0" in text
    assert f"{tensors:,} tensors: pass {tensors:,} fail 0 error 0 skip 0" in text
    assert " inconclusive: their bound is as large as they are" in text
    assert "FAIL" not in text
    assert "SKIP" not in text


def test_a_failing_case_is_shown_from_its_origin() -> None:
    """Tensor, index, got, expected, error against bound, ULP, digits, what is wrong too, a hint."""
    text = report(doubled("a0", "z1"))
    expected = CASE.expected()["a0"].hi
    assert f"FAIL {CASE.id}\ncase {CASE.note}\nfirst wrong a0[" in text
    assert "]: 15 of 15 entries outside the bound\ngot " in text
    assert any(f"\nexpected {float(value)!r}\nerror " in text for value in expected.flat)
    assert " x the bound " in text
    assert " ULP, 0.0 digits\nwrong too z1\nhint a0 is 2 times the reference. z0 is right; " in text
    assert "FAIL mine does not conform\n1 case: pass 0 fail 1 error 0 skip 0" in text


def test_a_nan_and_a_bound_of_zero_are_readable() -> None:
    """NaN is "not finite", not "nan ULP"; an error under a bound of zero is inf times it."""

    def run(**question: Any) -> Any:
        answer = dict(right(**question))
        return answer | {"loss": answer["loss"] * np.nan}

    text = report(run)
    assert "first wrong loss: outside the bound\ngot nan\n" in text
    assert "error not finite, where the bound is " in text
    text = report(lambda **q: {"loss": np.float64(-1.7e308)}, [HUGE])
    assert "error beyond the largest float64, where the bound is " in text
    text = report(lambda **q: {"z0": np.full((3, 5), -np.inf)})
    assert "error not finite, where the bound is " in text
    exact = next(case for case in CASES if case.id == "mlp/exact-13-7-4/relu/float64")
    assert " = inf x the bound 0; " in report(doubled("loss"), [exact])


def test_a_tensor_that_cannot_be_compared() -> None:
    """It has a reason and no numbers, in the table too."""

    def run(**question: Any) -> Any:
        return {name: np.asarray(t).tolist() for name, t in right(**question).items()}

    text = report(run)
    assert "first wrong z0: must be a NumPy array of shape (3, 5); got list\nwrong too" in text
    assert "\nz 0/3 z0 - - - - -\n" in text
    assert "hint Return NumPy arrays" in text
    many = report(run, [replace(CASE, id=f"case-{k}") for k in range(8)])
    assert "FAIL case-7 z0 must be a NumPy array of shape (3, 5); got list" in many


def test_a_wrong_checksum_has_a_reason_and_no_numbers() -> None:
    """Nobody knows which entry is wrong; what is stored is right."""
    wide = next(case for case in CASES if case.id == "mlp/exact-37-129-65-8/relu/float64")
    q = wide.record.expected["dW0"]
    unseen = min({*range(37 * 129)} - {*q.index.tolist()})

    def run(**question: Any) -> Any:
        answer = dict(right(**question))
        answer["dW0"].flat[unseen] += 1
        return answer

    text = report(run, [wide])
    wrong = (
        f"dW0: one of the {37 * 129 - len(q.index):,} entries that are not stored: wrong checksum"
    )
    assert f"first wrong {wrong}\nhint All up to dW1 is right; " in text
    assert "\ndW 2/3 dW0 - - - - -\n" in text


def test_many_failures_get_a_line_each_and_their_hints_are_counted() -> None:
    """Six cases at length, one line for each further one, then how often each hint was given."""
    cases = [replace(CASE, id=f"case-{k}") for k in range(9)]
    text = report(doubled("loss"), cases)
    assert text.count("first wrong loss: outside the bound") == 6
    for k in (6, 7, 8):
        assert f"\nFAIL case-{k} loss error/bound " in text
    hint = "The loss is 2 times the reference. The forward pass is right; look at"
    assert f"\n9 x {hint}\ncross_entropy: the loss itself.\n" in text
    assert "9 cases: pass 0 fail 9 error 0 skip 0" in text


def test_errors_are_grouped_by_reason() -> None:
    """The first case, how many more, and the reason once; brackets are no markup."""
    text = report(raises(ValueError("[bold]bad[/bold]")), [CASE, replace(CASE, id="another")])
    assert f"ERROR {CASE.id} and 1 more case\nValueError: [bold]bad[/bold] (test_report" in text
    assert "\nfloat64, 2 cases\nnothing compared\n" in text
    assert "FAIL mine does not conform\n2 cases: pass 0 fail 0 error 2 skip 0" in text
    assert f"ERROR {CASE.id}\n" in report(raises(ValueError()))


def test_skips_are_counted_with_their_reason() -> None:
    """A run that judged nothing has not passed."""
    text = report(raises(NotImplementedError("no tanh")))
    assert f"\nSKIP {len(CASE.tensors)} tensors: not implemented: no tanh\n" in text
    assert "TOO FEW mine was judged on fewer cases than 1\n" in text
    partial = report(lambda **question: {"loss": right(**question)["loss"]})
    assert f"\nSKIP {len(CASE.tensors) - 1} tensors: not returned by the subject\n" in partial
    assert "\nz 0/0 not compared\n" in partial
    assert "PASS mine conforms\n" in partial


@pytest.mark.parametrize("require", [2, 1000])
def test_too_few_cases(require: int) -> None:
    """A run over fewer cases than required says so."""
    text = report(right, require=require)
    assert f"TOO FEW mine was judged on fewer cases than {require}\n" in text


def test_nothing_at_all() -> None:
    """No case is no pass."""
    assert "sha256 0123456789ab\n\nTOO FEW mine" in report(right, [])
    assert "judges mine in no arithmetic\nby corpus 2026.1" in report(right, [])


KNOWN = Expectation(
    "known", "mine", "mine 1.2, CPU", "twice the loss", "It doubles the loss.",
    {CASE.id: {"loss": 100.0}},
)  # fmt: skip


def test_expected_failures_are_printed_as_failures() -> None:
    """With cause, measurement and place, and in the verdict; the run conforms."""
    text = report(doubled("loss"), expectations=(KNOWN,))
    assert "EXPECTED known 1 tensor in 1 case\nIt doubles the loss.\nmeasured twice" in text
    assert f"where mine 1.2, CPU\nFAIL {CASE.id}\n" in text
    assert "PASS mine conforms (1 case and 1 tensor failed as expected)\n" in text
    assert "hint" not in text


def test_an_unexpected_failure_beside_an_expected_one() -> None:
    """The case is shown under both headings, with the tensor that nobody expected first."""
    text = report(doubled("loss", "g"), expectations=(KNOWN,))
    assert "first wrong g[" in text
    assert "FAIL mine does not conform (0 cases and 1 tensor failed as expected)\n" in text


def test_an_expectation_of_what_does_not_exist() -> None:
    """A name that no case has is told, and the run does not count as a pass."""
    text = report(right, expectations=(KNOWN,), unknown={"known": ["no-case loss"]})
    assert "STALE known: no-case loss does not exist" in text
    assert "STALE mine conforms, but an expected failure is none: remove it\n" in text


def test_a_larger_failure_than_expected() -> None:
    """It is printed as any other failure, and told apart from the one that is known."""
    text = report(lambda **q: {"loss": right(**q)["loss"] + 1e3}, expectations=(KNOWN,))
    assert "EXPECTED" not in text
    assert "hint known explains an error of 1.0e+02, not this one. To see" in text
    assert "FAIL mine does not conform\n" in text


def test_a_stale_expectation() -> None:
    """A tensor that passes now is named."""
    text = report(right, expectations=(KNOWN,))
    assert f"STALE known: {CASE.id} loss passes" in text
    assert "STALE mine conforms, but an expected failure is none: remove it\n" in text
