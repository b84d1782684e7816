"""Ledgers: files of expectations, those of released libraries and the user's own.

    {"format": 1, "entries": [{"id": ..., "subjects": [...], "versions": ..., "evidence": ...,
      "why": ..., "failing": {"CASE": {"TENSOR": deviation}}}]}

A deviation is a number, the largest by which an entry exceeds its bound; "inf" where the wrong
entries are infinite; "nan" where NaN stands for a number, or a number for NaN; or true for
"rejection", where inputs that must be refused are answered. Cases that fail on some machines only,
because the error is near the bound, are listed as "may_pass": when they pass, nothing is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from math import inf, nan
from pathlib import Path
from typing import Any, NoReturn

from mlp_ref.checks import describe, fail
from mlp_ref.corpus.decoding import parse_json
from mlp_ref.files import PathName, quote, require_file
from mlp_ref.gate.cases import REJECTION
from mlp_ref.gate.expectations import Expectation

__all__ = ["expectations_of", "known_expectations", "passed_over", "read_ledger"]

_FORMAT = 1
_TEXTS = ("id", "versions", "evidence", "why")
_KEYS, _OPTIONAL = {*_TEXTS, "subjects", "failing"}, "may_pass"
_WORDS = {"nan": nan, "inf": inf}


def known_expectations() -> tuple[Expectation, ...]:
    """Every deviation of a released library that is known."""
    folder = Path(__file__).with_name("ledgers")
    return tuple(known for path in sorted(folder.glob("*.json")) for known in read_ledger(path))


def expectations_of(subject: str, own: PathName | None = None) -> tuple[Expectation, ...]:
    """What is known of one subject, from our ledgers and from the user's own, if there is one.

    Raises `InputError` if the latter is no ledger, or uses an id of ours.
    """
    ours = known_expectations()
    more = () if own is None else read_ledger(own)
    for name in {known.id for known in ours} & {known.id for known in more}:
        _refuse(quote(own or ""), "must use ids of its own", name)
    return tuple(known for known in (*ours, *more) if known.concerns(subject))


def passed_over(subject: str, own: PathName) -> str:
    """Which entries of a ledger of the user's do not concern a subject, or an empty string.

    Raises `InputError` if it is no ledger.
    """
    entries = read_ledger(own)
    others = [known for known in entries if not known.concerns(subject)]
    names = sorted({name for known in others for name in known.subjects})
    if not others:
        return ""
    count = f"{len(others)} of {len(entries)} entries {'is' if len(others) == 1 else 'are'}"
    return f"{quote(own)}: {count} for other subjects: {', '.join(names)}"


def read_ledger(path: PathName) -> tuple[Expectation, ...]:
    """The entries of a ledger.

    Raises `InputError` if it cannot be read, is no ledger, or has two entries of one id.
    """
    place = quote(path)
    ledger = parse_json(require_file(path).read_text("utf-8", "replace"), place)
    if not isinstance(ledger, dict) or {*ledger} != {"format", "entries"}:
        _refuse(place, "must be an object with format and entries", ledger)
    if type(ledger["format"]) is not int or ledger["format"] != _FORMAT:
        _refuse(place, f"must have format {_FORMAT}", ledger["format"])
    if not isinstance(ledger["entries"], list):
        _refuse(place, "must have a list of entries", ledger["entries"])
    found = tuple(_entry(place, entry) for entry in ledger["entries"])
    ids = [known.id for known in found]
    for name in ids:
        if ids.count(name) > 1:
            _refuse(place, "must use every id once", name)
    return found


def _refuse(place: str, must: str, got: object) -> NoReturn:
    fail(f"{place} {must}", describe(got), "see mlp_ref.gate.ledger")


def _entry(place: str, entry: Any) -> Expectation:
    if not isinstance(entry, dict) or {*entry} - {_OPTIONAL} != _KEYS:
        _refuse(place, f"must have entries of {', '.join(sorted(_KEYS))}", entry)
    place = f"{place}: {entry['id']!r:.60}"
    for key in _TEXTS:
        if not isinstance(entry[key], str) or not entry[key]:
            _refuse(place, f"must have a text as {key!r}", entry[key])
    subjects, failing = entry["subjects"], entry["failing"]
    listed = isinstance(subjects, list) and bool(subjects)
    if not listed or not all(isinstance(name, str) and name for name in subjects):
        _refuse(place, "must name its subjects", subjects)
    if not isinstance(failing, dict) or not failing:
        _refuse(place, "must name the cases that fail", failing)
    cases = {name: _deviations(place, name, tensors) for name, tensors in failing.items()}
    texts, may_pass = {key: entry[key] for key in _TEXTS}, entry.get(_OPTIONAL, [])
    if not isinstance(may_pass, list) or not all(name in [*cases] for name in may_pass):
        _refuse(place, "must list cases among those that fail as 'may_pass'", may_pass)
    return Expectation(
        subjects=tuple(subjects), failing=cases, may_pass=tuple(may_pass), **texts
    )  # fmt: skip


def _deviations(place: str, case: str, tensors: Any) -> Mapping[str, float]:
    if not isinstance(tensors, dict) or not tensors:
        _refuse(place, f"must name the tensors of {case}", tensors)
    return {name: _deviation(f"{place} {case}", name, x) for name, x in tensors.items()}


def _deviation(place: str, tensor: str, x: Any) -> float:
    if tensor == REJECTION:
        return inf if x is True else _refuse(place, f"must have true for {REJECTION}", x)
    if isinstance(x, str) and x in _WORDS:
        return _WORDS[x]
    number = isinstance(x, int | float) and not isinstance(x, bool)
    if not number or not 0 < x <= sys.float_info.max:
        must = f'must have a deviation of {tensor}, a number above 0, "nan" or "inf"'
        _refuse(place, must, x)
    return float(x)
