"""PyTorch as a subject: eager `torch.nn.functional` and autograd, as users write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlp_ref.arithmetic import Array
from mlp_ref.checks import fail
from mlp_ref.subjects.protocol import Subject

__all__ = ["load"]


def load() -> Subject:
    """The subject ``torch``; torch is imported here and nowhere else.

    Raises `InputError` if torch is not installed.
    """
    try:
        import torch
    except ImportError:
        fail("the subject torch needs PyTorch", "no module torch", "pip install 'mlp-ref[torch]'")
    return Subject("torch", _runner(torch), ("float32", "float64"), {"torch": torch.__version__})


def _runner(torch: Any) -> Callable[..., Mapping[str, Any]]:
    F = torch.nn.functional
    functions: dict[str, Callable[[Any], Any]] = {
        "identity": lambda z: z.clone(),
        "sigmoid": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": F.relu,
        "leaky_relu": lambda z: F.leaky_relu(z, 0.01),
        "elu": F.elu,
        "softplus": F.softplus,
        "silu": F.silu,
        "gelu": F.gelu,
        "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"),
        "softmax": lambda z: torch.softmax(z, dim=1),
        "log_softmax": lambda z: torch.log_softmax(z, dim=1),
    }
    losses: dict[str, Callable[[Any, Any], Any]] = {
        "cross_entropy": F.cross_entropy,
        "binary_cross_entropy": F.binary_cross_entropy_with_logits,
        "squared_error": F.mse_loss,
    }

    def run(
        *,
        weights: Sequence[Array],
        biases: Sequence[Array],
        x: Array,
        target: Array,
        activations: Sequence[str],
        loss: str,
    ) -> Mapping[str, Any]:
        """A functional network of F.linear layers; every z and a keeps its gradient."""
        W = [torch.tensor(w.T, requires_grad=True) for w in weights]  # (n_out, n_in)
        b = [torch.tensor(v, requires_grad=True) for v in biases]
        first = a = torch.tensor(x, requires_grad=True)
        tensors: dict[str, Any] = {}
        for k, name in enumerate(activations):
            z = F.linear(a, W[k], b[k])
            a = functions[name](z)
            tensors |= {f"z{k}": z, f"a{k}": a}
        a.retain_grad()
        tensors["loss"] = losses[loss](a, torch.tensor(target))
        tensors["loss"].backward()
        tensors |= {"g": a.grad, "dx": first.grad}
        for k in range(len(W)):
            tensors |= {f"dW{k}": W[k].grad.T, f"db{k}": b[k].grad}
        return {name: tensor.detach().numpy() for name, tensor in tensors.items()}

    return run
