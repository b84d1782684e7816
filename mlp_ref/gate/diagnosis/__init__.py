"""Diagnosis: what is wrong with a subject, from all cases that it fails.

Three ways, each of which only says what the numbers prove: a mistake of the catalogue that returns
what the subject does, what the wrong numbers have in common, and that the cause is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlp_ref.gate.diagnosis.probes import probe
from mlp_ref.gate.diagnosis.samples import samples_of
from mlp_ref.gate.diagnosis.search import search
from mlp_ref.gate.diagnosis.texts import earlier, of_catalogue, remaining
from mlp_ref.gate.findings import Diagnosis
from mlp_ref.gate.run import CaseReport

__all__ = ["Diagnosis", "diagnose"]

_FEW = 30  # of so many failing cases, one is left over without a word on its cause


def diagnose(reports: Iterable[CaseReport]) -> tuple[Diagnosis, ...]:
    """What explains the failures of a run, that of the most cases first; none if nothing fails.

    Cases of which the answer is not at hand take no part: those that a run before this one asked,
    that could not be compared, or that fail as expected.
    """
    reports = list(reports)
    samples = list(samples_of(reports))
    failing = sum(bool(sample.wrong) for sample in samples)
    if not failing:
        return earlier(reports)
    found, left = search(samples)
    known = [of_catalogue(each, failing) for each in found]
    known.sort(key=lambda diagnosis: -diagnosis.cases)
    if left and _FEW * len(left) < failing and known:
        return (*known, remaining(left, failing), *earlier(reports))
    return (*known, *(probe(left, samples) if left else ()), *earlier(reports))
