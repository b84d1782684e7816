"""The diagnosis: what the failures of a run prove, and that it never proves too much."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest

from mlp_ref.arithmetic import FLOAT32, FLOAT64
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.faults import FAULTS, RELATIVES, RIGHT, VARIANTS, WALKTHROUGH_MISTAKES, operations_of
from mlp_ref.faults.making import both, on_tensors
from mlp_ref.faults.parts import Parts
from mlp_ref.gate.cases import Case, build_cases
from mlp_ref.gate.diagnosis import Diagnosis, diagnose
from mlp_ref.gate.run import run_cases
from mlp_ref.subjects import Question, Subject

pytestmark = pytest.mark.once

MOST = 4000  # numbers of a case; the few larger ones take as long as all others together


@cache
def cases(*operations: str) -> tuple[Case, ...]:
    """The valid cases of some operations in float64, but for the largest."""
    found = build_cases([FLOAT64], operations=operations)
    return tuple(case for case in found if not case.rejects and size(case) <= MOST)


def size(case: Case) -> int:
    """Numbers of the question."""
    return sum(x.size for x in case.inputs.values())


def diagnosed(parts: Parts, *operations: str, also: Collection[Case] = ()) -> tuple[Diagnosis, ...]:
    """What is found in these parts."""
    made = operations_of(parts)
    return diagnosed_of(lambda q: made[q.operation](q.parameters, q.inputs), *operations, also=also)


def diagnosed_of(
    run: Callable[[Question], Mapping[str, Any]], *operations: str, also: Collection[Case] = ()
) -> tuple[Diagnosis, ...]:
    """What is found in a subject."""
    subject = Subject("mine", run, OPERATIONS, ("float32", "float64"))
    return diagnose(run_cases(subject, [*cases(*operations), *also]))


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
    """relu'(0) = 1 in one case only is none of the mistakes that would fail the others."""
    (case,) = [
        c for c in cases("activation") if c.id == "activation/kink-neighbours/relu/float64"
    ] or [next(c for c in cases("activation") if "/relu/" in c.id and (c.inputs["x"] == 0).any())]
    wrong = operations_of(FAULTS["activation-relu-slope-at-zero"].parts)
    right = operations_of(RIGHT)

    def run(q: Question) -> Mapping[str, Any]:
        own = np.array_equal(q.inputs["x"], case.inputs["x"])
        return (wrong if own else right)[q.operation](q.parameters, q.inputs)

    assert all(not found.faults for found in diagnosed_of(run, "activation"))


# ----------------------------------------------------------------------------- what the numbers say


def changed(tensor: str, change: Callable[[Any], Any]) -> Parts:
    """The reference, but for one tensor."""
    return on_tensors([tensor], change)


def one_off(x: Any) -> Any:
    """Another number in the last entry."""
    x = x.copy()
    x.flat[-1] = 3 * x.flat[-1] + 1
    return x


def beyond(q: Question) -> Mapping[str, Any]:
    """Softsign in place of tanh for large arguments."""
    answer = dict(operations_of(RIGHT)[q.operation](q.parameters, q.inputs))
    if q.parameters.get("function") == "tanh":
        x = q.inputs["x"]
        with np.errstate(all="ignore"):
            answer["y"] = np.where(x >= 1.5, 0.25 + answer["y"] / 2, answer["y"])
    return answer


STRUCTURES = {
    "factor": (changed("db", lambda x: -x), "dense", r"db of dense is -1 times the reference."),
    "unnamed factor": (changed("dx", lambda x: 7 * x), "dense", "dx of dense is 7 times the"),
    "order": (
        changed("dx", lambda x: x[::-1]),
        "dense",
        "dx of dense has its rows in reverse order",
    ),
    "region": (changed("z", one_off), "dense", "z of dense is wrong in "),
    "zero": (changed("dW", np.zeros_like), "dense", "dW of dense is 0 everywhere"),
}


@pytest.mark.parametrize("what", STRUCTURES)
def test_the_numbers_say_what_no_mistake_explains(what: str) -> None:
    """A constant factor, another order, the place of the wrong entries."""
    parts, operation, sentence = STRUCTURES[what]
    found = diagnosed(parts, operation)
    assert found[0].faults == ()
    assert found[0].sentence.startswith(sentence)


def test_the_range_of_wrong_arguments_is_told() -> None:
    """A function that is wrong beyond a threshold is wrong "where x >= ..."."""
    (found,) = diagnosed_of(beyond, "activation")
    assert found.faults == ()
    assert found.sentence.startswith("The value of tanh is wrong where x >= ")


def test_rows_and_outputs_are_told_apart_by_other_cases() -> None:
    """A factor that is 3 here and 5 there is the number of rows, not a constant."""
    parts = RIGHT._replace(bias_gradient=lambda dz: dz.sum(axis=0) * len(dz))
    (found,) = diagnosed(parts, "dense")
    assert found.sentence == "db of dense is n (the rows of the batch) times the reference."


def test_the_bits_of_a_coarse_product_are_counted() -> None:
    """Operands that are cut, not rounded, to 11 bits are none of the catalogue's."""

    def cut(x: Any) -> Any:
        mantissa, exponent = np.frexp(x)
        return np.ldexp(np.trunc(mantissa * 2**11) / 2**11, exponent).astype(x.dtype)

    parts = RIGHT._replace(affine=lambda x, W, b: cut(x) @ cut(W) + b)
    found = diagnosed(parts, "dense")
    assert found[0].sentence == "z of dense is right to about 11 bits, as in TF32 or float16."


def test_what_the_failing_cases_have_in_common_is_told() -> None:
    """Odd batches only: every failing case is one, and no passing case is."""

    def gradient(x: Any, dz: Any) -> Any:
        rng = np.random.default_rng(len(x))
        return x.T @ dz + (len(x) % 2) * rng.normal(size=(x.shape[1], dz.shape[1]))

    found = diagnosed(RIGHT._replace(weight_gradient=gradient), "dense")
    assert "Exactly the cases with an odd number of rows fail." in found[0].evidence
    assert found[0].sentence.startswith("No known mistake: dW of dense goes wrong first.")


def test_a_network_is_looked_at_where_nothing_smaller_fails() -> None:
    """A wrong dense layer explains the networks that are made of it."""
    noise = RIGHT._replace(affine=lambda x, W, b: x @ W + b + np.float64(0.01))
    found = diagnosed(noise, "dense", "mlp")
    assert [f.sentence.split()[2] for f in found] == ["dense"] or "dense" in found[0].sentence


# ---------------------------------------------------------------------------- what it does not read


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
    from dataclasses import replace

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
