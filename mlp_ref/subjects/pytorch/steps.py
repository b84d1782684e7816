"""The operations of the corpus that take a step with `torch.optim`, from a given state."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from mlp_ref.subjects.protocol import Question
from mlp_ref.subjects.pytorch.functions import Code
from mlp_ref.subjects.pytorch.optimizers import step
from mlp_ref.subjects.pytorch.tensors import Tensor, Tensors

__all__ = ["optimizer_step", "train_step"]

Found = dict[str, Tensor]


def optimizer_step(code: Code, q: Question, t: Tensors) -> Found:
    """The operation optimizer: all parameters are one tensor."""
    p = t.new(q.inputs["params"], grad=True)
    p.grad = t.new(q.inputs["grads"])
    moments = {name: [t.new(q.inputs[name])] for name in ("m", "v") if name in q.inputs}
    after = step(q.parameters, [p], moments)
    return {"params": p} | {name: parts[0] for name, parts in after.items()}


def train_step(code: Code, q: Question, t: Tensors) -> Found:
    """The operation train_step: each weight and bias is a tensor, as in a module."""
    inputs, sizes = q.inputs, q.parameters["sizes"]
    params = [part.requires_grad_() for part in _parted(t.new(inputs["params"]), sizes)]
    moments = {name: _parted(t.new(inputs[name]), sizes) for name in ("m", "v") if name in inputs}
    outputs = code.forward(
        tuple(q.parameters["activations"]), params[::2], params[1::2], t.new(inputs["x"])
    )
    loss = code.loss_of(q.parameters["loss"], outputs[-1], t.new(inputs["target"]))
    loss.backward()
    grads = _joined([p.grad for p in params])
    after = {"params": params} | step(q.parameters, params, moments)
    return {"loss": loss, "grads": grads} | {name: _joined(part) for name, part in after.items()}


def _parted(flat: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """W0^T, b0, W1^T, b1, ... of the vector (p,) of all parameters."""
    parts: list[Tensor] = []
    for n_in, n_out in pairwise(sizes):
        W, b, flat = flat.split([n_in * n_out, n_out, len(flat) - (n_in + 1) * n_out])
        parts += [W.view(n_in, n_out).T.clone(), b.clone()]
    return parts


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """The vector of which these are the parts."""
    import torch

    return torch.cat([part.T.reshape(-1) if part.ndim == 2 else part for part in parts])
