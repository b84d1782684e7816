"""PyTorch as a subject of the gate: every operation eager, some compiled, none without its GPU."""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase

import numpy as np
import pytest
import torch
from verified import failing, reports_of, require_verified

from mlp_ref.arithmetic import ARITHMETICS, BFLOAT16, FLOAT16, Arithmetic
from mlp_ref.checks import InputError
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.gate.cases import Case, build_cases
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.ledger import known_expectations
from mlp_ref.subjects import Question, load
from mlp_ref.subjects.pytorch import functions
from mlp_ref.subjects.pytorch.functions import FUNCTIONS
from mlp_ref.subjects.pytorch.subject import VARIANTS
from mlp_ref.subjects.pytorch.tensors import Tensors, fp32_precision

CASES = list(build_cases())


def named(subject: str, cases: list[Case]) -> dict[str, set[str]]:
    """What the ledger says of these cases."""
    known = [entry.failing for entry in known_expectations() if subject in entry.subjects]
    ids = {case.id for case in cases}
    return {case: {*found} for part in known for case, found in part.items() if case in ids}


def test_eager_pytorch_over_the_whole_corpus() -> None:
    """All operations in float32 and float64: exactly what the ledger names fails.

    Only wrong inputs are skipped, of the kinds that PyTorch does not claim to refuse.
    """
    reports = reports_of(load("torch"), CASES)
    require_verified(reports)
    assert len(reports) == len(CASES)
    assert failing(reports) == named("torch", CASES)
    skipped = [report for report in reports if report.verdict == Verdict.SKIP]
    assert {report.case.rejects for report in skipped} == {"broadcast", "range", "sum"}
    judged = Counter(r.case.operation for r in reports if r.verdict != Verdict.SKIP)
    assert {*judged} == {*OPERATIONS}


@pytest.mark.parametrize("arithmetic", [BFLOAT16, FLOAT16], ids=lambda A: A.name)
def test_eager_pytorch_in_narrow_arithmetics(arithmetic: Arithmetic) -> None:
    """The CPU implements all operations in bfloat16 and float16, within the derived bounds."""
    cases = list(build_cases([arithmetic]))
    reports = reports_of(load("torch"), cases)
    require_verified(reports)
    assert failing(reports) == named("torch", cases)
    assert not [report.case.id for report in reports if report.verdict == Verdict.SKIP]


def test_the_answers_are_those_of_the_arithmetic() -> None:
    """bfloat16 has numbers of 8 bits, and float32 more, from the same float32 arrays."""
    x = np.linspace(-1, 1, 7, dtype=np.float32)[None]
    x = BFLOAT16.quantize(x)
    for arithmetic, narrow in (("bfloat16", True), ("float32", False)):
        question = Question("activation", arithmetic, {"function": "tanh"}, {"x": x, "g": x})
        y = load("torch").ask(question).tensors["y"]
        assert y.dtype == np.float32
        assert (y == BFLOAT16.quantize(y)).all() == narrow


COMPILED = (
    "activation/above-20/softplus/float64",
    "activation/not-finite/silu/float32",
    "dense/shape-odd/float32",
    "loss/minus-infinity/soft/cross_entropy/float64",
    "mlp/batch-7/gelu_tanh/binary_cross_entropy/float64",
    "softmax/row-maxima/float32",
    "train_step/adam/silu-cross_entropy/step-?/float64",
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of what the compiler itself does
def test_compiled_pytorch() -> None:
    """One case or more of each kind, through whole graphs: the ledger is that of eager PyTorch."""
    from torch._dynamo.utils import counters

    cases = [case for case in CASES if any(fnmatchcase(case.id, only) for only in COMPILED)]
    counters.clear()
    reports = reports_of(load("torch:compile"), cases)
    require_verified(reports)
    assert len(reports) == len(cases) >= len(COMPILED)
    assert failing(reports) == named("torch:compile", cases)
    assert counters["stats"]["unique_graphs"] >= len(COMPILED)
    assert not counters["graph_break"]


def test_only_forward_passes_and_losses_are_compiled() -> None:
    """A step of torch.optim alone is not compiled, and not asked."""
    assert {*OPERATIONS} - {*load("torch:compile").operations} == {"optimizer"}


@pytest.mark.parametrize("variant", ["cuda", "cuda+tf32"])
def test_a_gpu_is_missed_in_one_line(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU the error says so, and nothing runs on the CPU instead."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError) as caught:
        load(f"torch:{variant}")
    assert str(caught.value) == (
        f"torch:{variant} needs a GPU that PyTorch can use; got no CUDA device; install PyTorch "
        "for CUDA, or ask for torch"
    )


@pytest.mark.parametrize("variant", ["gpu", "cuda+fp32", "compile:", "2"])
def test_an_unknown_variant_is_refused(variant: str) -> None:
    """The message lists those that exist."""
    with pytest.raises(InputError, match=r"the variant of torch must be one of .*, cuda\+tf32"):
        load(f"torch:{variant}")


def test_tf32_is_claimed_where_it_is_switched_on() -> None:
    """Float32 on a GPU is IEEE float32, TF32 is asked for by name, and neither outlives a call."""
    assert VARIANTS["cuda+tf32"].arithmetics == ("tf32",)
    assert {v.fp32 for v in VARIANTS.values() if "float32" in v.arithmetics} == {"ieee"}
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    with fp32_precision("tf32"):
        assert matmul.fp32_precision == "tf32"
        with fp32_precision("ieee"):
            assert matmul.fp32_precision == "ieee"
        assert matmul.fp32_precision == "tf32"
    assert matmul.fp32_precision == before


@pytest.mark.parametrize("arithmetic", ["float64", "float32", "bfloat16", "float16"])
def test_tensors_are_copies_without_a_cast(arithmetic: str) -> None:
    """There and back every number is the same, in memory of its own; a wrong dtype stays wrong."""
    A, tensors = ARITHMETICS[arithmetic], Tensors(arithmetic, "cpu")
    x = A.quantize(np.linspace(-2, 2, 12).reshape(3, 4))
    tensor = tensors.new(x.T)
    assert str(tensor.dtype) == f"torch.{arithmetic}"
    np.testing.assert_array_equal(tensors.arrays({"x": tensor})["x"], x.T, strict=True)
    tensor += 1
    np.testing.assert_array_equal(x, A.quantize(np.linspace(-2, 2, 12).reshape(3, 4)))
    assert tensors.new(np.arange(3)).dtype == torch.int64
    other = np.float32 if arithmetic == "float64" else np.float64
    assert tensors.new(np.ones(3, other)).dtype != tensor.dtype


@pytest.mark.parametrize("wrong", ["gelu_tanh", "silu"])
def test_another_function_is_rejected(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The corpus tells PyTorch's gelu from the functions that are used in its place."""
    monkeypatch.setattr(
        functions, "FUNCTIONS", {**FUNCTIONS, "gelu": FUNCTIONS[wrong]}
    )  # fmt: skip
    cases = [case for case in CASES if fnmatchcase(case.id, "activation/moderate/*gelu/*")]
    found = failing(reports_of(load("torch"), cases))
    assert found == {case.id: {"y", "dx"} for case in cases}
    assert len(cases) == 2
