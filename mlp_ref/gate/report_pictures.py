"""Two pictures of a subject in one arithmetic: error against bound, and proven digits.

Both have a row for each operation, and for each kind of tensor of a network; the rows and scales
are the same for all subjects, so that pictures beside one another can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, inf, isnan, log10
from statistics import quantiles

from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.report_svg import Canvas, drawing
from mlp_ref.gate.report_view import REFUSALS, row_of, rows_in_order, state_of
from mlp_ref.gate.results import Line

__all__ = ["WIDTH", "Scale", "draw_digits", "draw_ratios", "scale_of"]

WIDTH = 390
_LEFT, _RIGHT, _STRIP, _GAP = 84, 66, 20, 4  # label, count, the columns of 0 and beyond
_TOP, _ROW, _DOT = 34, 22, 2.7
_ACROSS = range(floor(_STRIP / _DOT))  # marks beside one another in such a column
_ROOM = 2 * floor((_ROW / 2 - 2) / _DOT) + 1  # marks above one another in a row
_LEAST, _MOST = -4, 4  # decades of error/bound that are told apart
_NAMES = {-3: "1/1000", -2: "1/100", -1: "1/10", 0: "bound", 1: "10", 2: "100", 3: "1000"}


@dataclass(frozen=True)
class Scale:
    """Rows, and the decade up to which error/bound is drawn."""

    rows: tuple[str, ...]
    most: int

    @property
    def height(self) -> int:
        """Of the picture, in pixels."""
        return _TOP + _ROW * len(self.rows) + 6


def scale_of(lines: Iterable[Line]) -> Scale:
    """What the pictures of all subjects have in common."""
    lines = list(lines)
    above = [x.result.ratio for x in lines if x.result.ratio > 1]
    finite = max((ratio for ratio in above if ratio < inf), default=1.0)
    most = min(_MOST, ceil(log10(finite))) if above else 1
    return Scale(tuple(rows_in_order(map(row_of, lines))), max(1, most))


@drawing
def draw_ratios(name: str, lines: Sequence[Line], scale: Scale) -> str:
    """A mark for every judged tensor, as far as there is room; for the worst of a row always."""
    canvas = Canvas(name, WIDTH, scale.height)
    first, last = _LEFT + _STRIP + _GAP, WIDTH - _RIGHT - _STRIP - _GAP
    pixels = (last - first) / (scale.most - _LEAST)
    bound, bottom = first - _LEAST * pixels, scale.height - 6
    _bands(canvas, scale)
    canvas.box(bound, _TOP, last - bound, bottom - _TOP, "zone")
    canvas.box(last + _GAP, _TOP, _STRIP, bottom - _TOP, "zone")
    canvas.line((_LEFT + _STRIP + _GAP / 2,) * 2, (_TOP, bottom), "grid")
    for decade in range(_LEAST + 1, scale.most):
        x = first + (decade - _LEAST) * pixels
        if decade:
            canvas.line((x, x), (_TOP, bottom), "grid", 0.7)
        if scale.most < 3 or decade % 2 == 0:  # as there is room
            canvas.text(x, _TOP - 6, _NAMES[decade], "muted" if decade else "ink", align="center")
    canvas.line((bound, bound), (_TOP - 3, bottom), "ink", 1.8)
    canvas.text(_LEFT + _STRIP / 2, _TOP - 6, "0", "muted", align="center")
    canvas.text(last + _GAP + _STRIP / 2, _TOP - 6, "over", "muted", align="center")
    canvas.text(WIDTH, _TOP - 6, "passed", "muted", align="right")
    canvas.text(first, 12, "within the bound", "pass")
    canvas.text(last + _GAP + _STRIP, 12, "outside", "fail", align="right")
    marks: dict[str, list[tuple[float, float]]] = {"pass": [], "fail": [], "expected": []}
    worst: dict[str, tuple[float, float]] = {}
    for row, members in _rows(lines, scale).items():
        middle = _middle(scale, row)
        taken: dict[float, int] = {}
        judged = [line for line in members if line.result.verdict in (Verdict.PASS, Verdict.FAIL)]
        for line in sorted(judged, key=lambda x: (-_size(x), x.case, x.result.tensor)):
            ratio, state = _size(line), state_of(line)
            if ratio == 0:
                origin, wishes = float(_LEFT), _ACROSS
            elif ratio > 10.0**scale.most:
                origin, wishes = last + _GAP, _ACROSS
            else:  # as a pass, left of the line; the bound itself is one
                k = ceil(log10(ratio) * pixels / _DOT) - 1
                k = max(k, ceil(_LEAST * pixels / _DOT))
                origin, wishes = bound, range(k, k + 1)
            point = _place(taken, middle, origin, wishes)
            if point is None:
                continue
            marks[state if state in marks else "pass"].append(point)
            if row not in worst and ratio > 0:
                worst[row] = point
        _count(canvas, middle, members)
    canvas.dots(marks["pass"], "pass", 3.0)
    canvas.marks(marks["expected"], "^", "expected", 6.0)
    canvas.marks(marks["fail"], "x", "fail", 5.0, "fail", 1.4)
    canvas.marks(list(worst.values()), "o", "ink", 7.5, "ink", 1.1)
    return canvas.svg()


@drawing
def draw_digits(name: str, lines: Sequence[Line], scale: Scale, arithmetic: str) -> str:
    """Of each row the range of proven digits, its middle half, and the median."""
    scale = replace(scale, rows=tuple(row for row in scale.rows if row != REFUSALS))
    canvas = Canvas(name, WIDTH, scale.height)
    known = ARITHMETICS.get(arithmetic)
    most = known.precision * log10(2) if known else 16.0
    first, last, bottom = _LEFT + 6, WIDTH - _RIGHT - 12, scale.height - 6
    _bands(canvas, scale)
    for digits in range(0, ceil(most), 5 if most > 10 else 1):
        x = first + digits / most * (last - first)
        canvas.line((x, x), (_TOP, bottom), "grid", 0.7)
        if last - x > 2 * _STRIP:
            canvas.text(x, _TOP - 6, str(digits), "muted", align="center")
    canvas.line((last, last), (_TOP - 3, bottom), "ink", 1.4, (3, 2))
    canvas.text(last, _TOP - 6, f"{most:.1f}", align="center")
    canvas.text(WIDTH, _TOP - 6, "median", "muted", align="right")
    canvas.text(first, 12, "proven digits", "muted")
    for row, members in _rows(lines, scale).items():
        middle = _middle(scale, row)
        found = sorted(x.result.digits for x in members if not isnan(x.result.digits))
        if not found:
            _count(canvas, middle, members)
            continue
        low, median, high = quantiles(found, n=4, method="inclusive") if found[1:] else found * 3
        at = [first + min(x / most, 1) * (last - first) for x in (found[0], low, high, found[-1])]
        canvas.line((at[0], at[3]), (middle, middle), "pass", 1.2)
        canvas.line((at[1], at[2]), (middle, middle), "pass", 6.0)
        canvas.line((at[0], at[0]), (middle - 4, middle + 4), "pass", 1.6)
        spot = first + min(median / most, 1) * (last - first)
        canvas.marks([(spot, middle)], "o", "card", 8.0)
        canvas.marks([(spot, middle)], "o", "ink", 6.0)
        canvas.text(WIDTH, middle + 4, f"{median:.1f}", align="right")
    return canvas.svg()


def _size(line: Line) -> float:
    """Error/bound; of a tensor without numbers 0 if it passes, else infinite."""
    ratio = line.result.ratio
    if isnan(ratio):
        return 0.0 if line.result.verdict == Verdict.PASS else inf
    return ratio


def _rows(lines: Sequence[Line], scale: Scale) -> Mapping[str, list[Line]]:
    found: dict[str, list[Line]] = {row: [] for row in scale.rows}
    for line in lines:
        if (row := row_of(line)) in found:
            found[row].append(line)
    return found


def _middle(scale: Scale, row: str) -> float:
    return _TOP + _ROW * (scale.rows.index(row) + 0.5)


def _bands(canvas: Canvas, scale: Scale) -> None:
    """Labels, and every other row on a band."""
    for k, row in enumerate(scale.rows):
        if k % 2 == 0:
            canvas.box(0, _TOP + _ROW * k, WIDTH, _ROW, "band")
        canvas.text(2, _middle(scale, row) + 4, row)


def _place(
    taken: dict[float, int], middle: float, origin: float, wishes: range
) -> tuple[float, float] | None:
    """The next free place in one of these columns; none if all are full."""
    for k in wishes:
        x = origin + (k + 0.5) * _DOT
        if (n := taken.get(x, 0)) < _ROOM:
            taken[x] = n + 1
            return x, middle + (n + 1) // 2 * (1 if n % 2 else -1) * _DOT
    return None


def _count(canvas: Canvas, middle: float, members: Sequence[Line]) -> None:
    """How many of those that were judged passed; else why there are none."""
    found = [line.result.verdict for line in members]
    asked = sum(verdict != Verdict.SKIP for verdict in found)
    if asked:
        passed = found.count(Verdict.PASS)
        known = sum(state_of(line) == "expected" for line in members)
        colour = {asked - known: "expected", asked: "muted"}.get(passed, "fail")
        canvas.text(WIDTH, middle + 4, f"{passed}/{asked}", colour, align="right")
    else:
        text = "skipped" if found else "not asked"
        canvas.text(WIDTH, middle + 4, text, "muted", align="right")
