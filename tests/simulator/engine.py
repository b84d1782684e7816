"""Numbers in a simulated arithmetic: float64 arrays whose every operation is rounded by an engine.

Two kinds of rounding. `Nearest` rounds to p bits, ties to even, with flush-to-zero or gradual
underflow. `Adversary` makes every operation as wrong as the standard model allows,
(x op y)(1 + d) + e with |d| = u and |e| = tiny, with free signs for each operation and entry.

float64 itself errs by at most 2^-53 in an operation and 2^-50 in an elementary function (those of
NumPy and of the C library stay below 4 units in the last place), so the adversary keeps that
distance from the allowance: what it computes is then possible in exact arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Arithmetic, Array

OPERATION, FUNCTION = 2.0**-52, 2.0**-50

erf = np.vectorize(math.erf, otypes=[np.float64])
erfc = np.vectorize(math.erfc, otypes=[np.float64])


class Engine:
    """The rounding of an arithmetic A; ``rounded(exact, K)`` rounds a result with allowance K u."""

    def __init__(self, A: Arithmetic) -> None:
        self.A = A

    def rounded(self, exact: Array, K: float = 1.0) -> Array:
        """What the simulated arithmetic returns where an operation has the result ``exact``."""
        raise NotImplementedError

    def underflow(self, exact: Array) -> Array:
        """What it returns where only underflow rounds: a product with a power of two."""
        raise NotImplementedError

    def number(self, x: Any) -> Number:
        """An exact input."""
        return Number(self, np.asarray(x, np.float64))

    def constant(self, x: Any) -> Number:
        """A constant that the arithmetic cannot hold exactly: it is rounded."""
        return Number(self, self.rounded(np.asarray(x, np.float64)))

    def given(self, x: Array, radius: Array) -> Number:
        """A value that was computed elsewhere with an error of at most ``radius``."""
        return Number(self, self.rounded(x))

    def again(self, x: Number) -> Number:
        """A product with a number that is 1 here: x rounded once more."""
        return Number(self, self.rounded(x.value))

    def function(self, f: Callable[[Array], Array], x: Number) -> Number:
        """An elementary function, off by up to K units."""
        return Number(self, self.rounded(f(x.value), self.A.K))

    def exp(self, x: Number) -> Number:
        """exp(x)."""
        return self.function(np.exp, x)

    def expm1(self, x: Number) -> Number:
        """exp(x) - 1."""
        return self.function(np.expm1, x)

    def log(self, x: Number) -> Number:
        """log(x)."""
        return self.function(np.log, x)

    def log1p(self, x: Number) -> Number:
        """log(1 + x)."""
        return self.function(np.log1p, x)

    def tanh(self, x: Number) -> Number:
        """tanh(x)."""
        return self.function(np.tanh, x)

    def erf(self, x: Number) -> Number:
        """erf(x)."""
        return self.function(erf, x)

    def erfc(self, x: Number) -> Number:
        """erfc(x)."""
        return self.function(erfc, x)

    def sqrt(self, x: Number) -> Number:
        """sqrt(x), an operation of IEEE 754: one unit."""
        return Number(self, self.rounded(np.sqrt(x.value)))

    def fma(self, x: Number, y: Number, z: Number) -> Number:
        """x y + z with one rounding."""
        return Number(self, self.rounded(x.value * y.value + z.value))


def _power_of_two(x: object) -> bool:
    return isinstance(x, int | float) and abs(math.frexp(x)[0]) == 0.5


class Number:
    """A value of a simulated arithmetic. Plain Python numbers beside it are exact constants."""

    __array_priority__ = 1000

    def __init__(self, engine: Engine, value: Array) -> None:
        self.engine, self.value = engine, value

    def _new(self, exact: Array) -> Number:
        return Number(self.engine, self.engine.rounded(exact))

    def __add__(self, other: Any) -> Number:
        return self._new(self.value + _value(other))

    def __sub__(self, other: Any) -> Number:
        return self._new(self.value - _value(other))

    def __rsub__(self, other: Any) -> Number:
        return self._new(_value(other) - self.value)

    def __mul__(self, other: Any) -> Number:
        exact = self.value * _value(other)
        if _power_of_two(other):
            return Number(self.engine, self.engine.underflow(exact))
        return self._new(exact)

    def __truediv__(self, other: Any) -> Number:
        if _power_of_two(other):
            return self * (1 / other)
        return self._new(self.value / _value(other))

    def __rtruediv__(self, other: Any) -> Number:
        return self._new(_value(other) / self.value)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Number:
        return Number(self.engine, -self.value)

    def __abs__(self) -> Number:
        return Number(self.engine, np.abs(self.value))

    def maximum(self, bound: float) -> Number:
        """max(x, bound), exact."""
        return Number(self.engine, np.maximum(self.value, bound))


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Number) else x


class Nearest(Engine):
    """Round to nearest, ties to even; below ``tiny`` to 0 or, if ``gradual``, to a fixed grid."""

    def __init__(
        self, A: Arithmetic, gradual: bool = False, rng: np.random.Generator | None = None
    ) -> None:
        super().__init__(A)
        self.gradual, self.rng = gradual, rng
        self.bits = round(-math.log2(A.u))

    def rounded(self, exact: Array, K: float = 1.0) -> Array:
        """An elementary function is first moved by up to (K - 1) u, if there is an rng."""
        if K > 1 and self.rng is not None:
            exact = exact * (1 + (K - 1) * self.A.u * self.rng.uniform(-1, 1, np.shape(exact)))
        fraction, exponent = np.frexp(exact)
        result = np.ldexp(np.rint(np.ldexp(fraction, self.bits)), exponent - self.bits)
        return self.underflow(np.where(np.abs(result) > self.A.largest, exact * np.inf, result))

    def underflow(self, exact: Array) -> Array:
        """A number below ``tiny`` becomes 0, or a multiple of 2 u tiny."""
        grid = 2 * self.A.u * self.A.tiny
        small = np.rint(exact / grid) * grid if self.gradual else np.zeros_like(exact)
        return np.where(np.abs(exact) < self.A.tiny, small, exact)


class Adversary(Engine):
    """Every operation errs by its full allowance, to the side ``signs[k]`` that operation k has.

    Signs of operations that were never seen are drawn from ``rng``. Call `restart` before a formula
    is evaluated again.
    """

    def __init__(self, A: Arithmetic, rng: np.random.Generator) -> None:
        super().__init__(A)
        self.rng, self.count = rng, 0
        self.signs: Sequence[Array] = []

    def restart(self) -> None:
        """Begin a new evaluation with the same signs."""
        self.count = 0

    def _sign(self, shape: tuple[int, ...]) -> Array:
        if self.count == len(self.signs):
            self.signs = [*self.signs, self.rng.choice([-1.0, 1.0], shape)]
        self.count += 1
        return self.signs[self.count - 1]

    def rounded(self, exact: Array, K: float = 1.0) -> Array:
        """exact + s (K u |exact| + tiny)."""
        exact = np.where(np.abs(exact) > self.A.largest, np.copysign(np.inf, exact), exact)
        relative = K * self.A.u - (OPERATION if K == 1 else FUNCTION)
        error = relative * np.abs(exact) + self.A.tiny
        rounds = np.isfinite(exact) & (exact != 0)
        return exact + np.where(rounds, self._sign(np.shape(exact)) * error, 0)

    def underflow(self, exact: Array) -> Array:
        """exact + s tiny."""
        return exact + self._sign(np.shape(exact)) * np.where(exact == 0, 0, self.A.tiny)

    def constant(self, x: Any) -> Number:
        """x (1 + s u): a constant does not underflow."""
        return self.given(np.asarray(x, np.float64), (self.A.u - OPERATION) * np.abs(x))

    def sqrt(self, x: Number) -> Number:
        """sqrt(x) (1 + s u): the root of a normal number does not underflow."""
        return self.constant(np.sqrt(x.value))

    def given(self, x: Array, radius: Array) -> Number:
        """x + s radius."""
        return Number(self, x + self._sign(np.shape(x)) * radius)
