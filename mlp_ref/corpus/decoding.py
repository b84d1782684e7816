"""Records from JSON, strictly: what `encoding` would not write is refused.

The base install has no schema validator, so that every key, length and digit is checked here; the
schemas in conformance/schema say the same to others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isfinite, prod
from typing import Any, NoReturn

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.checks import InputError, fail
from mlp_ref.corpus.encoding import FORMAT
from mlp_ref.corpus.hexwords import DIGITS, from_hex, from_short
from mlp_ref.corpus.names import REJECTS, parameter_kinds, tensors_of, unknown
from mlp_ref.corpus.records import FLAGS, OPERATIONS, Certified, Generated, Record

__all__ = ["is_version", "parse_json", "read_cases"]

_ARITHMETICS: Mapping[str, tuple[str, ...]] = {  # -> arithmetics of the stored bounds
    "float64": ("float64",), "float32": ("float64", "float32"),
}  # fmt: skip
_ID = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)+")
_VERSION = re.compile(r"[0-9]{4}\.[1-9][0-9]*|own")
_HEADER = {"format": int, "corpus": str, "operation": str, "notes": dict, "cases": list}
_CASE = {
    "id": str, "note": str, "since": str, "difficulty": int, "flags": list, "arithmetic": str,
    "parameters": dict, "inputs": dict,
}  # fmt: skip
_VALID, _WRONG = {"expected": dict, "provenance": dict}, {"rejects": str}
_RECIPE = {"seed": str, "modulus": int, "offset": int, "scale": float}
_TENSOR = {"shape": list, "hi": str, "lo": str, "radius": str, "bound": dict}
_MORE = {"index": list, "checksum": str, "sets": dict, "signed_zeros": bool}
_LARGEST = 1 << 24  # integers up to that are exact in float32; no tensor has as many entries


class _Place:
    """Where in a file something stands, for messages: file, case, keys."""

    def __init__(self, *parts: str) -> None:
        self.parts = parts

    def __truediv__(self, part: str) -> _Place:
        return _Place(*self.parts, part)

    def refuse(self, invariant: str, received: object) -> NoReturn:
        fail(f"{self._text()}: {invariant}", _short(received), "fetch the file again")

    def words(self, text: Any, dtype: str, count: int) -> Array:
        """So many words of a dtype, or short words."""
        if not isinstance(text, str):
            self.refuse("must be a string of hex digits", text)
        try:
            numbers = from_short(text) if dtype == "short" else from_hex(text, dtype)
        except InputError as error:
            raise InputError(f"{self._text()}: {error}") from None
        if numbers.size != count:
            self.refuse(f"must hold {count} words", numbers.size)
        numbers.flags.writeable = False  # several readers may hold one record
        return numbers

    def keys(self, x: Any, needed: Mapping[str, type], more: Mapping[str, type] = {}) -> None:
        """Require an object with these keys, and values of these types; true is no number."""
        if not isinstance(x, dict) or not set(needed) <= set(x) <= {*needed, *more}:
            got = sorted(x) if isinstance(x, dict) else x
            self.refuse(f"must have the keys {', '.join(needed)}", got)
        for key, value in x.items():
            kind = needed.get(key) or more[key]
            if type(value) is not kind:
                (self / key).refuse(f"must be of type {kind.__name__}", value)

    def _text(self) -> str:
        return " ".join(self.parts)


def _short(x: object) -> str:
    text = repr(x)
    return text if len(text) <= 60 else text[:57] + "..."


def parse_json(text: str, name: str) -> Any:
    """JSON without duplicate keys, without NaN, and without numbers that overflow.

    Raises `InputError` if it is not.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            raise ValueError(f"the key {max(keys, key=keys.count)!r} twice")
        return found

    def finite(text: str) -> float:
        number = float(text)
        if not isfinite(number):
            raise ValueError(f"the number {text}")
        return number

    try:
        return json.loads(text, object_pairs_hook=once, parse_float=finite, parse_constant=finite)
    except (ValueError, RecursionError) as error:
        return _Place(name).refuse("must be JSON", str(error))


def is_version(x: object) -> bool:
    """Whether x is a version of a corpus: a year and a number, or ``own``."""
    return isinstance(x, str) and _VERSION.fullmatch(x) is not None


