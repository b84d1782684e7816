"""The NumPy reference itself as a subject: float32 judged against its own float64."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import Array
from mlp_ref.losses import LOSSES
from mlp_ref.model import MLP
from mlp_ref.parameters import Params
from mlp_ref.subjects.protocol import Subject

__all__ = ["load", "run"]


def run(
    *,
    weights: Sequence[Array],
    biases: Sequence[Array],
    x: Array,
    target: Array,
    activations: Sequence[str],
    loss: str,
) -> Mapping[str, Any]:
    """Forward and backward by `MLP`, in the dtype of the arrays."""
    params = Params.from_layers(zip(weights, biases, strict=True))
    model = MLP(params.sizes, tuple(ACTIVATIONS[name] for name in activations))
    output, trace = model.forward(params, x)
    value, g = LOSSES[loss].value_and_grad(output, target)
    grads, dx = model.backward(params, trace, g)
    tensors: dict[str, Any] = {"loss": value, "g": g, "dx": dx}
    for k, layer in enumerate(grads.layers):
        tensors |= {f"z{k}": trace.z[k], f"a{k}": trace.a[k], f"dW{k}": layer.W, f"db{k}": layer.b}
    return tensors


def load() -> Subject:
    """The subject ``numpy``. Only float32: in float64 it is what the others are compared with."""
    return Subject("numpy", run, ("float32",), {"numpy": np.__version__})
