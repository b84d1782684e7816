"""Losses from logits, vectorized with einsum and indices; operation loss, and log_softmax."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mutants.mutant import Mutant, place, questions

__all__ = ["MUTANTS"]


def log_softmax(wrong, z):
    """Log-probabilities and probabilities."""
    top = np.take_along_axis(z, z.argmax(1)[:, None], 1)
    if wrong == "losses/log-of-exp":
        p = np.exp(z - top)
        p = p / np.einsum("nc->n", p)[:, None]
        return np.log(p), p
    shifted = z - top
    logs = shifted - np.log(np.einsum("nc->n", np.exp(shifted)))[:, None]
    return logs, np.exp(logs)


def cross_entropy(wrong, z, target):
    """The terms of the rows, and their gradients."""
    logs, p = log_softmax(wrong, z)
    if target.ndim == 1:
        if wrong == "losses/class-0-is-padding":
            return None
        hot = np.zeros_like(z)
        hot[np.arange(len(z)), target] = 1
        target = hot
    elif wrong == "losses/argmax-of-targets":
        target = (target.argmax(1)[:, None] == np.arange(z.shape[1])).astype(z.dtype)
    if wrong == "losses/smoothed":
        target = 0.9 * target + 0.1 / z.shape[1]
    if wrong == "losses/safe-log":
        logs = np.log(p + 1e-10)
    terms = -np.einsum("nc,nc->n", target, logs)
    g = np.einsum("nc,n->nc", p, target.sum(1)) - target
    if wrong == "losses/of-squares":
        d = p - target
        g = 2 * p * (d - np.einsum("nc,nc->n", p, d)[:, None])
    return terms[:, None], g


def binary_cross_entropy(wrong, z, t):
    """The terms of the entries, and their gradients."""
    if wrong == "losses/saturates":
        z = np.clip(z, -20, 20)
    e = np.exp(-np.abs(z))
    p = np.where(z < 0, e, 1) / (1 + e)
    if wrong == "losses/ones-only":
        return t * (np.maximum(-z, 0) + np.log1p(e)), p - t
    if wrong == "losses/chain-rule-again":
        return np.maximum(z, 0) - z * t + np.log1p(e), (p - t) * e / (1 + e) ** 2
    return np.maximum(z, 0) - z * t + np.log1p(e), p - t


def squared_error(wrong, z, t):
    """The terms of the entries, and their gradients."""
    if wrong == "losses/absolute":
        return np.abs(z - t), np.sign(z - t)
    return (z - t) ** 2, 2 * (z - t)


FUNCTIONS = {f.__name__: f for f in (cross_entropy, binary_cross_entropy, squared_error)}


def mean(wrong, terms, g):
    """The mean of the terms, and its gradient."""
    n, entries = len(terms), terms.size
    if wrong == "losses/batch-of-64":
        return terms.sum() / (64 * terms.shape[1]), g / (64 * terms.shape[1])
    if wrong == "losses/over-all-entries":
        return terms.sum() / g.size, g / g.size
    if wrong == "losses/unbiased" and n > 1:
        entries = (n - 1) * terms.shape[1]
    if wrong == "losses/shards-of-3":
        parts = [slice(k, k + 3) for k in range(0, n, 3)]
        weights = np.concatenate([np.full_like(terms[s], 1 / terms[s].size) for s in parts])
        return (terms * weights).sum() / len(parts), g * weights / len(parts)
    if wrong == "losses/total":
        return terms.sum(), g / entries
    return terms.sum() / entries, g / entries


def run(wrong, question) -> dict[str, Any]:
    """The answer to a question."""
    inputs = question.inputs
    if question.operation == "log_softmax":
        logs, p = log_softmax(wrong, inputs["x"])
        dx = inputs["g"] - p * np.einsum("nc->n", inputs["g"])[:, None]
        if wrong == "losses/logs-for-probabilities":
            dx = inputs["g"] - logs * np.einsum("nc->n", inputs["g"])[:, None]
        return {"y": logs, "dx": dx}
    z, target = inputs["z"], inputs["target"]
    found = FUNCTIONS[question.parameters["loss"]](wrong, z, target)
    if found is None:  # rows of class 0 are left out
        kept = target != 0
        terms, part = cross_entropy("", z[kept], target[kept])
        g = np.zeros_like(z)
        g[kept] = part / max(kept.sum(), 1)
        return {"loss": terms.sum() / z.dtype.type(max(kept.sum(), 1)), "g": g.astype(z.dtype)}
    loss, g = mean(wrong, *found)
    return {"loss": loss, "g": g}


build = partial(
    questions, run, operations=("loss", "log_softmax"),
    conventions=("finite-logits", "finite-inputs"),
)  # fmt: skip

MUTANTS = (
    Mutant(
        "losses/log-of-exp", "The logarithm is taken of rounded probabilities.", build,
        ("softmax-log-of-softmax", "loss-log-of-probability"), (r"log\(p\)|log\(softmax",),
    ),
    Mutant(
        "losses/logs-for-probabilities", "The gradient of log-softmax has log p for p.", build,
        ("softmax-log-vjp-of-log",), (place(r"\bdx\b"), r"log p"),
    ),
    Mutant(
        "losses/safe-log", "The loss is -log(p + 1e-10).", build,
        ("loss-log-plus-eps",), (r"\beps\b|\+ 1e-", place(r"the loss itself")),
    ),
    Mutant(
        "losses/argmax-of-targets", "Soft targets count as the label of the largest.", build,
        ("loss-largest-class",), (r"largest",),
    ),
    Mutant(
        "losses/class-0-is-padding", "Rows of class 0 are left out.", build,
        ("label-zero-ignored",), (r"class 0",),
    ),
    Mutant(
        "losses/smoothed", "Targets are smoothed, in loss and gradient.", build,
        ("loss-smoothing-in-value",), (r"smooth", place(r"cross_entropy")),
        ("loss-smoothing-in-gradient",),
    ),
    Mutant(
        "losses/of-squares", "The gradient is that of the squares of p - t.", build,
        ("loss-gradient-of-square",), (place(r"gradient with respect to the output"),),
    ),
    Mutant(
        "losses/saturates", "Logits beyond 20 are clipped.", build,
        ("loss-binary-clipped-logits",), (r"clip",),
    ),
    Mutant(
        "losses/ones-only", "Targets of 0 cost nothing.", build,
        ("loss-binary-one-term",), (r"1 - t|targets of 0",),
    ),
    Mutant(
        "losses/chain-rule-again", "The gradient has the derivative of the sigmoid once more.",
        build, ("loss-binary-slope-twice",),
        (r"derivative of (the )?sigmoid|p \(1 - p\)", place(r"gradient with")),
    ),
    Mutant(
        "losses/absolute", "The loss is the mean of |z - t|, with its gradient.", build,
        ("loss-squared-absolute",), (r"absolute", place(r"squared_error")),
    ),
    Mutant(
        "losses/batch-of-64", "Sums are divided by 64, whatever the batch.", build,
        ("reduction-fixed-batch",), (r"\b64\b", r"batch size"),
    ),
    Mutant(
        "losses/over-all-entries", "The cross-entropy is divided by all entries.", build,
        ("reduction-entries-for-rows",), (r"divided by the \d+ classes",),
    ),
    Mutant(
        "losses/unbiased", "Sums are divided by n - 1.", build,
        ("reduction-one-less",), (r"n - 1", r"\d+/\d+ times|1\.\d+ times"),
    ),
    Mutant(
        "losses/shards-of-3", "Means of shards of 3 rows are averaged.", build,
        ("reduction-mean-of-means",), (r"shard", r"rows? .*weigh"),
    ),
    Mutant(
        "losses/total", "The loss is a sum, its gradient that of the mean.", build,
        ("reduction-loss-summed",), (r"summed",),
    ),
)  # fmt: skip
