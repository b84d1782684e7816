"""The report that a person reads: a table by kind of tensor, every failing case, the verdict.

Nothing is printed here: `render` returns what a rich console prints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mlp_ref import __version__
from mlp_ref.corpus import Corpus
from mlp_ref.gate.judge import Result, Verdict
from mlp_ref.gate.run import CaseReport, Summary
from mlp_ref.subjects import Subject

__all__ = ["Tally", "render"]

_KINDS = ("z", "a", "loss", "g", "dW", "db", "dx")
_IN_DETAIL = 6  # failing cases printed at length; every other one gets a line
_OF_DIGEST = 12  # digits that tell one corpus from another


@dataclass
class _Row:
    passed: int = 0
    judged: int = 0
    worst: Result | None = None

    def add(self, result: Result) -> None:
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
    """What the terminal report keeps of a run."""

    rows: dict[str, dict[str, _Row]] = field(default_factory=dict)
    cases: Counter[str] = field(default_factory=Counter)
    failing: list[CaseReport] = field(default_factory=list)
    errors: list[CaseReport] = field(default_factory=list)
    skips: Counter[str] = field(default_factory=Counter)

    def add(self, report: CaseReport) -> None:
        """Add one case."""
        arithmetic = report.case.arithmetic.name
        rows = self.rows.setdefault(arithmetic, {kind: _Row() for kind in _KINDS})
        self.cases[arithmetic] += 1
        for result in report.results:
            if result.verdict in (Verdict.PASS, Verdict.FAIL):
                rows[result.tensor.rstrip("0123456789")].add(result)
            elif result.verdict == Verdict.SKIP:
                self.skips[result.reason] += 1
        if report.verdict == Verdict.ERROR:
            self.errors.append(report)
        elif report.failures:
            self.failing.append(report)


def render(subject: Subject, corpus: Corpus, tally: Tally, summary: Summary) -> Group:
    """Tables, failures, errors, skips and the verdict, to be printed at 80 columns or more."""
    named = f"by corpus {corpus.version}, sha256 {corpus.sha256[:_OF_DIGEST]}"
    parts: list[RenderableType] = [_title(subject, tally), Text(named)]
    for arithmetic, rows in tally.rows.items():
        parts += [Text(), Text(f"{arithmetic}, {_count(tally.cases[arithmetic], 'case')}", "bold")]
        compared = any(row.judged for row in rows.values())
        parts.append(_table(rows) if compared else Text("nothing compared"))
    parts += _expected(tally, summary)
    parts += _unexpected(tally)
    parts += _errors(tally)
    parts += [Text() for _ in tally.skips][:1]
    parts += [Text(f"SKIP {_count(n, 'tensor')}: {why}") for why, n in tally.skips.items()]
    return Group(*parts, Text(), _verdict(subject, summary))


def _title(subject: Subject, tally: Tally) -> Text:
    return Text.assemble(
        (f"mlp-ref {__version__}", "bold"), " judges ", (_named(subject), "bold"),
        " in ", " and ".join(tally.rows) or "no arithmetic",
    )  # fmt: skip


def _named(subject: Subject) -> str:
    version = subject.versions.get(subject.name)
    return f"{subject.name} {version}" if version else subject.name


def _table(rows: dict[str, _Row]) -> Table:
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
        _entry(worst), f"{worst.error:.1e}", f"{worst.bound:.1e}", _digits(worst.ratio),
        _digits(worst.ulp), f"{worst.digits:.1f}",
    )  # fmt: skip


def _digits(x: float) -> str:
    """Two or three digits with a decimal point, so that nobody takes a measurement for a count."""
    return f"{x:.1f}" if 1 <= x < 1000 else f"{x:#.3g}"


def _entry(result: Result) -> str:
    return result.tensor + (f"[{', '.join(map(str, result.index))}]" if result.index else "")


def _expected(tally: Tally, summary: Summary) -> Iterator[RenderableType]:
    for known in summary.expectations:
        found = [r for r in tally.failing if known.id in _ids(r)]
        if found:
            n = sum(known.id == r.expectations.get(f.tensor) for r in found for f in r.failures)
            yield Text()
            yield Text.assemble(
                ("EXPECTED ", "bold yellow"), (known.id, "bold"),
                f"  {_count(n, 'tensor')} in {_count(len(found), 'case')}",
            )  # fmt: skip
            yield _block(Text(known.why), Text.assemble(("measured  ", "dim"), known.evidence),
                         Text.assemble(("where     ", "dim"), known.versions))  # fmt: skip
            for report in found:
                yield from _detail(report, "yellow")
        for entry in summary.stale.get(known.id, ()):
            yield Text.assemble(("STALE ", "bold red"), f"{known.id}: {entry} passes now")
        for entry in summary.unknown.get(known.id, ()):
            yield Text.assemble(("STALE ", "bold red"), f"{known.id}: {entry} does not exist")


def _ids(report: CaseReport) -> set[str]:
    return {report.expectations.get(r.tensor, "") for r in report.failures}


def _unexpected(tally: Tally) -> Iterator[RenderableType]:
    wrong = [report for report in tally.failing if report.unexpected]
    for report in wrong[:_IN_DETAIL]:
        yield Text()
        yield from _detail(report, "red")
    if wrong[_IN_DETAIL:]:
        yield Text()
    for report in wrong[_IN_DETAIL:]:
        first = report.unexpected[0]
        what = first.reason if first.ratio != first.ratio else f"error/bound {first.ratio:.2g}"
        yield Text.assemble(("FAIL ", "red"), f"{report.case.id}  {_entry(first)} {what}")
    hints = Counter(report.hint for report in wrong if report.hint)
    if len(wrong) > 1:
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
    lines.add_row("first wrong", Text(f"{_entry(first)}: {first.reason}"))
    if first.ratio == first.ratio:
        lines.add_row("got", Text(repr(first.got), style))
        lines.add_row("expected", repr(first.expected))
        lines.add_row("error", Text(_error(first)))
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


def _error(result: Result) -> str:
    if not isfinite(result.error):
        finite = isfinite(result.got) and isfinite(result.expected)
        size = "beyond the largest float64" if finite else "not finite"
        return f"{size}, where the bound is {result.bound:.3g}"
    return (
        f"{result.error:.3g} = {_digits(result.ratio)} x the bound {result.bound:.3g}; "
        f"{_digits(result.ulp)} ULP, {result.digits:.1f} digits"
    )


def _errors(tally: Tally) -> Iterator[RenderableType]:
    reasons = Counter(report.results[0].reason for report in tally.errors)
    first = {report.results[0].reason: report.case.id for report in reversed(tally.errors)}
    for reason, count in reasons.most_common():
        yield Text()
        more = f" and {_count(count - 1, 'more case')}" if count > 1 else ""
        yield Text.assemble(("ERROR ", "bold red"), (first[reason], "bold"), more)
        yield _block(Text(reason))


def _block(*lines: Text) -> Padding:
    return Padding(Group(*lines), (0, 0, 0, 2))


def _verdict(subject: Subject, summary: Summary) -> Group:
    word, style, says = {
        0: ("PASS", "bold green", "conforms"),
        1: ("FAIL", "bold red", "does not conform"),
        3: ("TOO FEW", "bold red", f"was judged on fewer cases than {summary.require}"),
        5: ("STALE", "bold red", "conforms, but an expected failure is none: remove it"),
    }[summary.status]
    total, tensors = sum(summary.cases.values()), sum(summary.tensors.values())
    counted = "   ".join(f"{verdict} {summary.cases[verdict]:,}" for verdict in Verdict)
    judged = "   ".join(f"{verdict} {summary.tensors[verdict]:,}" for verdict in Verdict)
    expected = (
        f" ({_count(summary.expected_cases, 'case')} and "
        f"{_count(summary.expected_tensors, 'tensor')} failed as expected)"
        if summary.expected_tensors
        else ""
    )
    return Group(
        Text.assemble((f"{word}  {_named(subject)} {says}", style), expected),
        Text(f"  {_count(total, 'case')}:   {counted}"),
        Text(f"  {_count(tensors, 'tensor')}: {judged}"),
        Text(
            f"  {summary.entries:,} entries; {summary.inconclusive:,} inconclusive: "
            "their bound is as large as they are"
        ),
    )


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")
