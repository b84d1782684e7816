"""JSON and tensors as they travel between the gate and a subject, read strictly.

A tensor is ``{"shape", "dtype", "words"}``, hex words as in `mlp_ref.corpus.hexwords`, or
``{"shape", "dtype", "values"}``: flat numbers in C order, or "nan", "inf", "-inf". Values are read
as float64, then rounded to the dtype.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Set
from math import inf, isfinite, nan, prod
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.checks import InputError, fail
from mlp_ref.corpus.hexwords import DIGITS, to_hex

__all__ = [
    "LARGEST", "WIRE_DIGITS", "array_of", "decode", "encode", "from_words", "narrowed", "one_line",
    "read_json", "require_keys", "shape_of", "shown",
]  # fmt: skip

# dtype -> hex digits of a word; bfloat16 numbers travel as float32
WIRE_DIGITS: Mapping[str, int] = MappingProxyType({**DIGITS, "float16": 4})
LARGEST = 1 << 24  # no tensor has as many entries
_RANK = 8  # a wrong shape is for the judge to tell, not for the transport
_TEXTS = {"nan": nan, "inf": inf, "-inf": -inf}
_HEX = re.compile("[0-9a-f]*")
_REMEDY = "see PROTOCOL.md, of which mlp-ref questions --protocol knows the place"
_REASON = 500


def read_json(line: bytes) -> Any:
    """One line of UTF-8 JSON: no key twice, no NaN, no number that overflows; -0 keeps its sign.

    Raises `InputError` if it is not.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a key occurs twice")
        return found

    def finite(text: str) -> float:
        number = float(text)
        if not isfinite(number):
            raise ValueError(f"{text[:20]} is no number")
        return number

    def whole(text: str) -> float:
        return -0.0 if text == "-0" else int(text)

    try:
        return json.loads(
            line.decode(), object_pairs_hook=once, parse_float=finite, parse_int=whole,
            parse_constant=finite,
        )  # fmt: skip
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError, too
        fail("a line must be JSON", f"{shown(line)} ({one_line(str(error), 100)})", _REMEDY)


def shown(line: bytes) -> str:
    """The beginning of a line, for messages."""
    return repr(line[:60].decode(errors="replace")) + ("..." if len(line) > 60 else "")


def one_line(text: str, longest: int = _REASON) -> str:
    """The text on one line without control characters, cut; never empty."""
    start = text[: 4 * longest]
    words = "".join(c if c.isprintable() else " " for c in start).split()
    flat = " ".join(words) or "no reason given"
    return flat if len(flat) <= longest else flat[: longest - 3] + "..."


def require_keys(x: Any, what: str, needed: Set[str], more: Set[str] = frozenset()) -> None:
    """Require an object with the needed keys, and of others only ``more``."""
    if not isinstance(x, dict):
        fail(f"{what} must be a JSON object", _kind(x), _REMEDY)
    for key in sorted(needed - x.keys()):
        fail(f"{what} must have the key {key!r}", "none", _REMEDY)
    for key in x.keys() - needed - more:
        fail(
            f"{what} must have no other keys than {', '.join(sorted(needed | more))}",
            repr(key[:40]), _REMEDY,
        )  # fmt: skip


def encode(x: Any) -> dict[str, Any]:
    """A tensor as JSON values. A Python float is a float64 scalar.

    Raises `InputError` if it is no array of a dtype in `WIRE_DIGITS`.
    """
    x = array_of(x)
    return {"shape": list(x.shape), "dtype": x.dtype.name, "words": to_hex(x)}


def array_of(x: Any) -> Array:
    """The tensor as an array of native byte order; a Python float becomes a float64 scalar.

    Raises `InputError` if it is neither, or of a dtype that is not in `WIRE_DIGITS`.
    """
    if type(x) is float:
        x = np.float64(x)
    if not isinstance(x, np.ndarray | np.generic):
        fail("a tensor must be a NumPy array", type(x).__name__, "convert it with np.asarray")
    if x.dtype.name not in WIRE_DIGITS:
        fail(f"a tensor must be {', '.join(WIRE_DIGITS)}", x.dtype.name, "convert it")
    return np.asarray(x, x.dtype.newbyteorder("="))


