"""The activation functions: one record per elementwise function.

Each record puts side by side the textbook formula, the stable kernel of the value, the derivative
and the second derivative, and what rounding may do to the first two. Everything else in
the project (bounds, tests, command line, reports) iterates over `ACTIVATIONS`.

Conventions. At a kink the derivative is the limit from the LEFT, as in PyTorch: relu'(0) = 0 and
leaky_relu'(0) = 0.01 (JAX returns 1 for the latter). gelu is the exact one, with erf; gelu_tanh is
the approximation of Hendrycks and Gimpel, arXiv:1606.08415 (the default of JAX). elu has alpha = 1.
NaN goes through every function. At +inf and -inf value and slope are the limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from mlp_ref import rounding
from mlp_ref.arithmetic import Arithmetic, Array, Interval
from mlp_ref.special import (
    above_minus_inf,
    clip_real,
    finite,
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
    "ACTIVATIONS",
    "ELU",
    "GELU",
    "GELU_TANH",
    "IDENTITY",
    "LEAKY_RELU",
    "RELU",
    "SIGMOID",
    "SILU",
    "SOFTPLUS",
    "TANH",
    "Activation",
    "Elementwise",
]


class Activation(Protocol):
    """What a network needs of an activation: its value and its vector-Jacobian product."""

    @property
    def name(self) -> str:
        """The name in files and on the command line."""

    def value(self, x: Array, out: Array | None = None) -> Array:
        """a = f(z) for rows z (n, k)."""

    def vjp(self, g: Array, x: Array, y: Array, out: Array | None = None) -> Array:
        """J(x)^T g, row by row, where y = f(x); ``out`` may be x or y."""


@dataclass(frozen=True)
class Elementwise:
    """An elementwise function f: R -> R, its derivatives and the rounding errors of its kernels.

    ``definition(x, m)``  textbook formula over a namespace m of exp, log, tanh, erfc, sqrt, pi
    ``value(x, out)``     f(x) by a stable kernel; float32, float64, and complex if ``complex_step``
    ``slope(x, y, out)``  f'(x), y = f(x), accurate where 1 - y*y or y*(1 - y) would cancel; it may
                          be written into ``out``, which may be x or y
    ``second(x)``         f''(x), away from a kink
    ``peaks``             every local extremum of |f|, |f'| and |f''|
    ``lipschitz``         the supremum of |f'|, rounded up
    ``curvature``         the supremum of |f''|, rounded up (away from a kink)
    ``kinks``             where f' jumps
    ``in_place``          f'(f(x)) = f'(x), so that f(x) may take the place of x
    ``from_output``       sup |df'/df| where libraries compute f' from the stored output, else 0
    ``value_error(A, z)`` largest |fl(f)(x) - f(x)| over x in the interval z, in arithmetic A, for
                          every usual formula; docs/theory.md derives each
    ``slope_error(A, z)`` the same for f'
    """

    name: str
    definition: Callable[[Any, Any], Any]
    value: Callable[..., Array]
    slope: Callable[..., Array]
    second: Callable[[Array], Array]
    lipschitz: float
    curvature: float
    value_error: Callable[[Arithmetic, Interval], Array] = rounding.exact
    slope_error: Callable[[Arithmetic, Interval], Array] = rounding.exact
    peaks: tuple[float, ...] = ()
    kinks: tuple[float, ...] = ()
    from_output: float = 0.0
    complex_step: bool = True
    in_place: bool = False

    def vjp(self, g: Array, x: Array, y: Array, out: Array | None = None) -> Array:
        """g * f'(x), elementwise: the Jacobian is diagonal. ``out`` may be x or y."""
        return np.multiply(g, self.slope(x, y, out), out=out)

    def __repr__(self) -> str:
        return f"<activation {self.name}>"


def _identity(x: Array, out: Array | None = None) -> Array:
    if out is None:
        return x.copy()
    np.copyto(out, x)
    return out


IDENTITY = Elementwise(
    name="identity",
    definition=lambda x, m: x,
    value=_identity,
    slope=lambda x, y, out=None: np.where(np.isnan(x), x, x.dtype.type(1)),
    second=np.zeros_like,
    lipschitz=1.0,
    curvature=0.0,
    in_place=True,
)


SIGMOID = Elementwise(
    name="sigmoid",
    definition=lambda x, m: 1 / (1 + m.exp(-x)),
    value=logistic,
    slope=lambda x, y, out=None: logistic_slope(x),
    second=lambda x: -logistic_slope(x) * np.tanh(x / 2),
    lipschitz=0.25,
    curvature=0.09622504486493763,
    peaks=(-1.3169578969248168, 0.0, 1.3169578969248168),
    from_output=1.0,
    value_error=rounding.sigmoid_value,
    slope_error=rounding.sigmoid_slope,
)


TANH = Elementwise(
    name="tanh",
    definition=lambda x, m: m.tanh(x),
    value=np.tanh,
    slope=lambda x, y, out=None: sech2(x),
    second=lambda x: -2 * np.tanh(x) * sech2(x),
    lipschitz=1.0,
    curvature=0.7698003589195011,
    peaks=(-0.6584789484624084, 0.0, 0.6584789484624084),
    from_output=2.0,
    value_error=rounding.tanh_value,
    slope_error=rounding.tanh_slope,
)


