"""Floating-point models: what a rounding may do, in the arithmetic that an implementation declares.

The standard model (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., sections 2.2
and 2.4): for op in {+, -, *, /, sqrt},

    fl(x op y) = (x op y)(1 + d) + e,    |d| <= u,    |e| <= tiny,    d e = 0,

as long as nothing overflows. The absolute term e covers gradual underflow and flush-to-zero alike.
An elementary function f is allowed ``K u |f(x)|``, with K = 8 (four units in the last place): the
largest error measured over glibc, NumPy, PyTorch and XLA inside the range that an MLP uses is 6.92
(XLA's float64 tanh).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ARITHMETICS",
    "BFLOAT16",
    "FLOAT16",
    "FLOAT32",
    "FLOAT64",
    "TF32",
    "Arithmetic",
    "Array",
    "Interval",
    "representable",
    "trailing_unit",
]

Array = NDArray[Any]


@dataclass(frozen=True)
class Arithmetic:
    """An arithmetic as an implementation declares it.

    ``precision``  bits of the significand of a tensor in memory
    ``u``          unit roundoff of every operation and accumulation
    ``tiny``       smallest normal number of the operations: flush-to-zero is allowed
    ``largest``    largest finite number of a tensor in memory
    ``dtype``      the NumPy dtype that holds such tensors exactly
    ``u_operand``  relative perturbation of the operands of a matrix product (0: none)
    ``tiny_store`` smallest normal number of a tensor that is rounded on its way to memory (0: none)
    ``K``          allowance of an elementary function, in units of u
    """

    name: str
    precision: int
    u: float
    tiny: float
    largest: float
    dtype: np.dtype[Any]
    u_operand: float = 0.0
    tiny_store: float = 0.0
    K: float = 8.0

    def gamma(self, n: float) -> float:
        """gamma_n = n u / (1 - n u), the relative error of n roundings; inf where n u >= 1."""
        return n * self.u / (1 - n * self.u) if n * self.u < 1 else np.inf

    @property
    def u_store(self) -> float:
        """Unit roundoff of a tensor that is rounded on its way to memory; 0 where none is."""
        return 2.0**-self.precision if self.tiny_store else 0.0

    @property
    def limit(self) -> float:
        """Largest finite number of the operations; narrow tensors are computed in float32."""
        return FLOAT32.largest if self.tiny_store else self.largest

    def quantize(self, x: Array) -> Array:
        """Round ``x`` to the nearest number that a tensor in memory can hold, ties to even.

        Returns an array of ``dtype``; what exceeds ``largest`` becomes infinite. An inexact input
        is the usual reason that two correct implementations differ: quantize parameters and data
        before they are compared.
        """
        with np.errstate(over="ignore"):
            if not self.tiny_store:
                return np.asarray(x).astype(self.dtype)
            values = np.asarray(x, np.float64)
            floor = int(np.log2(self.tiny_store)) + 1
            unit = np.ldexp(1.0, np.maximum(np.frexp(values)[1], floor) - self.precision)
            rounded = np.rint(values / unit) * unit
            fits = ~(np.abs(rounded) > self.largest)
            return np.where(fits, rounded, np.copysign(np.inf, values)).astype(self.dtype)


_F32, _F64 = np.finfo(np.float32), np.finfo(np.float64)
FLOAT64 = Arithmetic("float64", 53, 2.0**-53, 2.0**-1022, float(_F64.max), _F64.dtype)
FLOAT32 = Arithmetic("float32", 24, 2.0**-24, 2.0**-126, float(_F32.max), _F32.dtype)

# Tensor cores truncate their sums (twice the unit roundoff) and round operands to 11 bits.
TF32 = replace(FLOAT32, name="tf32", u=2.0**-23, u_operand=2.0**-11)
BFLOAT16 = replace(
    FLOAT32, name="bfloat16", precision=8, largest=255 * 2.0**120, tiny_store=2.0**-126
)
FLOAT16 = replace(
    FLOAT32, name="float16", precision=11, largest=65504.0, tiny_store=2.0**-14,
    dtype=np.dtype(np.float16),
)  # fmt: skip

ARITHMETICS: Mapping[str, Arithmetic] = MappingProxyType(
    {a.name: a for a in (FLOAT64, FLOAT32, TF32, BFLOAT16, FLOAT16)}
)


class Interval(NamedTuple):
    """Closed intervals [lo, hi], elementwise, that hold every value a computed number can take."""

    lo: Array
    hi: Array

    @classmethod
    def around(cls, center: Array, radius: Array) -> Interval:
        """[center - radius, center + radius], widened by one unit in the last place."""
        lo, hi = center - radius, center + radius
        exact = np.asarray(radius == 0)
        return cls(
            np.where(exact, lo, np.nextafter(lo, -np.inf)),
            np.where(exact, hi, np.nextafter(hi, np.inf)),
        )

    @property
    def magnitude(self) -> Array:
        """The largest |x| in the interval."""
        return np.maximum(np.abs(self.lo), np.abs(self.hi))

    @property
    def absolute(self) -> Interval:
        """Holds |x|."""
        ends = np.minimum(np.abs(self.lo), np.abs(self.hi))
        return Interval(np.where(self.contains(0), 0, ends), self.magnitude)

    def contains(self, point: float) -> Array:
        """Whether ``point`` lies in the interval."""
        return np.asarray((self.lo <= point) & (point <= self.hi))

    def sup(self, f: Callable[[Array], Array], peaks: Iterable[float] = ()) -> Array:
        """The largest |f(x)| in the interval, for f monotone between the stated ``peaks``."""
        best = np.maximum(np.abs(f(self.lo)), np.abs(f(self.hi)))
        for peak in peaks:
            height = abs(float(f(np.array(peak))))
            best = np.where(self.contains(peak), np.maximum(best, height), best)
        return np.asarray(best)


_DIGITS = (1 << 52) - 1  # of the significand, but for the leading 1


def trailing_unit(x: Array) -> Array:
    """The largest power of two that divides each finite ``x``; inf for 0, 0 for inf and NaN."""
    values = np.abs(np.asarray(x, np.float64))
    bits = values.view(np.int64)
    # of the digits in memory, the last 1 is taken away; a power of two has none, and is its unit
    shorter = np.where(bits & _DIGITS == 0, 0, bits & (bits - 1))
    unit = np.where(values == 0, np.inf, values - shorter.view(np.float64))
    return np.where(np.isfinite(values), unit, 0.0)


def representable(x: Array, precision: int) -> Array:
    """Whether each finite float64 ``x`` needs at most ``precision`` bits of significand."""
    unit = trailing_unit(x)
    return np.asarray(np.abs(x) / np.where(unit > 0, unit, np.nan) < 2.0**precision)
