"""ONNX Runtime as a subject of the gate: every forward pass that it has a kernel for."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase

import numpy as np
import onnx
import pytest
from verified import failing, reports_of, require_verified

from mlp_ref.checks import InputError
from mlp_ref.gate.cases import build_cases
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.ledger import expectations_of
from mlp_ref.subjects import Question, load, onnx_graphs

CASES = [case for case in build_cases() if case.operation in load("onnxruntime").operations]
FORWARD = {"y", "z", "a"}
# In float64; the definition of gelu by other operators has Erf.
NO_KERNEL = {"leaky_relu": "LeakyRelu", "elu": "Elu", "softplus": "Softplus", "gelu": "Erf"}


def test_onnxruntime_over_the_whole_corpus() -> None:
    """Every y, z and a, and every wrong dtype: exactly what the ledger names fails."""
    reports = reports_of(load("onnxruntime"), CASES)
    require_verified(reports)
    assert len(reports) == len(CASES)
    known = [entry.failing for entry in expectations_of("onnxruntime")]
    assert failing(reports) == {
        case: {tensor for part in known for tensor in part.get(case, ())}
        for part in known for case in part
    }  # fmt: skip
    for report in reports:
        answered = {
            result.tensor.rstrip("0123456789")
            for result in report.results
            if result.verdict in {Verdict.PASS, Verdict.FAIL}
        }
        if report.case.rejects:
            assert answered == ({"rejection"} if report.case.rejects == "dtype" else set())
        elif report.verdict != Verdict.SKIP:
            assert answered == FORWARD & {t.rstrip("0123456789") for t in report.case.tensors}


def test_what_has_no_kernel_is_skipped_with_the_operator() -> None:
    """In float64 four functions are missing; the reason names the operator."""
    reports = reports_of(load("onnxruntime"), [case for case in CASES if not case.rejects])
    skipped = [report for report in reports if report.verdict == Verdict.SKIP]
    assert len(skipped) > len(NO_KERNEL)
    for report in skipped:
        parameters = report.case.record.parameters
        names = parameters.get("activations", [parameters.get("function")])
        missing = [NO_KERNEL[name] for name in names if name in NO_KERNEL]
        assert report.case.arithmetic.name == "float64"
        start = f"not implemented: Could not find an implementation for {missing[0]}("
        assert {result.reason.startswith(start) for result in report.results} == {True}


def test_the_tanh_form_of_gelu_has_float32_constants() -> None:
    """2/pi and 0.044715 rounded to float32 reproduce the deviation, to rounding."""
    x = np.linspace(-4, 4, 41)[:, None]
    question = Question("activation", "float64", {"function": "gelu_tanh"}, {"x": x, "g": x})
    c, k = (np.float64(np.float32(number)) for number in (2 / np.pi, 0.044715))
    formula = x / 2 * (1 + np.tanh(np.sqrt(c) * (x + k * x**3)))
    u = 2.0**-53
    error = np.abs(load("onnxruntime").run(question)["y"] - formula)
    assert (error <= 32 * u * np.abs(x)).all()
    exact = x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    assert np.abs(exact - formula).max() > 1e6 * u


@pytest.mark.parametrize("function", ["gelu_tanh", "silu"])
def test_another_function_is_rejected(function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The corpus tells gelu from the functions that are used in its place."""
    node = onnx_graphs._nodes
    monkeypatch.setattr(
        onnx_graphs, "_nodes",
        lambda helper, q: node(helper, q._replace(parameters={"function": function})),
    )  # fmt: skip
    cases = [case for case in CASES if fnmatchcase(case.id, "activation/moderate/gelu/float32")]
    assert failing(reports_of(load("onnxruntime"), cases)) == {case.id: {"y"} for case in cases}
    assert len(cases) == 1


@pytest.mark.parametrize("missing", ["onnxruntime", "onnx"])
def test_without_the_library_the_extra_is_named(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime runs graphs and ONNX makes them: without one of them the error says which."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError) as caught:
        load("onnxruntime")
    assert str(caught.value) == (
        f"the subject onnxruntime needs ONNX Runtime and ONNX; got no module {missing}; "
        "pip install 'mlp-ref[onnxruntime]'"
    )


def test_a_variant_is_refused() -> None:
    """There is one execution provider."""
    with pytest.raises(InputError, match="onnxruntime must stand without a variant"):
        load("onnxruntime:cuda")


def test_the_model_is_valid() -> None:
    """A graph of every operation passes ONNX's own checker."""
    for operation in load("onnxruntime").operations:
        case = next(c for c in CASES if c.operation == operation and not c.rejects)
        onnx.checker.check_model(onnx.load_from_string(onnx_graphs.model_of(case.question())))
