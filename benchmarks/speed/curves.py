"""docs/performance-scaling.svg: seconds against width, depth and batch, on logarithmic axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil, floor, log2, log10
from typing import Any

from benchmarks.card import card
from mlp_ref.gate.report_svg import Canvas, drawing

__all__ = ["curves"]

EDGE, AXIS, PANEL, GAP, HEAD, HEIGHT, FOOT = 18, 44, 236, 26, 66, 330, 40
COLOURS = ("pass", "ink", "fail", "muted")


def curves(series: Sequence[Mapping[str, Any]]) -> str:
    """A panel for each of what was changed, a curve for each of what was measured."""
    panels = list(dict.fromkeys(one["against"] for one in series))
    width = EDGE + AXIS + len(panels) * (PANEL + GAP) + EDGE
    return card(_drawn(series, panels, width), width, HEIGHT, "Seconds against width, depth, batch")


@drawing
def _drawn(series: Sequence[Mapping[str, Any]], panels: Sequence[str], width: float) -> str:
    canvas = Canvas("scaling", width, HEIGHT)
    seconds = [time for one in series for time in one["seconds"]]
    low, high = floor(log10(min(seconds))), ceil(log10(max(seconds)))
    bottom, top = HEIGHT - FOOT, HEAD

    def height(time: float) -> float:
        return bottom - (bottom - top) * (log10(time) - low) / (high - low)

    jobs = list(dict.fromkeys(one["what"] for one in series))
    colour = dict(zip(jobs, COLOURS, strict=True))
    left = float(EDGE + AXIS)
    canvas.text(left, 26, "CPU seconds", size=14)
    for job in jobs:
        canvas.marks([(left + 6, 44)], "o", colour[job], 8)
        canvas.text(left + 16, 48, job, "muted")
        left += 34 + 7 * len(job)
    for decade in range(low, high + 1):
        y = height(10.0**decade)
        canvas.line((EDGE + AXIS, width - EDGE - GAP), (y, y), "grid", 1)
        canvas.text(EDGE + AXIS - 8, y + 4, f"1e{decade:+d}", "muted", size=11, align="right")
    for k, against in enumerate(panels):
        own = [one for one in series if one["against"] == against]
        start = EDGE + AXIS + k * (PANEL + GAP)
        _panel(canvas, own, start, colour, height)
        canvas.text(start + PANEL / 2, bottom + 30, against, size=12, align="center")
    return canvas.svg()


def _panel(
    canvas: Canvas, own: Sequence[Mapping[str, Any]], left: float, colour: Mapping[str, str],
    height: Any,
) -> None:  # fmt: skip
    sizes = sorted({x for one in own for x in one["x"]})
    low, high = log2(sizes[0]), log2(sizes[-1])

    def place(x: float) -> float:
        return left + 8 + (PANEL - 16) * (log2(x) - low) / (high - low)

    for power in range(ceil(low), floor(high) + 1, 2):
        label = f"{2**power}"
        canvas.text(place(2**power), HEIGHT - FOOT + 16, label, "muted", size=11, align="center")
    for one in own:
        points = [(place(x), height(t)) for x, t in zip(one["x"], one["seconds"], strict=True)]
        for (x0, y0), (x1, y1) in pairwise(points):
            canvas.line((x0, x1), (y0, y1), colour[one["what"]], 1.5)
        canvas.marks(points, "o", colour[one["what"]], 6)
