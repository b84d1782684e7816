"""The operations of the corpus as users write them in PyTorch: a forward pass and autograd."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from mlp_ref.subjects.protocol import Question
from mlp_ref.subjects.pytorch.functions import Code, named
from mlp_ref.subjects.pytorch.steps import optimizer_step, train_step
from mlp_ref.subjects.pytorch.tensors import Tensor, Tensors

__all__ = ["OPERATIONS"]

Found = dict[str, Tensor]


def _function(code: Code, q: Question, t: Tensors) -> Found:
    x, g = t.new(q.inputs["x"], grad=True), t.new(q.inputs["g"])
    y = code.function(q.parameters.get("function", q.operation), x)
    y.backward(g)
    return {"y": y, "dx": x.grad}


def _dense(code: Code, q: Question, t: Tensors) -> Found:
    x, W, b = (t.new(a, grad=True) for a in (q.inputs["x"], q.inputs["W"].T, q.inputs["b"]))
    z, _ = code.forward(("identity",), [W], [b], x)
    z.backward(t.new(q.inputs["g"]))
    return {"z": z, "dW": W.grad.T, "db": b.grad, "dx": x.grad}


def _loss(code: Code, q: Question, t: Tensors) -> Found:
    z = t.new(q.inputs["z"], grad=True)
    loss = code.loss_of(q.parameters["loss"], z, t.new(q.inputs["target"]))
    loss.backward()
    return {"loss": loss, "g": z.grad}


def _mlp(code: Code, q: Question, t: Tensors) -> Found:
    activations = tuple(q.parameters["activations"])
    depth = range(len(activations))
    W = [t.new(q.inputs[f"W{k}"].T, grad=True) for k in depth]  # (n_out, n_in)
    b = [t.new(q.inputs[f"b{k}"], grad=True) for k in depth]
    x = t.new(q.inputs["x"], grad=True)
    outputs = code.forward(activations, W, b, x)
    outputs[-1].retain_grad()
    loss = code.loss_of(q.parameters["loss"], outputs[-1], t.new(q.inputs["target"]))
    loss.backward()
    found = named(outputs) | {"loss": loss, "g": outputs[-1].grad, "dx": x.grad}
    return found | {f"dW{k}": W[k].grad.T for k in depth} | {f"db{k}": b[k].grad for k in depth}


# operation -> its tensors; whatever PyTorch raises refuses the question
OPERATIONS: Mapping[str, Callable[[Code, Question, Tensors], Found]] = MappingProxyType(
    {
        "activation": _function,
        "dense": _dense,
        "softmax": _function,
        "log_softmax": _function,
        "loss": _loss,
        "mlp": _mlp,
        "optimizer": optimizer_step,
        "train_step": train_step,
    }
)
