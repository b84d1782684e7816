"""What a diagnosis says: one sentence, what proves it, what to write instead."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mlp_ref.gate.rows import is_count, is_text, is_texts

__all__ = ["Diagnosis", "are_diagnoses", "diagnoses_of", "each_once"]


@dataclass(frozen=True)
class Diagnosis:
    """One mistake of a subject, or the place where it begins.

    ``sentence``  what is wrong
    ``evidence``  how many cases show it, and how
    ``fix``       what to write instead, or where to look
    ``faults``    the mistakes of the catalogue, by id: one, or several that the cases do not tell
                  apart; none if only the numbers were read
    ``cases``     failing cases that it explains
    """

    sentence: str
    evidence: str
    fix: str
    faults: tuple[str, ...]
    cases: int


_TESTS = {
    "sentence": is_text, "evidence": is_text, "fix": is_text, "faults": is_texts, "cases": is_count,
}  # fmt: skip


def are_diagnoses(x: Any) -> bool:
    """Whether a JSON value is a list of diagnoses."""
    return isinstance(x, list) and all(
        isinstance(each, dict)
        and {*each} == {*_TESTS}
        and all(test(each[key]) for key, test in _TESTS.items())
        for each in x
    )


def diagnoses_of(x: Iterable[dict[str, Any]]) -> tuple[Diagnosis, ...]:
    """The diagnoses in the JSON of a report."""
    return tuple(Diagnosis(**{**each, "faults": tuple(each["faults"])}) for each in x)


def each_once(found: Iterable[Diagnosis]) -> tuple[Diagnosis, ...]:
    """Those of several reports: of the same sentence, the one that explains the most cases."""
    best: dict[str, Diagnosis] = {}
    for diagnosis in found:
        known = best.get(diagnosis.sentence)
        if known is None or known.cases < diagnosis.cases:
            best[diagnosis.sentence] = diagnosis
    return tuple(sorted(best.values(), key=lambda diagnosis: -diagnosis.cases))
