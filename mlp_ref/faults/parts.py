"""A multi-layer perceptron in replaceable parts, from which every wrong one is made.

    z = affine(x, W, b)              a = value(f, z)              L = loss(name, a, t)
    dW = weight_gradient(x, dz)      dz = pull(f, da, z, a)       g = loss_gradient(name, a, t)
    db = bias_gradient(dz)           dx = input_gradient(dz, W)   theta = step(rule, theta, g, ...)

With the parts of `RIGHT` it is the reference, put together once more in the plainest way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from mlp_ref.activations import Elementwise
from mlp_ref.arithmetic import Array
from mlp_ref.corpus.library import activation_of, optimizer_of, state_of
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.losses import LOSSES
from mlp_ref.parameters import Params

__all__ = ["RIGHT", "Answer", "Inputs", "Operation", "Parameters", "Parts", "operations_of"]

Parameters = Mapping[str, Any]
Inputs = Mapping[str, Array]
Answer = dict[str, Any]
Operation = Callable[[Parameters, Inputs], Answer]


def _value(f: str, z: Array) -> Array:
    return activation_of(f).value(z)


def _pull(f: str, da: Array, z: Array, a: Array) -> Array:
    """The derivative at z, also where a is the value of a wrong function."""
    record = activation_of(f)
    return record.vjp(da, z, record.value(z) if isinstance(record, Elementwise) else a)


def _loss(name: str, a: Array, target: Array) -> Any:
    return LOSSES[name].value_and_grad(a, target)[0]


def _loss_gradient(name: str, a: Array, target: Array) -> Array:
    return LOSSES[name].value_and_grad(a, target)[1]


def _step(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
    """One step of a rule; ``rule["t"]`` steps were taken before."""
    params = Params(theta, (len(theta) - 1, 1))
    state = state_of(rule, moments, params)
    after, new = optimizer_of(rule).step(params, params.like(grads), state)
    names = [name for name in ("m", "v") if name in moments]
    return {"params": after.flat} | dict(zip(names, (m.flat for m in new.moments), strict=True))


class Parts(NamedTuple):
    """What a fault may replace. f and ``name`` are names of activations and losses.

    ``step``    from the rule's hyperparameters, params, gradients and moments by name, flat (p,)
    ``inputs``  what is computed from, in place of what was asked: rounded, shifted, cut
    ``answer``  what is returned, in place of what was computed, and what it was computed from
    """

    affine: Callable[[Array, Array, Array], Array] = lambda x, W, b: x @ W + b
    value: Callable[[str, Array], Array] = _value
    pull: Callable[[str, Array, Array, Array], Array] = _pull
    weight_gradient: Callable[[Array, Array], Array] = lambda x, dz: x.T @ dz
    bias_gradient: Callable[[Array], Array] = lambda dz: dz.sum(axis=0)
    input_gradient: Callable[[Array, Array], Array] = lambda dz, W: dz @ W.T
    loss: Callable[[str, Array, Array], Any] = _loss
    loss_gradient: Callable[[str, Array, Array], Array] = _loss_gradient
    step: Callable[[Parameters, Array, Array, Inputs], Answer] = _step
    inputs: Callable[[str, Parameters, Inputs], Inputs] = lambda operation, p, inputs: inputs
    answer: Callable[[str, Answer, Inputs], Answer] = lambda operation, answer, inputs: answer


RIGHT = Parts()


def operations_of(parts: Parts) -> Mapping[str, Operation]:
    """Every operation of the corpus, put together from parts."""

    def made(operation: str) -> Operation:
        def answer(parameters: Parameters, inputs: Inputs) -> Answer:
            with np.errstate(all="ignore"):
                given = parts.inputs(operation, parameters, inputs)
                return parts.answer(operation, _MADE[operation](parts, parameters, given), inputs)

        return answer

    return MappingProxyType({operation: made(operation) for operation in OPERATIONS})


# ------------------------------------------------------------------------- operation by operation


def _function(parts: Parts, f: str, inputs: Inputs) -> Answer:
    y = parts.value(f, inputs["x"])
    return {"y": y, "dx": parts.pull(f, inputs["g"], inputs["x"], y)}


def _dense(parts: Parts, parameters: Parameters, inputs: Inputs) -> Answer:
    x, W, g = inputs["x"], inputs["W"], inputs["g"]
    return {
        "z": parts.affine(x, W, inputs["b"]), "dW": parts.weight_gradient(x, g),
        "db": parts.bias_gradient(g), "dx": parts.input_gradient(g, W),
    }  # fmt: skip


def _both(parts: Parts, parameters: Parameters, inputs: Inputs) -> Answer:
    name, z, target = parameters["loss"], inputs["z"], inputs["target"]
    return {"loss": parts.loss(name, z, target), "g": parts.loss_gradient(name, z, target)}


def _network(parts: Parts, parameters: Parameters, inputs: Inputs) -> Answer:
    names, loss, target = parameters["activations"], parameters["loss"], inputs["target"]
    answer: Answer = {}
    layers, a = [], inputs["x"]
    for k, f in enumerate(names):
        W, x = inputs[f"W{k}"], a
        z = parts.affine(x, W, inputs[f"b{k}"])
        a = parts.value(f, z)
        layers.append((f, W, x, z, a))
        answer |= {f"z{k}": z, f"a{k}": a}
    da = answer["g"] = parts.loss_gradient(loss, a, target)
    answer["loss"] = parts.loss(loss, a, target)
    for k, (f, W, x, z, a) in reversed([*enumerate(layers)]):
        dz = parts.pull(f, da, z, a)
        answer |= {f"dW{k}": parts.weight_gradient(x, dz), f"db{k}": parts.bias_gradient(dz)}
        da = parts.input_gradient(dz, W)
    return answer | {"dx": da}


def _optimizer(parts: Parts, parameters: Parameters, inputs: Inputs) -> Answer:
    moments = {name: inputs[name] for name in ("m", "v") if name in inputs}
    return parts.step(parameters, inputs["params"], inputs["grads"], moments)


def _train_step(parts: Parts, parameters: Parameters, inputs: Inputs) -> Answer:
    layers = Params(inputs["params"], tuple(parameters["sizes"])).layers
    named = {f"{part}{k}": array for k, layer in enumerate(layers)
             for part, array in zip("Wb", layer, strict=True)}  # fmt: skip
    network = {**named, "x": inputs["x"], "target": inputs["target"]}
    found = _network(parts, parameters, network)
    grads = np.concatenate([found[f"d{name}"].ravel() for name in named])
    after = _optimizer(parts, parameters, {**inputs, "grads": grads})
    return {"loss": found["loss"], "grads": grads} | after


_MADE: Mapping[str, Callable[[Parts, Parameters, Inputs], Answer]] = MappingProxyType(
    {
        "activation": lambda parts, p, i: _function(parts, p["function"], i),
        "softmax": lambda parts, p, i: _function(parts, "softmax", i),
        "log_softmax": lambda parts, p, i: _function(parts, "log_softmax", i),
        "dense": _dense,
        "loss": _both,
        "mlp": _network,
        "optimizer": _optimizer,
        "train_step": _train_step,
    }
)
