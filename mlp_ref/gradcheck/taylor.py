"""Taylor's test: the remainder of the linear model must fall like the square of the step."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlp_ref.arithmetic import Array
from mlp_ref.checks import describe, fail
from mlp_ref.gradcheck.function import Verdict
from mlp_ref.gradcheck.noise import (
    Scalar,
    attempt,
    evaluate,
    least_change,
    noise_level,
    quantile,
    relative_noise,
    require_point,
    unit_roundoff,
    units,
)
from mlp_ref.gradcheck.richardson import quantum

__all__ = ["TaylorReport", "taylor_test"]

_BETWEEN = 1.5  # half way between order 1, a wrong gradient, and order 2, a right one
_NEAR_ONE = 0.25  # an order is known to 0.2
_CLEAR = 16  # times the noise: each remainder is known to a sixteenth, an order to 0.2
_RESOLVED = 1 / 32  # of the slope: what an error of 3 % leaves


@dataclass(frozen=True)
class TaylorReport:
    """The outcome: the steps above the noise, their remainders, and the orders between them."""

    verdict: Verdict
    reason: str
    steps: tuple[float, ...]
    remainders: tuple[float, ...]
    orders: tuple[float, ...]


class _Step(NamedTuple):
    """A step h, the remainder R(h), the secant (f(x + h d) - f(x)) / h, and the noise of R."""

    h: float
    remainder: float
    secant: float
    noise: float

    @property
    def clear(self) -> bool:
        return self.remainder > _CLEAR * self.noise


def taylor_test(
    f: Scalar, x: Array, gradient: Array, direction: Array | None = None, noise: float | None = None
) -> TaylorReport:
    """R(h) = |f(x + h d) - f(x) - h <gradient, d>| is O(h^2) if and only if the slope is right.

    No step has to be chosen: h runs through 2^-k from large to small, and only remainders above
    the noise of f count (``noise``, a standard deviation, else `noise_level`). The order between
    two steps is log2(R(h) / R(h/2)). The smallest clear steps decide, because at large ones the
    order means nothing: two orders of 1.5 pass, if R / h is there below 1/32 of the slope, so that
    an error of the slope by more would show; three orders near 1 fail, if the secants of f settle
    on another slope. Otherwise the test is inconclusive. If no remainder is clear, f is linear
    along d, and the gradient right to within the noise, if that is small against the slope.

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
    g = np.asarray(gradient, np.float64)
    if not np.isfinite(g).all():
        return TaylorReport(Verdict.FAIL, "the gradient is not finite", (), (), ())
    tried = _remainders(f, x, d, g, noise)
    clear = [step for step in tried if step.clear]
    orders = tuple(
        float(np.log2(big.remainder / small.remainder) / np.log2(big.h / small.h))
        for big, small in pairwise(clear)
    )
    verdict, reason = _judge(tried, clear, orders, abs(float(np.sum(g * d))))
    steps, remainders = (tuple(step[k] for step in clear) for k in (0, 1))
    return TaylorReport(verdict, reason, steps, remainders, orders)


def _remainders(
    f: Scalar, x: Array, d: NDArray[np.float64], g: NDArray[np.float64], noise: float | None
) -> list[_Step]:
    """The remainders of every step at which f is defined, from the largest on."""
    u, center = unit_roundoff(x), float(evaluate(f, x))
    level = noise_level(f, x, d) if noise is None else float(noise)
    relative = relative_noise(f, x) if noise is None else u
    slope, unit = float(np.sum(g * d)), float(units(x).max())
    steps = [unit * 2.0**-k for k in range(1, int(-np.log2(u)))]
    moved = np.array([float(attempt(f, (x + h * d).astype(x.dtype))) for h in steps])
    nearest = least_change(f, x, np.sign(d), center)
    with np.errstate(over="ignore", invalid="ignore"):
        level = max(level, quantum(np.append(moved - center, nearest)))
        tried = []
        for h, value in zip(steps, moved.tolist(), strict=True):
            # The perturbed point is rounded, which moves f by at most u <|g|, |x + h d|>.
            rounding = u * float(np.sum(np.abs(g) * (np.abs(x) + 2 * h * np.abs(d))))
            noisy = quantile(1) * max(level, relative * abs(value)) + rounding
            remainder, secant = abs(value - center - h * slope), (value - center) / h
            tried.append(_Step(h, remainder, secant, noisy))
    return [step for step in tried if np.isfinite(step.remainder)]


def _judge(
    tried: list[_Step], clear: list[_Step], orders: tuple[float, ...], slope: float
) -> tuple[Verdict, str]:
    if not any(step.secant for step in tried):
        return Verdict.INCONCLUSIVE, "f does not change at any step"
    if not clear:
        if any(_CLEAR * step.noise <= _RESOLVED * step.h * slope for step in tried):
            return Verdict.PASS, "no remainder above the noise at any step"
        return Verdict.INCONCLUSIVE, "noise hides the slope"
    if len(clear) < 3:
        return Verdict.INCONCLUSIVE, f"only {len(clear)} remainders are above the noise"
    first, second, last = clear[-3:]
    reason = f"the remainder is of order {orders[-1]:.2f}"
    if min(orders[-2:]) >= _BETWEEN:
        if all(s.remainder <= _RESOLVED * s.h * max(slope, abs(s.secant)) for s in clear[-3:]):
            return Verdict.PASS, reason
        return Verdict.INCONCLUSIVE, f"{reason}, but as large as the slope"
    change, before = abs(last.secant - second.secant), abs(second.secant - first.secant)
    # Secants of a smooth f approach the slope in proportion to h; 3/4 is half way to no approach.
    steady = len(orders) > 2 and all(abs(order - 1) <= _NEAR_ONE for order in orders[-3:])
    if steady and change <= 0.75 * before + 4 * last.noise / last.h:
        return Verdict.FAIL, f"{reason}, not 2"
    return Verdict.INCONCLUSIVE, f"{reason}, and has not settled"
