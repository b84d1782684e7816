"""What a record asks of the second oracle: a chain of formulas, and rules for NaN and infinity.

The rules are its own, apart from those of the first oracle:

* NaN anywhere in what a number depends on makes it NaN. A row of a network whose input or target
  holds NaN is NaN throughout, and so are the mean loss and every gradient of a parameter.
* f and f' at +-inf are those at +-2^20 to within 2^-1000000, and infinite if f is unbounded there.
* A logit of -inf is one so far below its row that its probability is below 2^-1000000. Its
  log-probability is -inf; a row with NaN or +inf, or with nothing but -inf, is NaN.
* A loss is infinite if it needs a probability of 0, or a square of infinity.

Infinities elsewhere, in dense layers and networks, have no rule: `Unasked` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from mlp_ref.certify.chain import Chain
from mlp_ref.checks import InputError
from mlp_ref.corpus.records import Record

__all__ = ["Question", "Unasked", "question"]

Array = np.ndarray[Any, Any]
_FAR = 2.0**20
_BOUNDED = {-1: ("sigmoid", "tanh", "relu", "elu", "softplus", "silu", "gelu", "gelu_tanh"),
            1: ("sigmoid", "tanh")}  # fmt: skip


class Unasked(InputError):
    """The oracle has no rule for such inputs."""


@dataclass(frozen=True)
class Question:
    """A chain; the names its tensors have in the record; what is NaN or infinite by rule.

    ``names``  name in the record -> name in the chain: z0, a0, loss; dW0, db0, dz0, da0, dx
    ``rules``  name in the record -> NaN or +-inf where that is the result, 0 elsewhere
    """

    chain: Chain
    names: Mapping[str, str]
    rules: Mapping[str, Array] = field(default_factory=dict)


def question(record: Record, inputs: Mapping[str, Array]) -> Question:
    """The question of any operation except the optimizer alone."""
    exact = {k: x if x.dtype.kind in "iu" else x.astype(np.float64) for k, x in inputs.items()}
    return _QUESTIONS[record.operation](record.parameters, exact)


Parameters = Mapping[str, Any]
Inputs = Mapping[str, Array]


def _require_finite(**arrays: Array) -> None:
    for name, x in arrays.items():
        if not np.isfinite(x).all():
            raise Unasked(
                f"the second oracle needs finite {name}; got NaN or infinities; leave them out"
            )


def _rule(shape: tuple[int, ...], value: float, *where: Array) -> Array:
    out = np.zeros(shape)
    for mask in where:
        out[mask] = value
    return out


def _rows(mask: Array) -> Array:
    """Which rows have it anywhere."""
    return np.asarray(mask.any(axis=1))


def _activation(parameters: Parameters, inputs: Inputs) -> Question:
    x, g, f = inputs["x"], inputs["g"], parameters["function"]
    nan = np.isnan(x)
    y = _rule(x.shape, np.nan, nan)
    for sign in (-1, 1):
        if f not in _BOUNDED[sign]:
            y[x == sign * np.inf] = sign * np.inf
    rules = {"y": y, "dx": _rule(x.shape, np.nan, nan | np.isnan(g))}
    near = np.nan_to_num(x, nan=0.0, posinf=_FAR, neginf=-_FAR)
    g = np.where(np.isnan(g), 0.0, g)
    _require_finite(g=g)
    chain = Chain(near, (), (f,), "weights", g, 1)
    return Question(chain, {"y": "a0", "dx": "dz0"}, rules)


def _masked(z: Array) -> tuple[Array, Array, Array]:
    """Logits with finite numbers for -inf; where -inf was; which rows are NaN."""
    low = np.isneginf(z)
    bad = _rows(np.isnan(z) | np.isposinf(z)) | ~_rows(~low)
    clean = np.where(bad[:, None], 0.0, z)
    top = np.abs(np.where(np.isfinite(clean), clean, 0.0)).max(axis=1, keepdims=True)
    least = np.where(top < _FAR / 2, -_FAR, np.finfo(np.float64).min)
    return np.where(np.isneginf(clean), least, clean), low & ~bad[:, None], bad


def _of_rows(name: str) -> Callable[[Parameters, Inputs], Question]:
    def asked(parameters: Parameters, inputs: Inputs) -> Question:
        x, g = inputs["x"], inputs["g"]
        clean, low, bad = _masked(x)
        y = _rule(x.shape, np.nan, bad)
        if name == "log_softmax":
            y[low] = -np.inf
        lost = _rows(np.isnan(g))
        rules = {"y": y, "dx": _rule(x.shape, np.nan, bad | lost)}
        g = np.where(lost[:, None], 0.0, g)
        _require_finite(g=g)
        chain = Chain(clean, (), (name,), "weights", g, 1)
        return Question(chain, {"y": "a0", "dx": "dz0"}, rules)

    return asked


def _dense(parameters: Parameters, inputs: Inputs) -> Question:
    _require_finite(**inputs)
    layer = (inputs["W"], inputs["b"])
    chain = Chain(inputs["x"], (layer,), ("identity",), "weights", inputs["g"], 1)
    return Question(chain, {"z": "z0", "dW": "dW0", "db": "db0", "dx": "dx"})


def _target(loss: str, target: Array, shape: tuple[int, ...]) -> tuple[Array, int]:
    """Targets as numbers (n, C), and what the sum of all terms is divided by."""
    if target.dtype.kind in "iu":
        hot = np.zeros(shape)
        hot[np.arange(shape[0]), target] = 1
        target = hot
    return target, shape[0] if loss == "cross_entropy" else shape[0] * shape[1]


def _loss(parameters: Parameters, inputs: Inputs) -> Question:
    z, loss = inputs["z"], parameters["loss"]
    target, count = _target(loss, inputs["target"], z.shape)
    g, value = np.zeros(z.shape), 0.0
    if loss == "cross_entropy":
        clean, low, bad = _masked(z)
        g[bad] = np.nan
        value = np.nan if bad.any() else np.inf if (low & (target != 0)).any() else 0.0
    elif loss == "binary_cross_entropy":
        clean = np.nan_to_num(z, nan=0.0, posinf=_FAR, neginf=-_FAR)
        g[np.isnan(z)] = np.nan
        wrong = (np.isposinf(z) & (target < 1)) | (np.isneginf(z) & (target > 0))
        value = np.nan if np.isnan(z).any() else np.inf if wrong.any() else 0.0
    else:
        with np.errstate(invalid="ignore", over="ignore"):
            given = np.isfinite(z) & np.isfinite(target)
            g = np.where(given, 0.0, z - target)
        clean, target = np.where(given, z, 0.0), np.where(given, target, 0.0)
        value = float(np.abs(g).sum())
    _require_finite(target=target)
    chain = Chain(clean, (), ("identity",), loss, target, count)
    return Question(chain, {"loss": "loss", "g": "dz0"}, {"loss": np.array(value), "g": g})


def _network(parameters: Parameters, layers: list[tuple[Array, Array]], inputs: Inputs) -> Question:
    x, loss, functions = inputs["x"], parameters["loss"], tuple(parameters["activations"])
    target, count = _target(loss, inputs["target"], (len(x), layers[-1][0].shape[1]))
    lost = _rows(np.isnan(x)) | _rows(np.isnan(target))
    x, target = (np.where(lost[:, None], 0.0, part) for part in (x, target))
    for k, (W, b) in enumerate(layers):
        _require_finite(**{f"W{k}": W, f"b{k}": b})
    _require_finite(x=x, target=target)
    names = {"loss": "loss", "g": f"da{len(layers) - 1}", "dx": "dx"}
    rules: dict[str, Array] = {}
    for k, (W, b) in enumerate(layers):
        names |= {f"{part}{k}": f"{part}{k}" for part in ("z", "a", "dW", "db", "dz", "da")}
        if lost.any():
            rows = _rule((len(x), W.shape[1]), np.nan, lost)
            rules |= {f"{part}{k}": rows for part in ("z", "a", "dz", "da")} | {"g": rows}
            rules |= {f"dW{k}": np.full(W.shape, np.nan), f"db{k}": np.full(b.shape, np.nan)}
    if lost.any():
        rules |= {"loss": np.array(np.nan), "dx": _rule(x.shape, np.nan, lost)}
    return Question(Chain(x, tuple(layers), functions, loss, target, count), names, rules)


def _mlp(parameters: Parameters, inputs: Inputs) -> Question:
    depth = range(len(parameters["activations"]))
    return _network(parameters, [(inputs[f"W{k}"], inputs[f"b{k}"]) for k in depth], inputs)


def _train_step(parameters: Parameters, inputs: Inputs) -> Question:
    """The gradients of the flat vector W0, b0, W1, ... keep the names dW0, db0, dW1, ..."""
    layers, flat = [], inputs["params"]
    _require_finite(**{name: inputs[name] for name in ("x", "params")})
    for n_in, n_out in pairwise(parameters["sizes"]):
        W, b, flat = np.split(flat, [n_in * n_out, (n_in + 1) * n_out])
        layers.append((W.reshape(n_in, n_out), b))
    return _network(parameters, layers, inputs)


_QUESTIONS: Mapping[str, Callable[[Parameters, Inputs], Question]] = {
    "activation": _activation,
    "softmax": _of_rows("softmax"),
    "log_softmax": _of_rows("log_softmax"),
    "dense": _dense,
    "loss": _loss,
    "mlp": _mlp,
    "train_step": _train_step,
}
