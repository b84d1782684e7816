"""What a step is held to, and whether three runs reached it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from benchmarks.speed.rounds import OURS

__all__ = ["JAX", "LIMITS", "Goal", "combined", "goals"]

# workload -> the most that SGD and Adam may take, over the limit
LIMITS = {
    "tiny": (3.0, 3.5),
    "small": (1.5, 2.1),
    "mnist": (1.15, 1.5),
    "medium": (1.05, 1.12),
    "large": (1.05, 1.05),
}
JAX = {"tiny": 2.0, "small": 1.4}  # the least that JAX takes, over ours

Run = Mapping[str, Mapping[str, Mapping[str, Any]]]


class Goal(NamedTuple):
    """What it says, what each run found, and whether their median reaches it."""

    text: str
    found: tuple[float, ...]
    reached: bool


def combined(runs: Sequence[Run]) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """The medians over runs of the medians of each: "over" the limit, and over "ours"."""
    return {
        workload: {
            optimizer: {
                by: {
                    library: median(run[workload][optimizer][by][library][1] for run in runs)
                    for library in first[by]
                    if all(library in run[workload][optimizer][by] for run in runs)
                }
                for by in ("over", "ours")
            }
            for optimizer, first in rules.items()
        }
        for workload, rules in runs[0].items()
    }


def goals(runs: Sequence[Run]) -> Iterator[Goal]:
    """Every goal of the workloads that were measured."""
    for workload in (name for name in LIMITS if name in runs[0]):
        for optimizer, most in zip(("sgd", "adam"), LIMITS[workload], strict=True):
            found = tuple(run[workload][optimizer]["over"][OURS][1] for run in runs)
            text = f"{workload}, {optimizer}: at most {most:g} times the limit"
            yield Goal(text, found, median(found) <= most)
    for workload in (name for name in LIMITS if name in runs[0]):
        for optimizer in ("sgd", "adam"):
            peers = [run[workload][optimizer]["ours"] for run in runs]
            found = tuple(min(peer[1] for peer in by.values()) for by in peers)
            text = f"{workload}, {optimizer}: every library takes at least as long"
            yield Goal(text, found, median(found) >= 1)
    for workload in (name for name in JAX if name in runs[0]):
        for optimizer in ("sgd", "adam"):
            if all("JAX jit" in run[workload][optimizer]["ours"] for run in runs):
                found = tuple(run[workload][optimizer]["ours"]["JAX jit"][1] for run in runs)
                text = (
                    f"{workload}, {optimizer}: JAX takes at least {JAX[workload]:g} times as long"
                )
                yield Goal(text, found, median(found) >= JAX[workload])
