"""A training step in PyTorch and JAX."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.speed.workloads import Problem

__all__ = ["jax_jit", "torch_eager", "torch_fused"]

Step = Callable[[], Any]


def _torch(p: Problem, fused: bool) -> Step:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    parts: list[Any] = []
    for W, b in p.layers():
        linear = nn.Linear(*W.shape, dtype=getattr(torch, p.workload.dtype))
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T.copy()))
            linear.bias.copy_(torch.from_numpy(b))
        parts += [linear, nn.ReLU()]
    net = nn.Sequential(*parts[:-1])
    x, y = torch.from_numpy(p.x), torch.from_numpy(p.y)
    rule = torch.optim.Adam if p.optimizer == "adam" else torch.optim.SGD
    optimizer = rule(net.parameters(), lr=p.rate, fused=fused)
    loss_of = nn.CrossEntropyLoss()

    def step() -> Any:
        optimizer.zero_grad()
        loss = loss_of(net(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def torch_eager(p: Problem) -> Step:
    """nn.Sequential, CrossEntropyLoss, and an optimizer of torch.optim."""
    return _torch(p, False)


def torch_fused(p: Problem) -> Step:
    """The same with ``fused=True``."""
    return _torch(p, True)


def jax_jit(p: Problem) -> Step:
    """One compiled function of parameters that are donated; the batch is on the device already."""
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    x, y = jnp.asarray(p.x), jnp.asarray(p.y)
    tree = [(jnp.asarray(W), jnp.asarray(b)) for W, b in p.layers()]
    dtype = np.dtype(p.workload.dtype).type

    def mean_loss(layers: Any, x: Any, y: Any) -> Any:
        a = x
        for k, (W, b) in enumerate(layers):
            z = a @ W + b
            a = jax.nn.relu(z) if k < len(layers) - 1 else z
        chosen = jnp.take_along_axis(jax.nn.log_softmax(a), y[:, None], axis=1)
        return -chosen.mean()

    def sgd(state: Any, x: Any, y: Any) -> Any:
        loss, g = jax.value_and_grad(mean_loss)(state, x, y)
        return jax.tree.map(lambda theta, d: theta - dtype(p.rate) * d, state, g), loss

    def adam(state: Any, x: Any, y: Any) -> Any:
        layers, m, v, t = state
        loss, g = jax.value_and_grad(mean_loss)(layers, x, y)
        t = t + 1
        m = jax.tree.map(lambda m, d: dtype(0.9) * m + dtype(0.1) * d, m, g)
        v = jax.tree.map(lambda v, d: dtype(0.999) * v + dtype(0.001) * d * d, v, g)
        size, root = dtype(p.rate) / (1 - dtype(0.9) ** t), jnp.sqrt(1 - dtype(0.999) ** t)
        layers = jax.tree.map(
            lambda theta, m, v: theta - size * m / (jnp.sqrt(v) / root + dtype(1e-8)), layers, m, v
        )
        return (layers, m, v, t), loss

    zeros = partial(jax.tree.map, jnp.zeros_like)
    state: Any = tree
    if p.optimizer == "adam":
        state = (tree, zeros(tree), zeros(tree), jnp.zeros((), p.workload.dtype))
    compiled = jax.jit(adam if p.optimizer == "adam" else sgd, donate_argnums=0)

    def step() -> Any:
        nonlocal state
        state, loss = compiled(state, x, y)
        return loss

    return step
