"""A run of the gate with its ledger, as `mlp-ref verify` does it, for subjects of any library."""

from __future__ import annotations

from collections.abc import Iterable

from mlp_ref.gate.cases import Case
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.ledger import expectations_of
from mlp_ref.gate.run import CaseReport, Summary, run_cases
from mlp_ref.subjects import Session


def reports_of(session: Session, cases: Iterable[Case]) -> list[CaseReport]:
    """The verdict on every case that the subject implements."""
    asked = [
        case for case in cases
        if case.operation in session.operations and case.arithmetic.name in session.arithmetics
    ]  # fmt: skip
    return list(run_cases(session, asked, expectations_of(session.name)))


def require_verified(reports: list[CaseReport]) -> Summary:
    """Nothing fails but what the ledger says, nothing that it says passes, no case is an error."""
    wrong = [
        f"{report.case.id} {result.tensor}: {result.verdict} {result.reason} {report.hint}"
        for report in reports
        for result in report.results
        if result.verdict in {Verdict.FAIL, Verdict.ERROR}
        and result.tensor not in report.expectations
    ]
    assert not wrong, "\n".join(wrong)
    summary = Summary()
    for report in reports:
        summary.add(report)
    assert not summary.stale
    assert summary.status == 0
    return summary


def failing(reports: list[CaseReport]) -> dict[str, set[str]]:
    """Case id -> the tensors that fail."""
    return {r.case.id: {f.tensor for f in r.failures} for r in reports if r.failures}
