"""A network of `nn.Linear` modules, for what takes modules only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlp_ref.subjects.protocol import Question
from mlp_ref.subjects.pytorch.functions import function
from mlp_ref.subjects.pytorch.tensors import Tensor, Tensors

__all__ = ["network"]


def network(question: Question, tensors: Tensors, kinds: Sequence[Any] = ()) -> Any:
    """The network of a question of mlp as a module: x to [z0, a0, z1, a1, ...].

    Its ``layers`` have the parameters of the question. They are `nn.Linear`, or of each of
    ``kinds``, its subclasses, in turn.
    """
    from torch import nn

    activations, inputs = question.parameters["activations"], question.inputs
    kinds = kinds or (nn.Linear,)

    class Network(nn.Module):  # type: ignore[misc]  # of a library without types here
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(linear(k) for k in range(len(activations)))

        def forward(self, x: Tensor) -> list[Tensor]:
            outputs = [x]
            for layer, name in zip(self.layers, activations, strict=True):
                z = layer(outputs[-1])
                outputs += [z, function(name, z)]
            return outputs[1:]

    def linear(k: int) -> Any:
        layer = nn.utils.skip_init(kinds[k % len(kinds)], *inputs[f"W{k}"].shape)
        layer.weight = nn.Parameter(tensors.new(inputs[f"W{k}"].T))  # (n_out, n_in)
        layer.bias = nn.Parameter(tensors.new(inputs[f"b{k}"]))
        return layer

    return Network()
