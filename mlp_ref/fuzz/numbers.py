"""The numbers that questions are made of: tables of 256, out of which a byte picks one.

Every table begins with the same simple numbers, so that a smaller byte is a simpler number: that is
the direction in which a failure shrinks. What follows is drawn once for each page, with all bits of
the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from zlib import crc32

import numpy as np
from numpy.random import Generator

from mlp_ref.arithmetic import Arithmetic, Array

__all__ = ["GRID", "KINDS", "PAGES", "grid", "spread", "table"]

PAGES = 32
GRID = 6  # rows and columns of a matrix that have numbers of their own
_SIZE = 256
_SIMPLE = (0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 0.5, -0.5, 4.0, -4.0, 5.0, -5.0)
_INTEGERS = (0.0, *(sign * k for k in range(1, 9) for sign in (1.0, -1.0)))

# Where formulas switch, overflow, underflow, or have lost their last digit, of either sign.
_EDGES = (
    0.01, 0.05, 0.1, 0.25, 0.3, 0.75, 0.9, 1.3, 1.702, 2.5, 2.9, 3.7, 4.2, 5.5, 5.9, 6.1, 7.3, 8.3,
    9.02, 10.4, 13.1, 15.9, 16.7, 17.3, 18.7, 19.07, 20.1, 20.9, 21.3, 22.3, 24.7, 27.1, 29.5, 30.5,
    33.3, 36.8, 37.6, 39.5, 40.1, 44.5, 49.9, 50.5, 60.3, 80.7, 87.4, 88.8, 90.7, 99.5, 100.5,
    103.4, 104.3, 300.3, 500.5, 708.5, 709.9, 744.6, 999.5, 1000.5, 2000.3,
)  # fmt: skip
_EXACT = (20.0, 30.0, 50.0, 100.0, 1.0, 0.5)  # thresholds, and their neighbours


def _bell(rng: Generator, n: int) -> Array:
    """Three uniform numbers added: mean 0, variance 1."""
    return np.asarray((2 * rng.random((3, n)) - 1).sum(axis=0))


def _signed(rng: Generator, size: Array) -> Array:
    return np.where(rng.random(size.shape) < 0.5, -size, size)


def _binades(rng: Generator, n: int, low: int, high: int) -> Array:
    """Numbers of all bits and either sign, of exponents from ``low`` to ``high``."""
    return _signed(rng, np.ldexp(1 + rng.random(n), rng.integers(low, high + 1, n)))


def _range(A: Arithmetic) -> tuple[int, int]:
    """Exponents of the least and the largest number."""
    least = float(np.finfo(A.dtype).smallest_subnormal) if not A.tiny_store else A.tiny_store
    return int(np.log2(least)), int(np.log2(A.largest)) - 1


def _edges(A: Arithmetic, rng: Generator, n: int) -> Array:
    x = A.quantize(np.array(_EXACT))
    near = [np.nextafter(x, A.dtype.type(to)) for to in (-np.inf, np.inf) if not A.tiny_store]
    points = np.concatenate([np.array(_EDGES), *(part.astype(np.float64) for part in (x, *near))])
    return _signed(rng, rng.permutation(np.resize(points, n)))


def _everything(A: Arithmetic, rng: Generator, n: int) -> Array:
    """For functions of one number: half at edges, some of every other kind."""
    low, high = _range(A)
    few = n // 8
    parts = [_bell(rng, few), 3 * _bell(rng, few), _edges(A, rng, n - 4 * few),
             _binades(rng, few, -8, 8), _binades(rng, few, low, high)]  # fmt: skip
    return np.concatenate(parts)


Draw = Callable[[Arithmetic, Generator, int], Array]

# what the numbers beyond the simple ones are
KINDS: Mapping[str, Draw] = MappingProxyType(
    {
        "integers": lambda A, rng, n: np.resize(np.array(_INTEGERS), n),
        "dull": lambda A, rng, n: _bell(rng, n),
        "edges": _edges,
        "wide": lambda A, rng, n: _binades(rng, n, -20, 8),
        "tiny": lambda A, rng, n: _binades(rng, n, _range(A)[0], max(_range(A)[0], -20)),
        "tens": lambda A, rng, n: 24 * _bell(rng, n),
        "hundreds": lambda A, rng, n: _signed(rng, 10 + 990 * rng.random(n)),
        "binades": lambda A, rng, n: _binades(rng, n, *_range(A)),
        "everything": _everything,
        "close": lambda A, rng, n: 1 + _binades(rng, n, -A.precision // 2, -4),
        "shares": lambda A, rng, n: rng.random(n),
    }
)


@cache
def table(kind: str, A: Arithmetic, page: int = 0) -> Array:
    """256 numbers of the arithmetic, in float64."""
    rng = np.random.default_rng([page, crc32(kind.encode())])
    head = np.array(_SIMPLE if kind != "shares" else (0.0, 1.0, 0.5, 0.25, 0.75))
    drawn = A.quantize(KINDS[kind](A, rng, _SIZE - len(head))).astype(np.float64)
    found = np.concatenate([head, np.where(np.isfinite(drawn), drawn, 1.0)])
    found.flags.writeable = False
    return found


def spread(codes: bytes, shape: tuple[int, ...]) -> Array:
    """The bytes as an array. Leaving out a row or column keeps all others.

    A larger array than GRID x GRID repeats itself.
    """
    rows = 1 if len(shape) == 1 else shape[0]
    index = GRID * np.arange(rows)[:, None] + np.arange(shape[-1])
    return np.asarray(np.frombuffer(codes, np.uint8)[index % len(codes)].reshape(shape))


def grid(
    codes: bytes, shape: tuple[int, ...], numbers: Array, *, factor: bool | Array = False
) -> Array:
    """An array of table entries. Where it is a ``factor``, the simplest number is 1, not 0."""
    code = spread(codes, shape)
    return np.asarray(numbers[np.where((code < 2) & factor, 1 - code, code)])
