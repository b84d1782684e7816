"""The mutants that measure the diagnosis: wrong where they say, and right without their mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import pytest
from mutants import MUTANTS
from mutants.mutant import CAUSES, place

from mlp_ref.faults import FAULTS
from mlp_ref.gate.cases import Case, build_cases
from mlp_ref.gate.judge import Verdict, judge_certified
from mlp_ref.gate.run import CaseReport, run_cases
from mlp_ref.subjects import Kind, Subject

pytestmark = pytest.mark.once

PLAIN = [name for name, mutant in MUTANTS.items() if not mutant.torch]
STYLES = list({MUTANTS[name].build: name for name in reversed(PLAIN)}.values())


@cache
def cases() -> tuple[Case, ...]:
    """All that have an answer."""
    return tuple(case for case in build_cases() if not case.rejects)


def answered(subject: Subject) -> Iterator[CaseReport]:
    """The cases that it answers, one after another."""
    for report in run_cases(subject, [c for c in cases() if c.operation in subject.operations]):
        if report.verdict != Verdict.SKIP:
            yield report


def test_there_are_enough_of_all_kinds() -> None:
    """Forty or more, ten of them without a fault in the catalogue, four with two mistakes."""
    assert len(MUTANTS) >= 40
    assert sum(bool(mutant.right) for mutant in MUTANTS.values()) >= 30
    assert sum(not mutant.right for mutant in MUTANTS.values()) >= 10
    assert sum(bool(mutant.second) for mutant in MUTANTS.values()) >= 4


@pytest.mark.parametrize("name", MUTANTS)
def test_what_is_said_of_it_can_be_checked(name: str) -> None:
    """Its ids are those of faults, and its words match neither nothing nor "unknown"."""
    mutant = MUTANTS[name]
    assert mutant.id == name
    assert mutant.id not in FAULTS
    assert {*mutant.right, *mutant.second} <= set(FAULTS)
    assert not set(mutant.right) & set(mutant.second)
    assert mutant.right or not mutant.second
    assert mutant.words
    for words in mutant.words:
        assert not re.search(words, "")
        assert not re.search(words, "unknown")


def test_a_place_is_not_a_cause() -> None:
    """The words for a place match a sentence that says where to look, not one that says why."""
    words = place(r"dW\d")
    assert re.search(words, "All up to g is right; look at dW1 = a0^T delta.")
    assert not [c for c in CAUSES if re.search(words, f"dW1 {c}: so it is. Look at dW1.")]


@pytest.mark.parametrize("name", STYLES)
def test_without_its_mistake_it_is_right(name: str) -> None:
    """Every style passes all cases that it answers, twenty and more, in both arithmetics."""
    reports = list(answered(MUTANTS[name].subject(broken=False)))
    assert [r.case.id for r in reports if r.verdict != Verdict.PASS] == []
    for arithmetic in ("float32", "float64"):
        assert sum(report.case.arithmetic.name == arithmetic for report in reports) >= 20


@pytest.mark.parametrize("name", PLAIN)
def test_with_its_mistake_it_is_wrong(name: str) -> None:
    """A case fails, by its numbers: nothing is raised, and no shape or dtype is wrong."""
    judged = answered(MUTANTS[name].subject())
    report = next(report for report in judged if report.verdict != Verdict.PASS)
    assert report.verdict == Verdict.FAIL
    assert not report.failures[0].reason.startswith("must")


@pytest.mark.slow
@pytest.mark.parametrize("name", PLAIN)
def test_it_answers_all_or_skips(name: str) -> None:
    """No case ends in an error, and every tensor is judged by its numbers; one fails."""
    subject, failed = MUTANTS[name].subject(), 0
    for case in cases():
        if case.operation not in subject.operations or subject.excuse("", case.flags):
            continue
        reply = subject.ask(case.question())
        assert reply.kind in (Kind.ANSWER, Kind.SKIP), (case.id, reply.reason)
        for tensor, got in reply.tensors.items():
            result = judge_certified(tensor, got, case.expected()[tensor], case.arithmetic)
            assert not result.reason.startswith("must"), (case.id, result)
            failed += result.verdict == Verdict.FAIL
    assert failed
