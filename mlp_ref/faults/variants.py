"""What is right in another way: other formulas and other orders of summation, which must pass."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.making import for_functions, for_losses, for_methods, on_tensors, terms_of
from mlp_ref.faults.parts import RIGHT, Answer, Inputs, Parameters, Parts
from mlp_ref.faults.rules import adam_step, decayed, kept
from mlp_ref.special import above_minus_inf, finite

__all__ = ["VARIANTS"]

FAMILY = "variant"
SQRT2, SQRT_2PI = math.sqrt(2), math.sqrt(2 * math.pi)
_ERF, _ERFC = (np.vectorize(f, otypes=[np.float64]) for f in (math.erf, math.erfc))

Sum = Callable[[Array], Array]


def _products(total: Sum) -> Parts:
    """Every product x W by ``total`` of the terms x_ik W_kj, given as (k, n, n_out)."""

    def product(x: Array, y: Array) -> Array:
        terms = x.T[:, :, None] * y[:, None, :]
        return np.asarray(total(terms)).astype(x.dtype)

    return _with_product(product)


def _with_product(product: Callable[[Array, Array], Array]) -> Parts:
    return RIGHT._replace(
        affine=lambda x, W, b: product(x, W) + b,
        weight_gradient=lambda x, dz: product(x.T, dz),
        bias_gradient=lambda dz: product(np.ones((1, len(dz)), dz.dtype), dz)[0],
        input_gradient=lambda dz, W: product(dz, W.T),
    )


def _one_by_one(terms: Array) -> Array:
    """((t_n + t_(n-1)) + ...) + t_1."""
    total = np.zeros_like(terms[0])
    for term in terms[::-1]:
        total = total + term
    return np.asarray(total)


def _in_pairs(terms: Array) -> Array:
    """Halves of halves."""
    while len(terms) > 1:
        odd = terms[len(terms) // 2 * 2 :]
        terms = np.concatenate([terms[:-1:2] + terms[1::2], odd])
    return np.asarray(terms[0])


def _in_blocks(terms: Array) -> Array:
    """Blocks of eight, one after another."""
    return _one_by_one(np.stack([terms[k : k + 8].sum(axis=0) for k in range(0, len(terms), 8)]))


def _exact_sum(terms: Array) -> Array:
    """The sum of the rounded products, rounded once."""
    columns = terms.reshape(len(terms), -1).T.tolist()
    return np.reshape([math.fsum(column) for column in columns], terms.shape[1:])


def _wide(x: Array, y: Array) -> Array:
    """The product in float64 (long double for float64), rounded once."""
    wider = np.float64 if x.dtype == np.float32 else np.longdouble
    return np.asarray(x.astype(wider) @ y.astype(wider)).astype(x.dtype)


def _gelu_slope(x: Array, y: Array) -> Array:
    """(1 + erf(x / sqrt 2)) / 2 + x exp(-x^2 / 2) / sqrt(2 pi)."""
    density = np.exp(-np.square(np.clip(x, -100, 100)) / 2) / SQRT_2PI
    return np.asarray((1 + _ERF(x / SQRT2).astype(x.dtype)) / 2 + finite(x) * density)


def _log_softmax(z: Array) -> Array:
    """z - (m + log sum exp(z - m)), by rows; the shifted logits are kept."""
    shifted = z - z.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _by_reciprocal(name: str, a: Array, target: Array) -> Array:
    """The sum of l times 1/n."""
    terms, count, _ = terms_of(name, a, target)
    return np.asarray(terms.sum() * terms.dtype.type(1 / count))


def _mean_of_scaled(name: str, a: Array, target: Array) -> Array:
    """The sum of l/n."""
    terms, count, _ = terms_of(name, a, target)
    return np.asarray((terms / count).sum())


def _plain_gradient(z: Array, t: Array) -> Array:
    """(p - t) / n, or (p sum t - t) / n."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    if t.ndim == 1:
        p[np.arange(len(z)), t] -= 1
        return np.asarray(p / len(z))
    return np.asarray((p * t.sum(axis=1, keepdims=True) - t) / len(z))


def _flushed(x: Array) -> Array:
    """x, with 0 in place of subnormal numbers."""
    x = np.asarray(x)
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, 0 * x, x)


