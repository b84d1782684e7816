"""torch.optim one step at a time: its state read in our terms, each step judged on its own."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from peers import linears, numpy_of
from torch import nn

from mlp_ref import SGD, Adam, AdamW, Params
from mlp_ref.arithmetic import ARITHMETICS, Array
from mlp_ref.bounds import Bounded, derive_step
from mlp_ref.gate.judge import Result, judge
from mlp_ref.optimizers import Optimizer, State

RULES: dict[str, Optimizer] = {
    "sgd": SGD(0.05),
    "sgd with decay": SGD(0.05, weight_decay=0.01),
    "momentum": SGD(0.05, momentum=0.9),
    "momentum with decay": SGD(0.05, momentum=0.9, weight_decay=0.01),
    "nesterov": SGD(0.05, momentum=0.9, nesterov=True),
    "nesterov with decay": SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": Adam(0.003),
    "adam, dyadic": Adam(0.125, beta1=0.875, beta2=1 - 2.0**-10, eps=2.0**-20),
    "adam with decay": Adam(0.003, weight_decay=0.01),
    "adamw": AdamW(0.003),
    "adamw with strong decay": AdamW(0.1, beta1=0.5, beta2=0.7, eps=0.001, weight_decay=0.9),
}
FORMS: dict[str, dict[str, bool]] = {
    "for-loop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
}
STEPS, SIZES = 50, (7, 5, 3)
_MOMENTS = {SGD: ("momentum_buffer",), Adam: ("exp_avg", "exp_avg_sq")}


def torch_of(rule: Optimizer, net: nn.Module, **options: Any) -> torch.optim.Optimizer:
    """PyTorch's optimizer of the same hyperparameters."""
    shared = {"lr": rule.lr, "weight_decay": rule.weight_decay, **options}
    if isinstance(rule, SGD):
        shared = {"momentum": rule.momentum, "nesterov": rule.nesterov, **shared}
        return torch.optim.SGD(net.parameters(), **shared)
    kind = torch.optim.AdamW if isinstance(rule, AdamW) else torch.optim.Adam
    return kind(net.parameters(), betas=(rule.beta1, rule.beta2), eps=rule.eps, **shared)


def vector_of(net: nn.Sequential, of: Callable[[nn.Parameter], torch.Tensor | None]) -> Params:
    """One tensor per parameter, such as its gradient, as `Params`; None is zero."""

    def read(parameter: nn.Parameter) -> Array:
        tensor = of(parameter)
        return numpy_of(torch.zeros_like(parameter) if tensor is None else tensor)

    return Params.from_layers((read(layer.weight).T, read(layer.bias)) for layer in linears(net))


def write(
    params: Params, net: nn.Sequential, to: Callable[[nn.Parameter, torch.Tensor], None]
) -> None:
    """The reverse: hand each parameter its part of ``params`` in PyTorch's layout."""
    for layer, linear in zip(params.layers, linears(net), strict=True):
        to(linear.weight, torch.tensor(layer.W.T.copy()))
        to(linear.bias, torch.tensor(layer.b))


def names_of(rule: Optimizer) -> tuple[str, ...]:
    """What PyTorch calls the moments."""
    names = _MOMENTS[SGD if isinstance(rule, SGD) else Adam]
    return names if rule.init(Params.zeros((1, 1))).moments else ()


def state_of(rule: Optimizer, optimizer: torch.optim.Optimizer, net: nn.Sequential) -> State:
    """Step count and moments as `mlp_ref` keeps them; SGD of PyTorch counts no steps."""
    held = optimizer.state
    steps = {int(s["step"]) for s in held.values() if "step" in s} or {0}
    (t,) = steps
    moments = (vector_of(net, lambda p, name=name: held[p].get(name)) for name in names_of(rule))
    return State(t, tuple(moments))


def load_state(
    rule: Optimizer, optimizer: torch.optim.Optimizer, net: nn.Sequential, state: State
) -> None:
    """Put our state into PyTorch's optimizer."""
    for name, moment in zip(names_of(rule), state.moments, strict=True):

        def put(p: nn.Parameter, part: torch.Tensor, name: str = name) -> None:
            optimizer.state[p][name] = part
            if not isinstance(rule, SGD):
                optimizer.state[p]["step"] = torch.tensor(float(state.t))

        write(moment, net, put)


def vectors_of(params: Params, state: State) -> dict[str, Array]:
    """The result of a step by the names of `derive_step`."""
    names = ((), ("v",), ("m", "v"))[len(state.moments)]
    return {"params": params.flat, **dict(zip(names, (m.flat for m in state.moments), strict=True))}


def judged_step(
    rule: Optimizer, optimizer: torch.optim.Optimizer, net: nn.Sequential, lr: float | None = None
) -> list[Result]:
    """Let PyTorch take one step from where it is, and judge parameters and moments.

    Our own step in the same dtype is held against PyTorch's too, by the sum of the two bounds.
    """
    params, grads = vector_of(net, lambda p: p), vector_of(net, lambda p: p.grad)
    state, A = state_of(rule, optimizer, net), ARITHMETICS[str(params.dtype)]
    bounds = derive_step(rule, params, grads, state, lr, arithmetic=A)
    ours = vectors_of(*rule.step(params, grads, state, lr))
    optimizer.step()
    got = vectors_of(vector_of(net, lambda p: p), state_of(rule, optimizer, net))
    results = []
    for name, q in bounds.items():
        direct = Bounded(np.asarray(ours[name], np.float64), q.bound, q.bound)
        results.append(judge(name, got[name], q, A))
        results.append(judge(f"{name} against ours", got[name], direct, A))
    return results


def vector(rng: np.random.Generator, dtype: str) -> Params:
    """Magnitudes from 1e-12 to 1e3, of either sign, and zeros: some of them at every step."""
    zeros = Params.zeros(SIZES, dtype)
    values = rng.choice([-1, 1], zeros.flat.shape) * 10 ** rng.uniform(-12, 3, zeros.flat.shape)
    values *= rng.random(zeros.flat.shape) > 1 / 8
    values[::9] = 0
    return zeros.like(values.astype(dtype))


def network(sizes: tuple[int, ...], dtype: str) -> nn.Sequential:
    """A tanh network that is always the same."""
    torch.manual_seed(len(sizes))
    modules: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        modules += [nn.Linear(n_in, n_out, dtype=getattr(torch, dtype)), nn.Tanh()]
    return nn.Sequential(*modules[:-1], nn.Identity())


def set_gradient(net: nn.Sequential, grads: Params) -> None:
    """As if backward had left these gradients."""
    write(grads, net, lambda p, part: setattr(p, "grad", part))
