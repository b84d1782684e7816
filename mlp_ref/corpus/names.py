"""The names of each operation: its parameters, its inputs, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.losses import LOSSES
from mlp_ref.softmax import LOG_SOFTMAX, SOFTMAX

__all__ = ["METHODS", "OUTPUTS", "REJECTS", "Tensors", "parameter_kinds", "tensors_of", "unknown"]

# What may be wrong with inputs that must be rejected.
REJECTS: Mapping[str, str] = MappingProxyType(
    {
        "shape": "sizes that do not belong together, or a batch without rows",
        "broadcast": "sizes that belong together only if something is repeated in silence",
        "dtype": "another floating type than the rest, or integers where floats belong",
        "labels": "labels outside 0 ... C - 1, too many or too few",
        "range": "a probability or a hyperparameter outside its range",
        "sum": "probabilities of a row that do not sum to 1",
    }
)

# What may stand as the activation of a layer: the rows-wise ones only at the end.
OUTPUTS = (*ACTIVATIONS, SOFTMAX.name, LOG_SOFTMAX.name)

_OWN: Mapping[str, Mapping[str, type]] = MappingProxyType(
    {
        "activation": {"function": str},
        "dense": {},
        "softmax": {},
        "log_softmax": {},
        "loss": {"loss": str},
        "mlp": {"activations": list, "loss": str},
        "optimizer": {"method": str},
        "train_step": {"sizes": list, "activations": list, "loss": str, "method": str},
    }
)
_STEP = {"lr": float, "weight_decay": float, "t": int}
_ADAM = _STEP | {"beta1": float, "beta2": float, "eps": float}

# method of an optimizer -> its parameters
METHODS: Mapping[str, Mapping[str, type]] = MappingProxyType(
    {"sgd": _STEP | {"momentum": float, "nesterov": bool}, "adam": _ADAM, "adamw": _ADAM}
)


class Tensors(NamedTuple):
    """Names of tensors; ``more`` may be expected too, and need not."""

    inputs: tuple[str, ...]
    expected: tuple[str, ...]
    more: tuple[str, ...] = ()


def parameter_kinds(operation: str, parameters: Mapping[str, Any]) -> dict[str, type]:
    """The parameters that a case of the operation has, with the Python types of their values."""
    own = dict(_OWN[operation])
    method = parameters.get("method")
    if "method" in own and isinstance(method, str) and method in METHODS:
        return own | dict(METHODS[method])
    return own


def unknown(parameters: Mapping[str, Any]) -> str:
    """The first parameter of the right type that names nothing known, or cannot be; else empty."""
    known: Mapping[str, tuple[str, ...]] = {
        "function": tuple(ACTIVATIONS), "loss": tuple(LOSSES), "method": tuple(METHODS),
    }  # fmt: skip
    for key, names in known.items():
        if key in parameters and parameters[key] not in names:
            return key
    if parameters.get("t", 0) < 0:
        return "t"
    names = parameters.get("activations", ["identity"])
    sizes = parameters.get("sizes", [1] * (len(names) + 1))
    if any(type(n) is not int or n < 1 for n in sizes) or len(sizes) != len(names) + 1:
        return "sizes"
    inner = all(isinstance(f, str) and f in ACTIVATIONS for f in names[:-1])
    return "" if names and inner and names[-1] in OUTPUTS else "activations"


def tensors_of(operation: str, parameters: Mapping[str, Any]) -> Tensors:
    """The tensors of a case with these parameters, in the order of their computation."""
    if operation in ("activation", "softmax", "log_softmax"):
        return Tensors(("x", "g"), ("y", "dx"))
    if operation == "dense":
        return Tensors(("x", "W", "b", "g"), ("z", "dW", "db", "dx"))
    if operation == "loss":
        return Tensors(("z", "target"), ("loss", "g"))
    if operation == "mlp":
        return _network(len(parameters["activations"]))
    moments = _moments(parameters)
    if operation == "optimizer":
        return Tensors(("params", "grads", *moments), ("params", *moments))
    return Tensors(("params", *moments, "x", "target"), ("loss", "grads", "params", *moments))


def _moments(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    if parameters["method"] != "sgd":
        return "m", "v"
    return () if parameters["momentum"] == 0 else ("v",)


def _network(depth: int) -> Tensors:
    def each(*parts: str) -> tuple[str, ...]:
        return tuple(f"{part}{k}" for k in range(depth) for part in parts)

    return Tensors(
        (*each("W", "b"), "x", "target"),
        (*each("z", "a"), "loss", "g", *each("dW", "db"), "dx"),
        each("dz", "da"),
    )
