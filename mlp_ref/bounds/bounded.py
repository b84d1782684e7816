"""A tensor of the float64 reference together with what is proven about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from mlp_ref.arithmetic import FLOAT64, Arithmetic, Array, Interval, representable

__all__ = ["Bounded", "carry", "chain", "exactly"]

# Bounds are sums, products and maxima of nonnegative float64 numbers: evaluating them loses far
# less than this.
_EVALUATION = 1 + 2.0**-20


class Bounded(NamedTuple):
    """A tensor q, componentwise: |value - q| <= radius and |computed - q| <= bound.

    ``value``  what the float64 reference computed
    ``radius`` bound on the error of the reference itself
    ``bound``  bound on the error of a correct implementation, in the arithmetic it declares

    A correct implementation differs from ``value`` by at most ``allowed``.
    """

    value: Array
    radius: Array
    bound: Array

    @property
    def allowed(self) -> Array:
        """bound + radius."""
        return self.bound + self.radius

    @property
    def exact(self) -> Array:
        """The largest |q|."""
        return np.abs(self.value) + self.radius

    @property
    def computed(self) -> Array:
        """The largest |computed q|."""
        size = np.abs(self.value)
        size += self.radius
        size += self.bound
        return size

    @property
    def interval(self) -> Interval:
        """Holds q and every computed q."""
        return Interval.around(self.value, self.radius + self.bound)

    @property
    def given(self) -> bool:
        """Whether it is a tensor of `exactly`, all of it known."""
        return self.bound.size > 1 and not any(self.bound.strides) and not self.bound.flat[0]

    @property
    def known(self) -> Array:
        """Whether value, q and every computed q are the same number."""
        return np.asarray((self.radius == 0) & (self.bound == 0))

    @property
    def reference(self) -> Bounded:
        """The same tensor as the float64 reference computes it."""
        return Bounded(self.value, self.radius, self.radius)

    @property
    def T(self) -> Bounded:
        """The transpose."""
        return Bounded(self.value.T, self.radius.T, self.bound.T)


def exactly(value: Array) -> Bounded:
    """A tensor that everybody is given: it has no error.

    Its radius and bound are one zero in memory, and can not be written to.
    """
    value = np.asarray(value, np.float64)
    zero = np.broadcast_to(0.0, value.shape)
    return Bounded(value, zero, zero)


ErrorOf = Callable[..., Array]


def carry(
    A: Arithmetic,
    value: Array,
    error: ErrorOf,
    *inputs: Bounded,
    stored: bool = True,
    addend: Array | float = 0.0,
) -> Bounded:
    """Bound ``value``, computed from ``inputs``, by error(A, *inputs) in the arithmetic A.

    The same formula with FLOAT64 and the inputs of the reference gives the radius. A tensor that is
    not ``stored`` escapes the rounding on the way to memory. Where an exact ``addend`` (the bias)
    may be added after the intermediate was stored, that is value - addend.
    """
    value = np.asarray(value, np.float64)
    with np.errstate(all="ignore"):
        radius = _clean(error(FLOAT64, *(q.reference for q in inputs)))
        size = np.abs(value)
        size += radius
        radius[~(size <= FLOAT64.largest)] = np.inf  # also where the value is NaN
        if A == FLOAT64:
            return Bounded(value, radius, radius)
        bound = error(A, *inputs)
        bound = _clean(_stored(A, value, radius, bound, addend) if stored else bound)
    return Bounded(value, radius, bound)


def _clean(error: Array) -> Array:
    """Allow for the evaluation; what could not be evaluated is unbounded."""
    error = np.asarray(error * _EVALUATION)
    error[np.isnan(error)] = np.inf
    return error


def _stored(A: Arithmetic, value: Array, radius: Array, error: Array, addend: Any) -> Array:
    """Add the rounding of a tensor on its way to memory, twice: some store an intermediate.

    A number that memory holds exactly is not changed; one that may overflow is unbounded.
    """
    size, before = np.abs(value) + radius, np.abs(value - addend) + radius
    if A.u_store:
        unchanged = (radius + error == 0) & _held(A, value) & _held(A, value - addend)
        first = A.u_store * (before + error) + A.tiny_store
        second = A.u_store * (size + error + first) + A.tiny_store
        error = np.where(unchanged, 0, error + first + second)
    return np.where(np.maximum(size, before) + error > A.largest, np.inf, error)


def _held(A: Arithmetic, value: Array) -> Array:
    """Whether memory holds each value exactly."""
    fits = (np.abs(value) >= A.tiny_store) | (value == 0)
    return np.asarray(fits & representable(value, A.precision))


def chain(A: Arithmetic) -> Arithmetic:
    """The arithmetic of a chain of operations that each store their result.

    Elementary functions keep their allowance and are stored as well.
    """
    if not A.u_store:
        return A
    u = (1 + A.u) * (1 + A.u_store) - 1
    return replace(A, u=u, tiny=A.tiny + A.tiny_store, K=1 + A.K * A.u / u)