def read_cases(text: str, name: str) -> tuple[str, tuple[Record, ...]]:
    """The corpus version and the records of a file; ``name`` stands in messages.

    Raises `InputError`, with file, case and key, for anything that `encoding` would not write.
    """
    place, whole = _Place(name), parse_json(text, name)
    place.keys(whole, _HEADER)
    operation = whole["operation"]
    if whole["format"] != FORMAT:
        place.refuse(f"must have format {FORMAT}; update mlp_ref for another", whole["format"])
    if operation not in OPERATIONS:
        place.refuse("must have a known operation", operation)
    if not is_version(whole["corpus"]):
        (place / "corpus").refuse("must be a version such as 2026.1, or own", whole["corpus"])
    records = tuple(_case(place, operation, case) for case in whole["cases"])
    ids = [record.id for record in records]
    if len(set(ids)) < len(ids):
        place.refuse("ids must be unique", max(ids, key=ids.count))
    used = {flag: FLAGS[flag] for record in records for flag in record.flags}
    if whole["notes"] != used:
        place.refuse("must explain every flag that it uses, and no other", sorted(whole["notes"]))
    return whole["corpus"], records


def _case(file: _Place, operation: str, case: Any) -> Record:
    place = file / str(case.get("id") if isinstance(case, dict) else case)
    place.keys(case, _CASE | (_WRONG if "rejects" in case else _VALID))
    arithmetic, parameters = case["arithmetic"], case["parameters"]
    if arithmetic not in _ARITHMETICS:
        (place / "arithmetic").refuse(f"must be {' or '.join(_ARITHMETICS)}", arithmetic)
    _require_words_about(place, operation, case)
    (place / "parameters").keys(parameters, parameter_kinds(operation, parameters))
    if odd := unknown(parameters):
        (place / "parameters" / odd).refuse("must be known and possible", parameters[odd])
    named, expected = tensors_of(operation, parameters), case.get("expected", {})
    if set(case["inputs"]) != set(named.inputs):
        (place / "inputs").refuse(f"must be {', '.join(named.inputs)}", sorted(case["inputs"]))
    known = {*named.expected, *named.more}
    if "rejects" not in case and not set(named.expected) <= set(expected) <= known:
        (place / "expected").refuse(f"must be {', '.join(named.expected)}", sorted(expected))
    return Record(
        case["id"], operation, arithmetic, case["note"], case["difficulty"],
        tuple(case["flags"]), parameters,
        {key: _input(place / key, x, _dtypes(case, key)) for key, x in case["inputs"].items()},
        {key: _expected(place / key, q, arithmetic) for key, q in expected.items()},
        case.get("rejects", ""), case["since"], case.get("provenance", {}),
    )  # fmt: skip


def _require_words_about(place: _Place, operation: str, case: Mapping[str, Any]) -> None:
    """Id, version, difficulty, flags, note and reason."""
    name, end, flags = case["id"], f"/{case['arithmetic']}", case["flags"]
    if not (_ID.fullmatch(name) and name.startswith(f"{operation}/") and name.endswith(end)):
        (place / "id").refuse(f"must be of the form {operation}/...{end}", name)
    if not is_version(case["since"]):
        (place / "since").refuse("must be a version such as 2026.1, or own", case["since"])
    if not 1 <= case["difficulty"] <= 4:
        (place / "difficulty").refuse("must be 1, 2, 3 or 4", case["difficulty"])
    if not all(isinstance(f, str) and f in FLAGS for f in flags) or len(set(flags)) < len(flags):
        (place / "flags").refuse("must be known flags, each once", flags)
    if not (case["note"].isascii() and case["note"].isprintable() and case["note"]):
        (place / "note").refuse("must be one line of ASCII", case["note"])
    if case.get("rejects", "shape") not in REJECTS:
        (place / "rejects").refuse(f"must be one of {', '.join(REJECTS)}", case["rejects"])
    if "provenance" in case:
        (place / "provenance").keys(case["provenance"], {"bits": int, "agreed": dict})
        kinds = {"values": float, "derivatives": float}
        (place / "provenance" / "agreed").keys(case["provenance"]["agreed"], {}, kinds)


def _shape(place: _Place, shape: list[Any]) -> tuple[int, ...]:
    if len(shape) > 2 or any(type(n) is not int or n < 0 for n in shape):
        (place / "shape").refuse("must hold at most two sizes", shape)
    if max(prod(shape), *shape, 0) >= _LARGEST:  # also (0, n), which NumPy limits
        (place / "shape").refuse(f"must have less than {_LARGEST} entries", shape)
    return tuple(shape)


