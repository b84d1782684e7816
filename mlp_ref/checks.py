"""Errors for bad input, in one wording: the invariant, what arrived, the remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

import numpy as np

__all__ = [
    "InputError",
    "describe",
    "fail",
    "lookup",
    "require_generator",
    "require_matrix",
    "require_same",
]

T = TypeVar("T")


class InputError(ValueError):
    """The caller's input breaks an invariant; the message is one line and names the remedy."""


def fail(invariant: str, received: str, remedy: str) -> NoReturn:
    """Raise `InputError` with the message ``invariant; got received; remedy``."""
    raise InputError(f"{invariant}; got {received}; {remedy}")


def describe(x: object) -> str:
    """Name an argument in a message: ``float32 array of shape (3, 4)``."""
    if isinstance(x, np.ndarray):
        return f"{x.dtype} array of shape {x.shape}"
    text = " ".join(line.strip() for line in repr(x).splitlines())  # of a tensor: several
    return f"{type(x).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def lookup(what: str, name: str, known: Mapping[str, T], remedy: str = "choose one of them") -> T:
    """The entry of that name, for command lines and files; the library itself passes records."""
    if name not in known:
        fail(f"{what} must be one of {', '.join(known)}", repr(name), remedy)
    return known[name]


def require_matrix(
    name: str, x: object, columns: int | None = None, dtype: np.dtype[Any] | None = None
) -> None:
    """Require a floating-point array (n, columns), n >= 1, of ``dtype`` if one is given.

    Complex arrays of the same width count as that dtype: the complex step needs them.
    """
    if (
        type(x) is np.ndarray and x.ndim == 2 and x.dtype == dtype and x.shape[1] == columns
        and x.shape[0]
    ):  # fmt: skip
        return  # what a training step brings: it shall cost next to nothing
    width = "any" if columns is None else columns
    if not isinstance(x, np.ndarray):
        fail(f"{name} must be a NumPy array", describe(x), f"pass np.asarray({name}, dtype=...)")
    if type(x) not in (np.ndarray, np.memmap) or not x.dtype.isnative:
        kind = f"{type(x).__name__} of {x.dtype.newbyteorder('=')} in byte order {x.dtype.str[0]}"
        fail(
            f"{name} must be a plain array in native byte order", kind,
            f"pass np.array({name}, dtype='{x.dtype.name}')",
        )  # fmt: skip
    if x.ndim != 2 or (columns is not None and x.shape[1] != columns):
        fail(f"{name} must have shape (n, {width})", describe(x), "pass one sample per row")
    if x.shape[0] == 0:
        fail(f"{name} must have at least one row", describe(x), "pass a batch that is not empty")
    if x.shape[1] == 0:
        fail(f"{name} must have at least one column", describe(x), "pass at least one number a row")
    if x.dtype.kind not in "fc" or (
        dtype is not None and x.real.dtype != np.empty(0, dtype).real.dtype
    ):
        wanted = "a floating-point array" if dtype is None else f"{dtype}"
        target = "float64" if dtype is None else f"{dtype}"
        fail(f"{name} must be {wanted}", describe(x), f"cast it with {name}.astype(np.{target})")


def require_generator(rng: object) -> None:
    """Require a `numpy.random.Generator`: the global seed of NumPy is never used."""
    from numpy.random import Generator  # a tenth of the time that importing numpy takes

    if not isinstance(rng, Generator):
        fail("rng must be a numpy.random.Generator", describe(rng), "pass default_rng(seed)")


def require_same(name: str, x: object, other: str, y: np.ndarray[Any, Any]) -> None:
    """Require that array ``x`` has the shape of ``y``: nothing is broadcast."""
    if not isinstance(x, np.ndarray) or x.shape != y.shape:
        shape = f"{name} must have the shape {y.shape} of {other}"
        fail(shape, describe(x), "nothing is broadcast")
