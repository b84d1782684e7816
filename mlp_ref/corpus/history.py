"""The history of the cases: a line per case ever published, and the errata.

A line of conformance/ids.txt is ``id version digest``: the version of the corpus in which the case
appeared or was changed, and the first 16 hex digits of the SHA-256 digest of what must not change,
that is, of the case without its note, difficulty, flags and provenance. Lines are only ever
appended. A second line of an id, and an id that is no longer in the corpus, need an erratum.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

from mlp_ref.checks import fail
from mlp_ref.corpus.decoding import parse_json
from mlp_ref.corpus.encoding import question_text
from mlp_ref.corpus.records import Record

__all__ = ["Erratum", "digest_of", "history_problems", "read_errata", "updated_history"]

_LINE = re.compile(r"(\S+) (\S+) ([0-9a-f]{16})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHAT = ("changed", "retired")


class Erratum(NamedTuple):
    """An entry of conformance/errata.json.

    ``id``      of the case
    ``corpus``  the version in which it was corrected
    ``date``    of the correction, YYYY-MM-DD
    ``what``    changed or retired
    ``why``     what was wrong, for those who relied on it
    """

    id: str
    corpus: str
    date: str
    what: str
    why: str


def digest_of(record: Record) -> str:
    """What identifies the question and the answer of a case."""
    return sha256(question_text(record).encode()).hexdigest()[:16]


def updated_history(
    lines: Iterable[str], records: Iterable[Record], version: str | None = None
) -> list[str]:
    """The lines, and one more for every case that is new or changed.

    A new case is dated with its own ``since``, a changed one with ``version``, or with its own
    ``since`` if none is given.
    """
    out = list(lines)
    last = {key: digest for key, _, digest in map(_parts, out)}
    for record in records:
        digest = digest_of(record)
        if last.get(record.id) != digest:
            dated = version if version and record.id in last else record.since
            out.append(f"{record.id} {dated} {digest}")
    return out


def history_problems(
    lines: Sequence[str], records: Iterable[Record], errata: Iterable[Erratum] = ()
) -> list[str]:
    """What is wrong with the history of these cases, a line each; empty if nothing is."""
    last: dict[str, str] = {}
    changes: Counter[str] = Counter()
    for key, _, digest in map(_parts, lines):
        changes[key] += key in last
        last[key] = digest
    present = {record.id: digest_of(record) for record in records}
    known = list(errata)
    excused = Counter(e.id for e in known if e.what == "changed")
    retired = {e.id for e in known if e.what == "retired"}
    problems = [f"{e.id} has an erratum, and never existed" for e in known if e.id not in last]
    problems += [f"{key} has no line in ids.txt" for key in present.keys() - last.keys()]
    for key, digest in last.items():
        if key in present and present[key] != digest:
            problems.append(f"{key} was changed, and ids.txt has no line for that")
        if changes[key] > excused[key]:
            problems.append(f"{key} was changed, and no erratum says why")
        if (key in retired) == (key in present):
            missing = "it is still there" if key in present else "no erratum says why"
            problems.append(f"{key} was retired, and {missing}")
    return sorted(problems)


def read_errata(text: str, name: str) -> list[Erratum]:
    """The entries of errata.json; raises `InputError` if it is anything else."""
    whole = parse_json(text, name)
    entries = whole.get("errata") if isinstance(whole, dict) else None
    if not isinstance(entries, list) or set(whole) != {"format", "errata"} or whole["format"] != 1:
        fail(f"{name} must have the keys format (1) and errata (a list)", "others", "correct it")
    for entry in entries:
        texts = isinstance(entry, dict) and all(isinstance(x, str) for x in entry.values())
        if not texts or tuple(entry) != Erratum._fields:
            fail(f"an entry of {name} must have {', '.join(Erratum._fields)}", f"{entry}", "do so")
        if entry["what"] not in _WHAT or not _DATE.fullmatch(entry["date"]) or not entry["why"]:
            fail(
                f"an entry of {name} must be {' or '.join(_WHAT)}, at a date, with a reason",
                f"{entry}", "correct it",
            )  # fmt: skip
    return [Erratum(**entry) for entry in entries]


def _parts(line: str) -> tuple[str, str, str]:
    found = _LINE.fullmatch(line)
    if not found:
        fail("a line of ids.txt must be id, version and digest", repr(line), "restore the file")
    return found[1], found[2], found[3]
