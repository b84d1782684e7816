"""What was ever published: conformance/ids.txt has a line for every state of every case.

A line is ``ID SINCE DIGEST``: the id, the version of the corpus in which the case appeared, and the
first 16 hex digits of the SHA-256 digest of everything that may not change in silence, that is, of
the case without note, difficulty, flags and provenance. Lines are only ever added. A corrected case
gets another line below its own, and an entry in conformance/errata.json that says ``changed``; a
case that is taken out keeps its lines, and gets one that says ``retired``. No id is used again.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

from mlp_ref.corpus.encoding import question_text
from mlp_ref.corpus.records import Record

__all__ = ["check_history", "digest_of", "history_lines", "updated_history"]

_LINE = re.compile(r"(\S+) (\S+) ([0-9a-f]{16})")

Erratum = Mapping[str, str]


def digest_of(record: Record) -> str:
    """What identifies the question and the answer of a case."""
    return sha256(question_text(record).encode()).hexdigest()[:16]


def history_lines(records: Iterable[Record]) -> list[str]:
    """A line for each record, as it is now."""
    return [f"{record.id} {record.since} {digest_of(record)}" for record in records]


def updated_history(lines: Iterable[str], records: Iterable[Record]) -> list[str]:
    """The lines, and one more for every record that is new or changed."""
    before = list(lines)
    last = {line.split()[0]: line for line in before}
    now = {line.split()[0]: line for line in history_lines(records)}
    return before + [line for key, line in now.items() if last.get(key) != line]


def check_history(
    lines: Iterable[str], records: Iterable[Record], errata: Iterable[Erratum] = ()
) -> list[str]:
    """What contradicts the history, a sentence each; empty if nothing does.

    ``lines`` are those of ids.txt, ``errata`` the entries of errata.json.
    """
    states: dict[str, list[tuple[str, str]]] = defaultdict(list)  # id -> since, digest
    complaints = []
    for line in lines:
        if found := _LINE.fullmatch(line):
            states[found[1]].append((found[2], found[3]))
        else:
            complaints.append(f"a line of ids.txt must be ID SINCE DIGEST; got {line!r}")
    cases, known = list(records), list(errata)
    counts = Counter(record.id for record in cases)
    complaints += [f"{key} stands in the corpus {n} times" for key, n in counts.items() if n > 1]
    for record in cases:
        complaints += _about_case(record, states.get(record.id, []))
    for key, own in states.items():
        changes = [e for e in known if (e["id"], e["what"]) == (key, "changed")]
        if len(changes) < len(own) - 1:
            complaints.append(
                f"{key} was changed {len(own) - 1} times, with {len(changes)} errata that say so"
            )
    return complaints + list(_about_absence(states.keys(), set(counts), known))


def _about_case(record: Record, states: Sequence[tuple[str, str]]) -> Iterator[str]:
    if not states:
        yield f"{record.id} has no line in ids.txt"
        return
    if digest_of(record) != states[-1][1]:
        yield f"{record.id} is not what its last line in ids.txt stands for: it was changed"
    if odd := {since for since, _ in states} - {record.since}:
        said = ", ".join(sorted(odd))
        yield f"{record.id} is there since {record.since}, but ids.txt says {said}"


def _about_absence(
    published: Iterable[str], present: set[str], errata: Iterable[Erratum]
) -> Iterator[str]:
    named = set(published)
    about: dict[str, set[str]] = defaultdict(set)
    for erratum in errata:
        about[erratum["what"]].add(erratum["id"])
    for key in sorted(named - present - about["retired"]):
        yield f"{key} is gone, and no erratum says that it was retired"
    for key in sorted(about["retired"] & present):
        yield f"{key} was retired, and its id is used again"
    for key in sorted(set().union(*about.values()) - named):
        yield f"{key} has an erratum, and no line in ids.txt"
