"""Faults of the losses of real targets: binary cross-entropy from logits, and squared error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlp_ref.activations import SIGMOID
from mlp_ref.arithmetic import Array
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.making import for_losses, with_targets
from mlp_ref.faults.parts import RIGHT, Parts

__all__ = ["REAL_LOSS_FAULTS", "clipped_logits", "of_binary_probabilities"]

_BINARY, _SQUARED = "binary_cross_entropy", "squared_error"


def _binary(
    terms: Callable[[Array, Array], Array] | None = None,
    slope: Callable[[Array, Array], Array] | None = None,
) -> Parts:
    """Terms l(z, t), whose mean is the loss, and their slopes, over the number of entries."""
    return _mean_of(_BINARY, terms, slope)


def _squared(
    terms: Callable[[Array, Array], Array] | None = None,
    slope: Callable[[Array, Array], Array] | None = None,
) -> Parts:
    return _mean_of(_SQUARED, terms, slope)


def _mean_of(name: str, terms: Any, slope: Any) -> Parts:
    values = {} if terms is None else {name: lambda z, t: terms(z, t).sum() / z.size}
    grads = {} if slope is None else {name: lambda z, t: slope(z, t) / z.size}
    return for_losses(values, grads)


def _of_probabilities(logarithm: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    """-(t log p + (1 - t) log(1 - p))."""

    def terms(z: Array, t: Array) -> Array:
        p = SIGMOID.value(z)
        return np.asarray(-(t * logarithm(p) + (1 - t) * logarithm(1 - p)))

    return terms


def of_binary_probabilities(logarithm: Callable[[Array], Array]) -> Parts:
    """The mean of -(t log p + (1 - t) log(1 - p)); the gradient stays right."""
    return _binary(_of_probabilities(logarithm))


def clipped_logits(c: float) -> Parts:
    """L and g of clip(z, -c, c)."""
    return for_losses(
        {_BINARY: lambda z, t: RIGHT.loss(_BINARY, np.clip(z, -c, c), t)},
        {_BINARY: lambda z, t: RIGHT.loss_gradient(_BINARY, np.clip(z, -c, c), t)},
    )


def _wrong_maximum(z: Array, t: Array) -> Array:
    """m = max(z, 0) for max(-z, 0) in z - z t + m + log(exp(-m) + exp(-z - m))."""
    m = np.maximum(z, 0)
    return np.asarray(z - z * t + m + np.log(np.exp(-m) + np.exp(-z - m)))


def _logistic_terms(z: Array, t: Array) -> Array:
    """max(z, 0) - z t + log(1 + exp(-|z|))."""
    return np.asarray(np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z))))


def _slope_of_abs(z: Array, t: Array) -> Array:
    """[z > 0] - t - sign(z) sigmoid(-|z|): at 0 the slopes of max and of |z| do not cancel."""
    zero = z.dtype.type(0)
    return np.where(z == 0, zero - t, RIGHT.loss_gradient(_BINARY, z, t) * z.size)


def _rounded(name: str, z: Array, t: Array) -> Array:
    return (t > 0.5).astype(t.dtype) if name == _BINARY else t


def _broadcast(z: Array, t: Array) -> Array:
    """All differences z_i - t_j, (n, n), of outputs (n, 1) and targets (n,)."""
    return z - t[:, 0] if z.shape[1] == 1 else z - t


def _broadcast_value(z: Array, t: Array) -> Any:
    return np.mean(_broadcast(z, t) ** 2)


def _broadcast_gradient(z: Array, t: Array) -> Array:
    gap = _broadcast(z, t)
    return 2 * gap.sum(axis=1, keepdims=True) / gap.size if z.shape[1] == 1 else 2 * gap / z.size


def _gap(z: Array, t: Array) -> Array:
    return 2 * (z - t)


REAL_LOSS_FAULTS = (
    Fault(
        "loss-binary-of-probability", "loss", "The loss is inf or NaN for logits of several tens.",
        "L = -mean(t log p + (1 - t) log(1 - p)), p = sigmoid(z)",
        "1 - p is 0 from z = 37 on, long before the loss is large.",
        "max(z, 0) - z t + log1p(exp(-|z|))",
        parts=of_binary_probabilities(np.log),
        seen="https://github.com/pytorch/pytorch/issues/751",
    ),
    Fault(
        "loss-binary-log-plus-eps", "loss", "No term of the loss exceeds 27.6.",
        "L = -mean(t log(p + 1e-12) + (1 - t) log(1 - p + 1e-12))",
        "The eps hides log(0) and caps the loss.",
        "max(z, 0) - z t + log1p(exp(-|z|))",
        parts=of_binary_probabilities(lambda p: np.log(p + 1e-12)),
        seen="https://github.com/pytorch/pytorch/issues/4867",
    ),
    Fault(
        "loss-binary-log-capped", "loss", "No term of the loss exceeds 100.",
        "L = -mean(t max(log p, -100) + (1 - t) max(log(1 - p), -100))",
        "The loss of probabilities stays finite, and is wrong from z = 37 on.",
        "Compute it from logits.",
        parts=of_binary_probabilities(lambda p: np.maximum(np.log(p), -100)),
        seen="https://github.com/pytorch/pytorch/issues/103316",
    ),
    Fault(
        "loss-binary-clipped-logits", "loss", "The loss stops at 15, and g at sigmoid(15).",
        "L and g of clip(z, -15, 15)",
        "Clipping is meant against an overflow that the stable form does not have.",
        "max(z, 0) - z t + log1p(exp(-|z|))",
        parts=clipped_logits(15),
        seen="https://github.com/pytorch/pytorch/pull/163975",
    ),
    Fault(
        "loss-binary-maximum-sign", "loss", "The loss is inf for z far below 0.",
        "L = z - z t + m + log(exp(-m) + exp(-z - m)) with m = max(z, 0) for max(-z, 0)",
        "One sign is lost; both forms agree for moderate z, as m cancels.",
        "m = np.maximum(-z, 0)",
        parts=_binary(_wrong_maximum), seen="https://github.com/pytorch/pytorch/pull/2221",
    ),
    Fault(
        "loss-binary-slope-of-abs", "loss", "The gradient at z = 0 is -t in place of 1/2 - t.",
        "g = [z > 0] - t - sign(z) sigmoid(-|z|)",
        "The derivatives of max(z, 0) and |z| at 0 are both taken as 0, term by term.",
        "g = (sigmoid(z) - t) / size",
        parts=_binary(slope=_slope_of_abs), seen="https://github.com/pytorch/pytorch/pull/1792",
    ),
    Fault(
        "loss-binary-one-term", "loss", "Targets of 0 cost nothing.",
        "L = -mean t log p, without (1 - t) log(1 - p)",
        "The formula of several classes, used for one output.",
        "Add the term of the other class.",
        parts=_binary(
            lambda z, t: t * _logistic_terms(z, np.ones_like(t)),
            lambda z, t: t * -SIGMOID.value(-z),
        ),
    ),
    Fault(
        "loss-binary-target-forgotten", "loss", "The loss does not depend on the target.",
        "L = mean(max(z, 0) - z + log1p(exp(-|z|))), without t",
        "z t is written as z.",
        "max(z, 0) - z t + log1p(exp(-|z|))",
        parts=_binary(lambda z, t: _logistic_terms(z, np.ones_like(t))),
    ),
    Fault(
        "loss-binary-slope-twice", "loss", "The gradient vanishes for saturated outputs.",
        "g = (p - t) p (1 - p) / size",
        "p - t already holds the derivative of the sigmoid, which is applied once more.",
        "g = (p - t) / size",
        parts=_binary(
            slope=lambda z, t: RIGHT.loss_gradient(_BINARY, z, t) * z.size * SIGMOID.slope(z, z)
        ),
    ),
    Fault(
        "loss-binary-rounded-target", "loss", "Soft targets act as 0 or 1.",
        "L and g of [t > 1/2]",
        "Targets are cast to bool or int on the way.",
        "Keep the targets as floats.",
        parts=with_targets(_rounded),
    ),
    Fault(
        "loss-squared-half", "loss", "The loss is half of the reference, the gradient is not.",
        "L = mean (z - t)^2 / 2, g = 2 (z - t) / size",
        "One of the two follows the convention with 1/2, the other does not.",
        "np.mean((z - t) ** 2)",
        parts=_squared(lambda z, t: np.square(z - t) / 2),
    ),
    Fault(
        "loss-squared-no-two", "loss", "The gradient is half of the reference.",
        "g = (z - t) / size",
        "The gradient of (z - t)^2 / 2, while the loss is (z - t)^2.",
        "2 * (z - t) / z.size",
        parts=_squared(slope=lambda z, t: z - t),
        seen="https://github.com/Open-Deep-ML/DML-OpenProblem/issues/54",
    ),
    Fault(
        "loss-squared-sign", "loss", "Every gradient has the opposite sign.",
        "g = 2 (t - z) / size",
        "The square does not show the order of the difference, its derivative does.",
        "2 * (z - t) / z.size",
        parts=_squared(slope=lambda z, t: -_gap(z, t)),
    ),
    Fault(
        "loss-squared-expanded", "loss", "No digits are left where outputs are near targets.",
        "L = mean(z^2 - 2 z t + t^2)",
        "The expanded square cancels.",
        "np.mean((z - t) ** 2)",
        parts=_squared(lambda z, t: np.square(z) - 2 * z * t + np.square(t)),
    ),
    Fault(
        "loss-squared-root", "loss", "The loss is the square root of the reference.",
        "L = sqrt(mean (z - t)^2), with the gradient of the mean",
        "A root mean square is reported, and another loss is trained.",
        "np.mean((z - t) ** 2)",
        parts=for_losses({_SQUARED: lambda z, t: np.sqrt(RIGHT.loss(_SQUARED, z, t))}),
    ),
    Fault(
        "loss-squared-absolute", "loss", "The loss is a mean of absolute differences.",
        "L = mean |z - t|, with the gradient of the squares",
        "Another loss is reported than the one that is trained.",
        "np.mean((z - t) ** 2)",
        parts=_squared(lambda z, t: np.abs(z - t)),
    ),
    Fault(
        "loss-squared-clipped-gradient", "loss", "No entry of g exceeds 1 / size.",
        "g = clip(2 (z - t), -1, 1) / size",
        "The errors are clipped as in Huber's loss, the loss is not.",
        "2 * (z - t) / z.size",
        parts=_squared(slope=lambda z, t: np.clip(_gap(z, t), -1, 1)),
    ),
    Fault(
        "loss-squared-broadcast", "loss", "With one output, every target pulls on every sample.",
        "L = mean over i and j of (z_i - t_j)^2, of shapes (n, 1) and (n,)",
        "Broadcasting makes (n, n) of them; n = 1 and several outputs are right.",
        "Compare arrays of one shape: target.reshape(z.shape).",
        parts=for_losses({_SQUARED: _broadcast_value}, {_SQUARED: _broadcast_gradient}),
        seen="https://github.com/pytorch/pytorch/issues/16045",
    ),
)  # fmt: skip
