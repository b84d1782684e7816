"""PyTorch as its users write it: modules, autograd, torch.optim; and how its answers are judged.

`mlp_ref.subjects` has another PyTorch, in functional form: the two share no line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch import nn

from mlp_ref.activations import Elementwise
from mlp_ref.arithmetic import ARITHMETICS, Arithmetic, Array
from mlp_ref.bounds import Bounded, carry, exactly, slope_error, times_error, value_error
from mlp_ref.gate.cases import Case, case_of
from mlp_ref.gate.drafts import Draft
from mlp_ref.gate.judge import Result, Verdict, judge
from mlp_ref.gate.run import run_case
from mlp_ref.softmax import SOFTMAX
from mlp_ref.subjects import Subject

F = nn.functional
DTYPES = ("float32", "float64")
MODULES: Mapping[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "softplus": nn.Softplus,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
}
CRITERIA: Mapping[str, Callable[..., torch.Tensor]] = {
    "cross_entropy": F.cross_entropy,
    "binary_cross_entropy": F.binary_cross_entropy_with_logits,
    "squared_error": F.mse_loss,
}
Run = Callable[..., Mapping[str, Any]]


def numpy_of(tensor: torch.Tensor) -> Array:
    """The numbers of a tensor in memory of their own: torch's in-place steps cannot reach them."""
    return tensor.detach().numpy().copy()


def linears(net: nn.Sequential) -> list[nn.Linear]:
    """The dense layers of a network, from input to output."""
    return [module for module in net if isinstance(module, nn.Linear)]


def sequential(
    weights: Sequence[Array],
    biases: Sequence[Array],
    activations: Sequence[str],
    modules: Mapping[str, Callable[[], nn.Module]] = MODULES,
) -> nn.Sequential:
    """Linear and activation modules in turn, the weights copied transposed."""
    parts: list[nn.Module] = []
    for W, b, name in zip(weights, biases, activations, strict=True):
        linear = nn.Linear(*W.shape, dtype=torch.from_numpy(W).dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W).T)  # (n_out, n_in)
            linear.bias.copy_(torch.from_numpy(b))
        parts += [linear, modules[name]()]
    return nn.Sequential(*parts)


def run_torch(
    *,
    weights: Sequence[Array],
    biases: Sequence[Array],
    x: Array,
    target: Array,
    activations: Sequence[str],
    loss: str,
    modules: Mapping[str, Callable[[], nn.Module]] = MODULES,
    criterion: Callable[..., torch.Tensor] | None = None,
) -> dict[str, Array]:
    """Forward and backward; hooks record what every module returns. Wrong parts may be put in."""
    net = sequential(weights, biases, activations, modules)
    return answer(net, criterion or CRITERIA[loss], x, target)


def answer(
    net: nn.Sequential, criterion: Callable[..., torch.Tensor], x: Array, target: Array
) -> dict[str, Array]:
    """Every tensor of one pass through ``net``, by the names of `bounds.derive`."""
    outputs: list[torch.Tensor] = []
    hooks = [net[k].register_forward_hook(lambda *call: outputs.append(call[2]))
             for k in range(len(net))]
    first = torch.tensor(x, requires_grad=True)
    output = net(first)
    output.retain_grad()
    loss = criterion(output, torch.tensor(target))
    net.zero_grad()
    loss.backward()
    for hook in hooks:
        hook.remove()
    found = {"loss": loss, "g": output.grad, "dx": first.grad}
    found |= {f"{'za'[k % 2]}{k // 2}": tensor for k, tensor in enumerate(outputs)}
    for k, linear in enumerate(linears(net)):
        found |= {f"dW{k}": linear.weight.grad.T, f"db{k}": linear.bias.grad}
    return {name: numpy_of(tensor) for name, tensor in found.items()}


def elementwise(A: Arithmetic, f: Elementwise, x: Array) -> dict[str, Bounded]:
    """f(x) as ``value`` and 1 * f'(x) as ``vjp``, for an exact x."""
    z, wide = exactly(x), x.astype(np.float64)
    with np.errstate(all="ignore"):
        y = carry(A, f.value(wide), lambda A, z: value_error(A, f, z), z)
        slope = f.slope(wide, y.value)
        d = carry(A, slope, lambda A, z, y: slope_error(A, f, z, y), z, y, stored=False)
        return {"value": y, "vjp": carry(A, slope, times_error, exactly(np.ones_like(wide)), d)}
