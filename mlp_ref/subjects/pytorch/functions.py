"""The functions and losses of the corpus by their names in `torch.nn.functional`, here F."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from mlp_ref.subjects.pytorch.tensors import Tensor

__all__ = ["FUNCTIONS", "LOSSES", "Code", "forward", "function", "loss_of", "named"]

FUNCTIONS: Mapping[str, Callable[[Any, Tensor], Tensor]] = MappingProxyType(
    {
        "identity": lambda F, z: z,
        "sigmoid": lambda F, z: F.sigmoid(z),
        "tanh": lambda F, z: F.tanh(z),
        "relu": lambda F, z: F.relu(z),
        "leaky_relu": lambda F, z: F.leaky_relu(z, 0.01),
        "elu": lambda F, z: F.elu(z),
        "softplus": lambda F, z: F.softplus(z),
        "silu": lambda F, z: F.silu(z),
        "gelu": lambda F, z: F.gelu(z),
        "gelu_tanh": lambda F, z: F.gelu(z, approximate="tanh"),
        "softmax": lambda F, z: F.softmax(z, dim=1),
        "log_softmax": lambda F, z: F.log_softmax(z, dim=1),
    }
)
LOSSES: Mapping[str, str] = MappingProxyType(
    {
        "cross_entropy": "cross_entropy",
        "binary_cross_entropy": "binary_cross_entropy_with_logits",
        "squared_error": "mse_loss",
    }
)


def function(name: str, z: Tensor) -> Tensor:
    """f(z), of the shape of z (n, k)."""
    from torch.nn import functional as F

    return FUNCTIONS[name](F, z)


def loss_of(name: str, z: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """The loss of the logits or outputs z (n, C); labels are int64 (n,)."""
    from torch.nn import functional as F

    return getattr(F, LOSSES[name])(z, target, reduction=reduction)


def forward(
    activations: Sequence[str], weights: Sequence[Tensor], biases: Sequence[Tensor], x: Tensor
) -> list[Tensor]:
    """[z0, a0, z1, a1, ...] of linear layers with weights (n_out, n_in), and activations."""
    from torch.nn import functional as F

    tensors: list[Tensor] = []
    a = x
    for name, W, b in zip(activations, weights, biases, strict=True):
        z = F.linear(a, W, b)  # (n, n_out)
        a = FUNCTIONS[name](F, z)
        tensors += [z, a]
    return tensors


def named(outputs: Sequence[Tensor]) -> dict[str, Tensor]:
    """What `forward` returns, by name."""
    return {f"{'za'[k % 2]}{k // 2}": output for k, output in enumerate(outputs)}


class Code(NamedTuple):
    """What is run: these functions, or what a compiler makes of them."""

    function: Callable[..., Tensor] = function
    forward: Callable[..., list[Tensor]] = forward
    loss_of: Callable[..., Tensor] = loss_of
