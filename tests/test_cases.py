"""The cases are the networks of the corpus: complete, in their arithmetic, fresh every time."""

from __future__ import annotations

import numpy as np
import pytest
from networks import NETWORKS, uncertified

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, TF32, Arithmetic, Array
from mlp_ref.bounds import Bounded, derive
from mlp_ref.corpus import load
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.gate.cases import CASE_ARITHMETICS, Case, build_cases, case_of
from mlp_ref.losses import LOSSES

CASES = NETWORKS
EVERY = list(build_cases())
BY_ID = {case.id: case for case in CASES}
FAMILIES = {
    "all-equal", "batch-1", "batch-4", "batch-5", "batch-7", "digits-16-5-4-10", "digits-16-6-10",
    "exact-1030-33-4", "exact-13-7-4",
    "exact-37-129-65-8", "exact-784-128-16", "exact-9-5-8", "logits-close", "logits-equal",
    "logits-extreme", "logits-row-maxima", "negative-zero", "output", "points-above-20",
    "points-moderate", "points-tails", "points-tiny", "saturated", "square", "zero",
}  # fmt: skip


def numbers(case: Case) -> list[np.ndarray]:
    """The real arrays of a case."""
    arrays = [case.network.params.flat, case.network.x, case.network.target]
    return [array for array in arrays if array.dtype.kind == "f"]


def test_ids_are_unique_and_name_family_and_arithmetic() -> None:
    """An id is mlp/family/detail.../arithmetic, and no two cases share one."""
    assert len(BY_ID) == len(CASES)
    assert {case.id.split("/")[0] for case in CASES} == {"mlp"}
    assert {case.id.split("/")[1] for case in CASES} == FAMILIES
    assert all(case.id.endswith(f"/{case.arithmetic.name}") for case in CASES)


@pytest.mark.parametrize(
    "name",
    [
        "mlp/digits-16-6-10/relu/cross_entropy/float32",
        "mlp/digits-16-5-4-10/gelu_tanh/squared_error/float64",
        "mlp/points-above-20/softplus/float64",
        "mlp/logits-row-maxima/cross_entropy/soft/float64",
        "mlp/exact-37-129-65-8/relu/float64",
        "mlp/negative-zero/elu/float32",
    ],
)
def test_published_ids_stay(name: str) -> None:
    """Ids that are written in reports elsewhere keep existing."""
    assert name in BY_ID


def test_every_activation_and_loss_is_there() -> None:
    """All ten activations meet all three losses, and both float32 and float64."""
    seen = {
        (f.name, case.network.loss.name, case.arithmetic)
        for case in CASES
        for f in case.network.model.activations
    }  # fmt: skip
    every = {(f, loss, a) for f in ACTIVATIONS for loss in LOSSES for a in CASE_ARITHMETICS}
    assert every <= seen


@pytest.mark.parametrize("A", CASE_ARITHMETICS, ids=lambda A: A.name)
def test_either_arithmetic_may_be_built_alone(A: Arithmetic) -> None:
    """float64 has six cases more than float32, and every family but the digits is in both."""
    single = [case.id for case in build_cases((A,), operations=["mlp"]) if not case.rejects]
    assert single == [case.id for case in CASES if case.arithmetic == A]
    assert 2 * len(single) - len(CASES) == (6 if A == FLOAT64 else -6)
    families = {name.split("/")[1] for name in single}
    assert {name for name in FAMILIES if not name.startswith("digits")} <= families


def test_the_cases_are_the_networks_of_the_corpus() -> None:
    """Every record of mlp but those whose inputs must be rejected, in its order."""
    records = load().records
    mine = [r for r in records if r.operation == "mlp"]
    assert [case.id for case in CASES] == [r.id for r in mine if not r.rejects]
    assert any(r.rejects for r in mine)
    assert {case.id for case in build_cases(records=records)} == {r.id for r in records}


def test_building_twice_gives_the_same_bits() -> None:
    """Reading the corpus again gives every case again, bit for bit and in the same order."""
    for case, again in zip(EVERY, build_cases(), strict=True):
        assert (case.id, case.note, case.record.parameters) == (
            again.id, again.note, again.record.parameters,
        )  # fmt: skip
        for array, other in zip(case.inputs.values(), again.inputs.values(), strict=True):
            assert array.tobytes() == other.tobytes()


