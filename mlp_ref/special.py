"""Stable kernels of exp, log and erf type, over the whole range of finite input.

Every function keeps float32 and float64, propagates NaN and takes complex input with a
small imaginary part (the complex step): branches then follow the real part. Source of the splitting
by sign: Higham, Accuracy and Stability of Numerical Algorithms, section 1.14.1 and problem 1.5.
"""

from __future__ import annotations

import numpy as np

from mlp_ref.arithmetic import Array

__all__ = [
    "above_minus_inf",
    "clip_real",
    "finite",
    "gaussian",
    "gelu_tanh_argument",
    "gelu_tanh_argument_slope",
    "log1p",
    "logistic",
    "logistic_slope",
    "minus_abs",
    "normal_cdf",
    "sech2",
    "softplus",
]

# Chebyshev interpolation of (z + 1) M(z), with M(z) = (1 - Phi(z)) / phi(z) Mills' ratio, in
# t = (z - 5) / (z + 5), written in powers of t; truncation 2e-17. The substitution is that of
# Shepherd and Laframboise, Math. Comp. 36 (1981) 249; docs/make_mills.py computes the numbers.
_MILLS = (
    1.1568486282918946, -0.22948753825211315, 0.07778159886873554, 0.0250721793016388,
    -0.0661776007789934, 0.0615050458401865, -0.038026592187762366, 0.01634823128102938,
    -0.004201290310663574, 1.9530638370790786e-05, 0.00045704381820007954,
    -0.0001343742785571135, -2.48054584472145e-05, 2.270961270923768e-05,
    -1.7723438185601556e-07, -3.277287633208865e-06, 3.2197131609042185e-07,
    4.91996233147834e-07, -6.738323465177047e-08, -7.758520236786343e-08,
    1.0082895646260188e-08, 1.1032071151574336e-08, -1.0846925288860795e-09,
    -9.564832934712551e-10, 6.288377855498677e-11,
)  # fmt: skip

_SQRT_2PI = 2.5066282746310002
_SQRT_2_OVER_PI = 0.7978845608028654
_TANH_SATURATES = 30.0  # where q(x) passes 900, while x^3 is far from overflow
_PHI_UNDERFLOWS = 40.0  # phi(40) = 1e-348 is 0 in float64


def minus_abs(x: Array) -> Array:
    """-|x|; for complex x the analytic branch with a real part of at most zero."""
    return np.where(x.real > 0, -x, x) if x.dtype.kind == "c" else np.negative(np.abs(x))


def clip_real(x: Array, limit: float) -> Array:
    """x within [-limit, limit]; for complex x by its real part, and constant beyond."""
    if x.dtype.kind != "c":
        return np.clip(x, -limit, limit)
    return np.where(np.abs(x.real) > limit, np.copysign(limit, x.real), x).astype(x.dtype)


def finite(x: Array) -> Array:
    """x with -inf and inf replaced by the largest floats, so that inf times 0 does not arise."""
    return clip_real(x, float(np.finfo(x.dtype).max))


def above_minus_inf(x: Array) -> Array:
    """x with -inf replaced by the lowest float; inf stays."""
    return x if x.dtype.kind == "c" else np.maximum(x, np.finfo(x.dtype).min)


def log1p(x: Array) -> Array:
    """log(1 + x). NumPy's complex version loses half of the digits of the real part near zero."""
    if x.dtype.kind != "c":
        return np.asarray(np.log1p(x))
    real = np.log1p(x.real * (2 + x.real) + x.imag**2) / 2
    return np.asarray(real + 1j * np.arctan2(x.imag, 1 + x.real))


def logistic(x: Array, out: Array | None = None) -> Array:
    """1 / (1 + exp(-x)), elementwise, with small relative error in both tails.

    With e = exp(-|x|) this is 1 / (1 + e) for x > 0 and e / (1 + e) for x <= 0: no exp overflows.
    ``out`` must not be x.
    """
    e = np.exp(minus_abs(x), out=out)
    top = np.where(x.real > 0, e.dtype.type(1), e)
    e += 1
    return np.asarray(np.divide(top, e, out=out))


def logistic_slope(x: Array) -> Array:
    """The derivative e / (1 + e)^2, e = exp(-|x|): even in x, no cancellation in a (1 - a)."""
    e = np.exp(minus_abs(x))
    return np.asarray(e / np.square(1 + e))


def sech2(x: Array) -> Array:
    """sech(x)^2 = 4 e / (1 + e)^2, e = exp(-2|x|): the derivative of tanh, no cancellation."""
    return 4 * logistic_slope(2 * clip_real(x, _TANH_SATURATES * 30))


def softplus(x: Array, out: Array | None = None) -> Array:
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)), elementwise."""
    return np.asarray(np.add(np.where(x.real > 0, x, 0), log1p(np.exp(minus_abs(x))), out=out))


def gelu_tanh_argument(x: Array) -> Array:
    """q(x) = sqrt(2/pi) (x + 0.044715 x^3), the argument of tanh in gelu_tanh, for |x| <= 30."""
    x = clip_real(x, _TANH_SATURATES)
    return np.asarray(_SQRT_2_OVER_PI * (x + 0.044715 * (x * x * x)))


def gelu_tanh_argument_slope(x: Array) -> Array:
    """q'(x) = sqrt(2/pi) (1 + 3 * 0.044715 x^2)."""
    return np.asarray(_SQRT_2_OVER_PI * (1 + 0.134145 * np.square(clip_real(x, _TANH_SATURATES))))


def gaussian(x: Array) -> Array:
    """phi(x) = exp(-x^2 / 2) / sqrt(2 pi) for real x, with small relative error in the tails.

    exp(-x^2/2) of the rounded square would lose x^2/2 units in the last place. So x = h + r with h
    a multiple of 1/256: h^2/2 is exact, and exp(-h^2/2) exp(-r (x + h) / 2) has two small errors.
    Computed in float64, returned in the dtype of x.
    """
    z = np.clip(x, -_PHI_UNDERFLOWS, _PHI_UNDERFLOWS).astype(np.float64)
    h = np.rint(z * 256) / 256
    phi = np.exp(h * h / -2) * np.exp((z - h) * (z + h) / -2) / _SQRT_2PI
    return np.asarray(phi).astype(x.dtype)


def normal_cdf(x: Array) -> Array:
    """Phi(x) = erfc(-x / sqrt 2) / 2, with small relative error for all x, far tail included.

    Phi(-|x|) = phi(x) M(|x|) with Mills' ratio M; Phi(|x|) = 1 - Phi(-|x|). Computed in float64,
    returned in the dtype of x. For complex x the continuation of first order in the imaginary part.
    """
    if x.dtype.kind == "c":
        return np.asarray(normal_cdf(x.real) + 1j * x.imag * gaussian(x.real)).astype(x.dtype)
    z = np.minimum(np.abs(x), _PHI_UNDERFLOWS).astype(np.float64)
    t = (z - 5) / (z + 5)
    mills = np.full_like(t, _MILLS[-1])
    for coefficient in reversed(_MILLS[:-1]):
        mills *= t
        mills += coefficient
    tail = gaussian(z) * mills / (z + 1)
    return np.asarray(np.where(x > 0, 1 - tail, tail)).astype(x.dtype)
