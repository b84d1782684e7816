"""A class or factory whose instances have forward and backward, as a subject of the operation mlp.

An object is made for every question, given its parameters, and asked for the output, the gradients
and, where it can tell, the loss. How, is found out once, when the subject is loaded: from names and
signatures, and from the shapes in a small network. What remains open is an error, never a guess.
docs/how-to/check-homework.md is the convention.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.checks import describe, fail
from mlp_ref.corpus.names import OUTPUTS
from mlp_ref.losses import LOSSES
from mlp_ref.subjects.protocol import Question

__all__ = ["ADAPTER", "CONSTRUCTOR", "METHOD", "SOFTMAX_LAST", "Recipe", "recipe", "roles"]

ADAPTER = (
    "or write a function run(*, weights, biases, x, target, activations, loss) that calls it and "
    "returns the tensors by name"
)

# What to write about the last layer, which most classes and their losses share.
SOFTMAX_LAST = (
    'output_activations = "identity", and probabilities = True if forward returns softmax or '
    "sigmoid for a cross-entropy"
)
# what a class declares -> what a teacher may write
_EXAMPLES: Mapping[str, str] = {
    "hidden_activations": 'hidden_activations = "relu", or what its hidden layers have',
    "output_activations": SOFTMAX_LAST,
    "losses": 'losses = "cross_entropy", or what its gradients are of',
}

# role -> names of parameters that have it
CONSTRUCTOR: Mapping[str, tuple[str, ...]] = {
    "sizes": ("sizes", "layer_sizes", "layer_dims", "layers", "dims"),
    "activations": ("activations",),
    "hidden": ("activation", "hidden_activation"),
    "last": ("output_activation",),
    "loss": ("loss", "loss_name", "loss_function"),
    "inputs": ("n_in", "n_inputs", "input_size", "input_dim"),
    "units": ("n_hidden", "hidden_size", "hidden_dim"),
    "outputs": ("n_out", "n_outputs", "output_size", "output_dim"),
    "arithmetic": ("arithmetic",),
}
METHOD: Mapping[str, tuple[str, ...]] = {
    "x": ("x", "X", "inputs"),
    "target": ("target", "targets", "t", "y", "Y", "labels", "y_true"),
    "output": (
        "output",
        "outputs",
        "out",
        "y_pred",
        "y_hat",
        "prediction",
        "predictions",
        "logits",
    ),
    "g": ("g", "grad", "grad_output", "grad_out", "dout", "d_out", "upstream"),
}


_LOGITS = ("cross_entropy", "binary_cross_entropy")


def roles(
    function: Callable[..., Any], known: Mapping[str, tuple[str, ...]], what: str
) -> dict[str, str]:
    """Parameter -> role, for all parameters whose names are known.

    Raises `InputError` if one without a default has no role, or two have the same.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        fail(f"{what} must tell its parameters", "a function without a signature", ADAPTER)
    found: dict[str, str] = {}
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        role = next((role for role, names in known.items() if parameter.name in names), "")
        if role and role not in found.values() and parameter.kind != parameter.POSITIONAL_ONLY:
            found[parameter.name] = role
        elif role or parameter.default is parameter.empty:
            names = ", ".join(names[0] for names in known.values())
            fail(
                f"{what} must take parameters with known names, each once: {names}, and others",
                f"{inspect.signature(function)}, of which {parameter.name!r} is "
                f"{'one too many' if role else 'unknown'}",
                f"give it another name or a default, {ADAPTER}",
            )  # fmt: skip
    return found


