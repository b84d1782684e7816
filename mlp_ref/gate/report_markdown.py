"""Markdown, for the summary of a CI job or a note to a merge request: at most 60 KB.

GitHub and GitLab render it. Text from outside, such as reasons, stands in ``<code>`` with every
character of Markdown and HTML written as an entity, so that it can neither break a table nor link
to a person or an issue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from math import isnan

from mlp_ref import __version__
from mlp_ref.corpus import Corpus
from mlp_ref.gate.judge import Result, Verdict
from mlp_ref.gate.run import CaseReport, Summary
from mlp_ref.gate.tally import (
    OF_DIGEST,
    Row,
    Tally,
    clip,
    digits,
    entry,
    error_text,
    expected_text,
    name_of,
    outcome,
    plural,
)
from mlp_ref.subjects import Session

__all__ = ["render"]

_IN_DETAIL = 6  # failing cases at length; every other one gets a line
_NAME, _REASON, _HINT = 100, 300, 600  # characters of text from outside
_BYTES = {
    "diagnosis": 6_000,
    "failing": 20_000,
    "errors": 8_000,
    "expected": 10_000,
    "stale": 3_000,
    "skips": 5_000,
}
_MARKUP = {ord(c): f"&#{ord(c)};" for c in "\\`*_~[]|@#$!"}


def render(subject: Session, corpus: Corpus, tally: Tally, summary: Summary, part: str = "") -> str:
    """Verdict, counts, a table per arithmetic, failures, errors, expected failures and skips.

    ``part`` says which part of the cases was asked, if not all were.
    """
    word, sentence = outcome(name_of(subject), summary)
    says = sentence.removeprefix(name_of(subject))
    expected = expected_text(summary)
    blocks = [
        f"## {word}: {_code(name_of(subject), _NAME)}{says}" + (f" ({expected})" * bool(expected)),
        f"mlp-ref {__version__}, corpus {_code(corpus.version, _NAME)}, "
        f"sha256 <code>{corpus.sha256[:OF_DIGEST]}</code>" + (f"; {part}" if part else ""),
        _counts(summary),
        _inconclusive(summary),
    ]
    blocks += _section("Diagnosis", _diagnoses(summary), "diagnosis", "diagnoses")
    for arithmetic in tally.rows:
        blocks.append(f"### {arithmetic}, {plural(tally.cases[arithmetic], 'case')}")
        blocks.append(_table(tally.table(arithmetic)))
    wrong = [report for report in tally.failing if report.unexpected]
    failing = _failing(wrong, summary)
    blocks += _section(
        f"Failing: {plural(len(wrong), 'case')}", failing, "failing", "failing cases"
    )
    blocks += _section(
        f"Errors: {plural(len(tally.errors), 'case')}", _errors(tally), "errors", "reasons"
    )
    blocks += _section("Expected failures", _expected(tally, summary), "expected", "cases")
    blocks += _section("Stale expectations", _stale(summary), "stale", "expectations")
    blocks += _section("Skipped", _skips(tally), "skips", "reasons")
    return "\n\n".join(blocks) + "\n"


def _code(text: str, most: int) -> str:
    """Text from outside, on one line."""
    return f"<code>{_plain(clip(' '.join(text.split()), most))}</code>"


def _plain(text: str) -> str:
    """Text that is no markup, and no address to link to."""
    return escape(text, quote=False).translate(_MARKUP).replace("://", "&#58;//")


def _counts(summary: Summary) -> str:
    lines = ["| | pass | fail | error | skip | all |", "|---|---:|---:|---:|---:|---:|"]
    for name, found in (("cases", summary.cases), ("tensors", summary.tensors)):
        cells = (*(found[verdict] for verdict in Verdict), sum(found.values()))
        lines.append(f"| {name} | {' | '.join(f'{n:,}' for n in cells)} |")
    return "\n".join(lines)


def _inconclusive(summary: Summary) -> str:
    return (
        f"{summary.entries:,} entries; {summary.inconclusive:,} inconclusive: "
        "their bound is as large as they are."
    )


def _table(rows: dict[str, Row]) -> str:
    if not any(row.judged for row in rows.values()):
        return "Nothing compared."
    lines = [
        "| tensor | passed | worst entry | error/bound | digits |",
        "|---|---:|---|---:|---:|",
    ]
    for kind, row in rows.items():
        count = f"{row.passed:,}/{row.judged:,}"
        passed = count if row.passed == row.judged else f"**{count}**"
        lines.append(f"| {kind} | {passed} | {' | '.join(_worst(row.worst))} |")
    return "\n".join(lines)


def _worst(worst: Result | None) -> tuple[str, str, str]:
    if worst is None:
        return "not compared", "", ""
    if isnan(worst.ratio):
        return worst.tensor, "-", "-"
    return _plain(entry(worst)), digits(worst.ratio), f"{worst.digits:.1f}"


def _section(title: str, items: Iterable[str], name: str, noun: str) -> Iterator[str]:
    """The title and as many items as there is room for; the rest is counted. None without items."""
    kept: list[str] = []
    left, dropped = _BYTES[name], 0
    for item in items:
        left -= len(item.encode()) + 2
        if left >= 0:
            kept.append(item)
        else:
            dropped, left = dropped + 1, 0
    if not kept and not dropped:
        return
    yield f"### {title}"
    yield from kept
    if dropped:
        yield f"... and {dropped:,} more {noun}: see the JSON lines."


def _diagnoses(summary: Summary) -> Iterator[str]:
    for diagnosis in summary.diagnoses:
        sentence, evidence, fix = (
            _plain(clip(text, _HINT))
            for text in (diagnosis.sentence, diagnosis.evidence, diagnosis.fix)
        )
        yield f"**{sentence}**\n\n- {evidence}\n- **Fix:** {fix}"


def _failing(wrong: Sequence[CaseReport], summary: Summary) -> Iterator[str]:
    hints = Counter(report.hint for report in wrong if report.hint)
    if len(wrong) > 1 and not summary.diagnoses:
        for hint, n in hints.most_common(_IN_DETAIL):
            yield f"{n:,} times: {_plain(clip(hint, _HINT))}"
    for report in wrong[:_IN_DETAIL]:
        yield _detail(report)
    for report in wrong[_IN_DETAIL:]:
        yield f"- {_line(report, report.unexpected[0])}"


def _detail(report: CaseReport) -> str:
    """The first tensor that fails unexpectedly at length, because it shows the origin."""
    first, *others = report.unexpected
    lines = [
        f"**{_code(report.case.id, _NAME)}**: {_plain(clip(report.case.note, _REASON))}",
        "",
        f"- first wrong: {_plain(entry(first))}, {_plain(first.reason)}",
    ]
    if not isnan(first.ratio):
        lines += [
            f"- got <code>{first.got!r}</code>, expected <code>{first.expected!r}</code>",
            f"- error {_plain(error_text(first))}",
        ]
    if others:
        lines.append(f"- wrong too: {' '.join(result.tensor for result in others)}")
    if report.hint:
        lines.append(f"- **{_plain(clip(report.hint, _HINT))}**")
    return "\n".join(lines)


def _line(report: CaseReport, first: Result) -> str:
    what = first.reason if isnan(first.ratio) else f"error/bound {digits(first.ratio)}"
    return f"{_code(report.case.id, _NAME)} {_plain(entry(first))}: {_plain(what)}"


def _errors(tally: Tally) -> Iterator[str]:
    reasons = Counter(report.results[0].reason for report in tally.errors)
    first = {report.results[0].reason: report.case.id for report in reversed(tally.errors)}
    for reason, n in reasons.most_common():
        more = f" and {plural(n - 1, 'more case')}" if n > 1 else ""
        yield f"- {_code(first[reason], _NAME)}{more}: {_code(reason, _REASON)}"


def _expected(tally: Tally, summary: Summary) -> Iterator[str]:
    """What is known of each expectation, then each case in which it holds."""
    for known in summary.expectations:
        found = [
            (report, result)
            for report in tally.failing
            for result in report.failures
            if report.expectations.get(result.tensor) == known.id
        ]
        if not found:
            continue
        cases = {report.case.id: (report, result) for report, result in reversed(found)}
        yield (
            f"**{_plain(known.id)}**: {plural(len(found), 'tensor')} in "
            f"{plural(len(cases), 'case')}. {_plain(known.why)} Measured: "
            f"{_plain(known.evidence)} Where: {_plain(known.versions)}."
        )
        for report, result in reversed(cases.values()):
            yield f"- {_line(report, result)}"


def _stale(summary: Summary) -> Iterator[str]:
    for what, names in (("passes now", summary.stale), ("does not exist", summary.unknown)):
        for known, found in names.items():
            for name in found:
                yield f"- **{_plain(known)}**: {_code(name, _NAME)} {what}"


def _skips(tally: Tally) -> Iterator[str]:
    for reason, n in tally.skips.most_common():
        yield f"- {plural(n, 'tensor')}: {_code(reason, _REASON)}"
