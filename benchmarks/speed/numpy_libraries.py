"""A training step in NumPy: ours, the limit, the program of a tutorial, and three packages."""

from __future__ import annotations

import sys
from collections import abc
from collections.abc import Callable
from importlib.machinery import PathFinder
from itertools import count, pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.speed.workloads import Problem
from mlp_ref import CROSS_ENTROPY, IDENTITY, MLP, OPTIMIZERS, RELU
from mlp_ref.training import train_step

__all__ = ["autograd", "limit", "numpy_ml", "ours", "scikit_learn", "walkthrough"]

Step = Callable[[], Any]


def ours(p: Problem) -> Step:
    """What `mlp_ref.fit` runs for every minibatch."""
    model = MLP(p.workload.sizes, (RELU,) * (len(p.params.layers) - 1) + (IDENTITY,))
    params, rule = p.params.copy(), OPTIMIZERS[p.optimizer](p.rate)
    state, scratch = rule.init(params), rule.scratch(params)
    work = model.workspace(len(p.x), params.dtype)

    def step() -> Any:
        nonlocal state
        value, state = train_step(
            model, params, state, p.x, p.y, loss=CROSS_ENTROPY, optimizer=rule, work=work,
            scratch=scratch,
        )  # fmt: skip
        return value

    return step


def limit(p: Problem) -> Step:
    """What no step can leave out: its matrix products, the exp of the logits, a parameter pass.

    The numbers mean nothing. It has no loss.
    """
    rng, dtype = np.random.default_rng(0), p.params.dtype

    def draw(*shape: int) -> Any:
        return rng.standard_normal(shape).astype(dtype)

    n, sizes = len(p.x), p.workload.sizes
    a, d = [draw(n, k) for k in sizes], [draw(n, k) for k in sizes]
    W = [draw(i, o) for i, o in pairwise(sizes)]
    dW, z, g = ([np.empty_like(x) for x in like] for like in (W, a, a))
    theta, update, e = draw(p.params.flat.size), draw(p.params.flat.size), np.empty_like(a[-1])

    def step() -> None:
        for k, W_k in enumerate(W):
            np.matmul(a[k], W_k, out=z[k + 1])
        np.exp(a[-1], out=e)
        for k in reversed(range(len(W))):
            np.matmul(a[k].T, d[k + 1], out=dW[k])
            if k:
                np.matmul(d[k + 1], W[k].T, out=g[k])
        np.add(theta, update, out=theta)

    return step


def _gradients(layers: list[Any], x: Any, y: Any) -> tuple[Any, list[Any]]:
    """The loss and the gradients, as a tutorial computes them, without its mistakes."""
    n, activations = len(x), [x]
    for k, (W, b) in enumerate(layers):
        z = activations[-1] @ W + b
        activations.append(np.maximum(z, 0) if k < len(layers) - 1 else z)
    logits = activations.pop()
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(n), y]).mean()
    delta = p
    delta[np.arange(n), y] -= 1
    delta /= n
    grads = []
    for k in reversed(range(len(layers))):
        a = activations[k]
        grads.append((a.T @ delta, delta.sum(axis=0)))
        if k:
            delta = (delta @ layers[k][0].T) * (a > 0)
    return loss, grads[::-1]


def _adam(rate: float) -> Callable[[list[Any], list[Any]], None]:
    """Adam for lists of arrays."""
    m: list[Any] = []
    v: list[Any] = []
    steps = count(1)

    def advance(params: list[Any], grads: list[Any]) -> None:
        t = next(steps)
        for k, g in enumerate(grads):
            if t == 1:
                m.append(np.zeros_like(g))
                v.append(np.zeros_like(g))
            m[k] = 0.9 * m[k] + 0.1 * g
            v[k] = 0.999 * v[k] + 0.001 * g**2
            update = (m[k] / (1 - 0.9**t)) / (np.sqrt(v[k] / (1 - 0.999**t)) + 1e-8)
            params[k] -= rate * update

    return advance


def _sgd(rate: float) -> Callable[[list[Any], list[Any]], None]:
    def update(params: list[Any], grads: list[Any]) -> None:
        for k, g in enumerate(grads):
            params[k] -= rate * g

    return update


