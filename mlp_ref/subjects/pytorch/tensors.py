"""Arrays into PyTorch's tensors, and back: every dtype stays what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from mlp_ref.arithmetic import Array
from mlp_ref.checks import fail

__all__ = ["Tensor", "Tensors", "fp32_precision", "require_torch"]

Tensor = Any  # torch.Tensor: PyTorch comes with an extra, and is imported where it is used


def require_torch(subject: str) -> Any:
    """The module torch. Raises `InputError` if it is not installed."""
    try:
        import torch
    except ImportError:
        fail(
            f"the subject {subject} needs PyTorch", "no module torch",
            "pip install 'mlp-ref[torch]'",
        )  # fmt: skip
    return torch


class Tensors(NamedTuple):
    """How the arrays of a question become tensors: its arithmetic, and the device.

    Arrays of bfloat16 are float32 outside of PyTorch and bfloat16 inside, which holds them exactly.
    All others keep their dtype, a wrong one too: to refuse it is PyTorch's business.
    """

    arithmetic: str
    device: str

    def new(self, x: Array, grad: bool = False) -> Tensor:
        """A tensor of the same numbers in memory of its own; ``grad``: it will get a gradient."""
        import torch

        tensor = torch.tensor(x, device=self.device)
        if self.arithmetic == "bfloat16" and tensor.dtype == torch.float32:
            tensor = tensor.bfloat16()
        return tensor.requires_grad_(grad)

    def arrays(self, tensors: Mapping[str, Tensor]) -> dict[str, Array]:
        """The numbers of every tensor as an array."""
        found = {name: tensor.detach().cpu() for name, tensor in tensors.items()}
        if self.arithmetic == "bfloat16":  # NumPy has no such dtype
            found = {name: tensor.float() for name, tensor in found.items()}
        return {name: tensor.numpy() for name, tensor in found.items()}


@contextmanager
def fp32_precision(precision: str) -> Iterator[None]:
    """Float32 products on a GPU as ``ieee`` or ``tf32``; afterwards as they were before."""
    from torch.backends import cuda

    before = cuda.matmul.fp32_precision
    cuda.matmul.fp32_precision = precision
    try:
        yield
    finally:
        cuda.matmul.fp32_precision = before
