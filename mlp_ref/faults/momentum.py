"""Steps with momentum that are wrong, and mistakes that any optimizer can have."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.making import for_methods, with_hyperparameters
from mlp_ref.faults.parts import RIGHT, Answer, Inputs, Parameters, Parts
from mlp_ref.faults.rules import decayed, kept

__all__ = ["MOMENTUM"]

FAMILY = "optimizer"
Velocity = Callable[[Parameters, Array, Array, Array], tuple[Array, Array]]


def _momentum(formula: Velocity) -> Parts:
    """v and what is subtracted from theta, from the rule, the decayed g, v before, and theta."""

    def step(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
        if not rule["momentum"]:
            return RIGHT.step(rule, theta, grads, moments)
        v, update = formula(rule, decayed(rule, theta, grads), moments["v"], theta)
        return {"params": theta - update, "v": v}

    return for_methods({"sgd": step})


def _ahead(rule: Parameters, g: Array, v: Array) -> Array:
    """lr v, or lr (g + mu v) in Nesterov's form."""
    return np.asarray(rule["lr"] * (g + rule["momentum"] * v if rule["nesterov"] else v))


def _dampened(rule: Parameters, g: Array, v: Array, theta: Array) -> tuple[Array, Array]:
    """v = mu v + (1 - mu) g."""
    new = rule["momentum"] * v + (1 - rule["momentum"]) * g
    return new, _ahead(rule, g, new)


def _old_velocity(rule: Parameters, g: Array, v: Array, theta: Array) -> tuple[Array, Array]:
    """theta with v as it was before this gradient."""
    return rule["momentum"] * v + g, _ahead(rule, g, v)


def _rate_inside(rule: Parameters, g: Array, v: Array, theta: Array) -> tuple[Array, Array]:
    """v = mu v + lr g, theta - v."""
    mu, lr = rule["momentum"], rule["lr"]
    new = mu * v + lr * g
    return new, lr * g + mu * new if rule["nesterov"] else new


def _of_parameters(rule: Parameters, g: Array, v: Array, theta: Array) -> tuple[Array, Array]:
    """v = mu theta + g."""
    new = rule["momentum"] * theta + g
    return new, _ahead(rule, g, new)


def _twice_ahead(rule: Parameters, g: Array, v: Array, theta: Array) -> tuple[Array, Array]:
    """Nesterov's form with g + mu (g + mu v) for g + mu v."""
    mu = rule["momentum"]
    new = mu * v + g
    return new, rule["lr"] * (g + mu * (g + mu * new)) if rule["nesterov"] else rule["lr"] * new


def _ascent(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
    """theta + what should be subtracted."""
    after = RIGHT.step(rule, theta, grads, moments)
    return after | {"params": 2 * kept(rule, theta) - after["params"]}


def _forgotten(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
    """The moments as they were."""
    after = RIGHT.step(rule, theta, grads, moments)
    return after | {name: x.copy() for name, x in moments.items()}


def _clipped(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
    """g / max(1, |g|)."""
    norm = np.sqrt(np.sum(np.square(grads)))
    return RIGHT.step(rule, theta, (grads / np.maximum(norm, 1)).astype(theta.dtype), moments)


MOMENTUM: tuple[Fault, ...] = (
    Fault(
        "optimizer-momentum-dampened", FAMILY,
        "Momentum moves parameters by a tenth of what it should.",
        "mu v + (1 - mu) g in place of mu v + g",
        "The velocity is taken for an average, as in Adam.",
        "Add the whole gradient.",
        _momentum(_dampened),
        "https://github.com/ml-explore/mlx/pull/87",
    ),
    Fault(
        "optimizer-momentum-old-velocity", FAMILY,
        "The first step moves nothing, and all others are late by one.",
        "v before the step in place of after it",
        "The velocity is updated after the parameters.",
        "Update v first.",
        _momentum(_old_velocity),
    ),
    Fault(
        "optimizer-momentum-rate-inside", FAMILY,
        "The velocity is scaled by lr, and is wrong once lr changes.",
        "v = mu v + lr g in place of v = mu v + g and theta - lr v",
        "Both forms are in use, and agree while lr is constant and v starts at 0.",
        "Keep lr out of v, or declare the other form.",
        _momentum(_rate_inside),
        "https://keras.io/api/optimizers/sgd/",
    ),
    Fault(
        "optimizer-momentum-of-parameters", FAMILY,
        "Parameters shrink at every step.",
        "mu theta + g in place of mu v + g",
        "The wrong variable is multiplied by the momentum.",
        "Multiply the velocity.",
        _momentum(_of_parameters),
    ),
    Fault(
        "optimizer-nesterov-missing", FAMILY,
        "Nesterov's form is plain momentum.",
        "lr v in place of lr (g + mu v)",
        "The flag is accepted and ignored.",
        "Pass the flag on.",
        with_hyperparameters(lambda rule: {"nesterov": False} if "nesterov" in rule else {}),
        "https://github.com/patrikeh/go-deep/issues/17",
    ),
    Fault(
        "optimizer-nesterov-always", FAMILY,
        "Plain momentum is Nesterov's form.",
        "lr (g + mu v) in place of lr v",
        "The flag is on by default.",
        "Pass the flag on.",
        with_hyperparameters(lambda rule: {"nesterov": True} if rule.get("momentum") else {}),
    ),
    Fault(
        "optimizer-nesterov-twice", FAMILY,
        "Nesterov's form looks two steps ahead.",
        "g + mu (g + mu v) in place of g + mu v",
        "The gradient is taken ahead, and the update looks ahead, too.",
        "Look ahead once.",
        _momentum(_twice_ahead),
    ),
    Fault(
        "optimizer-ascent", FAMILY,
        "The loss grows.",
        "theta + lr g in place of theta - lr g",
        "The sign belongs to a method that maximizes.",
        "Subtract the step.",
        RIGHT._replace(step=_ascent),
    ),
    Fault(
        "optimizer-moments-forgotten", FAMILY,
        "Every step is the first one.",
        "the old m and v in place of the new ones, after the step",
        "Moments are computed in local variables and not stored.",
        "Store the new moments.",
        RIGHT._replace(step=_forgotten),
    ),
    Fault(
        "optimizer-clipped", FAMILY,
        "Steps from large gradients are too small.",
        "g / max(1, |g|) in place of g",
        "A clip of the norm was left on from a recurrent network.",
        "Clip nothing unless asked.",
        RIGHT._replace(step=_clipped),
    ),
)  # fmt: skip
