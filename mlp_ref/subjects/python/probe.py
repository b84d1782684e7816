"""A small network of a class of the user's: where its parameters are, and what forward takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.checks import fail
from mlp_ref.subjects.protocol import Question
from mlp_ref.subjects.python.classes import ADAPTER, Recipe
from mlp_ref.subjects.python.manner import Layout
from mlp_ref.subjects.python.places import PARAMETERS, Place, places

__all__ = [
    "ROWS",
    "SIZES",
    "RaisedError",
    "Values",
    "attempt",
    "fitting",
    "forward",
    "orientation",
    "parameters_of",
    "question_of",
    "require_sensible",
    "seen",
]

_STAGES = ("the constructor", "forward", "backward", "the loss")
SIZES, ROWS = (2, 3, 4), 5  # all different, so that a shape tells what it is
Make = Callable[[], Any]
Values = Sequence[tuple[Array, Array]]


class RaisedError(Exception):
    """The user's code raised something; ``progress`` is larger the more it says of the code."""

    def __init__(self, what: str, error: BaseException) -> None:
        stage = _STAGES.index(what)
        self.progress = (stage, not isinstance(error, NotImplementedError))
        super().__init__(f"{type(error).__name__} in {what}: {' '.join(str(error).split())}")


def attempt(what: str, function: Callable[[], Any]) -> Any:
    """Call; raises `RaisedError` for whatever the user's code raises, but Ctrl-C."""
    try:
        return function()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # pytest's outcomes are no Exception
        raise RaisedError(what, error) from error


def question_of(hidden: str, last: str, loss: str, arithmetic: str, dtype: Any) -> Question:
    """Positive numbers, so that no unit of a relu network is off."""
    n0, n1, n2 = SIZES
    shapes = {"x": (ROWS, n0), "W0": (n0, n1), "b0": (n1,), "W1": (n1, n2), "b1": (n2,)}
    inputs: dict[str, Array] = {
        name: ((np.arange(np.prod(shape)) % 7 + 1) / 16).reshape(shape).astype(dtype)
        for name, shape in shapes.items()
    }
    rows = ((np.arange(ROWS * n2) % 7 + 1) / 8).reshape(ROWS, n2).astype(dtype)
    inputs["target"] = np.arange(ROWS) % n2 if loss == "cross_entropy" else rows
    return Question("mlp", arithmetic, {"activations": [hidden, last], "loss": loss}, inputs)


def seen(net: Any) -> str:
    """What an object has, for a message."""
    names = [name for name in dir(net) if not name.startswith("_")]
    name = net.__name__ if inspect.isclass(net) else type(net).__name__
    return f"{name} with {', '.join(names[:20]) or 'nothing'}"


def fitting(
    root: Any, pairs: Sequence[tuple[str, str]], layout: Layout | None = None
) -> dict[Place, Layout]:
    """The places with arrays of the right shapes, and in which layout; each under one name."""
    found: dict[Place, Layout] = {}
    known = set()
    for place in places(root, pairs):
        fits = _layout(place.read(root, len(SIZES) - 1))
        if fits is None or (layout is not None and fits.transposed != layout.transposed):
            continue
        slots = place.slots(root, len(SIZES) - 1)
        same = tuple((id(container), key) for pair in slots for container, key in pair)
        if same not in known:
            found[place] = fits
        known.add(same)
    return found


def _layout(values: Values) -> Layout | None:
    """That of two layers of the sizes of the small network, if they are."""
    plain = tuple(pairwise(SIZES))
    transposed = tuple((n, m) for m, n in plain)
    outputs = SIZES[1:]
    biases: Mapping[tuple[Any, ...], str] = {
        tuple((n,) for n in outputs): "(n,)",
        tuple((1, n) for n in outputs): "(1, n)",
        tuple((n, 1) for n in outputs): "(n, 1)",
    }
    orders: Mapping[tuple[Any, ...], bool] = {plain: False, transposed: True}
    W, b = tuple(W.shape for W, _ in values), tuple(b.shape for _, b in values)
    return Layout(orders[W], biases[b]) if W in orders and b in biases else None


