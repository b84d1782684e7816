"""Find out, with a small network, how a class with forward and backward is used."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.checks import InputError, describe, fail
from mlp_ref.losses import LOSSES
from mlp_ref.subjects.protocol import Question, Subject
from mlp_ref.subjects.python.classes import (
    ADAPTER,
    METHOD,
    SOFTMAX_LAST,
    Recipe,
    recipe,
    roles,
)
from mlp_ref.subjects.python.manner import Layout, Manner, Returned, call, sort_out
from mlp_ref.subjects.python.places import GRADIENTS, PARAMETERS, Place
from mlp_ref.subjects.python.probe import (
    ROWS,
    SIZES,
    RaisedError,
    Values,
    attempt,
    fitting,
    forward,
    orientation,
    parameters_of,
    question_of,
    require_sensible,
    seen,
)

__all__ = ["class_subject"]

_LOSS_NAMES = ("loss", "compute_loss", "cost", "compute_cost")
_TARGETS = ("labels", "one_hot", "probabilities", "both")


def class_subject(
    spec: str, target: Callable[..., Any], arithmetics: tuple[str, ...], **declared: Any
) -> Subject:
    """A class or factory whose objects have forward and backward.

    ``versions["adapted"]`` of the subject says how it is used. Raises `InputError` if that cannot
    be told for certain.
    """
    if inspect.isclass(target):
        _require_methods(spec, target)
    plan = recipe(spec, target)
    manner = _first(spec, plan, arithmetics[0])

    def run(question: Question) -> Mapping[str, Any]:
        depth = len(question.parameters["activations"])
        sizes = [question.inputs[f"W{k}"].shape[0] for k in range(depth)]
        sizes.append(question.inputs[f"W{depth - 1}"].shape[-1])
        return manner.answer(plan.make(sizes, question), question)

    return Subject(spec, run, ("mlp",), arithmetics, {"adapted": f"{plan}; {manner}"}, **declared)


def _first(spec: str, plan: Recipe, arithmetic: str) -> Manner:
    """The manner of the first network that it can make, forward and backward."""
    errors: list[RaisedError] = []
    dtype = ARITHMETICS[arithmetic].dtype
    for last, loss, hidden in product(plan.last, plan.losses, plan.hidden):
        question = question_of(hidden, last, loss, arithmetic, dtype)
        try:
            return _manner(spec, plan, question)
        except RaisedError as error:
            errors.append(error)
    fail(
        f"{spec} must make a network of layers {', '.join(map(str, SIZES))} and run forward and "
        f"backward on {ROWS} samples", str(max(errors, key=lambda error: error.progress)),
        "correct that, or declare, in the class, the hidden_activations and losses that it has, "
        f"{SOFTMAX_LAST}, {ADAPTER}",
    )  # fmt: skip


def _manner(spec: str, plan: Recipe, question: Question) -> Manner:
    """The manner for this network; `RaisedError` if the user's code raises."""

    def make() -> Any:
        return attempt("the constructor", lambda: plan.make(SIZES, question))

    net = make()
    _require_methods(spec, net)
    place, layout = parameters_of(spec, net)
    layout = orientation(spec, make, place, layout, question)
    require_sensible(spec, plan, make, place, layout, question)
    taken = roles(net.backward, METHOD, f"backward of {spec}")
    if not {*taken.values()} & {"target", "g"}:
        fail(
            f"backward of {spec} must take the target, or the gradient g of the loss with respect "
            "to the output", str(inspect.signature(net.backward)), ADAPTER,
        )  # fmt: skip
    manner = Manner(layout, place, taken, place, False, "", "", {}, not plan.probabilities)
    if "target" in taken.values():
        if len(plan.losses) > 1 and "loss" not in plan.roles.values():
            fail(
                f"the losses of {spec} must be declared, as its constructor is not told the loss",
                "nothing" if len(plan.losses) == len(LOSSES) else describe(plan.losses),
                f'write, in the class, losses = "{plan.losses[0]}", or what its gradients are of, '
                f"{ADAPTER}",
            )  # fmt: skip
        manner = replace(manner, targets=_targets(spec, plan, manner, make, question))
    net, found = _backward(make(), manner, question)
    gradients, returned = _gradients(spec, make(), net, found.root, layout)
    loss, loss_roles = _loss(make(), net, manner, found.loss)
    manner = replace(
        manner, gradients=gradients, returned=returned, loss=loss, loss_roles=loss_roles
    )
    _require_loss(spec, make(), manner, question)
    return manner


def _require_methods(spec: str, made: Any) -> None:
    if not all(callable(getattr(made, method, None)) for method in ("forward", "backward")):
        fail(
            f"{spec} must make objects with the methods forward and backward", seen(made),
            f"name a class or a factory of such, {ADAPTER}",
        )  # fmt: skip


