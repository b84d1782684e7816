"""Softmax and log-softmax over the classes of each row.

    p_j = exp(z_j - m) / S,   S = sum_k exp(z_k - m),   log p_j = (z_j - m) - log S,   m = max_k z_k

The maximum is that of the ROW: with the global maximum a row far below it becomes 0/0. The largest
term of S is exactly 1, so S - 1 is summed on its own and log S = log1p(S - 1) keeps its relative
accuracy when one class dominates.

Finite logits of any size give finite probabilities. A logit of -inf has probability 0. A row that
holds NaN or +inf, or nothing but -inf, is NaN. Both functions take complex input whose imaginary
part is small (the complex step); the maximum is then that of the real part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.special import log1p

__all__ = ["LOG_SOFTMAX", "SOFTMAX", "LogSoftmax", "RowExp", "Softmax", "row_exp"]


class RowExp(NamedTuple):
    """exp of the shifted logits of each row, and its sum without the largest term."""

    shifted: Array  # (n, C)  z - m
    exp: Array  # (n, C)  exp(z - m)
    rest: Array  # (n, 1)  S - 1


def row_exp(z: Array) -> RowExp:
    """Shift logits z (n, C) by the maximum of their row and exponentiate."""
    rows, top = np.arange(len(z)), np.argmax(z.real, axis=1)
    with np.errstate(over="ignore", invalid="ignore"):  # a difference below -max is -inf: exp is 0
        shifted = z - z[rows, top, None]
    e = np.exp(shifted)
    peak = e[rows, top]
    e[rows, top] = 0
    rest = e.sum(axis=1, keepdims=True) + (peak - 1)[:, None]  # peak is 1, or NaN
    e[rows, top] = peak
    return RowExp(shifted, e, rest)


@dataclass(frozen=True)
class Softmax:
    """p = softmax(z), row by row. Satisfies the `Activation` protocol."""

    name: str = "softmax"

    def value(self, x: Array, out: Array | None = None) -> Array:
        """p (n, C) of logits x (n, C)."""
        _, e, rest = row_exp(x)
        return np.asarray(np.divide(e, 1 + rest, out=out))

    def vjp(self, g: Array, x: Array, y: Array) -> Array:
        """p * (g - sum_k p_k g_k), row by row."""
        return np.asarray(y * (g - np.sum(y * g, axis=1, keepdims=True)))


@dataclass(frozen=True)
class LogSoftmax:
    """log softmax(z), row by row. Satisfies the `Activation` protocol."""

    name: str = "log_softmax"

    def value(self, x: Array, out: Array | None = None) -> Array:
        """log p (n, C) of logits x (n, C)."""
        shifted, _, rest = row_exp(x)
        return np.asarray(np.subtract(shifted, log1p(rest), out=out))

    def vjp(self, g: Array, x: Array, y: Array) -> Array:
        """g - p sum_k g_k, row by row."""
        return np.asarray(g - np.exp(y) * np.sum(g, axis=1, keepdims=True))


SOFTMAX = Softmax()
LOG_SOFTMAX = LogSoftmax()
