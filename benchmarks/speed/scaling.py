"""Scaling: the cost of each job against width, depth and batch, as a power law."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from random import Random
from statistics import median
from typing import Any

import numpy as np

from benchmarks.speed.child import main
from benchmarks.speed.clock import block, repeats, spread
from benchmarks.speed.jobs import JOBS, Size

__all__ = ["FITTED", "GOAL", "exponent", "measure", "section"]

FITTED = 3  # sizes, the largest: below, what a call costs counts
GOAL = 0.1  # of the exponent of the operation count
_ROUNDS, _MOST, _SMALL = 7, 25, 2

# What is known where the goal is missed.
_FAULTS = (
    "arrays of the size of W go back to the system and are faulted in again; with glibc's "
    "MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_ set high they stay; next would be work "
    "buffers as in a step"
)
_CAUSES = {("bound", "width"): _FAULTS, ("verification", "width"): _FAULTS}


def exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """The slope of log y over log x, by least squares, over the last `FITTED` points."""
    log_x, log_y = (np.log(np.asarray(part[-FITTED:], float)) for part in (x, y))
    return float(np.polyfit(log_x, log_y, 1)[0])


def measure(quick: bool) -> dict[str, Any]:
    """The points and the exponent of every job and direction.

    The sizes of a series take turns in random order; each round has an exponent of its own. The
    rounds end when its quartiles are within 5 %, as those of a step do.
    ``quick`` leaves out the largest size of each, and all but a few rounds.
    """
    series = []
    for what, job in JOBS.items():
        for against, (fixed, sizes) in job.ranges.items():
            x = sizes[:-1] if quick else sizes
            points = [fixed._replace(**{against: k}) for k in x]
            times, exponents = [], []
            for times_of_round in _rounds([job.build(size) for size in points]):
                times.append(times_of_round)
                exponents.append(exponent(x, times_of_round))
                found = spread(exponents)
                if len(times) >= (_SMALL if quick else _ROUNDS) and (quick or found.steady):
                    break
            series.append(
                {
                    "what": what,
                    "against": against,
                    "fixed": _fixed(fixed, against),
                    "x": list(x),
                    "seconds": [median(column) for column in zip(*times, strict=True)],
                    "exponent": found.median,
                    "quartiles": [found.low, found.high],
                    "expected": exponent(x, [job.operations(size) for size in points]),
                }
            )
    return {"series": series}


def _rounds(calls: Sequence[Callable[[], object]]) -> Iterator[list[float]]:
    """CPU seconds of each call, round by round."""
    counts, order = [repeats(f) for f in calls], list(range(len(calls)))
    random = Random(0)
    for _ in range(_MOST):
        random.shuffle(order)
        found = {k: block(calls[k], counts[k]) for k in order}
        yield [found[k] for k in sorted(found)]


def _fixed(size: Size, against: str) -> str:
    return ", ".join(f"{name} {k}" for name, k in size._asdict().items() if name != against)


def _reached(one: dict[str, Any]) -> bool:
    return bool(abs(one["exponent"] / one["expected"] - 1) <= GOAL)


def section(found: dict[str, Any]) -> Iterator[str]:
    """The chapter of docs/performance.md."""
    series = found["series"]
    yield "## Scaling"
    yield (
        "Time is a power of width, depth and batch, once the fixed cost of a call no longer counts."
        f" Its exponent is fitted over the {FITTED} largest sizes, round by round: median and "
        f"quartiles of {_ROUNDS} rounds or more, until these are within 5 %, or there are {_MOST}."
        " *Expected* is the exponent of the number of operations over the same sizes: "
        "multiply-adds of products, and passes over arrays."
    )
    yield "\n".join(_table(series))
    missed = [one for one in series if not _reached(one)]
    yield (
        f"{len(series) - len(missed)} of {len(series)} are within {GOAL:.0%} of what is expected"
        f"{':' if missed else '.'}"
    )
    if missed:
        yield "\n".join(_miss(one) for one in missed)
    yield "![Seconds against width, depth and batch](performance-scaling.svg)"


def _table(series: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield "| cost of | against | sizes | ms | exponent | quartiles | expected |"
    yield "|---|---|---|---|---|---|---|"
    for what, group in groupby(series, key=lambda one: one["what"]):
        for one in group:
            low, high = one["quartiles"]
            ms = f"{_ms(one['seconds'][0])} to {_ms(one['seconds'][-1])}"
            yield (
                f"| {what} | {one['against']} | {one['x'][0]} to {one['x'][-1]}; {one['fixed']} | "
                f"{ms} | {one['exponent']:.2f} | {low:.2f} to {high:.2f} | {one['expected']:.2f} |"
            )


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g}"


def _miss(one: dict[str, Any]) -> str:
    ratio = one["exponent"] / one["expected"]
    why = "terms of lower order, such as the cost of a call, weigh more than in the count"
    if ratio > 1:
        why = _CAUSES.get((one["what"], one["against"]), "the cause is not known")
    return f"* {one['what']} against {one['against']}: {ratio:.2f} times the expected; {why}."


if __name__ == "__main__":
    sys.exit(main(measure))
