"""torch.autograd.gradcheck on the same network, right or with one wrong entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.autograd import gradcheck

from benchmarks.speed.gradient_problem import Problem

__all__ = ["FACTORS", "Torch"]

# 1e-8 to 1e8: how far one entry of the gradient is off, relative to itself
FACTORS = tuple(10.0 ** (k / 2) for k in range(-16, 17))


class _Wrong(torch.autograd.Function):
    """The identity, whose backward pass gets one entry wrong."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, entry: int, relative: float) -> torch.Tensor:
        ctx.wrong = entry, relative
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        entry, relative = ctx.wrong
        g = grads[0].clone()
        g.view(-1)[entry] *= 1 + relative
        return g, None, None


class Torch:
    """The parameters as leaves, in the order W0 b0 W1 ..., and the loss as a function of them."""

    def __init__(self, p: Problem) -> None:
        torch.set_num_threads(1)
        self.x, self.labels = torch.from_numpy(p.x), torch.from_numpy(p.labels)
        self.leaves = [
            torch.tensor(part, requires_grad=True) for layer in p.params.layers for part in layer
        ]
        self.starts = np.cumsum([0] + [leaf.numel() for leaf in self.leaves])

    def loss(self, leaves: Sequence[torch.Tensor]) -> torch.Tensor:
        """The mean loss."""
        a = self.x
        for k in range(0, len(leaves), 2):
            a = torch.addmm(leaves[k + 1], a, leaves[k])
            if k + 2 < len(leaves):
                a = torch.tanh(a)
        return torch.nn.functional.cross_entropy(a, self.labels)

    def gradient(self) -> np.ndarray:
        """That of autograd (p,)."""
        grads = torch.autograd.grad(self.loss(self.leaves), self.leaves)
        return np.concatenate([g.numpy().ravel() for g in grads])

    def check(self, fast: bool, tensors: Sequence[int] | None = None) -> bool:
        """gradcheck with its defaults, of all parameters or of those of some tensors."""
        chosen = range(len(self.leaves)) if tensors is None else tensors

        def f(*inputs: torch.Tensor) -> torch.Tensor:
            leaves = list(self.leaves)
            for k, leaf in zip(chosen, inputs, strict=True):
                leaves[k] = leaf
            return self.loss(leaves)

        inputs = [self.leaves[k] for k in chosen]
        return gradcheck(f, inputs, fast_mode=fast, raise_exception=False)

    def notices(self, entry: int, relative: float, fast: bool) -> bool:
        """Whether gradcheck rejects a gradient with that entry of all parameters wrong.

        The slow mode judges entry by entry, so that it need be asked about this one only.
        """
        tensor = int(np.searchsorted(self.starts, entry, side="right")) - 1
        own, leaf = entry - int(self.starts[tensor]), self.leaves[tensor]

        def f(*inputs: torch.Tensor) -> torch.Tensor:
            leaves = list(inputs if fast else self.leaves)
            if not fast:
                flat = leaf.detach().reshape(-1)
                flat = torch.cat([flat[:own], inputs[0].reshape(1), flat[own + 1 :]])
                leaves[tensor] = flat.reshape(leaf.shape)
            return self.loss(leaves)

        def wrong(*inputs: torch.Tensor) -> torch.Tensor:
            changed = list(inputs)
            at, within = (tensor, own) if fast else (0, 0)
            changed[at] = _Wrong.apply(changed[at], within, relative)
            return f(*changed)

        single = [leaf.detach().reshape(-1)[own].clone().requires_grad_()]
        inputs = self.leaves if fast else single
        return not gradcheck(wrong, inputs, fast_mode=fast, raise_exception=False)

    def smallest(self, entry: int, fast: bool) -> float:
        """The least of `FACTORS` that is noticed, infinite if none is."""
        found = (factor for factor in FACTORS if self.notices(entry, factor, fast))
        return next(found, float("inf"))
