"""The error of an elementwise activation, of its derivative, and of a product with it."""

from __future__ import annotations

import numpy as np

from mlp_ref.activations import Elementwise
from mlp_ref.arithmetic import Arithmetic, Array, trailing_unit
from mlp_ref.bounds.bounded import Bounded

__all__ = ["slope_error", "times_error", "value_error"]


def value_error(A: Arithmetic, f: Elementwise, z: Bounded) -> Array:
    """Bound |fl(f)(z^) - f(z)| by sup|f'| E_z + rounding, by the mean value theorem.

    The supremum and the rounding are taken over every z and z^ that are possible.
    """
    z = _as_read(A, z)
    lipschitz = z.interval.sup(lambda x: f.slope(x, f.value(x)), f.peaks)
    return np.asarray(lipschitz * z.bound + f.value_error(A, z.interval))


def slope_error(A: Arithmetic, f: Elementwise, z: Bounded, a: Bounded) -> Array:
    """Bound |fl(f')(z^) - f'(z)| by sup|f''| E_z + jump + rounding.

    Where a kink may lie between z and z^ the two can see different sides: the jump is the
    difference of f' over the interval. Elsewhere the sign is decided and a piecewise linear f' is
    exact. Where a = f(z) is rounded on its way to memory, f' computed from it inherits that, unless
    f' is constant there.
    """
    z = _as_read(A, z)
    curvature = z.interval.sup(f.second, f.peaks)
    error = curvature * z.bound + f.slope_error(A, z.interval)
    if A.u_store and f.from_output:
        stored = ((1 + A.u_store) ** 2 - 1) * a.computed + 2 * A.tiny_store
        error = error + np.where(curvature > 0, (f.from_output + stored) * stored, 0)
    if f.kinks:
        low, high = (f.slope(end, f.value(end)) for end in z.interval)
        error = error + np.abs(high - low)
    return np.asarray(error)


def _as_read(A: Arithmetic, z: Bounded) -> Bounded:
    """z as an operation sees it: what is below the smallest normal number may be read as 0.

    A narrow tensor has a smallest normal number of its own, which counts where it is larger.
    """
    size = np.abs(z.value)
    flushed = np.where(size < max(A.tiny, A.tiny_store), size, 0)
    return Bounded(z.value, z.radius, np.maximum(z.bound, flushed))


def times_error(A: Arithmetic, g: Bounded, d: Bounded) -> Array:
    """Bound |fl(g^ d^) - g d| by E_g |d^| + |g| E_d + gamma(2) |g^ d^| + underflow.

    Two roundings, because g f' is often grouped as (g a) (1 - a). A product that fits is exact.
    """
    rounding = A.gamma(2) * g.computed * d.computed + 2 * A.tiny * (1 + g.computed)
    unit = trailing_unit(g.value) * trailing_unit(d.value)
    fits = (unit >= A.tiny) & (np.abs(g.value * d.value) * A.u < unit)
    exact = g.known & d.known & fits
    return np.where(exact, 0, g.bound * d.computed + g.exact * d.bound + rounding)
