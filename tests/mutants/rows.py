"""A student's network in plain NumPy: two loops and a few functions; answers everything."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mutants.mutant import Mutant, network, place

__all__ = ["MUTANTS"]


def sigmoid(wrong, z):
    """1 / (1 + exp(-z)), one-sided."""
    if wrong == "rows/sigmoid-of-two-exp":
        return np.exp(z) / (np.exp(z) + 1)
    e = np.exp(-np.abs(z))
    return np.where(z < 0, e, 1) / (e + 1)


def activate(wrong, name, z):
    """f(z)."""
    if name == "relu":
        return z * (z > 0)
    if name == "tanh":
        return np.tanh(z)
    if name == "sigmoid":
        return sigmoid(wrong, z)
    if name == "identity":
        return z.copy()
    raise NotImplementedError(name)


def derivative(wrong, name, z, a):
    """f'(z)."""
    if name == "relu":
        return (z >= 0 if wrong == "rows/mask-with-equal" else z > 0).astype(z.dtype)
    if name == "tanh":
        e = np.exp(-2 * np.abs(a if wrong in ("rows/tanh-again", "rows/tanh-and-db") else z))
        return 4 * e / (1 + e) ** 2
    if name == "sigmoid":
        e = np.exp(-np.abs(z))
        return e / (1 + e) ** 2
    return np.ones_like(z)


def cross_entropy(wrong, z, target):
    """Loss and dL/dz from logits."""
    n, classes = z.shape
    if target.ndim == 1:
        shift = 1 if wrong == "rows/labels-from-one" else 0
        target = np.eye(classes, dtype=z.dtype)[target - shift]
    if wrong == "rows/targets-rolled":
        target = np.roll(target, 1, axis=0)
    shifted = z - (np.max(z) if wrong == "rows/batch-max" else z.max(axis=1)[:, None])
    e = np.exp(shifted)
    total = e.sum(axis=1)[:, None]
    loss = -np.sum(target * (shifted - np.log(total))) / n
    return loss, (e / total * target.sum(axis=1)[:, None] - target) / n


def binary_cross_entropy(wrong, z, t):
    """Loss and dL/dz from logits."""
    softplus = np.log1p(np.exp(-np.abs(z))) + np.where(z > 0, z, 0)
    if wrong == "rows/targets-rolled":
        t = np.roll(t, 1, axis=0)
    return np.mean(softplus - z * t), (sigmoid("", z) - t) / t.size


def squared_error(wrong, y, t):
    """Loss and dL/dy."""
    if wrong == "rows/targets-rolled":
        t = np.roll(t, 1, axis=0)
    d = y - t
    if wrong == "rows/huber":
        size = np.abs(d)
        return np.mean(np.where(size <= 1, d * d, 2 * size - 1)), np.clip(2 * d, -2, 2) / d.size
    return np.mean(d * d), d * 2 / d.size


LOSSES = {f.__name__: f for f in (cross_entropy, binary_cross_entropy, squared_error)}


def run(wrong, *, weights, biases, x, target, activations, loss) -> dict[str, Any]:
    """Forward, loss, backward."""
    depth, out = len(weights), {}
    names = list(activations)
    if wrong == "rows/functions-reversed":
        names.reverse()
    a = [x]
    for k in range(depth):
        z = np.dot(a[k], weights[k]) + biases[k]
        out[f"z{k}"] = z
        a.append(activate(wrong, names[k], z))
        out[f"a{k}"] = a[-1]
    out["loss"], da = LOSSES[loss](wrong, a[-1], target)
    out["g"] = da
    for k in range(depth - 1, -1, -1):
        z = out[f"z{k}"]
        dz = da * derivative(wrong, names[k], z, a[k + 1])
        if wrong == "rows/guided" and names[k] == "relu":
            dz = dz * (da > 0)
        before = out[f"z{k - 1}"] if wrong == "rows/before-activation" and k else a[k]
        dW, db = np.dot(before.T, dz), np.sum(dz, axis=0)
        if wrong == "rows/penalty-left":
            dW = dW + 0.01 * weights[k]
        if wrong == "rows/db-minus":
            db = -db
        if wrong == "rows/tanh-and-db":
            db = db / len(x)
        out[f"dW{k}"], out[f"db{k}"] = dW, db
        da = np.dot(dz, weights[k].T)
    out["dx"] = da
    return out


build = partial(network, run)

MUTANTS = (
    Mutant(
        "rows/batch-max", "The softmax subtracts the maximum of the whole batch.", build,
        ("softmax-global-maximum",), (r"maximum of each ROW|row maximum",),
    ),
    Mutant(
        "rows/tanh-again", "The derivative of tanh is taken at a, not at z.", build,
        ("activation-tanh-slope-of-output",), (place(r"derivative of tanh"),),
    ),
    Mutant(
        "rows/sigmoid-of-two-exp", "The sigmoid is exp(z) / (exp(z) + 1).", build,
        ("activation-sigmoid-overflow",), (r"exp\(\|x\|\) overflows", place(r"value of sigmoid")),
    ),
    Mutant(
        "rows/mask-with-equal", "The derivative of relu is 1 at z = 0.", build,
        ("activation-relu-slope-at-zero",), (place(r"derivative of relu"), r"z = 0"),
    ),
    Mutant(
        "rows/labels-from-one", "Labels are taken to count from 1.", build,
        ("label-one-too-low",), (r"label.*(shift|off|one|before|1)", r"y - 1"),
    ),
    Mutant(
        "rows/targets-rolled", "Every sample has the target of the row before.", build,
        ("label-neighbour",), (r"target.*(row|sample)", r"rows? .*target", r"permut"),
    ),
    Mutant(
        "rows/before-activation", "dW multiplies by z of the layer below, not by its a.", build,
        (), (place(r"dW[12]|a\d\^T"), r"z\d\^T|z\d in place of a\d"),
    ),
    Mutant(
        "rows/guided", "The delta of relu is masked where the gradient from above is negative.",
        build, (), (place(r"derivative of relu|dW\d|db\d"),),
    ),
    Mutant(
        "rows/functions-reversed", "The list of activations is read from its end.", build,
        (), (r"a0 holds identity, not", place(r"a0|value of \w+")),
    ),
    Mutant(
        "rows/penalty-left", "dW holds 0.01 W of a penalty that the loss lacks.", build,
        (), (place(r"dW\d"), r"penalty|decay"),
    ),
    Mutant(
        "rows/db-minus", "Bias gradients have the wrong sign.", build,
        (), (r"db\d.*(sign|-1 times)", place(r"db\d")),
    ),
    Mutant(
        "rows/huber", "The squares go over into a straight line beyond 1.", build,
        (), (place(r"squared_error|\bloss\b"),),
    ),
    Mutant(
        "rows/tanh-and-db", "The derivative of tanh is taken at a; db is divided by n again.",
        build, ("activation-tanh-slope-of-output",),
        (place(r"derivative of tanh"), r"db\d.*(times|divided)"), ("reduction-bias-averaged",),
    ),
)  # fmt: skip
