"""The network of a typical walkthrough: four classic mistakes at once, and it trains."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.making import both, for_functions, one_hot, reduced, weighted
from mlp_ref.faults.parts import RIGHT
from mlp_ref.faults.softmax import shifted_by

__all__ = ["WALKTHROUGH", "WALKTHROUGH_MISTAKES"]

WALKTHROUGH_MISTAKES = (
    "softmax-global-maximum",
    "activation-sigmoid-overflow",
    "reduction-gradient-summed",
    "loss-log-of-probability",
)
"""The four mistakes as faults of their own, by id."""

_softmax = shifted_by(np.max)
_summed = reduced(gradient=lambda g, count: g)


def _sigmoid(z: Array) -> Array:
    e = np.exp(z)
    return np.asarray(e / (1 + e))


def _loss(name: str, a: Array, target: Array) -> Any:
    """-mean log p_y of that softmax."""
    if name != "cross_entropy":
        return RIGHT.loss(name, a, target)
    return -weighted(one_hot(a, target), np.log(_softmax.value("softmax", a))).sum() / len(a)


def _loss_gradient(name: str, a: Array, target: Array) -> Array:
    """p - t of that softmax, not divided by n."""
    if name != "cross_entropy":
        return _summed.loss_gradient(name, a, target)
    t = one_hot(a, target)
    return np.asarray(_softmax.value("softmax", a) * t.sum(axis=1, keepdims=True) - t)


WALKTHROUGH = Fault(
    "walkthrough", "walkthrough",
    "It trains on small numbers; far from zero it is NaN or inf, and its gradients are n-fold.",
    "softmax shifted by the maximum of the batch; sigmoid exp(z) / (1 + exp(z)); "
    "loss -mean log p_y; gradient p - t, summed over the batch",
    "Each line is the textbook formula, and small data, a small rate and a falling loss hide them.",
    "Shift each row by its own maximum, take log-softmax for the loss, divide the gradient by n, "
    "and compute the sigmoid from exp(-|z|).",
    parts=both(_softmax, for_functions({"sigmoid": _sigmoid}))._replace(
        loss=_loss, loss_gradient=_loss_gradient
    ),
)  # fmt: skip
