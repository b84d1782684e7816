"""The error of softmax, log-softmax and their vector-Jacobian products, without linearisation.

Per row, with C classes: p = softmax(z), m = max z, s = z - m, S = sum_k exp(s_k), l = -log p.
Perturbing z by at most E changes p_j by a factor of at most exp(E_j + sum_k p_k expm1(E_k)).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlp_ref.arithmetic import Arithmetic, Array
from mlp_ref.bounds.bounded import Bounded
from mlp_ref.softmax import row_exp

__all__ = [
    "Rows",
    "log_softmax_error",
    "log_softmax_vjp_error",
    "rows_of",
    "softmax_error",
    "softmax_vjp_error",
    "surprisal_error",
]


class Rows(NamedTuple):
    """Upper bounds per row, valid for the exact z and for every computed z."""

    p: Array  # (n, C)  p of the exact z
    log_p: Array  # (n, C)  log p of the exact z
    surprisal: Array  # (n, C)  l
    gap: Array  # (n, C)  |s|
    log_sum: Array  # (n, 1)  log S
    in_log: (
        Array  # (n, C)  what is rounded before -log S or -(m + log S) is added: |s|, |m + log S|
    )
    exp_error: Array  # (n, C)  relative error of exp(s): the argument is rounded, K u for exp
    sum_error: Array  # (n, 1)  relative error of S: its terms, C - 1 sums, perhaps storage


def rows_of(A: Arithmetic, z: Bounded) -> Rows:
    """Evaluate the terms that every formula below needs."""
    shifted, e, rest = row_exp(z.value)
    width = z.radius + z.bound
    widest = width.max(axis=1, keepdims=True)
    log_sum = np.log1p(rest)
    drift = np.sum(e / (1 + rest) * z.radius, axis=1, keepdims=True)  # Jensen's inequality
    log_p = np.minimum(shifted - log_sum + z.radius + drift, 0)
    gap = width + widest - shifted
    exp_error = A.u * (gap + A.K)
    p = np.exp(log_p)
    sum_error = _grown(p, log_p, exp_error).sum(axis=1, keepdims=True)
    sum_error += A.gamma(z.value.shape[1]) + (1 + A.u_store) ** 2 - 1
    # A logit that may be infinite makes everything in its row possible, NaN included.
    sum_error = np.where(np.isfinite(widest), sum_error, np.inf)
    most = np.minimum(log_sum + 2 * widest, np.log(z.value.shape[1]))
    return Rows(
        p, log_p, log_sum - shifted + width + widest, gap, most,
        np.maximum(gap, np.abs(z.value.max(axis=1, keepdims=True)) + widest + most),
        exp_error, sum_error,
    )  # fmt: skip


def _grown(p: Array, log_p: Array, c: Array) -> Array:
    """p expm1(c), also where c is huge and p is next to nothing."""
    return np.asarray(np.fmin(p * np.expm1(c), np.exp(log_p + c)))


def _relative(error: Array) -> Array:
    """-log(1 - error): a relative error, in either direction, as an exponent."""
    return np.asarray(-np.log1p(-np.minimum(error, 1)))


def _stored_surprisal(A: Arithmetic, rows: Rows) -> Array:
    """What two roundings on the way to memory may do to log p."""
    return ((1 + A.u_store) ** 2 - 1) * rows.surprisal + 2 * A.tiny_store


def softmax_error(A: Arithmetic, z: Bounded) -> Array:
    """Bound |p^ - p| for exp(s) / S, exp(s - log S) and exp(z - (m + log S))."""
    rows, classes = rows_of(A, z), z.value.shape[1]
    condition = z.bound + _grown(rows.p, rows.log_p, z.bound).sum(axis=1, keepdims=True)
    by_log = rows.in_log + rows.surprisal + A.K * rows.log_sum + A.K
    rounding = rows.sum_error + np.maximum(rows.exp_error + A.u, A.u * by_log)
    growth = condition + _relative(rounding) + _stored_surprisal(A, rows)
    # p of any computed z is at most 1, and its computation adds the rounding alone.
    error = np.fmin(_grown(rows.p, rows.log_p, growth), np.exp(_relative(rounding)))
    return np.where(np.isfinite(rows.in_log), error + (2 * classes + 4) * A.tiny, np.inf)


def surprisal_error(A: Arithmetic, z: Bounded, rows: Rows, y: Array) -> Array:
    """Bound |l^_y - l_y| (n,) for one class y (n,) per row, shifted by m or not."""
    n = np.arange(len(y))
    bound_y = z.bound[n, y][:, None]
    grown = _grown(rows.p, rows.log_p, z.bound + bound_y)
    grown[n, y] = 0
    condition = np.fmin(grown.sum(axis=1), z.bound.max(axis=1) + bound_y[:, 0])
    rounding = _relative(rows.sum_error) + A.K * A.u * rows.log_sum
    error = condition + rounding[:, 0] + A.u * rows.in_log[n, y]
    error = error + A.u * (rows.surprisal[n, y] + error)
    flushed = (2 * z.value.shape[1] + 4) * A.tiny
    return np.asarray(error + _stored_surprisal(A, rows)[n, y] + flushed)


def log_softmax_error(A: Arithmetic, z: Bounded) -> Array:
    """Bound the error of log p, every class."""
    rows, (n, classes) = rows_of(A, z), z.value.shape
    columns = [surprisal_error(A, z, rows, np.full(n, k)) for k in range(classes)]
    return np.stack(columns, axis=1)


def softmax_vjp_error(A: Arithmetic, g: Bounded, p: Bounded) -> Array:
    """Bound the error of p (g - sum_k p_k g_k)."""
    classes = g.value.shape[1]
    products = p.computed * g.computed
    mean_error = np.sum(p.bound * g.computed + p.exact * g.bound, axis=1, keepdims=True)
    mean_error += A.gamma(classes) * products.sum(axis=1, keepdims=True) + classes * A.tiny
    mean = np.sum(p.exact * g.exact, axis=1, keepdims=True)
    size = g.computed + mean + mean_error
    difference_error = g.bound + mean_error + A.u * size
    product_error = p.bound * size + p.exact * difference_error
    return np.asarray(product_error + 2 * A.u * p.computed * size + 4 * A.tiny * (1 + size))


def log_softmax_vjp_error(A: Arithmetic, g: Bounded, p: Bounded) -> Array:
    """Bound the error of g - p sum_k g_k, p = exp(log p)."""
    total_error = g.bound.sum(axis=1, keepdims=True)
    size = g.computed.sum(axis=1, keepdims=True)
    classes = g.value.shape[1]
    total_error = total_error + A.gamma(classes - 1) * size + classes * A.tiny
    size = size + total_error
    product_error = p.bound * size + p.exact * total_error + A.u * p.computed * size
    rounding = A.u * (g.computed + p.computed * size + product_error)
    return np.asarray(g.bound + product_error + rounding + 4 * A.tiny * (1 + size))
