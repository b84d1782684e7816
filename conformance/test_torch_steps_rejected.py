"""Negative controls: optimizers with one classic mistake each, and which tensors give them away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from peers import rng_of
from torch import nn
from torch_steps import (
    RULES,
    SIZES,
    STEPS,
    judged_step,
    network,
    set_gradient,
    torch_of,
    vector,
    write,
)

from mlp_ref import Adam, AdamW
from mlp_ref.gate.judge import Verdict
from mlp_ref.optimizers import Optimizer

Denominator = Callable[[torch.Tensor, float, float], torch.Tensor]
Make = Callable[[Any, nn.Module], torch.optim.Optimizer]


class HandWritten(torch.optim.Optimizer):
    """Adam by hand, with the denominator to choose."""

    def __init__(self, net: nn.Module, rule: Adam, denominator: Denominator) -> None:
        super().__init__(net.parameters(), {})
        self.rule, self.denominator = rule, denominator

    @torch.no_grad()
    def step(self) -> None:
        """One step; state names are those of torch.optim.Adam."""
        b1, b2 = self.rule.beta1, self.rule.beta2
        for p in self.param_groups[0]["params"]:
            zero = {"step": 0, "exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
            held = {**zero, **self.state[p]}
            t = held["step"] + 1
            m = b1 * held["exp_avg"] + (1 - b1) * p.grad
            v = b2 * held["exp_avg_sq"] + (1 - b2) * p.grad**2
            self.state[p] = {"step": t, "exp_avg": m, "exp_avg_sq": v}
            root = self.denominator(v, 1 - b2**t, self.rule.eps)
            p.sub_(self.rule.lr * m / (1 - b1**t) / root)


def by_hand(denominator: Denominator) -> Make:
    """Adam with this denominator of v, 1 - b2^t and eps."""
    return lambda rule, net: HandWritten(net, rule, denominator)


def other(**change: Any) -> Make:
    """PyTorch's optimizer with other hyperparameters."""
    return lambda rule, net: torch_of(replace(rule, **change), net)


def with_options(**options: Any) -> Make:
    """PyTorch's optimizer with an option that is off by default."""
    return lambda rule, net: torch_of(rule, net, **options)


def swapped(rule: Adam, net: nn.Module) -> torch.optim.Optimizer:
    """b1 and b2 exchanged."""
    return torch_of(replace(rule, beta1=rule.beta2, beta2=rule.beta1), net)


def coupled(rule: AdamW, net: nn.Module) -> torch.optim.Optimizer:
    """The decay of AdamW added to the gradient."""
    return torch_of(Adam(rule.lr, rule.beta1, rule.beta2, rule.eps, rule.weight_decay), net)


def decoupled(rule: Adam, net: nn.Module) -> torch.optim.Optimizer:
    """The decay of Adam taken from the parameters."""
    return torch_of(AdamW(rule.lr, rule.beta1, rule.beta2, rule.eps, rule.weight_decay), net)


OFF = 1 + 2.0**-45
REJECTED: dict[str, tuple[str, Make, set[str]]] = {
    "eps inside the root": (
        "adam", by_hand(lambda v, c, eps: (v / c + eps).sqrt()), {"params"},
    ),
    "eps before the bias correction": (
        "adam", by_hand(lambda v, c, eps: (v.sqrt() + eps) / c**0.5), {"params"},
    ),
    "no bias correction of v": ("adam", by_hand(lambda v, c, eps: v.sqrt() + eps), {"params"}),
    "betas swapped": ("adam", swapped, {"params", "m", "v"}),
    "no eps": ("adam", other(eps=5e-324), {"params"}),
    "amsgrad": ("adam", with_options(amsgrad=True), {"params"}),
    "decay coupled": ("adamw", coupled, {"params", "m", "v"}),
    "decay decoupled": ("adam with decay", decoupled, {"params", "m", "v"}),
    "decay forgotten in adamw": ("adamw", other(weight_decay=0.0), {"params"}),
    "decay forgotten in sgd": ("sgd with decay", other(weight_decay=0.0), {"params"}),
    "decay forgotten in momentum": (
        "momentum with decay", other(weight_decay=0.0), {"params", "v"},
    ),
    "momentum dampened": ("momentum", with_options(dampening=0.9), {"params", "v"}),
    "heavy ball for nesterov": ("nesterov", other(nesterov=False), {"params"}),
    "nesterov for heavy ball": ("momentum", other(nesterov=True), {"params"}),
    "ascent": ("sgd", with_options(maximize=True), {"params"}),
    "sgd, lr rounded to float32": ("sgd", other(lr=float(np.float32(0.05))), {"params"}),
    "sgd, lr off in bit 45": ("sgd", other(lr=0.05 * OFF), {"params"}),
    "momentum, mu off in bit 45": ("momentum", other(momentum=0.9 * OFF), {"params", "v"}),
    "nesterov, lr off in bit 45": ("nesterov", other(lr=0.05 * OFF), {"params"}),
    "adam, lr off in bit 45": ("adam", other(lr=0.003 * OFF), {"params"}),
    "adam, beta1 off in bit 45": ("adam", other(beta1=0.9 * OFF), {"params", "m"}),
    "adam, beta2 off in bit 45": ("adam", other(beta2=0.999 * OFF), {"params", "v"}),
    "adamw, lr off in bit 45": ("adamw", other(lr=0.003 * OFF), {"params"}),
}  # fmt: skip


def failures(rule: Optimizer, make: Make) -> set[str]:
    """Which tensors are outside their bounds in some of 50 adversarial float64 steps."""
    rng, net = rng_of(f"rejected/{rule}"), network(SIZES, "float64")
    write(vector(rng, "float64"), net, lambda p, part: p.data.copy_(part))
    optimizer, found = make(rule, net), set()
    for _ in range(STEPS):
        set_gradient(net, vector(rng, "float64"))
        results = judged_step(rule, optimizer, net)
        found |= {result.tensor for result in results if result.verdict != Verdict.PASS}
    return found


@pytest.mark.parametrize("mistake", REJECTED)
def test_the_mistake_is_rejected(mistake: str) -> None:
    """Exactly the vectors that the mistake reaches fail, also against our own step."""
    name, make, failing = REJECTED[mistake]
    expected = failing | {f"{tensor} against ours" for tensor in failing}
    assert failures(RULES[name], make) == expected


@pytest.mark.parametrize("name", ["adam", "adam, dyadic"])
def test_adam_by_hand_without_a_mistake_passes(name: str) -> None:
    """The optimizer of the controls is right if its denominator is."""
    assert not failures(RULES[name], by_hand(lambda v, c, eps: (v / c).sqrt() + eps))