def walkthrough(p: Problem) -> Step:
    """The program of a tutorial: an array for every result, a loop over the parameters."""
    layers, update = p.layers(), (_adam if p.optimizer == "adam" else _sgd)(p.rate)
    params = [part for layer in layers for part in layer]

    def step() -> Any:
        loss, grads = _gradients(layers, p.x, p.y)
        update(params, [part for pair in grads for part in pair])
        return loss

    return step


def autograd(p: Problem) -> Step:
    """The package autograd: the gradient of a NumPy function."""
    import autograd.numpy as anp
    from autograd import value_and_grad
    from autograd.scipy.special import logsumexp

    params = [part for layer in p.layers() for part in layer]
    update = (_adam if p.optimizer == "adam" else _sgd)(p.rate)
    rows = np.arange(len(p.x))

    def mean_loss(params: list[Any]) -> Any:
        a = p.x
        for k in range(0, len(params), 2):
            z = anp.dot(a, params[k]) + params[k + 1]
            a = anp.maximum(z, 0) if k + 2 < len(params) else z
        return anp.mean(logsumexp(a, axis=1) - a[rows, p.y])

    both = value_and_grad(mean_loss)

    def step() -> Any:
        loss, grads = both(params)
        update(params, grads)
        return loss

    return step


def scikit_learn(p: Problem) -> Step:
    """What MLPClassifier runs for every minibatch: its _backprop and its optimizer."""
    from sklearn.neural_network import MLPClassifier

    classes = np.arange(p.workload.sizes[-1])
    net = MLPClassifier(
        p.workload.sizes[1:-1], solver=p.optimizer, alpha=0.0, batch_size=len(p.x), momentum=0.0,
        learning_rate_init=p.rate, nesterovs_momentum=False,
    )  # fmt: skip
    net.partial_fit(p.x, p.y, classes=classes)  # makes the arrays; the weights are replaced
    layers = p.layers()
    net.coefs_, net.intercepts_ = [W for W, _ in layers], [b for _, b in layers]
    params = net.coefs_ + net.intercepts_
    net._optimizer = type(net._optimizer)(
        params, **({"momentum": 0.0} if p.optimizer == "sgd" else {}), learning_rate_init=p.rate
    )
    hot = np.eye(len(classes), dtype=p.params.dtype)[p.y]
    activations = [p.x, *(np.empty((len(p.x), k), p.x.dtype) for k in p.workload.sizes[1:])]
    deltas = [np.empty_like(a) for a in activations[1:]]
    grads = [[np.empty_like(part) for part in parts] for parts in (net.coefs_, net.intercepts_)]

    def step() -> Any:
        loss, dW, db = net._backprop(p.x, hot, None, activations, deltas, *grads)
        net._optimizer.update_params(params, dW + db)
        return loss

    return step


def _numpy_ml_layers() -> Any:
    """Its layers alone: the package imports what no Python since 3.10 has, and a dozen more."""
    import collections

    collections.Hashable = abc.Hashable  # type: ignore[attr-defined]
    found = PathFinder.find_spec("numpy_ml")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("no module named 'numpy_ml'", name="numpy_ml")
    package = ModuleType("numpy_ml")
    package.__path__ = [str(Path(place)) for place in found.submodule_search_locations]
    sys.modules["numpy_ml"] = package
    from numpy_ml.neural_nets.layers import FullyConnected

    return FullyConnected


def numpy_ml(p: Problem) -> Step:
    """The package numpy-ml: its layers; the loss and its gradient as in the walkthrough."""
    layer = _numpy_ml_layers()
    rule = f"{'Adam' if p.optimizer == 'adam' else 'SGD'}(lr={p.rate})"
    last = len(p.params.layers) - 1
    net = []
    for k, (W, b) in enumerate(p.layers()):
        net.append(layer(W.shape[1], "ReLU" if k < last else "Affine(slope=1, intercept=0)",
                         optimizer=rule))  # fmt: skip
        net[-1].n_in = W.shape[0]
        net[-1]._init_params()
        net[-1].parameters = {"W": W, "b": b[None]}
    rows = np.arange(len(p.x))

    def step() -> Any:
        a = p.x
        for one in net:
            a = one.forward(a)
        e = np.exp(a - a.max(axis=1, keepdims=True))
        probabilities = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(probabilities[rows, p.y]).mean()
        g = probabilities
        g[rows, p.y] -= 1
        g /= len(rows)
        for one in reversed(net):
            g = one.backward(g)
            one.update(loss)
        return loss

    return step