def _interpolated(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
    """m + (1 - b1) (g - m), and v likewise."""
    g, m, v = decayed(rule, theta, grads), moments["m"], moments["v"]
    m = m + (1 - rule["beta1"]) * (g - m)
    v = rule["beta2"] * v + (1 - rule["beta2"]) * g * g
    t = rule["t"] + 1
    root = np.sqrt(v) / math.sqrt(1 - rule["beta2"] ** t) + rule["eps"]
    update = rule["lr"] / (1 - rule["beta1"] ** t) * (m / root)
    return {"params": kept(rule, theta) - update, "m": m, "v": v}


def _variant(name: str, formula: str, why: str, parts: Parts) -> Fault:
    return Fault(
        f"variant-{name}", FAMILY, "None: it passes every case.", formula, why,
        "Nothing has to be fixed.", parts,
    )  # fmt: skip


VARIANTS: tuple[Fault, ...] = (
    _variant(
        "sigmoid-naive", "1 / (1 + exp(-x)), where exp may overflow",
        "1 / inf is 0, which is right: a warning is no error.",
        for_functions({"sigmoid": lambda x: 1 / (1 + np.exp(-x))}),
    ),
    _variant(
        "sigmoid-slope-from-output", "a (1 - a) in place of e / (1 + e)^2",
        "Libraries store a only. 1 - a inherits the error of a, which the bound allows.",
        for_functions(slopes={"sigmoid": lambda z, a: a * (1 - a)}),
    ),
    _variant(
        "tanh-slope-from-output", "1 - a a in place of 1 / cosh(z)^2",
        "Libraries store a only. 1 - a a cancels in the tails, which the bound allows.",
        for_functions(slopes={"tanh": lambda z, a: 1 - a * a}),
    ),
    _variant(
        "relu-by-choice", "x if x > 0 or NaN, else 0, with the slope [x > 0]",
        "A comparison is exact. Of NaN no slope is asked.",
        for_functions(
            {"relu": lambda x: np.where(x <= 0, 0 * np.maximum(x, -1), x)},
            {"relu": lambda z, a: (z > 0).astype(z.dtype)},
        ),
    ),
    _variant(
        "leaky-relu-by-choice", "x if x > 0, else x / 100",
        "The quotient is rounded once, the product with 0.01 twice.",
        for_functions({"leaky_relu": lambda x: np.where(x > 0, x, x / 100)}),
    ),
    _variant(
        "elu-by-exp", "exp(x) - 1 in place of expm1(x), and a + 1 for its slope",
        "It loses relative accuracy near 0, which the bound allows.",
        for_functions(
            {"elu": lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)},
            {"elu": lambda z, a: np.where(z > 0, 1 + 0 * np.minimum(z, 1), a + 1)},
        ),
    ),
    _variant(
        "softplus-logaddexp", "log(exp(0) + exp(x)) by logaddexp",
        "The same stable form, by another routine.",
        for_functions({"softplus": lambda x: np.logaddexp(x.dtype.type(0), x)}),
    ),
    _variant(
        "silu-by-quotient", "x / (1 + exp(-x)) in place of x s(x)",
        "One rounding less, and right where exp overflows.",
        for_functions({"silu": lambda x: above_minus_inf(x) / (1 + np.exp(-x))}),
    ),
    _variant(
        "gelu-by-erf", "x (1 + erf(x / sqrt 2)) / 2, and its slope likewise",
        "1 + erf cancels in the left tail, which the bound allows.",
        for_functions(
            {"gelu": lambda x: above_minus_inf(x) / 2 * (1 + _ERF(x / SQRT2).astype(x.dtype))},
            {"gelu": _gelu_slope},
        ),
    ),
    _variant(
        "gelu-by-erfc", "x erfc(-x / sqrt 2) / 2",
        "The form that keeps its relative accuracy, by the mathematical library.",
        for_functions(
            {"gelu": lambda x: above_minus_inf(x)
                * (_ERFC(-x / SQRT2).astype(x.dtype) / 2)}
        ),
    ),
    _variant(
        "gelu-tanh-by-tanh", "x (1 + tanh q) / 2 in place of x s(2 q)",
        "1 + tanh cancels in the left tail, which the bound allows.",
        for_functions(
            {"gelu_tanh": lambda x: above_minus_inf(x) / 2 * (1 + np.tanh(
                0.7978845608028654 * (np.clip(x, -30, 30) + 0.044715 * np.clip(x, -30, 30) ** 3)))}
        ),
    ),
    _variant(
        "log-softmax-by-log", "(z - m) - log(sum exp(z - m)) in place of log1p",
        "The usual form; it loses digits where one class dominates, which the bound allows.",
        for_functions({"log_softmax": _log_softmax}),
    ),
    _variant(
        "loss-by-reciprocal", "the sum of l times 1/n in place of the quotient",
        "1/n is rounded once.",
        RIGHT._replace(loss=_by_reciprocal),
    ),
    _variant(
        "loss-of-scaled-terms", "the sum of l/n in place of the quotient of the sum",
        "Every term is rounded once more.",
        RIGHT._replace(loss=_mean_of_scaled),
    ),
    _variant(
        "sums-reversed", "all sums from the last term to the first",
        "Any order of summation is right.", _products(_one_by_one),
    ),
    _variant(
        "sums-in-pairs", "all sums of halves of halves",
        "Any order of summation is right.", _products(_in_pairs),
    ),
    _variant(
        "sums-in-blocks", "all sums in blocks of eight",
        "Any order of summation is right.", _products(_in_blocks),
    ),
    _variant(
        "sums-exact", "all sums of products rounded once, at the end",
        "Fewer roundings than usual, as with a long accumulator.", _products(_exact_sum),
    ),
    _variant(
        "sums-wide", "all products in a wider arithmetic, rounded once",
        "Wider accumulation and fused multiply-add are better, not wrong.", _with_product(_wide),
    ),
    _variant(
        "flushed", "0 in place of subnormal results",
        "Flush-to-zero is the default of several libraries.",
        on_tensors(
            ("y", "dx", "z", "a", "dW", "db", "loss", "g", "grads", "params", "m", "v"), _flushed
        ),
    ),
    _variant(
        "adam-folded", "lr sqrt(c2) / c1 m / (sqrt(v) + eps sqrt(c2)), with c = 1 - b^t",
        "Both corrections in the rate, with eps scaled along.",
        adam_step(
            lambda q: q.rate * math.sqrt(q.c2) / q.c1
            * (q.m / (np.sqrt(q.v) + q.eps * math.sqrt(q.c2)))
        ),
    ),
    _variant(
        "adam-interpolated", "m + (1 - b1) (g - m) in place of b1 m + (1 - b1) g",
        "One product less, as in PyTorch.",
        for_methods({"adam": _interpolated, "adamw": _interpolated}),
    ),
    _variant(
        "cross-entropy-of-softmax", "(p - t) / n with p = softmax(z)",
        "p - t cancels where the label has nearly everything, which the bound allows.",
        for_losses(gradients={"cross_entropy": _plain_gradient}),
    ),
)  # fmt: skip
