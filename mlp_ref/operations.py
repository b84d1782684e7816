"""The NumPy reference's answer to every operation of the corpus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from mlp_ref.activations import IDENTITY
from mlp_ref.arithmetic import Array
from mlp_ref.checks import require_matrix, require_same
from mlp_ref.corpus.library import (
    activation_of,
    layers_of,
    model_of,
    optimizer_of,
    state_of,
)
from mlp_ref.losses import LOSSES
from mlp_ref.model import MLP
from mlp_ref.parameters import Params

__all__ = ["OPERATIONS"]

Parameters = Mapping[str, Any]
Inputs = Mapping[str, Array]
Answer = dict[str, Any]


def _network(model: MLP, params: Params, x: Array, loss: str, target: Array) -> Answer:
    output, trace = model.forward(params, x)
    value, g = LOSSES[loss].value_and_grad(output, target)
    grads, dx = model.backward(params, trace, g)
    tensors: Answer = {"loss": value, "g": g, "dx": dx}
    for k, layer in enumerate(grads.layers):
        tensors |= {f"z{k}": trace.z[k], f"a{k}": trace.a[k], f"dW{k}": layer.W, f"db{k}": layer.b}
    return tensors


def _function(name: str, x: Array, g: Array) -> Answer:
    require_matrix("x", x)
    require_same("g", g, "x", x)
    f = activation_of(name)
    with np.errstate(all="ignore"):  # NaN and infinities are asked for, too
        y = f.value(x)
        return {"y": y, "dx": f.vjp(g, x, y)}


def _dense(parameters: Parameters, inputs: Inputs) -> Answer:
    params = Params.from_layers([(inputs["W"], inputs["b"])])
    model = MLP(params.sizes, (IDENTITY,))
    z, trace = model.forward(params, inputs["x"])
    grads, dx = model.backward(params, trace, inputs["g"])
    return {"z": z, "dW": grads.layers[0].W, "db": grads.layers[0].b, "dx": dx}


def _loss(parameters: Parameters, inputs: Inputs) -> Answer:
    loss = LOSSES[parameters["loss"]]
    with np.errstate(invalid="ignore"):
        value, g = loss.value_and_grad(inputs["z"], inputs["target"])
    return {"loss": value, "g": g}


def _mlp(parameters: Parameters, inputs: Inputs) -> Answer:
    params = layers_of(inputs)
    model = model_of(params.sizes, parameters)
    return _network(model, params, inputs["x"], parameters["loss"], inputs["target"])


def _optimizer(parameters: Parameters, inputs: Inputs) -> Answer:
    """A flat vector of p parameters is a layer of one output, of p - 1 weights and a bias."""
    params = Params(inputs["params"], (len(inputs["params"]) - 1, 1))
    grads = Params(inputs["grads"], (len(inputs["grads"]) - 1, 1))
    return _step(parameters, inputs, params, grads)


def _step(parameters: Parameters, inputs: Inputs, params: Params, grads: Params) -> Answer:
    rule, state = optimizer_of(parameters), state_of(parameters, inputs, params)
    after, new = rule.step(params, grads, state)
    names = [name for name in ("m", "v") if name in inputs]
    moments = (moment.flat for moment in new.moments)
    return {"params": after.flat} | dict(zip(names, moments, strict=True))


def _train_step(parameters: Parameters, inputs: Inputs) -> Answer:
    params = Params(inputs["params"], tuple(parameters["sizes"]))
    model = model_of(params.sizes, parameters)
    output, trace = model.forward(params, inputs["x"])
    value, g = LOSSES[parameters["loss"]].value_and_grad(output, inputs["target"])
    grads, _ = model.backward(params, trace, g)
    step = _step(parameters, inputs, params, grads)
    return {"loss": value, "grads": grads.flat} | step


# operation -> its answer, from parameters and inputs; bad inputs raise `InputError`
OPERATIONS: Mapping[str, Callable[[Parameters, Inputs], Answer]] = MappingProxyType(
    {
        "activation": lambda p, i: _function(p["function"], i["x"], i["g"]),
        "softmax": lambda p, i: _function("softmax", i["x"], i["g"]),
        "log_softmax": lambda p, i: _function("log_softmax", i["x"], i["g"]),
        "dense": _dense,
        "loss": _loss,
        "mlp": _mlp,
        "optimizer": _optimizer,
        "train_step": _train_step,
    }
)
