"""Questions of every operation, and the manners in which each can be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise, product
from types import MappingProxyType
from typing import Any

import numpy as np

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import FLOAT64, Arithmetic, Array
from mlp_ref.corpus.records import FLAGS, Record
from mlp_ref.fuzz.arrays import Maker
from mlp_ref.fuzz.choices import Choose

__all__ = ["DEPTHS", "MANNERS", "SIMPLEST", "Manner", "ingredients", "make", "record_of"]

Manner = tuple[str, ...]
Parameters = dict[str, Any]
Inputs = dict[str, Array]

DEPTHS = (1, 2, 3, 2)  # layers of a network
_LOSSES = ("squared_error", "cross_entropy", "binary_cross_entropy")
_RULES = ("sgd", "momentum", "nesterov", "adam", "adamw")
_ROWWISE = ("softmax", "log_softmax")

# What a network of the simplest parts has: a failure that needs nothing else needs none of these.
SIMPLEST = frozenset({"identity", "squared_error", "sgd"})

# operation -> what is chosen first: (function), (loss), (rule), (hidden, last, loss[, rule])
MANNERS: Mapping[str, tuple[Manner, ...]] = MappingProxyType(
    {
        "activation": tuple((f,) for f in ACTIVATIONS),
        "softmax": ((),),
        "log_softmax": ((),),
        "loss": tuple((loss,) for loss in _LOSSES),
        "dense": ((),),
        "optimizer": tuple((rule,) for rule in _RULES),
        "mlp": tuple(dict.fromkeys([
            *((f, "identity", loss) for loss, f in product(_LOSSES, ACTIVATIONS)),
            *((f, f, loss) for loss, f in product(_LOSSES, ACTIVATIONS)),
            *((f, last, _LOSSES[0]) for last, f in product(_ROWWISE, ("identity", "tanh", "relu"))),
        ])),
        "train_step": tuple(
            (f, "identity", loss, rule) for loss, f, rule in product(_LOSSES, ACTIVATIONS, _RULES)
        ),
    }
)  # fmt: skip


def ingredients(operation: str, parameters: Mapping[str, Any]) -> frozenset[str]:
    """The functions, the loss and the rule of a question; of networks only what is not simple."""
    names = {parameters[key] for key in ("function", "loss") if key in parameters}
    names |= set(parameters.get("activations", ()))
    if "method" in parameters:
        names.add(_rule(parameters))
    return frozenset(names - SIMPLEST if operation in ("mlp", "train_step") else names)


def _rule(parameters: Mapping[str, Any]) -> str:
    if parameters["method"] != "sgd" or not parameters["momentum"]:
        return str(parameters["method"])
    return "nesterov" if parameters["nesterov"] else "momentum"


def make(operation: str, manner: Manner, arithmetic: Arithmetic, choose: Choose) -> Record:
    """A question without expected values, whose inputs are numbers of the arithmetic."""
    parameters, inputs = _MAKERS[operation](Maker(choose, arithmetic), *manner)
    wide = "float64" if arithmetic == FLOAT64 else "float32"
    return record_of(operation, parameters, inputs, wide)


def record_of(
    operation: str, parameters: Parameters, inputs: Mapping[str, Array], arithmetic: str
) -> Record:
    """A question with these inputs, under an id that tells it from every other."""
    arrays = {k: np.asarray(x, arithmetic if x.dtype.kind == "f" else "int64")
              for k, x in inputs.items()}  # fmt: skip
    named = [parameters[k] for k in ("function", "loss") if k in parameters]
    named = [*parameters.get("activations", ())[:1], *named]
    named += [_rule(parameters)] if "method" in parameters else []
    name = "-".join([*named, _digest(parameters, arrays)])
    return Record(
        f"{operation}/fuzz/{name}/{arithmetic}", operation, arithmetic,
        _note(operation, parameters, arrays), 1, _flags(operation, parameters, arrays),
        parameters, arrays,
    )  # fmt: skip


def _digest(parameters: Parameters, inputs: Inputs) -> str:
    parts = [repr(sorted(parameters.items()))]
    parts += [f"{k} {x.shape} {x.tobytes().hex()}" for k, x in inputs.items()]
    return sha256("\n".join(parts).encode()).hexdigest()[:10]


def _note(operation: str, parameters: Parameters, inputs: Inputs) -> str:
    """The sizes, in words."""
    x = inputs.get("x", inputs.get("z", inputs.get("params")))
    what = "found by mlp-ref fuzz"
    if x is None or operation == "optimizer":
        return f"{what}: {len(inputs['params'])} parameters"
    sizes = [x.shape[1]]
    if operation == "mlp":
        sizes += [inputs[f"W{k}"].shape[1] for k in range(len(parameters["activations"]))]
    elif operation == "dense":
        sizes += [inputs["W"].shape[1]]
    elif operation == "train_step":
        x, sizes = inputs["x"], parameters["sizes"]
    return f"{what}: batch {len(x)}, {'-'.join(map(str, sizes))}"


def _flags(operation: str, parameters: Parameters, inputs: Inputs) -> tuple[str, ...]:
    """Those that decide whether a subject is asked, and what is right."""
    real = [x for x in inputs.values() if x.dtype.kind == "f"]
    z = inputs.get("z", inputs.get("x"))
    rows = operation in ("softmax", "log_softmax", "loss")
    kinks = operation == "activation" and ACTIVATIONS[parameters["function"]].kinks
    found = {
        "NotFinite": not all(np.isfinite(x).all() for x in real),
        "MinusInfinity": rows and z is not None and bool(np.isneginf(z).any()),
        "Kink": bool(kinks) and z is not None and bool(np.isin(z, kinks).any()),
    }
    return tuple(sorted(flag for flag in FLAGS if found.get(flag, False)))


# --------------------------------------------------------------------------------- one by one


# Beyond, the bound of a product x s(x) is larger than its value, and decides nothing.
_FAR = {
    "float64": {"silu": 1e9, "gelu": 1e9, "gelu_tanh": 1e4},
    "float32": {"silu": 1e4, "gelu": 1e4, "gelu_tanh": 40.0},
}


def _activation(maker: Maker, f: str) -> tuple[Parameters, Inputs]:
    shape = (maker.one((1, 2, 3)), maker.width())
    kind = maker.one(("everything", "everything", "edges", "binades", "special"))
    x = maker.array("everything" if kind == "special" else kind, shape)
    if kind == "special":
        odd = maker.array("integers", shape)
        for number, instead in ((1, np.nan), (2, np.inf), (-2, -np.inf), (3, -0.0)):
            x = np.where(odd == number, x.dtype.type(instead), x)
    far = _FAR["float64" if maker.A == FLOAT64 else "float32"].get(f, np.inf)
    x = np.where(np.isfinite(x) & (np.abs(x) > far), x.dtype.type(1), x)
    g = maker.array(maker.one(("integers", "dull")), shape, factor=True)
    return {"function": f}, {"x": x, "g": g}


def _rowwise(maker: Maker) -> tuple[Parameters, Inputs]:
    """Nothing arrives at a logit of -inf: its bound is that of a class that does not exist."""
    shape = (maker.rows(), maker.width())
    first = np.arange(shape[1]) == 0  # where all g of a row are equal, their gradient is 0
    g = maker.array(maker.one(("integers", "dull", "wide")), shape, factor=first)
    x = maker.logits(shape, ("masked", "special"))
    return {}, {"x": x, "g": np.where(np.isneginf(x), g.dtype.type(0), g)}


def _loss(maker: Maker, loss: str) -> tuple[Parameters, Inputs]:
    shape = (maker.rows(), maker.width())
    z = maker.logits(shape, ("masked", "nan") if loss == "cross_entropy" else ("nan",))
    return {"loss": loss}, {"z": z, "target": maker.target(loss, shape, z)}


def _dense(maker: Maker) -> tuple[Parameters, Inputs]:
    n, n_in, n_out = maker.rows(), maker.width(), maker.width()
    kinds = ("integers", "dull", "wide", "close", "dull", "tiny")
    shapes = {"x": (n, n_in), "W": (n_in, n_out), "b": (n_out,), "g": (n, n_out)}
    return {}, {
        name: maker.array(maker.one(kinds), shape, factor=name != "b")
        for name, shape in shapes.items()
    }


_STYLES = ("integers", "dull", "points", "dull", "rows", "saturated", "wide")
_KINDS = {  # style -> x, W, b
    "integers": ("integers", "integers", "integers"), "dull": ("dull", "dull", "dull"),
    "saturated": ("dull", "tens", "dull"), "wide": ("wide", "wide", "wide"),
    "points": ("integers", "dull", "integers"), "rows": ("integers", "dull", "integers"),
}  # fmt: skip


def _layers(maker: Maker) -> tuple[Array, list[tuple[Array, Array]]]:
    """x (n, n_0) and layers. In two styles the first z are chosen numbers: x picks rows of W."""
    n, depth = maker.rows(few=True), maker.one(DEPTHS)
    sizes = [maker.width(few=True) for _ in range(max(DEPTHS) + 1)][: depth + 1]
    style = maker.one(_STYLES)
    x_kind, W_kind, b_kind = _KINDS[style]
    layers = [
        (maker.array(W_kind, shape, factor=True), maker.array(b_kind, shape[1:]))
        for shape in pairwise(sizes)
    ]
    x = maker.array(x_kind, (n, sizes[0]), factor=True)
    if style in ("points", "rows"):
        first = (sizes[0], sizes[1])
        chosen = maker.array("edges", first) if style == "points" else maker.logits(first)
        layers[0] = (chosen, np.zeros_like(layers[0][1]))
        x = np.eye(sizes[0], dtype=x.dtype)[np.arange(n) % sizes[0]]
    return x, layers


def _mlp(maker: Maker, f: str, last: str, loss: str) -> tuple[Parameters, Inputs]:
    x, layers = _layers(maker)
    named = {f"{part}{k}": array for k, layer in enumerate(layers)
             for part, array in zip("Wb", layer, strict=True)}  # fmt: skip
    activations = [*([f] * (len(layers) - 1)), last]
    target = maker.target(loss, (len(x), layers[-1][0].shape[1]))
    return {"activations": activations, "loss": loss}, {**named, "x": x, "target": target}


def _optimizer(maker: Maker, rule: str) -> tuple[Parameters, Inputs]:
    p = maker.one((2, 3, 4, 5, 8))
    kinds = ("integers", "dull", "wide", "dull", "tiny")
    params = maker.array(maker.one(kinds), (p,), factor=True)
    grads = maker.array(maker.one(kinds), (p,), factor=maker.one((True, True, True, False)))
    parameters, moments = _state(maker, rule, (p,), kinds)
    return parameters, {"params": params, "grads": grads, **moments}


def _state(
    maker: Maker, rule: str, shape: tuple[int, ...], kinds: Sequence[str]
) -> tuple[Parameters, Inputs]:
    """Hyperparameters, and moments, which are 0 before the first step."""
    t = maker.one((0, 1, 2, 3, 9, 10, 100, 1000))
    parameters: Parameters = {
        "method": rule if rule in ("adam", "adamw") else "sgd",
        "lr": maker.one((1.0, 0.0625, 1e-3, 0.1, 64.0)),
        "weight_decay": maker.one((0.0, 0.25, 0.01, 0.125)),
    }
    if rule in ("adam", "adamw"):
        parameters |= {
            "beta1": maker.one((0.5, 0.875, 0.9)),
            "beta2": maker.one((0.5, 1 - 2.0**-10, 0.999)),
            "eps": maker.one((0.5, 2.0**-10, 2.0**-20, 1e-8, 2.0**-30)),
        }
        names: tuple[str, ...] = ("m", "v")
    else:
        momentum = 0.0 if rule == "sgd" else maker.one((0.5, 0.875, 0.9))
        parameters |= {"momentum": momentum, "nesterov": rule == "nesterov"}
        names = () if rule == "sgd" else ("v",)
    moments = {name: maker.array(maker.one(kinds), shape) for name in names}
    if "m" in moments:
        moments["v"] = np.square(moments["v"]) if maker.one((True, False)) else np.abs(moments["v"])
        moments["v"] = maker.held(moments["v"])
    if t == 0:
        moments = {name: np.zeros_like(x) for name, x in moments.items()}
    return parameters | {"t": t}, moments


def _train_step(maker: Maker, f: str, last: str, loss: str, rule: str) -> tuple[Parameters, Inputs]:
    x, layers = _layers(maker)
    params = np.concatenate([part.ravel() for layer in layers for part in layer])
    sizes = [x.shape[1], *(W.shape[1] for W, _ in layers)]
    target = maker.target(loss, (len(x), sizes[-1]))
    parameters, moments = _state(maker, rule, params.shape, ("integers", "dull"))
    network = {"sizes": sizes, "activations": [*([f] * (len(layers) - 1)), last], "loss": loss}
    return {**network, **parameters}, {"params": params, **moments, "x": x, "target": target}


_MAKERS: Mapping[str, Callable[..., tuple[Parameters, Inputs]]] = MappingProxyType(
    {
        "activation": _activation, "softmax": _rowwise, "log_softmax": _rowwise, "loss": _loss,
        "dense": _dense, "optimizer": _optimizer, "mlp": _mlp, "train_step": _train_step,
    }
)  # fmt: skip
