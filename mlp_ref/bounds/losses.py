"""The error of the mean losses and of their gradients with respect to the logits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlp_ref.arithmetic import Arithmetic, Array, trailing_unit
from mlp_ref.bounds.bounded import Bounded, chain
from mlp_ref.bounds.softmax import rows_of, softmax_error, surprisal_error
from mlp_ref.losses import BINARY_CROSS_ENTROPY, CROSS_ENTROPY, SQUARED_ERROR, Loss
from mlp_ref.rounding import sigmoid_value
from mlp_ref.special import logistic, logistic_slope, minus_abs

__all__ = ["gradient_error", "loss_error"]


def loss_error(A: Arithmetic, loss: Loss, z: Bounded, target: Array) -> Array:
    """Bound the error of the mean loss, a scalar; the target is exact."""
    return _TERMS[loss.name](A, z, target)[0]


def gradient_error(A: Arithmetic, loss: Loss, z: Bounded, target: Array) -> Array:
    """Bound the error of dL/dz (n, C); the target is exact."""
    return _TERMS[loss.name](A, z, target)[1]


def _mean(A: Arithmetic, term_error: Array, computed: Array) -> Array:
    """Bound the error of the mean of n computed terms: n - 1 sums, and 1/n at either end."""
    error = term_error.mean() + A.gamma(term_error.size + 1) * computed.mean() + 2 * A.tiny
    return np.asarray(np.inf if computed.sum() + error * computed.size > A.largest else error)


def _cross_entropy(A: Arithmetic, z: Bounded, y: Array) -> tuple[Array, Array]:
    rows, (n, classes) = rows_of(A, z), z.value.shape
    p_error = softmax_error(A, z)
    p = rows.p
    if y.ndim == 1:
        index = np.arange(n)
        each = surprisal_error(A, z, rows, y)
        computed = rows.surprisal[index, y] + each
        gap = p.copy()
        gap[index, y] = others = np.minimum(p.sum(axis=1) - p[index, y], 1)
        error = p_error + A.gamma(3) * (gap + p_error)
        # The sum of the other probabilities may stand for 1 - p_y where that cancels.
        sure = (p + p_error)[index, y] >= 0.5
        error[index, y] += np.where(sure, A.gamma(classes) * others, 0)
        return _mean(A, each, computed), (error + 4 * A.tiny) / n + A.tiny
    share = y.sum(axis=1, keepdims=True)
    errors = [surprisal_error(A, z, rows, np.full(n, k)) for k in range(classes)]
    exact = np.sum(y * rows.surprisal, axis=1)
    each = np.sum(y * np.stack(errors, axis=1), axis=1)
    each = each + A.gamma(classes + 1) * (exact + each) + classes * A.tiny
    gap = p * share + y
    error = share * p_error + A.gamma(classes) * share * (p + p_error)
    error = error + A.gamma(3) * (gap + error)
    # t / n may be stored before it is subtracted, and 1 / n before that.
    error = error + ((1 + A.u_store) ** 2 - 1) * y
    error = error / n + 4 * A.tiny / n + A.tiny + 2 * A.tiny_store
    return _mean(A, each, exact + each), error


def _binary_cross_entropy(sums: Arithmetic, z: Bounded, t: Array) -> tuple[Array, Array]:
    A = chain(sums)
    interval = z.interval
    low, high = logistic(interval.lo), logistic(interval.hi)
    gap = np.maximum(np.abs(low - t), np.abs(high - t))  # sup |sigmoid(z) - t|
    log_term = interval.sup(lambda x: np.log1p(np.exp(minus_abs(x))), (0.0,))
    terms = np.maximum(_bce(interval.lo, t), _bce(interval.hi, t))  # convex in z
    rounding = A.u * (4 * interval.magnitude + 4 * terms + (2 * A.K + 2) * log_term)
    each = gap * z.bound + rounding + 4 * A.tiny
    slope = interval.sup(logistic_slope, (0.0,))
    by_sides = (1.5 * A.K + 5) * ((1 - t) * high + t * (1 - low))
    error = slope * z.bound + np.maximum(A.u * by_sides, sigmoid_value(A, interval))
    error = error + A.gamma(3) * (gap + error) + 4 * A.tiny
    return _mean(sums, each, terms + each), error / z.value.size + A.tiny


def _bce(z: Array, t: Array) -> Array:
    wrong = np.where(z > 0, 1 - t, t)
    return np.asarray(np.abs(z) * wrong + np.log1p(np.exp(minus_abs(z))))


def _squared_error(sums: Arithmetic, z: Bounded, t: Array) -> tuple[Array, Array]:
    A = chain(sums)
    count = z.value.size
    gap = np.abs(z.value - t) + z.radius
    error = z.bound + A.u * (gap + z.bound) + A.tiny
    each = 2 * gap * error + error**2 + A.gamma(2) * (gap + error) ** 2 + A.tiny
    g_error = (error + A.gamma(3) * (gap + error)) * (2 / count) + 2 * A.tiny
    # Exact where z - t fits and the factor 2 / (n C) is a power of two.
    unit = np.minimum(trailing_unit(z.value), trailing_unit(t))
    fits = z.known & ((np.abs(z.value) + np.abs(t)) * A.u < unit) & (unit >= A.tiny)
    power = count & (count - 1) == 0
    g_error = np.where(fits & power & (unit * 2 / count >= A.tiny), 0, g_error)
    g_error = np.where(2 * (gap + error) > A.largest, np.inf, g_error)
    square = (gap**2).sum() * A.u < unit.min() ** 2
    exact = bool(fits.all() and power and square and unit.min() ** 2 / count >= A.tiny)
    total = _mean(sums, each, gap**2 + each)
    return np.where(exact & np.isfinite(total), 0, total), g_error


_Terms = Callable[[Arithmetic, Bounded, Array], tuple[Array, Array]]
_TERMS: dict[str, _Terms] = {
    CROSS_ENTROPY.name: _cross_entropy,
    BINARY_CROSS_ENTROPY.name: _binary_cross_entropy,
    SQUARED_ERROR.name: _squared_error,
}
