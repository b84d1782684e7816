"""`assert_within_bound`: one tensor of a network, or of any record, in a test of one's own."""

from __future__ import annotations

import numpy as np
import pytest
from networks import NETWORKS, uncertified

from mlp_ref.arithmetic import FLOAT64
from mlp_ref.checks import InputError
from mlp_ref.corpus import load
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.within import assert_within_bound
from mlp_ref.operations import OPERATIONS
from mlp_ref.pytest_plugin import assert_within_bound as of_the_plugin
from mlp_ref.subjects.numpy_subject import run

CASES = {case.id: case for case in NETWORKS}
CORPUS = load()
SOFT = "softmax/row-maxima/float64"


def message(*arguments: object, **options: object) -> str:
    """What a failing assertion says."""
    with pytest.raises(AssertionError) as caught:
        assert_within_bound(*arguments, **options)
    return str(caught.value)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_reference_is_within_its_bounds(case) -> None:
    """Tensor by tensor, the same verdict as the gate's."""
    answer = run(**case.keywords())
    for tensor in case.tensors:
        result = assert_within_bound(answer[tensor], case, tensor)
        assert (result.verdict, result.tensor) == (Verdict.PASS, tensor)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_records_of_every_operation_are_judged(operation: str) -> None:
    """Those of networks, too; by the name of the tensor in the record."""
    record = next(r for r in CORPUS.records if r.operation == operation and not r.rejects)
    answer = OPERATIONS[operation](record.parameters, record.arrays())
    for tensor in record.expected:
        if tensor in answer:  # dz and da of a network are certified, too
            assert of_the_plugin(answer[tensor], record, tensor).verdict == Verdict.PASS


def test_a_failure_names_case_entry_numbers_and_note() -> None:
    """The report of a record, which has no hint."""
    record = CORPUS.record(SOFT)
    got = OPERATIONS["softmax"](record.parameters, record.arrays())["y"]
    got[0, 0] += 1
    first, second, *rest = message(got, record, "y").splitlines()
    assert first == SOFT
    assert second == f"y[0, 0]: 1 of {got.size} entries outside the bound"
    assert [line[:11].strip() for line in rest if line[0] != " "] == [
        "got", "expected", "error", "case"
    ]  # fmt: skip
    assert rest[0] == f"got        {float(got[0, 0])!r}"


@pytest.mark.parametrize(
    ("tensor", "change", "hint"),
    [
        ("z0", lambda q: q * np.nan, "NaN: all that goes into z0 is finite; "),
        ("dW1", lambda q: 7 * q, "dW1 is 7 times the reference: summed over the 7 rows"),
        ("dW1", lambda q: q.T, "dW1 is transposed: "),
        ("dx", lambda q: q.astype(np.float64), "The arrays of the case are float32; "),
        ("dx", lambda q: q * np.nan, ""),
        ("dx", lambda q: q + np.float32(0.5), ""),
    ],
)
def test_the_hint_says_what_the_tensor_alone_proves(tensor: str, change, hint: str) -> None:
    """Nothing is said of the place: nobody knows whether the tensors before it are right."""
    case = CASES["mlp/batch-7/relu/squared_error/float32"]
    text = message(change(run(**case.keywords())[tensor]), case, tensor)
    assert f"\nhint       {hint}" in text if hint else "hint" not in text
    assert "look at" not in text


def test_another_arithmetic_is_judged_by_its_own_bounds() -> None:
    """A float32 case holds bounds for float64; those of tf32 are wider than those of float32."""
    case = CASES["mlp/batch-7/relu/squared_error/float32"]
    z = run(**case.keywords())["z0"]
    narrow = assert_within_bound(z, case, "z0")
    assert assert_within_bound(z, case, "z0", arithmetic="tf32").bound > 100 * narrow.bound
    double = {k: v.astype(np.float64) for k, v in case.keywords().items() if k in "x target"}
    wide = case.keywords() | double
    for name in ("weights", "biases"):
        wide[name] = [array.astype(np.float64) for array in wide[name]]
    exact = run(**wide)["z0"]
    assert assert_within_bound(exact, case, "z0", arithmetic=FLOAT64).bound < narrow.bound / 1e6
    record = CORPUS.record(case.id)
    assert assert_within_bound(exact, record, "z0", arithmetic="float64").verdict == Verdict.PASS


@pytest.mark.parametrize(
    ("name", "tensor", "arithmetic", "error"),
    [
        (SOFT, "z", None, f"a tensor of {SOFT} must be one of y, dx; got 'z'"),
        (SOFT, "y", "float32", f"inputs of {SOFT} must be numbers of the arithmetic; got float32"),
        (SOFT, "y", "half", "arithmetic must be one of float64, float32, tf32"),
        ("dense/rejects/transposed-weights/float64", "z", None, "must be refused by an implement"),
        ("mlp/batch-7/sigmoid/squared_error/float64", "z9", None, "must be one of z0, a0, z1"),
        (
            "mlp/batch-7/sigmoid/squared_error/float64", "z0", "float32",
            "must be numbers of the arithmetic; got float32",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_an_input_error(
    name: str, tensor: str, arithmetic: str | None, error: str
) -> None:
    """A misspelt tensor or a bound that does not exist is no failure of what is judged."""
    with pytest.raises(InputError) as caught:
        assert_within_bound(np.zeros(1), CORPUS.record(name), tensor, arithmetic=arithmetic)
    assert error in str(caught.value)


def test_labels_are_not_rounded_to_the_arithmetic() -> None:
    """Only real numbers must be those of the arithmetic; a case without words is derived."""
    case = CASES["mlp/digits-16-6-10/sigmoid/cross_entropy/float32"]
    z = run(**case.keywords())["z0"]
    assert case.network.target.dtype.kind == "i"
    assert assert_within_bound(z, case, "z0", arithmetic="tf32").verdict == Verdict.PASS
    assert assert_within_bound(z, uncertified(case), "z0").verdict == Verdict.PASS
