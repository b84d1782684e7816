"""Textbook formulas of every operation, for the second oracle: none is shared with the first.

A formula is written once, over `Numbers`, and runs on NumPy object arrays in two unrelated
libraries: mpmath (values) and MPFR (differences). Nothing here avoids a cancellation; the caller
chooses enough bits. Three limits are stated, because no precision is enough for exp(1e300):

    2^14      log(1 + exp z) is z for z above; the difference is less than 2^-23000
    2^20      logits beyond are taken relative to the largest of their row, which is an identity;
              below, exp is summed as it stands
    2^-1100   less than this no float64 word can show
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

__all__ = [
    "FLOOR_BITS",
    "KINKED",
    "ZERO_AT_ZERO",
    "Numbers",
    "activate",
    "mpfr_numbers",
    "mpmath_numbers",
    "step",
    "terms",
]

FLOOR_BITS = 1100
_FAR = 1 << 14
_SHIFT = 1 << 20

Array = np.ndarray[Any, Any]


def _shaped(numbers: list[Any], like: Array) -> Array:
    """Numbers as an object array of the shape of another."""
    out = np.empty(len(numbers), object)
    out[:] = numbers
    return out.reshape(like.shape)


@dataclass(frozen=True)
class Numbers:
    """What a formula needs of a number library, at the precision in force."""

    real: Callable[[float], Any]
    exp: Callable[[Any], Any]
    log: Callable[[Any], Any]
    tanh: Callable[[Any], Any]
    erf: Callable[[Any], Any]
    sqrt: Callable[[Any], Any]
    pi: Any
    matmul: Callable[[Array, Array], Array]
    rounded: Callable[[], bool]  # whether any operation so far was inexact, if that is known

    def lift(self, x: Array) -> Array:
        """The floats of x as exact numbers, in an object array of the same shape."""
        return _shaped([self.real(v) for v in np.asarray(x, np.float64).reshape(-1).tolist()], x)


def mpmath_numbers(ctx: Any) -> Numbers:
    """The numbers of one mpmath context, at its precision at the time of each call."""

    def matmul(a: Array, b: Array) -> Array:
        columns = b.T.tolist()
        rows = [[ctx.fdot(row, column) for column in columns] for row in a.tolist()]
        return np.array(rows, object).reshape(len(a), len(columns))

    return Numbers(
        ctx.mpf, ctx.exp, ctx.log, ctx.tanh, ctx.erf, ctx.sqrt, +ctx.pi, matmul, lambda: True
    )  # fmt: skip


def mpfr_numbers() -> Numbers:
    """MPFR numbers at the precision of the active context, whose flags are cleared."""
    import gmpy2

    pi = gmpy2.const_pi()
    gmpy2.get_context().clear_flags()
    return Numbers(
        gmpy2.mpfr, gmpy2.exp, gmpy2.log, gmpy2.tanh, gmpy2.erf, gmpy2.sqrt, pi,
        lambda a, b: a @ b, lambda: bool(gmpy2.get_context().inexact),
    )  # fmt: skip


def _softplus(z: Any, m: Numbers) -> Any:
    return z if z > _FAR else m.log(1 + m.exp(z))


def _gelu_tanh(z: Any, m: Numbers) -> Any:
    cubic = z + z**3 * 44715 / 1000000
    return z * (1 + m.tanh(m.sqrt(2 / m.pi) * cubic)) / 2


def _zero(z: Any, m: Numbers) -> Any:
    return z * 0


def _same(z: Any, m: Numbers) -> Any:
    return z


Formula = Callable[[Any, Numbers], Any]


def _whole(f: Formula) -> tuple[Formula, Formula]:
    return f, f


# Two formulas each: for z <= 0 (the piece whose slope counts at 0) and for z > 0.
_PIECES: Mapping[str, tuple[Formula, Formula]] = MappingProxyType(
    {
        "identity": _whole(_same),
        "sigmoid": _whole(lambda z, m: 1 / (1 + m.exp(-z))),
        "tanh": _whole(lambda z, m: m.tanh(z)),
        "relu": (_zero, _same),
        "leaky_relu": (lambda z, m: z / 100, _same),
        "elu": (lambda z, m: m.exp(z) - 1, _same),
        "softplus": _whole(_softplus),
        "silu": _whole(lambda z, m: z / (1 + m.exp(-z))),
        "gelu": _whole(lambda z, m: z * (1 + m.erf(z / m.sqrt(m.real(2)))) / 2),
        "gelu_tanh": _whole(_gelu_tanh),
    }
)


KINKED = ("relu", "leaky_relu", "elu")
# f(0) = 0, and a zero keeps its sign, except that relu(-0) may have either
ZERO_AT_ZERO = ("identity", "tanh", *KINKED, "silu", "gelu", "gelu_tanh")


def _log_sum_exp(row: Array, m: Numbers) -> Any:
    top = max(row)
    shift = top if max(top, -min(row)) > _SHIFT else top * 0
    return shift + m.log(sum(m.exp(z - shift) for z in row))


def activate(name: str, z: Array, right: Array, m: Numbers) -> Array:
    """f(z), z (R, k) or, for an elementwise f, of any shape; ``right`` tells the piece of each.

    The piece is an argument, so that it can be kept while z is perturbed across a kink.
    """
    if name in _PIECES:
        pieces = _PIECES[name]
        return _shaped([pieces[bool(r)](v, m) for v, r in zip(z.flat, right.flat, strict=True)], z)
    out = np.empty(z.shape, object)
    for k, row in enumerate(z):
        total = _log_sum_exp(row, m)
        for j, v in enumerate(row):
            out[k, j] = v - total if name == "log_softmax" else m.exp(v - total)
    return out


def terms(loss: str, z: Array, t: Array, m: Numbers) -> Array:
    """The sum (R,) of the terms of each row of outputs z (R, C); the mean comes afterwards.

    ``cross_entropy``         -sum_k t_k log p_k
    ``binary_cross_entropy``  sum_k log(1 + exp z_k) - t_k z_k, which is -t log s - (1-t) log(1-s)
    ``squared_error``         sum_k (z_k - t_k)^2
    ``weights``               sum_k t_k z_k: of this scalar dx is J^T t
    """
    if loss == "squared_error":
        return np.asarray(((z - t) * (z - t)).sum(axis=1))
    if loss == "weights":
        return np.asarray((z * t).sum(axis=1))
    out = np.empty(len(z), object)
    for k, (row, target) in enumerate(zip(z, t, strict=True)):
        if loss == "cross_entropy":
            total = _log_sum_exp(row, m)
            out[k] = sum(w * (total - v) for v, w in zip(row, target, strict=True))
        else:
            out[k] = sum(_softplus(v, m) - w * v for v, w in zip(row, target, strict=True))
    return out


def step(
    parameters: Mapping[str, Any], theta: Any, g: Any, moments: Mapping[str, Any], m: Numbers
) -> dict[str, Any]:
    """One parameter after one step of an optimizer, and its moments; hyperparameters are exact.

    SGD:    g += w theta;  v' = mu v + g;  theta' = theta - lr v', Nesterov theta - lr (g + mu v')
    Adam:   g += w theta;  m' = b1 m + (1-b1) g;  v' = b2 v + (1-b2) g^2;
            theta' = theta - lr (m' / (1-b1^T)) / (sqrt(v' / (1-b2^T)) + eps),  T = t + 1
    AdamW:  theta shrinks by lr w theta instead of g += w theta
    """
    method, lr = parameters["method"], m.real(float(parameters["lr"]))
    decay = m.real(float(parameters.get("weight_decay", 0)))
    shrunk = theta
    if method == "adamw":
        shrunk = theta - lr * decay * theta
    elif decay:
        g = g + decay * theta
    if method == "sgd":
        mu = m.real(float(parameters.get("momentum", 0)))
        if not mu:
            return {"params": theta - lr * g}
        v = mu * moments["v"] + g
        direction = g + mu * v if parameters.get("nesterov") else v
        return {"params": theta - lr * direction, "v": v}
    b1, b2 = m.real(float(parameters["beta1"])), m.real(float(parameters["beta2"]))
    eps, t = m.real(float(parameters["eps"])), int(parameters["t"]) + 1
    first = b1 * moments["m"] + (1 - b1) * g
    second = b2 * moments["v"] + (1 - b2) * g * g
    corrected, root = first / (1 - b1**t), m.sqrt(second / (1 - b2**t))
    return {"params": shrunk - lr * corrected / (root + eps), "m": first, "v": second}
