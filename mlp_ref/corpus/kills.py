"""Which faults of the catalogue each certified case rejects, as `conformance/kills.json` says.

The file stands beside the corpus, not in it: a longer catalogue changes no digest of a case.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from mlp_ref.checks import InputError
from mlp_ref.corpus.decoding import parse_json
from mlp_ref.corpus.folder import CorpusError
from mlp_ref.files import quote

__all__ = ["KILLS", "Kills", "alone", "fault_ids", "kills", "kills_of_case", "read_kills"]

KILLS = "kills.json"

Kills = Mapping[str, frozenset[str]]


@cache
def kills() -> Kills:
    """Case id -> ids of the faults that the case rejects, for every case of the corpus.

    Raises `CorpusError` if the file is missing or damaged.
    """
    return _shipped()[0]


@cache
def alone() -> Kills:
    """Case id -> ids of the faults that no other case of the same arithmetic rejects.

    Cases without such faults are left out. Raises as `kills` does.
    """
    return _shipped()[1]


@cache
def fault_ids() -> tuple[str, ...]:
    """The faults that the file is about, in the order of the catalogue; raises as `kills` does."""
    return _shipped()[2]


def kills_of_case(name: str) -> frozenset[str]:
    """The faults that one case rejects: none where a wrong input is to be refused.

    Raises `InputError` if the corpus has no such case, and as `kills` does.
    """
    from difflib import get_close_matches

    known = kills()
    if name not in known:
        near = get_close_matches(name, known) or list(known)[:1]
        raise InputError(
            f"the id must be that of a case; got {name!r}; choose one, such as {' or '.join(near)}"
        )
    return known[name]


def read_kills(path: Path) -> tuple[Kills, Kills, tuple[str, ...]]:
    """What a file says: the faults of each case, those that it alone rejects, and all faults.

    Raises `CorpusError` if it is missing, or is not such a file.
    """
    try:
        made = parse_json(path.read_text("utf-8"), path.name)
        numbers = {fault: entry["number"] for fault, entry in made["faults"].items()}
        names = tuple(numbers)
        if list(numbers.values()) != list(range(len(names))):
            raise ValueError("faults that are not numbered in order")
        found = {case: _named(rows, names) for case, rows in made["kills"].items()}
        lone = {case: frozenset(faults) for case, faults in made["alone"].items()}
        if any(not faults <= found[case] for case, faults in lone.items()):
            raise ValueError("a case that alone rejects what it does not reject")
    except OSError as error:
        _refuse(path, error.strerror or str(error))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        _refuse(path, repr(str(error)))
    return MappingProxyType(found), MappingProxyType(lone), names


def _named(rows: Any, names: tuple[str, ...]) -> frozenset[str]:
    if not all(type(k) is int and 0 <= k < len(names) for k in rows) or rows != sorted(set(rows)):
        raise ValueError(f"the numbers {rows}")
    return frozenset(names[k] for k in rows)


@cache
def _shipped() -> tuple[Kills, Kills, tuple[str, ...]]:
    """What is inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    beside = package.parent / "conformance" / KILLS
    return read_kills(package / KILLS if (package / KILLS).exists() else beside)


def _refuse(path: Path, received: str) -> NoReturn:
    raise CorpusError(
        f"{quote(path)} must say which faults each case rejects; got {received}; "
        f"install mlp-ref again"
    )