RELU = Elementwise(
    name="relu",
    definition=lambda x, m: x if x > 0 else 0 * x,
    value=lambda x, out=None: np.maximum(x, 0, out=out),
    slope=lambda x, y, out=None: np.sign(y, out=out),  # heaviside(x, 0) takes several times as long
    second=np.zeros_like,
    lipschitz=1.0,
    curvature=0.0,
    kinks=(0.0,),
    in_place=True,
)


LEAKY_RELU = Elementwise(
    name="leaky_relu",
    definition=lambda x, m: x if x > 0 else x / 100,
    value=lambda x, out=None: np.maximum(x, 0.01 * x, out=out),
    slope=lambda x, y, out=None: np.maximum(np.sign(x), 0.01, out=out),
    second=np.zeros_like,
    lipschitz=1.0,
    curvature=0.0,
    kinks=(0.0,),
    in_place=True,
    value_error=rounding.leaky_relu_value,
    slope_error=rounding.leaky_relu_slope,
)


ELU = Elementwise(
    name="elu",
    definition=lambda x, m: x if x > 0 else m.exp(x) - 1,
    value=lambda x, out=None: np.add(np.maximum(x, 0), np.expm1(np.minimum(x, 0)), out=out),
    slope=lambda x, y, out=None: np.exp(np.minimum(x, 0), out=out),
    second=lambda x: np.where(x > 0, 0, np.exp(np.minimum(x, 0))),
    lipschitz=1.0,
    curvature=1.0,
    peaks=(0.0,),
    from_output=1.0,
    value_error=rounding.elu_value,
    slope_error=rounding.elu_slope,
)


SOFTPLUS = Elementwise(
    name="softplus",
    definition=lambda x, m: m.log(1 + m.exp(x)),
    value=softplus,
    slope=lambda x, y, out=None: logistic(x),
    second=logistic_slope,
    lipschitz=1.0,
    curvature=0.25,
    peaks=(0.0,),
    value_error=rounding.softplus_value,
    slope_error=rounding.softplus_slope,
)


SILU = Elementwise(
    name="silu",
    definition=lambda x, m: x / (1 + m.exp(-x)),
    value=lambda x, out=None: np.multiply(above_minus_inf(x), logistic(x), out=out),
    slope=lambda x, y, out=None: logistic(x) * (1 + finite(x) * logistic(-x)),
    second=lambda x: logistic_slope(x) * (2 - finite(x) * np.tanh(x / 2)),
    lipschitz=1.0998393201288670,
    curvature=0.5,
    peaks=(
        -3.435840993535111, -2.3993572805154675, -1.2784645427610737, 0.0,
        2.3993572805154675, 3.435840993535111,
    ),
    value_error=rounding.silu_value,
    slope_error=rounding.silu_slope,
)  # fmt: skip


GELU = Elementwise(
    name="gelu",
    definition=lambda x, m: x * m.erfc(-x / m.sqrt(2)) / 2,
    value=lambda x, out=None: np.multiply(above_minus_inf(x), normal_cdf(x), out=out),
    slope=lambda x, y, out=None: normal_cdf(x) + finite(x) * gaussian(x),
    second=lambda x: gaussian(x) * (2 - np.square(clip_real(x, 40))),
    lipschitz=1.128904145185155,
    curvature=0.7978845608028654,
    peaks=(-2.0, -1.4142135623730951, -0.7517915246935645, 0.0, 1.4142135623730951, 2.0),
    value_error=rounding.gelu_value,
    slope_error=rounding.gelu_slope,
)


def _gelu_tanh(x: Array, out: Array | None = None) -> Array:
    """x s, s = logistic(2 q)."""
    s = logistic(2 * gelu_tanh_argument(x))
    return np.asarray(np.multiply(above_minus_inf(x), s, out=out))


def _gelu_tanh_slope(x: Array, y: Array, out: Array | None = None) -> Array:
    """s + x p' s (1 - s), s = logistic(p), p = 2 q."""
    p, p1 = 2 * gelu_tanh_argument(x), 2 * gelu_tanh_argument_slope(x)
    return np.asarray(logistic(p) + finite(x) * (p1 * logistic_slope(p)))


def _gelu_tanh_second(x: Array) -> Array:
    """s (1 - s) (2 p' + x (p'' - p'^2 tanh(p / 2)))."""
    x = clip_real(x, 40)
    p, p1 = 2 * gelu_tanh_argument(x), 2 * gelu_tanh_argument_slope(x)
    p2 = 12 * 0.044715 * 0.7978845608028654 * x
    return np.asarray(logistic_slope(p) * (2 * p1 + x * (p2 - p1**2 * np.tanh(p / 2))))


GELU_TANH = Elementwise(
    name="gelu_tanh",
    definition=lambda x, m: (
        x * (1 + m.tanh(m.sqrt(2 / m.pi) * (x + 44715 * x * x * x / 1000000))) / 2
    ),
    value=_gelu_tanh,
    slope=_gelu_tanh_slope,
    second=_gelu_tanh_second,
    lipschitz=1.1289930686587719,
    curvature=0.7978845608028654,
    peaks=(
        -2.013480724624258, -1.4185040087908283, -0.7524614220710163, 0.0,
        1.4185040087908283, 2.013480724624258,
    ),
    value_error=rounding.gelu_tanh_value,
    slope_error=rounding.gelu_tanh_slope,
)  # fmt: skip


ACTIVATIONS: Mapping[str, Elementwise] = MappingProxyType(
    {
        f.name: f
        for f in (
            IDENTITY, SIGMOID, TANH, RELU, LEAKY_RELU, ELU, SOFTPLUS, SILU, GELU, GELU_TANH,
        )
    }
)  # fmt: skip
