"""Faults of the cross-entropy from logits: L = -sum_k t_k log p_k / n, g = (p - t) / n."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.making import (
    Based,
    for_losses,
    one_hot,
    terms_of,
    weighted,
    with_targets,
)
from mlp_ref.faults.parts import RIGHT, Parts
from mlp_ref.softmax import LOG_SOFTMAX, SOFTMAX

__all__ = ["CROSS_ENTROPY_FAULTS", "eps_gradient", "log_of_softmax", "of_probabilities", "smoothed"]

NAME = "cross_entropy"
_EPS = 1e-8


def _cross_entropy(
    value: Callable[[Array, Array], Any] | None = None,
    gradient: Callable[[Array, Array], Array] | None = None,
) -> Parts:
    """A loss and a gradient of logits z and rows t, each of which may stay right."""
    values = {} if value is None else {NAME: lambda z, y: value(z, one_hot(z, y))}
    grads = {} if gradient is None else {NAME: lambda z, y: gradient(z, one_hot(z, y))}
    return for_losses(values, grads)


def of_probabilities(
    logarithm: Callable[[Array], Array],
    gradient: Callable[[Array, Array], Array] | None = None,
) -> Parts:
    """-sum_k t_k ``logarithm``(p_k) / n."""

    def on(base: Parts) -> Callable[[Array, Array], Any]:
        def loss(z: Array, y: Array) -> Any:
            return -weighted(one_hot(z, y), logarithm(base.value("softmax", z))).sum() / len(z)

        return loss

    right = _cross_entropy(gradient=gradient)
    return right._replace(loss=for_losses({NAME: Based(on)}).loss)


log_of_softmax = of_probabilities(np.log)


def _clip(p: Array) -> Array:
    return np.clip(p, 1e-7, 1 - 1e-7)


def _clipped_gradient(z: Array, t: Array) -> Array:
    """The gradient of clip(p): 0 through every p that was cut."""
    p = SOFTMAX.value(z)
    da = np.where(_clip(p) == p, -t / _clip(p), p.dtype.type(0))
    return SOFTMAX.vjp(da, z, p) / len(z)


def eps_gradient(eps: float) -> Callable[[Array, Array], Array]:
    """The gradient of -sum_k t_k log(p_k + eps), right for that loss."""

    def gradient(z: Array, t: Array) -> Array:
        p = SOFTMAX.value(z)
        return np.asarray(SOFTMAX.vjp(-t / (p + p.dtype.type(eps)), z, p) / len(z))

    return gradient


def _twice(z: Array, t: Array) -> Any:
    return RIGHT.loss(NAME, SOFTMAX.value(z), t)


def _twice_gradient(z: Array, t: Array) -> Array:
    """Back through both of the softmaxes."""
    p = SOFTMAX.value(z)
    return SOFTMAX.vjp(RIGHT.loss_gradient(NAME, p, t), z, p)


def _likelihood_gradient(z: Array, t: Array) -> Array:
    """The gradient of -sum_k t_k p_k / n."""
    return SOFTMAX.vjp(-t, z, SOFTMAX.value(z)) / len(z)


def smoothed(s: float, *, gradient: bool) -> Parts:
    """(1 - s) t + s / C in place of t, in the gradient or in the value alone."""

    def change(name: str, z: Array, target: Array) -> Array:
        return one_hot(z, target) * (1 - s) + s / z.shape[1] if name == NAME else target

    parts = with_targets(change)
    if gradient:
        return RIGHT._replace(loss_gradient=parts.loss_gradient)
    return RIGHT._replace(loss=parts.loss)


def _largest_class(name: str, z: Array, target: Array) -> Array:
    """The class of the largest target probability, as a label."""
    return target.argmax(axis=1) if name == NAME and target.ndim == 2 else target


def _without_nan(z: Array, y: Array) -> Any:
    return np.nanmean(terms_of(NAME, z, y)[0])


CROSS_ENTROPY_FAULTS = (
    Fault(
        "loss-log-of-probability", "loss", "The loss is inf where a wrong class holds everything.",
        "L = -mean log(softmax(z)_y)",
        "p underflows to 0; moderate logits, as of a fresh network, never show it.",
        "Take log_softmax(z) directly, as z_y - m - log(sum exp(z - m)).",
        parts=log_of_softmax, seen="https://github.com/apache/mxnet/pull/4594",
    ),
    Fault(
        "loss-log-plus-eps", "loss", "The loss never exceeds 18.4, and may be negative.",
        "L = -mean log(p_y + 1e-8), and the gradient of that",
        "The eps hides log(0), and switches the gradient off where the network is most wrong.",
        "Take log_softmax(z) directly.",
        parts=of_probabilities(lambda p: np.log(p + p.dtype.type(_EPS)), eps_gradient(_EPS)),
        seen="https://github.com/apache/mxnet/pull/4594",
    ),
    Fault(
        "loss-clipped-probability", "loss", "The loss never exceeds 16.1.",
        "L = -mean log(clip(p_y, 1e-7, 1 - 1e-7)), with the gradient p - t",
        "The loss is clipped, its gradient is not, so that the two do not belong together.",
        "Take log_softmax(z) directly.",
        parts=of_probabilities(lambda p: np.log(_clip(p))),
        seen="https://github.com/deeplearning4j/nd4j/pull/2121",
    ),
    Fault(
        "loss-clipped-gradient", "loss", "No gradient where the network is confident and wrong.",
        "g = 0 through p outside of [1e-7, 1 - 1e-7]",
        "Automatic differentiation of clip is 0 outside: hopeless samples stop learning.",
        "Take log_softmax(z) directly: g = (p - t) / n.",
        parts=_cross_entropy(gradient=_clipped_gradient),
    ),
    Fault(
        "loss-smoothing-in-gradient", "loss", "The gradient belongs to smoothed targets.",
        "g of 0.9 t + 0.1 / C, L of t",
        "Smoothing added in the backward pass only, so that the reported loss stays comparable.",
        "Smooth the targets before both.",
        parts=smoothed(0.1, gradient=True),
    ),
    Fault(
        "loss-smoothing-in-value", "loss", "The loss does not fall to 0, the gradient does.",
        "L of 0.9 t + 0.1 / C, g of t",
        "Smoothing added to the loss only, where the gradient is written by hand.",
        "Smooth the targets before both.",
        parts=smoothed(0.1, gradient=False),
    ),
    Fault(
        "loss-softmax-twice", "loss", "The loss never falls below 0.31.",
        "L and g of softmax(softmax(z))",
        "The network ends with a softmax, and the loss takes logits: it trains, but slowly.",
        "Pass logits to the loss.",
        parts=_cross_entropy(_twice, _twice_gradient),
        seen="https://github.com/Lightning-Universe/lightning-bolts/issues/654",
    ),
    Fault(
        "loss-likelihood", "loss", "The loss is negative.",
        "L = -mean p_y, without the logarithm",
        "A negative log-likelihood that expects log p is given p.",
        "Pass log_softmax(z).",
        parts=of_probabilities(lambda p: p, _likelihood_gradient),
    ),
    Fault(
        "loss-base-two", "loss", "The loss is 1.4427 times the reference.",
        "L = -mean log2 p_y, with the gradient of the natural logarithm",
        "Bits in place of nats, in the value only.",
        "np.log",
        parts=_cross_entropy(lambda z, t: RIGHT.loss(NAME, z, t) / np.log(z.dtype.type(2))),
    ),
    Fault(
        "loss-zero-times-infinity", "loss", "The loss is NaN where a masked class has target 0.",
        "L = -sum t log p / n, with 0 times -inf",
        "0 * -inf is NaN; finite logits never show it.",
        "np.where(t != 0, t * log_p, 0)",
        parts=_cross_entropy(lambda z, t: -(t * LOG_SOFTMAX.value(z)).sum() / len(z)),
        seen="https://github.com/google-deepmind/optax/issues/896",
    ),
    Fault(
        "loss-nan-swallowed", "loss", "The loss is finite although a logit is NaN.",
        "L = nanmean of the terms",
        "Samples that are NaN leave the mean in silence.",
        "np.mean",
        parts=for_losses({NAME: _without_nan}),
    ),
    Fault(
        "loss-largest-class", "loss", "Soft targets act as the label of their largest entry.",
        "L and g of argmax t",
        "Labels are made of one-hot rows by argmax, which soft targets do not survive.",
        "Use the probabilities as they are.",
        parts=with_targets(_largest_class),
    ),
    Fault(
        "loss-gradient-sign", "loss", "Every gradient has the opposite sign.",
        "g = (t - p) / n",
        "Written for theta + rate * gradient, and used with theta - rate * gradient.",
        "(p - t) / n",
        parts=_cross_entropy(gradient=lambda z, t: -RIGHT.loss_gradient(NAME, z, t)),
    ),
    Fault(
        "loss-gradient-at-label", "loss", "Only the column of the label has a gradient.",
        "g_k = (p_k - t_k) / n where t_k > 0, else 0",
        "p[rows, y] - 1 is assigned to a matrix of zeros, not subtracted from p.",
        "g = p.copy(); g[rows, y] -= 1; g /= n",
        parts=_cross_entropy(
            gradient=lambda z, t: np.where(t > 0, RIGHT.loss_gradient(NAME, z, t), z.dtype.type(0))
        ),
    ),
    Fault(
        "loss-gradient-without-target", "loss", "The gradient is positive everywhere.",
        "g = p / n",
        "The target is forgotten, or its subtraction works on a copy.",
        "(p - t) / n",
        parts=_cross_entropy(gradient=lambda z, t: SOFTMAX.value(z) / len(z)),
    ),
    Fault(
        "loss-gradient-of-square", "loss", "The gradient is the one of (p - t)^2.",
        "g = 2 p (p - t - sum p (p - t)) / n",
        "Squared error of probabilities in the backward pass, cross-entropy in the report.",
        "(p - t) / n",
        parts=_cross_entropy(
            gradient=lambda z, t: SOFTMAX.vjp(2 * (SOFTMAX.value(z) - t), z, SOFTMAX.value(z))
            / len(z)
        ),
    ),
)  # fmt: skip
