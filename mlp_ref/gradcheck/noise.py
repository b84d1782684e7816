"""How noisy a computed function is: the rounding error that its values carry."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlp_ref.arithmetic import FLOAT32, FLOAT64, Array
from mlp_ref.checks import describe, fail

__all__ = [
    "Scalar",
    "attempt",
    "deviation",
    "evaluate",
    "least_change",
    "noise_level",
    "quantile",
    "relative_noise",
    "require_point",
    "unit_roundoff",
    "units",
]

Scalar = Callable[[Array], Any]
_FALSE_ALARM = 2.0**-20  # of a whole check: one in a million
_SIDE = 12  # points on each side of x
_ORDERS = range(3, 6)  # of the differences: smooth parts vanish, at least 8 differences remain
_COARSE = 3 / 8  # u to that power is 2^-20 in float64: sixteen units in the last place of float32
_COARSER = 2.0**6
_REGULAR = 1 / 8  # of u |f|: to round the values alone costs u |f| / sqrt 12 or more
_ALIKE = 4.0  # white noise gives the same at every order; the few differences scatter by less


def unit_roundoff(x: Array) -> float:
    """u of the dtype of a real point."""
    return FLOAT32.u if x.dtype == np.float32 else FLOAT64.u


def units(x: Array) -> NDArray[np.float64]:
    """The scale of the steps of each entry: max(|x_i|, 1), up to the next power of two.

    A multiple of a power of two is added to x without rounding, as far as the format allows.
    """
    return np.exp2(np.ceil(np.log2(np.maximum(np.abs(x.astype(np.float64)), 1.0))))


def quantile(entries: int) -> float:
    """t with P(|N(0, 1)| > t for any of so many) <= one in a million: sqrt(2 log(2 n / alpha))."""
    return sqrt(2 * log(2 * entries / _FALSE_ALARM))


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


def attempt(f: Callable[[Array], Any], x: Array) -> Any:
    """f(x) at a point that the caller did not choose: NaN where f is not defined there."""
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return np.asarray(f(x), np.float64)
    except (ArithmeticError, ValueError):
        return np.asarray(np.nan)


def least_change(f: Scalar, x: Array, signs: Array, center: float) -> float:
    """The change of f at the nearest point along ``signs`` (-1, 0 or 1 each) at which it changes.

    The move grows from one unit in the last place to |x|; 0 if none of them shows, as at x = 0.
    """
    ulp = np.where(x == 0, 0, np.spacing(np.abs(x))) * signs
    for k in range(0, -int(np.log2(unit_roundoff(x))) if ulp.any() else 0, 2):
        change = float(attempt(f, (x + 2.0**k * ulp).astype(x.dtype))) - center
        if change != 0:
            return change
    return 0.0


def noise_level(f: Scalar, x: Array, direction: Array | None = None) -> float:
    """Estimate the standard deviation of the rounding noise in f near x.

    That of `deviation`, and at least u |f(x)|, the rounding of the result. ``direction`` of the
    shape of x: the signs of the moves. Raises `InputError` if x is not a finite array of float32
    or float64, or if f(x) is not one finite number.
    """
    require_point(x)
    floor = unit_roundoff(x) * abs(float(evaluate(f, x.copy())))
    return max(float(deviation(f, x, direction)), floor)


def deviation(f: Callable[[Array], Any], x: Array, direction: Array | None = None) -> Array:
    """The standard deviation of the noise in f(x), a number or an array, entry by entry.

    Differences of order k of equally spaced values annihilate the smooth part and leave the noise:
    its variance is the mean square of the k-th differences times (k!)^2 / (2k)!. White noise gives
    the same at every order; if they differ the smallest counts, for the others still hold some of
    the smooth part. The spacing is sixteen units in the last place of max(|x|, 1), and becomes
    coarser as long as most neighbours are equal, or nothing is seen of the rounding of the values
    themselves, because f then moves by less than rounding shows, or by whole units in the last
    place: it computes in a lower precision, say, or is g(x + 1) near x = 0. The largest estimate is
    taken. The two sides of x are judged apart, and the quieter one counts if they differ, because
    a kink between the points looks like noise. Hamming, Introduction to Applied Numerical Analysis
    (1971); More and Wild, Estimating computational noise, SIAM J. Sci. Comput. 33 (2011) 1292.
    """
    u, unit = unit_roundoff(x), units(x)
    # Each entry moves at its own pace: in round numbers the arithmetic inside f might be exact.
    pace = np.random.default_rng(0).uniform(0.5, 1, x.shape) * unit
    signs = np.ones_like(pace) if direction is None else np.sign(direction)
    spacing, coarsest = 16 * u, max(u**_COARSE, 16 * u)
    found, settled = np.asarray(0.0), np.asarray(False)
    while True:
        reach = np.maximum(np.abs(x), _SIDE * spacing * unit)
        ulp = u * np.exp2(np.ceil(np.log2(reach)))  # so that the points are equally spaced
        step = np.rint(pace * spacing / ulp) * ulp * signs
        values = [attempt(f, (x + k * step).astype(x.dtype)) for k in range(-_SIDE, _SIDE + 1)]
        table = np.array(np.broadcast_arrays(*values))
        with np.errstate(over="ignore", invalid="ignore"):
            sides = [_side(half) for half in (table[: _SIDE + 1], table[_SIDE:])]
            level = _together(np.array(sides))
            moving = np.mean(np.diff(table, axis=0) != 0, axis=0) > 1 / 2
            random = level > _REGULAR * u * np.mean(np.abs(table), axis=0)
        found = np.where(settled, found, np.fmax(found, level))
        settled = settled | (moving & random)
        spacing *= _COARSER
        if settled.all() or spacing > coarsest:
            return np.where(np.isfinite(found), found, 0.0)


def _side(differences: Array) -> Array:
    """The noise in values (points, ...); NaN where they are not finite."""
    levels = []
    for order in range(1, _ORDERS.stop):
        differences = np.diff(differences, axis=0)
        if order in _ORDERS:
            scale = factorial(order) ** 2 / factorial(2 * order)
            levels.append(scale * np.mean(np.square(differences), axis=0))
    return _together(np.sqrt(levels))


def _together(levels: Array) -> Array:
    """The root mean square of estimates (k, ...) that are alike, else the least of them."""
    levels = np.where(np.isnan(levels), np.fmin.reduce(levels, axis=0), levels)
    least = np.min(levels, axis=0)
    mean = np.sqrt(np.mean(np.square(levels), axis=0))
    return np.asarray(np.where(np.max(levels, axis=0) <= _ALIKE * least, mean, least))


def relative_noise(f: Scalar, x: Array) -> float:
    """The noise of f over |f|, where f cancels least: at x or at one of two points away from it.

    It is what the arithmetic inside f costs, in place of the unit roundoff u, its least value. A
    value without noise (of a saturated function) does not count.
    """
    away = units(x) / 2 * np.random.default_rng(1).choice([-1.0, 1.0], x.shape)
    found = []
    for point in (x, *((x + sign * away).astype(x.dtype) for sign in (-1, 1))):
        size, noise = abs(float(attempt(f, point))), float(deviation(f, point))
        if np.isfinite(size) and size > 0 and noise > 0:
            found.append(noise / size)
    return max(unit_roundoff(x), min(found, default=0.0))