@dataclass(frozen=True)
class Recipe:
    """How to make an object for a question.

    ``hidden``, ``last``, ``losses``: the names that it is asked for. ``probabilities``: its output
    is softmax (cross_entropy) or sigmoid (binary_cross_entropy) of the last z.
    """

    target: Callable[..., Any]
    roles: Mapping[str, str]
    hidden: tuple[str, ...]
    last: tuple[str, ...]
    losses: tuple[str, ...]
    probabilities: bool = False

    def make(self, sizes: Sequence[int], question: Question) -> Any:
        """The object; raises `NotImplementedError` for what the subject does not claim."""
        *hidden, last = question.parameters["activations"]
        loss = question.parameters["loss"]
        for what, name, names in (
            *(("hidden_activations", name, self.hidden) for name in hidden),
            ("output_activations", last, self.last), ("losses", loss, self.losses),
        ):  # fmt: skip
            if name not in names:
                raise NotImplementedError(f"the {what} that it has are {', '.join(names)}")
        if self.probabilities:
            last = "softmax" if loss == "cross_entropy" else "sigmoid"
        taken = {*self.roles.values()}
        if "sizes" not in taken and len(sizes) != 3:
            raise NotImplementedError("it has one hidden layer")
        if "hidden" in taken and len({*hidden}) > 1:
            raise NotImplementedError("it has one function for all hidden layers")
        values = {
            "sizes": list(sizes), "activations": [*hidden, last], "last": last, "loss": loss,
            "hidden": hidden[0] if hidden else self.hidden[0], "arithmetic": question.arithmetic,
            "inputs": sizes[0], "units": sizes[1], "outputs": sizes[-1],
        }  # fmt: skip
        return self.target(**{name: values[role] for name, role in self.roles.items()})

    def __str__(self) -> str:
        return f"{getattr(self.target, '__name__', 'object')}({', '.join(self.roles)})"


def recipe(spec: str, target: Callable[..., Any]) -> Recipe:
    """The recipe of a class or factory, from its signature and declared attributes.

    Raises `InputError` if it cannot be told which networks it makes.
    """
    taken = roles(target, CONSTRUCTOR, f"the constructor of {spec}")
    has = {*taken.values()}
    if "sizes" not in has and not {"inputs", "units", "outputs"} <= has:
        fail(
            f"the constructor of {spec} must take the sizes of the layers, as sizes or as "
            "input_size, hidden_size and output_size", str(inspect.signature(target)),
            f"add sizes, {ADAPTER}",
        )  # fmt: skip
    probabilities = getattr(target, "probabilities", False)
    if not isinstance(probabilities, bool):
        fail(
            f"probabilities of {spec} must be True or False", describe(probabilities),
            f"write, in the class, {SOFTMAX_LAST}",
        )  # fmt: skip
    losses = _LOGITS if probabilities else tuple(LOSSES)
    told, told_last = bool(has & {"activations", "hidden"}), bool(has & {"activations", "last"})
    hidden = _names(spec, target, "hidden_activations", tuple(ACTIVATIONS), told)
    last: tuple[str, ...] = ("identity",)
    if not probabilities:
        last = _names(spec, target, "output_activations", OUTPUTS, told_last)
    losses = _names(spec, target, "losses", losses, True)
    if "identity" not in last and {*losses} <= {*_LOGITS}:
        fail(
            f"the output_activations of {spec} must be identity where the loss is "
            f"{' or '.join(losses)}, which takes the last z",
            " and ".join(last), f"write, in the class, {SOFTMAX_LAST}, {ADAPTER}",
        )  # fmt: skip
    return Recipe(target, taken, hidden, last, losses, probabilities)


def _names(
    spec: str, target: object, what: str, known: Sequence[str], told: bool
) -> tuple[str, ...]:
    """What the class declares; all if nothing, as the constructor is told which."""
    declared = getattr(target, what, None)
    if declared is None and told:
        return tuple(known)
    names = (declared,) if isinstance(declared, str) else declared
    listed = isinstance(names, list | tuple) and all(
        isinstance(n, str) and n in known for n in names
    )
    if not listed or not names or (not told and len(names) != 1):
        rule = "be among" if told else "be declared, as its constructor does not take them: one of"
        fail(
            f"the {what} of {spec} must {rule} {', '.join(known)}",
            "nothing" if declared is None else describe(declared),
            f"write, in the class, {_EXAMPLES[what]}, {ADAPTER}",
        )  # fmt: skip
    return tuple(names)