def _dtypes(case: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """What an input may have: the arithmetic first, int64 for labels, anything to be rejected."""
    arithmetic: str = case["arithmetic"]
    others = DIGITS if "rejects" in case else ("int64",) if name == "target" else ()
    return (arithmetic, *(dtype for dtype in others if dtype != arithmetic))


def _input(place: _Place, x: Any, dtypes: tuple[str, ...]) -> Array | Generated:
    recipe = isinstance(x, dict) and "generator" in x
    place.keys(
        x, {"shape": list, "dtype": str} | ({"generator": dict} if recipe else {"words": str})
    )
    shape, dtype = _shape(place, x["shape"]), x["dtype"]
    if dtype not in (dtypes[:1] if recipe else dtypes):
        (place / "dtype").refuse(f"must be {dtypes[0] if recipe else ' or '.join(dtypes)}", dtype)
    if recipe:
        return _generated(place / "generator", shape, x["generator"])
    return (place / "words").words(x["words"], dtype, prod(shape)).reshape(shape)


def _generated(place: _Place, shape: tuple[int, ...], recipe: Any) -> Generated:
    place.keys(recipe, _RECIPE)
    (seed,) = (place / "seed").words(recipe["seed"], "int64", 1).view(np.uint64)
    modulus, offset, scale = recipe["modulus"], recipe["offset"], recipe["scale"]
    if modulus < 1 or max(abs(offset), abs(offset + modulus - 1)) > _LARGEST:
        place.refuse(f"must give integers of at most {_LARGEST}", (modulus, offset))
    if not 2.0**-100 <= scale <= 2.0**100 or np.frexp(scale)[0] != 0.5:
        (place / "scale").refuse("must be a power of two", scale)
    return Generated(shape, int(seed), modulus, offset, scale)


def _expected(place: _Place, q: Any, arithmetic: str) -> Certified:
    place.keys(q, _TENSOR, _MORE)
    shape = _shape(place, q["shape"])
    size, stored, index = prod(shape), shape, None
    if "index" in q:
        index = _index(place / "index", q["index"], size)
        stored = (len(index),)
    if ("checksum" in q) != ("index" in q):
        place.refuse("index and checksum must stand together", sorted(q))
    if not q.get("signed_zeros", True) or not q.get("sets", True):
        place.refuse("signed_zeros and sets must be left out where there are none", sorted(q))
    names = _ARITHMETICS[arithmetic]
    (place / "bound").keys(q["bound"], dict.fromkeys(names, str))

    def words(key: str, text: str, dtype: str) -> Array:
        return (place / key).words(text, dtype, prod(stored)).reshape(stored)

    hi, low = words("hi", q["hi"], "float64"), words("lo", q["lo"], "float64")
    radius = words("radius", q["radius"], "short")
    bounds = {name: words(f"bound {name}", q["bound"][name], "short") for name in names}
    _require_words(place, hi, low, radius)
    checksum, present = q.get("checksum"), range(size) if index is None else index.tolist()
    return Certified(
        shape, hi, low, radius, bounds, index,
        None if checksum is None
        else float((place / "checksum").words(checksum, "float64", 1)[0]),
        dict(_set(place / "sets", k, x, present) for k, x in q.get("sets", {}).items()),
        q.get("signed_zeros", False),
    )  # fmt: skip


def _require_words(place: _Place, hi: Array, low: Array, radius: Array) -> None:
    """|low| is at most half a unit in the last place of hi; beside NaN and infinities it is 0."""
    half = np.where(np.isfinite(hi) & (hi != 0), np.ldexp(1.0, np.frexp(hi)[1] - 54), 0.0)
    right = (np.abs(low) <= half) & np.isfinite(radius) & (np.isfinite(hi) | (radius == 0))
    if not right.all():
        place.refuse("lo must be at most half a unit of hi, and radius finite", int(right.argmin()))


def _index(place: _Place, index: list[Any], size: int) -> Array:
    if not index or any(type(k) is not int or not 0 <= k < size for k in index):
        place.refuse(f"must hold flat indices below {size}", index)
    if any(a >= b for a, b in pairwise(index)):
        place.refuse("must ascend", index)
    return np.array(index, np.int64)


def _set(
    place: _Place, key: str, words: Any, present: Sequence[int]
) -> tuple[int, tuple[float, ...]]:
    """A flat index, and the numbers that are right there."""
    if not re.fullmatch("0|[1-9][0-9]{0,7}", key) or int(key) not in present:
        place.refuse("a key must be the flat index of an entry that is stored", key)
    if not isinstance(words, list) or not words:
        place.refuse("must be a list of words", words)
    return int(key), tuple(float((place / key).words(w, "float64", 1)[0]) for w in words)
