"""What the catalogue is written with: from a few wrong functions to `Parts`.

Every helper replaces as little as it can, and what it does not name stays that of `RIGHT`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.faults.parts import RIGHT, Answer, Inputs, Parameters, Parts
from mlp_ref.losses import LOSSES

__all__ = [
    "Based", "Instead", "after_answer", "after_inputs", "both", "for_functions", "for_losses",
    "for_methods", "on_tensors", "one_hot", "reduced", "terms_of", "weighted",
    "with_hyperparameters", "with_targets",
]  # fmt: skip

Table = Mapping[str, Callable[..., Any]]
NONE: Table = MappingProxyType({})


@dataclass(frozen=True)
class Instead:
    """A part that is called with a name first: what ``table`` has for it, else ``right``."""

    table: Table
    right: Callable[..., Any]

    def __call__(self, name: str, *arrays: Array) -> Any:
        """The part of that name."""
        return self.table[name](*arrays) if name in self.table else self.right(name, *arrays)


@dataclass(frozen=True)
class Based:
    """A part that calls other parts: ``make(base)``; see `both`."""

    make: Callable[[Parts], Callable[..., Any]]
    base: Parts = RIGHT

    def __call__(self, *arguments: Any) -> Any:
        """The part, made from its base."""
        return self.make(self.base)(*arguments)


def for_functions(values: Table = NONE, slopes: Table = NONE, vjps: Table = NONE) -> Parts:
    """Other activations, by name; softmax and log_softmax are among them.

    ``values``  a(z)
    ``slopes``  f'(z, a), elementwise: dz = da f'
    ``vjps``    dz(da, z, a), where the Jacobian is not diagonal or more is wrong than the slope
    """
    pulls = {name: _times(slope) for name, slope in slopes.items()} | dict(vjps)
    return RIGHT._replace(
        value=Instead(values, RIGHT.value) if values else RIGHT.value,
        pull=Instead(pulls, RIGHT.pull) if pulls else RIGHT.pull,
    )


def _times(slope: Callable[[Array, Array], Array]) -> Callable[[Array, Array, Array], Array]:
    return lambda da, z, a: da * slope(z, a)


def for_losses(values: Table = NONE, gradients: Table = NONE) -> Parts:
    """Other losses, by name: ``values`` L(a, target), a scalar, and ``gradients`` g(a, target)."""
    return RIGHT._replace(
        loss=Instead(values, RIGHT.loss) if values else RIGHT.loss,
        loss_gradient=Instead(gradients, RIGHT.loss_gradient) if gradients else RIGHT.loss_gradient,
    )


def terms_of(name: str, a: Array, target: Array) -> tuple[Array, int, Array]:
    """The terms of a loss, what their sum is divided by, and the gradient times that number."""
    terms, count, gradient = LOSSES[name].parts(a, target)
    return terms, count, gradient()


def one_hot(z: Array, target: Array) -> Array:
    """Labels as rows of zeros and a one, in the shape and dtype of z; real targets as they are."""
    return np.eye(z.shape[1], dtype=z.dtype)[target] if target.dtype.kind in "iu" else target


def weighted(target: Array, x: Array) -> Array:
    """target * x, and 0 where the target is 0, also of an infinite x."""
    return np.where(target != 0, target * x, x.dtype.type(0))


def reduced(
    value: Callable[[Array, int], Any] | None = None,
    gradient: Callable[[Array, int], Array] | None = None,
) -> Parts:
    """Another reduction, of every loss.

    ``value``     of the terms x and their count, instead of x.sum() / count
    ``gradient``  of x, one row per sample, and the count, instead of x / count
    """

    def loss(name: str, a: Array, target: Array) -> Any:
        terms, count, _ = terms_of(name, a, target)
        return terms.sum() / count if value is None else value(terms, count)

    def on(base: Parts) -> Callable[[str, Array, Array], Array]:
        def loss_gradient(name: str, a: Array, target: Array) -> Array:
            _, count, g = terms_of(name, a, target)
            if base.loss_gradient is not RIGHT.loss_gradient:
                g = base.loss_gradient(name, a, target) * a.dtype.type(count)
            return g / count if gradient is None else gradient(g, count)

        return loss_gradient

    return RIGHT._replace(
        loss=RIGHT.loss if value is None else loss,
        loss_gradient=RIGHT.loss_gradient if gradient is None else Based(on),
    )


def with_targets(change: Callable[[str, Array, Array], Array]) -> Parts:
    """The right losses of other targets: ``change(name, a, target)``, which nobody checks."""
    right = reduced(lambda terms, count: terms.sum() / count, lambda g, count: g / count)

    def of(part: str) -> Based:
        def on(base: Parts) -> Callable[[str, Array, Array], Any]:
            usual = getattr(base, part) is getattr(RIGHT, part)
            called: Callable[[str, Array, Array], Any] = getattr(right if usual else base, part)
            return lambda name, a, target: called(name, a, change(name, a, target))

        return Based(on)

    return RIGHT._replace(loss=of("loss"), loss_gradient=of("loss_gradient"))


def for_methods(steps: Table) -> Parts:
    """Other optimizers, by method: step(rule, theta, grads, moments); see `Parts.step`."""

    def on(base: Parts) -> Callable[[Parameters, Array, Array, Inputs], Answer]:
        def step(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
            found: Answer = steps.get(rule["method"], base.step)(rule, theta, grads, moments)
            return found

        return step

    return RIGHT._replace(step=Based(on))


def with_hyperparameters(change: Callable[[Parameters], Mapping[str, Any]]) -> Parts:
    """The right step with other hyperparameters: ``change(rule)`` are those that change."""

    def on(base: Parts) -> Callable[[Parameters, Array, Array, Inputs], Answer]:
        def step(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
            return base.step({**rule, **change(rule)}, theta, grads, moments)

        return step

    return RIGHT._replace(step=Based(on))


def after_inputs(change: Callable[[str, Inputs], Inputs]) -> Parts:
    """The right answer to other inputs: ``change(operation, inputs)`` are those that change."""
    return RIGHT._replace(
        inputs=lambda operation, parameters, inputs: {**inputs, **change(operation, inputs)}
    )


def after_answer(change: Callable[[str, Answer, Inputs], Answer]) -> Parts:
    """The right answer, but for ``change(operation, answer, inputs)``, the tensors that change."""
    return RIGHT._replace(
        answer=lambda operation, answer, inputs: {**answer, **change(operation, answer, inputs)}
    )


def on_tensors(names: Collection[str], change: Callable[[Array], Any]) -> Parts:
    """``change(tensor)`` for tensors of the answer; of dW0, dW1, ... ``names`` has dW."""
    return after_answer(
        lambda operation, answer, inputs: {
            name: change(x) for name, x in answer.items() if name.rstrip("0123456789") in names
        }
    )


def both(first: Parts, second: Parts) -> Parts:
    """Two mistakes at once; where both replace the same, the second one stands.

    What one of them has `Based` on the reference is made from the other, such as the gradient of
    its loss, not averaged. Of changed inputs and answers, that of the first comes first.
    """
    changed: dict[str, Any] = {
        part: _joined(
            getattr(RIGHT, part), getattr(first, part), getattr(second, part), first, second
        )
        for part in Parts._fields
    }
    changed["inputs"] = lambda operation, parameters, inputs: second.inputs(
        operation, parameters, first.inputs(operation, parameters, inputs)
    )
    changed["answer"] = lambda operation, answer, inputs: second.answer(
        operation, first.answer(operation, answer, inputs), inputs
    )
    return RIGHT._replace(**changed)


def _joined(right: Any, one: Any, other: Any, first: Parts, second: Parts) -> Any:
    """One part of two implementations."""
    if other is right or (isinstance(one, Based) and not isinstance(other, Based)):
        return _on(one, second)
    if isinstance(one, Instead) and isinstance(other, Instead):
        table = {
            name: _joined(None, one.table.get(name), other.table.get(name), first, second)
            for name in {**one.table, **other.table}
        }
        return Instead(table, right)
    return _on(other, first)


def _on(part: Any, base: Parts) -> Any:
    """A part, made from a base if it is `Based`, on top of what it was made from before."""
    if isinstance(part, Instead):
        return Instead({name: _on(own, base) for name, own in part.table.items()}, part.right)
    if not isinstance(part, Based):
        return part
    return replace(part, base=base if part.base is RIGHT else both(part.base, base))
