"""What the reports for people share: what they keep of a run, and how they word it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from math import isfinite

from mlp_ref.gate.cases import REJECTION, Case
from mlp_ref.gate.judge import Result, Verdict
from mlp_ref.gate.run import CaseReport, Summary
from mlp_ref.subjects import Session

__all__ = [
    "OF_DIGEST", "Row", "Tally", "clip", "digits", "entry", "error_text", "expected_text",
    "name_of", "outcome", "plural", "visible",
]  # fmt: skip

OF_DIGEST = 12  # digits that tell one corpus from another
_NETWORK, _REFUSALS = "mlp ", "refusals"
_KINDS = ("z", "a", "loss", "g", "dW", "db", "dx")
_UNSEEN = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class Row:
    """The judged tensors of one row of a table, and the worst of them."""

    passed: int = 0
    judged: int = 0
    worst: Result | None = None

    def add(self, result: Result) -> None:
        """Count one tensor."""
        self.passed += result.verdict == Verdict.PASS
        self.judged += 1
        if self.worst is None or _rank(result) > _rank(self.worst):
            self.worst = result


def _rank(result: Result) -> tuple[bool, float]:
    """Failures first, then the largest error/bound; a tensor that was refused has none."""
    measured = result.ratio == result.ratio
    return result.verdict == Verdict.FAIL, result.ratio if measured else -1.0


@dataclass
class Tally:
    """What a report for people keeps of a run.

    ``rows`` arithmetic -> what is judged -> its row: operations, and the tensors of networks
    """

    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    cases: Counter[str] = field(default_factory=Counter)
    failing: list[CaseReport] = field(default_factory=list)
    errors: list[CaseReport] = field(default_factory=list)
    skips: Counter[str] = field(default_factory=Counter)

    def add(self, report: CaseReport) -> None:
        """Add one case."""
        arithmetic = report.case.arithmetic.name
        rows = self.rows.setdefault(arithmetic, {})
        if report.case.operation == "mlp" and not report.case.rejects:
            for kind in _KINDS:
                rows.setdefault(f"{_NETWORK}{kind}", Row())
        self.cases[arithmetic] += 1
        for result in report.results:
            if result.verdict in (Verdict.PASS, Verdict.FAIL):
                rows.setdefault(_row_of(report.case, result.tensor), Row()).add(result)
            elif result.verdict == Verdict.SKIP:
                self.skips[result.reason] += 1
        if report.verdict == Verdict.ERROR:
            self.errors.append(report)
        elif report.failures:
            self.failing.append(report)

    def table(self, arithmetic: str) -> dict[str, Row]:
        """The rows by their titles: tensors alone where nothing but networks was judged."""
        rows = dict(self.rows[arithmetic])
        if _REFUSALS in rows:
            rows[_REFUSALS] = rows.pop(_REFUSALS)  # last
        plain = all(title.startswith(_NETWORK) for title in rows)
        return {title.removeprefix(_NETWORK) if plain else title: rows[title] for title in rows}


def _row_of(case: Case, tensor: str) -> str:
    if tensor == REJECTION:
        return _REFUSALS
    kind = tensor.rstrip("0123456789")
    return f"{_NETWORK}{kind}" if case.operation == "mlp" else case.operation


def outcome(named: str, summary: Summary) -> tuple[str, str]:
    """The verdict in a word, and in a sentence on the subject of that name."""
    word, says = {
        0: ("PASS", "conforms"),
        1: ("FAIL", "does not conform"),
        3: ("TOO FEW", f"was judged on fewer cases than {summary.require}"),
        5: ("STALE", "conforms, but an expected failure is none: remove it"),
    }[summary.status]
    return word, f"{named} {says}"


def expected_text(summary: Summary) -> str:
    """How much failed as expected, or an empty string."""
    if not summary.expected_tensors:
        return ""
    return (
        f"{plural(summary.expected_cases, 'case')} and "
        f"{plural(summary.expected_tensors, 'tensor')} failed as expected"
    )


def name_of(subject: Session) -> str:
    """The subject with the version of its library."""
    version = subject.versions.get(subject.name)
    return f"{subject.name} {version}" if version else subject.name


def entry(result: Result) -> str:
    """The worst entry of a tensor: ``dW2[1, 9]``."""
    return result.tensor + (f"[{', '.join(map(str, result.index))}]" if result.index else "")


def digits(x: float) -> str:
    """Two or three digits with a decimal point, so that nobody takes a measurement for a count."""
    return f"{x:.1f}" if 1 <= x < 1000 else f"{x:#.3g}"


def error_text(result: Result) -> str:
    """Error, bound, ULP and digits of the worst entry."""
    if not isfinite(result.error):
        finite = isfinite(result.got) and isfinite(result.expected)
        size = "beyond the largest float64" if finite else "not finite"
        return f"{size}, where the bound is {result.bound:.3g}"
    return (
        f"{result.error:.3g} = {digits(result.ratio)} x the bound {result.bound:.3g}; "
        f"{digits(result.ulp)} ULP, {result.digits:.1f} digits"
    )


def plural(n: int, noun: str) -> str:
    """The number and the noun: ``1 case``, ``2 cases``."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def visible(text: str) -> str:
    r"""The text with control characters, halves of surrogates and the like written as ``\x00``.

    What remains may stand in XML and be encoded as UTF-8; lines are kept.
    """
    return _UNSEEN.sub(lambda c: ascii(c[0])[1:-1], text)


def clip(text: str, most: int) -> str:
    """At most that many characters of a visible text; what is left out is counted."""
    if len(text) <= most:
        return visible(text)
    return f"{visible(text[:most])}... ({len(text) - most:,} more characters)"
