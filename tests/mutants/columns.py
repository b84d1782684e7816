"""Samples are columns and W is (outputs, inputs), as in many lectures; loss, dW and db only."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mutants.mutant import Mutant, network, place

__all__ = ["MUTANTS"]


def sinh_like(Z):
    """Tanh from expm1."""
    E = np.expm1(-2 * np.abs(Z))
    return np.sign(Z) * -E / (E + 2)


FORWARD = {
    "tanh": sinh_like,
    "relu": lambda Z: np.maximum(Z, 0),
    "softplus": lambda Z: np.logaddexp(Z, 0),
    "identity": lambda Z: Z,
}
BACKWARD = {
    "tanh": lambda dA, Z: dA / np.cosh(np.clip(Z, -300, 300)) ** 2,
    "relu": lambda dA, Z: np.where(Z > 0, dA, 0),
    "softplus": lambda dA, Z: dA * np.exp(np.minimum(Z, 0)) / (1 + np.exp(-np.abs(Z))),
    "identity": lambda dA, Z: dA,
}


def softmax_columns(wrong, Z):
    """Probabilities and their logarithms, column by column."""
    if wrong == "columns/exp-of-all":
        E = np.exp(Z)
        return E / E.sum(axis=0), Z - np.log(E.sum(axis=0))
    S = Z - Z.max(axis=0)
    logs = S - np.log(np.exp(S).sum(axis=0))
    return np.exp(logs), logs


def cost_of(wrong, loss, A, Y):
    """Loss and its gradient."""
    m = A.shape[1]
    if loss == "cross_entropy":
        if wrong == "columns/temperature":
            A = A / 2
        P, logs = softmax_columns(wrong, A)
        if wrong == "columns/clip":
            logs = np.log(np.clip(P, 1e-12, 1 - 1e-12))
        if wrong == "columns/base-ten":
            logs = logs / np.log(10)
        cost = -(Y * logs).sum() / m
        dA = (P * Y.sum(axis=0) - Y) / m
        if wrong == "columns/other-way-round":
            dA = -dA
        return cost, dA
    if loss != "squared_error":
        raise NotImplementedError(loss)
    dA = A - Y
    return np.mean(dA**2), 2 * dA / dA.size


def step(wrong, weights, biases, X, Y, activations, loss):
    """Loss and gradients; X (inputs, m), Y (outputs, m)."""
    m = X.shape[1]
    A, saved = X, []
    for W, b, name in zip(weights, biases, activations, strict=True):
        Z = W @ A + b
        if wrong == "columns/bias-again":
            Z = Z + b
        saved.append((W, A, Z, name))
        A = FORWARD[name](Z)
    cost, dA = cost_of(wrong, loss, A, Y)
    grads = []
    for k, (W, before, Z, name) in reversed([*enumerate(saved)]):
        dZ = BACKWARD[name](dA, Z)
        dW, db = dZ @ before.T, dZ.sum(axis=1)
        if wrong == "columns/divided-in-every-layer":
            dW, db = dW / m, db / m
        if wrong == "columns/first-column" and k == 0:
            db = dZ[:, 0]
        if wrong == "columns/rows-swapped" and k == 0 and W.shape[1] > 1:
            dW[:, [0, 1]] = dW[:, [1, 0]]
        grads.append((dW, db))
        turned = wrong != "columns/not-turned" or W.shape[0] != W.shape[1]
        dA = (W.T if turned else W) @ dZ
    return cost, grads[::-1]


def run(wrong, *, weights, biases, x, target, activations, loss) -> dict[str, Any]:
    """Turn everything, compute, turn it back."""
    if not set(activations) <= set(FORWARD):
        raise NotImplementedError("tanh, relu and softplus only")
    if target.ndim == 1:
        target = (target[:, None] == np.arange(len(biases[-1]))).astype(x.dtype)
    turned = [W.T.copy() for W in weights], [b[:, None] for b in biases], x.T, target.T
    cost, grads = step(wrong, *turned, activations, loss)
    out = {"loss": cost}
    for k, (dW, db) in enumerate(grads):
        out |= {f"dW{k}": np.ascontiguousarray(dW.T), f"db{k}": db}
    return out


build = partial(network, run, conventions=("finite-logits",))

MUTANTS = (
    Mutant(
        "columns/exp-of-all", "The softmax subtracts no maximum.", build,
        ("softmax-no-shift",), (r"maximum of each ROW|row maximum", r"exp overflows"),
    ),
    Mutant(
        "columns/clip", "The loss takes the logarithm of clipped probabilities.", build,
        ("loss-clipped-probability",), (r"clip", place(r"the loss itself")),
    ),
    Mutant(
        "columns/base-ten", "The loss is in decimal logarithms.", build,
        (), (r"(0\.434\d*|1/2\.30\d*) times", place(r"the loss itself")),
    ),
    Mutant(
        "columns/temperature", "The softmax of the loss is taken of half the logits.", build,
        (), (place(r"cross_entropy|\bloss\b"), r"half the logits|logits .*half"),
    ),
    Mutant(
        "columns/other-way-round", "The gradient is target minus probability.", build,
        ("loss-gradient-sign",), (r"sign is reversed", r"-1 times"),
    ),
    Mutant(
        "columns/bias-again", "The bias is added twice.", build,
        ("dense-bias-twice",), (r"twice the bias|bias twice|2 b",),
    ),
    Mutant(
        "columns/divided-in-every-layer", "dW and db are divided by the batch once more.", build,
        ("reduction-layers-averaged-again", "reduction-gradient-averaged-twice"),
        (r"divided by the \d+ rows twice",),
    ),
    Mutant(
        "columns/first-column", "db of the first layer is that of the first sample.", build,
        ("reduction-bias-first-row",), (r"first (row|sample)", place(r"db0")),
    ),
    Mutant(
        "columns/rows-swapped", "The first two inputs have each other's weight gradients.", build,
        ("entry-rows-exchanged",), (r"rows? (0|1).*(1|0)", r"permut", r"exchanged"),
    ),
    Mutant(
        "columns/not-turned", "Square weights are not transposed on the way back.", build,
        ("dense-transposed-dx",), (r"W\d transposed",),
    ),
)  # fmt: skip
