"""What rounding may do to the activation functions and their derivatives, formula by formula.

For each function f there are two bounds, ``*_value(A, z)`` and ``*_slope(A, z)``: the largest
|fl(f)(x) - f(x)| and |fl(f')(x) - f'(x)| over all x in the interval z, in the arithmetic A, for
every usual way of writing f. The error that x itself carries is not part of them. docs/theory.md
derives each; K is the allowance of an elementary function, u the unit roundoff, tiny what underflow
may cost.

A factor is taken at its largest over z, and the largest value of a product is at most the product
of the largest values.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mlp_ref.arithmetic import Arithmetic, Array, Interval
from mlp_ref.special import (
    gaussian,
    gelu_tanh_argument,
    logistic,
    logistic_slope,
    normal_cdf,
    sech2,
    softplus,
)

__all__ = [
    "elu_slope",
    "elu_value",
    "exact",
    "gelu_slope",
    "gelu_tanh_slope",
    "gelu_tanh_value",
    "gelu_value",
    "leaky_relu_slope",
    "leaky_relu_value",
    "sigmoid_slope",
    "sigmoid_value",
    "silu_slope",
    "silu_value",
    "softplus_slope",
    "softplus_value",
    "tanh_slope",
    "tanh_value",
]


def exact(A: Arithmetic, z: Interval) -> Array:
    """Zero: a comparison and a copy are exact."""
    return np.zeros_like(z.lo)


def _then(A: Arithmetic, roundings: float, size: Array, error: Array) -> Array:
    """The error of a number of at most ``size`` that already errs, after further roundings."""
    return np.asarray(error + A.gamma(roundings) * (size + error))


def _function(A: Arithmetic, size: Array, error: Array) -> Array:
    """Of an elementary function of at most ``size`` that its argument moves by ``error``."""
    return np.asarray(error + A.K * A.u * (size + error))


def _one_minus_square(A: Arithmetic, a: Array, slope: Array, error: Array) -> Array:
    """Of 1 - a^2 = slope as (1 - a) (1 + a), for a that errs, also grouped as (g + g a) (1 - a).

    1 - a a errs by less: once for a a, which is at most what the grouping rounds, and once more.
    """
    grouped = A.u * (a + error) * (1 + a + error)
    return _then(A, 3, slope, (2 * a + error) * error + grouped)


def sigmoid_value(A: Arithmetic, z: Interval) -> Array:
    """Of 1 / (1 + exp(-x)) and of e / (1 + e), e = exp(x)."""
    return A.gamma(A.K + 2) * z.sup(logistic) + 4 * A.tiny


def sigmoid_slope(A: Arithmetic, z: Interval) -> Array:
    """Of s(x) s(-x), of e / (1 + e)^2 and of a (1 - a), where 1 - a inherits the error of a."""
    slope, error = z.sup(logistic_slope, (0.0,)), A.gamma(A.K + 2) * z.sup(logistic)
    product = (z.sup(lambda x: np.tanh(x / 2)) + error) * error
    return np.maximum(A.gamma(A.K + 5) * slope, _then(A, 2, slope, product)) + 8 * A.tiny


def tanh_value(A: Arithmetic, z: Interval) -> Array:
    """Of tanh(x), an elementary function."""
    return A.K * A.u * z.sup(np.tanh) + A.tiny


def tanh_slope(A: Arithmetic, z: Interval) -> Array:
    """Of 4 e / (1 + e)^2, e = exp(-2|x|), of 1 / cosh(x)^2, of 1 - a^2 and of (1 - a) (1 + a)."""
    slope, a = z.sup(sech2, (0.0,)), z.sup(np.tanh)
    from_a = _one_minus_square(A, a, slope, A.K * A.u * a)
    return np.maximum(A.gamma(2 * A.K + 4) * slope, from_a) + 8 * A.tiny


def leaky_relu_value(A: Arithmetic, z: Interval) -> Array:
    """Of 0.01 x: the constant and the product are rounded."""
    return np.where(z.lo < 0, 0.01 * A.gamma(2) * np.abs(z.lo) + A.tiny, 0)


def leaky_relu_slope(A: Arithmetic, z: Interval) -> Array:
    """Of the constant 0.01."""
    return np.where(z.lo <= 0, 0.01 * A.u, 0)


def elu_value(A: Arithmetic, z: Interval) -> Array:
    """Of expm1(x) and of exp(x) - 1, wherever the computed x may be negative."""
    e, a = np.exp(np.minimum(z.hi, 0)), -np.expm1(np.minimum(z.lo, 0))
    error = np.maximum(A.K * A.u * a, _then(A, 1, a, A.K * A.u * e))
    return np.where(z.lo <= 0, error + 2 * A.tiny, 0)


def elu_slope(A: Arithmetic, z: Interval) -> Array:
    """Of exp(x) and of a + 1, which inherits the error of a."""
    e = np.exp(np.minimum(z.hi, 0))
    return np.where(z.lo <= 0, _then(A, 1, e, elu_value(A, z)) + A.tiny, 0)


def softplus_value(A: Arithmetic, z: Interval) -> Array:
    """Of max(x, 0) + log1p(exp(-|x|)) and of log1p(exp(x))."""
    return A.gamma(2 * A.K + 1) * z.sup(softplus) + 4 * A.tiny


def softplus_slope(A: Arithmetic, z: Interval) -> Array:
    """Of the sigmoid."""
    return sigmoid_value(A, z)


def silu_value(A: Arithmetic, z: Interval) -> Array:
    """Of x s and of x / (1 + exp(-x)), s = sigmoid(x)."""
    width = z.magnitude
    return A.gamma(A.K + 3) * width * z.sup(logistic) + (4 * width + 1) * A.tiny


def silu_slope(A: Arithmetic, z: Interval) -> Array:
    """Of s (1 + x (1 - s)), s + x s (1 - s), s + a (1 - s) and s(x) (1 + x s(-x))."""
    s, width = z.sup(logistic), z.magnitude
    error = A.gamma(A.K + 2) * s
    product = width * _then(A, 5, s, (1 + error) * error)
    return np.asarray(A.gamma(A.K + 4) * s + product + 10 * (1 + width) * A.tiny)


def _bend(c: float, z: Interval) -> Array:
    """The largest expm1(c x^2) / x^2, to first order c: phi(x (1 - s)) <= phi(x) exp(s x^2)."""
    square = np.square(np.clip(z.magnitude, 1, 40))
    return np.asarray(np.expm1(c * square) / square)


def _moment(k: int, z: Interval) -> Array:
    """The largest |x|^k phi(x), with a peak at |x| = sqrt(k)."""
    return z.absolute.sup(lambda x: np.minimum(x, 40) ** k * gaussian(x), (math.sqrt(k),))


def _normal_cdf(A: Arithmetic, z: Interval) -> Array:
    """Of Phi as (1 + erf(t)) / 2 and as erfc(-t) / 2, where t = x / sqrt 2 has 3 roundings.

    |Phi(x (1 + d)) - Phi(x)| <= phi(x) expm1(c x^2) / |x| for |d| <= c.
    """
    cdf, half_erf = z.sup(normal_cdf), np.minimum(0.5, 0.4 * z.magnitude)
    shift = _bend(A.gamma(3), z) * _moment(1, z)
    by_erf = _then(A, 1, cdf, _function(A, half_erf, shift))
    return np.maximum(by_erf, _function(A, cdf, shift)) + 3 * A.tiny


def _unless_doubled(A: Arithmetic, z: Interval, error: Array) -> Array:
    """Infinite where x (1 + erf) or x (1 + tanh) may overflow before it is halved."""
    return np.where(z.magnitude > A.limit / 2, np.inf, error)


def gelu_value(A: Arithmetic, z: Interval) -> Array:
    """Of x Phi(x)."""
    error = z.magnitude * _then(A, 1, z.sup(normal_cdf), _normal_cdf(A, z))
    return _unless_doubled(A, z, error + 3 * A.tiny)


def gelu_slope(A: Arithmetic, z: Interval) -> Array:
    """Of Phi + x phi, x^2 / 2 with 7 roundings.

    phi is taken as exp(-x^2 / 2) / sqrt(2 pi) and as the derivative of erf(x / sqrt 2) / 2.
    """
    size, shift = _moment(1, z), _bend(A.gamma(7) / 2, z) * _moment(3, z)
    total = _normal_cdf(A, z) + _then(A, A.K + 6, size, shift)
    return _then(A, 1, z.sup(normal_cdf) + size, total) + (4 * z.magnitude + 2) * A.tiny


_SQRT_2_OVER_PI, _CUBE = 0.7978845608028655, 0.044715
_TANH_SATURATES = 30.0  # beyond, sech^2 q is 0


class _GeluTanh(NamedTuple):
    """The parts of gelu_tanh, t = tanh(q) and 1 + t = 2 sigmoid(2 q), and what they err by."""

    t: Array
    one_plus_t: Array
    sech2: Array
    by_tanh: Array  # t as tanh(q)
    shift: Array  # 2 sigmoid(2 q) where q and exp err, but nothing else
    by_logistic: Array  # 2 sigmoid(2 q)


def _gelu_tanh(A: Arithmetic, z: Interval) -> _GeluTanh:
    """q has 4 roundings on x and 7 on x^3; K u of exp acts as a shift of q by gamma(K) / 2."""
    x = np.minimum(z.magnitude, _TANH_SATURATES)
    q = _SQRT_2_OVER_PI * x * (A.gamma(4) + A.gamma(7) * (_CUBE * np.square(x)))
    slope = z.absolute.sup(lambda x: sech2(gelu_tanh_argument(x)))
    t = z.sup(lambda x: np.tanh(gelu_tanh_argument(x)))
    one_plus_t = 2 * z.sup(lambda x: logistic(2 * gelu_tanh_argument(x)))
    shift = (q + A.gamma(A.K) / 2) * slope
    by_tanh = _function(A, t, q * slope)
    by_logistic = _then(A, 2, one_plus_t, shift)
    return _GeluTanh(t, one_plus_t, slope, by_tanh, shift, by_logistic)


def gelu_tanh_value(A: Arithmetic, z: Interval) -> Array:
    """Of x (1 + tanh q) / 2 and of x sigmoid(2 q)."""
    parts, width = _gelu_tanh(A, z), z.magnitude
    error = np.maximum(_then(A, 1, parts.one_plus_t, parts.by_tanh), parts.by_logistic)
    error = width * _then(A, 1, parts.one_plus_t, error) / 2
    return _unless_doubled(A, z, error + (4 * width + 3) * A.tiny)


def gelu_tanh_slope(A: Arithmetic, z: Interval) -> Array:
    """Of (1 + t) / 2 + x q' (1 - t^2) / 2 and of s + 2 x q' s (1 - s), s = sigmoid(2 q).

    x q' is the sum of a term in x with 3 roundings and one in x^3 with 7; the two products and the
    sum have 3. 1 - t^2 has 3 as (1 - t) (1 + t), which may be grouped as in `_one_minus_square`;
    s (1 - s) has 2, and 4 as e / (1 + e)^2.
    """
    parts, width = _gelu_tanh(A, z), np.minimum(z.magnitude, 2.0**300)  # its cube is finite
    linear = _SQRT_2_OVER_PI * width
    cubic = 3 * _CUBE * np.square(width) * linear

    def both(roundings: float, sum_error: Array, t_error: Array, square: Array) -> Array:
        square = (2 * parts.t + t_error) * t_error + square
        product = linear * _then(A, roundings + 3, parts.sech2, square)
        product = product + cubic * _then(A, roundings + 7, parts.sech2, square)
        return _then(A, 1, parts.one_plus_t, sum_error) + product

    by_sum = _then(A, 1, parts.one_plus_t, parts.by_tanh)
    none, top = np.zeros_like(width), parts.t + parts.by_tanh
    by_tanh = both(6, by_sum, parts.by_tanh, A.u * top * (1 + top))
    by_logistic = np.maximum(
        both(5, parts.by_logistic, parts.by_logistic, none),
        both(7, parts.by_logistic, parts.shift, none),
    )
    return np.maximum(by_tanh, by_logistic) / 2 + (12 + 8 * linear + 12 * cubic) * A.tiny
