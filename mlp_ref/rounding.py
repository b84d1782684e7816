"""What rounding may do to the activation functions and their derivatives, formula by formula.

For each function f there are two bounds, ``*_value(A, z)`` and ``*_slope(A, z)``: the largest
|fl(f)(x) - f(x)| and |fl(f')(x) - f'(x)| over all x in the interval z, in the arithmetic A, for every
usual way of writing f. The error that x itself carries is not part of them. docs/theory.md derives
each; K is the allowance of an elementary function, u the unit roundoff, tiny what underflow may cost.

A factor is taken at its largest over z, and the largest value of a product is at most the product
of the largest values.
"""

from __future__ import annotations

import numpy as np

from mlp_ref.arithmetic import Arithmetic, Array, Interval
from mlp_ref.special import (
    gaussian,
    gelu_tanh_argument,
    gelu_tanh_argument_slope,
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


def sigmoid_value(A: Arithmetic, z: Interval) -> Array:
    """Of 1 / (1 + exp(-x)) and of e / (1 + e), e = exp(x)."""
    return (2 * A.K + 3) * A.u * z.sup(logistic) + 4 * A.tiny


def sigmoid_slope(A: Arithmetic, z: Interval) -> Array:
    """Of e / (1 + e)^2 and of a (1 - a), where 1 - a inherits the absolute error of a."""
    slope = z.sup(logistic_slope, (0.0,))
    a_error = (2 * A.K + 3) * A.u * z.sup(logistic)
    product = z.sup(lambda x: np.tanh(x / 2)) * a_error + 2 * A.u * slope
    return np.maximum((2 * A.K + 4) * A.u * slope, product) + 8 * A.tiny


def tanh_value(A: Arithmetic, z: Interval) -> Array:
    """Of tanh(x), an elementary function."""
    return A.K * A.u * z.sup(np.tanh) + 2 * A.tiny


def tanh_slope(A: Arithmetic, z: Interval) -> Array:
    """Of 4 e / (1 + e)^2, e = exp(-2|x|), and of 1 - a^2."""
    slope = z.sup(sech2, (0.0,))
    difference = (2 * A.K + 1) * A.u * z.sup(np.tanh) ** 2 + 2 * A.u * slope
    return np.maximum((2 * A.K + 4) * A.u * slope, difference) + 8 * A.tiny


def leaky_relu_value(A: Arithmetic, z: Interval) -> Array:
    """Of 0.01 x: the constant and the product are rounded."""
    return np.where(z.lo < 0, 0.0201 * A.u * np.abs(z.lo) + A.tiny, 0)


def leaky_relu_slope(A: Arithmetic, z: Interval) -> Array:
    """Of the constant 0.01."""
    return np.where(z.lo <= 0, 0.01 * A.u, 0)


def _elu_branch(z: Interval) -> tuple[Array, Array]:
    """The largest exp(x) and |exp(x) - 1| on the part of z where x <= 0."""
    return np.exp(np.minimum(z.hi, 0)), -np.expm1(np.minimum(z.lo, 0))


def elu_value(A: Arithmetic, z: Interval) -> Array:
    """Of expm1(x) and of exp(x) - 1, wherever the computed x may be negative."""
    e, a = _elu_branch(z)
    return np.where(z.lo <= 0, A.u * A.K * (e + a) + 2 * A.tiny, 0)


def elu_slope(A: Arithmetic, z: Interval) -> Array:
    """Of exp(x) and of a + 1."""
    e, a = _elu_branch(z)
    return np.where(z.lo <= 0, A.u * (A.K * (2 * e + a) + 2 * (e + a)) + 4 * A.tiny, 0)


def softplus_value(A: Arithmetic, z: Interval) -> Array:
    """Of max(x, 0) + log1p(exp(-|x|)) and of log1p(exp(x))."""
    return (2 * A.K + 3) * A.u * z.sup(softplus) + 4 * A.tiny


def softplus_slope(A: Arithmetic, z: Interval) -> Array:
    """Of the sigmoid."""
    return sigmoid_value(A, z)


def silu_value(A: Arithmetic, z: Interval) -> Array:
    """Of x s and of x / (1 + exp(-x)), s = sigmoid(x)."""
    width = z.magnitude
    return (2 * A.K + 4) * A.u * width * z.sup(logistic) + 4 * (1 + width) * A.tiny


def silu_slope(A: Arithmetic, z: Interval) -> Array:
    """Of s (1 + x (1 - s)) and of s + x s (1 - s)."""
    s, width = z.sup(logistic), z.magnitude
    spread = s + 2 * width * z.sup(logistic_slope, (0.0,))
    s_error = (2 * A.K + 3) * (spread + width * s * s)
    return np.asarray(A.u * (s_error + 4 * spread) + 8 * (1 + width) * A.tiny)


def _normal_cdf(A: Arithmetic, z: Interval) -> Array:
    """Of Phi as (1 + erf(x / sqrt 2)) / 2 and as erfc(-x / sqrt 2) / 2."""
    cdf, half_erf = z.sup(normal_cdf), np.minimum(0.5, 0.4 * z.magnitude)
    by_formula = np.maximum(A.K * half_erf + 2 * cdf, (A.K + 2) * cdf)
    return np.asarray(A.u * (by_formula + 3 * z.magnitude * z.sup(gaussian, (0.0,))) + 4 * A.tiny)


def gelu_value(A: Arithmetic, z: Interval) -> Array:
    """Of x Phi(x)."""
    cdf_error = _normal_cdf(A, z) + 3 * A.u * z.sup(normal_cdf)
    return np.asarray(z.magnitude * cdf_error + 4 * A.tiny)


def gelu_slope(A: Arithmetic, z: Interval) -> Array:
    """Of Phi + x phi with phi = exp(-x^2 / 2) / sqrt(2 pi), where x^2 is rounded."""
    width, density = z.magnitude, z.sup(gaussian, (0.0,))
    product_error = (A.K + 6) * width * density + 2 * width**3 * density
    sum_error = A.u * (product_error + z.sup(normal_cdf))
    return np.asarray(_normal_cdf(A, z) + sum_error + 8 * (1 + width) * A.tiny)


def _gelu_tanh_parts(A: Arithmetic, z: Interval) -> tuple[Array, Array, Array, Array]:
    """1 + t = 2 sigmoid(2 q) and its error, the error of t = tanh(q), and sech(q)^2."""
    q, slope = z.sup(gelu_tanh_argument), z.sup(lambda x: sech2(gelu_tanh_argument(x)), (0.0,))
    one_plus_t = 2 * z.sup(lambda x: logistic(2 * gelu_tanh_argument(x)))
    q_error = A.gamma(8) * q * slope
    t_error = A.K * A.u * z.sup(lambda x: np.tanh(gelu_tanh_argument(x))) + q_error
    by_logistic = (2 * A.K + 4) * A.u * one_plus_t + q_error
    return one_plus_t, np.maximum(t_error + A.u * one_plus_t, by_logistic), t_error, slope


def gelu_tanh_value(A: Arithmetic, z: Interval) -> Array:
    """Of x (1 + tanh q) / 2 and of x sigmoid(2 q)."""
    one_plus_t, error, _, _ = _gelu_tanh_parts(A, z)
    width = z.magnitude
    return np.asarray(width * (error + 3 * A.u * one_plus_t) / 2 + 8 * (1 + width) * A.tiny)


def gelu_tanh_slope(A: Arithmetic, z: Interval) -> Array:
    """Of (1 + t) / 2 + x q' (1 - t^2) / 2 and of s + 2 x q' s (1 - s), s = sigmoid(2 q)."""
    _, error, t_error, sech2_q = _gelu_tanh_parts(A, z)
    width = z.magnitude * z.sup(gelu_tanh_argument_slope)
    sech2_error = 2 * t_error + 2 * A.u + A.gamma(2 * A.K + 12) * sech2_q
    return np.asarray((error + width * sech2_error) / 2 + 8 * (1 + width) * A.tiny)
