"""The lines of a file of JSON lines, and their fields: each is checked when it is taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import inf, nan
from sys import float_info
from typing import Any, NoReturn

from mlp_ref.checks import describe, fail

__all__ = ["AGAIN", "Row", "is_count", "is_text", "is_texts", "rows_of"]

AGAIN = "write it again with mlp-ref verify --jsonl"
_DEEPEST = 4
_WORDS = {"nan": nan, "inf": inf, "-inf": -inf}


@dataclass(frozen=True)
class Row:
    """One line. ``place`` names file and line, ``text`` is the line, ``record`` what it says.

    Every method raises `InputError` for a key that is missing or holds something else.
    """

    place: str
    text: str
    record: Mapping[str, Any]

    def refuse(self, must: str, got: object) -> NoReturn:
        """Raise `InputError`, naming file and line."""
        nested = isinstance(got, list | dict)  # which may be long, and too deep to be shown
        fail(f"{self.place} {must}", f"a {type(got).__name__}" if nested else describe(got), AGAIN)

    def take(self, key: str, what: str, test: Callable[[Any], bool]) -> Any:
        """The value of a key, which must pass the test."""
        if key not in self.record:
            fail(f"{self.place} must have the key {key!r}", "none", AGAIN)
        if not test(self.record[key]):
            self.refuse(f"must have {what} as {key!r}", self.record[key])
        return self.record[key]

    def word(self, key: str) -> str:
        """A text."""
        return str(self.take(key, "a text", is_text))

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(self.take(key, "a list of texts", is_texts))

    def count(self, key: str) -> int:
        """An integer, 0 or more."""
        return int(self.take(key, "a count", is_count))

    def counts(self, key: str) -> tuple[int, ...]:
        """A list of integers, 0 or more."""
        return tuple(self.take(key, "a list of counts", _is_counts))

    def mapping(self, key: str, what: str, test: Callable[[Any], bool]) -> dict[str, Any]:
        """A mapping all values of which pass the test."""

        def right(x: Any) -> bool:
            return isinstance(x, dict) and all(map(test, x.values()))

        return dict(self.take(key, f"a mapping to {what}", right))

    def number(self, key: str) -> float:
        """A number; NaN and the infinities are texts."""
        value = self.take(key, "a number", _is_number)
        return float(_WORDS.get(value, value))


def is_text(x: Any) -> bool:
    """Whether it is a text."""
    return isinstance(x, str)


def is_texts(x: Any) -> bool:
    """Whether it is a list of texts."""
    return isinstance(x, list) and all(map(is_text, x))


def is_count(x: Any) -> bool:
    """Whether it is an integer, 0 or more, that a machine can hold."""
    return type(x) is int and 0 <= x < 2**63  # True is no count


def _is_counts(x: Any) -> bool:
    return isinstance(x, list) and all(map(is_count, x))


def _is_number(x: Any) -> bool:
    return x in _WORDS if is_text(x) else type(x) in (int, float) and abs(x) <= float_info.max


def rows_of(path: str, content: bytes) -> Iterator[Row]:
    """Every line, which must be a JSON object without a key that occurs twice."""
    lines = content.split(b"\n")
    if not lines[-1]:  # what follows the end of the last line
        lines.pop()
    for number, line in enumerate(lines, 1):
        place = f"{path} line {number}"
        try:
            text = line.decode().strip()
            record = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError too
            fail(f"{place} must be JSON", repr(str(error)), AGAIN)
        row = Row(place, text, record)
        if not isinstance(record, dict):
            row.refuse("must be a JSON object", record)
        if _deep(record):
            fail(f"{place} must hold lists and mappings {_DEEPEST} deep at most", "more", AGAIN)
        yield row


def _deep(record: dict[str, Any]) -> bool:
    """Whether comparing or showing it might exhaust the stack."""
    level: list[Any] = [record]
    for _ in range(_DEEPEST):
        level = [
            inner
            for x in level
            if isinstance(x, list | dict)
            for inner in (x.values() if isinstance(x, dict) else x)
        ]
    return any(isinstance(x, list | dict) for x in level)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key occurs twice")
    return record


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number in JSON")
