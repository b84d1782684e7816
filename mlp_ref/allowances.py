"""What a correct implementation may deviate by, for every operation: bounds/ applied to a case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from mlp_ref.activations import Activation, Elementwise
from mlp_ref.arithmetic import Arithmetic, Array
from mlp_ref.bounds import (
    Bounded,
    carry,
    derive,
    derive_step,
    derive_vjp,
    exactly,
    gradient_error,
    loss_error,
    product_error,
    value_error_of,
)
from mlp_ref.corpus.library import activation_of, layers_of, model_of, optimizer_of, state_of
from mlp_ref.losses import LOSSES
from mlp_ref.parameters import Params

__all__ = ["ALLOWANCES", "room_for_sets"]

Parameters = Mapping[str, Any]
Inputs = Mapping[str, Array]
Allowed = dict[str, Array]


def _function(A: Arithmetic, f: Activation, x: Array, g: Array) -> Allowed:
    """y = f(x) and dx = J(x)^T g for finite x."""
    z = exactly(x)
    y = carry(A, f.value(z.value), value_error_of(f), z)
    return {"y": y.bound, "dx": derive_vjp(A, f, exactly(g), z, y).bound}


def _activation(A: Arithmetic, parameters: Parameters, inputs: Inputs, exact: Inputs) -> Allowed:
    """At +-inf a piecewise linear function has the derivative of +-1; the others are exact."""
    f, x = activation_of(parameters["function"]), inputs["x"]
    finite = np.isfinite(x)
    found = _function(A, f, np.where(finite, x, np.copysign(1, x)), inputs["g"])
    linear = isinstance(f, Elementwise) and f.curvature == 0
    return {name: np.where(finite | linear, bound, 0) for name, bound in found.items()}


def _rows_of(name: str) -> Callable[[Arithmetic, Parameters, Inputs, Inputs], Allowed]:
    def allowed(A: Arithmetic, parameters: Parameters, inputs: Inputs, exact: Inputs) -> Allowed:
        """Row by row without the logits of -inf, whose terms are exact zeros."""
        x, g = inputs["x"], inputs["g"]
        out = {"y": np.zeros(x.shape), "dx": np.zeros(x.shape)}
        for i, row in enumerate(x):
            if np.isnan(row).any() or np.isposinf(row).any():
                continue
            finite = np.isfinite(row)
            if finite.any():
                part = _function(A, activation_of(name), row[None, finite], g[i][None, finite])
                for key, bound in part.items():
                    out[key][i, finite] = bound[0]
        return out

    return allowed


def _dense(A: Arithmetic, parameters: Parameters, inputs: Inputs, exact: Inputs) -> Allowed:
    x, W, g = (exactly(inputs[name]) for name in ("x", "W", "g"))
    b, ones = np.asarray(inputs["b"], np.float64), exactly(np.ones((1, len(x.value))))

    def with_bias(A: Arithmetic, x: Bounded, W: Bounded) -> Array:
        return product_error(A, x, W, b)

    def product(x: Bounded, y: Bounded) -> Array:
        return carry(A, x.value @ y.value, product_error, x, y).bound

    z = carry(A, x.value @ W.value + b, with_bias, x, W, addend=b)
    return {
        "z": z.bound, "dW": product(x.T, g), "db": product(ones, g)[0], "dx": product(g, W.T),
    }  # fmt: skip


def _loss(A: Arithmetic, parameters: Parameters, inputs: Inputs, exact: Inputs) -> Allowed:
    """What is not finite is exact. Beside it a logit of -inf weighs nothing, as a very low one."""
    loss, z = LOSSES[parameters["loss"]], np.asarray(inputs["z"], np.float64)
    target = inputs["target"]
    if target.dtype.kind == "f":
        target = target.astype(np.float64)
    finite = np.isfinite(z)
    low = z[finite].min(initial=0.0) - 4000
    q = exactly(np.where(finite, z, np.where(np.isneginf(z), low, 0)))
    terms, count, grad = loss.parts(q.value, target)
    value = carry(A, terms.sum() / count, lambda A, z: loss_error(A, loss, z, target), q)
    g = carry(A, grad() / count, lambda A, z: gradient_error(A, loss, z, target), q)
    return {"loss": value.bound, "g": np.where(finite, g.bound, 0)}


def _mlp(A: Arithmetic, parameters: Parameters, inputs: Inputs, exact: Inputs) -> Allowed:
    params, loss = layers_of(inputs), LOSSES[parameters["loss"]]
    model = model_of(params.sizes, parameters)
    found = derive(model, params, inputs["x"], loss, inputs["target"], arithmetic=A)
    return {name: tensor.bound for name, tensor in found.items()}


def _optimizer(A: Arithmetic, parameters: Parameters, inputs: Inputs, exact: Inputs) -> Allowed:
    sizes = (len(inputs["params"]) - 1, 1)
    params, grads = Params(inputs["params"], sizes), Params(inputs["grads"], sizes)
    state, rule = state_of(parameters, inputs, params), optimizer_of(parameters)
    found = derive_step(rule, params, grads, state, arithmetic=A)
    return {name: vector.bound for name, vector in found.items()}


def _train_step(A: Arithmetic, parameters: Parameters, inputs: Inputs, exact: Inputs) -> Allowed:
    params = Params(inputs["params"], tuple(parameters["sizes"]))
    model, loss = model_of(params.sizes, parameters), LOSSES[parameters["loss"]]
    found = derive(model, params, inputs["x"], loss, inputs["target"], arithmetic=A)
    parts = [found[f"{part}{k}"] for k in range(len(params.layers)) for part in ("dW", "db")]
    grads_error = np.concatenate([part.bound.ravel() for part in parts])
    grads, rule = params.like(exact["grads"]), optimizer_of(parameters)
    state = state_of(parameters, inputs, params)
    after = derive_step(
        rule, params, grads, state, arithmetic=A, grads_error=grads_error
    )  # fmt: skip
    return {"loss": found["loss"].bound, "grads": grads_error} | {
        name: vector.bound for name, vector in after.items()
    }


Rule = Callable[[Arithmetic, Parameters, Inputs, Inputs], Allowed]

# operation -> bounds by name, from the arithmetic, parameters, inputs, and the exact results
# rounded to float64
ALLOWANCES: Mapping[str, Rule] = MappingProxyType(
    {
        "activation": _activation,
        "dense": _dense,
        "softmax": _rows_of("softmax"),
        "log_softmax": _rows_of("log_softmax"),
        "loss": _loss,
        "mlp": _mlp,
        "optimizer": _optimizer,
        "train_step": _train_step,
    }
)


def room_for_sets(A: Arithmetic, bound: Array, sets: Mapping[int, tuple[float, ...]]) -> Array:
    """The bounds of a derivative, with room for the rounding of every number of a set.

    ``sets``  flat index -> the numbers that are right there
    """
    out = bound.copy()
    for k, numbers in sets.items():
        size = max(abs(x) for x in numbers if x == x)
        held = all(float(A.quantize(np.array(x))) == x for x in numbers if x == x)
        room = 2 * (A.u + A.u_store) * size + 2 * A.tiny_store
        out.flat[k] = max(bound.flat[k], 0 if held else room)
    return out
