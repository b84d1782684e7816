"""Libraries side by side: turns in random order, and each time over the limit of its round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from benchmarks.speed.clock import Spread, spread

__all__ = ["OURS", "Measured", "Process", "environment", "other", "processes", "side_by_side"]

ROOT = Path(__file__).parents[2]
OURS, LIMIT = "mlp_ref", "limit"
_MOST = 25  # rounds, however far the quartiles are apart
_SAME = 1e-3  # of what a step changes: another rule or another mean is off by as much as a step


class Measured(NamedTuple):
    """One workload and optimizer.

    ``limit``   CPU seconds of the limit
    ``over``    library -> time over that of the limit in the same round
    ``ours``    library -> its time over ours in the same round
    ``left``    library -> why it was not measured
    ``rounds``  how many there were
    """

    limit: Spread
    over: Mapping[str, Spread]
    ours: Mapping[str, Spread]
    left: Mapping[str, str]
    rounds: int


def environment() -> dict[str, str]:
    """That of a child: one thread, and the kernels of BLAS that fit the processor."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS_", "MKL_", "OMP_"))}
    threads = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    return clean | dict.fromkeys(threads, "1") | {"PYTHONWARNINGS": "ignore"}


class Process:
    """A library that waits for its turn."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed.worker", name], cwd=ROOT, env=environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def ask(self, **question: Any) -> dict[str, Any]:
        """Send a line and wait for the answer; a process that ended is an error."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            print(json.dumps(question), file=self.process.stdin, flush=True)
            return dict(json.loads(self.process.stdout.readline()))
        except (BrokenPipeError, json.JSONDecodeError):
            return {"error": f"the process ended with status {self.process.wait()}"}

    def close(self) -> None:
        """End it."""
        self.process.communicate()


@contextmanager
def processes(names: Sequence[str]) -> Iterator[list[Process]]:
    """A process per library, all ended in the end."""
    running: list[Process] = []
    try:
        running += [Process(name) for name in names]
        yield running
    finally:
        for process in running:
            process.close()


def side_by_side(
    running: Sequence[Process], workload: str, optimizer: str, least: int,
    said: Callable[[str], object] = lambda line: None,
) -> Measured:  # fmt: skip
    """At least so many rounds, and more while the quartiles of ours are apart.

    Raises `RuntimeError` if ours or the limit does not run.
    """
    counts, left = {}, {}
    ready = {p.name: p.ask(prepare=[workload, optimizer]) for p in running}
    for name, answer in ready.items():
        if "error" in answer:
            left[name] = answer["error"]
        elif name != LIMIT and (why := other(answer["losses"], ready[OURS].get("losses", []))):
            left[name] = why
        else:
            counts[name] = answer["count"]
    for name in {OURS, LIMIT} & left.keys():
        raise RuntimeError(f"{name} does not run {workload} with {optimizer}: {left[name]}")
    turns = [p for p in running if p.name in counts]
    times: dict[str, list[float]] = {name: [] for name in counts}
    rng, rounds = Random(0), 0
    while rounds < least or (rounds < _MOST and least > 2 and not _steady(times)):
        rng.shuffle(turns)
        for process in turns:
            times[process.name].append(process.ask(turn=counts[process.name])["seconds"])
        rounds += 1
    limit, ours = times.pop(LIMIT), times[OURS]
    over = {name: spread(_ratios(own, limit)) for name, own in times.items()}
    behind = {name: spread(_ratios(own, ours)) for name, own in times.items() if name != OURS}
    said(f"{workload} {optimizer}: {rounds} rounds, ours {over[OURS].median:.2f} of the limit")
    return Measured(spread(limit), over, behind, left, rounds)


def _ratios(times: Sequence[float], by: Sequence[float]) -> list[float]:
    return [time / other for time, other in zip(times, by, strict=True)]


def _steady(times: Mapping[str, Sequence[float]]) -> bool:
    return spread(_ratios(times[OURS], times[LIMIT])).steady


def other(losses: Sequence[float], ours: Sequence[float]) -> str:
    """Why losses are not ours; an empty string if they are, to a thousandth of a step."""
    steps = [abs(b - a) for a, b in pairwise(ours)]
    if len(losses) != len(ours):
        return "no losses"
    if any(not abs(a - b) <= _SAME * min(steps) for a, b in zip(losses, ours, strict=True)):
        return f"other losses: {', '.join(f'{x:.6f}' for x in losses)}"
    return ""
