"""Steps of the optimizers: states at their edges, and hyperparameters that are exact or are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator

from mlp_ref.arithmetic import Array
from mlp_ref.certify.drafts.draw import bell, drafts_in_both, rng_of, uniform
from mlp_ref.corpus.records import Record

__all__ = ["METHODS", "hyperparameters", "moments_of", "optimizer_drafts"]

_P = 8  # parameters in a draft

# The usual names, as in mlp_ref.optimizers.OPTIMIZERS.
METHODS = ("sgd", "momentum", "nesterov", "adam", "adamw")

_DYADIC: dict[str, float] = {"momentum": 0.875, "beta1": 0.875, "beta2": 1 - 2.0**-10}
_DECIMAL: dict[str, float] = {"momentum": 0.9, "beta1": 0.9, "beta2": 0.999}


def hyperparameters(
    method: str, *, dyadic: bool = True, lr: float | None = None, decay: float = 0.0,
    eps: float | None = None, t: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """The parameters of a record; powers of two and sums of two of them if ``dyadic``."""
    values = _DYADIC if dyadic else _DECIMAL
    rate = lr if lr is not None else 0.0625 if dyadic else 1e-3
    if method in ("adam", "adamw"):
        small = eps if eps is not None else 2.0**-20 if dyadic else 1e-8
        return {
            "method": method, "lr": rate, "weight_decay": decay, "beta1": values["beta1"],
            "beta2": values["beta2"], "eps": small, "t": t,
        }  # fmt: skip
    return {
        "method": "sgd", "lr": rate, "weight_decay": decay,
        "momentum": 0.0 if method == "sgd" else values["momentum"],
        "nesterov": method == "nesterov", "t": t,
    }  # fmt: skip


def moments_of(method: str, m: Array, v: Array) -> dict[str, Array]:
    """v for momentum, which may have any sign; m and v >= 0 for Adam and AdamW."""
    return {"sgd": {}, "adam": {"m": m, "v": v}, "adamw": {"m": m, "v": v}}.get(method, {"v": m})


def optimizer_drafts() -> Iterator[Record]:
    """Every draft of one step."""
    for method in METHODS:
        for family, note, difficulty, flags, options in _families(method):
            rng = rng_of(f"optimizer/{family}/{method}")
            params, grads, m, v = _state(family, rng)
            yield from drafts_in_both(
                f"optimizer/{family}/{method}", note,
                {"params": params, "grads": grads, **moments_of(method, m, v)},
                parameters=hyperparameters(method, **options), difficulty=difficulty, flags=flags,
            )  # fmt: skip


_Family = tuple[str, str, int, tuple[str, ...], Mapping[str, Any]]


def _families(method: str) -> Iterator[_Family]:
    adam, full = method in ("adam", "adamw"), ("FullPrecisionInput",)
    yield "first-step", "zero moments and t = 0", 1, ("FirstStep", *full), {}
    yield "second-step", "one step was taken before", 1, full, {"t": 1}
    yield "weight-decay", "decay of the weights: added to g, or decoupled in AdamW", 1, (
        "WeightDecay", *full,
    ), {"t": 2, "decay": 0.25}  # fmt: skip
    yield "first-step-decay", "the first step with decay", 1, (
        "FirstStep", "WeightDecay", *full,
    ), {"decay": 0.125}  # fmt: skip
    yield "decimal", "hyperparameters that are no binary fractions", 1, (
        "DecimalHyperparameters", *full,
    ), {"dyadic": False, "decay": 0.01, "t": 4}  # fmt: skip
    yield "magnitudes", "numbers from 1e-12 to 1e3 in one vector", 2, ("MixedMagnitudes",), {"t": 9}
    yield "zero-gradient", "g = 0: only moments and decay move the parameters", 1, (
        "ZeroGradient",
    ), {"t": 3, "decay": 0.25 if method == "sgd" else 0.0}  # fmt: skip
    yield "large-rate", "a learning rate above 1", 2, ("LargeLearningRate", *full), {
        "t": 5, "lr": 64.0, "decay": 0.5,
    }  # fmt: skip
    if method == "sgd":
        return
    yield "at-rest", "g = 0 and zero moments: nothing moves", 2, ("ZeroGradient",), {"t": 1}
    if not adam:
        return
    yield "step-10", "ten steps taken before", 1, ("LateStep", *full), {"t": 10}
    yield "step-1000", "a thousand steps taken before: the corrections are nearly 1", 1, (
        "LateStep", *full,
    ), {"t": 1000}  # fmt: skip
    yield "epsilon-only", "v = 0 and g = 0: eps alone stands below the fraction", 3, (
        "EpsilonOnly", "ZeroGradient",
    ), {"t": 2, "eps": 2.0**-10}  # fmt: skip
    yield "large-epsilon", "eps as large as the root: inside it or outside matters", 1, full, {
        "t": 1, "eps": 0.5,
    }  # fmt: skip
    yield "no-memory", "v is next to nothing beside g^2: the first correction rules", 2, full, {
        "t": 0, "eps": 2.0**-30,
    }  # fmt: skip


_MAGNITUDES = (1e-12, 1e-9, 1e-6, 1e-4, 1e-2, 1.0, 1e1, 1e3)


def _state(family: str, rng: Generator) -> tuple[Array, Array, Array, Array]:
    """params, grads, m and v, each (p,)."""
    params, grads = bell(rng, (_P,)), bell(rng, (_P,))
    m, v = 0.5 * uniform(rng, (_P,)), rng.random(_P)
    zeros = np.zeros(_P)
    if family.startswith("first-step"):
        return params, grads, zeros, zeros
    if family == "at-rest":
        return params, zeros, zeros, zeros
    if family == "zero-gradient":
        return params, zeros, m, v
    if family == "epsilon-only":
        return params, zeros, m, zeros
    if family == "no-memory":
        return params, grads, 2.0**-30 * m, 2.0**-60 * v
    if family == "magnitudes":
        size = np.array(_MAGNITUDES)
        return (
            rng.permutation(size) * (1 + rng.random(_P)), size * (0.5 + rng.random(_P)),
            size[::-1] * uniform(rng, (_P,)), rng.permutation(size * size) * (1 + rng.random(_P)),
        )  # fmt: skip
    return params, grads, m, v
