"""Two estimates of a gradient, each with its own error."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.checks import fail
from mlp_ref.gradcheck.noise import (
    Scalar,
    attempt,
    deviation,
    evaluate,
    least_change,
    noise_level,
    quantile,
    relative_noise,
    require_point,
    unit_roundoff,
    units,
)
from mlp_ref.gradcheck.richardson import Quotients, extrapolate, has_kink

__all__ = ["COMPLEX_STEP", "Estimate", "Method", "central_differences", "complex_step"]

# The square of the step vanishes against 1 in both precisions, and the step does not underflow.
COMPLEX_STEP = 2.0**-66


class Estimate(NamedTuple):
    """An estimated gradient.

    ``gradient`` of the shape of x, float64; NaN where none was found
    ``error``    how far it may be from the exact gradient: truncation and rounding, as observed
    ``kink``     where the one-sided derivatives differ, so that there is no gradient
    """

    gradient: Array
    error: Array
    kink: Array


Method = Callable[[Scalar, Array], Estimate]


def complex_step(f: Scalar, x: Array) -> Estimate:
    """df/dx_i = Im f(x + i h e_i) / h with h = 2^-66: no truncation, no cancellation.

    f must accept complex input and be analytic. The step goes down, so that a branch that compares
    (real, imaginary) sees the left side of a kink; a step up must agree, or there is a kink. Both
    run through the same roundings, up to the sign of the imaginary part.

    The error is that of rounding alone, and it is observed: the noise of the estimate itself at
    points around x, where every rounding in f falls anew. The standard deviation of an entry plus
    the pooled one of all entries, times the normal quantile for one false alarm in a million
    checks, bounds the error. Squire and Trapp, SIAM Review 40 (1998) 110; Martins, Sturdza and
    Alonso, ACM TOMS 29 (2003) 245.

    Raises `InputError` if f does not return one finite complex number.
    """
    require_point(x)
    center, other = _complex_gradient(f, x, -COMPLEX_STEP), _complex_gradient(f, x, COMPLEX_STEP)
    noise = deviation(lambda nearby: _complex_gradient(f, nearby, -COMPLEX_STEP), x)
    pooled = np.sqrt(np.mean(np.square(noise))) + unit_roundoff(x) * np.abs(center).max()
    error = quantile(x.size) * (noise + pooled)
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

    The steps are 4^-k / 2, relative to max(|x_i|, 1), down to four units in the last place: f may
    vary on any scale that its precision can show. A step where f is not finite, or raises an
    ArithmeticError or ValueError, does not count. Each quotient carries the noise of f (``noise``,
    a standard deviation, else `noise_level`; at least `relative_noise` of its values, and the least
    change that f shows) over h. What
    becomes of it, and of the truncation, says `extrapolate`; where no step shows the derivative it
    is NaN with an infinite error. So is it at a kink, where the forward and backward quotients
    keep a distance when h shrinks. Ridders, Adv. Eng. Software 4 (1982) 75.

    Raises `InputError` as `noise_level` does.
    """
    require_point(x)
    u = unit_roundoff(x)
    level = noise_level(f, x) if noise is None else float(noise)
    relative = relative_noise(f, x) if noise is None else u
    center, unit = float(evaluate(f, x)), units(x)
    gradient, error = np.full(x.shape, np.nan), np.full(x.shape, np.inf)
    kink = np.zeros(x.shape, bool)
    exponents = np.arange(1, -int(np.log2(4 * u)) + 1, 2)
    for position, index in enumerate(np.ndindex(x.shape)):
        above, below = (np.repeat(x[None], len(exponents), axis=0) for _ in range(2))
        nominal = unit[index] * np.exp2(-exponents.astype(np.float64))
        at = (slice(None), *index)
        above[at] = above[at] + nominal
        below[at] = below[at] - nominal
        quotients = Quotients.of(
            np.array([[float(attempt(f, point)) for point in side] for side in (above, below)]),
            center,
            least_change(f, x, np.equal(np.arange(x.size), position).reshape(x.shape), center),
            above[at].astype(np.float64) - float(x[index]),
            float(x[index]) - below[at].astype(np.float64),
            lambda size: quantile(x.size) * np.maximum(level, relative * size),
        )
        kink[index] = has_kink(quotients)
        if not kink[index]:
            gradient[index], error[index] = extrapolate(quotients)
    return Estimate(gradient, error, kink)