def test_the_numbers_are_those_of_the_arithmetic() -> None:
    """Parameters, x and real targets have the dtype of the arithmetic; labels are int64."""
    for case in CASES:
        assert all(array.dtype == case.arithmetic.dtype for array in numbers(case))
        assert case.network.target.dtype in (case.arithmetic.dtype, np.int64)
        assert all(np.isfinite(array).all() for array in numbers(case))


def test_tensors_come_in_the_order_of_computation() -> None:
    """Forward, loss, then backward from the last layer to the first, then x."""
    case = BY_ID["mlp/digits-16-5-4-10/tanh/cross_entropy/float64"]
    assert " ".join(case.tensors) == (
        "z0 a0 z1 a1 z2 a2 loss g dW2 db2 dW1 db1 dW0 db0 dx"
    )  # fmt: skip
    assert list(case.expected()) == list(case.tensors)


def test_expected_values_are_finite_and_some_are_conclusive() -> None:
    """No case expects a NaN, and in every one some entry of each z proves something."""
    for case in CASES:
        for name, q in case.expected().items():
            size, allowed = np.abs(q.hi), q.radius + q.bounds[case.arithmetic.name]
            assert np.isfinite(size).all()
            assert np.isfinite(allowed).all()
            if name[0] == "z":
                assert (allowed < size).any() or not size.any()


def test_what_is_expected_is_certified() -> None:
    """All words and bounds are those of the record, none is worked out again."""
    for record in load("mlp").records:
        if not record.rejects:
            expected = BY_ID[record.id].expected()
            assert all(q is BY_ID[record.id].record.expected[name] for name, q in expected.items())
            for name, q in expected.items():
                for part in ("hi", "low", "radius"):
                    stored = getattr(record.expected[name], part)
                    assert np.array_equal(getattr(q, part), stored)


def test_the_float64_reference_lies_within_its_own_bound_of_the_certified_words() -> None:
    """Two ways to one number: ball arithmetic, and NumPy in float64 with its derived error."""
    for case in CASES:
        derived = uncertified(case).expected(FLOAT64)
        for name, q in case.expected().items():
            other = derived[name]
            value, radius = other.hi.reshape(-1), other.radius.reshape(-1)
            if q.index is not None:
                value, radius = value[q.index], radius[q.index]
            error = np.abs(value - q.hi.reshape(-1) - q.low.reshape(-1))
            assert (error <= radius + q.radius.reshape(-1)).all(), f"{case.id} {name}"


def test_whole_tensors_are_the_certified_ones_rounded() -> None:
    """What is stored in part is filled in; nothing that is stored becomes another number."""
    in_part = 0
    for case in CASES:
        whole = case.whole()
        for name, q in case.expected().items():
            tensor = whole[name]
            assert np.shape(tensor.value) == np.shape(tensor.bound) == q.shape
            value = np.reshape(tensor.value, -1)
            in_part += q.index is not None
            assert np.array_equal(value if q.index is None else value[q.index], q.hi.reshape(-1))
    assert in_part > 8


@pytest.mark.parametrize("name", [name for name in BY_ID if name.startswith("mlp/exact-")])
def test_exact_cases_have_no_tolerance(name: str) -> None:
    """Integer networks are bounded by zero, forward and backward."""
    case = BY_ID[name]
    for q in case.expected().values():
        assert not q.radius.any()
        assert not q.bounds[case.arithmetic.name].any()
        assert q.hi.any()


def bounds_in(case: Case, A: Arithmetic) -> dict[str, Array]:
    """The bound of every tensor, in an arithmetic."""
    return {name: q.bounds[A.name] for name, q in case.expected(A).items()}


def test_a_float32_case_may_be_judged_in_float64() -> None:
    """Both bounds are stored; those of float64 are nowhere wider, and some are narrower."""
    case = BY_ID["mlp/digits-16-6-10/tanh/binary_cross_entropy/float32"]
    wide, narrow = bounds_in(case, FLOAT32), bounds_in(case, FLOAT64)
    for tensor in case.tensors:
        assert (narrow[tensor] <= wide[tensor]).all()
        assert (narrow[tensor] < wide[tensor]).any()


