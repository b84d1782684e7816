"""How an object with forward and backward is asked a question, once its manner is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.losses import LOSSES
from mlp_ref.subjects.protocol import Question
from mlp_ref.subjects.python.places import Place

__all__ = ["Layout", "Manner", "Returned", "call", "sort_out"]


class Layout(NamedTuple):
    """Shapes: W is (outputs, inputs); b has further dimensions; samples are columns."""

    transposed: bool
    bias: str  # "(n,)", "(1, n)" or "(n, 1)"
    columns: bool = False

    def theirs(self, W: Array, b: Array) -> tuple[Array, Array]:
        """Copies of our parameters of a layer, as the object wants them."""
        shape = {"(n,)": (-1,), "(1, n)": (1, -1), "(n, 1)": (-1, 1)}[self.bias]
        return (W.T if self.transposed else W).copy(), b.reshape(shape).copy()

    def ours(self, W: Any, b: Any) -> tuple[Any, Any]:
        """Their gradients as ours; what has another number of dimensions stays as it is."""
        W, b = np.asarray(W), np.asarray(b)
        flat = b.ndim == 2 and 1 in b.shape
        return W.T if self.transposed and W.ndim == 2 else W, b.reshape(-1) if flat else b

    def samples(self, x: Any) -> Any:
        """One row per sample as one column per sample, and back; labels stay as they are."""
        return x.T if self.columns and np.ndim(x) == 2 else x

    def __str__(self) -> str:
        order = "(outputs, inputs)" if self.transposed else "(inputs, outputs)"
        return f"W {order}, b {self.bias}, samples are {'columns' if self.columns else 'rows'}"


class Returned(NamedTuple):
    """What backward returned, sorted out by kind."""

    root: Any = None
    dx: Any = None
    loss: Any = None


def sort_out(returned: Any, depth: int, shape: tuple[int, ...]) -> Returned:
    """A scalar is the loss, an array of the shape of x its gradient, a mapping the gradients.

    So are two lists with an array per layer, weights before biases.
    """
    lists = [part for part in _parts(returned) if isinstance(part, list) and len(part) == depth]
    found = Returned()
    if len(lists) == 2:
        found = found._replace(root={"dW": lists[0], "db": lists[1]})
    for part in _parts(returned):
        if isinstance(part, Mapping):
            found = found._replace(root=part)
        elif isinstance(part, float | np.number | np.ndarray):
            if np.ndim(part) == 0:
                found = found._replace(loss=part)
            elif np.shape(part) == shape:
                found = found._replace(dx=part)
    return found


def _parts(returned: Any) -> Sequence[Any]:
    return returned if isinstance(returned, tuple) else (returned,)


@dataclass(frozen=True)
class Manner:
    """Where the parameters and gradients of an object are, and how its methods are called.

    ``backward``   parameter -> role
    ``gradients``  their place, in what backward returns if ``returned``, else in the object
    ``targets``    what cross_entropy takes: labels, one_hot, probabilities, or both
    ``loss``       "returned", the name of a method or an attribute, or empty: not compared
    ``output``     whether what forward returns is the last a
    """

    layout: Layout
    parameters: Place
    backward: Mapping[str, str]
    gradients: Place
    returned: bool
    targets: str
    loss: str
    loss_roles: Mapping[str, str]
    output: bool = True

    def answer(self, net: Any, question: Question) -> Mapping[str, Any]:
        """The tensors that the object can tell."""
        inputs, depth = question.inputs, len(question.parameters["activations"])
        pairs = [(inputs[f"W{k}"], inputs[f"b{k}"]) for k in range(depth)]
        self.parameters.write(net, [self.layout.theirs(W, b) for W, b in pairs])
        x = self.layout.samples(inputs["x"])
        output = net.forward(x)
        given = self.given(question, output)
        tensors = {f"a{depth - 1}": self.layout.samples(output)} if self.output else {}
        if self.loss_roles:
            tensors["loss"] = call(getattr(net, self.loss), self.loss_roles, given)
        found = sort_out(call(net.backward, self.backward, given), depth, np.shape(x))
        gradients = self.gradients.read(found.root if self.returned else net, depth)
        if not gradients:
            raise ValueError(f"backward left no gradients in {self.gradients}")
        for k, (W, b) in enumerate(gradients):
            tensors[f"dW{k}"], tensors[f"db{k}"] = self.layout.ours(W, b)
        dx = getattr(net, "dx", None) if found.dx is None else found.dx
        if dx is not None and np.shape(dx) == np.shape(x):
            tensors["dx"] = self.layout.samples(dx)
        if self.loss and not self.loss_roles:
            tensors["loss"] = found.loss if self.loss == "returned" else getattr(net, self.loss)
        return tensors

    def given(self, question: Question, output: Any) -> dict[str, Any]:
        """What the parameters of backward stand for; only what it takes is computed."""
        inputs = question.inputs
        given = {"x": self.layout.samples(inputs["x"]), "output": output}
        if "target" in self.backward.values():
            given["target"] = self.target(question)
        if "g" in self.backward.values():
            loss, z = LOSSES[question.parameters["loss"]], self.layout.samples(output)
            g = loss.value_and_grad(np.asarray(z), inputs["target"])[1]
            given["g"] = self.layout.samples(g)
        return given

    def target(self, question: Question) -> Array:
        """The target as the object wants it."""
        inputs, depth = question.inputs, len(question.parameters["activations"])
        target = inputs["target"]
        if question.parameters["loss"] == "cross_entropy":
            if target.ndim == 2 and self.targets in ("labels", "one_hot"):
                raise NotImplementedError("cross_entropy with probabilities; it takes labels")
            if target.ndim == 1 and self.targets in ("one_hot", "probabilities"):
                classes = inputs[f"b{depth - 1}"].shape[-1]
                if not ((target >= 0) & (target < classes)).all():
                    raise NotImplementedError("labels without a class have no one-hot row")
                target = np.eye(classes, dtype=inputs["x"].dtype)[target]
        return np.asarray(self.layout.samples(target))

    def __str__(self) -> str:
        where = "returns" if self.returned else "leaves"
        text = f"{self.parameters}; {self.layout}; backward({', '.join(self.backward)}) {where} "
        text += f"{self.gradients}"
        text += f"; cross_entropy takes {self.targets}" if self.targets else ""
        return f"{text}; loss: {self.loss or 'not compared'}"


def call(function: Callable[..., Any], roles: Mapping[str, str], given: Mapping[str, Any]) -> Any:
    """Call with what the parameters stand for."""
    return function(**{name: given[role] for name, role in roles.items()})
