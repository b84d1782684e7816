"""The text of docs/performance.md: every number in it was measured by the same command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmarks.page import wrapped
from benchmarks.speed import disk, gradients, memory, scaling, startup, tricks
from benchmarks.speed.goals import LIMITS, combined, goals
from benchmarks.speed.rounds import OURS
from benchmarks.speed.texts import GPU, METHOD, NOT_REACHED, PEERS
from benchmarks.speed.workloads import WORKLOADS

__all__ = ["TOPICS", "page"]

# in the order of the page; each is measured in a process of its own
TOPICS: Mapping[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "tricks": tricks.section,
    "memory": memory.section,
    "gradients": gradients.section,
    "scaling": scaling.section,
    "disk": disk.section,
    "startup": startup.section,
}


def page(found: Mapping[str, Any]) -> str:
    """The page of what was measured."""
    return "\n\n".join(_parts(found)) + "\n"


def _parts(found: Mapping[str, Any]) -> Iterator[str]:
    yield "# Performance"
    yield "<!-- written by `python -m benchmarks.step`: change that, not this -->"
    yield wrapped(_about(found))
    yield "![Time of a training step of every library, over its limit](performance.svg)"
    yield from _step(found)
    yield from _goals(found)
    for name, section in TOPICS.items():
        if name in found:
            yield from section(found[name])
    yield "## On a GPU"
    yield wrapped(GPU)


def _about(found: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{k} {v}" for k, v in found["versions"].items() if v is not None)
    absent = ", ".join(k for k, v in found["versions"].items() if v is None)
    blas = "; ".join(
        f"{b['internal_api']} {b['version']} for {b['architecture']}, threads: {b['num_threads']}"
        for b in found["blas"]
    )
    return (
        f"Measured on {found['date']} on {found['processor']}, {found['cores']} cores. "
        f"{versions}{f'; not installed: {absent}' if absent else ''}. BLAS of NumPy: {blas}."
    )


def _step(found: Mapping[str, Any]) -> Iterator[str]:
    runs = found["runs"]
    medians = combined(runs)
    yield "## A training step"
    yield wrapped(METHOD)
    heads = [f"{name}<br>{WORKLOADS[name]}" for name in medians]
    libraries = list(dict.fromkeys(
        library for by in medians.values() for rule in by.values() for library in rule["over"]
    ))  # fmt: skip
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    limits = [
        f"{runs[0][name]['sgd']['limit'][1] * 1e6:,.0f} µs / "
        f"{runs[0][name]['adam']['limit'][1] * 1e6:,.0f} µs"
        for name in medians
    ]
    lines.append(f"| the limit | {' | '.join(limits)} |")
    for library in libraries:
        by = "over" if library == OURS else "ours"
        label = "**ours / limit**" if library == OURS else f"{library} / ours"
        cells = [
            " / ".join(
                f"{medians[name][rule][by][library]:.2f}" if library in medians[name][rule][by]
                else "-"
                for rule in medians[name]
            )
            for name in medians
        ]  # fmt: skip
        lines.append(f"| {label} | {' | '.join(cells)} |")
    yield "SGD / Adam:"
    yield "\n".join(lines)
    yield wrapped(PEERS)
    left = {
        f"{library} at {name} with {rule}: {why}"
        for name, by in runs[0].items()
        for rule, measured in by.items()
        for library, why in measured["left"].items()
    }
    if left:
        yield "Not measured:"
        yield "\n".join(f"* {line}" for line in sorted(left))


def _goals(found: Mapping[str, Any]) -> Iterator[str]:
    runs = found["runs"]
    numbers = " | ".join(f"run {k}" for k in range(1, len(runs) + 1))
    lines = [f"| goal | {numbers} | |", "|---" * (len(runs) + 2) + "|"]
    missed = set()
    for goal in goals(runs):
        cells = " | ".join(f"{x:.2f}" for x in goal.found)
        lines.append(f"| {goal.text} | {cells} | {'reached' if goal.reached else '**missed**'} |")
        if not goal.reached:
            missed.add(next(name for name in LIMITS if goal.text.startswith(name)))
    yield "### Goals"
    yield "\n".join(lines)
    for name in LIMITS:
        if name in missed:
            yield wrapped(f"*{name}.* {NOT_REACHED[name]}")
