"""Data-parallel PyTorch: `DistributedDataParallel` over shards of unequal size.

The loss is the mean over ALL rows. So each process divides the sum over its own rows by the number
of all, and a communication hook ADDS the gradients. DDP alone averages them, which is wrong for
means over unequal shards; a factor n_processes would make up for it, but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from mlp_ref.arithmetic import Array
from mlp_ref.subjects.protocol import Question, Subject
from mlp_ref.subjects.pytorch.functions import loss_of, named
from mlp_ref.subjects.pytorch.messages import gather_rows
from mlp_ref.subjects.pytorch.modules import network
from mlp_ref.subjects.pytorch.ranks import join, torchrun
from mlp_ref.subjects.pytorch.tensors import Tensor, Tensors

__all__ = ["add", "answer", "command", "load", "shards", "share_of_mean"]


def command(variant: str) -> list[str]:
    """The program of ``torch_ddp:variant``, whose first process is asked."""
    return torchrun("torch_ddp", variant)


def load(variant: str = "") -> Subject:
    """The subject ``torch_ddp`` in each process that torchrun starts."""
    return join("torch_ddp", answer)


def shards(rows: int, ranks: int) -> list[slice]:
    """The rows of each process: 1, 2, 3, ... of them, or 0, 1, 2, ... if that is too many.

    The last one has what is left, so that no two are equal, unless there are too few rows.
    """
    least = rows >= ranks * (ranks + 1) // 2
    ends = [min(k * (k - 1) // 2 + k * least, rows) for k in range(ranks)]
    return [slice(*own) for own in pairwise([*ends, rows])]


def share_of_mean(loss: str, output: Tensor, target: Tensor, rows: int) -> Tensor:
    """What the rows of one process add to the mean over ``rows`` in all."""
    each = 1 if loss == "cross_entropy" else output.shape[1]
    return loss_of(loss, output, target, reduction="sum") / (rows * each)


def add(tensor: Tensor) -> Any:
    """The sum over all processes."""
    from torch import distributed

    work = distributed.all_reduce(tensor, async_op=True)
    return work.get_future().then(lambda future: future.value()[0])


def answer(
    question: Question, share: Callable[..., Any] = share_of_mean, combine: Callable[..., Any] = add
) -> Mapping[str, Array]:
    """z, a, loss, g and all gradients of the operation mlp; each process passes its own rows."""
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    tensors, inputs = Tensors(question.arithmetic, "cpu"), question.inputs
    rows = shards(len(inputs["x"]), distributed.get_world_size())
    own = rows[distributed.get_rank()]
    model = DistributedDataParallel(network(question, tensors))
    model.register_comm_hook(None, lambda _, bucket: combine(bucket.buffer()))
    x, target = tensors.new(inputs["x"][own], grad=True), tensors.new(inputs["target"][own])
    outputs = model(x)
    outputs[-1].retain_grad()
    loss = share(question.parameters["loss"], outputs[-1], target, rows[-1].stop)
    loss.backward()
    found = gather_rows(named(outputs) | {"g": outputs[-1].grad, "dx": x.grad}, rows)
    for k, layer in enumerate(model.module.layers):
        found |= {f"dW{k}": layer.weight.grad.T, f"db{k}": layer.bias.grad}
    return tensors.arrays(found | {"loss": combine(loss.detach()).wait()})