def _backward(net: Any, manner: Manner, question: Question) -> tuple[Any, Returned]:
    """The object after forward and backward, and what backward returned."""
    output = attempt("forward", lambda: forward(net, manner.parameters, manner.layout, question))
    given = manner.given(question, output)
    returned = attempt("backward", lambda: call(net.backward, manner.backward, given))
    return net, sort_out(returned, 2, np.shape(given["x"]))


def _gradients(spec: str, fresh: Any, net: Any, root: Any, layout: Layout) -> tuple[Place, bool]:
    """Their place, and whether it is in what backward returned."""
    found = [(place, True, root) for place in fitting(root, GRADIENTS + PARAMETERS, layout)]
    found += [
        (place, False, net)
        for place in fitting(net, GRADIENTS + PARAMETERS, layout)
        if place.names in GRADIENTS or place.holder in ("grads", "gradients")
        if not _equal(place.read(fresh, 2), place.read(net, 2))  # else backward left them alone
    ]
    values = [place.read(held, 2) for place, _, held in found]
    if not found or not all(_equal(values[0], other) for other in values):
        fail(
            f"backward of {spec} must return the gradients, or leave them in the object, in one "
            "place that can be told, such as the lists dW and db, or dW1, db1, dW2, db2, in the "
            "shapes of the parameters",
            "several that differ: " + "; ".join(str(place) for place, _, _ in found)
            if found else seen(net),
            "keep each under such a name, before the parameters are updated, "
            f"{ADAPTER}",
        )  # fmt: skip
    return found[0][0], found[0][1]


def _equal(some: Values, others: Values) -> bool:
    return len(some) == len(others) and all(
        np.array_equal(x, y)
        for pair, other in zip(some, others, strict=True)
        for x, y in zip(pair, other, strict=True)
    )


def _loss(fresh: Any, net: Any, manner: Manner, returned: Any) -> tuple[str, Mapping[str, str]]:
    """Where the loss is; empty if that cannot be told: it is not compared then."""
    if returned is not None:
        return "returned", {}
    for name in _LOSS_NAMES:
        held = getattr(net, name, None)
        if callable(held) and "target" in manner.backward.values():
            try:
                taken = roles(held, METHOD, name)
            except InputError:
                continue
            if "target" in taken.values():
                return name, taken
        elif _is_number(held) and held != getattr(fresh, name, None):
            return name, {}
    return "", {}


def _require_loss(spec: str, net: Any, manner: Manner, question: Question) -> None:
    """A method that is taken for the loss runs with what its parameters are taken for."""
    if not manner.loss_roles:
        return
    output = attempt("forward", lambda: forward(net, manner.parameters, manner.layout, question))
    given = manner.given(question, output)
    try:
        attempt("the loss", lambda: call(getattr(net, manner.loss), manner.loss_roles, given))
    except RaisedError as error:
        taken = ", ".join(f"{name} is the {role}" for name, role in manner.loss_roles.items())
        fail(
            f"the method {manner.loss} of {spec} must give the loss, where {taken}", str(error),
            "name its parameters x, target and output, or the method itself otherwise, such as "
            f"loss_of, {ADAPTER}",
        )  # fmt: skip


def _is_number(x: object) -> bool:
    return isinstance(x, float | np.floating | np.ndarray) and np.ndim(x) == 0


def _targets(
    spec: str, plan: Recipe, manner: Manner, make: Callable[[], Any], question: Question
) -> str:
    """What cross_entropy takes: as declared, or what it runs with."""
    declared = getattr(plan.target, "targets", None)
    if declared is not None and declared not in _TARGETS:
        fail(f"targets of {spec} must be one of {', '.join(_TARGETS)}", describe(declared), ADAPTER)
    if declared is not None or question.parameters["loss"] != "cross_entropy":
        return declared or ""
    values, errors = {}, []
    for targets in ("labels", "one_hot"):
        try:
            net, found = _backward(make(), replace(manner, targets=targets), question)
        except RaisedError as error:
            errors.append(error)
            continue
        place, returned = _gradients(spec, make(), net, found.root, manner.layout)
        values[targets] = place.read(found.root if returned else net, 2)
    if not values:
        raise errors[0]
    if len(values) == 2 and not _equal(values["labels"], values["one_hot"]):
        fail(
            f"targets of {spec} must be declared, as backward runs with labels and with one-hot "
            "rows", "gradients that differ",
            'write targets = "one_hot" in the class, or "labels", "probabilities", "both"',
        )  # fmt: skip
    return next(iter(values))
