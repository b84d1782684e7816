"""Which weaker arithmetic a wrong answer would pass in: true where it is said, and proven."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from mlp_ref.arithmetic import BFLOAT16
from mlp_ref.gate.cases import Case, build_cases
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.run import CaseReport, run_case
from mlp_ref.gate.weaker import weaker_arithmetic
from mlp_ref.operations import OPERATIONS as REFERENCE
from mlp_ref.subjects import Subject

Answer = dict[str, Any]
Run = Callable[[str, Mapping[str, Any], Mapping[str, Any]], Answer]

CASES = [case for case in build_cases() if not case.rejects]
AS_TF32 = "It would pass as tf32, not as float32: are TF32 matrix products enabled?"
AS_BFLOAT16 = (
    "It would pass as bfloat16, not as float32: is something rounded to bfloat16, or as coarse?"
)
AS_FLOAT32 = (
    "It would pass as float32, not as float64: is something computed in float32, or made for it?"
)


def report(run: Run, case: Case) -> CaseReport:
    """What is said of a subject of that function."""
    subject = Subject(
        "mine", lambda q: run(q.operation, q.parameters, q.inputs), tuple(REFERENCE),
        ("float32", "float64"),
    )  # fmt: skip
    return run_case(subject, case)


def cases(operation: str, arithmetic: str, prefix: str = "") -> list[Case]:
    """The cases of an operation."""
    return [
        case for case in CASES
        if case.operation == operation and case.arithmetic.name == arithmetic
        and case.id.startswith(prefix)
    ]  # fmt: skip


def tf32(x: Any) -> Any:
    """11 significant bits, as the tensor cores take their operands."""
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.rint(mantissa * 2**11) / 2**11, exponent).astype(x.dtype)


def bfloat16(x: Any) -> Any:
    """8 significant bits."""
    return BFLOAT16.quantize(x).astype(x.dtype)


def products(rounded: Callable[[Any], Any]) -> Run:
    """Dense layers whose matrix products round their operands."""

    def run(operation: str, parameters: Any, inputs: Any) -> Answer:
        x, W, g = (rounded(inputs[name]) for name in "xWg")
        return {"z": x @ W + inputs["b"], "dW": x.T @ g, "db": inputs["g"].sum(0), "dx": g @ W.T}

    return run


def single(operation: str, parameters: Any, inputs: Any) -> Answer:
    """Everything in float32, returned as what it was asked in."""
    with np.errstate(all="ignore"):
        narrow = {k: x.astype("f4") if x.dtype.kind == "f" else x for k, x in inputs.items()}
        answer = REFERENCE[operation](parameters, narrow)
    return {name: np.asarray(x).astype("f8") for name, x in answer.items()}


# ------------------------------------------------------------------------------- what is recognised


@pytest.mark.parametrize(("rounded", "text"), [(tf32, AS_TF32), (bfloat16, AS_BFLOAT16)])
def test_rounded_operands_are_recognised(rounded: Callable[[Any], Any], text: str) -> None:
    """Of dense layers of all shapes; and nothing else is said of any of them."""
    reports = [report(products(rounded), case) for case in cases("dense", "float32")]
    failing = [found for found in reports if found.verdict == Verdict.FAIL]
    named = [found for found in failing if found.hint == text]
    assert {found.hint for found in failing} <= {text, ""}
    assert len(named) > 15
    assert 3 * len(named) > 2 * len(failing)


@pytest.mark.parametrize(
    ("operation", "least"),
    [("activation", 50), ("softmax", 15), ("log_softmax", 15), ("dense", 20), ("optimizer", 40),
     ("loss", 20), ("train_step", 25)],
)  # fmt: skip
def test_single_precision_is_recognised(operation: str, least: int) -> None:
    """Of every operation, where it makes most entries wrong; and nothing else is said."""
    hints = [report(single, case).hint for case in cases(operation, "float64")]
    assert {*hints} <= {"", AS_FLOAT32}
    assert hints.count(AS_FLOAT32) >= least


def test_networks_in_single_precision_are_recognised() -> None:
    """By their place and the arithmetic, unless a tensor holds numbers of float32 alone."""
    for case in cases("mlp", "float64", "mlp/batch-7/"):
        found = report(single, case)
        assert "single precision" in found.hint or found.hint.endswith(AS_FLOAT32), found.hint


def test_the_strictest_is_named() -> None:
    """What holds as TF32 holds as bfloat16, too."""
    (case,) = cases("dense", "float32", "dense/shape-square/")
    coarse = case.whole(BFLOAT16)
    answer = products(tf32)("dense", {}, case.inputs)
    assert all((np.abs(answer[k] - q.value) <= q.allowed).all() for k, q in coarse.items())
    assert weaker_arithmetic(case, answer) == AS_TF32


# ----------------------------------------------------------------------------- what is not claimed


def changed(name: str, change: Callable[[Any], Any]) -> Run:
    """The right answer with one tensor changed, if there is one of that name."""

    def run(operation: str, parameters: Any, inputs: Any) -> Answer:
        with np.errstate(all="ignore"):  # a BLAS may read, and flag, what lies beside its operands
            answer = REFERENCE[operation](parameters, inputs)
        if name in answer:
            answer[name] = change(np.array(answer[name]))
        return answer

    return run


def one_entry(x: Any) -> Any:
    """A single entry slightly wrong, of many."""
    x.flat[0] *= x.dtype.type(1 + 2**-12)
    return x


def fast_sigmoid(operation: str, parameters: Any, inputs: Any) -> Answer:
    """x / (1 + |x|) in place of tanh: a wrong formula."""
    if parameters["function"] != "tanh":
        return REFERENCE[operation](parameters, inputs)
    x, one = inputs["x"], inputs["x"].dtype.type(1)
    with np.errstate(all="ignore"):
        return {"y": x / (one + np.abs(x)), "dx": inputs["g"] / (one + np.abs(x)) ** 2}


def transposed(operation: str, parameters: Any, inputs: Any) -> Answer:
    """z = x W^T, where the shapes allow it."""
    W = inputs["W"]
    right = REFERENCE[operation](parameters, inputs)
    return right | ({"z": inputs["x"] @ W.T + inputs["b"]} if W.shape[0] == W.shape[1] else {})


MISTAKES: dict[str, tuple[str, Run]] = {
    "a wrong formula": ("activation", fast_sigmoid),
    "a transposed matrix": ("dense", transposed),
    "a single wrong entry": ("dense", changed("z", one_entry)),
    "a single wrong entry of dW": ("dense", changed("dW", one_entry)),
    "twice dW": ("dense", changed("dW", lambda x: x * 2)),
    "twice dx": ("activation", changed("dx", lambda x: x * 2)),
    "no dx": ("dense", changed("dx", lambda x: x * 0)),
    "twice the gradient": ("loss", changed("g", lambda x: x * 2)),
    "the loss is summed": ("loss", changed("loss", lambda x: x * 7)),
    "no step": ("optimizer", changed("m", lambda x: x * 0)),
    "a row too far": ("softmax", changed("y", lambda x: np.roll(x, 1, axis=0))),
    "NaN": ("dense", changed("z", lambda x: x * np.nan)),
    "another dtype": ("dense", changed("z", lambda x: x * 1j)),
    "another shape": ("dense", changed("z", lambda x: x[None])),
}


@pytest.mark.parametrize("arithmetic", ["float32", "float64"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_not_called_an_arithmetic(mistake: str, arithmetic: str) -> None:
    """No case of the operation is explained by it, unless the mistake changes next to nothing."""
    operation, run = MISTAKES[mistake]
    failing = 0
    for case in cases(operation, arithmetic):
        answer = run(operation, case.record.parameters, case.question().inputs)
        if report(run, case).verdict == Verdict.FAIL and not is_slight(case, answer):
            failing += 1
            assert weaker_arithmetic(case, answer) == "", case.id
    assert failing


def is_slight(case: Case, answer: Answer) -> bool:
    """Whether several entries of a tensor, and all wrong ones, are off by a few units of rounding.

    Of bfloat16, or of float32: tanh(x) and x / (1 + |x|) are one where x is tiny.
    """
    u = 2.0**-6 if case.arithmetic.name == "float32" else 2.0**-20
    errors = []
    for name, q in case.whole().items():
        if np.shape(answer[name]) != np.shape(q.value) or np.iscomplexobj(answer[name]):
            return False
        with np.errstate(all="ignore"):
            error = np.abs(np.asarray(answer[name], "f8") - q.value)
            errors.append((error / np.abs(q.value))[~(error <= q.allowed)])
    return max(map(np.size, errors)) > 1 and bool((np.concatenate(errors, None) < u).all())


@pytest.mark.parametrize("operation", ["activation", "softmax", "log_softmax", "loss", "optimizer"])
def test_no_products_are_blamed_where_there_are_none(operation: str) -> None:
    """What is as coarse as TF32 is none there."""

    def run(operation: str, parameters: Any, inputs: Any) -> Answer:
        answer = REFERENCE[operation](parameters, inputs)
        return {name: tf32(np.asarray(x)) for name, x in answer.items()}

    hints = [report(run, case).hint for case in cases(operation, "float32")]
    assert {*hints} <= {"", AS_BFLOAT16}
    assert AS_BFLOAT16 in hints
