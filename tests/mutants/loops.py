"""Pure Python: lists of floats, one sample at a time; loss and parameter gradients only."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from mutants.mutant import Mutant, network, place

__all__ = ["MUTANTS"]


def tanh_slope(z):
    """1 / cosh(z)^2 without overflow."""
    e = math.exp(-2 * abs(z))
    return 4 * e / (1 + e) ** 2


def sigmoid(z):
    """Either of two forms, neither of which overflows."""
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


VALUE = {
    "identity": lambda z: z,
    "relu": lambda z: z if z > 0 else 0.0,
    "tanh": math.tanh,
    "sigmoid": sigmoid,
}
SLOPE = {
    "identity": lambda z: 1.0,
    "relu": lambda z: 1.0 if z > 0 else 0.0,
    "tanh": tanh_slope,
    "sigmoid": lambda z: sigmoid(z) * sigmoid(-z),
}


def layer(W, b, a, wrong):
    """Z of one sample."""
    z = []
    for j in range(len(b)):
        total = 0.0 if wrong == "loops/bias-forgotten" else b[j]
        for i in range(len(a)):
            if wrong == "loops/inputs-in-pairs" and i >= len(a) // 2 * 2:
                continue
            total += a[i] * W[i][j]
        z.append(total)
    return z


def loss_of_sample(wrong, loss, y, t):
    """The loss of one sample, and its gradient."""
    if loss == "squared_error":
        d = [p - q for p, q in zip(y, t, strict=True)]
        value = sum(e * e for e in d) / len(d)
        g = [2 * e / len(d) for e in d]
        if wrong == "loops/half-of-the-square":
            value /= 2
        if wrong == "loops/no-two":
            g = [e / 2 for e in g]
        return value, g
    if loss != "cross_entropy":
        raise NotImplementedError(loss)
    top = max(y)
    total = math.log(sum(math.exp(v - top) for v in y))
    logs = [v - top - total for v in y]
    if wrong == "loops/only-the-label":
        g = [math.exp(v) - 1 if k == t else 0.0 for k, v in enumerate(logs)]
    else:
        g = [math.exp(v) - (k == t) for k, v in enumerate(logs)]
    return -logs[t], g


def asked_too_much(x, biases, target, activations, loss):
    """Raises NotImplementedError."""
    if target.ndim == 2 and loss == "cross_entropy":
        raise NotImplementedError("labels only")
    if x.size * biases[0].size > 3000:
        raise NotImplementedError("too large for pure Python")
    if not set(activations) <= set(VALUE):
        raise NotImplementedError("some activations only")


def batch(wrong, rows, targets):
    """The samples that are looked at."""
    if wrong == "loops/last-row-is-the-first":
        return [*rows[:-1], rows[0]], [*targets[:-1], targets[0]]
    if wrong == "loops/one-row-less" and len(rows) > 1:
        return rows[:-1], targets[:-1]
    return rows, targets


def run(wrong, *, weights, biases, x, target, activations, loss) -> dict[str, Any]:
    """Sample by sample; gradients are added up."""
    asked_too_much(x, biases, target, activations, loss)
    Ws, bs = [W.tolist() for W in weights], [b.tolist() for b in biases]
    rows, targets = batch(wrong, x.tolist(), target.tolist())
    count = 1 if wrong == "loops/never-divided" else len(rows)
    dWs = [[[0.0] * len(b) for _ in W] for W, b in zip(Ws, bs, strict=True)]
    dbs = [[0.0] * len(b) for b in bs]
    mean = 0.0
    for sample, t in zip(rows, targets, strict=True):
        before, zs = [sample], []
        for W, b, name in zip(Ws, bs, activations, strict=True):
            zs.append(layer(W, b, before[-1], wrong))
            before.append([VALUE[name](z) for z in zs[-1]])
        value, delta = loss_of_sample(wrong, loss, before[-1], t)
        mean += value / len(rows)
        for k in reversed(range(len(Ws))):
            if wrong != "loops/no-slope" or k == len(Ws) - 1:
                slope = SLOPE[activations[k]]
                delta = [d * slope(z) for d, z in zip(delta, zs[k], strict=True)]
            for j, d in enumerate(delta):
                dbs[k][j] += d / count
                for i, a in enumerate(before[k]):
                    dWs[k][i][j] += a * d / count
            delta = [sum(d * w for d, w in zip(delta, row, strict=True)) for row in Ws[k]]
    if wrong == "loops/one-entry":
        dWs[0][0][-1] *= 1 + 2e-4
    out = {"loss": mean}
    for k in range(len(Ws)):
        out |= {f"dW{k}": dWs[k], f"db{k}": dbs[k]}
    return {name: np.array(value, x.dtype) for name, value in out.items()}


build = partial(network, run)

MUTANTS = (
    Mutant(
        "loops/never-divided", "Gradients are added over the samples and never divided.", build,
        ("reduction-gradient-summed",), (r"summed over the \d+ rows",),
    ),
    Mutant(
        "loops/one-row-less", "The loop ends one sample early, and divides by what it saw.", build,
        ("reduction-last-sample",), (r"last (row|sample)",),
    ),
    Mutant(
        "loops/last-row-is-the-first", "The batch is filled up with its first sample.", build,
        (), (r"last (row|sample)", r"\brow \d", place(r"\bloss\b|dW\d")),
    ),
    Mutant(
        "loops/half-of-the-square", "The loss is half of the mean square, its gradient is not.",
        build, ("loss-squared-half",), (r"not half of it", r"loss is (1/2|0\.5) times"),
    ),
    Mutant(
        "loops/no-two", "The gradient of the square lacks its factor 2.", build,
        ("loss-squared-no-two",), (r"(1/2|0\.5) times",),
    ),
    Mutant(
        "loops/only-the-label", "Only the class of the label has a gradient.", build,
        ("loss-gradient-at-label",), (r"column of the label|other classes",),
    ),
    Mutant(
        "loops/bias-forgotten", "Sums start at 0, not at the bias.", build,
        ("dense-no-bias",), (r"without (the|its) bias",),
    ),
    Mutant(
        "loops/inputs-in-pairs", "Sums run over pairs of inputs; the odd one is left.", build,
        ("dense-tile-remainder",), (r"last input", r"inputs? .*multiple"),
    ),
    Mutant(
        "loops/no-slope", "Hidden layers pass the delta without the derivative.", build,
        ("activation-slope-forgotten",), (place(r"derivative"), r"without .*derivative"),
    ),
    Mutant(
        "loops/one-entry", "One entry of dW0 is 0.02 % too large.", build,
        ("entry-relative-1e-3", "entry-relative-1e-6", "entry-relative-1e-9",
         "entry-relative-1e-12"), (r"dW0\[0, ?\d+\]", r"one entry"),
    ),
)  # fmt: skip
