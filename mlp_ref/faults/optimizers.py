"""Steps of Adam that are wrong. `MOMENTUM` has those of SGD, and `DECAYS` wrong weight decays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.making import for_methods, with_hyperparameters
from mlp_ref.faults.parts import RIGHT, Answer, Inputs, Parameters, Parts
from mlp_ref.faults.rules import Adam, adam_step, decayed, kept, lengths_of

__all__ = ["OPTIMIZERS"]

FAMILY = "optimizer"


def _moment_step(moved: Callable[[Parameters, Array, Inputs], Answer]) -> Parts:
    """Moments ``moved`` by the decayed gradient, and the right formula for theta."""

    def step(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
        after = moved(rule, decayed(rule, theta, grads), moments)
        q = Adam(rule, after)
        update = q.rate / q.c1 * q.m / (np.sqrt(q.v / q.c2) + q.eps)
        return {"params": kept(rule, theta) - update} | after

    return for_methods({"adam": step, "adamw": step})


def _without_weights(rule: Parameters, g: Array, moments: Inputs) -> Answer:
    """m = b1 m + g, v = b2 v + g^2."""
    return {"m": rule["beta1"] * moments["m"] + g, "v": rule["beta2"] * moments["v"] + g * g}


def _not_squared(rule: Parameters, g: Array, moments: Inputs) -> Answer:
    """v = b2 v + (1 - b2) |g|."""
    b1, b2 = rule["beta1"], rule["beta2"]
    return {
        "m": b1 * moments["m"] + (1 - b1) * g, "v": b2 * moments["v"] + (1 - b2) * np.abs(g)
    }  # fmt: skip


def _around_mean(rule: Parameters, g: Array, moments: Inputs) -> Answer:
    """v = b2 v + (1 - b2) (g - m)^2."""
    b1, b2 = rule["beta1"], rule["beta2"]
    m = b1 * moments["m"] + (1 - b1) * g
    return {"m": m, "v": b2 * moments["v"] + (1 - b2) * np.square(g - m)}


def _largest(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
    """AMSGrad: the root of the larger of v before and after."""
    after = RIGHT.step(rule, theta, grads, moments)
    q = Adam(rule, after)
    root = np.sqrt(np.maximum(moments["v"], q.v) / q.c2) + q.eps
    return after | {"params": kept(rule, theta) - q.rate / q.c1 * q.m / root}


def _old_moment(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
    """theta with m as it was before this gradient."""
    after = RIGHT.step(rule, theta, grads, moments)
    q = Adam(rule, after)
    update = q.rate / q.c1 * moments["m"] / (np.sqrt(q.v / q.c2) + q.eps)
    return after | {"params": kept(rule, theta) - update}


def _tensor_by_tensor(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
    """t + 1 at the first tensor, t + 2 at the second, ..."""
    steps = [
        RIGHT.step({**rule, "t": rule["t"] + k}, theta, grads, moments)
        for k in range(len(lengths_of(rule, theta)))
    ]
    which = np.repeat(np.arange(len(steps)), lengths_of(rule, theta))
    params = np.choose(which, [after["params"] for after in steps])
    return steps[0] | {"params": params.astype(theta.dtype)}


OPTIMIZERS: tuple[Fault, ...] = (
    Fault(
        "optimizer-adam-no-correction", FAMILY,
        "Adam's first steps are far too small or too large.",
        "m / (sqrt(v) + eps) in place of m^ / (sqrt(v^) + eps)",
        "The bias corrections of m and v are left out; after a thousand steps it hardly shows.",
        "Divide m by 1 - b1^t, and v by 1 - b2^t.",
        adam_step(lambda q: q.rate * q.m / (np.sqrt(q.v) + q.eps)),
        "https://github.com/ml-explore/mlx/pull/1640",
    ),
    Fault(
        "optimizer-adam-no-correction-of-v", FAMILY,
        "Adam's first steps are up to 30 times too large.",
        "sqrt(v) in place of sqrt(v / (1 - b2^t))",
        "One of the two corrections is left out.",
        "Divide v by 1 - b2^t.",
        adam_step(lambda q: q.rate / q.c1 * q.m / (np.sqrt(q.v) + q.eps)),
    ),
    Fault(
        "optimizer-adam-correction-without-root", FAMILY,
        "Adam's first steps are too small by sqrt(1 - b2^t).",
        "lr (1 - b2^t) / (1 - b1^t) in place of lr sqrt(1 - b2^t) / (1 - b1^t)",
        "Both corrections are folded into the rate, and the root is forgotten.",
        "Take the square root of 1 - b2^t.",
        adam_step(lambda q: q.rate * q.c2 / q.c1 * q.m / (np.sqrt(q.v) + q.eps * q.c2**0.5)),
    ),
    Fault(
        "optimizer-adam-t-late", FAMILY,
        "The second and all later steps of Adam are those of one step earlier.",
        "1 - b^(t-1) in place of 1 - b^t, from the second step on",
        "t is counted from 0, or advanced after the step.",
        "Advance t before it is used.",
        with_hyperparameters(lambda rule: {"t": max(rule["t"] - 1, 0)}),
    ),
    Fault(
        "optimizer-adam-t-early", FAMILY,
        "The first step of Adam is not lr sign(g).",
        "1 - b^(t+1) in place of 1 - b^t",
        "t is advanced twice, by the loop and by the optimizer.",
        "Advance t once per step.",
        with_hyperparameters(lambda rule: {"t": rule["t"] + 1}),
    ),
    Fault(
        "optimizer-adam-t-per-tensor", FAMILY,
        "The first tensor is right, and each further one is a step ahead.",
        "t + k for the k-th tensor in place of t",
        "t is advanced in the loop over the parameters.",
        "Advance t once per step, outside of the loop.",
        for_methods({"adam": _tensor_by_tensor, "adamw": _tensor_by_tensor}),
    ),
    Fault(
        "optimizer-adam-eps-inside", FAMILY,
        "Small gradients move parameters too little.",
        "sqrt(v^ + eps) in place of sqrt(v^) + eps",
        "The root protects itself from 0 in other methods; with eps 1e-8 it acts like 1e-4.",
        "Add eps after the root.",
        adam_step(lambda q: q.rate / q.c1 * q.m / np.sqrt(q.v / q.c2 + q.eps)),
    ),
    Fault(
        "optimizer-adam-eps-before-correction", FAMILY,
        "Early steps with small gradients are too small: eps is up to 30 times too large.",
        "(sqrt(v) + eps) / sqrt(1 - b2^t) in place of sqrt(v / (1 - b2^t)) + eps",
        "The corrections are folded into the rate, as the paper suggests, with another eps.",
        "Add eps after the correction.",
        adam_step(lambda q: q.rate / q.c1 * q.m / ((np.sqrt(q.v) + q.eps) / q.c2**0.5)),
        "https://github.com/tensorflow/tensorflow/issues/9047",
    ),
    Fault(
        "optimizer-adam-eps-default", FAMILY,
        "Adam ignores its eps.",
        "eps = 1e-7 in place of the one that was set",
        "The defaults of libraries are 1e-7 and 1e-8, and a keyword is not passed on.",
        "Pass eps on.",
        with_hyperparameters(lambda rule: {"eps": 1e-7} if "eps" in rule else {}),
    ),
    Fault(
        "optimizer-adam-no-root", FAMILY,
        "Adam's steps grow without bound where gradients are small.",
        "m^ / (v^ + eps) in place of m^ / (sqrt(v^) + eps)",
        "The root is forgotten.",
        "Take the square root of v.",
        adam_step(lambda q: q.rate / q.c1 * q.m / (q.v / q.c2 + q.eps)),
    ),
    Fault(
        "optimizer-adam-betas-swapped", FAMILY,
        "m is slow and v is quick.",
        "b2 for m and b1 for v in place of b1 and b2",
        "Two numbers near 1 are passed by position.",
        "Pass betas by name.",
        with_hyperparameters(
            lambda rule: {"beta1": rule["beta2"], "beta2": rule["beta1"]} if "beta1" in rule else {}
        ),
    ),
    Fault(
        "optimizer-adam-sums", FAMILY,
        "Both moments are sums: m is 10 and v 1000 times too large.",
        "b1 m + g and b2 v + g^2 in place of averages",
        "The form of momentum is carried over to Adam.",
        "Weight the new term by 1 - beta.",
        _moment_step(_without_weights),
    ),
    Fault(
        "optimizer-adam-not-squared", FAMILY,
        "Adam's steps depend on the scale of the loss.",
        "b2 v + (1 - b2) |g| in place of g^2",
        "The square is forgotten.",
        "Square the gradient.",
        _moment_step(_not_squared),
    ),
    Fault(
        "optimizer-adam-variance", FAMILY,
        "Adam's steps explode where gradients hardly change.",
        "(g - m)^2 in place of g^2",
        "The second moment is taken for a variance; that is another method, AdaBelief.",
        "Square the gradient itself.",
        _moment_step(_around_mean),
    ),
    Fault(
        "optimizer-adam-amsgrad", FAMILY,
        "Adam's steps are too small once gradients have become smaller.",
        "max(v before, v) in place of v",
        "An option is on that should be off.",
        "Set amsgrad=False.",
        for_methods({"adam": _largest, "adamw": _largest}),
    ),
    Fault(
        "optimizer-adam-old-moment", FAMILY,
        "The first step of Adam moves nothing.",
        "m before the step in place of after it",
        "Moments are updated after the parameters.",
        "Update m and v first.",
        for_methods({"adam": _old_moment, "adamw": _old_moment}),
    ),
)  # fmt: skip
