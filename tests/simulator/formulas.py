"""Every usual formula of every activation function and its derivative, over simulated numbers.

A formula takes the engine m, the argument x and, for a derivative, the value y that was computed
before: any number within the bound of the value. ``low`` and ``high`` limit where it is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mlp_ref.arithmetic import Array, Interval
from mlp_ref.rounding import sigmoid_value
from mlp_ref.special import logistic
from simulator.engine import Engine, Number

INF = math.inf
SQRT_2, SQRT_HALF_PI = math.sqrt(2), math.sqrt(math.pi / 2)


class Formula(NamedTuple):
    """One way to write a function."""

    text: str
    evaluate: Callable[[Engine, Number, Number], Number]
    low: float = -INF
    high: float = INF

    def served(self, m: Engine, x: Number, y: Number, exact: Array) -> Number:
        """What the formula gives where it is used, and the exact result elsewhere."""
        used = (self.low <= x.value) & (x.value <= self.high)
        return Number(m, np.where(used, self.evaluate(m, x, y).value, exact))


def _sigmoid(m: Engine, x: Number) -> Number:
    return 1 / (1 + m.exp(-x))


def _sigmoid_e(m: Engine, x: Number) -> Number:
    e = m.exp(x)
    return e / (1 + e)


def _sigmoid_slope(m: Engine, x: Number) -> Number:
    e = m.exp(-abs(x))
    return e / _square(1 + e)


def _square(x: Number) -> Number:
    return x * x


def _sech2(m: Engine, x: Number) -> Number:
    e = m.exp(abs(x) * -2)
    return e * 4 / _square(1 + e)


def _sech2_cosh(m: Engine, x: Number) -> Number:
    return 1 / _square((m.exp(x) + m.exp(-x)) / 2)


def _silu_slope_far(m: Engine, x: Number) -> Number:
    return _sigmoid(m, x) * (1 + x * _sigmoid(m, -x))


def _phi(m: Engine, x: Number) -> Number:
    return m.exp(_square(x) * -0.5) * m.constant(1 / math.sqrt(2 * math.pi))


def _phi_divided(m: Engine, x: Number) -> Number:
    return m.exp(-(x * x / 2)) / m.constant(math.sqrt(2 * math.pi))


def _phi_from_erf(m: Engine, x: Number) -> Number:
    """The derivative of erf(x / sqrt 2) / 2 as automatic differentiation writes it."""
    inverse = 1 / m.constant(SQRT_2)
    y = x * inverse
    return m.constant(2 / math.sqrt(math.pi)) * m.exp(-_square(y)) * inverse / 2


def _one_plus_erf(m: Engine, x: Number) -> Number:
    return 1 + m.erf(x * (1 / m.constant(SQRT_2)))


def _cdf(m: Engine, x: Number) -> Number:
    return _one_plus_erf(m, x) / 2


def _cdf_erfc(m: Engine, x: Number) -> Number:
    return m.erfc(-x / m.constant(SQRT_2)) / 2


def _q(m: Engine, x: Number) -> Number:
    cube = x * x * x
    return m.constant(1 / SQRT_HALF_PI) * (x + m.constant(0.044715) * cube)


def _q_factored(m: Engine, x: Number) -> Number:
    return m.constant(1 / SQRT_HALF_PI) * (x * (1 + m.constant(0.044715) * (x * x)))


def _q_slope(m: Engine, x: Number) -> Number:
    c = m.constant(0.044715) * 3
    return m.constant(1 / SQRT_HALF_PI) * (1 + c * (x * x))


def _q_slope_expanded(m: Engine, x: Number) -> Number:
    b = m.constant(1 / SQRT_HALF_PI)
    return b + b * m.constant(0.134145) * x * x


def _t(m: Engine, x: Number) -> Number:
    return m.tanh(_q(m, x))


def _s(m: Engine, x: Number) -> Number:
    return _sigmoid(m, _q_factored(m, x) * 2)


# t and s are computed anew wherever they stand, so that their errors need not cancel.
def _gelu_tanh_slope(m: Engine, x: Number) -> Number:
    t = _t(m, x)
    return (1 + _t(m, x)) / 2 + x / 2 * (1 - t * t) * _q_slope(m, x)


def _gelu_tanh_slope_products(m: Engine, x: Number) -> Number:
    t = _t(m, x)
    square = (1 - t) * (1 + t)
    return (1 + _t(m, x)) * 0.5 + (x * _q_slope_expanded(m, x)) * square * 0.5


def _gelu_tanh_slope_apart(m: Engine, x: Number) -> Number:
    t = _t(m, x)
    return (1 + _t(m, x)) / 2 + x * _q_slope(m, x) * ((1 - t) * (1 + t)) * 0.5


def _gelu_tanh_slope_grouped(m: Engine, x: Number, side: int) -> Number:
    t = _t(m, x)
    square = (1 + m.again(t)) * (1 - t) if side > 0 else (1 - m.again(t)) * (1 + t)
    return (1 + _t(m, x)) / 2 + x * _q_slope(m, x) * square * 0.5


def _gelu_tanh_slope_logistic(m: Engine, x: Number) -> Number:
    s = _s(m, x)
    return _s(m, x) + x * (_q_slope(m, x) * 2) * (s * (1 - s))


def _gelu_tanh_slope_far(m: Engine, x: Number) -> Number:
    slope = _sigmoid_slope(m, _q_factored(m, x) * 2)
    return _s(m, x) + x * (_q_slope(m, x) * 2 * slope)


VALUES: dict[str, tuple[Formula, ...]] = {
    "identity": (Formula("x", lambda m, x, y: x),),
    "sigmoid": (
        Formula("1 / (1 + exp(-x))", lambda m, x, y: _sigmoid(m, x)),
        Formula("e / (1 + e), e = exp(x)", lambda m, x, y: _sigmoid_e(m, x), high=80),
    ),
    "tanh": (Formula("tanh(x)", lambda m, x, y: m.tanh(x)),),
    "relu": (Formula("max(x, 0)", lambda m, x, y: x.maximum(0)),),
    "leaky_relu": (
        Formula("x", lambda m, x, y: x, low=0),
        Formula("0.01 x", lambda m, x, y: m.constant(0.01) * x, high=0),
        Formula("x / 100", lambda m, x, y: x / 100, high=0),
    ),
    "elu": (
        Formula("x", lambda m, x, y: x, low=0),
        Formula("expm1(x)", lambda m, x, y: m.expm1(x), high=0),
        Formula("exp(x) - 1", lambda m, x, y: m.exp(x) - 1, high=0),
    ),
    "softplus": (
        Formula("log1p(exp(x))", lambda m, x, y: m.log1p(m.exp(x)), high=80),
        Formula(
            "max(x, 0) + log1p(exp(-|x|))",
            lambda m, x, y: x.maximum(0) + m.log1p(m.exp(-abs(x))),
        ),
    ),
    "silu": (
        Formula("x / (1 + exp(-x))", lambda m, x, y: x / (1 + m.exp(-x))),
        Formula("x s", lambda m, x, y: x * _sigmoid(m, x)),
        Formula("x e / (1 + e)", lambda m, x, y: x * _sigmoid_e(m, x), high=80),
    ),
    "gelu": (
        Formula("x Phi", lambda m, x, y: x * _cdf(m, x)),
        Formula("0.5 x (1 + erf(x / sqrt 2))", lambda m, x, y: x * 0.5 * _one_plus_erf(m, x)),
        Formula("x erfc(-x / sqrt 2) / 2", lambda m, x, y: x * _cdf_erfc(m, x)),
    ),
    "gelu_tanh": (
        Formula("0.5 x (1 + tanh q)", lambda m, x, y: x * 0.5 * (1 + m.tanh(_q(m, x)))),
        Formula("x sigmoid(2 q)", lambda m, x, y: x * _sigmoid(m, _q_factored(m, x) * 2)),
    ),
}

SLOPES: dict[str, tuple[Formula, ...]] = {
    "identity": (Formula("1", lambda m, x, y: m.number(1 + 0 * x.value)),),
    "sigmoid": (
        Formula("a (1 - a)", lambda m, x, y: y * (1 - y)),
        Formula("e / (1 + e)^2", lambda m, x, y: _sigmoid_slope(m, x)),
        Formula("s(x) s(-x)", lambda m, x, y: _sigmoid(m, x) * _sigmoid(m, -x)),
    ),
    "tanh": (
        Formula("1 - a^2", lambda m, x, y: 1 - y * y),
        Formula("(1 - a) (1 + a)", lambda m, x, y: (1 - y) * (1 + y)),
        Formula("(g + g a) (1 - a)", lambda m, x, y: (1 + m.again(y)) * (1 - y)),
        Formula("4 e / (1 + e)^2", lambda m, x, y: _sech2(m, x)),
        Formula("1 / cosh(x)^2", lambda m, x, y: _sech2_cosh(m, x)),
    ),
    "relu": (Formula("x > 0", lambda m, x, y: m.number(x.value > 0)),),
    "leaky_relu": (
        Formula("1", lambda m, x, y: m.number(1 + 0 * x.value), low=5e-324),
        Formula("0.01", lambda m, x, y: m.constant(0.01 + 0 * x.value), high=0),
    ),
    "elu": (
        Formula("1", lambda m, x, y: m.number(1 + 0 * x.value), low=5e-324),
        Formula("exp(x)", lambda m, x, y: m.exp(x), high=0),
        Formula("a + 1", lambda m, x, y: y + 1, high=0),
    ),
    "softplus": (
        Formula("1 / (1 + exp(-x))", lambda m, x, y: _sigmoid(m, x)),
        Formula("e / (1 + e), e = exp(x)", lambda m, x, y: _sigmoid_e(m, x), high=80),
    ),
    "silu": (
        Formula("s (1 + x (1 - s))", lambda m, x, y: _on(m, x, lambda s: s * (1 + x * (1 - s)))),
        Formula("s + x s (1 - s)", lambda m, x, y: _on(m, x, lambda s: s + x * s * (1 - s))),
        Formula("s + x (s (1 - s))", lambda m, x, y: _on(m, x, lambda s: s + x * (s * (1 - s)))),
        Formula("s + a (1 - s)", lambda m, x, y: _on(m, x, lambda s: s + y * (1 - s))),
        Formula("s(x) (1 + x s(-x))", lambda m, x, y: _silu_slope_far(m, x)),
    ),
    "gelu": (
        Formula("Phi + x phi", lambda m, x, y: _cdf(m, x) + x * _phi(m, x)),
        Formula("erfc / 2 + x phi", lambda m, x, y: _cdf_erfc(m, x) + x * _phi_divided(m, x)),
        Formula("Phi + x phi by erf'", lambda m, x, y: _cdf(m, x) + x * _phi_from_erf(m, x)),
    ),
    "gelu_tanh": (
        Formula("1 - t^2", lambda m, x, y: _gelu_tanh_slope(m, x)),
        Formula("(1 - t) (1 + t)", lambda m, x, y: _gelu_tanh_slope_products(m, x)),
        Formula("x q' (1 - t) (1 + t)", lambda m, x, y: _gelu_tanh_slope_apart(m, x)),
        Formula("(g + g t) (1 - t)", lambda m, x, y: _gelu_tanh_slope_grouped(m, x, 1)),
        Formula("(g - g t) (1 + t)", lambda m, x, y: _gelu_tanh_slope_grouped(m, x, -1)),
        Formula("s (1 - s)", lambda m, x, y: _gelu_tanh_slope_logistic(m, x)),
        Formula("e / (1 + e)^2", lambda m, x, y: _gelu_tanh_slope_far(m, x)),
    ),
}


def _on(m: Engine, x: Number, f: Callable[[Number], Number]) -> Number:
    """f(s) of a sigmoid s that was computed before."""
    at = Interval(x.value, x.value)
    return f(m.given(logistic(x.value), sigmoid_value(m.A, at)))
