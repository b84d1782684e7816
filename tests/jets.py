"""Taylor expansions of a textbook definition over balls: real numbers with a proven radius.

A `Jet` holds f(x), f'(x), f''(x)/2!, ... for every x of a ball at once, by forward differentiation
in the ball arithmetic of python-flint. So a sign or a bound read off it holds on the whole ball.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from flint import arb, arb_series

ORDER = 5  # coefficients: the value and four derivatives


class Jet:
    """A truncated power series in h around the ball x; ``right`` answers x > 0 at a branch."""

    def __init__(self, series: arb_series, *, right: bool) -> None:
        self.series, self.right = series, right

    def _new(self, series: arb_series) -> Jet:
        return Jet(series, right=self.right)

    def __gt__(self, other: int) -> bool:
        assert other == 0, "definitions branch at 0 only"
        return self.right

    def __add__(self, other: Any) -> Jet:
        return self._new(self.series + _series(other))

    def __sub__(self, other: Any) -> Jet:
        return self._new(self.series - _series(other))

    def __rsub__(self, other: Any) -> Jet:
        return self._new(_series(other) - self.series)

    def __mul__(self, other: Any) -> Jet:
        return self._new(self.series * _series(other))

    def __truediv__(self, other: Any) -> Jet:
        return self._new(self.series / _series(other))

    def __rtruediv__(self, other: Any) -> Jet:
        return self._new(_series(other) / self.series)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Jet:
        return self._new(-self.series)


def _series(x: Any) -> Any:
    return x.series if isinstance(x, Jet) else x


class Balls:
    """The namespace m of ``definition(x, m)``: constants are balls, functions act on jets."""

    pi = arb.pi()

    def exp(self, x: Jet) -> Jet:
        """exp(x)."""
        return x._new(x.series.exp())

    def log(self, x: Jet) -> Jet:
        """log(x)."""
        return x._new(x.series.log())

    def erfc(self, x: Jet) -> Jet:
        """erfc(x)."""
        return x._new(x.series.erfc())

    def sqrt(self, x: Any) -> arb:
        """The root of a constant."""
        return arb(x).sqrt()

    def tanh(self, x: Jet) -> Jet:
        """tanh(x), coefficient by coefficient from y' = (1 - y^2) x'."""
        inner = [x.series[k] for k in range(ORDER)]
        y, rate = [inner[0].tanh()], []
        for k in range(ORDER - 1):
            square = sum((y[i] * y[k - i] for i in range(k + 1)), arb(0))
            rate.append((1 if k == 0 else 0) - square)
            total = sum((rate[k - i] * (i + 1) * inner[i + 1] for i in range(k + 1)), arb(0))
            y.append(total / (k + 1))
        return x._new(arb_series(y, ORDER))


def derivatives(
    definition: Callable[[Any, Any], Any], low: float, high: float, *, right: bool
) -> list[arb]:
    """Enclosures of f, f', f'', ... over [low, high], on one side of a branch."""
    m = Balls()
    m.pi = arb.pi()
    ball = arb(low).union(arb(high))
    series = definition(Jet(arb_series([ball, 1], ORDER), right=right), m).series
    return [series[k] * math.factorial(k) for k in range(ORDER)]
