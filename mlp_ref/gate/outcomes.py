"""What a test framework learns of a case: the outcome of a test, what it says, and its numbers."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import fill
from typing import NamedTuple

from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.judge import Result, Verdict
from mlp_ref.gate.run import CaseReport
from mlp_ref.gate.tally import entry, error_text

__all__ = ["Outcome", "failure_text", "outcome_of", "properties_of"]

_WIDTH, _LABEL = 100, 11


class Outcome(NamedTuple):
    """``kind`` is pass, fail, skip or xfail; ``why`` an xfail was expected to fail."""

    kind: str
    text: str = ""
    why: str = ""


def outcome_of(report: CaseReport, expectations: Iterable[Expectation] = ()) -> Outcome:
    """An error fails; so does a tensor that passes where an expectation names it."""
    case = report.case
    if report.verdict == Verdict.SKIP:
        return Outcome("skip", report.results[0].reason)
    if report.verdict == Verdict.ERROR:
        return Outcome("fail", _paragraph({"error": report.results[0].reason, "case": case.note}))
    stale = [
        f"STALE {known}: {case.id} {tensor} passes now"
        for tensor, known in report.expectations.items()
        if any(r.tensor == tensor and r.verdict == Verdict.PASS for r in report.results)
    ]
    if not report.failures:
        return Outcome("fail", "\n".join(stale)) if stale else Outcome("pass")
    first, *others = report.unexpected or report.failures
    text = failure_text(first, case.note, [result.tensor for result in others], report.hint)
    if report.unexpected or stale:
        return Outcome("fail", "\n".join([text, *stale] if report.unexpected else stale))
    named = {report.expectations[result.tensor] for result in report.failures}
    why = [f"{known.id}: {known.why}" for known in expectations if known.id in named]
    return Outcome("xfail", text, " ".join(why))


def properties_of(report: CaseReport) -> list[tuple[str, object]]:
    """The case, and the numbers of its worst entry if any tensor was compared."""
    case, verdict = report.case, str(report.verdict)
    found: list[tuple[str, object]] = [
        ("case", case.id), ("arithmetic", case.arithmetic.name), ("verdict", verdict)
    ]  # fmt: skip
    compared = [result for result in report.results if result.ratio == result.ratio]
    if compared:
        worst = max(compared, key=lambda result: (result.verdict == Verdict.FAIL, result.ratio))
        found += [
            ("tensor", entry(worst)), ("error", worst.error), ("bound", worst.bound),
            ("error/bound", worst.ratio),
        ]  # fmt: skip
    return found


def failure_text(first: Result, note: str, others: Iterable[str] = (), hint: str = "") -> str:
    """The first wrong tensor of a case, the names of the others that are wrong, and the hint."""
    numbers = {}
    if first.ratio == first.ratio:  # it could be compared
        numbers = {
            "got": repr(first.got), "expected": repr(first.expected), "error": error_text(first)
        }  # fmt: skip
    rest = {"wrong too": " ".join(others), "hint": hint, "case": note}
    return f"{entry(first)}: {first.reason}\n" + _paragraph(numbers | rest)


def _paragraph(pairs: dict[str, str]) -> str:
    """A label and its text on each line, wrapped; what is empty is left out."""
    return "\n".join(
        fill(
            text, _WIDTH, initial_indent=f"{label:{_LABEL}}", subsequent_indent=" " * _LABEL,
            break_long_words=False, break_on_hyphens=False,
        )
        for label, text in pairs.items()
        if text
    )  # fmt: skip
