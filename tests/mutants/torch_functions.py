"""torch.autograd.Function with hand-written backward passes; all tensors."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from mlp_ref.subjects import Subject
from mutants.mutant import network

__all__ = ["subject"]


class Affine(torch.autograd.Function):
    """X W + b."""

    @staticmethod
    def forward(ctx, x, W, b, wrong):
        """z."""
        ctx.save_for_backward(x, W)
        ctx.wrong = wrong
        return torch.addmm(b, x, W)

    @staticmethod
    def backward(ctx, g):
        """dx, dW, db."""
        x, W = ctx.saved_tensors
        dW = x.mT @ g
        if ctx.wrong == "torch-function/dW-of-square" and W.shape[0] == W.shape[1]:
            dW = g.mT @ x
        if ctx.wrong == "torch-function/half-gradient":
            dW = dW.half().to(dW.dtype)
        if ctx.wrong == "torch-function/mean-input":
            dW = torch.outer(x.mean(0), g.sum(0))
        db = g[:1].sum(0) if ctx.wrong == "torch-function/first-row" else g.sum(0)
        return g @ W.mT, dW, db, None


class Sigmoid(torch.autograd.Function):
    """1 / (1 + e^-z)."""

    @staticmethod
    def forward(ctx, z, wrong):
        """a."""
        a = torch.sigmoid(z)
        ctx.save_for_backward(z, a)
        ctx.wrong = wrong
        return a

    @staticmethod
    def backward(ctx, g):
        """dz."""
        z, a = ctx.saved_tensors
        if ctx.wrong == "torch-function/saved-z":
            return g * z * (1 - z), None
        if ctx.wrong == "torch-function/sigmoid-of-a":
            a = torch.sigmoid(a)
            return g * a * (1 - a), None
        return g * a * torch.sigmoid(-z), None


class ReLU(torch.autograd.Function):
    """Max(z, 0)."""

    @staticmethod
    def forward(ctx, z, wrong):
        """a."""
        a = z.clamp(min=0)
        ctx.save_for_backward(a)
        ctx.wrong = wrong
        return a

    @staticmethod
    def backward(ctx, g):
        """dz."""
        (a,) = ctx.saved_tensors
        if ctx.wrong == "torch-function/mask-of-output":
            return g * (a >= 0), None  # always
        return torch.where(a > 0, g, torch.zeros_like(g)), None


class Elu(torch.autograd.Function):
    """z, or e^z - 1."""

    @staticmethod
    def forward(ctx, z, wrong):
        """a."""
        ctx.save_for_backward(z)
        ctx.wrong = wrong
        alpha = 1.67326 if wrong == "torch-function/selu-alpha" else 1.0
        return torch.where(z > 0, z, alpha * torch.expm1(z.clamp(max=0)))

    @staticmethod
    def backward(ctx, g):
        """dz."""
        (z,) = ctx.saved_tensors
        alpha = 1.67326 if ctx.wrong == "torch-function/selu-alpha" else 1.0
        if ctx.wrong == "torch-function/elu-is-relu-backward":
            return g * (z > 0), None
        return g * torch.where(z > 0, torch.ones_like(z), alpha * z.clamp(max=0).exp()), None


FUNCTIONS = {"identity": None, "sigmoid": Sigmoid, "relu": ReLU, "elu": Elu}


def run(wrong, *, weights, biases, x, target, activations, loss) -> dict[str, Any]:
    """Forward and backward; every intermediate result keeps its gradient."""
    if loss != "squared_error" or not set(activations) <= set(FUNCTIONS):
        raise NotImplementedError("squared_error; sigmoid, relu and elu")
    Ws = [torch.from_numpy(W).clone().requires_grad_() for W in weights]
    bs = [torch.from_numpy(b).clone().requires_grad_() for b in biases]
    start = torch.from_numpy(x).clone().requires_grad_()
    a, out = start / 16 if wrong == "torch-function/pixels" else start, {}
    for k, name in enumerate(activations):
        z = Affine.apply(a, Ws[k], bs[k], wrong)
        f = FUNCTIONS[name]
        a = z.clone() if f is None else f.apply(z, wrong)
        out |= {f"z{k}": z, f"a{k}": a}
    a.retain_grad()
    d = a - torch.from_numpy(target)
    value = d.square().mean()
    value.backward()
    out |= {"loss": value, "g": a.grad, "dx": start.grad}
    for k, (W, b) in enumerate(zip(Ws, bs, strict=True)):
        out |= {f"dW{k}": W.grad, f"db{k}": b.grad}
    return {name: tensor.detach().numpy() for name, tensor in out.items()}


subject: partial[Subject] = partial(network, run)
