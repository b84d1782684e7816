"""Where minibatches come from: arrays, files larger than memory, functions and iterables.

A minibatch is a pair (x, y) of arrays with one sample per row; an epoch is one pass over them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.checks import InputError, describe, fail

if TYPE_CHECKING:  # importing numpy.random takes a tenth of the time of numpy
    from numpy.random import Generator

__all__ = ["Batches", "Numbered", "Source", "minibatches", "repeatable", "require_count"]

Pair: TypeAlias = tuple[Array, Array]
Batches: TypeAlias = "Callable[[Generator], Iterable[Pair]]"
Source: TypeAlias = "Batches | Iterable[Pair]"

_WINDOW = 1 << 26  # bytes of rows in memory at a time
_RUNS = 64  # places of the file that a window mixes; each is read as a whole
_SEQUENCES = (tuple, list)


def require_count(name: str, n: object) -> None:
    """Require a positive integer."""
    if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 1:
        fail(f"{name} must be a positive integer", describe(n), "choose 1 or more")


def minibatches(x: Array, y: Array, batch_size: int, *, window: int | None = None) -> Batches:
    """Batches of ``batch_size`` rows in a shuffled order; the last may be short.

    Every row is used once per epoch, and the order depends on the generator only. The rows of x
    live in one buffer, which the next batch overwrites: copy them to keep them.

    ``window``  how many rows are shuffled, and in memory, at a time: all, or of a memory-mapped
                array as many as take 64 MB. Runs of rows, 64 to a window, are read in random order

    Arrays that do not fit in memory are ``np.load(name, mmap_mode="r")`` or parts of it: what was
    read leaves memory at once. Raises `InputError` if rows of x and y differ in number, or a count
    is not a positive integer.
    """
    if not isinstance(x, np.ndarray) or not x.ndim or not len(x):
        fail("x must be an array with at least one row", describe(x), "pass one sample per row")
    if not isinstance(y, np.ndarray) or not y.ndim or len(y) != len(x):
        fail(f"y must have {len(x)} rows, as x has", describe(y), "pass one target per row")
    require_count("batch_size", batch_size)
    if window is not None:
        require_count("window", window)
    elif _mapped(x) is not None or _mapped(y) is not None:
        window = max(1, _WINDOW * len(x) // (x.nbytes + y.nbytes + 1))
    size = min(batch_size, len(x))
    held = len(x) if window is None else max(1, window // size) * size
    if held >= len(x):
        x = np.ascontiguousarray(x)  # else take would copy all of it for every batch

    def shuffled(rng: Generator) -> Iterator[Pair]:
        rows = np.empty((size, *x.shape[1:]), x.dtype)
        for xs, ys in [(x, y)] if held >= len(x) else _windows(x, y, held, rng):
            order = rng.permutation(len(xs))
            for start in range(0, len(xs), size):
                chosen = order[start : start + size]
                # mode="clip" lets take write without a buffer; a permutation needs no clipping
                yield np.take(xs, chosen, axis=0, out=rows[: len(chosen)], mode="clip"), ys[chosen]

    return shuffled


def _windows(x: Array, y: Array, size: int, rng: Generator) -> Iterator[Pair]:
    """Runs of rows in random order, ``size`` rows at a time; the next ones overwrite them."""
    sources, run = (x, y), -(-size // _RUNS)
    held = [np.empty((size, *source.shape[1:]), source.dtype) for source in sources]
    filled = 0
    for k in rng.permutation(-(-len(x) // run)).tolist():
        start, stop = k * run, min((k + 1) * run, len(x))
        while start < stop:
            count = min(stop - start, size - filled)
            for part, source in zip(held, sources, strict=True):
                part[filled : filled + count] = source[start : start + count]
                _drop(source)
            start, filled = start + count, filled + count
            if filled == size:
                yield held[0], held[1]
                filled = 0
    if filled:
        yield held[0][:filled], held[1][:filled]


def _mapped(x: Any) -> np.memmap[Any, Any] | None:
    """The memory-mapped array that x is, or is a view of."""
    while x is not None and not isinstance(x, np.memmap):
        x = getattr(x, "base", None)
    return x


def _drop(x: Array) -> None:
    """Return the pages of a memory-mapped file, which else count as memory of this process."""
    import mmap

    found = _mapped(x)
    if found is None or found.mode == "c" or not hasattr(mmap, "MADV_DONTNEED"):
        return  # changes to mode "c" are nowhere else
    pages: Any = found
    while isinstance(pages, np.ndarray):
        pages = pages.base
    if isinstance(pages, mmap.mmap):
        pages.madvise(mmap.MADV_DONTNEED)


def repeatable(source: Source, epochs: int | None = None) -> Batches:
    """The function of a generator that gives the minibatches of an epoch, from any source.

    ``source``  such a function, or what can be iterated over: once per epoch, in its own order
    ``epochs``  how many there will be, if that is known

    Raises `InputError` if the source is neither, or can be used once and is asked again.
    """
    if callable(source):
        return source
    if not isinstance(source, Iterable):
        fail(
            "minibatches must come from arrays x and y, a function of rng, or an iterable",
            describe(source), "pass a list of pairs (x, y)",
        )  # fmt: skip
    used = False

    def once(rng: Generator) -> Iterable[Pair]:
        nonlocal used
        if used:
            fail(
                "minibatches must come anew in every epoch",
                f"{describe(source)}, which can be used once",
                "pass a list, or a function of rng that returns them",
            )
        used = isinstance(source, Iterator)
        return source

    if isinstance(source, Iterator) and epochs is not None:
        used = epochs > 1
    return once


class Numbered:
    """The minibatches of an epoch; an `InputError` raised while they are used names the minibatch.

    Raises `InputError` for what is no pair of arrays.
    """

    def __init__(self, pairs: Iterable[Pair], epoch: int) -> None:
        self.pairs, self.epoch, self.number = pairs, epoch, 1

    def __enter__(self) -> Numbered:
        return self

    def __iter__(self) -> Iterator[Pair]:
        if not isinstance(self.pairs, Iterable):
            fail("a function of rng must return minibatches", describe(self.pairs), "yield them")
        for pair in self.pairs:
            if not isinstance(pair, _SEQUENCES) or len(pair) != 2:
                fail("it must be a pair (x, y)", describe(pair), "pass pairs of arrays")
            x, y = pair
            if not (isinstance(x, np.ndarray) and isinstance(y, np.ndarray) and x.ndim and y.ndim):
                wrong = y if isinstance(x, np.ndarray) and x.ndim else x
                fail(
                    "x and y must be NumPy arrays with one sample per row", describe(wrong),
                    "convert what they were, such as with np.asarray",
                )  # fmt: skip
            yield x, y
            self.number += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, InputError):
            text = f"minibatch {self.number} of epoch {self.epoch}: {error}"
            raise InputError(text).with_traceback(trace) from None
