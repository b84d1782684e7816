"""docs/diagnosis.md tells of the mutants and mistakes that there are, and of no wrong cause."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mutants import MUTANTS

from mlp_ref.arithmetic import FLOAT64
from mlp_ref.corpus import load
from mlp_ref.faults import FAULTS
from mlp_ref.gate.cases import build_cases
from mlp_ref.gate.diagnosis import diagnose
from mlp_ref.gate.run import run_cases

pytestmark = pytest.mark.once

PAGE = (Path(__file__).parents[1] / "docs" / "diagnosis.md").read_text("utf-8")
ROWS = re.findall(
    r"^\| ([\w-]+/[\w-]+) \| .*? \| [\d,]+ \| ([\w ]+) \| (.*) \|$", PAGE, re.MULTILINE
)
VERDICTS = {name: verdict for name, verdict, _ in ROWS}
RIGHT = ("named", "among others", "described", "located")
SMALL = 2000  # numbers of a question
ASKED = [name for name, mutant in MUTANTS.items() if not mutant.torch][::6]


def test_the_page_is_about_what_there_is() -> None:
    """Every mutant has a row; the counts of mistakes and the corpus are those of today."""
    assert [*VERDICTS] == [*MUTANTS]
    assert f"the catalogue of {len(FAULTS)} mistakes" in PAGE
    assert f"on corpus {load().version}" in PAGE


def test_the_counts_are_those_of_the_rows() -> None:
    """At least nine of ten first sentences are right, and none names a wrong cause."""
    counted = dict(re.findall(r"^\| ([\w ]+) \| (\d+) \| ", PAGE, re.MULTILINE))
    for verdict in (*RIGHT, "no cause", "wrong"):
        assert int(counted[verdict]) == [*VERDICTS.values()].count(verdict)
    assert "wrong" not in VERDICTS.values()
    right = sum(verdict in RIGHT for verdict in VERDICTS.values())
    assert right >= 0.9 * len(MUTANTS)
    assert f"right in {right} of {len(MUTANTS)}" in PAGE


@pytest.mark.slow
@pytest.mark.parametrize("name", ASKED)
def test_a_mutant_is_never_given_a_wrong_cause(name: str) -> None:
    """On small cases in float64 alone, too: a mistake that is named is the one that was made."""
    mutant = MUTANTS[name]
    subject = mutant.subject()
    cases = [
        case for case in build_cases([FLOAT64], operations=subject.operations)
        if not case.rejects and sum(x.size for x in case.inputs.values()) <= SMALL
    ]  # fmt: skip
    found = diagnose(run_cases(subject, cases))
    named = {fault for diagnosis in found[:1] for fault in diagnosis.faults}
    assert not named or named & {*mutant.right, *mutant.second}
