"""The network whose gradient is checked, and its gradient in extended precision."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mlp_ref import CROSS_ENTROPY, IDENTITY, INITIALIZERS, MLP, TANH, Params, initialize
from mlp_ref.arithmetic import Array

__all__ = ["SIZES", "Problem", "naive_central", "problem", "reference"]

SIZES, BATCH = (64, 128, 64, 10), 32


class Problem(NamedTuple):
    """A network of tanh, whose derivatives are nowhere exactly 0, with a batch and labels."""

    model: MLP
    params: Params
    x: Array
    labels: Array

    @property
    def arguments(self) -> tuple[Any, ...]:
        """Those of `mlp_ref.gradcheck.check_network`."""
        return self.model, self.params, self.x, CROSS_ENTROPY, self.labels

    def loss(self, params: Params) -> float:
        """The mean loss."""
        return float(CROSS_ENTROPY.value(self.model.predict(params, self.x), self.labels))

    def gradient(self) -> tuple[Params, Array]:
        """Those of the reference, of the parameters and of the input."""
        output, trace = self.model.forward(self.params, self.x)
        g = CROSS_ENTROPY.value_and_grad(output, self.labels)[1]
        grads, dx = self.model.backward(self.params, trace, g)
        return grads, np.asarray(dx)


def problem(sizes: tuple[int, ...] = SIZES) -> Problem:
    """Standard normal data, and the initialization of PyTorch."""
    rng = np.random.default_rng(0)
    model = MLP(sizes, (TANH,) * (len(sizes) - 2) + (IDENTITY,))
    params = initialize(sizes, INITIALIZERS["torch_linear"], rng=rng)
    x = rng.standard_normal((BATCH, sizes[0]))
    return Problem(model, params, x, rng.integers(0, sizes[-1], BATCH))


def reference(p: Problem) -> Array:
    """The gradient of all parameters (p,) in the longest precision of NumPy.

    It shares no code with what is measured: a backward pass by 1 - a^2, which costs digits that
    64 bits of x86 have to spare.
    """
    long = np.longdouble
    layers = [(layer.W.astype(long), layer.b.astype(long)) for layer in p.params.layers]
    outputs = [p.x.astype(long)]
    for W, b in layers[:-1]:
        outputs.append(np.tanh(outputs[-1] @ W + b))
    z = outputs[-1] @ layers[-1][0] + layers[-1][1]
    e = np.exp(z - z.max(axis=1, keepdims=True))
    d = e / e.sum(axis=1, keepdims=True)
    d[np.arange(len(d)), p.labels] -= 1
    d /= len(d)
    parts: list[Array] = []
    for (W, _), a in zip(reversed(layers), reversed(outputs), strict=True):
        parts = [(a.T @ d).ravel(), d.sum(axis=0), *parts]
        d = (d @ W.T) * (1 - a**2)
    return np.concatenate(parts)


def naive_central(p: Problem, entries: Array) -> Array:
    """(L(t + h e_k) - L(t - h e_k)) / 2h for some entries: two forward passes each."""
    h = np.finfo(np.float64).eps ** (1 / 3)
    found = []
    for k in entries:
        values = []
        for sign in (1, -1):
            flat = p.params.flat.copy()
            flat[k] += sign * h
            values.append(p.loss(p.params.like(flat)))
        found.append((values[0] - values[1]) / (2 * h))
    return np.array(found)
