"""PyTorch as a subject: eager, compiled, or on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mlp_ref.checks import fail, lookup
from mlp_ref.subjects.protocol import Question, Subject
from mlp_ref.subjects.pytorch.functions import Code
from mlp_ref.subjects.pytorch.operations import OPERATIONS
from mlp_ref.subjects.pytorch.tensors import Tensors, fp32_precision, require_torch

__all__ = ["VARIANTS", "Variant", "load"]


class Variant(NamedTuple):
    """How the operations are run, and what is claimed of them."""

    arithmetics: tuple[str, ...]
    operations: tuple[str, ...] = tuple(OPERATIONS)
    checks: tuple[str, ...] = ()  # a wrong label ends the context of a GPU, and all that follows
    device: str = "cpu"
    fp32: str = "ieee"
    compiled: bool = False


_ALL = ("float64", "float32", "bfloat16", "float16")
_COMPILED = tuple(name for name in OPERATIONS if name != "optimizer")  # forward passes and losses
_CHECKS = ("shape", "dtype", "labels")
VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "": Variant(_ALL, checks=_CHECKS),
        "compile": Variant(_ALL[:2], _COMPILED, _CHECKS, compiled=True),
        "cuda": Variant(_ALL, device="cuda"),
        "cuda+tf32": Variant(("tf32",), device="cuda", fp32="tf32"),
    }
)


def load(variant: str = "") -> Subject:
    """The subject ``torch``, ``torch:compile``, ``torch:cuda`` or ``torch:cuda+tf32``.

    PyTorch broadcasts biases and targets, and asks no target for its range: no check is claimed of
    these.

    Raises `InputError` if PyTorch is not installed, there is no such variant, or no GPU.
    """
    torch = require_torch("torch")
    chosen = lookup("the variant of torch", variant, VARIANTS)
    if chosen.device == "cuda" and not torch.cuda.is_available():
        fail(
            f"torch:{variant} needs a GPU that PyTorch can use", "no CUDA device",
            "install PyTorch for CUDA, or ask for torch",
        )  # fmt: skip
    code = _compiled(torch) if chosen.compiled else Code()

    def run(question: Question) -> Mapping[str, Any]:
        tensors = Tensors(question.arithmetic, chosen.device)
        with fp32_precision(chosen.fp32):
            return tensors.arrays(OPERATIONS[question.operation](code, question, tensors))

    return Subject(
        f"torch:{variant}" if variant else "torch", run, chosen.operations, chosen.arithmetics,
        {"torch": torch.__version__}, chosen.checks,
    )  # fmt: skip


def _compiled(torch: Any) -> Code:
    """Whole graphs or an error: never eager PyTorch in silence, also after many sizes."""

    def compiled(function: Callable[..., Any]) -> Any:
        return torch.compile(function, fullgraph=True, dynamic=True, recompile_limit=1000)

    return Code(*map(compiled, Code()))
