"""The report that a person reads: a table by kind of tensor, every failing case, the verdict.

Nothing is printed here: `render` returns what a rich console prints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mlp_ref import __version__
from mlp_ref.corpus import Corpus
from mlp_ref.gate.judge import Result, Verdict
from mlp_ref.gate.run import CaseReport, Summary
from mlp_ref.gate.tally import (
    OF_DIGEST,
    Row,
    Tally,
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

_IN_DETAIL = 6  # failing cases printed at length; every other one gets a line


def render(
    subject: Session, corpus: Corpus, tally: Tally, summary: Summary, part: str = ""
) -> Group:
    """Tables, failures, errors, skips and the verdict, to be printed at 80 columns or more.

    ``part`` says which part of the cases was asked, if not all were.
    """
    named = f"by corpus {corpus.version}, sha256 {corpus.sha256[:OF_DIGEST]}"
    parts: list[RenderableType] = [_title(subject, tally), Text(named)]
    behind = [f"{k} {v}" for k, v in subject.versions.items() if k != subject.name]
    parts += [Text(", ".join(behind))] if behind else []
    parts += [Text(part)] if part else []
    for arithmetic in tally.rows:
        parts += [Text(), Text(f"{arithmetic}, {plural(tally.cases[arithmetic], 'case')}", "bold")]
        rows = tally.table(arithmetic)
        compared = any(row.judged for row in rows.values())
        parts.append(_table(rows) if compared else Text("nothing compared"))
    parts += _expected(tally, summary)
    parts += _unexpected(tally, explained=bool(summary.diagnoses))
    parts += _errors(tally)
    parts += _diagnoses(summary)
    parts += [Text() for _ in tally.skips][:1]
    parts += [Text(f"SKIP {plural(n, 'tensor')}: {why}") for why, n in tally.skips.items()]
    return Group(*parts, Text(), _verdict(subject, summary))


def _title(subject: Session, tally: Tally) -> Text:
    return Text.assemble(
        (f"mlp-ref {__version__}", "bold"), " judges ", (name_of(subject), "bold"),
        " in ", " and ".join(tally.rows) or "no arithmetic",
    )  # fmt: skip


def _table(rows: dict[str, Row]) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    table.add_column("tensor")
    for name in ("passed", "worst entry", "error", "bound", "error/bound", "ULP", "digits"):
        table.add_column(name, justify="left" if name == "worst entry" else "right", no_wrap=True)
    for kind, row in rows.items():
        style = "red" if row.passed < row.judged else ""
        cells = ("not compared", *[""] * 5) if row.worst is None else _numbers(row.worst)
        table.add_row(kind, f"{row.passed}/{row.judged}", *cells, style=style)
    return table


def _numbers(worst: Result) -> tuple[str, ...]:
    if worst.ratio != worst.ratio:
        return (worst.tensor, *["-"] * 5)
    return (
        entry(worst), _short(worst.error), _short(worst.bound), digits(worst.ratio),
        digits(worst.ulp), f"{worst.digits:.1f}",
    )  # fmt: skip


def _short(x: float) -> str:
    """Seven characters at most, so that the table fits into 80 columns."""
    text = f"{x:.1e}"
    return text if len(text) <= 7 else f"{x:.0e}"


def _expected(tally: Tally, summary: Summary) -> Iterator[RenderableType]:
    for known in summary.expectations:
        found = [r for r in tally.failing if known.id in _ids(r)]
        if found:
            n = sum(known.id == r.expectations.get(f.tensor) for r in found for f in r.failures)
            yield Text()
            yield Text.assemble(
                ("EXPECTED ", "bold yellow"), (known.id, "bold"),
                f"  {plural(n, 'tensor')} in {plural(len(found), 'case')}",
            )  # fmt: skip
            yield _block(Text(known.why), Text.assemble(("measured  ", "dim"), known.evidence),
                         Text.assemble(("where     ", "dim"), known.versions))  # fmt: skip
            for report in found:
                yield from _detail(report, "yellow")
        for what in summary.stale.get(known.id, ()):
            yield Text.assemble(("STALE ", "bold red"), f"{known.id}: {what} passes now")
        for what in summary.unknown.get(known.id, ()):
            yield Text.assemble(("STALE ", "bold red"), f"{known.id}: {what} does not exist")


def _diagnoses(summary: Summary) -> Iterator[RenderableType]:
    for diagnosis in summary.diagnoses:
        name, _, rest = diagnosis.sentence.partition(": ")
        known = diagnosis.faults and name == diagnosis.faults[0]
        title = (name, rest) if known else ("", diagnosis.sentence)
        yield Text()
        yield Text.assemble(
            ("DIAGNOSIS ", "bold magenta"), (title[0], "bold"), ": " * bool(title[0]), title[1]
        )
        lines = _pairs()
        lines.add_row("evidence", Text(diagnosis.evidence))
        lines.add_row("fix", Text(diagnosis.fix, "bold"))
        yield Padding(lines, (0, 0, 0, 2))


def _ids(report: CaseReport) -> set[str]:
    return {report.expectations.get(r.tensor, "") for r in report.failures}


def _unexpected(tally: Tally, *, explained: bool) -> Iterator[RenderableType]:
    wrong = [report for report in tally.failing if report.unexpected]
    for report in wrong[:_IN_DETAIL]:
        yield Text()
        yield from _detail(report, "red")
    if wrong[_IN_DETAIL:]:
        yield Text()
    for report in wrong[_IN_DETAIL:]:
        first = report.unexpected[0]
        what = first.reason if first.ratio != first.ratio else f"error/bound {first.ratio:.2g}"
        yield Text.assemble(("FAIL ", "red"), f"{report.case.id}  {entry(first)} {what}")
    hints = Counter(report.hint for report in wrong if report.hint)
    if len(wrong) > 1 and not explained:
        yield Text()
        lines = _pairs()
        for hint, count in hints.most_common():
            lines.add_row(f"{count:5} x", Text(hint))
        yield lines


def _detail(report: CaseReport, style: str) -> Iterator[RenderableType]:
    """The first failing tensor in full, because it shows the origin; the others by name."""
    failures = report.unexpected or report.failures
    first = failures[0]
    yield Text.assemble(("FAIL ", f"bold {style}"), (report.case.id, "bold"))
    lines = _pairs()
    lines.add_row("case", report.case.note)
    lines.add_row("first wrong", Text(f"{entry(first)}: {first.reason}"))
    if first.ratio == first.ratio:
        lines.add_row("got", Text(repr(first.got), style))
        lines.add_row("expected", repr(first.expected))
        lines.add_row("error", Text(error_text(first)))
    if failures[1:]:
        lines.add_row("wrong too", " ".join(f.tensor for f in failures[1:]))
    if report.hint:
        lines.add_row("hint", Text(report.hint, "bold"))
    yield Padding(lines, (0, 0, 0, 2))


def _pairs() -> Table:
    lines = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    lines.add_column(style="dim")
    lines.add_column(overflow="fold")
    return lines


def _errors(tally: Tally) -> Iterator[RenderableType]:
    reasons = Counter(report.results[0].reason for report in tally.errors)
    first = {report.results[0].reason: report.case.id for report in reversed(tally.errors)}
    for reason, count in reasons.most_common():
        yield Text()
        more = f" and {plural(count - 1, 'more case')}" if count > 1 else ""
        yield Text.assemble(("ERROR ", "bold red"), (first[reason], "bold"), more)
        yield _block(Text(reason))


def _block(*lines: Text) -> Padding:
    return Padding(Group(*lines), (0, 0, 0, 2))


def _verdict(subject: Session, summary: Summary) -> Group:
    word, says = outcome(name_of(subject), summary)
    total, tensors = sum(summary.cases.values()), sum(summary.tensors.values())
    counted = "   ".join(f"{verdict} {summary.cases[verdict]:,}" for verdict in Verdict)
    judged = "   ".join(f"{verdict} {summary.tensors[verdict]:,}" for verdict in Verdict)
    expected = expected_text(summary)
    return Group(
        Text.assemble(
            (f"{word}  {says}", "bold red" if summary.status else "bold green"),
            f" ({expected})" if expected else "",
        ),
        Text(f"  {plural(total, 'case')}:   {counted}"),
        Text(f"  {plural(tensors, 'tensor')}: {judged}"),
        Text(
            f"  {summary.entries:,} entries; {summary.inconclusive:,} inconclusive: "
            "their bound is as large as they are"
        ),
    )
