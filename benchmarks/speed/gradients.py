"""Gradient checks of a whole network: the time, the error, and the smallest mistake they notice."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from time import process_time
from typing import Any

import numpy as np

from benchmarks.speed.child import main
from benchmarks.speed.clock import block, repeats, spread
from benchmarks.speed.gradient_problem import Problem, naive_central, problem, reference
from mlp_ref.arithmetic import Array
from mlp_ref.gradcheck import (
    Verdict,
    assembled_gradient,
    central_differences,
    check_network,
    complex_step,
)
from mlp_ref.gradcheck.network import Expected, by_name, expect

__all__ = ["measure", "section"]

RELATIVE = 1e-8  # of the single mistake that each parameter gets in turn
_POINTS = 4
_METHODS = {"central": central_differences, "complex": complex_step}
_TITLES = {
    "slow": "torch gradcheck",
    "fast": "torch gradcheck, fast_mode",
    "naive": "naive NumPy central differences",
    "central": "assembled, central differences",
    "complex": "assembled, complex step",
    "check central": "check_network, central differences",
    "check complex": "check_network, complex step",
    "check observed": f"check_network, complex step, points={_POINTS}",
}


def measure(quick: bool) -> dict[str, Any]:
    """Times in seconds of CPU, errors over the largest derivative, and what is noticed.

    torch's slow mode and the naive differences are timed on a part of the parameters, each of which
    costs the same, if ``quick``; the naive ones always.
    """
    from benchmarks.speed.gradient_peers import Torch

    p = problem()
    torch, exact = Torch(p), reference(p)
    largest = float(np.abs(exact).max())
    rng = np.random.default_rng(0)
    some = rng.choice(exact.size, 50 if quick else 400, replace=False)
    times = _times(_ours(p) | {"fast": lambda: torch.check(fast=True)}, 5 if quick else 15)
    tensors = [3, 4, 5] if quick else None  # b1, W2 and b2
    asked = sum(torch.leaves[k].numel() for k in tensors) if tensors else exact.size
    start = process_time()
    passed = torch.check(fast=False, tensors=tensors)
    times["slow"] = _single((process_time() - start) * exact.size / asked)
    start = process_time()
    naive = naive_central(p, some)
    times["naive"] = _single((process_time() - start) * exact.size / len(some))
    errors = {"naive": float(np.abs(naive - exact[some]).max()) / largest}
    for name, method in _METHODS.items():
        found = assembled_gradient(*p.arguments, method=method)
        flat = p.params.like(_flat({key: d.value for key, d in found.items()}, p)).flat
        errors[name] = float(np.abs(flat - exact).max()) / largest
    sample = [int(k) for k in some[: 1 if quick else 5]]
    return {
        "sizes": list(p.model.sizes),
        "batch": len(p.x),
        "parameters": int(exact.size),
        "zeros": int(np.count_nonzero(exact == 0)),
        "slow passes": passed,
        "slow parameters": asked,
        "naive parameters": len(some),
        "digits": int(-np.log10(float(np.finfo(np.longdouble).eps))),
        "times": times,
        "errors": errors,
        "noticed": {
            "slow": [torch.smallest(int(k), fast=False) for k in some[: 20 if quick else 100]],
            "fast": [torch.smallest(k, fast=True) for k in sample],
        },
        "ours": _noticed(p, every=16 if quick else 1),
    }


def _ours(p: Problem) -> dict[str, Callable[[], object]]:
    found: dict[str, Callable[[], object]] = {}
    for name, method in _METHODS.items():
        found[name] = lambda m=method: assembled_gradient(*p.arguments, method=m)
        found[f"check {name}"] = lambda m=method: check_network(*p.arguments, method=m)
    return found | {"check observed": lambda: check_network(*p.arguments, points=_POINTS)}


def _times(methods: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Quartiles of the CPU time of each, in turn, over some rounds."""
    counts = {name: repeats(method) for name, method in methods.items()}
    samples: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, method in methods.items():
            samples[name].append(block(method, counts[name]))
    return {name: list(spread(sample)) for name, sample in samples.items()}


def _single(seconds: float) -> list[float]:
    return list(spread([seconds]))


def _flat(tensors: Mapping[str, Array], p: Problem) -> Array:
    """The derivatives of the parameters in the order of the flat vector."""
    names = [f"d{part}{k}" for k in range(len(p.params.layers)) for part in "Wb"]
    return np.concatenate([tensors[name].ravel() for name in names])


