"""Activations as Python functions of one float, from the module math; operation activation."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from mutants.mutant import Mutant, place, questions

__all__ = ["MUTANTS"]

ROOT = math.sqrt(2 / math.pi)


def logistic(wrong, x):
    """1 / (1 + e^-x)."""
    if wrong == "scalars/clamp":
        x = max(-50.0, min(50.0, x))
    if wrong == "scalars/piecewise":
        return max(0.0, min(1.0, x / 6 + 0.5))
    if wrong == "scalars/half-a-tanh":
        return 0.5 + 0.5 * math.tanh(0.5 * x)
    e = math.exp(-abs(x))
    return 1 / (1 + e) if x >= 0 else e / (1 + e)


def sigmoid(wrong, x):
    """Value and derivative."""
    y = logistic(wrong, x)
    if wrong == "scalars/z-for-a":
        return y, x * (1 - x)
    if wrong == "scalars/piecewise":
        return y, 1 / 6 if -3 < x < 3 else 0.0
    return y, y * logistic(wrong, -x)


def tanh(wrong, x):
    """Value and derivative."""
    y = math.tanh(x)
    if wrong == "scalars/not-squared":
        return y, 1 - abs(y)
    e = math.exp(-2 * abs(x))
    return y, 4 * e / (1 + e) ** 2


def softplus(wrong, x):
    """Value and derivative."""
    if wrong == "scalars/linear-above" and x > 18:
        return x, 1.0
    y = max(x, 0.0) + math.log1p(math.exp(-abs(x)))
    return y, logistic("", y if wrong == "scalars/softplus-of-y" else x)


def silu(wrong, x):
    """Value and derivative."""
    beta = 1.702 if wrong == "scalars/steeper" else 1.0
    s = logistic("", beta * x)
    return x * s, s * (1 + beta * x * logistic("", -beta * x))


def gelu(wrong, x):
    """Value and derivative, of moderate x."""
    if wrong == "scalars/approximate-gelu":
        return gelu_tanh("", x)
    if wrong == "scalars/quick-gelu":
        s = logistic("", 1.702 * x)
        return x * s, s * (1 + 1.702 * x * logistic("", -1.702 * x))
    phi = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    below = math.erfc(-x / math.sqrt(2)) / 2
    if wrong == "scalars/gelu-without-density":
        return x * below, below
    return x * below, below + x * phi


def gelu_tanh(wrong, x):
    """Value and derivative, of moderate x."""
    cubic = 0.044 if wrong == "scalars/three-digits" else 0.044715
    u = ROOT * (x + cubic * x**3)
    s = logistic("", 2 * u)
    factor = 1 if wrong == "scalars/cube-not-derived" else 3
    return x * s, s + x * 2 * s * logistic("", -2 * u) * ROOT * (1 + factor * cubic * x * x)


FUNCTIONS = {f.__name__: f for f in (sigmoid, tanh, softplus, silu, gelu, gelu_tanh)}


def run(wrong, question) -> dict[str, Any]:
    """Entry by entry."""
    x, g = question.inputs["x"], question.inputs["g"]
    f = FUNCTIONS.get(question.parameters["function"])
    if f is None:
        raise NotImplementedError(question.parameters["function"])
    if np.abs(x).max() > (5 if f in (gelu, gelu_tanh) else 1e3):
        raise NotImplementedError("moderate inputs only")
    pairs = [f(wrong, entry) for entry in x.ravel().tolist()]
    y, slope = (np.array(column).reshape(x.shape) for column in zip(*pairs, strict=True))
    return {"y": y.astype(x.dtype), "dx": (slope * g).astype(x.dtype)}


build = partial(questions, run, operations=("activation",), conventions=("finite-inputs",))

MUTANTS = (
    Mutant(
        "scalars/clamp", "The input of the sigmoid is clamped to 50.", build,
        ("activation-sigmoid-clamped",), (r"clamp|clip",),
    ),
    Mutant(
        "scalars/piecewise", "The sigmoid is three straight lines, x / 6 + 1/2 between them.",
        build, ("activation-sigmoid-hard",), (place(r"value of sigmoid"), r"corners|hard"),
    ),
    Mutant(
        "scalars/half-a-tanh", "The sigmoid is half a tanh of half of x.", build,
        ("activation-sigmoid-by-tanh",), (place(r"value of sigmoid"), r"tanh\(x ?/ ?2\)"),
    ),
    Mutant(
        "scalars/z-for-a", "The derivative of the sigmoid is x (1 - x).", build,
        ("activation-sigmoid-slope-of-z",), (place(r"derivative of sigmoid"),),
    ),
    Mutant(
        "scalars/not-squared", "The derivative of tanh is 1 - |y|.", build,
        (), (place(r"derivative of tanh"),),
    ),
    Mutant(
        "scalars/linear-above", "Softplus is x above 18.", build,
        ("activation-softplus-threshold",),
        (r"softplus.*(thresh|above)", place(r"value of softplus")),
    ),
    Mutant(
        "scalars/softplus-of-y", "The derivative of softplus is taken at y.", build,
        ("activation-softplus-slope-of-output",), (place(r"derivative of softplus"),),
    ),
    Mutant(
        "scalars/steeper", "SiLU is x s(1.702 x).", build,
        (), (place(r"value of silu"), place(r"silu")),
    ),
    Mutant(
        "scalars/approximate-gelu", "GELU is its tanh form.", build,
        ("activation-gelu-tanh-for-erf",), (r"gelu_tanh, not gelu",),
    ),
    Mutant(
        "scalars/quick-gelu", "GELU is x s(1.702 x).", build,
        ("activation-gelu-sigmoid",), (place(r"value of gelu"), r"1\.702"),
    ),
    Mutant(
        "scalars/gelu-without-density", "The derivative of GELU lacks x phi(x).", build,
        ("activation-gelu-slope-one-term",), (place(r"derivative of gelu\b"),),
    ),
    Mutant(
        "scalars/three-digits", "The tanh form of GELU has 0.044 for 0.044715.", build,
        (), (place(r"value of gelu_tanh|gelu_tanh: "),),
    ),
    Mutant(
        "scalars/cube-not-derived", "The derivative of the tanh form forgets the 3 of x^3.", build,
        ("activation-gelu-tanh-slope-cube",), (place(r"derivative of gelu_tanh"),),
    ),
)  # fmt: skip
