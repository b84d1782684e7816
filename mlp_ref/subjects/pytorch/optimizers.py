"""One step of `torch.optim` from a given state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mlp_ref.subjects.pytorch.tensors import Tensor

__all__ = ["step"]

# method -> our name of a moment -> PyTorch's
_MOMENTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "sgd": {"v": "momentum_buffer"},
        "adam": {"m": "exp_avg", "v": "exp_avg_sq"},
        "adamw": {"m": "exp_avg", "v": "exp_avg_sq"},
    }
)


def step(
    parameters: Mapping[str, Any],
    params: Sequence[Tensor],
    moments: Mapping[str, Sequence[Tensor]],
) -> dict[str, list[Tensor]]:
    """Change ``params``, which have their gradients, in place; return the moments after it."""
    import torch

    optimizer = _optimizer(parameters, params)
    names, t = _MOMENTS[parameters["method"]], parameters["t"]
    for k, p in enumerate(params):
        state = {names[name]: parts[k] for name, parts in moments.items()}
        optimizer.state[p] = state | {"step": torch.tensor(float(t))}
    optimizer.step()
    return {name: [optimizer.state[p][names[name]] for p in params] for name in moments}


def _optimizer(parameters: Mapping[str, Any], params: Sequence[Tensor]) -> Any:
    from torch.optim import SGD, Adam, AdamW

    shared = {"lr": parameters["lr"], "weight_decay": parameters["weight_decay"]}
    if parameters["method"] == "sgd":
        momentum, nesterov = parameters["momentum"], parameters["nesterov"]
        return SGD(params, momentum=momentum, nesterov=nesterov, **shared)
    betas = parameters["beta1"], parameters["beta2"]
    kind = AdamW if parameters["method"] == "adamw" else Adam
    return kind(params, betas=betas, eps=parameters["eps"], **shared)
