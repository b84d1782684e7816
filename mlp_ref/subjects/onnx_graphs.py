"""Questions as ONNX graphs, forward only."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mlp_ref.subjects.protocol import Question

__all__ = ["model_of"]

OPSET, FORMAT = 20, 9  # the first that have Gelu
# name -> operator, and its attributes
OPERATORS: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "identity": ("Identity", {}), "sigmoid": ("Sigmoid", {}), "tanh": ("Tanh", {}),
        "relu": ("Relu", {}), "leaky_relu": ("LeakyRelu", {"alpha": 0.01}), "elu": ("Elu", {}),
        "softplus": ("Softplus", {}), "gelu": ("Gelu", {}),
        "gelu_tanh": ("Gelu", {"approximate": "tanh"}), "softmax": ("Softmax", {}),
        "log_softmax": ("LogSoftmax", {}),
    }
)  # fmt: skip


def model_of(question: Question) -> bytes:
    """The serialized model: inputs of the dtypes and shapes that are given, outputs y, z and a."""
    from onnx import helper

    nodes = _nodes(helper, question)
    read = {name for node in nodes for name in node.input}
    given = {name: x for name, x in question.inputs.items() if name in read}
    kinds = {name: helper.np_dtype_to_tensor_dtype(x.dtype) for name, x in given.items()}
    inputs = [helper.make_tensor_value_info(k, kinds[k], x.shape) for k, x in given.items()]
    found = [name for node in nodes for name in node.output if not name.startswith("gate")]
    kind = next(iter(kinds.values()))
    outputs = [helper.make_tensor_value_info(name, kind, [None, None]) for name in found]
    graph = helper.make_graph(nodes, question.operation, inputs, outputs)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=FORMAT)
    serialized: bytes = model.SerializeToString()
    return serialized


def _nodes(helper: Any, question: Question) -> list[Any]:
    if question.operation == "dense":
        return [helper.make_node("Gemm", ["x", "W", "b"], ["z"])]
    parameters, a, nodes = question.parameters, "x", list[Any]()
    if question.operation != "mlp":
        return _function(helper, parameters.get("function", question.operation), "x", "y")
    for k, name in enumerate(parameters["activations"]):
        nodes += [helper.make_node("Gemm", [a, f"W{k}", f"b{k}"], [f"z{k}"])]
        a = f"a{k}"
        nodes += _function(helper, name, f"z{k}", a)
    return nodes


def _function(helper: Any, name: str, x: str, y: str) -> list[Any]:
    """silu has no operator in this set: x Sigmoid(x), as exporters write it."""
    if name == "silu":
        gate = helper.make_node("Sigmoid", [x], [f"gate {y}"])
        return [gate, helper.make_node("Mul", [x, f"gate {y}"], [y])]
    operator, attributes = OPERATORS[name]
    return [helper.make_node(operator, [x], [y], **attributes)]
