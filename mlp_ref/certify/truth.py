"""The exact results of every operation, as balls: what mlp_ref.corpus.records says is expected.

Values come from the definitions, derivatives from jets of the same definitions and the chain rule;
no kernel and no hand-written slope of the library takes part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
from flint import arb

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import Array
from mlp_ref.certify.balls import ball, balls, elementwise, row_derivatives
from mlp_ref.certify.definitions import ROW_LOSSES, log_softmax, softmax
from mlp_ref.certify.jets import Jet
from mlp_ref.checks import fail

__all__ = ["EXACT", "loss_and_gradient", "network", "step"]

Parameters = Mapping[str, Any]
Inputs = Mapping[str, Array]
Exact = dict[str, Array]
_ROWS = {"softmax": softmax, "log_softmax": log_softmax}
_NAN, _MINUS_INF = float("nan"), float("-inf")


def _activation(parameters: Parameters, inputs: Inputs) -> Exact:
    """y = f(x), dx = g f'(x)."""
    y, slope = elementwise(ACTIVATIONS[parameters["function"]], balls(inputs["x"]))
    known = np.frompyfunc(lambda g, d: d if isinstance(d, float) else g * d, 2, 1)
    return {"y": y, "dx": known(balls(inputs["g"]), slope)}


def _dense(parameters: Parameters, inputs: Inputs) -> Exact:
    """z = x W + b, dW = x^T g, db = sum over rows of g, dx = g W^T."""
    x, W, b, g = (balls(inputs[name]) for name in ("x", "W", "b", "g"))
    return {"z": x @ W + b, "dW": x.T @ g, "db": g.sum(axis=0), "dx": g @ W.T}


def _of_rows(name: str) -> Callable[[Parameters, Inputs], Exact]:
    def exact(parameters: Parameters, inputs: Inputs) -> Exact:
        y, dx = _row_function(name, balls(inputs["x"]), balls(inputs["g"]))
        return {"y": y, "dx": dx}

    return exact


def _row_function(name: str, x: Array, g: Array) -> tuple[Array, Array]:
    """y = softmax(x) or log softmax(x), row by row, and dx_k = sum_j g_j dy_j/dx_k.

    A logit of -inf is the limit: p = 0, log p = -inf, dp/dx = 0 and d log p/dx = 1 at itself.
    """
    y, dx = np.full(x.shape, _NAN, object), np.full(x.shape, _NAN, object)
    for i, row in enumerate(x):
        finite = [k for k, z in enumerate(row) if not isinstance(z, float)]
        if not finite or any(isinstance(z, float) and z != _MINUS_INF for z in row):
            continue
        values, slopes = row_derivatives(_ROWS[name], [row[k] for k in finite])
        log = name == "log_softmax"
        y[i], dx[i] = (_MINUS_INF if log else arb(0)), (g[i] if log else arb(0))
        for k, value, column in zip(finite, values, slopes, strict=True):
            y[i, k] = value
            dx[i, k] = _dot(column, [g[i, j] for j in finite])
            if log:  # d log p_j/dx_k = -p_k also for the logits j of -inf
                away = sum((g[i, j] for j in range(len(row)) if j not in finite), arb(0))
                dx[i, k] -= value.exp() * away
    return y, dx


def _dot(a: Sequence[arb], b: Sequence[arb]) -> arb:
    return sum((x * y for x, y in zip(a, b, strict=True)), arb(0))


def _loss_of(parameters: Parameters, inputs: Inputs) -> Exact:
    loss, g = loss_and_gradient(parameters["loss"], balls(inputs["z"]), inputs["target"])
    return {"loss": loss, "g": g}


def loss_and_gradient(name: str, z: Array, target: Array) -> tuple[Array, Array]:
    """The mean loss () and its gradient (n, C); cross_entropy averages rows, the others entries.

    NaN makes NaN of the loss and of the gradients of its row or entry. For cross_entropy +inf does
    so too, and a logit of -inf with the target 0 is the limit: it has no influence. Raises
    `InputError` for other infinities, which no case has.
    """
    t = balls(np.eye(z.shape[1])[target] if target.dtype.kind in "iu" else target)
    rows = z.shape if name == "cross_entropy" else (z.size, 1)
    g = np.full(rows, _NAN, object)
    terms = [_row_loss(name, *row) for row in zip(z.reshape(rows), t.reshape(rows), g, strict=True)]
    total = _NAN if any(isinstance(term, float) for term in terms) else sum(terms, arb(0))
    loss = np.empty((), object)
    loss[()] = total / len(terms)
    return loss, (g / len(terms)).reshape(z.shape)


