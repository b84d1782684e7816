"""A case as a differentiable function, as gradient checkers want it.

    operation                          function of                output   pulled back by
    activation, softmax, log_softmax   x                          y        dx(g)
    dense                              x, W, b                    z        dx(g), dW(g), db(g)
    loss                               z                          loss     s g
    mlp                                x, W0, b0, W1, ...         loss     s dx, s dW0, s db0, ...
    train_step                         params                     loss     s grads

An optimizer's step is no function whose gradient is computed: there is no view of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.corpus.records import Certified
from mlp_ref.faults import RIGHT, Parts, operations_of
from mlp_ref.faults.making import Instead
from mlp_ref.gate.cases import Case
from mlp_ref.parameters import Params

__all__ = [
    "Answers", "View", "answers_of", "anything_changed", "forward_changed", "gradient_changed",
    "value_of", "view_of",
]  # fmt: skip

Inputs = Mapping[str, Array]
Answers = Callable[[Case, Inputs], Mapping[str, Any]]
_ROWS = ("activation", "softmax", "log_softmax")
LARGEST = 1000  # numbers among the inputs: a finite difference is taken for every one


@dataclass(frozen=True, eq=False)
class View:
    """Names of the arguments, of the output, and of the tensors that are their gradients."""

    case: Case
    arguments: tuple[str, ...]
    output: str
    gradients: tuple[str, ...]
    scalar: bool

    def inputs(self, arrays: Sequence[Array]) -> dict[str, Array]:
        """The inputs of the case with these arguments."""
        return {**self.case.inputs, **dict(zip(self.arguments, arrays, strict=True))}

    def point(self) -> list[Array]:
        """The arguments of the case."""
        return [self.case.inputs[name].copy() for name in self.arguments]

    def pull(self, answers: Answers, arrays: Sequence[Array], cotangent: Array) -> list[Array]:
        """The gradients of the inner product of output and cotangent."""
        inputs = self.inputs(arrays)
        if not self.scalar:
            inputs["g"] = cotangent
        found = answers(self.case, inputs)
        gradients = [np.asarray(found[name]) for name in self.gradients]
        with np.errstate(invalid="ignore", over="ignore"):
            return [cotangent * g for g in gradients] if self.scalar else gradients


def view_of(case: Case, expected: Mapping[str, Certified]) -> View | None:
    """The view of a case, unless it has none, is not finite, or is too large."""
    names = tuple(name for name in case.inputs if name not in ("g", "target"))
    views: Mapping[str, tuple[tuple[str, ...], str, tuple[str, ...]]] = {
        **dict.fromkeys(_ROWS, (("x",), "y", ("dx",))),
        "dense": (("x", "W", "b"), "z", ("dx", "dW", "db")),
        "loss": (("z",), "loss", ("g",)),
        "mlp": (names, "loss", tuple(f"d{name}" for name in names)),
        "train_step": (("params",), "loss", ("grads",)),
    }
    if case.operation not in views:
        return None
    found = View(case, *views[case.operation], case.operation not in (*_ROWS, "dense"))
    numbers = [case.inputs[name] for name in found.arguments]
    finite = all(np.isfinite(x).all() for x in case.inputs.values()) and all(
        np.isfinite(expected[name].hi).all() for name in (found.output, *found.gradients)
    )
    return found if finite and sum(x.size for x in numbers) <= LARGEST else None


# ------------------------------------------------------------------------------------ from parts


def answers_of(parts: Parts) -> Answers:
    """The whole answer, put together from parts."""
    operations = operations_of(parts)
    return lambda case, inputs: operations[case.operation](case.record.parameters, inputs)


def value_of(parts: Parts) -> Callable[[View, Sequence[Array]], Array]:
    """The output alone, and no gradient, where that is possible."""
    whole = answers_of(parts)

    def value(view: View, arrays: Sequence[Array]) -> Array:
        inputs, case = view.inputs(arrays), view.case
        if parts.answer is not RIGHT.answer:
            return np.asarray(whole(case, inputs)[view.output])
        p = case.record.parameters
        with np.errstate(all="ignore"):
            given = parts.inputs(case.operation, p, inputs)
            return np.asarray(_output(parts, case.operation, p, given))

    return value


def _output(parts: Parts, operation: str, p: Mapping[str, Any], inputs: Inputs) -> Any:
    if operation in _ROWS:
        return parts.value(p.get("function", operation), inputs["x"])
    if operation == "dense":
        return parts.affine(inputs["x"], inputs["W"], inputs["b"])
    a = inputs["z"] if operation == "loss" else inputs["x"]
    if operation == "train_step":
        layers: Any = Params(inputs["params"], tuple(p["sizes"])).layers
    else:
        layers = [(inputs[f"W{k}"], inputs[f"b{k}"]) for k in range(len(p.get("activations", ())))]
    for f, (W, b) in zip(p.get("activations", ()), layers, strict=True):
        a = parts.value(f, parts.affine(a, W, b))
    return parts.loss(p["loss"], a, inputs["target"])


_FORWARD: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_ROWS, ("value",)),
    "dense": ("affine",),
    "loss": ("loss",),
    **dict.fromkeys(("mlp", "train_step"), ("affine", "value", "loss")),
    "optimizer": (),
}
_WHOLE: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(_ROWS, ("value", "pull")),
    "dense": ("affine", "weight_gradient", "bias_gradient", "input_gradient"),
    "loss": ("loss", "loss_gradient"),
    "mlp": tuple(part for part in Parts._fields if part != "step"),
    "optimizer": ("step",),
    "train_step": Parts._fields,
}


def forward_changed(parts: Parts, case: Case) -> bool:
    """Whether the output of a case is computed by anything but the parts of the reference."""
    return _changed(parts, case, _FORWARD[case.operation])


def gradient_changed(parts: Parts, case: Case) -> bool:
    """Whether its output or gradients are: all but the step of an optimizer."""
    used = [part for part in _WHOLE[case.operation] if part != "step"]
    return _changed(parts, case, used)


def anything_changed(parts: Parts, case: Case) -> bool:
    """Whether anything in the answer to a case is."""
    return _changed(parts, case, _WHOLE[case.operation])


def _changed(parts: Parts, case: Case, used: Sequence[str]) -> bool:
    p = case.record.parameters
    functions = p.get("activations", [p.get("function", case.operation)])
    names = {"value": functions, "pull": functions}
    names |= {part: (p.get("loss", ""),) for part in ("loss", "loss_gradient")}
    return any(
        _other(getattr(parts, part), getattr(RIGHT, part), names.get(part, ()))
        for part in (*used, "inputs", "answer")
    )


def _other(part: Any, right: Any, names: Sequence[str]) -> bool:
    if isinstance(part, Instead) and part.right is right:
        return any(name in part.table for name in names)
    return part is not right
