"""PyTorch through the gate: every certified case, and exactly the failures that are expected."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from networks import NETWORKS
from peers import DTYPES, network_case, run_modules

from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.ledger import expectations_of
from mlp_ref.gate.run import Summary, run_case, run_cases
from mlp_ref.subjects import load, network_subject

CASES = NETWORKS
SUBJECTS_UNDER_TEST = {
    "functional": lambda: load("torch"),
    "modules": lambda: network_subject("torch", run_modules, DTYPES, {}),
}


@pytest.mark.parametrize("form", SUBJECTS_UNDER_TEST)
def test_all_cases_pass_but_for_the_named_tensors(form: str) -> None:
    """Status 0, no case skipped, nothing stale: each expected tensor fails, and no other."""
    expected = expectations_of("torch")
    named = {
        case: set(tensors)
        for known in expected
        for case, tensors in known.failing.items()
        if case in {case.id for case in CASES}
    }
    summary, failed = Summary(require=len(CASES), expectations=expected), {}
    for report in run_cases(SUBJECTS_UNDER_TEST[form](), CASES, expected):
        summary.add(report)
        if report.failures:
            failed[report.case.id] = {result.tensor for result in report.failures}
    assert failed == named
    assert not summary.stale
    assert summary.status == 0
    assert summary.cases == {
        Verdict.PASS: len(CASES) - len(named), Verdict.FAIL: len(named),
        Verdict.ERROR: 0, Verdict.SKIP: 0,
    }  # fmt: skip
    assert summary.tensors[Verdict.PASS] == sum(len(case.tensors) for case in CASES) - sum(
        map(len, named.values())
    )


@pytest.mark.parametrize("last", ["softmax", "log_softmax"])
@pytest.mark.parametrize("form", SUBJECTS_UNDER_TEST)
def test_the_last_activation_may_be_softmax(form: str, last: str) -> None:
    """As mlp-ref certify writes it."""
    for dtype in DTYPES:
        A = ARITHMETICS[dtype]
        case = network_case(last, ("tanh", last), (4, 5, 3), "squared_error", A, soft=True)
        assert run_case(SUBJECTS_UNDER_TEST[form](), case).verdict == Verdict.PASS


def test_a_processor_left_flushing_subnormal_numbers_judges_nothing() -> None:
    """torch.set_flush_denormal stays when the call ends: an error that says so, not a verdict."""
    if not torch.set_flush_denormal(True):
        pytest.fail("this processor cannot flush subnormal numbers: run the suite on x86-64 or ARM")
    torch.set_flush_denormal(False)

    def flushing(**question: Any) -> Any:
        torch.set_flush_denormal(True)
        return run_modules(**question)

    try:
        report = run_case(network_subject("torch", flushing, DTYPES, {}), CASES[0])
    finally:
        torch.set_flush_denormal(False)
    assert report.verdict == Verdict.ERROR
    assert "the subject left subnormal numbers flushed to zero" in report.results[0].reason
    assert (
        run_case(network_subject("torch", run_modules, DTYPES, {}), CASES[0]).verdict
        == Verdict.PASS
    )
