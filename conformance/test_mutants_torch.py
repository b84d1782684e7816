"""The mutants that need PyTorch: wrong where they say, and right without their mistake."""

from __future__ import annotations

import pytest
from mutants import MUTANTS

from mlp_ref.gate.cases import build_cases
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.run import run_cases

TORCH = [name for name, mutant in MUTANTS.items() if mutant.torch]
STYLES = ["torch/softmax-before", "torch-function/pixels"]
CASES = [case for case in build_cases(operations=["mlp"]) if not case.rejects]


def test_both_styles_are_there() -> None:
    """Autograd and hand-written backward passes."""
    assert {name.partition("/")[0] for name in TORCH} == {s.partition("/")[0] for s in STYLES}


@pytest.mark.parametrize("name", STYLES)
def test_without_its_mistake_it_is_right(name: str) -> None:
    """Both styles pass all cases that they answer, twenty and more, in both arithmetics."""
    reports = list(run_cases(MUTANTS[name].subject(broken=False), CASES))
    assert {report.verdict for report in reports} == {Verdict.PASS, Verdict.SKIP}
    judged = [r.case.arithmetic.name for r in reports if r.verdict == Verdict.PASS]
    assert min(judged.count(arithmetic) for arithmetic in ("float32", "float64")) >= 20


@pytest.mark.parametrize("name", TORCH)
def test_with_its_mistake_it_is_wrong(name: str) -> None:
    """A case fails, by its numbers: nothing is raised, and no shape or dtype is wrong."""
    judged = run_cases(MUTANTS[name].subject(), CASES)
    report = next(r for r in judged if r.verdict not in (Verdict.PASS, Verdict.SKIP))
    assert report.verdict == Verdict.FAIL
    assert not report.failures[0].reason.startswith("must")
