"""Numbers as hex: IEEE words, most significant digit first, one after another without a separator.

A float64 or int64 takes 16 digits, a float32 8. A short word, for radii and bounds, is the upper
half of the upper half of a float64 word (4 digits: sign, exponent, 4 bits of the fraction) of a
number that is not negative, rounded up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.checks import fail

__all__ = ["DIGITS", "from_hex", "from_short", "rounded_up", "to_hex", "to_short"]

# dtype -> hex digits of a word
DIGITS: Mapping[str, int] = MappingProxyType({"float64": 16, "float32": 8, "int64": 16})
_SHORT = 4
_HEX = re.compile(r"[0-9a-f]*")


def to_hex(x: Array) -> str:
    """The words of an array in C order; every NaN is the quiet one, 7ff8000000000000."""
    plain = np.where(np.isnan(x), np.array(np.nan, x.dtype), x) if x.dtype.kind == "f" else x
    return np.ascontiguousarray(plain).astype(x.dtype.newbyteorder(">")).tobytes().hex()


def from_hex(text: str, dtype: str) -> Array:
    """The numbers (n,) that `to_hex` wrote.

    Raises `InputError` for another length, another digit, or a NaN of another word.
    """
    _require_digits(text, DIGITS[dtype])
    kind = np.dtype(dtype)
    numbers = np.frombuffer(bytes.fromhex(text), kind.newbyteorder(">")).astype(kind)
    if kind.kind == "f" and np.isnan(numbers).any() and to_hex(numbers) != text:
        fail("a NaN must be the word 7ff8000000000000", "another NaN", "write that one")
    return numbers


def rounded_up(x: Array) -> Array:
    """The next number that a short word holds, for x >= 0.

    Raises `InputError` for NaN and for a negative number.
    """
    if not np.all(x >= 0):
        fail("a radius or bound must be 0 or more", "NaN or a negative number", "compute it anew")
    words = np.abs(np.ascontiguousarray(x, np.float64)).view(np.uint64)
    return ((words + np.uint64(2**48 - 1)) >> np.uint64(48) << np.uint64(48)).view(np.float64)


def to_short(x: Array) -> str:
    """The short words of numbers >= 0, rounded up; what exceeds the largest is infinite.

    Raises `InputError` for a negative number or NaN.
    """
    words = rounded_up(x).reshape(-1).view(np.uint64) >> np.uint64(48)
    return words.astype(">u2").tobytes().hex()


def from_short(text: str) -> Array:
    """The numbers (n,) that `to_short` wrote.

    Raises `InputError` for another length or digit, and for a negative number or NaN.
    """
    _require_digits(text, _SHORT)
    words = np.frombuffer(bytes.fromhex(text), ">u2").astype(np.uint64) << np.uint64(48)
    numbers = words.view(np.float64)
    if np.signbit(numbers).any() or np.isnan(numbers).any():
        fail("a short word must be 0 ... 7ff0", "a negative number or NaN", "write it rounded up")
    return numbers


def _require_digits(text: str, digits: int) -> None:
    if not _HEX.fullmatch(text) or len(text) % digits:
        fail(
            f"words must be lower-case hex digits, {digits} a word",
            f"{len(text)} characters" if _HEX.fullmatch(text) else "another character",
            "fetch the file again",
        )  # fmt: skip
