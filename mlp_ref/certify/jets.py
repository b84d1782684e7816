"""Taylor expansions of a textbook definition over balls: real numbers with a proven radius.

A `Jet` holds f(x), f'(x), f''(x)/2!, ... for every x of a ball at once, by forward differentiation
in the ball arithmetic of python-flint (Johansson, Arb, IEEE Trans. Comput. 66 (2017) 1281). So a
value, a sign or a bound read off it holds on the whole ball, and no derivative is written by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flint import arb, arb_series, ctx

from mlp_ref.checks import InputError

__all__ = [
    "Balls", "Exp", "Jet", "OnePlusExp", "Tanh", "Undecided", "derivatives", "working_precision",
]  # fmt: skip


class Undecided(InputError):
    """A decision, such as the side of a kink, lies within the ball."""


@contextmanager
def working_precision(bits: int, order: int = 2) -> Iterator[None]:
    """Work with ``bits`` bits and series of ``order`` terms; python-flint keeps both globally."""
    before = ctx.prec, ctx.cap
    ctx.prec, ctx.cap = bits, order
    try:
        yield
    finally:
        ctx.prec, ctx.cap = before


class Jet:
    """A truncated power series in h around the ball x.

    ``right`` answers x > 0 at a branch; None if the ball leaves it open.
    """

    def __init__(self, series: arb_series, *, right: bool | None) -> None:
        self.series, self.right = series, right

    def _new(self, series: arb_series) -> Jet:
        return Jet(series, right=self.right)

    def __gt__(self, other: int) -> bool:
        if self.right is None or other != 0:
            raise Undecided(f"{self.series[0]} > {other} is open")
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
        if isinstance(other, OnePlusExp):
            return self * other.inverse()
        return self._new(self.series / _series(other))

    def __rtruediv__(self, other: Any) -> Jet:
        return self._new(_series(other) / self.series)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Jet:
        return self._new(-self.series)

    def log(self) -> Jet:
        """log(x)."""
        return self._new(self.series.log())


def _series(x: Any) -> Any:
    return x.series if isinstance(x, Jet) else x


class Exp(Jet):
    """exp(y), which remembers y."""

    def __init__(self, y: Jet) -> None:
        super().__init__(y.series.exp(), right=y.right)
        self.y = y

    def __radd__(self, other: Any) -> Jet:
        return OnePlusExp(self.y) if other == 1 else super().__radd__(other)


class OnePlusExp(Jet):
    """1 + exp(y). A wide ball of large numbers reaches 0, so for y > 0 exp(-y) serves instead."""

    def __init__(self, y: Jet) -> None:
        super().__init__(1 + y.series.exp(), right=y.right)
        self.large = bool(y.series[0] > 0)
        self.y, self.small = y.series, (-y.series if self.large else y.series).exp()

    def inverse(self) -> Jet:
        """1 / (1 + e^y) = e^-y / (1 + e^-y)."""
        return self._new((self.small if self.large else 1) / (1 + self.small))

    def log(self) -> Jet:
        """log(1 + e^y) = y + log(1 + e^-y)."""
        return self._new((1 + self.small).log() + (self.y if self.large else 0))

    def __rtruediv__(self, other: Any) -> Jet:
        quotient: Jet = self.inverse() * other
        return quotient


class Tanh(Jet):
    """tanh(y) = 1 - 2 / (1 + exp(2 y)), and 1 + tanh(y) without the cancellation."""

    def __init__(self, y: Jet) -> None:
        super().__init__((1 - OnePlusExp(y * 2).inverse() * 2).series, right=y.right)
        self.y = y

    def __radd__(self, other: Any) -> Jet:
        if other == 1:
            return OnePlusExp(self.y * -2).inverse() * 2
        return super().__radd__(other)


class Balls:
    """The namespace m of ``definition(x, m)``: constants are balls, functions act on jets."""

    def __init__(self) -> None:
        self.pi = arb.pi()

    def exp(self, x: Jet) -> Jet:
        """exp(x)."""
        return Exp(x)

    def log(self, x: Jet) -> Jet:
        """log(x)."""
        return x.log()

    def erfc(self, x: Jet) -> Jet:
        """erfc(x)."""
        return x._new(x.series.erfc())

    def sqrt(self, x: Any) -> arb:
        """The root of a constant."""
        return arb(x).sqrt()

    def tanh(self, x: Jet) -> Jet:
        """tanh(x)."""
        return Tanh(x)


def derivatives(
    definition: Callable[[Any, Any], Any], ball: arb, *, right: bool | None
) -> list[arb]:
    """Enclosures of f, f', f'', ... over a ball, on one side of a branch.

    As many as the series of `working_precision` has terms; NaN where a divisor may be 0.
    """
    try:
        series = definition(Jet(arb_series([ball, 1], ctx.cap), right=right), Balls()).series
    except ValueError as error:
        if isinstance(error, Undecided):
            raise
        return [arb.nan()] * ctx.cap
    return [series[k] * math.factorial(k) for k in range(ctx.cap)]
