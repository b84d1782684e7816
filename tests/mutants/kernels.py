"""All eight operations, as a library of kernels has them: one product, blocked, used everywhere."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from mutants.mutant import Mutant, place, questions

__all__ = ["MUTANTS"]

OPERATIONS = (
    "activation", "dense", "softmax", "log_softmax", "loss", "mlp", "optimizer", "train_step",
)  # fmt: skip
BLOCK = 8


def narrowed(x, bits):
    """Float32 with so many bits cut off, not rounded."""
    words = x.astype(np.float32).view(np.uint32) & np.uint32(0xFFFFFFFF << bits & 0xFFFFFFFF)
    return words.view(np.float32).astype(x.dtype)


def product(wrong, A, B):
    """A @ B, summed in blocks of the inner index."""
    dtype = A.dtype
    if wrong == "kernels/tensor-cores":
        A, B = narrowed(A, 13), narrowed(B, 13)
    if wrong == "kernels/upper-half-words":
        A, B = narrowed(A, 16), narrowed(B, 16)
    if wrong == "kernels/half":
        A, B = A.astype(np.float16).astype(dtype), B.astype(np.float16).astype(dtype)
    if wrong == "kernels/float-product":
        A, B = A.astype(np.float32), B.astype(np.float32)
    C = np.zeros((A.shape[0], B.shape[1]), A.dtype)
    inner = A.shape[1]
    if wrong == "kernels/whole-blocks":
        inner -= inner % BLOCK if inner > BLOCK else 0
    for k in range(0, inner, BLOCK):
        C += A[:, k : min(k + BLOCK, inner)].dot(B[k : min(k + BLOCK, inner)])
    return C.astype(dtype)


def exp_parts(x):
    """Max(x, 0), exp(-|x|) and both of sigmoid(x), sigmoid(-x)."""
    e = np.exp(-np.abs(x))
    hi, lo = 1 / (1 + e), e / (1 + e)
    return e, np.where(x < 0, lo, hi), np.where(x < 0, hi, lo)


def unit(wrong, name, x):
    """Value and derivative."""
    e, s, opposite = exp_parts(x)
    if name == "identity":
        return x.copy(), np.ones_like(x)
    if name == "sigmoid":
        return s, s * opposite
    if name == "tanh":
        q = np.exp(-2 * np.abs(x))
        return np.tanh(x), 4 * q / (1 + q) ** 2
    if name in ("relu", "leaky_relu"):
        slope = np.where(x > 0, 1, 0.0 if name == "relu" else 0.01).astype(x.dtype)
        y = np.where(x > 0, x, x * slope)
        return (np.minimum(y, 6) if wrong == "kernels/mobile" and name == "relu" else y), slope
    if name == "elu":
        below = np.minimum(x, 0)
        return np.maximum(x, 0) + np.expm1(below), np.exp(below)
    if name == "softplus":
        return np.log1p(e) + np.maximum(x, 0), s
    if name == "silu":
        return x * s, s + x * s * opposite
    return gaussian(name, x)


def gaussian(name, x):
    """Value and derivative of the forms of GELU."""
    if np.abs(x).max() > 5:
        raise NotImplementedError(f"{name} of moderate inputs only")
    if name == "gelu":
        below = np.array([math.erfc(-v / 2**0.5) / 2 for v in x.flat], x.dtype).reshape(x.shape)
        return x * below, below + x * np.exp(-x * x / 2) * (2 * math.pi) ** -0.5
    if name == "gelu_tanh":
        root = math.sqrt(2 / math.pi)
        _, s, opposite = exp_parts(2 * root * (x + 0.044715 * x * x * x))
        return x * s, s + x * (2 * root) * s * opposite * (1 + 0.134145 * x * x)
    raise NotImplementedError(name)


def logs(z):
    """Log-probabilities."""
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def loss_of(wrong, name, z, t):
    """Loss and gradient."""
    n = len(z)
    if name == "cross_entropy":
        if t.ndim == 1:
            t = np.eye(z.shape[1], dtype=z.dtype)[t]
        lp = logs(z)
        return -(t * lp).sum() / n, (np.exp(lp) * t.sum(axis=1, keepdims=True) - t) / n
    if name == "binary_cross_entropy":
        e, s, _ = exp_parts(z)
        return (np.maximum(z, 0) - t * z + np.log1p(e)).mean(), (s - t) / t.size
    d = z - t
    return (d**2).mean(), d * (2 / d.size)


def layer(wrong, x, W, b):
    """z."""
    if wrong == "kernels/float-weights":
        W = W.astype(np.float32).astype(W.dtype)
    return product(wrong, x, W) + b


def layer_gradients(wrong, x, W, g):
    """dW, db, dx."""
    return product(wrong, x.T, g), g.sum(axis=0), product(wrong, g, W.T)


def mlp(wrong, layers, x, target, names, loss) -> dict[str, Any]:
    """Forward and backward."""
    out, saved = {}, []
    for k, ((W, b), name) in enumerate(zip(layers, names, strict=True)):
        z = layer(wrong, x, W, b)
        y, slope = unit(wrong, name, z)
        saved.append((x, W, slope))
        if wrong == "kernels/float-storage":
            y = y.astype(np.float32).astype(y.dtype)
        out[f"z{k}"], out[f"a{k}"], x = z, y, y
    out["loss"], g = loss_of(wrong, loss, x, target)
    out["g"] = g
    for k, (x, W, slope) in reversed([*enumerate(saved)]):
        out[f"dW{k}"], out[f"db{k}"], g = layer_gradients(wrong, x, W, g * slope)
    return out | {"dx": g}


def update(wrong, p, params, grads, inputs) -> dict[str, Any]:
    """Parameters and moments after a step."""
    lr, decay = p["lr"], p["weight_decay"]
    g = grads if p["method"] == "adamw" else grads + decay * params
    if p["method"] == "sgd":
        if "v" not in inputs:
            return {"params": params - lr * g}
        v = p["momentum"] * inputs["v"] + g
        return {"params": params - lr * (g + p["momentum"] * v if p["nesterov"] else v), "v": v}
    b1, b2, t = p["beta1"], p["beta2"], p["t"] + 1
    m = b1 * inputs["m"] + (1 - b1) * g
    v = b2 * inputs["v"] + (1 - b2) * g * g
    start = params - lr * decay * params if p["method"] == "adamw" else params
    step = lr * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + p["eps"])
    return {"params": start - step, "m": m, "v": v}


def cut(flat, sizes):
    """The layers of a vector of parameters."""
    layers, k = [], 0
    for rows, columns in pairwise(sizes):
        W = flat[k : k + rows * columns].reshape(rows, columns)
        k += rows * columns
        layers.append((W, flat[k : k + columns]))
        k += columns
    return layers


def run(wrong, question) -> dict[str, Any]:
    """The answer to a question."""
    p, i = question.parameters, question.inputs
    if question.operation == "activation":
        y, slope = unit(wrong, p["function"], i["x"])
        return {"y": y, "dx": i["g"] * slope}
    if question.operation == "dense":
        dW, db, dx = layer_gradients(wrong, i["x"], i["W"], i["g"])
        return {"z": layer(wrong, i["x"], i["W"], i["b"]), "dW": dW, "db": db, "dx": dx}
    if question.operation in ("softmax", "log_softmax"):
        y, g = logs(i["x"]), i["g"]
        q = np.exp(y)
        if question.operation == "log_softmax":
            return {"y": y, "dx": g - q * g.sum(axis=1, keepdims=True)}
        q = np.exp(i["x"] - i["x"].max(axis=1, keepdims=True))
        q /= q.sum(axis=1, keepdims=True)
        return {"y": q, "dx": q * (g - (g * q).sum(axis=1, keepdims=True))}
    if question.operation == "loss":
        value, g = loss_of(wrong, p["loss"], i["z"], i["target"])
        return {"loss": value, "g": g}
    if question.operation == "optimizer":
        return update(wrong, p, i["params"], i["grads"], i)
    if question.operation == "mlp":
        layers = [(i[f"W{k}"], i[f"b{k}"]) for k in range(len(p["activations"]))]
        return mlp(wrong, layers, i["x"], i["target"], p["activations"], p["loss"])
    layers = cut(i["params"], p["sizes"])
    done = mlp(wrong, layers, i["x"], i["target"], p["activations"], p["loss"])
    parts = [done[f"{part}{k}"].ravel() for k in range(len(layers)) for part in ("dW", "db")]
    grads = np.concatenate(parts)
    return {"loss": done["loss"], "grads": grads, **update(wrong, p, i["params"], grads, i)}


build = partial(
    questions, run, operations=OPERATIONS, conventions=("finite-inputs", "finite-logits")
)

MUTANTS = (
    Mutant(
        "kernels/tensor-cores", "Products cut their operands to 11 bits.", build,
        ("precision-tf32-product",), (r"\btf32\b", r"11 bits"),
    ),
    Mutant(
        "kernels/upper-half-words", "Products cut their operands to the 8 bits of bfloat16.", build,
        ("precision-bfloat16-product",), (r"\bbfloat16\b",),
    ),
    Mutant(
        "kernels/half", "Products round their operands to float16.", build,
        ("precision-float16-product",), (r"\bfloat16\b",),
    ),
    Mutant(
        "kernels/float-product", "Products of float64 are computed in float32.", build,
        ("precision-float32-product",), (r"float32", r"single precision"),
    ),
    Mutant(
        "kernels/float-weights", "Weights are stored in float32.", build,
        ("precision-float32-weights",), (r"parameters in single precision", r"float32"),
    ),
    Mutant(
        "kernels/float-storage", "Activations are stored in float32.", build,
        ("precision-float32-activations",), (r"a0 holds numbers of float32", r"float32"),
    ),
    Mutant(
        "kernels/whole-blocks", "What is left of the inner index after whole blocks is dropped.",
        build, ("dense-tile-remainder",), (r"multiple of", r"last inputs?"),
    ),
    Mutant(
        "kernels/mobile", "ReLU stops at 6; its derivative does not.", build,
        ("activation-relu-six",), (place(r"value of relu"), r"\b6\b"),
    ),
)  # fmt: skip
