"""What a person reads of a comparison: a summary, every tensor that is worse, then what is better.

Plain text, 80 columns wide where the id of a case and the reason of a subject leave room for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan
from textwrap import wrap

from mlp_ref.gate.compare import WORSE, Change, Comparison, Difference
from mlp_ref.gate.results import Line, Report
from mlp_ref.gate.tally import digits, entry, plural, visible

__all__ = ["render_comparison"]

_WIDTH = 80
_MEASURED = (Change.FAIL, Change.UNEXPECTED, Change.MORE, Change.GROWN)
_BETTER = (Change.PASS, Change.FEWER, Change.SMALLER, Change.ENDED)
_ROW = "  {:14}  {:20}  {:20}  {:12}"


def render_comparison(base: Report, head: Report, comparison: Comparison) -> Iterator[str]:
    """The lines to print."""
    for word, report in (("base", base), ("head", head)):
        header = report.header
        yield from _wrapped(
            f"{word}  {report.path}: {header.named}, corpus {header.corpus}, "
            f"{plural(len(report.results), 'tensor')} in {plural(header.cases, 'case')}",
            6,
        )
    yield ""
    yield from _summary(comparison)
    for change in Change:
        found = [d for d in comparison.differences if d.change == change]
        if not found or change == Change.MOVED:
            continue
        yield ""
        yield f"{_mark(change)}  {change}: {_amount(found)}"
        if change in _MEASURED:
            yield _ROW.format("entry", "error/bound", "ULP", "digits").rstrip()
        for case, differences in _by_case(found).items():
            yield visible(case)
            if change in _MEASURED:
                for difference in differences:
                    yield from _measured(difference)
            elif change in _BETTER:
                yield from (_better(difference) for difference in differences)
            else:
                yield from _named(differences)


def _summary(comparison: Comparison) -> Iterator[str]:
    tensors, cases = plural(comparison.tensors, "tensor"), plural(comparison.cases, "case")
    worse, counts = comparison.worse, {c: comparison.count(c) for c in Change}
    if not comparison.differences:
        yield f"PASS  nothing changed: {tensors} in {cases}"
        return
    if worse:
        parts = ", ".join(f"{c} {counts[c]:,}" for c in Change if c in WORSE and counts[c])
        where = f"in {len({d.case for d in worse}):,} of {cases}"
        yield from _wrapped(f"WORSE  {len(worse):,} of {tensors}, {where}: {parts}", 7)
    else:
        yield f"PASS  nothing is worse: {tensors} in {cases}"
    better = sum(counts[c] for c in _BETTER)
    same = comparison.tensors - len(comparison.differences)
    yield (
        f"  better {better:,}   new {counts[Change.NEW]:,}   "
        f"within the factor {counts[Change.MOVED]:,}   unchanged {same:,}"
    )


def _mark(change: Change) -> str:
    return "WORSE" if change in WORSE else "better" if change in _BETTER else "also"


def _amount(found: Sequence[Difference]) -> str:
    return f"{plural(len(found), 'tensor')} in {plural(len({d.case for d in found}), 'case')}"


def _by_case(found: Sequence[Difference]) -> dict[str, list[Difference]]:
    cases: dict[str, list[Difference]] = {}
    for difference in found:
        cases.setdefault(difference.case, []).append(difference)
    return cases


def _measured(difference: Difference) -> Iterator[str]:
    """A row of numbers, and a reason where the numbers do not tell it."""
    before, after = difference.before, difference.after
    worst = _entry(difference)
    row = (_ratios(difference), _pair(before, after, "ulp"), _pair(before, after, "digits"))
    if len(worst) > 14:  # a line of its own, so that the columns stay
        yield f"  {worst}"
        worst = ""
    yield _ROW.format(worst, *row).rstrip()
    if after and (isnan(after.result.ratio) or difference.change == Change.MORE):
        yield from _wrapped(f"    {after.result.reason}", 4)


def _better(difference: Difference) -> str:
    return f"  {_entry(difference):14}  {_ratios(difference)}".rstrip()


def _named(differences: Sequence[Difference]) -> Iterator[str]:
    """The tensors of a case, together where the reason is the same."""
    reasons: dict[str, list[str]] = {}
    for difference in differences:
        line = difference.after or difference.before
        reason = difference.after.result.reason if difference.after else ""
        reasons.setdefault(reason, []).append(line.result.tensor if line else "")
    for reason, tensors in reasons.items():
        yield from _wrapped(f"  {' '.join(tensors)}", 2)
        if reason:
            yield from _wrapped(f"    {reason}", 4)


def _entry(difference: Difference) -> str:
    line = difference.after or difference.before
    return visible(entry(line.result)) if line else ""


def _ratios(difference: Difference) -> str:
    return _pair(difference.before, difference.after, "ratio")


def _pair(before: Line | None, after: Line | None, name: str) -> str:
    return f"{_number(before, name)} -> {_number(after, name)}"


def _number(line: Line | None, name: str) -> str:
    if line is None or isnan(line.result.ratio):
        return "-"
    number: float = getattr(line.result, name)
    return f"{number:.1f}" if name == "digits" else digits(number)


def _wrapped(text: str, indent: int) -> list[str]:
    """The text in lines of 80 columns, those after the first indented."""
    first = " " * (len(text) - len(text.lstrip()))
    words = visible(text.strip())
    return wrap(words, _WIDTH, initial_indent=first, subsequent_indent=" " * indent)
