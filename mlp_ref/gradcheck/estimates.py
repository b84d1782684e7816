"""Two estimates of a gradient, each with its own error."""

from __future__ import annotations

from collections.abc import Callable
from math import log, sqrt
from typing import NamedTuple

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.checks import fail
from mlp_ref.gradcheck.noise import Scalar, evaluate, noise_level, require_point, unit_roundoff

__all__ = ["COMPLEX_STEP", "Estimate", "Method", "central_differences", "complex_step", "quantile"]

# The square of the step vanishes against 1 in both precisions, and the step does not underflow.
COMPLEX_STEP = 2.0**-66
_FALSE_ALARM = 2.0**-20  # of a whole check: one in a million
_REPEATS = 8


class Estimate(NamedTuple):
    """An estimated gradient.

    ``gradient`` of the shape of x, float64
    ``error``    how far it may be from the exact gradient: truncation and rounding, as observed
    ``kink``     where the one-sided derivatives differ, so that there is no gradient
    """

    gradient: Array
    error: Array
    kink: Array


Method = Callable[[Scalar, Array], Estimate]


def quantile(entries: int) -> float:
    """t with P(|N(0, 1)| > t for any of so many) <= one in a million: sqrt(2 log(2 n / alpha))."""
    return sqrt(2 * log(2 * entries / _FALSE_ALARM))


def complex_step(f: Scalar, x: Array) -> Estimate:
    """df/dx_i = Im f(x + i h e_i) / h with h = 2^-66: no truncation, no cancellation.

    f must accept complex input and be analytic. The step goes down, so that a branch that compares
    (real, imaginary) sees the left side of a kink; a step up must agree, or there is a kink.

    The error is that of rounding alone, and it is observed: the estimate is repeated at points that
    differ from x by a few units in the last place, where every rounding in f falls anew. The
    standard deviation of an entry plus the pooled one of all entries, times the normal quantile for
    one false alarm in a million checks, bounds the error. Squire and Trapp, SIAM Review 40 (1998)
    110; Martins, Sturdza and Alonso, ACM TOMS 29 (2003) 245.

    Raises `InputError` if f does not return one finite complex number.
    """
    require_point(x)
    u, rng = unit_roundoff(x), np.random.default_rng(0)
    center, other = _complex_gradient(f, x, -COMPLEX_STEP), _complex_gradient(f, x, COMPLEX_STEP)
    repeats = np.empty((_REPEATS, *x.shape))
    for k in range(_REPEATS):
        nearby = x * (1 + 2 * u * rng.integers(-2, 3, x.shape)).astype(x.dtype)
        repeats[k] = _complex_gradient(f, nearby, -COMPLEX_STEP) - center
    deviation = np.sqrt(np.mean(np.square(repeats), axis=0))
    pooled = np.sqrt(np.mean(np.square(deviation))) + u * np.abs(center).max()
    error = quantile(x.size) * (deviation + pooled)
    return Estimate(center, error, np.asarray(np.abs(center - other) > 2 * error))


def _complex_gradient(f: Scalar, x: Array, step: float) -> Array:
    point: Array = x.astype(np.complex64 if x.dtype == np.float32 else np.complex128)
    gradient = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        shifted = point.copy()
        shifted[index] += 1j * step
        value = evaluate(f, shifted)
        if not np.iscomplexobj(value):
            fail(
                "f must return a complex number for complex x",
                f"{type(value).__name__}",
                "use method=central_differences for a function that is real only",
            )
        gradient[index] = float(value.imag) / step
    return gradient


def central_differences(f: Scalar, x: Array, noise: float | None = None) -> Estimate:
    """D(h) = (f(x + h e_i) - f(x - h e_i)) / 2h, extrapolated to h = 0 by Richardson's tableau.

    The steps are 2^-k for k = 1 ... 1/2 log2(1/u), relative to max(|x_i|, 1). Each entry of the
    tableau has a truncation error, at most the distance to the entries that it came from, and a
    rounding error: the noise of f (``noise``, a standard deviation, else `noise_level`) over h,
    amplified by the extrapolation. The entry with the smallest sum is taken, and the sum is its
    error (Ridders, Adv. Eng. Software 4 (1982) 75, with the rounding counted).

    A kink shows as a difference of the forward and backward quotients that stays when h shrinks.
    """
    require_point(x)
    u = unit_roundoff(x)
    level = noise_level(f, x) if noise is None else float(noise)
    gradient, error = np.empty(x.shape), np.empty(x.shape)
    kink = np.zeros(x.shape, bool)
    center = float(evaluate(f, x))
    count = int(-np.log2(u) / 2)
    noisy = quantile(x.size) * level
    for index in np.ndindex(x.shape):
        unit = 2.0 ** np.ceil(np.log2(max(abs(float(x[index])), 1.0)))
        steps, values = [], []
        for k in range(1, count):
            above, below = x.copy(), x.copy()
            above[index] += unit * 2.0**-k
            below[index] -= unit * 2.0**-k
            steps.append((float(above[index]) - float(below[index])) / 2)
            with np.errstate(over="ignore", invalid="ignore"):
                values.append((float(f(above)), float(f(below))))
        gradient[index], error[index] = _extrapolate(values, steps, noisy)
        kink[index] = _has_kink(values, steps, center, noisy)
    return Estimate(gradient, error, kink)


def _extrapolate(
    values: list[tuple[float, float]], steps: list[float], noisy: float
) -> tuple[float, float]:
    """The entry of Richardson's tableau with the smallest error, and that error."""
    best = (np.nan, np.inf)
    row: list[float] = []
    amplified: list[float] = []
    for (above, below), h in zip(values, steps, strict=True):
        fresh, rounding = [(above - below) / (2 * h)], [noisy / h]
        for order, (older, older_rounding) in enumerate(zip(row, amplified, strict=True), 1):
            weight = 4.0**order
            fresh.append((weight * fresh[-1] - older) / (weight - 1))
            rounding.append((weight * rounding[-1] + older_rounding) / (weight - 1))
            truncation = max(abs(fresh[-1] - fresh[-2]), abs(fresh[-1] - older))
            total = truncation + rounding[-1]
            if total < best[1]:
                best = (fresh[-1], total)
        row, amplified = fresh[:8], rounding[:8]
    return best


def _has_kink(
    values: list[tuple[float, float]], steps: list[float], center: float, noisy: float
) -> bool:
    """Whether forward and backward quotients keep a distance that noise does not explain.

    For a smooth f the distance is proportional to h, so four halvings divide it by 16; half of that
    on a logarithmic scale, 4, separates the two.
    """
    gaps = [
        (abs((above - center) / h - (center - below) / h), 4 * noisy / h)
        for (above, below), h in zip(values, steps, strict=True)
    ]
    clear = [gap for gap, floor in gaps if gap > 4 * floor]
    return len(clear) > 4 and clear[-1] * 4 > clear[-5]
