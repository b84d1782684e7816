"""Taylor's test: the remainder of the linear model must fall like the square of the step."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mlp_ref.arithmetic import Array
from mlp_ref.checks import describe, fail
from mlp_ref.gradcheck.estimates import quantile
from mlp_ref.gradcheck.function import Verdict
from mlp_ref.gradcheck.noise import Scalar, evaluate, noise_level, require_point, unit_roundoff

__all__ = ["TaylorReport", "taylor_test"]

_BETWEEN = 1.5  # half way between order 1, a wrong gradient, and order 2, a right one


@dataclass(frozen=True)
class TaylorReport:
    """The outcome: the steps above the noise, their remainders, and the orders between them."""

    verdict: Verdict
    reason: str
    steps: tuple[float, ...]
    remainders: tuple[float, ...]
    orders: tuple[float, ...]


def taylor_test(
    f: Scalar, x: Array, gradient: Array, direction: Array | None = None, noise: float | None = None
) -> TaylorReport:
    """R(h) = |f(x + h d) - f(x) - h <gradient, d>| is O(h^2) if and only if the slope is right.

    No step has to be chosen: h runs through 2^-k from large to small, and only remainders above
    the noise of f count. The order between two steps is log2(R(h) / R(h/2)). The test passes if
    the last clear orders reach 1.5 on average, fails if they stay below, and is inconclusive if
    fewer than three remainders are clear; if none is, f is linear along d, and the gradient right
    to within the noise.

    ``direction`` of the shape of x; by default one of fixed pseudo-random signs. A wrong entry with
    a small part in d can hide: `check_gradient` finds which. Raises `InputError` as it does.
    """
    require_point(x)
    if not isinstance(gradient, np.ndarray) or gradient.shape != x.shape:
        fail(f"the gradient must have shape {x.shape}", describe(gradient), "reshape it")
    d = np.random.default_rng(0).choice([-1.0, 1.0], x.shape) if direction is None else direction
    d = np.asarray(d, np.float64)
    if d.shape != x.shape or not np.isfinite(d).all() or not d.any():
        fail(f"the direction must be finite, of shape {x.shape}, not zero", describe(d), "draw one")
    level = noise_level(f, x, d) if noise is None else float(noise)
    g = np.asarray(gradient, np.float64)
    slope = float(np.sum(g * d))
    # The perturbed point is rounded, which moves f by at most u <|g|, |x|>.
    floor = quantile(1) * level + unit_roundoff(x) * float(np.sum(np.abs(g * x)))
    steps, remainders = _clear_remainders(f, x, d, slope, floor)
    orders = tuple(float(np.log2(big / small)) for big, small in pairwise(remainders))
    report = (tuple(steps), tuple(remainders), orders)
    if not np.isfinite(slope):
        return TaylorReport(Verdict.FAIL, "the gradient is not finite", *report)
    if not steps:
        return TaylorReport(Verdict.PASS, "no remainder above the noise at any step", *report)
    if len(steps) < 3:
        return TaylorReport(
            Verdict.INCONCLUSIVE, f"only {len(steps)} remainders are above the noise", *report
        )
    last = float(np.mean(orders[-4:]))  # a remainder that changes its sign disturbs two
    if last >= _BETWEEN:
        return TaylorReport(Verdict.PASS, f"the remainder is of order {last:.2f}", *report)
    return TaylorReport(Verdict.FAIL, f"the remainder is of order {last:.2f}, not 2", *report)


def _clear_remainders(
    f: Scalar, x: Array, d: NDArray[np.float64], slope: float, floor: float
) -> tuple[list[float], list[float]]:
    """Remainders from the largest step on, as long as they exceed sixteen times the floor.

    Then each is known to a sixteenth, and an order between two of them to 0.2.
    """
    u, center = unit_roundoff(x), float(evaluate(f, x))
    unit = float(2.0 ** np.ceil(np.log2(max(float(np.abs(x).max()), 1.0))))
    steps: list[float] = []
    remainders: list[float] = []
    for k in range(1, int(-np.log2(u))):
        h = unit * 2.0**-k
        with np.errstate(over="ignore", invalid="ignore"):
            moved = float(f((x + h * d).astype(x.dtype)))
        remainder = abs(moved - center - h * slope)
        if not np.isfinite(remainder):
            continue
        if remainder <= 16 * (floor + u * abs(h * slope)):
            break
        steps.append(h)
        remainders.append(remainder)
    return steps, remainders
