"""Layers as objects with forward and backward, and a network that is a list of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mutants.mutant import TURNED, Mutant, place, questions

__all__ = ["MUTANTS"]

OPERATIONS = ("mlp", "dense", "activation", "softmax")


class Module:
    """What all layers share: which mistake they make."""

    def __init__(self, wrong: str) -> None:
        self.wrong = wrong


class Linear(Module):
    """x @ W + b."""

    def __init__(self, wrong, W, b):
        super().__init__(wrong)
        self.W, self.b = W, b

    def forward(self, x):
        """z."""
        self.x = x
        if self.wrong == "layers/bias-left-out":
            return x @ self.W
        if self.wrong == "layers/torch-layout" and len(set(self.W.shape)) == 1:
            return x @ self.W.T + self.b
        return x @ self.W + self.b

    def backward(self, grad):
        """dx; leaves dW and db."""
        x, own = self.x, grad
        if self.wrong == "layers/stops-one-row-early":
            x, own = x[:-1], grad[:-1]
        self.dW = x.T @ own
        self.db = np.add.reduce(grad)
        return grad @ self.W.T


class Identity(Module):
    """x."""

    def forward(self, x):
        """x."""
        return x.copy()

    def backward(self, grad):
        """grad."""
        return grad.copy()


class LeakyReLU(Module):
    """x, or 0.01 x."""

    def forward(self, x):
        """y."""
        alpha = 0.3 if self.wrong == "layers/alpha-of-keras" else 0.01
        self.slope = np.where(x > 0, x.dtype.type(1), x.dtype.type(alpha))
        return x * self.slope

    def backward(self, grad):
        """dx."""
        return grad * self.slope


class ReLU(LeakyReLU):
    """x, or 0."""

    def forward(self, x):
        """y."""
        if self.wrong == "layers/leaky-by-default":
            return super().forward(x)
        self.slope = (x > 0).astype(x.dtype)
        return np.maximum(x, 0)


class ELU(Module):
    """x, or exp(x) - 1."""

    def forward(self, x):
        """y."""
        self.x = x
        self.y = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
        return self.y

    def backward(self, grad):
        """dx."""
        below = self.y if self.wrong == "layers/elu-y" else np.exp(np.minimum(self.x, 0))
        return grad * np.where(self.x > 0, 1, below)


class SiLU(Module):
    """x / (1 + exp(-x))."""

    def forward(self, x):
        """y."""
        self.x = x
        self.e = np.exp(-np.abs(x))
        self.s = np.where(x > 0, 1, self.e) / (1 + self.e)
        return x * self.s

    def backward(self, grad):
        """dx."""
        if self.wrong == "layers/product-rule":
            return grad * self.s
        opposite = np.where(self.x > 0, self.e, 1) / (1 + self.e)
        return grad * (self.s * (1 + self.x * opposite))


class Softmax(Module):
    """Row by row."""

    def forward(self, x):
        """y."""
        axis = 0 if self.wrong == "layers/axis-0" else 1
        e = np.exp(x - x.max(axis=axis, keepdims=True))
        self.y = e / e.sum(axis=axis, keepdims=True)
        return self.y

    def backward(self, grad):
        """dx."""
        if self.wrong == "layers/like-a-sigmoid":
            return grad * self.y * (1 - self.y)
        return self.y * (grad - (grad * self.y).sum(axis=1, keepdims=True))


class Dropout(Module):
    """Nothing, at test time."""

    def forward(self, x):
        """x."""
        self.mask = np.ones_like(x)
        if self.wrong == "layers/still-training":
            self.mask[:, ::3] = 0
        return x * self.mask

    def backward(self, grad):
        """grad."""
        return grad * self.mask


FUNCTIONS = {
    "identity": Identity, "leaky_relu": LeakyReLU, "relu": ReLU, "elu": ELU, "silu": SiLU,
}  # fmt: skip


def function(wrong, name):
    """A layer by name."""
    if name not in FUNCTIONS:
        raise NotImplementedError(name)
    return FUNCTIONS[name](wrong)


class MeanSquare(Module):
    """The loss."""

    def forward(self, y, t):
        """One number."""
        self.d = y - t
        return (self.d * self.d).mean()

    def backward(self):
        """dL/dy."""
        return self.d * (2 / self.d.size)


def network(wrong, question) -> dict[str, Any]:
    """A list of layers, forward and backward."""
    arrays, names = question.inputs, question.parameters["activations"]
    if question.parameters["loss"] != "squared_error":
        raise NotImplementedError(question.parameters["loss"])
    linears = [Linear(wrong, arrays[f"W{k}"], arrays[f"b{k}"]) for k in range(len(names))]
    functions = [function(wrong, name) for name in names]
    last, drop, out, x = len(names) - 1, Dropout(wrong), {}, arrays["x"]
    for k, (linear, f) in enumerate(zip(linears, functions, strict=True)):
        out[f"z{k}"] = linear.forward(x)
        x = f.forward(out[f"z{k}"])
        if k == 0 and k < last:
            x = drop.forward(x)
        out[f"a{k}"] = x
    loss = MeanSquare(wrong)
    out["loss"] = loss.forward(x, arrays["target"])
    grad = out["g"] = loss.backward()
    for k in reversed(range(len(names))):
        if k == 0 and k < last:
            grad = drop.backward(grad)
        grad = linears[k].backward(functions[k].backward(grad))
        out |= {f"dW{k}": linears[k].dW, f"db{k}": linears[k].db}
    return out | {"dx": grad}


def run(wrong, question) -> dict[str, Any]:
    """The answer to a question."""
    arrays = question.inputs
    if question.operation == "mlp":
        return network(wrong, question)
    if question.operation == "dense":
        linear = Linear(wrong, arrays["W"], arrays["b"])
        z, dx = linear.forward(arrays["x"]), linear.backward(arrays["g"])
        return {"z": z, "dW": linear.dW, "db": linear.db, "dx": dx}
    softmax = question.operation == "softmax"
    f = Softmax(wrong) if softmax else function(wrong, question.parameters["function"])
    return {"y": f.forward(arrays["x"]), "dx": f.backward(arrays["g"])}


build = partial(
    questions, run, operations=OPERATIONS, conventions=("finite-inputs", "finite-logits")
)

MUTANTS = (
    Mutant(
        "layers/bias-left-out", "The layer returns x W.", build,
        ("dense-no-bias",), (r"without (the|its) bias",),
    ),
    Mutant(
        "layers/torch-layout", "Square weights are taken for (outputs, inputs).", build,
        ("dense-transposed-square",), (TURNED,),
    ),
    Mutant(
        "layers/stops-one-row-early", "dW is summed over all rows but the last.", build,
        ("dense-last-sample",), (r"last (row|sample)",),
    ),
    Mutant(
        "layers/alpha-of-keras", "Leaky ReLU has the slope 0.3.", build,
        ("activation-leaky-alpha-tenfold", "activation-leaky-alpha-default"),
        (r"(value|derivative|slope) of leaky_relu",),
    ),
    Mutant(
        "layers/leaky-by-default", "ReLU has the slope 0.01 below 0.", build,
        (), (r"leaky_relu, not relu", place(r"value of relu")),
    ),
    Mutant(
        "layers/elu-y", "The derivative of ELU is y, not y + 1, below 0.", build,
        ("activation-elu-slope-without-alpha",), (place(r"derivative of elu"),),
    ),
    Mutant(
        "layers/product-rule", "The derivative of SiLU lacks its second term.", build,
        ("activation-silu-slope-one-term",), (place(r"derivative of silu"),),
    ),
    Mutant(
        "layers/axis-0", "The softmax is taken down the columns.", build,
        ("softmax-wrong-axis",), (r"columns",),
    ),
    Mutant(
        "layers/like-a-sigmoid", "The gradient of the softmax is y (1 - y).", build,
        ("softmax-vjp-diagonal",), (r"other class", r"derivative of (the )?softmax"),
    ),
    Mutant(
        "layers/still-training", "Every third hidden unit is dropped.", build,
        (), (place(r"a0|value of \w+"), r"columns? 0|units? 0"),
    ),
)  # fmt: skip
