"""torch.optim against `bounds.derive_step`, 50 steps, each from PyTorch's own last result."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from peers import CRITERIA, DTYPES, answer, require, rng_of
from torch_steps import (
    FORMS,
    RULES,
    SIZES,
    STEPS,
    judged_step,
    load_state,
    network,
    set_gradient,
    state_of,
    torch_of,
    vector,
    vector_of,
    vectors_of,
    write,
)

from mlp_ref import ACTIVATIONS, CROSS_ENTROPY, MLP, Params
from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.bounds import derive
from mlp_ref.datasets import load_digits
from mlp_ref.gate.judge import judge

CHANGE = 25  # steps, after which the learning rate falls
every = pytest.mark.parametrize(
    ("name", "dtype"), [(name, dtype) for name in RULES for dtype in DTYPES]
)
forms = pytest.mark.parametrize("form", FORMS)


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """As a scheduler does."""
    for group in optimizer.param_groups:
        group["lr"] = lr


@forms
@every
def test_adversarial_gradients(name: str, dtype: str, form: str) -> None:
    """Zeros, magnitudes from 1e-12 to 1e3, a change of the learning rate; every form of torch."""
    rule, rng, net = RULES[name], rng_of(f"adversary/{name}"), network(SIZES, dtype)
    write(vector(rng, dtype), net, lambda p, part: p.data.copy_(part))
    optimizer = torch_of(rule, net, **FORMS[form])
    for k in range(STEPS):
        lr = rule.lr * (0.3 if k >= CHANGE else 1)
        set_rate(optimizer, lr)
        set_gradient(net, vector(rng, dtype) if k % 10 != 9 else Params.zeros(SIZES, dtype))
        require(judged_step(rule, optimizer, net, lr), f"step {k + 1}")
    assert state_of(rule, optimizer, net).t in (0, STEPS)


@every
def test_training_on_digits(name: str, dtype: str) -> None:
    """50 minibatches: forward, loss, every gradient and the step, all from PyTorch's own state."""
    rule, A, data = RULES[name], ARITHMETICS[dtype], load_digits()
    sizes = (64, 11, 10)
    model, net = MLP(sizes, (ACTIVATIONS["tanh"], ACTIVATIONS["identity"])), network(sizes, dtype)
    optimizer, rng = torch_of(rule, net), rng_of(f"batches/{name}")
    losses = []
    for k in range(STEPS):
        rows = rng.choice(len(data.x), 31, replace=False)
        x, y = data.x[rows].astype(dtype), data.y[rows]
        params = vector_of(net, lambda p: p)
        bounds = derive(model, params, x, CROSS_ENTROPY, y, arithmetic=A)
        got = answer(net, CRITERIA["cross_entropy"], x, y)
        results = [judge(tensor, array, bounds[tensor], A) for tensor, array in got.items()]
        require(results + judged_step(rule, optimizer, net), f"step {k + 1}")
        losses.append(float(got["loss"]))
    assert sum(losses[-10:]) < sum(losses[:10])


@forms
@every
def test_save_and_resume(name: str, dtype: str, form: str) -> None:
    """A saved and reloaded optimizer continues bit by bit, and within the bounds."""
    rule, rng, net = RULES[name], rng_of(f"resume/{name}"), network(SIZES, dtype)
    optimizer = torch_of(rule, net, **FORMS[form])
    for k in range(10):
        if k == 5:
            other = copy.deepcopy(net)
            resumed = torch_of(rule, other, **FORMS[form])
            resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        grads = vector(rng, dtype)
        set_gradient(net, grads)
        require(judged_step(rule, optimizer, net), f"step {k + 1}")
        if k >= 5:
            set_gradient(other, grads)
            require(judged_step(rule, resumed, other), f"step {k + 1}, resumed")
            for one, two in zip(net.parameters(), other.parameters(), strict=True):
                assert torch.equal(one, two)


@forms
@every
def test_our_state_continues_in_pytorch(name: str, dtype: str, form: str) -> None:
    """After ten steps here PyTorch takes over parameters, moments and step count unchanged."""
    rule, rng, net = RULES[name], rng_of(f"hand over/{name}"), network(SIZES, dtype)
    params = vector_of(net, lambda p: p)
    state = rule.init(params)
    for _ in range(10):
        params, state = rule.step(params, vector(rng, dtype), state)
    optimizer = torch_of(rule, net, **FORMS[form])
    write(params, net, lambda p, part: p.data.copy_(part))
    load_state(rule, optimizer, net, state)
    held = vectors_of(vector_of(net, lambda p: p), state_of(rule, optimizer, net))
    for tensor, flat in vectors_of(params, state).items():
        np.testing.assert_array_equal(held[tensor], flat, strict=True)
    for k in range(3):
        set_gradient(net, vector(rng, dtype))
        require(judged_step(rule, optimizer, net), f"step {k + 11}")
