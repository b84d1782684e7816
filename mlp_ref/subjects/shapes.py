"""The shapes of what a question asks for, from those of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mlp_ref.arithmetic import Array
from mlp_ref.corpus.names import tensors_of
from mlp_ref.subjects.protocol import Question

__all__ = ["output_shapes"]

# output -> the input that has its shape; what is not named has that of the input of its own name
_LIKE: Mapping[str, str] = MappingProxyType(
    {"y": "x", "dx": "x", "dW": "W", "db": "b", "g": "z", "grads": "params"}
)


def output_shapes(question: Question) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every output, in the order of their computation.

    Gradients and moments have the shape of what they belong to; z and a of a layer have the rows
    of x and the columns of W; the loss is a scalar. Inputs that must be refused have outputs too,
    of shapes that need not fit each other.
    """
    operation, parameters, inputs = question.operation, question.parameters, question.inputs
    depth = len(parameters["activations"]) if operation == "mlp" else 0

    def shape(name: str) -> tuple[int, ...]:
        part = name.rstrip("0123456789")
        layer = name[len(part) :]
        if part == "loss":
            return ()
        if operation == "mlp" and part == "g":
            part, layer = "a", str(depth - 1)
        if part in ("z", "a"):
            return _size(inputs["x"], 0), _size(inputs[f"W{layer}"], -1)
        return inputs[_LIKE.get(part, part) + layer].shape

    return {name: shape(name) for name in tensors_of(operation, parameters).expected}


def _size(x: Array, axis: int) -> int:
    return x.shape[axis] if x.ndim else 1