def parameters_of(spec: str, net: Any) -> tuple[Place, Layout]:
    """The one place of weights and biases; raises `InputError` if there is another number."""
    found = fitting(net, PARAMETERS)
    if len(found) != 1:
        several = f"{len(found)} such places: {'; '.join(map(str, found))}"
        fail(
            f"an object of {spec} must keep the weights and biases of layers "
            f"{', '.join(map(str, SIZES))} in one place that can be told, such as the lists "
            "weights and biases, or W1, b1, W2, b2", several if found else seen(net),
            f"rename them, or add a property of such a name, {ADAPTER}",
        )  # fmt: skip
    return next(iter(found.items()))


def forward(net: Any, place: Place, layout: Layout, question: Question) -> Any:
    """The output for the parameters of the question."""
    i = question.inputs
    place.write(net, [layout.theirs(i["W0"], i["b0"]), layout.theirs(i["W1"], i["b1"])])
    return net.forward(layout.samples(i["x"]))


def orientation(spec: str, make: Make, place: Place, layout: Layout, question: Question) -> Layout:
    """Whether samples are rows or columns: the one that forward takes.

    Raises `InputError` if forward runs and returns something else, `RaisedError` if it does not.
    """
    got: list[str] = []
    raised: list[RaisedError] = []
    for tried in (layout, layout._replace(columns=True)):
        asked = partial(forward, make(), place, tried, question)
        try:
            output = attempt("forward", asked)
        except RaisedError as error:
            raised.append(error)
            continue
        if isinstance(output, list | tuple):  # such as the output and a cache
            got.append(f"a {type(output).__name__} of {len(output)}")
            continue
        if np.shape(tried.samples(output)) == (ROWS, SIZES[-1]):
            return tried
        got.append(f"an output of shape {np.shape(output)}")
    if not got:
        raise raised[0]
    fail(
        f"forward of {spec} must return an array ({ROWS}, {SIZES[-1]}) for x ({ROWS}, "
        f"{SIZES[0]}), or both transposed", "; ".join((*got, *map(str, raised))),
        f"return the output alone, {ADAPTER}",
    )  # fmt: skip


def require_sensible(
    spec: str, plan: Recipe, make: Make, place: Place, layout: Layout, question: Question
) -> None:
    """The output depends on what is put in that place; a last z may be above 1."""

    def output(**changed: Array) -> Array:
        asked = question._replace(inputs={**question.inputs, **changed})
        found = attempt("forward", lambda: forward(make(), place, layout, asked))
        return np.asarray(found)

    W0, b1 = question.inputs["W0"], question.inputs["b1"]
    # Twice of each: the units of two random networks may all be dead, and then agree.
    one, other = ([output(**change), output(**change)]
                  for change in ({}, {"W0": 2 * W0, "b1": b1[::-1]}))  # fmt: skip
    same = all(np.array_equal(a, b, equal_nan=True) for a, b in (one, other))
    if not same or np.array_equal(one[0], other[0], equal_nan=True):
        fail(
            f"forward of {spec} must use the arrays that are put into {place}, and nothing random",
            "the same output for others" if same else "other outputs for the same",
            f"use them there, without dropout or noise, {ADAPTER}",
        )  # fmt: skip
    large = output(b1=b1 + 16)
    last = question.parameters["activations"][-1]
    if last == "identity" and not plan.probabilities and ((large >= 0) & (large <= 1)).all():
        fail(
            f"forward of {spec} must return the last z, as its last layer is asked to be identity",
            "numbers between 0 and 1 only, as of softmax or sigmoid",
            "write probabilities = True in the class if its loss is the cross-entropy of these "
            "probabilities, or output_activations with the name of the function",
        )  # fmt: skip
