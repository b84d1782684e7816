"""The losses: mean cross-entropy and binary cross-entropy from logits, mean squared error.

`Loss.value_and_grad` returns the mean loss and the gradient g of that MEAN with respect to its
first argument, so nothing downstream averages again. No probability is clipped and no logarithm of
a probability is taken: each loss is a sum of terms that are not negative, so that it keeps its
relative accuracy for saturated logits. A difference, a square or a sum that exceeds the largest
float is inf; NaN stays NaN.
``value`` takes complex logits with a small imaginary part (the complex step).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from mlp_ref.arithmetic import FLOAT32, FLOAT64, Array
from mlp_ref.checks import describe, fail, require_matrix, require_same
from mlp_ref.softmax import RowMemory, row_exp, shifted_exp
from mlp_ref.special import log1p, minus_abs

__all__ = ["BINARY_CROSS_ENTROPY", "CROSS_ENTROPY", "LOSSES", "SQUARED_ERROR", "Loss"]


@dataclass(frozen=True)
class Loss:
    """A mean loss over n rows of logits (or outputs) z (n, C).

    ``check(z, target)`` raises `InputError`
    ``parts(z, target)`` (l, count, g): terms l, the mean loss is their sum over ``count``; and a
                         function g(), to be called once, that returns the gradient of that sum
    ``hits(z, target)``  which predictions are right (NaN where that means nothing)

    ``parts`` takes memory that it may use, as third argument. Overflow, and the NaN of infinite
    logits, are for its caller to ignore, as `value` and `value_and_grad` do.
    """

    name: str
    check: Callable[[Array, Array], None]
    parts: Callable[..., tuple[Array, int, Callable[[], Array]]]
    hits: Callable[[Array, Array], Array]

    def value(self, z: Array, target: Array) -> Any:
        """The mean loss, a scalar of the dtype of z."""
        require_matrix("z", z)
        self.check(z, target)
        with np.errstate(over="ignore", invalid="ignore"):
            terms, count, _ = self.parts(z, target)
            return terms.sum() / count

    def value_and_grad(self, z: Array, target: Array) -> tuple[Any, Array]:
        """The mean loss and its gradient with respect to z, of shape (n, C) and the dtype of z."""
        require_matrix("z", z)
        self.check(z, target)
        with np.errstate(over="ignore", invalid="ignore"):
            return self.descent(z, target)

    def descent(self, z: Array, target: Array, work: RowMemory | None = None) -> tuple[Any, Array]:
        """`value_and_grad` of what was checked; the gradient may live in the memory of ``work``."""
        terms, count, grad = self.parts(z, target, work)
        g = grad()
        g /= count
        return np.add.reduce(terms, axis=None) / count, g

    def accuracy(self, z: Array, target: Array) -> float:
        """The share of right predictions, in [0, 1]; NaN is never right. NaN for squared_error."""
        self.check(z, target)
        return float(np.mean(self.hits(z, target)))

    def __repr__(self) -> str:
        return f"<loss {self.name}>"


def _check_labels(z: Array, y: Array) -> None:
    n, classes = z.shape
    if isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "iu":
        if y.shape != (n,):
            fail(f"labels must have shape ({n},)", describe(y), "pass one class index per row")
        # argmin, as min takes several times as long for a batch
        if y[y.argmin()] < 0 or y[y.argmax()] >= classes:
            fail(
                f"labels must lie in 0..{classes - 1}",
                f"labels from {y.min()} to {y.max()}", "number the classes from 0",
            )  # fmt: skip
        return
    if not isinstance(y, np.ndarray) or y.dtype.kind != "f" or y.ndim != 2:
        fail(
            f"cross_entropy targets must be integer labels ({n},) or probabilities {z.shape}",
            describe(y), "cast labels with y.astype(np.int64)",
        )  # fmt: skip
    require_same("target probabilities", y, "the logits", z)
    _check_dtype(z, y)
    u = (FLOAT32 if y.dtype == np.float32 else FLOAT64).u
    total = y.sum(axis=1)
    # Each probability may be rounded once, and the sum in any order adds C - 1 roundings.
    if not (np.all(y >= 0) and np.all(np.abs(total - 1) <= (classes + 1) * u * total)):
        fail(
            "target probabilities must be non-negative and sum to one in each row",
            f"a minimum of {y.min()} and sums from {total.min()} to {total.max()}",
            "divide each row by its sum",
        )


def _check_dtype(z: Array, target: Array) -> None:
    if target.dtype != z.real.dtype:
        fail(
            f"the target must have the dtype {z.real.dtype} of the logits",
            describe(target), "cast it explicitly",
        )  # fmt: skip


def _check_dense(z: Array, t: Array) -> None:
    require_same("the target", t, "the output", z)
    _check_dtype(z, t)


def _check_unit(z: Array, t: Array) -> None:
    _check_dense(z, t)
    if not (np.all(t >= 0) and np.all(t <= 1)):
        fail(
            "binary_cross_entropy targets must lie in [0, 1]",
            f"targets from {t.min()} to {t.max()}", "scale the targets",
        )  # fmt: skip


def _product(target: Array, x: Array) -> Array:
    """target * x, where a target of 0 makes 0 of an infinite x."""
    return np.multiply(target, x, out=np.zeros_like(x), where=target != 0)


def _cross_entropy(
    z: Array, y: Array, work: RowMemory | None = None
) -> tuple[Array, int, Callable[[], Array]]:
    """l_i = sum_k t_ik (m_i - z_ik) + log S_i sum_k t_ik and g = p sum_k t_k - t.

    At a label g = -sum_{k != y} p_k, where p_y - 1 would cancel. S - 1 is the sum of the other
    exponentials and of e_y - 1, which is 0 if the label has the largest logit.
    """
    if y.ndim == 2:
        shifted, e, rest = row_exp(z)
        weight = y.sum(axis=1, keepdims=True)
        gap = _product(y, -shifted)
        terms = gap.sum(axis=1, keepdims=True) + weight * log1p(rest)
        return terms, len(z), lambda: e / (1 + rest) * weight - y
    shifted, e, starts, ones = shifted_exp(z, work)
    flat, label = e.reshape(-1), starts + y.astype(np.intp, copy=False)
    own = flat[label]
    flat[label] = 0
    others = np.dot(e, ones)
    rest = own - 1
    rest += others
    terms = log1p(rest)
    terms -= shifted.reshape(-1)[label]

    def grad() -> Array:
        S = np.add(own, others, out=own)
        flat[label] = np.negative(others, out=others)
        g: Array = np.divide(e, S[:, None], out=e)
        return g

    return terms, len(z), grad


def _binary_cross_entropy(
    z: Array, t: Array, work: RowMemory | None = None
) -> tuple[Array, int, Callable[[], Array]]:
    """l = |z| w + log(1 + exp(-|z|)), w = 1 - t for z > 0 and t otherwise; g = sigmoid(z) - t."""
    low = minus_abs(z)
    wrong = np.where(z.real > 0, 1 - t, t)
    e = np.exp(low)

    def grad() -> Array:
        miss = (wrong - (1 - wrong) * e) / (1 + e)  # of the side that z is on
        return np.asarray(np.where(z > 0, miss, -miss))

    return log1p(e) - _product(wrong, low), z.size, grad


def _squared_error(
    z: Array, t: Array, work: RowMemory | None = None
) -> tuple[Array, int, Callable[[], Array]]:
    """l = (z - t)^2, g = 2 (z - t)."""
    gap = np.subtract(z, t, out=work and work.exp)
    return np.square(gap, out=work and work.shifted), z.size, lambda: np.multiply(gap, 2, out=gap)


def _right_class(z: Array, y: Array) -> Array:
    chosen = z.argmax(axis=1)  # the first NaN of a row, if it has one
    best = z[np.arange(len(z)), chosen]
    return np.asarray((chosen == (y if y.ndim == 1 else y.argmax(axis=1))) & (best == best))


def _right_side(z: Array, t: Array) -> Array:
    return np.asarray(((z > 0) == (t > 0.5)) & ~np.isnan(z))


def _no_class(z: Array, t: Array) -> Array:
    return np.full(len(z), np.nan)


CROSS_ENTROPY = Loss("cross_entropy", _check_labels, _cross_entropy, _right_class)
BINARY_CROSS_ENTROPY = Loss("binary_cross_entropy", _check_unit, _binary_cross_entropy, _right_side)
SQUARED_ERROR = Loss("squared_error", _check_dense, _squared_error, _no_class)

LOSSES: Mapping[str, Loss] = MappingProxyType(
    {loss.name: loss for loss in (CROSS_ENTROPY, BINARY_CROSS_ENTROPY, SQUARED_ERROR)}
)