def decode(x: Any, what: str, strict: bool = True) -> Array:
    """The array that a tensor stands for; without ``strict``, unknown keys are ignored.

    Raises `InputError` for anything that is no tensor; ``what`` names it in the message.
    """
    form = "values" if isinstance(x, dict) and "values" in x and "words" not in x else "words"
    needed = {"shape", "dtype", form}
    require_keys(x, what, needed, set() if strict or not isinstance(x, dict) else x.keys())
    shape, dtype = shape_of(x["shape"], what), x["dtype"]
    if not isinstance(dtype, str) or dtype not in WIRE_DIGITS:
        got = repr(dtype[:40]) if isinstance(dtype, str) else _kind(dtype)
        fail(f"the dtype of {what} must be {', '.join(WIRE_DIGITS)}", got, _REMEDY)
    try:
        numbers = (from_words if form == "words" else _from_values)(x[form], dtype)
    except InputError as error:
        raise InputError(f"{what}: {error}") from None
    if numbers.size != prod(shape):
        fail(
            f"{what} must hold {prod(shape)} numbers, as its shape {list(shape)} says",
            str(numbers.size), _REMEDY,
        )  # fmt: skip
    return numbers.reshape(shape)


def shape_of(sizes: Any, what: str) -> tuple[int, ...]:
    """A shape; raises `InputError` unless it is a list of sizes, and not too large."""
    listed = isinstance(sizes, list) and len(sizes) <= _RANK
    if not listed or any(type(n) is not int or n < 0 for n in sizes):
        got = str(sizes)[:60] if _flat(sizes) else _kind(sizes)
        fail(f"the shape of {what} must be a list of at most {_RANK} sizes", got, _REMEDY)
    if max(*sizes, prod(sizes), 0) >= LARGEST:  # also (0, n), which NumPy limits
        fail(f"{what} must have less than {LARGEST} entries", str(sizes)[:60], _REMEDY)
    return tuple(sizes)


def from_words(text: Any, dtype: str) -> Array:
    """The numbers (n,) of hex words of a dtype; every NaN word is taken as it is.

    Raises `InputError` for another length or digit.
    """
    digits = WIRE_DIGITS[dtype]
    if not isinstance(text, str) or len(text) % digits or not _HEX.fullmatch(text):
        got = f"{len(text)} characters" if isinstance(text, str) else _kind(text)
        if isinstance(text, str) and (odd := _HEX.sub("", text[: digits * LARGEST])):
            got = f"the character {odd[0]!r}"
        fail(f"words must be lower-case hex digits, {digits} a word of {dtype}", got, _REMEDY)
    kind = np.dtype(dtype)
    return np.frombuffer(bytes.fromhex(text), kind.newbyteorder(">")).astype(kind)


def narrowed(numbers: Array, dtype: str) -> Array:
    """float64 numbers that stand for those of a narrower dtype.

    Raises `InputError` for a number that the dtype does not hold.
    """
    with np.errstate(all="ignore"):
        narrow = numbers.astype(dtype)
        same = (narrow == numbers) | np.isnan(numbers)
    if not same.all():
        odd = float(numbers[int(np.argmin(same))])
        fail(f"every number must be one of {dtype}", repr(odd), "round it, or state its dtype")
    return narrow


def _from_values(values: Any, dtype: str) -> Array:
    if not isinstance(values, list):
        fail("values must be a flat list", _kind(values), _REMEDY)
    numbers = [_TEXTS.get(v, v) if isinstance(v, str) else v for v in values]
    if dtype == "int64":
        for v in numbers:
            if type(v) is not int or not -(2**63) <= v < 2**63:
                _refuse_value(v, dtype)
        return np.array(numbers, np.int64)
    for v in numbers:
        if type(v) is not float and (type(v) is not int or v.bit_length() > 1023):
            _refuse_value(v, dtype)
    exact = np.array(numbers, np.float64)
    with np.errstate(all="ignore"):
        rounded = exact.astype(dtype)
    lost = np.isinf(rounded) & np.isfinite(exact)
    if lost.any():
        _refuse_value(float(exact[int(np.argmax(lost))]), dtype)
    return rounded


def _refuse_value(v: Any, dtype: str) -> NoReturn:
    got = repr(v)[:40] if type(v) in (float, str) else _kind(v)
    fail(
        f'values must be numbers within {dtype}, or "nan", "inf", "-inf"', got,
        "an overflow must be written as an infinity",
    )  # fmt: skip


def _flat(x: Any) -> bool:
    return isinstance(x, list) and all(type(n) in (int, float) for n in x[:9]) and len(x) < 10


def _kind(x: object) -> str:
    """What JSON calls it: values may be long, and too deep to be shown."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return names.get(type(x), "null" if x is None else "a number")
