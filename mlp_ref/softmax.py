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

__all__ = [
    "LOG_SOFTMAX",
    "SOFTMAX",
    "LogSoftmax",
    "RowExp",
    "RowMemory",
    "Softmax",
    "row_exp",
    "shifted_exp",
]


class RowMemory(NamedTuple):
    """What `shifted_exp` writes into, and two constants that go with it."""

    shifted: Array  # (n, C)
    exp: Array  # (n, C)
    starts: Array  # (n,)  0, C, 2 C, ...: where each row begins in the flat array
    ones: Array  # (C,)

    @classmethod
    def like(cls, z: Array) -> RowMemory:
        """Memory for logits of the shape and dtype of z (n, C)."""
        n, classes = z.shape
        shifted, e = (np.empty((n, classes), z.dtype) for _ in range(2))
        return cls(shifted, e, np.arange(0, n * classes, classes), np.ones(classes, z.dtype))


class RowExp(NamedTuple):
    """exp of the shifted logits of each row, and its sum without the largest term."""

    shifted: Array  # (n, C)  z - m
    exp: Array  # (n, C)  exp(z - m)
    rest: Array  # (n, 1)  S - 1


def shifted_exp(z: Array, out: RowMemory | None = None) -> RowMemory:
    """z - m and exp(z - m) for logits z (n, C), written into ``out`` if that is given.

    A difference below the lowest float is -inf, and its exp 0: callers ignore that overflow.
    """
    rows = RowMemory.like(z) if out is None else out
    top = rows.starts + z.real.argmax(axis=1)
    np.subtract(z, z.reshape(-1)[top][:, None], out=rows.shifted)
    np.exp(rows.shifted, out=rows.exp)
    return rows


def row_exp(z: Array) -> RowExp:
    """Shift logits z (n, C) by the maximum of their row and exponentiate."""
    rows, top = np.arange(len(z)), np.argmax(z.real, axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        shifted, e, *_ = shifted_exp(z)
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

    def vjp(self, g: Array, x: Array, y: Array, out: Array | None = None) -> Array:
        """p * (g - sum_k p_k g_k), row by row."""
        inner = np.sum(y * g, axis=1, keepdims=True)
        return np.asarray(np.multiply(y, g - inner, out=out))


@dataclass(frozen=True)
class LogSoftmax:
    """log softmax(z), row by row. Satisfies the `Activation` protocol."""

    name: str = "log_softmax"

    def value(self, x: Array, out: Array | None = None) -> Array:
        """log p (n, C) of logits x (n, C)."""
        shifted, _, rest = row_exp(x)
        return np.asarray(np.subtract(shifted, log1p(rest), out=out))

    def vjp(self, g: Array, x: Array, y: Array, out: Array | None = None) -> Array:
        """g - p sum_k g_k, row by row."""
        total = np.sum(g, axis=1, keepdims=True)
        return np.asarray(np.subtract(g, np.exp(y) * total, out=out))


SOFTMAX = Softmax()
LOG_SOFTMAX = LogSoftmax()
