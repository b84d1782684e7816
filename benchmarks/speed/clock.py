"""Process CPU time on a noisy machine: short blocks, the least of six, medians over rounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median, quantiles
from time import process_time
from typing import NamedTuple

__all__ = ["BLOCK", "Spread", "block", "repeats", "spread"]

BLOCK = 0.06  # seconds of a turn
_PARTS, _LONG = 6, 3  # of a turn, and where a call takes longer than a part


class Spread(NamedTuple):
    """The middle half of a sample."""

    low: float
    median: float
    high: float

    @property
    def steady(self) -> bool:
        """Whether the interquartile range is at most 5 % of the median."""
        return self.high - self.low <= 0.05 * self.median


def repeats(f: Callable[[], object], seconds: float = BLOCK) -> int:
    """How often f runs in a sixth of that time, at least once."""
    f()  # what is compiled or allocated once
    count, spent = 1, 0.0
    while True:
        start = process_time()
        for _ in range(count):
            f()
        spent = process_time() - start
        if spent > seconds / 20:
            return max(1, round(seconds / _PARTS / spent * count))
        count *= 4


def block(f: Callable[[], object], count: int) -> float:
    """CPU seconds of this process per call of f: the least of six parts, or of three calls."""
    times = []
    for _ in range(_PARTS if count > 1 else _LONG):
        start = process_time()
        for _ in range(count):
            f()
        times.append((process_time() - start) / count)
    return min(times)


def spread(sample: Sequence[float]) -> Spread:
    """Median and quartiles."""
    low, _, high = quantiles(sample, n=4, method="inclusive") if len(sample) > 1 else sample * 3
    return Spread(low, median(sample), high)
