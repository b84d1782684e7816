"""The two sets of inputs: the certified corpus, and standard normal numbers of ordinary shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import ARITHMETICS, Array
from mlp_ref.corpus.records import Record
from mlp_ref.gate.cases import Case, build_cases

__all__ = ["SETS", "TITLES", "cases_of"]

SETS = ("corpus", "normal")
TITLES = {"corpus": "our inputs", "normal": "N(0,1) inputs"}
SEEDS = range(3)  # draws of every question
ROWS, SIZES = 8, (6, 5, 4)

_LOSSES = ("cross_entropy", "cross_entropy soft", "binary_cross_entropy", "squared_error")
_USUAL: Mapping[str, Mapping[str, Any]] = {
    "sgd": {"method": "sgd", "lr": 0.1, "momentum": 0.0, "nesterov": False},
    "momentum": {"method": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": False},
    "nesterov": {"method": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True},
    "adam": {"method": "adam", "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    "adamw": {"method": "adamw", "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
}  # the defaults of the libraries, with the rate that goes with them


def cases_of(name: str, arithmetic: str) -> list[Case]:
    """The cases of a set with valid inputs, always in one order."""
    A = ARITHMETICS[arithmetic]
    if name == "corpus":
        return [case for case in build_cases([A]) if not case.rejects]
    return [
        Case(f"normal/{k}/{seed}", _record(f"normal/{k}/{seed}", question, arithmetic), A)
        for k, draw in enumerate(_QUESTIONS)
        for seed in SEEDS
        for question in (draw(np.random.default_rng([k, seed])),)
    ]


def _record(name: str, question: Any, arithmetic: str) -> Record:
    operation, parameters, inputs = question
    own = {k: x.astype(arithmetic) if x.dtype.kind == "f" else x for k, x in inputs.items()}
    return Record(name, operation, arithmetic, "standard normal", 1, (), parameters, own)


def _target(rng: np.random.Generator, loss: str) -> Array:
    """What goes with a loss: labels, rows of probabilities, zeros and ones, or normal numbers."""
    if loss == "cross_entropy":
        return np.asarray(rng.integers(SIZES[-1], size=ROWS))
    normal = rng.standard_normal((ROWS, SIZES[-1]))
    if loss == "binary_cross_entropy":
        return (normal > 0).astype(np.float64)
    return _shares(np.square(normal)) if "soft" in loss else np.asarray(normal)


def _shares(weights: Array) -> Array:
    """Rows of multiples of 2^-16 that sum to 1 in any dtype."""
    shares = np.floor(weights / weights.sum(axis=1, keepdims=True) * 2**16) / 2**16
    shares[:, 0] += 1 - shares.sum(axis=1)
    return shares


def _function(operation: str, parameters: Mapping[str, Any]) -> Any:
    return lambda rng: (
        operation,
        parameters,
        {name: rng.standard_normal((ROWS, SIZES[-1])) for name in "xg"},
    )


def _dense(rng: np.random.Generator) -> Any:
    shapes = {"x": (ROWS, 6), "W": (6, 4), "b": (4,), "g": (ROWS, 4)}
    return "dense", {}, {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def _loss(loss: str) -> Any:
    return lambda rng: (
        "loss",
        {"loss": loss.partition(" ")[0]},
        {"z": rng.standard_normal((ROWS, SIZES[-1])), "target": _target(rng, loss)},
    )


def _layers(rng: np.random.Generator) -> dict[str, Array]:
    """Normal biases, and weights whose products are normal, too."""
    out = {}
    for k, (n, m) in enumerate(pairwise(SIZES)):
        out[f"W{k}"] = rng.standard_normal((n, m)) / np.sqrt(n)
        out[f"b{k}"] = rng.standard_normal(m)
    return out


def _network(f: str, loss: str) -> Any:
    return lambda rng: (
        "mlp",
        {"activations": [f, "identity"], "loss": loss.partition(" ")[0]},
        {**_layers(rng), "x": rng.standard_normal((ROWS, SIZES[0])), "target": _target(rng, loss)},
    )


def _moments(rng: np.random.Generator, rule: Mapping[str, Any], size: int) -> dict[str, Array]:
    """Zeros before the first step, else normal numbers, and their squares for Adam's v."""
    names = "mv" if rule["method"].startswith("adam") else "v" if rule["momentum"] else ""
    normal = {name: rng.standard_normal(size) * (rule["t"] > 0) for name in names}
    if "m" in normal:
        normal["v"] = np.square(normal["v"])
    return normal


def _optimizer(method: str, decay: float, t: int) -> Any:
    rule = {**_USUAL[method], "weight_decay": decay, "t": t}
    return lambda rng: (
        "optimizer",
        rule,
        {
            "params": rng.standard_normal(20),
            "grads": rng.standard_normal(20),
            **_moments(rng, rule, 20),
        },
    )


def _train_step(method: str, f: str, loss: str) -> Any:
    network = {"sizes": list(SIZES), "activations": [f, "identity"], "loss": loss.partition(" ")[0]}
    rule = {**_USUAL[method], "weight_decay": 0.01, "t": 4}

    def draw(rng: np.random.Generator) -> Any:
        params = np.concatenate([x.ravel() for x in _layers(rng).values()])
        inputs = {"x": rng.standard_normal((ROWS, SIZES[0])), "target": _target(rng, loss)}
        state = {"params": params, **_moments(rng, rule, len(params))}
        return "train_step", {**network, **rule}, {**state, **inputs}

    return draw


def _questions() -> Iterator[Any]:
    """Every function, loss, network of one hidden layer and method, in its usual form."""
    yield from (_function("activation", {"function": f}) for f in ACTIVATIONS)
    yield from (_function(name, {}) for name in ("softmax", "log_softmax"))
    yield _dense
    yield from map(_loss, _LOSSES)
    yield from (_network(f, loss) for f in ACTIVATIONS for loss in _LOSSES)
    yield from (_optimizer(m, d, t) for m in _USUAL for d in (0.0, 0.01) for t in (0, 4))
    for k, method in enumerate(_USUAL):
        yield _train_step(method, list(ACTIVATIONS)[k + 1], _LOSSES[k % len(_LOSSES)])


_QUESTIONS = tuple(_questions())
