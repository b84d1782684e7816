"""docs/performance.svg: the time of a training step over the limit, a line per workload."""

from __future__ import annotations

from collections.abc import Mapping
from math import log10
from typing import Any

from benchmarks.card import card
from benchmarks.speed.rounds import OURS
from mlp_ref.gate.report_svg import Canvas, drawing

__all__ = ["picture"]

EDGE, NAME, RIGHT, ROW, HEAD, FOOT = 18, 110, 640, 26, 74, 44
WIDTH = EDGE + NAME + RIGHT + 130
MOST = 2.0  # decades

Steps = Mapping[str, Mapping[str, Mapping[str, Any]]]


def picture(steps: Steps) -> str:
    """``steps``: workload -> optimizer -> {"over": library -> median time over the limit}."""
    lines = sum(len(by) for by in steps.values())
    height = HEAD + ROW * lines + FOOT
    return card(_drawn(steps, height), WIDTH, height, "Time of a training step over its limit")


@drawing
def _drawn(steps: Steps, height: float) -> str:
    canvas, left = Canvas("performance", WIDTH, height), EDGE + NAME
    canvas.text(left, 26, "Time of a training step, over that of its matrix products", size=14)
    canvas.marks([(left + 6, 44)], "o", "pass", 10)
    canvas.text(left + 18, 48, "mlp_ref", "muted")
    canvas.marks([(left + 90, 44)], "o", "ink", 6)
    canvas.text(left + 102, 48, "every other library, the fastest by name", "muted")
    for times in (1, 2, 5, 10, 20, 50, 100):
        x = left + _place(times)
        canvas.line((x, x), (HEAD - 8, height - FOOT), "grid", 1)
        canvas.text(x, height - FOOT + 18, f"{times}", "muted", size=11, align="center")
    top = HEAD
    for workload, by in steps.items():
        for optimizer, measured in by.items():
            _line(canvas, left, top + ROW / 2, f"{workload}, {optimizer}", measured["over"])
            top += ROW
    return canvas.svg()


def _place(times: float) -> float:
    """How far to the right."""
    return RIGHT * min(max(log10(times), 0.0), MOST) / MOST


def _line(canvas: Canvas, left: float, y: float, name: str, over: Mapping[str, float]) -> None:
    canvas.text(left - 12, y + 4, name, size=12, align="right")
    peers = {other: times for other, times in over.items() if other != OURS}
    canvas.marks([(left + _place(times), y) for times in peers.values()], "o", "ink", 6)
    canvas.marks([(left + _place(over[OURS]), y)], "o", "pass", 10)
    if peers:
        canvas.text(left + RIGHT + 12, y + 4, min(peers, key=lambda k: peers[k]), "muted", size=11)