def test_a_bound_that_is_not_stored_is_derived() -> None:
    """The words stay; of a tensor that is stored in part, words and bounds are all derived."""
    case = BY_ID["mlp/exact-37-129-65-8/relu/float64"]
    for name, q in case.expected(FLOAT32).items():
        stored = case.record.expected[name]
        assert q.index is None
        assert q.checksum is None
        assert q.bounds["float32"].shape == q.hi.shape == q.shape
        assert not q.bounds["float32"].any()
        own = q.hi if stored.index is None else q.hi.reshape(-1)[stored.index]
        assert np.array_equal(own, stored.hi)


def test_a_case_without_certified_words_is_judged_by_the_reference() -> None:
    """Value, radius and bound are derived, and `whole` gives them back."""
    case = uncertified(BY_ID["mlp/batch-7/gelu/cross_entropy/float64"])
    derived = derive(*case.network, arithmetic=FLOAT64)
    for name, q in case.expected().items():
        assert q.index is None
        for part in (case.whole()[name], Bounded(q.hi, q.radius, q.bounds["float64"])):
            assert all(map(np.array_equal, part, derived[name]))


def test_a_question_has_the_documented_keywords() -> None:
    """Weights are (n_in, n_out), activations and loss are names."""
    question = BY_ID["mlp/digits-16-6-10/relu/cross_entropy/float32"].keywords()
    assert [w.shape for w in question["weights"]] == [(16, 6), (6, 10)]
    assert [b.shape for b in question["biases"]] == [(6,), (10,)]
    assert (question["x"].shape, question["target"].shape) == ((3, 16), (3,))
    assert question["activations"] == ["relu", "identity"]
    assert question["loss"] == "cross_entropy"
    assert len(question) == 6


def test_a_question_is_fresh_memory() -> None:
    """A subject that writes into its arguments spoils neither the case nor the next question."""
    case = BY_ID["mlp/batch-7/gelu/cross_entropy/float64"]
    before, spoiled = case.question(), case.question()
    for name, array in spoiled.inputs.items():
        assert not np.shares_memory(array, case.inputs[name])
        array[...] = 0
    spoiled.parameters["activations"].clear()
    after = case.question()
    assert all(np.array_equal(before.inputs[name], after.inputs[name]) for name in before.inputs)
    assert before.parameters == after.parameters


def test_inputs_that_must_be_refused_are_judged_as_one() -> None:
    """An error case has one thing to judge, and its arrays are as the corpus has them."""
    wrong = [case for case in EVERY if case.rejects]
    assert len(wrong) == 130
    for case in wrong:
        assert case.tensors == ("rejection",)
        asked = case.question().inputs
        assert all(asked[name].dtype == x.dtype for name, x in case.record.arrays().items())


@pytest.mark.parametrize("A", [TF32, BFLOAT16, FLOAT16], ids=lambda A: A.name)
def test_narrow_arithmetics_are_asked_on_numbers_that_they_hold(A: Arithmetic) -> None:
    """The records of float32, rounded; certified where nothing was, within wider bounds."""
    cases = list(build_cases((A,)))
    records = {r.id: r for r in load().records}
    base = {case.id: records[case.id.removesuffix(A.name) + "float32"] for case in cases}
    certified = 0
    for case in cases:
        record = base[case.id]
        for name, x in case.question().inputs.items():
            assert x.dtype == (A.dtype if x.dtype.kind == "f" else np.int64)
            assert np.array_equal(A.quantize(x), x, equal_nan=True) or x.dtype.kind == "i"
            kept = np.array_equal(x, record.arrays()[name], equal_nan=True)
            assert kept or not case.record.expected
        certified += bool(case.record.expected)
        assert not case.rejects
    assert {case.operation for case in cases} == set(OPERATIONS)
    assert 40 < certified <= len(cases) <= 495
    for case in cases[::7]:
        wide, narrow = case.expected(), case_of(base[case.id])
        for name, q in narrow.expected().items():
            if case.record.expected and q.index is None:
                rounded_up = q.bounds["float32"] / (1 + 2**-4)  # as a short word
                assert (wide[name].bounds[A.name] >= rounded_up).all()