def _noticed(p: Problem, every: int) -> dict[str, Any]:
    """What each check rejects when one parameter after the other is wrong by `RELATIVE` of itself.

    The noise is observed with the right gradient: a mistake of that size changes none of its
    digits. ``smallest`` are the quartiles and the largest of what is noticed of each parameter.
    """
    right = by_name(*p.gradient())
    found: dict[str, Any] = {}
    for title, options in (
        ("check central", {"method": central_differences}),
        ("check complex", {}),
        ("check observed", {"points": _POINTS}),
    ):
        expected = expect(*p.arguments, **options)
        ratios = _flat({name: _least(expected, name, right[name]) for name in right}, p)
        tried, caught = 0, 0
        for name, tensor in right.items():
            for k in range(0, tensor.size if name != "dx" else 0, every):
                wrong = tensor.copy()
                wrong.flat[k] *= 1 + RELATIVE
                tried += 1
                caught += expected.compare(name, wrong).verdict is not Verdict.PASS
        found[title] = {
            "passes right": expected.judge(right).verdict is Verdict.PASS,
            "tried": tried,
            "caught": caught,
            "smallest": [*spread(ratios.tolist()), float(ratios.max())],
        }
    return found


def _least(expected: Expected, name: str, right: Array) -> Array:
    """The relative error of each entry above which it is noticed, whatever its sign."""
    allowed = expected.tolerance[name]
    if expected.noise is not None:
        allowed = np.minimum(allowed, expected.noise[name] + expected.error[name])
    return np.asarray((allowed + np.abs(right - expected.left[name])) / np.abs(right))


def section(found: dict[str, Any]) -> Iterator[str]:
    """The part of docs/performance.md."""
    sizes, times, errors = "-".join(map(str, found["sizes"])), found["times"], found["errors"]
    slow = times["slow"][1]
    yield "## Gradient check"
    yield (
        f"{sizes}, tanh, batch {found['batch']}, float64, cross-entropy, {found['parameters']:,} "
        f"parameters, of which {found['zeros']} have a derivative of exactly 0. CPU time of one "
        "thread, medians, all in one run. *Error* is the largest of all parameters over the "
        "largest derivative, against a backward pass of separate code in extended precision "
        f"({found['digits']} digits). *Notices* is the smallest single wrong entry that makes the "
        "check not pass, relative to that entry: the median and the largest of the parameters."
    )
    yield "\n".join(_table(found, slow, times, errors))
    ours = found["ours"]
    counts = "; ".join(
        f"{_TITLES[title].removeprefix('check_network, ')}: {by['caught']:,} of {by['tried']:,}"
        for title, by in ours.items()
    )
    fast = found["noticed"]["fast"]
    yield (
        f"One parameter after the other times 1 + {RELATIVE:g} does not pass: {counts}. Those that "
        "do are sums over the batch that cancel, and the rounding bound of their terms covers the "
        f"mistake. Rounding as it is observed at {_POINTS} points nearby is far below its bound; "
        "what lies between the two is inconclusive."
    )
    yield (
        f"gradcheck was asked about {len(found['noticed']['slow'])} entries, fast_mode, which "
        f"projects all parameters on a random direction, about {len(fast)}: it passes one that is "
        f"wrong by up to {_before(max(fast)):,.0f} times its size. {_parts(found)}"
    )


def _before(factor: float) -> float:
    """The largest factor that was tried and passed: they are spaced by the root of 10."""
    return factor / 10**0.5


def _table(
    found: dict[str, Any], slow: float, times: dict[str, Any], errors: dict[str, float]
) -> Iterator[str]:
    yield "| method | CPU time | against gradcheck | error | notices |"
    yield "|---|---|---|---|---|"
    for name, title in _TITLES.items():
        seconds = times[name][1]
        error = f"{errors[name]:.1e}" if name in errors else ""
        yield (
            f"| {title} | {_time(seconds)} | {slow / seconds:,.3g} | {error} "
            f"| {_notices(found, name)} |"
        )


def _notices(found: dict[str, Any], name: str) -> str:
    if name in found["ours"]:
        _, middle, _, top = found["ours"][name]["smallest"]
        return f"{middle:.1e}, {top:.1e}"
    if name in found["noticed"]:
        sample = found["noticed"][name]
        return f"{spread(sample).median:.1e}, {max(sample):.1e} of {len(sample)}"
    return ""


def _parts(found: dict[str, Any]) -> str:
    """What was timed on a part of the parameters."""
    naive = f"The naive differences were timed on {found['naive parameters']:,} parameters"
    if found["slow parameters"] == found["parameters"]:
        return f"{naive}, and the time scaled up."
    return f"{naive} and gradcheck on {found['slow parameters']:,}, and their times scaled up."


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1e3 * seconds:.1f} ms"


if __name__ == "__main__":
    sys.exit(main(measure))
