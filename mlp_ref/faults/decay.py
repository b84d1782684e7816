"""Weight decays that are wrong: coupled, decoupled, of the wrong size, or at the wrong place."""

from __future__ import annotations

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.making import for_methods, with_hyperparameters
from mlp_ref.faults.parts import RIGHT, Answer, Inputs, Parameters
from mlp_ref.faults.rules import lengths_of

__all__ = ["DECAYS"]

FAMILY = "optimizer"


def _without(rule: Parameters) -> dict[str, object]:
    return {**rule, "weight_decay": 0.0}


def _as(method: str) -> dict[str, str]:
    return {"method": method}


def _sign(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
    """g - weight_decay theta; decoupled: (1 + lr weight_decay) theta."""
    decay = rule["weight_decay"]
    if rule["method"] != "adamw":
        return RIGHT.step(_without(rule), theta, grads - decay * theta, moments)
    return RIGHT.step(_without(rule), theta * (1 + rule["lr"] * decay), grads, moments)


def _after_momentum(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
    """v = mu v + g without decay; theta - lr (v + weight_decay theta)."""
    after = RIGHT.step(_without(rule), theta, grads, moments)
    return after | {"params": after["params"] - rule["lr"] * rule["weight_decay"] * theta}


def _without_rate(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
    """(1 - weight_decay) theta."""
    return RIGHT.step(_without(rule), theta * (1 - rule["weight_decay"]), grads, moments)


def _after_step(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
    """(1 - lr weight_decay) (theta - step)."""
    after = RIGHT.step(_without(rule), theta, grads, moments)
    return after | {"params": after["params"] * (1 - rule["lr"] * rule["weight_decay"])}


def _weights_only(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
    """Decay for W0, W1, ..., and none for b0, b1, ..."""
    lengths = lengths_of(rule, theta)
    weight = np.repeat(np.arange(len(lengths)) % 2 == 0, lengths)
    with_decay = RIGHT.step(rule, theta, grads, moments)
    without = RIGHT.step(_without(rule), theta, grads, moments)
    return {name: np.where(weight, x, without[name]) for name, x in with_decay.items()}


DECAYS: tuple[Fault, ...] = (
    Fault(
        "optimizer-adamw-coupled", FAMILY,
        "AdamW divides its decay by the root of v.",
        "g + weight_decay theta in place of (1 - lr weight_decay) theta",
        "The decay is added to the gradient, where Adam scales it away.",
        "Shrink the parameters before the step.",
        with_hyperparameters(lambda rule: _as("adam") if rule["method"] == "adamw" else {}),
        "https://github.com/anhquan0412/basic_model_scratch/issues/2",
    ),
    Fault(
        "optimizer-adam-decoupled", FAMILY,
        "Adam's decay does not pass through its moments.",
        "(1 - lr weight_decay) theta in place of g + weight_decay theta",
        "AdamW is what most people mean, and Adam is what they name.",
        "Add the decay to the gradient, or name the method AdamW.",
        with_hyperparameters(lambda rule: _as("adamw") if rule["method"] == "adam" else {}),
    ),
    Fault(
        "optimizer-decay-missing", FAMILY,
        "Weight decay has no effect.",
        "0 in place of weight_decay",
        "The option is accepted and ignored.",
        "Pass it on.",
        with_hyperparameters(lambda rule: {"weight_decay": 0.0}),
        "https://github.com/PaddlePaddle/Paddle/issues/5836",
    ),
    Fault(
        "optimizer-decay-doubled", FAMILY,
        "Weight decay is twice as strong.",
        "2 weight_decay in place of weight_decay",
        "The penalty is weight_decay |theta|^2, without the 1/2 that its name implies.",
        "Differentiate weight_decay / 2 |theta|^2.",
        with_hyperparameters(lambda rule: {"weight_decay": 2 * rule["weight_decay"]}),
    ),
    Fault(
        "optimizer-decay-sign", FAMILY,
        "Parameters grow.",
        "g - weight_decay theta in place of g + weight_decay theta",
        "The decay has the sign of the step, and is subtracted twice.",
        "Add the decay to the gradient.",
        RIGHT._replace(step=_sign),
    ),
    Fault(
        "optimizer-decay-after-momentum", FAMILY,
        "The velocity lacks the decay.",
        "theta - lr (v + weight_decay theta) in place of a decay inside v",
        "The decay is added where the step is taken; that is decoupled decay.",
        "Add the decay to g before v is updated.",
        for_methods({"sgd": _after_momentum}),
    ),
    Fault(
        "optimizer-decay-without-rate", FAMILY,
        "AdamW shrinks parameters far too much.",
        "(1 - weight_decay) theta in place of (1 - lr weight_decay) theta",
        "The paper scales the decay by a schedule only; libraries scale it by lr.",
        "Multiply the decay by lr.",
        for_methods({"adamw": _without_rate}),
        "https://github.com/NVIDIA/apex/issues/1849",
    ),
    Fault(
        "optimizer-decay-after-step", FAMILY,
        "AdamW shrinks its own step, too.",
        "(1 - lr weight_decay) (theta - step) in place of (1 - lr weight_decay) theta - step",
        "The decay comes after the step.",
        "Shrink the parameters before the step.",
        for_methods({"adamw": _after_step}),
        "https://github.com/aiqm/torchani/pull/261",
    ),
    Fault(
        "optimizer-decay-spares-biases", FAMILY,
        "Biases do not decay.",
        "weight_decay for weights only in place of all parameters",
        "A usual habit, done silently: whoever compares has to know it.",
        "Let the caller choose which parameters decay.",
        RIGHT._replace(step=_weights_only),
    ),
)  # fmt: skip
