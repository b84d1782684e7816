"""The diagnosis: what the failures of a run prove, and that it never proves too much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from diagnosed import MOST, cases, changed, diagnosed, diagnosed_of, size

from mlp_ref.arithmetic import FLOAT32, FLOAT64
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.faults import FAULTS, RELATIVES, RIGHT, VARIANTS, WALKTHROUGH_MISTAKES, operations_of
from mlp_ref.faults.making import both
from mlp_ref.gate.cases import Case, build_cases
from mlp_ref.gate.diagnosis import diagnose
from mlp_ref.gate.run import run_cases
from mlp_ref.subjects import Question, Subject

pytestmark = pytest.mark.once

# ------------------------------------------------------------------------------------ the catalogue

KNOWN = {
    "softmax-wrong-axis": "softmax",
    "softmax-log-of-softmax": "log_softmax",
    "loss-clipped-probability": "loss",
    "loss-squared-half": "loss",
    "reduction-gradient-averaged-twice": "loss",
    "label-neighbour": "loss",
    "activation-gelu-tanh-for-erf": "activation",
    "activation-tanh-slope-of-output": "activation",
    "activation-relu-slope-at-zero": "mlp",
    "activation-sigmoid-overflow": "activation",
    "dense-transposed-square": "dense",
    "dense-no-bias": "dense",
    "precision-float32-product": "dense",
    "optimizer-adam-no-correction": "optimizer",
    "optimizer-nesterov-missing": "optimizer",
    "optimizer-adamw-coupled": "optimizer",
    "entry-sign": "dense",
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_a_mistake_of_the_catalogue_is_named(name: str) -> None:
    """From one operation alone, first and as the only one, with its fix."""
    (found,) = diagnosed(FAULTS[name].parts, KNOWN[name])
    assert found.faults == (name,)
    assert found.sentence.startswith(f"{name}: {FAULTS[name].symptom}")
    assert found.fix == FAULTS[name].fix
    assert found.cases > 0


def test_the_walkthrough_is_taken_apart() -> None:
    """Its four mistakes are found one by one, of which some show only together with others."""
    found = diagnosed(FAULTS["walkthrough"].parts, "activation", "softmax", "loss", "mlp")
    assert sorted(f.faults for f in found) == sorted((name,) for name in WALKTHROUGH_MISTAKES)
    cases = [f.cases for f in found]
    assert cases == sorted(cases, reverse=True)


TOGETHER = ("dense-no-bias", "loss-squared-no-two")  # every case shows both


@pytest.mark.parametrize(
    ("first", "second", "operation"),
    [
        ("dense-no-bias", "dense-transposed-dw", "dense"),
        ("loss-squared-no-two", "loss-squared-half", "loss"),
        ("activation-tanh-slope-of-z", "activation-sigmoid-clamped", "activation"),
        ("optimizer-decay-missing", "optimizer-adam-eps-inside", "optimizer"),
    ],
)  # fmt: skip
def test_two_mistakes_are_told_apart(first: str, second: str, operation: str) -> None:
    """Also where no case shows one of them alone."""
    found = diagnosed(both(FAULTS[first].parts, FAULTS[second].parts), operation)
    assert {name for f in found for name in f.faults} == {first, second}
    beside = [f for f in found if "together with" in f.evidence]
    assert all(first in f.evidence or second in f.evidence for f in beside)
    assert bool(beside) == (first in TOGETHER)


@pytest.mark.parametrize(("name", "constant", "operation"), [
    ("loss-clipped-probability", "1e-12", "loss"),
    ("activation-leaky-alpha-default", "0.3", "activation"),
    ("activation-gelu-cut", "-5", "activation"),
    ("dense-tile-remainder", "8", "dense"),
    ("reduction-fixed-batch", "64", "loss"),
])  # fmt: skip
def test_another_constant_is_named(name: str, constant: str, operation: str) -> None:
    """The mistake is the same, and the sentence says which constant it has here."""
    found = diagnosed(RELATIVES[name][constant], operation)[0]
    assert found.faults == (name,)
    assert f"Here it is with {constant}" in found.sentence


@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_right_has_no_diagnosis(name: str) -> None:
    """Nothing fails, and nothing is said."""
    assert diagnosed(VARIANTS[name].parts, "dense", "softmax") == ()


def test_a_mistake_that_a_passing_case_refutes_is_not_named() -> None:
    """A bias that is forgotten in one case only is none that is forgotten everywhere."""
    case = next(c for c in cases("dense") if c.id == "dense/shape-ragged/float64")
    wrong, right = operations_of(FAULTS["dense-no-bias"].parts), operations_of(RIGHT)

    def run(q: Question) -> Mapping[str, Any]:
        own = np.array_equal(q.inputs["x"], case.inputs["x"])
        return (wrong if own else right)[q.operation](q.parameters, q.inputs)

    (found,) = diagnosed_of(run, "dense")
    assert (found.faults, found.cases) == ((), 1)


# ---------------------------------------------------------------------------- what it does not read


def test_expected_failures_take_no_part() -> None:
    """What a ledger explains is neither diagnosed nor held against a mistake."""
    made = operations_of(FAULTS["dense-no-bias"].parts)
    subject = Subject(
        "mine", lambda q: made[q.operation](q.parameters, q.inputs), OPERATIONS, ("float64",)
    )
    reports = [replace(r, expectations={"z": "known"}) for r in run_cases(subject, cases("dense"))]
    assert any(report.failures for report in reports)
    assert diagnose(reports) == ()


def test_answers_that_cannot_be_compared_take_no_part() -> None:
    """A wrong shape is said of each case; it has no numbers to diagnose."""
    assert diagnosed(changed("db", lambda x: x[None]), "dense") == ()


def test_answers_are_kept_apart_from_the_subject() -> None:
    """A subject that fills one array again and again is diagnosed by what it returned."""
    memory: dict[tuple[str, tuple[int, ...]], Any] = {}
    wrong = operations_of(FAULTS["dense-no-bias"].parts)

    def run(q: Question) -> Mapping[str, Any]:
        answer = wrong[q.operation](q.parameters, q.inputs)
        for name, x in answer.items():
            own = memory.setdefault((name, x.shape), np.empty_like(x))
            own[...] = x
        return {name: memory[name, x.shape] for name, x in answer.items()}

    assert diagnosed_of(run, "dense")[0].faults == ("dense-no-bias",)


def test_a_corpus_of_ones_own_is_diagnosed_without_kills() -> None:
    """Cases that are not ours may show any mistake."""
    own = [
        Case(f"mine/{k}/float64", replace(case.record, id=f"mine/{k}/float64"), FLOAT64)
        for k, case in enumerate(cases("dense"))
    ]
    made = operations_of(FAULTS["dense-last-input"].parts)
    subject = Subject(
        "mine", lambda q: made[q.operation](q.parameters, q.inputs), OPERATIONS, ("float64",)
    )
    assert diagnose(run_cases(subject, own))[0].faults == ("dense-last-input",)


def test_float32_is_diagnosed_too() -> None:
    """Wider bounds prove fewer bits of each number, and enough of all."""
    found = list(build_cases([FLOAT32], operations=["dense"]))
    own = [case for case in found if not case.rejects and size(case) <= MOST]
    made = operations_of(FAULTS["dense-last-sample"].parts)
    subject = Subject(
        "mine", lambda q: made[q.operation](q.parameters, q.inputs), OPERATIONS, ("float32",)
    )
    assert diagnose(run_cases(subject, own))[0].faults == ("dense-last-sample",)
