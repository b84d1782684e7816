"""One vector of parameters and einsum, trained in place; operations mlp and train_step."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from mutants.mutant import Mutant, place, questions

__all__ = ["MUTANTS"]


def value(name, z):
    """f(z) and f'(z)."""
    if name == "tanh":
        e = np.exp(-2 * np.abs(z))
        return np.tanh(z), 4 * e / np.square(1 + e)
    if name == "relu":
        return np.where(z > 0, z, 0 * z), np.heaviside(z, 0).astype(z.dtype)
    if name == "identity":
        return +z, z * 0 + 1
    if name in ("sigmoid", "silu"):
        e = np.exp(-np.abs(z))
        s, q = np.where(z < 0, e, 1) / (1 + e), np.where(z < 0, 1, e) / (1 + e)
        return (s, s * q) if name == "sigmoid" else (z * s, s * (1 + z * q))
    raise NotImplementedError(name)


def loss_of(name, z, t):
    """Loss and gradient."""
    if name == "squared_error":
        d = z - t
        return np.einsum("nc,nc->", d, d) / d.size, 2 * d / d.size
    if name != "cross_entropy":
        raise NotImplementedError(name)
    t = np.identity(z.shape[1], z.dtype)[t] if t.ndim == 1 else t
    top = z.max(1)[:, None]
    e = np.exp(z - top)
    total = np.einsum("nc->n", e)[:, None]
    loss = np.einsum("nc,nc->", t, top + np.log(total) - z) / len(z)
    return loss, (e * (t.sum(1)[:, None] / total) - t) / len(z)


def views(theta, sizes):
    """The layers of a vector."""
    found, at = [], 0
    for i, o in pairwise(sizes):
        found.append((theta[at : at + i * o].reshape(i, o), theta[at + i * o : at + i * o + o]))
        at += i * o + o
    return found


def passes(wrong, theta, sizes, x, target, names, loss, lr=0.0) -> dict[str, Any]:
    """Forward and backward."""
    layers, out, saved, a = views(theta, sizes), {}, [], x
    for k, ((W, b), name) in enumerate(zip(layers, names, strict=True)):
        z = np.einsum("ni,io->no", a, W) + b
        y, slope = value(name, z)
        saved.append((a, slope))
        out[f"z{k}"], out[f"a{k}"], a = z, y, y
    out["loss"], delta = loss_of(loss, a, target)
    if wrong == "flat/scaled-for-half":
        delta = delta * 1024
    out["g"] = delta
    for k, (W, _) in reversed([*enumerate(layers)]):
        a, slope = saved[k]
        delta = delta * slope
        if wrong == "flat/slope-on-both-sides":
            delta = delta * slope
        out[f"dW{k}"] = np.einsum("ni,no->io", a, delta)
        out[f"db{k}"] = np.einsum("no->o", delta)
        if wrong == "flat/db-is-a-mean":
            out[f"db{k}"] = out[f"db{k}"] / len(x)
        if wrong == "flat/one-number-of-db":
            out[f"db{k}"] = np.full_like(out[f"db{k}"], delta.sum())
        if wrong == "flat/updated-on-the-way":
            delta = np.einsum("no,io->ni", delta, W - lr * out[f"dW{k}"])
        else:
            delta = np.einsum("no,io->ni", delta, W)
        if wrong == "flat/mean-per-layer":
            delta = delta / len(x)
    if wrong == "flat/norm-at-most-1":
        names = [f"{part}{k}" for k in range(len(layers)) for part in ("dW", "db")]
        norm = np.sqrt(sum(np.vdot(out[name], out[name]) for name in names))
        out |= {name: out[name] / max(norm, 1) for name in names}
    return out | {"dx": delta}


def step(wrong, p, theta, g, inputs) -> dict[str, Any]:
    """Parameters and moments after one step."""
    own = np.full(theta.shape, p["weight_decay"], theta.dtype)
    if wrong == "flat/biases-without-decay":
        for _, b in views(own, p["sizes"]):
            b[:] = 0
    if p["method"] == "sgd":
        g = g + own * theta
        if "v" not in inputs:
            return {"params": theta - p["lr"] * g}
        v = inputs["v"] * p["momentum"] + g
        move = g + p["momentum"] * v if p["nesterov"] else v
        return {"params": theta - p["lr"] * move, "v": v}
    decoupled = p["method"] == "adamw"
    g = g if decoupled else g + own * theta
    m = inputs["m"] + (1 - p["beta1"]) * (g - inputs["m"])
    v = inputs["v"] * p["beta2"] + (1 - p["beta2"]) * g**2
    c1, c2 = (1 - p[name] ** (p["t"] + 1) for name in ("beta1", "beta2"))
    after = theta * (1 - p["lr"] * own) if decoupled else theta
    return {"params": after - p["lr"] * (m / c1) / (np.sqrt(v / c2) + p["eps"]), "m": m, "v": v}


def run(wrong, question) -> dict[str, Any]:
    """The answer to a question."""
    p, i = question.parameters, question.inputs
    if question.operation == "mlp":
        depth = len(p["activations"])
        sizes = [i["x"].shape[1], *(i[f"b{k}"].size for k in range(depth))]
        theta = np.concatenate([i[f"{q}{k}"].ravel() for k in range(depth) for q in "Wb"])
        return passes(wrong, theta, sizes, i["x"], i["target"], p["activations"], p["loss"])
    theta, sizes = i["params"], p["sizes"]
    found = passes(wrong, theta, sizes, i["x"], i["target"], p["activations"], p["loss"], p["lr"])
    depth = len(sizes) - 1
    grads = np.concatenate([found[f"d{q}{k}"].ravel() for k in range(depth) for q in "Wb"])
    return {"loss": found["loss"], "grads": grads, **step(wrong, p, theta, grads, i)}


build = partial(questions, run, operations=("mlp", "train_step"))

MUTANTS = (
    Mutant(
        "flat/db-is-a-mean", "db is the mean over the rows of what is a mean already.", build,
        ("reduction-bias-averaged",), (r"db\d.*(divided by the \d+ rows twice|times)",),
    ),
    Mutant(
        "flat/one-number-of-db", "db is summed over the outputs, too.", build,
        ("reduction-bias-of-all-outputs",), (r"db\d.*(equal|outputs)", place(r"db\d")),
    ),
    Mutant(
        "flat/mean-per-layer", "The delta is divided by the batch on its way down.", build,
        ("reduction-input-gradient-averaged",), (r"divided by the \d+ rows twice", r"1/\d+ times"),
    ),
    Mutant(
        "flat/slope-on-both-sides", "The delta is multiplied by the derivative twice.", build,
        ("activation-slope-twice",), (place(r"derivative"), r"derivative.*twice"),
    ),
    Mutant(
        "flat/updated-on-the-way", "Weights are updated before the delta has passed them.", build,
        (), (place(r"\bgrads\b|layer 0"),),
    ),
    Mutant(
        "flat/norm-at-most-1", "Gradients of a norm above 1 are scaled down.", build,
        (), (place(r"dW\d|\bgrads\b"), r"\bnorm\b"),
    ),
    Mutant(
        "flat/scaled-for-half", "Gradients keep the loss scale of 1024.", build,
        (), (r"1024 times",),
    ),
    Mutant(
        "flat/biases-without-decay", "Biases do not decay.", build,
        ("optimizer-decay-spares-biases",), (r"[Bb]ias.*decay|decay.*bias",),
    ),
)  # fmt: skip
