"""The cases are stable, complete, in the numbers of their arithmetic, and fresh every time."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import FLOAT32, FLOAT64
from mlp_ref.gate.cases import CASE_ARITHMETICS, Case, build_cases
from mlp_ref.losses import LOSSES

CASES = list(build_cases())
BY_ID = {case.id: case for case in CASES}
FAMILIES = {
    "batch-1", "batch-7", "digits-64-12-10", "digits-64-12-8-10", "exact-130-33-4",
    "exact-37-129-65-8", "exact-64-37-10", "exact-64-37-16", "logits-close", "logits-equal",
    "logits-extreme", "logits-row-maxima", "negative-zero", "output", "points-above-20",
    "points-huge", "points-moderate", "points-tails", "points-tiny", "saturated", "square", "zero",
}  # fmt: skip


def numbers(case: Case) -> list[np.ndarray]:
    """The real arrays of a case."""
    arrays = [case.params.flat, case.x, case.target]
    return [array for array in arrays if array.dtype.kind == "f"]


def test_ids_are_unique_and_name_family_and_arithmetic() -> None:
    """An id is family/detail.../arithmetic, and no two cases share one."""
    assert len(BY_ID) == len(CASES)
    assert {case.id.split("/")[0] for case in CASES} == FAMILIES
    assert all(case.id.endswith(f"/{case.arithmetic.name}") for case in CASES)


@pytest.mark.parametrize(
    "name",
    [
        "digits-64-12-10/relu/cross_entropy/float32",
        "digits-64-12-8-10/gelu_tanh/squared_error/float64",
        "points-above-20/softplus/float64",
        "logits-row-maxima/cross_entropy/soft/float32",
        "exact-37-129-65-8/relu/float64",
        "negative-zero/elu/float32",
    ],
)
def test_published_ids_stay(name: str) -> None:
    """Ids that are written in reports elsewhere keep existing."""
    assert name in BY_ID


def test_every_activation_and_loss_is_there() -> None:
    """All ten activations meet all three losses, and both float32 and float64."""
    seen = {
        (f.name, case.loss.name, case.arithmetic)
        for case in CASES
        for f in case.model.activations
    }  # fmt: skip
    every = {(f, loss, a) for f in ACTIVATIONS for loss in LOSSES for a in CASE_ARITHMETICS}
    assert every <= seen


def test_every_case_exists_in_both_arithmetics() -> None:
    """float32 and float64 see the same questions, and either may be built alone."""
    single = [case.id for case in build_cases((FLOAT32,))]
    assert single == [case.id for case in CASES if case.arithmetic == FLOAT32]
    assert [name.replace("/float32", "/float64") for name in single] == [
        case.id for case in CASES if case.arithmetic == FLOAT64
    ]


def test_building_twice_gives_the_same_bits() -> None:
    """Every case is a function of its id alone, bit for bit and in the same order."""
    for case, again in zip(CASES, build_cases(), strict=True):
        assert (case.id, case.note, case.model, case.loss) == (
            again.id, again.note, again.model, again.loss,
        )  # fmt: skip
        for array, other in zip(numbers(case), numbers(again), strict=True):
            assert array.tobytes() == other.tobytes()


# Printed on Linux x86-64 by the program below; a machine or a NumPy that gives other bits judges
# by other cases, whose reports cannot be compared.
DIGEST = "d7f54d838b58d21433ebff79313336646dfbb174e810128d69c6305d5cf95602"
PROGRAM = """
from hashlib import sha256
from mlp_ref.gate.cases import build_cases

digest = sha256()
for case in build_cases():
    digest.update(case.id.encode())
    for array in (case.params.flat, case.x, case.target):
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
print(digest.hexdigest())
"""


@pytest.mark.parametrize("features", ["all", "none"])
def test_every_machine_builds_the_same_bits(features: str) -> None:
    """The data use nothing that depends on a CPU, such as exp: with and without its extensions."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    off = {"NPY_DISABLE_CPU_FEATURES": " ".join(found)} if features == "none" else {}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | off, check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.stdout.strip() == DIGEST


def test_the_numbers_are_those_of_the_arithmetic() -> None:
    """Parameters, x and real targets have the dtype of the arithmetic; labels are int64."""
    for case in CASES:
        assert all(array.dtype == case.arithmetic.dtype for array in numbers(case))
        assert case.target.dtype in (case.arithmetic.dtype, np.int64)
        assert all(np.isfinite(array).all() for array in numbers(case))


def test_tensors_come_in_the_order_of_computation() -> None:
    """Forward, loss, then backward from the last layer to the first, then x."""
    case = BY_ID["digits-64-12-8-10/tanh/cross_entropy/float32"]
    assert " ".join(case.tensors) == (
        "z0 a0 z1 a1 z2 a2 loss g dW2 db2 dW1 db1 dW0 db0 dx"
    )  # fmt: skip
    assert list(case.expected()) == list(case.tensors)


def test_expected_values_are_finite_and_some_are_conclusive() -> None:
    """No case expects a NaN, and in every one some entry of each z proves something."""
    for case in CASES:
        for name, expected in case.expected().items():
            assert np.isfinite(expected.value).all()
            assert np.isfinite(expected.allowed).all()
            size = np.abs(expected.value)
            if name[0] == "z":
                assert (expected.allowed < size).any() or not size.any()


@pytest.mark.parametrize("name", [name for name in BY_ID if name.startswith("exact-")])
def test_exact_cases_have_no_tolerance(name: str) -> None:
    """Integer networks are bounded by zero forward; with a power of two in n C, backward too."""
    expected = BY_ID[name].expected()
    forward = [name for name in expected if name[0] in "za"]
    size = BY_ID[name].target.size
    names = expected if size & (size - 1) == 0 else forward
    for name in names:
        assert not expected[name].allowed.any()
        assert expected[name].value.any()


def test_bounds_may_be_derived_in_another_arithmetic() -> None:
    """A float32 case judged in float64 has bounds that are nowhere wider, and some are narrower."""
    case = BY_ID["digits-64-12-10/tanh/binary_cross_entropy/float32"]
    wide, narrow = case.expected(), case.expected(FLOAT64)
    for name in case.tensors:
        assert (narrow[name].bound <= wide[name].bound).all()
        assert (narrow[name].bound < wide[name].bound).any()


def test_a_question_has_the_documented_keywords() -> None:
    """Weights are (n_in, n_out), activations and loss are names."""
    question = BY_ID["digits-64-12-10/relu/cross_entropy/float32"].question()
    assert [w.shape for w in question["weights"]] == [(64, 12), (12, 10)]
    assert [b.shape for b in question["biases"]] == [(12,), (10,)]
    assert (question["x"].shape, question["target"].shape) == ((9, 64), (9,))
    assert question["activations"] == ["relu", "identity"]
    assert question["loss"] == "cross_entropy"
    assert len(question) == 6


def test_a_question_is_fresh_memory() -> None:
    """A subject that writes into its arguments spoils neither the case nor the next question."""
    case = BY_ID["batch-7/gelu/cross_entropy/float64"]
    case = replace(case, params=case.params.copy())
    before = case.question()
    spoiled = case.question()
    for array in (*spoiled["weights"], *spoiled["biases"], spoiled["x"], spoiled["target"]):
        assert not np.shares_memory(array, case.params.flat)
        array[...] = 0
    spoiled["activations"].clear()
    after = case.question()
    for key in ("weights", "biases"):
        for array, other in zip(before[key], after[key], strict=True):
            assert np.array_equal(array, other)
    assert np.array_equal(before["x"], after["x"])
    assert np.array_equal(before["target"], after["target"])
    assert before["activations"] == after["activations"]
