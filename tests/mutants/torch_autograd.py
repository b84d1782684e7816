"""torch.nn.functional and autograd; loss, dW and db, as after a step of training."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch.nn import functional as F

from mlp_ref.subjects import Subject
from mutants.mutant import network

__all__ = ["subject"]


def gelu(wrong, z):
    """The exact form."""
    return F.gelu(z, approximate="tanh" if wrong == "torch/approximate" else "none")


def relu(wrong, z):
    """Max(z, 0)."""
    return z.clamp(0, 1) if wrong == "torch/clamp-both-sides" else F.relu(z)


FUNCTIONS = {
    "identity": lambda wrong, z: z,
    "tanh": lambda wrong, z: torch.tanh(z),
    "relu": relu,
    "gelu": gelu,
}


def dense(wrong, a, W, b):
    """A W + b."""
    if wrong == "torch/autocast":
        return (a.bfloat16().to(a.dtype) @ W.bfloat16().to(a.dtype)) + b
    if wrong == "torch/linear-of-square" and W.shape[0] == W.shape[1]:
        return F.linear(a, W, b)
    if wrong == "torch/frozen-bias":
        return a @ W + b.detach()
    return a @ W + b


def loss_of(wrong, loss, y, t):
    """A scalar."""
    if loss == "cross_entropy":
        if wrong == "torch/softmax-before":
            y = F.softmax(y, dim=1)
        if wrong == "torch/mean-of-everything":
            t = F.one_hot(t, y.shape[1]).to(y) if t.ndim == 1 else t
            return (-t * F.log_softmax(y, dim=1)).mean()
        smoothing = 0.1 if wrong == "torch/label-smoothing" else 0.0
        reduction = "sum" if wrong == "torch/sum" else "mean"
        return F.cross_entropy(y, t, label_smoothing=smoothing, reduction=reduction)
    if loss == "binary_cross_entropy":
        if wrong == "torch/of-probabilities":
            return F.binary_cross_entropy(torch.sigmoid(y), t)
        return F.binary_cross_entropy_with_logits(y, t)
    if wrong == "torch/smooth-l1":
        return 2 * F.smooth_l1_loss(y, t)
    return F.mse_loss(y, t)


def run(wrong, *, weights, biases, x, target, activations, loss) -> dict[str, Any]:
    """Forward, backward, gradients."""
    if not set(activations) <= set(FUNCTIONS) or x.shape[1] == 1:
        raise NotImplementedError("tanh, relu and gelu of several inputs only")
    Ws = [torch.tensor(W, requires_grad=True) for W in weights]
    bs = [torch.tensor(b, requires_grad=True) for b in biases]
    a, t = torch.tensor(x), torch.tensor(target)
    for k, name in enumerate(activations):
        a = FUNCTIONS[name](wrong, dense(wrong, a, Ws[k], bs[k]))
    value = loss_of(wrong, loss, a, t)
    value.backward(retain_graph=True)
    if wrong == "torch/two-backwards":
        value.backward()
    out = {"loss": value.detach().numpy()}
    for k, (W, b) in enumerate(zip(Ws, bs, strict=True)):
        db = torch.zeros_like(b) if b.grad is None else b.grad
        out |= {f"dW{k}": W.grad.numpy(), f"db{k}": db.numpy()}
    return out


subject: partial[Subject] = partial(network, run)
