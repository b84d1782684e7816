"""The error of a matrix product with or without a bias: a dense layer, dW, db and dx alike."""

from __future__ import annotations

import numpy as np

from mlp_ref.arithmetic import Arithmetic, Array, representable, trailing_unit
from mlp_ref.bounds.bounded import Bounded

__all__ = ["product_error"]


def product_error(
    A: Arithmetic, x: Bounded, y: Bounded, bias: Array | None = None, scalings: int = 0
) -> Array:
    """Bound |fl(x y + b) - (x y + b)| for x (m, k), y (k, n), b (n,), in any order of summation.

    E = E_x |y^| + |x| E_y + gamma(r) (|x^| |y^| + |b|) + underflow, where ^ is computed, and the
    roundings r are one product, k - 1 sums, one for a bias, and the ``scalings`` by a common factor
    such as 1/n at either end. Zero where `_is_exact`.
    """
    k = x.value.shape[1]
    b = np.zeros(y.value.shape[1]) if bias is None else np.abs(np.asarray(bias, np.float64))
    x_computed, y_computed = x.computed, y.computed
    total = x_computed @ y_computed
    error = np.zeros_like(total) if x.given else x.bound @ y_computed
    if not y.given:
        error += x.exact @ y.bound
    if A.u_operand:
        spread = (1 + A.u_operand) ** 2
        error += (spread - 1) * total
        total *= spread
    total += b
    error += A.gamma(k + (bias is not None) + scalings) * total
    # An operand, a product or a partial sum may each be flushed to zero.
    rows, columns = x_computed.sum(axis=1, keepdims=True), y_computed.sum(axis=0, keepdims=True)
    error += A.tiny * (2 * k + 2 + rows + columns)
    error[total + error > A.limit] = np.inf
    error[_is_exact(A, x, y, b, total)] = 0
    return error


def _is_exact(A: Arithmetic, x: Bounded, y: Bounded, b: Array, total: Array) -> Array:
    """Whether every partial sum, in every order, is representable: then no rounding happens.

    All terms are multiples of a power of two, and their absolute sum is less than 2^p times it: as
    float64 rounds monotonically, the sum that it computes is then less only if the exact one is. A
    subnormal operand is not exact where it may be flushed to zero.
    """
    given = x.known.all(axis=1, keepdims=True) & y.known.all(axis=0, keepdims=True)
    if not given.any():
        return np.broadcast_to(given, total.shape)
    unit_x = trailing_unit(x.value).min(axis=1, keepdims=True)
    unit_y = trailing_unit(y.value).min(axis=0, keepdims=True)
    unit = np.minimum(unit_x * unit_y, trailing_unit(b))
    fits = (unit >= A.tiny) & (total / A.u**-1 < unit) & (total <= A.limit)
    fits &= (unit_x >= A.tiny) & (unit_y >= A.tiny)
    if A.u_operand:
        bits = int(-np.log2(A.u_operand))
        given &= representable(x.value, bits).all(axis=1, keepdims=True)
        given &= representable(y.value, bits).all(axis=0, keepdims=True)
    return np.asarray(fits & given)
