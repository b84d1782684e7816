"""The memory of a training step: what it holds, and what it allocates and frees on its way."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.speed.child import main
from benchmarks.speed.numpy_libraries import ours
from benchmarks.speed.workloads import OPTIMIZERS, WORKLOADS, problem

__all__ = ["measure", "section", "step_of", "unavoidable"]

_MOMENTS = {"sgd": 0, "adam": 2}


def unavoidable(name: str, optimizer: str) -> int:
    """Bytes of parameters, gradients and moments, of every activation, and of one dL/dz."""
    (sizes, rows, dtype), params = WORKLOADS[name], problem(name, optimizer).params.flat.size
    numbers = params * (2 + _MOMENTS[optimizer]) + rows * sum(sizes[1:]) + rows * max(sizes[1:-1])
    return numbers * np.dtype(dtype).itemsize


def step_of(name: str, optimizer: str) -> dict[str, Any]:
    """Bytes of one step, after three others."""
    p = problem(name, optimizer)
    tracemalloc.start()
    try:
        step = ours(p)
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(3):
                step()
            gc.collect()
            held = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            step()
            peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    least = unavoidable(name, optimizer)
    return {"unavoidable": least, "peak": peak, "transient": peak - held}


def measure(quick: bool) -> dict[str, Any]:
    """Workload -> optimizer -> bytes. The step allocates all but the batch itself."""
    names = [name for name in WORKLOADS if not (quick and name == "large")]
    return {name: {rule: step_of(name, rule) for rule in OPTIMIZERS} for name in names}


def section(found: dict[str, Any]) -> Iterator[str]:
    """The table, and what it counts."""
    yield "## Memory of a step"
    lines = [
        "| workload | optimizer | unavoidable | peak / unavoidable | transient |",
        "|---|---|---|---|---|",
    ]
    for name, by in found.items():
        for rule, n in by.items():
            kib = n["unavoidable"] / 1024
            lines.append(
                f"| {name} | {rule} | {kib:,.0f} KiB | {n['peak'] / n['unavoidable']:.2f} | "
                f"{n['transient']:,} B = {n['transient'] / n['peak']:.2%} |"
            )
    yield "\n".join(lines)
    yield (
        "*Unavoidable* are parameters, gradients and moments, the output of every layer, and one "
        "dL/dz. The peak counts every byte that Python and NumPy allocate for the step, headers of "
        "arrays included, but not the batch; *transient* is what a step allocates and frees again. "
        "The goals are 1.3 and 1 %. The transient part does not grow with the network, so that "
        "small ones miss the second: it is the buffer of NumPy's iterator where a row is added to "
        "a matrix, and vectors of one number per row. In tiny the headers of arrays weigh as much "
        "as what they hold."
    )


if __name__ == "__main__":
    sys.exit(main(measure))