def _row_loss(name: str, z: Array, t: Array, g: Array) -> Any:
    """The loss of one row; its derivatives are written into g."""
    finite = [k for k, x in enumerate(z) if not isinstance(x, float)]
    others = [k for k in range(len(z)) if k not in finite]
    limit = name == "cross_entropy" and all(z[k] == _MINUS_INF and t[k] == 0 for k in others)
    if not finite or (others and not limit):
        if not any(z[k] != z[k] or (name == "cross_entropy" and z[k] > 0) for k in others):
            fail(f"{name} must have logits with a certified limit", "-inf or inf", "leave it out")
        return _NAN

    def definition(jets: Sequence[Jet], m: Any) -> list[Jet]:
        return [ROW_LOSSES[name](jets, [t[k] for k in finite], m)]

    (value,), slopes = row_derivatives(definition, [z[k] for k in finite])
    g[:] = arb(0)
    for k, column in zip(finite, slopes, strict=True):
        g[k] = column[0]
    return value


def _mlp(parameters: Parameters, inputs: Inputs) -> Exact:
    depth = len(parameters["activations"])
    layers = [(balls(inputs[f"W{k}"]), balls(inputs[f"b{k}"])) for k in range(depth)]
    return network(parameters, layers, balls(inputs["x"]), inputs["target"])


def network(
    parameters: Parameters, layers: Sequence[tuple[Array, Array]], x: Array, target: Array
) -> Exact:
    """Forward, loss and every gradient: dz_k = dL/dz_k, da_k = dL/da_k of hidden layers too."""
    exact: Exact = {}
    a, slopes, inputs = x, [], []
    for k, ((W, b), name) in enumerate(zip(layers, parameters["activations"], strict=True)):
        inputs.append(a)
        z = exact[f"z{k}"] = a @ W + b
        a, slope = _forward(name, z, k)
        exact[f"a{k}"] = a
        slopes.append(slope)
    exact["loss"], g = loss_and_gradient(parameters["loss"], a, target)
    exact["g"] = g
    for k in reversed(range(len(layers))):
        name = parameters["activations"][k]
        of_rows = name in _ROWS
        dz = _row_function(name, exact[f"z{k}"], g)[1] if of_rows else g * slopes[k]
        exact[f"dz{k}"] = dz
        exact[f"dW{k}"], exact[f"db{k}"] = inputs[k].T @ dz, dz.sum(axis=0)
        g = exact[f"da{k - 1}" if k else "dx"] = dz @ layers[k][0].T
    return exact


def _forward(name: str, z: Array, k: int) -> tuple[Array, Array]:
    if name in _ROWS:
        return _row_function(name, z, 0 * z)[0], z
    return elementwise(ACTIVATIONS[name], z, f"z{k}")


def _optimizer(parameters: Parameters, inputs: Inputs) -> Exact:
    moments = [balls(inputs[name]) for name in ("m", "v") if name in inputs]
    return step(parameters, balls(inputs["params"]), balls(inputs["grads"]), moments)


def step(parameters: Parameters, theta: Array, g: Array, moments: Sequence[Array]) -> Exact:
    """One step of sgd, adam or adamw; the recurrences are those of mlp_ref.optimizers."""
    numbers = {k: ball(v) for k, v in parameters.items() if isinstance(v, int | float)}
    lr, decay = numbers["lr"], numbers["weight_decay"]
    if parameters["method"] == "sgd":
        g = g + decay * theta
        if not parameters["momentum"]:
            return {"params": theta - lr * g}
        mu = numbers["momentum"]
        v = mu * moments[0] + g
        return {"params": theta - lr * (g + mu * v if parameters["nesterov"] else v), "v": v}
    b1, b2, t = numbers["beta1"], numbers["beta2"], int(parameters["t"]) + 1
    if parameters["method"] == "adamw":
        theta = theta - lr * decay * theta
    else:
        g = g + decay * theta
    m = b1 * moments[0] + (1 - b1) * g
    v = b2 * moments[1] + (1 - b2) * g**2
    root = np.frompyfunc(lambda x: x.sqrt(), 1, 1)(v / (1 - b2**t))
    return {"params": theta - lr * (m / (1 - b1**t)) / (root + numbers["eps"]), "m": m, "v": v}


def _train_step(parameters: Parameters, inputs: Inputs) -> Exact:
    theta, sizes = balls(inputs["params"]), parameters["sizes"]
    layers, start = [], 0
    for n_in, n_out in pairwise(sizes):
        middle, end = start + n_in * n_out, start + (n_in + 1) * n_out
        layers.append((theta[start:middle].reshape(n_in, n_out), theta[middle:end]))
        start = end
    found = network(parameters, layers, balls(inputs["x"]), inputs["target"])
    parts = [found[f"{part}{k}"] for k in range(len(layers)) for part in ("dW", "db")]
    g = np.concatenate([part.ravel() for part in parts])
    moments = [balls(inputs[name]) for name in ("m", "v") if name in inputs]
    return {"loss": found["loss"], "grads": g} | step(parameters, theta, g, moments)


# operation -> its results by name, from parameters and inputs, in the working precision
EXACT: Mapping[str, Callable[[Parameters, Inputs], Exact]] = MappingProxyType(
    {
        "activation": _activation,
        "dense": _dense,
        "softmax": _of_rows("softmax"),
        "log_softmax": _of_rows("log_softmax"),
        "loss": _loss_of,
        "mlp": _mlp,
        "optimizer": _optimizer,
        "train_step": _train_step,
    }
)
