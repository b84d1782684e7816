"""docs/detection.svg: what every method finds, and the smallest error of one entry that it sees."""

from __future__ import annotations

from math import log10

from benchmarks.card import card
from benchmarks.inputs import SETS
from benchmarks.measure import Key, Measured
from benchmarks.methods import TITLES
from benchmarks.tables import Errors, number
from mlp_ref.gate.report_svg import Canvas, drawing

__all__ = ["picture"]

NAME, LEFT, RIGHT, ROW, HEAD, EDGE = 122, 330, 330, 44, 74, 18
ALARMS, GAP, FOOT = 64, 56, 44
LOW, HIGH = -16, 2  # decades
WIDTH = EDGE + NAME + LEFT + ALARMS + GAP + RIGHT + 2 * EDGE


def picture(measured: Measured, errors: Errors) -> str:
    """The picture on a card of its own, in the reader's colours, light or dark."""
    height = HEAD + ROW * len(measured.methods) + FOOT
    label = "Faults found by each method, and the smallest relative error of one gradient entry"
    return card(_drawn(measured, errors, height), WIDTH, height, label)


@drawing
def _drawn(measured: Measured, errors: Errors, height: float) -> str:
    canvas = Canvas("detection", WIDTH, height)
    total, left = len(measured.found), EDGE + NAME
    right = left + LEFT + ALARMS + GAP
    canvas.text(left, 26, f"Faults found, of {total}, in float64", size=14)
    canvas.box(left, 38, 12, 9, "pass")
    canvas.text(left + 18, 47, "our inputs", "muted")
    canvas.box(left + 104, 38, 12, 9, "soft")
    canvas.text(left + 122, 47, "N(0,1) inputs", "muted")
    canvas.text(left + LEFT + ALARMS, 26, "False alarms", size=14, align="right")
    canvas.text(left + LEFT + ALARMS, 47, "our inputs", "muted", align="right")
    canvas.text(right, 26, "Smallest relative error of one gradient entry", size=14)
    canvas.text(right, 47, "float64: dot median, line 10 % to 90 % of the entries", "muted")
    _grid(canvas, right, height)
    for k, method in enumerate(measured.methods):
        top = HEAD + ROW * k
        canvas.text(EDGE + NAME - 12, top + 20, TITLES[method], size=12.5, align="right")
        loud = [by[Key(method, "corpus", "float64")].cases for by in measured.alarms.values()]
        alarms = sum(map(len, loud))
        canvas.text(
            left + LEFT + ALARMS, top + 14, f"{alarms:,}", "fail" if alarms else "ink",
            align="right",
        )  # fmt: skip
        for line, inputs in enumerate(SETS):
            found = len(measured.finds(Key(method, inputs, "float64")))
            y = top + 4 + 14 * line
            canvas.box(left, y, (LEFT - 34) * found / total, 11, "soft" if line else "pass")
            canvas.text(
                left + (LEFT - 34) * found / total + 6, y + 10, str(found),
                "muted" if line else "ink",
            )  # fmt: skip
        if (method, "float64") in errors:
            _spread(canvas, right, top + 16, errors, method)
    return canvas.svg()


def _place(x: float) -> float:
    """How far to the right, from 0 to 1."""
    return (min(max(log10(x), LOW), HIGH) - LOW) / (HIGH - LOW)


def _grid(canvas: Canvas, right: float, height: float) -> None:
    for decade in range(LOW, HIGH + 1, 3):
        x = right + RIGHT * (decade - LOW) / (HIGH - LOW)
        canvas.line((x, x), (HEAD - 8, height - FOOT), "grid", 1)
        canvas.text(x, height - FOOT + 18, f"1e{decade:+d}", "muted", size=11, align="center")


def _spread(canvas: Canvas, right: float, y: float, errors: Errors, method: str) -> None:
    found = errors[method, "float64"]
    low, middle, high = (right + RIGHT * _place(found.quantile(q)) for q in (0.1, 0.5, 0.9))
    colour = "pass" if method == "ours" else "ink"
    canvas.line((low, max(high, low + 1)), (y, y), colour, 3)
    canvas.marks([(middle, y)], "o", colour, 10)
    canvas.text(middle, y - 9, number(found.quantile(0.5)), "muted", size=10.5, align="center")
