"""How a question is chosen: by Hypothesis, or the simplest of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from mlp_ref.fuzz.numbers import GRID

__all__ = ["Choose", "Drawn", "Simplest"]

T = TypeVar("T")
_CODES = GRID * GRID
_CHOICES, _ARRAYS = 32, 9  # more than nearly any question needs


class Choose(Protocol):
    """Whoever chooses. The first option, and the byte 0, are the simplest."""

    def one(self, options: Sequence[T]) -> T:
        """One of the options."""

    def codes(self) -> bytes:
        """A byte for each entry of a matrix; see `mlp_ref.fuzz.numbers.grid`."""


class Simplest:
    """The simplest question there is; where these ``second`` options stand, the next."""

    def __init__(self, second: Sequence[Any] = ()) -> None:
        self._second = second

    def one(self, options: Sequence[T]) -> T:
        """The first, or the second."""
        return options[options is self._second]

    def codes(self) -> bytes:
        """Zeros."""
        return bytes(_CODES)


class Drawn:
    """The choices of one draw of Hypothesis, which it can repeat, and simplify byte by byte.

    A smaller byte is simpler, whatever it chooses. One draw of them all is one that Hypothesis does
    not take apart: of many, it would repeat some in others, and draw the same questions again. And
    integers it would draw from the constants in whatever modules are loaded, too.
    """

    def __init__(self, drawn: bytes) -> None:
        self._places, self._arrays, self._count = iter(drawn[:_CHOICES]), drawn[_CHOICES:], 0

    def one(self, options: Sequence[T]) -> T:
        """One of at most 256."""
        return options[next(self._places, 0) % len(options)]

    def codes(self) -> bytes:
        """As many for every array, so that its shape can shrink by itself."""
        begin = self._count % _ARRAYS * _CODES
        self._count += 1
        return self._arrays[begin : begin + _CODES]

    @staticmethod
    def strategy() -> Any:
        """What Hypothesis draws."""
        from hypothesis import strategies

        size = _CHOICES + _ARRAYS * _CODES
        return strategies.binary(min_size=size, max_size=size)
