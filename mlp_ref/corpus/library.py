"""A record in the terms of the library: models, parameters, optimizers and their states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlp_ref.activations import ACTIVATIONS, Activation
from mlp_ref.arithmetic import Array
from mlp_ref.model import MLP
from mlp_ref.optimizers import SGD, Adam, AdamW, Optimizer, State
from mlp_ref.parameters import Params
from mlp_ref.softmax import LOG_SOFTMAX, SOFTMAX

__all__ = ["activation_of", "layers_of", "model_of", "optimizer_of", "state_of"]

_METHODS: Mapping[str, Any] = {"sgd": SGD, "adam": Adam, "adamw": AdamW}
_ROWS: Mapping[str, Activation] = {"softmax": SOFTMAX, "log_softmax": LOG_SOFTMAX}
_NOT_HYPERPARAMETERS = {"method", "t", "sizes", "activations", "loss"}


def activation_of(name: str) -> Activation:
    """The record of that name, softmax and log_softmax included."""
    return _ROWS[name] if name in _ROWS else ACTIVATIONS[name]


def layers_of(inputs: Mapping[str, Array]) -> Params:
    """W0, b0, W1, b1, ... as parameters."""
    depth = sum(name.startswith("W") for name in inputs)
    return Params.from_layers((inputs[f"W{k}"], inputs[f"b{k}"]) for k in range(depth))


def model_of(sizes: tuple[int, ...], parameters: Mapping[str, Any]) -> MLP:
    """The network with the activations that the parameters name."""
    return MLP(sizes, tuple(activation_of(name) for name in parameters["activations"]))


def optimizer_of(parameters: Mapping[str, Any]) -> Optimizer:
    """The optimizer with the hyperparameters of a record."""
    chosen = {k: v for k, v in parameters.items() if k not in _NOT_HYPERPARAMETERS}
    found: Optimizer = _METHODS[parameters["method"]](**chosen)
    return found


def state_of(parameters: Mapping[str, Any], inputs: Mapping[str, Array], params: Params) -> State:
    """The steps taken before, and the moments."""
    moments = (params.like(inputs[name]) for name in ("m", "v") if name in inputs)
    return State(int(parameters["t"]), tuple(moments))
