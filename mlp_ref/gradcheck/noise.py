"""How noisy a computed function is: the rounding error that its values carry."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial, isfinite, sqrt
from typing import Any

import numpy as np

from mlp_ref.arithmetic import FLOAT32, FLOAT64, Array
from mlp_ref.checks import describe, fail

__all__ = ["Scalar", "evaluate", "noise_level", "require_point", "unit_roundoff"]

Scalar = Callable[[Array], Any]
_POINTS = 9  # 2 differences of order 7: enough to average, few enough to stay local


def unit_roundoff(x: Array) -> float:
    """u of the dtype of a real point."""
    return FLOAT32.u if x.dtype == np.float32 else FLOAT64.u


def require_point(x: object) -> None:
    """Require a real float32 or float64 array that is finite and not empty."""
    if not isinstance(x, np.ndarray) or x.dtype not in (np.float32, np.float64):
        fail("x must be a float32 or float64 array", describe(x), "cast with numpy.asarray")
    if x.size == 0:
        fail("x must have at least one entry", describe(x), "pass the point to check at")
    if not np.isfinite(x).all():
        fail("x must be finite", f"{describe(x)} with NaN or inf", "choose another point")


def evaluate(f: Scalar, x: Array) -> Any:
    """f(x), which must be one finite number."""
    value = f(x)
    if np.shape(value) != ():
        fail("f must return a scalar", f"shape {np.shape(value)}", "sum or select one number")
    if not np.isfinite(value):
        fail("f must be finite near x", f"{value}", "check the gradient at another point")
    return value


def noise_level(f: Scalar, x: Array, direction: Array | None = None) -> float:
    """Estimate the standard deviation of the rounding noise in f near x.

    Differences of order k of equally spaced values annihilate the smooth part and leave the noise:
    its variance is the mean square of the k-th differences times (k!)^2 / (2k)!. The points are a
    few units in the last place of x apart, so that every rounding in f falls anew. The order with
    the smallest estimate is taken, because a lower one may still hold some of the smooth part. At
    least u |f(x)|, the rounding of the result. Hamming, Introduction to Applied Numerical Analysis
    (1971); More and Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011) 1292.
    """
    require_point(x)
    u = unit_roundoff(x)
    step = np.maximum(np.abs(x), np.abs(x).max() * u + np.finfo(x.dtype).tiny) * (16 * u)
    along = np.ones_like(x) if direction is None else np.sign(direction)
    offsets = np.arange(_POINTS) - _POINTS // 2
    values = [float(evaluate(f, (x + k * step * along).astype(x.dtype))) for k in offsets]
    differences, estimates = np.array(values), []
    for order in range(1, _POINTS - 1):
        differences = np.diff(differences)
        scale = factorial(order) ** 2 / factorial(2 * order)
        estimates.append(sqrt(scale * float(np.mean(np.square(differences)))))
    observed = min(estimates[2:])
    floor = u * max(abs(value) for value in values)
    return max(observed, floor) if isfinite(observed) else floor
