"""Tensor-parallel PyTorch: layers are split by column and by row in turn, unevenly if need be.

A column-parallel layer has some of the outputs in each process, so its z and a stay apart. The
row-parallel one after it takes them as they are, and adds up what the processes have found. The
bias comes last: as `RowwiseParallel` has it, each of n processes adds b / n, and n fl(b / n) is
not b unless n is a power of two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlp_ref.arithmetic import Array
from mlp_ref.subjects.protocol import Question, Subject
from mlp_ref.subjects.pytorch.functions import loss_of, named
from mlp_ref.subjects.pytorch.modules import network
from mlp_ref.subjects.pytorch.ranks import join, torchrun
from mlp_ref.subjects.pytorch.tensors import Tensor, Tensors

__all__ = ["answer", "bias_last", "command", "load"]


def command(variant: str) -> list[str]:
    """The program of ``torch_tp:variant``, whose first process is asked."""
    return torchrun("torch_tp", variant)


def load(variant: str = "") -> Subject:
    """The subject ``torch_tp`` in each process that torchrun starts."""
    return join("torch_tp", answer)


def bias_last() -> Any:
    """An `nn.Linear` for rows: the products of all processes are added up, then comes the bias."""
    from torch import nn
    from torch.distributed.tensor import Replicate

    class BiasLast(nn.Linear):  # type: ignore[misc]  # of a library without types here
        def forward(self, a: Tensor) -> Tensor:
            part = nn.functional.linear(a, self.weight)
            return part.redistribute(placements=[Replicate()]) + self.bias

    return BiasLast


def answer(question: Question, row_parallel: Callable[[], Any] = bias_last) -> Mapping[str, Array]:
    """z, a, loss, g and all gradients of the operation mlp; every process has all rows."""
    from torch.nn import Linear

    tensors, inputs = Tensors(question.arithmetic, "cpu"), question.inputs
    model = _split(network(question, tensors, (Linear, row_parallel())))
    x, target = tensors.new(inputs["x"], grad=True), tensors.new(inputs["target"])
    outputs = model(x)
    output = outputs[-1].full_tensor()
    output.retain_grad()
    loss = loss_of(question.parameters["loss"], output, target)
    loss.backward()
    found: dict[str, Tensor] = {name: z.full_tensor() for name, z in named(outputs).items()}
    for k, layer in enumerate(model.layers):
        found[f"dW{k}"] = layer.weight.grad.full_tensor().T
        found[f"db{k}"] = layer.bias.grad.full_tensor()
    return tensors.arrays(found | {"loss": loss, "g": output.grad, "dx": x.grad})


def _split(model: Any) -> Any:
    """Column-parallel layers, and row-parallel ones, whose results stay distributed tensors."""
    from torch import distributed
    from torch.distributed.tensor import parallel

    mesh = distributed.init_device_mesh("cpu", (distributed.get_world_size(),))
    kinds = parallel.ColwiseParallel, parallel.RowwiseParallel
    plan = {f"layers.{k}": kinds[k % 2](use_local_output=False) for k in range(len(model.layers))}
    return parallel.parallelize_module(model, mesh, plan)
