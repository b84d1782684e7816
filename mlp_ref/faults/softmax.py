"""Faults of softmax and log-softmax, also where they are part of the cross-entropy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.making import both, for_functions, for_losses, one_hot, weighted
from mlp_ref.faults.parts import Parts
from mlp_ref.softmax import LOG_SOFTMAX, SOFTMAX

__all__ = ["SOFTMAX_FAULTS", "eps_below", "normalized", "shifted_by"]


def normalized(exponentials: Callable[[Array], tuple[Array, Array, Array]]) -> Parts:
    """Everything made of shifted logits s, e = exp(s) and S, which ``exponentials(z)`` returns.

    p = e / S,  log p = s - log S,  L = -sum_k t_k log p_k / n,  g = (p sum_k t_k - t) / n
    """

    def softmax(z: Array) -> Array:
        _, e, total = exponentials(z)
        return np.asarray(e / total)

    def log_softmax(z: Array) -> Array:
        s, _, total = exponentials(z)
        return np.asarray(s - np.log(total))

    def loss(z: Array, target: Array) -> Any:
        return -weighted(one_hot(z, target), log_softmax(z)).sum() / len(z)

    def gradient(z: Array, target: Array) -> Array:
        t = one_hot(z, target)
        return np.asarray((softmax(z) * t.sum(axis=1, keepdims=True) - t) / len(z))

    return both(
        for_functions({"softmax": softmax, "log_softmax": log_softmax}),
        for_losses({"cross_entropy": loss}, {"cross_entropy": gradient}),
    )


def shifted_by(shift: Callable[[Array], Array]) -> Parts:
    """The softmax of each row, whose logits are shifted by ``shift(z)`` first."""

    def exponentials(z: Array) -> tuple[Array, Array, Array]:
        s = z - shift(z)
        e = np.exp(s)
        return s, e, e.sum(axis=1, keepdims=True)

    return normalized(exponentials)


def _over(axis: int | None) -> Parts:
    """Maximum and sum over an axis, or over everything."""

    def exponentials(z: Array) -> tuple[Array, Array, Array]:
        s = z - z.max(axis=axis, keepdims=True)
        e = np.exp(s)
        return s, e, e.sum(axis=axis, keepdims=True)

    return normalized(exponentials)


def _base_two(z: Array) -> tuple[Array, Array, Array]:
    """2^(z - m) where exp(z - m) is meant."""
    s = z - z.max(axis=1, keepdims=True)
    e = np.exp2(s)
    return s, e, e.sum(axis=1, keepdims=True)


def eps_below(eps: float) -> Parts:
    """S + eps."""

    def exponentials(z: Array) -> tuple[Array, Array, Array]:
        s = z - z.max(axis=1, keepdims=True)
        e = np.exp(s)
        return s, e, e.sum(axis=1, keepdims=True) + e.dtype.type(eps)

    return normalized(exponentials)


def _clipped(z: Array) -> Array:
    """p between 1e-7 and 1 - 1e-7."""
    return np.clip(SOFTMAX.value(z), 1e-7, 1 - 1e-7)


def _vjp_with(total: Callable[[Array, Array], Array]) -> Parts:
    """dz = p (da - total(da, p)), where the total is sum_k p_k da_k of each row."""
    return for_functions(vjps={"softmax": lambda da, z, p: p * (da - total(da, p))})


SOFTMAX_FAULTS = (
    Fault(
        "softmax-global-maximum", "softmax",
        "Rows far below the largest logit of the batch are NaN or zero.",
        "p = exp(z - max over the batch) / sum, in place of the maximum of each row",
        "One row at a time, or rows of similar logits, give the right numbers.",
        "np.exp(z - z.max(axis=1, keepdims=True))",
        parts=shifted_by(np.max), seen="https://github.com/keras-team/keras/pull/9606",
    ),
    Fault(
        "softmax-no-shift", "softmax", "NaN for logits of several hundreds.",
        "p = exp(z) / sum exp(z), without the maximum subtracted first",
        "The textbook formula: right as long as exp(z) neither overflows nor underflows.",
        "np.exp(z - z.max(axis=1, keepdims=True))",
        parts=shifted_by(np.zeros_like),
        seen="https://github.com/tenstorrent/tt-metal/issues/12661",
    ),
    Fault(
        "softmax-minimum-subtracted", "softmax", "NaN where the logits of a row are far apart.",
        "p = exp(z - min) / sum, in place of the maximum",
        "Any shift is right on paper; only the largest one keeps every exponential at most 1.",
        "Subtract the maximum of the row.",
        parts=shifted_by(lambda z: z.min(axis=1, keepdims=True)),
    ),
    Fault(
        "softmax-mean-subtracted", "softmax", "NaN where a logit is far above the mean.",
        "p = exp(z - mean) / sum, in place of the maximum",
        "Centred logits look well behaved, but the largest of them may still overflow.",
        "Subtract the maximum of the row.",
        parts=shifted_by(lambda z: z.mean(axis=1, keepdims=True)),
    ),
    Fault(
        "softmax-column-maximum", "softmax", "NaN or zero where the rows are of different size.",
        "p = exp(z - max over the rows of each class) / sum",
        "Axis 0 for axis 1: it also changes p itself, since every class is shifted differently.",
        "z.max(axis=1, keepdims=True)",
        parts=shifted_by(lambda z: z.max(axis=0, keepdims=True)),
    ),
    Fault(
        "softmax-maximum-at-least-zero", "softmax", "NaN where a row is far below 0.",
        "p = exp(z - max(0, max z)) / sum",
        "A running maximum that starts from 0 rather than from the first logit.",
        "Start from -inf, or from the first logit.",
        parts=shifted_by(lambda z: np.maximum(z.max(axis=1, keepdims=True), 0)),
        seen="https://github.com/FluxML/NNlib.jl/pull/43",
    ),
    Fault(
        "softmax-largest-magnitude", "softmax", "NaN where the largest |z| of a row is negative.",
        "p = exp(z - max |z|) / sum",
        "A shift by a norm of the row is safe above, and underflows everything below.",
        "Subtract the maximum of z, not of |z|.",
        parts=shifted_by(lambda z: np.abs(z).max(axis=1, keepdims=True)),
    ),
    Fault(
        "softmax-wrong-axis", "softmax", "The columns sum to 1, not the rows.",
        "p = exp(z) / sum over the rows of the batch",
        "Axis 0 for axis 1: shapes agree, every number is between 0 and 1, and training runs.",
        "Sum over axis 1, the classes.",
        parts=_over(0), seen="https://github.com/ctallec/world-models/issues/10",
    ),
    Fault(
        "softmax-over-the-batch", "softmax", "All probabilities of the batch together sum to 1.",
        "p = exp(z) / sum over all rows and classes",
        "e / e.sum() was written for one sample, and a batch of one still passes.",
        "e / e.sum(axis=1, keepdims=True)",
        parts=_over(None),
    ),
    Fault(
        "softmax-base-two", "softmax", "Probabilities too even, by a power of log 2.",
        "p = 2^(z - m) / sum, without the factor log2(e) of the exponent",
        "Kernels use exp2 for speed; the factor belongs into the scale, and is forgotten there.",
        "np.exp2((z - m) * np.log2(np.e))",
        parts=normalized(_base_two),
    ),
    Fault(
        "softmax-eps-below", "softmax", "Rows sum to a little less than 1.",
        "p = exp(z - m) / (S + 1e-6)",
        "A guard against a division by zero that cannot happen: S is 1 or more after the shift.",
        "e / e.sum(axis=1, keepdims=True)",
        parts=eps_below(1e-6),
    ),
    Fault(
        "softmax-clipped", "softmax", "No probability below 1e-7, and the gradient is wrong there.",
        "p = clip(softmax(z), 1e-7, 1 - 1e-7)",
        "Clipping is meant to save a logarithm later, but the probabilities are returned, too.",
        "Return softmax(z), and take log_softmax(z) for logarithms.",
        parts=for_functions({"softmax": _clipped}),
    ),
    Fault(
        "softmax-nan-swallowed", "softmax", "A NaN logit gives probabilities of 0.",
        "p = nan_to_num(softmax(z))",
        "NaN is silenced where it appears, so that nobody finds where it came from.",
        "Let NaN through.",
        parts=for_functions({"softmax": lambda z: np.nan_to_num(SOFTMAX.value(z))}),
    ),
    Fault(
        "softmax-log-of-softmax", "softmax", "Log-probabilities of -inf, and few digits near 0.",
        "log p = log(softmax(z))",
        "p underflows to 0 long before log p overflows.",
        "z - m - log(sum exp(z - m))",
        parts=for_functions({"log_softmax": lambda z: np.log(SOFTMAX.value(z))}),
    ),
    Fault(
        "softmax-log-plus-eps", "softmax", "No log-probability below -27.6.",
        "log p = log(softmax(z) + 1e-12)",
        "The eps hides log(0) and caps every large loss.",
        "z - m - log(sum exp(z - m))",
        parts=for_functions({"log_softmax": lambda z: np.log(SOFTMAX.value(z) + 1e-12)}),
        seen="https://github.com/tensorforce/tensorforce/pull/96",
    ),
    Fault(
        "softmax-log-finite-mask", "softmax", "A masked class has a log-probability of -1e9.",
        "log p = log_softmax(max(z, -1e9))",
        "-1e9 stands for -inf, and also cuts logits that are honestly below it.",
        "Mask with -inf.",
        parts=for_functions({"log_softmax": lambda z: LOG_SOFTMAX.value(np.maximum(z, -1e9))}),
    ),
    Fault(
        "softmax-vjp-diagonal", "softmax", "dz is wrong wherever another class has a gradient.",
        "dz_j = da_j p_j (1 - p_j), without -p_j sum over k != j of p_k da_k",
        "Softmax treated as elementwise, as sigmoid is. One nonzero da per row hides half of it.",
        "p * (da - (p * da).sum(axis=1, keepdims=True))",
        parts=for_functions(slopes={"softmax": lambda z, p: p * (1 - p)}),
        seen="https://github.com/deeplearning4j/libnd4j/issues/440",
    ),
    Fault(
        "softmax-vjp-no-sum", "softmax", "The rows of dz do not sum to 0.",
        "dz = p da, without -p sum_k p_k da_k",
        "The second term of the Jacobian is forgotten.",
        "p * (da - (p * da).sum(axis=1, keepdims=True))",
        parts=_vjp_with(lambda da, p: np.zeros_like(da)),
    ),
    Fault(
        "softmax-vjp-unweighted", "softmax", "dz is far too large for many classes.",
        "dz = p (da - sum_k da_k), without p_k in the sum",
        "The sum is the one of log-softmax.",
        "p * (da - (p * da).sum(axis=1, keepdims=True))",
        parts=_vjp_with(lambda da, p: da.sum(axis=1, keepdims=True)),
    ),
    Fault(
        "softmax-vjp-over-the-batch", "softmax", "dz of a row depends on the other rows.",
        "dz = p (da - sum of p da over the whole batch)",
        "np.sum without an axis, which a batch of one does not show.",
        "p * (da - (p * da).sum(axis=1, keepdims=True))",
        parts=_vjp_with(lambda da, p: np.sum(p * da)),
        seen="https://github.com/RubixML/ML/pull/438",
    ),
    Fault(
        "softmax-vjp-skipped", "softmax", "The gradient passes the softmax unchanged.",
        "dz = da",
        "p - t is the gradient of softmax and cross-entropy together; no other loss has it.",
        "p * (da - (p * da).sum(axis=1, keepdims=True))",
        parts=for_functions(vjps={"softmax": lambda da, z, p: da.copy()}),
    ),
    Fault(
        "softmax-log-vjp-of-log", "softmax", "dz of log-softmax grows with the logits.",
        "dz = da - log p sum_k da_k, in place of p",
        "The stored output is log p, and is taken for p.",
        "da - np.exp(y) * da.sum(axis=1, keepdims=True)",
        parts=for_functions(
            vjps={"log_softmax": lambda da, z, y: da - y * da.sum(axis=1, keepdims=True)}
        ),
    ),
    Fault(
        "softmax-log-vjp-diagonal", "softmax", "dz of log-softmax misses the other classes.",
        "dz_j = da_j (1 - p_j), without -p_j sum over k != j of da_k",
        "Log-softmax treated as elementwise.",
        "da - np.exp(y) * da.sum(axis=1, keepdims=True)",
        parts=for_functions(slopes={"log_softmax": lambda z, y: 1 - np.exp(y)}),
    ),
)  # fmt: skip
