"""Faults of targets: labels, one-hot rows, probabilities, and which row they belong to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.making import for_losses, one_hot, terms_of, weighted, with_targets
from mlp_ref.faults.parts import Parts
from mlp_ref.softmax import LOG_SOFTMAX, SOFTMAX

__all__ = ["LABEL_FAULTS"]

_CLASSES, _BINARY = "cross_entropy", "binary_cross_entropy"


def _labels(change: Callable[[Array, int], Array]) -> Parts:
    """Other labels: ``change(y, C)``. Real targets stay."""
    return with_targets(lambda name, a, t: change(t, a.shape[1]) if t.dtype.kind in "iu" else t)


def _binary(change: Callable[[Array], Array]) -> Parts:
    return with_targets(lambda name, a, t: change(t) if name == _BINARY else t)


def _sorted_as_text(y: Array, classes: int) -> Array:
    """The places of the labels among the names of the classes in alphabetical order."""
    order = sorted(map(str, range(classes)))
    return np.array([order.index(str(label)) for label in y])


def _transposed(name: str, a: Array, t: Array) -> Array:
    """One-hot columns (C, n), read as rows (n, C) without turning them."""
    hot = one_hot(a, t)
    return hot.T.reshape(hot.shape) if name == _CLASSES else t


def _truncated(name: str, a: Array, t: Array) -> Array:
    return np.trunc(t) if t.dtype.kind == "f" else t


def _without_last_class(z: Array, target: Array) -> Array:
    t = one_hot(z, target).copy()
    t[:, -1] = 0
    return t


def _value_without_last(z: Array, target: Array) -> Any:
    t = _without_last_class(z, target)
    return -weighted(t, LOG_SOFTMAX.value(z)).sum() / len(z)


def _gradient_without_last(z: Array, target: Array) -> Array:
    return np.asarray((SOFTMAX.value(z) - _without_last_class(z, target)) / len(z))


def _counted(z: Array, y: Array) -> Array:
    """Which rows count: those whose label is not 0."""
    return np.asarray(y != 0) if y.ndim == 1 else np.ones(len(z), bool)


def _value_without_zero(z: Array, y: Array) -> Any:
    keep = _counted(z, y)
    terms, _, _ = terms_of(_CLASSES, z, y)
    return terms[keep].sum() / keep.sum().astype(z.dtype)


def _gradient_without_zero(z: Array, y: Array) -> Array:
    keep = _counted(z, y)
    _, _, g = terms_of(_CLASSES, z, y)
    kept = np.where(keep[:, None], g / keep.sum().astype(z.dtype), z.dtype.type(0))
    return np.asarray(kept)


LABEL_FAULTS = (
    Fault(
        "label-one-too-high", "label", "The loss is that of the next class.",
        "y + 1, and the last class stays",
        "Classes numbered from 1 in the file, and clipped to the range that the loss allows.",
        "Number the classes from 0.",
        parts=_labels(lambda y, classes: np.minimum(y + 1, classes - 1)),
        seen="https://github.com/PaddlePaddle/Paddle/issues/27095",
    ),
    Fault(
        "label-one-too-low", "label", "The loss is that of the class before.",
        "y - 1, where -1 is the last class",
        "1 is subtracted twice; an index of -1 wraps around in silence.",
        "Number the classes from 0, and refuse negative labels.",
        parts=_labels(lambda y, classes: (y - 1) % classes),
    ),
    Fault(
        "label-float-truncated", "label", "Labels such as 3 become 2.",
        "y = int((y / 10) / 0.1)",
        "Labels pass through floats that were scaled: 0.3 / 0.1 is below 3, and int() cuts.",
        "np.rint before the cast, or keep labels as integers",
        parts=_labels(lambda y, classes: (y / 10 / 0.1).astype(np.int64)),
    ),
    Fault(
        "label-targets-truncated", "label", "Targets between 0 and 1 act as 0.",
        "t = int(t)",
        "Targets are cast to integers, as labels are; targets of 0 and 1 survive.",
        "Keep the targets as floats.",
        parts=with_targets(_truncated),
    ),
    Fault(
        "label-one-hot-transposed", "label", "The samples have the targets of others.",
        "the one-hot matrix (C, n) is reshaped to (n, C), not transposed",
        "The shapes agree, and for one sample the numbers do, too.",
        "np.eye(C)[y]",
        parts=with_targets(_transposed),
    ),
    Fault(
        "label-neighbour", "label", "Every sample has the target of the row before.",
        "t_i = t_(i - 1)",
        "A header line, or a shuffle of the inputs only, shifts the two against each other.",
        "Read both from one row.",
        parts=with_targets(lambda name, a, t: np.roll(t, 1, axis=0)),
    ),
    Fault(
        "label-reversed-rows", "label", "The first sample has the target of the last.",
        "t_i = t_(n - 1 - i)",
        "One of two sources is read in another order; equal targets hide it.",
        "Sort both by one key.",
        parts=with_targets(lambda name, a, t: t[::-1]),
    ),
    Fault(
        "label-first-for-all", "label", "Every sample has the target of the first.",
        "t_i = t_0",
        "A target of one row is broadcast over the batch.",
        "Require target.shape == (n, ...).",
        parts=with_targets(lambda name, a, t: np.broadcast_to(t[:1], t.shape)),
    ),
    Fault(
        "label-sorted-as-text", "label", "From ten classes on, labels are exchanged.",
        "classes in the order 0, 1, 10, 11, ..., 2, 20, ...",
        "Names of folders are sorted as text; up to ten classes it is the same order.",
        "Sort the names as numbers.",
        parts=_labels(_sorted_as_text),
    ),
    Fault(
        "label-of-prediction", "label", "The loss is small from the beginning.",
        "y = argmax z",
        "The predicted class is taken for the label.",
        "Pass the label.",
        parts=with_targets(
            lambda name, a, t: a.argmax(axis=1) if name == _CLASSES and t.ndim == 1 else t
        ),
    ),
    Fault(
        "label-last-class-empty", "label", "The last class costs nothing, and is never learnt.",
        "t_(C - 1) = 0 in every row",
        "A one-hot encoding that leaves out one class, as for regression with an intercept.",
        "One column for each class.",
        parts=for_losses({_CLASSES: _value_without_last}, {_CLASSES: _gradient_without_last}),
    ),
    Fault(
        "label-zero-ignored", "label", "Samples of class 0 have no loss and no gradient.",
        "mean over the rows with y != 0",
        "0 is taken for padding.",
        "Ignore a label that is none of the classes, such as -100.",
        parts=for_losses({_CLASSES: _value_without_zero}, {_CLASSES: _gradient_without_zero}),
    ),
    Fault(
        "label-plus-minus-one", "label", "The gradient at targets of 0 is 1/size too large.",
        "t in {-1, 1} for {0, 1}",
        "The convention of hinge loss and perceptron.",
        "(t + 1) / 2",
        parts=_binary(lambda t: 2 * t - 1),
    ),
    Fault(
        "label-flipped", "label", "The network learns the opposite.",
        "t = 1 - t",
        "The other class is called positive.",
        "Agree on which class is 1.",
        parts=_binary(lambda t: 1 - t),
    ),
)  # fmt: skip
