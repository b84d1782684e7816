"""An object or a module whose functions are named after operations, as a subject."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from mlp_ref.checks import describe, fail
from mlp_ref.corpus.names import METHODS, parameter_kinds, tensors_of
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.subjects.networks import keywords_of
from mlp_ref.subjects.protocol import Question, Subject

__all__ = ["NETWORK", "misfit", "named_after_operations", "operations_subject"]

NETWORK = ("weights", "biases", "x", "target", "activations", "loss")
_STANDARD = {"float32", "float64"}


def named_after_operations(target: object) -> tuple[str, ...]:
    """The operations of which the object has a function."""
    return tuple(name for name in OPERATIONS if callable(getattr(target, name, None)))


def misfit(function: Callable[..., Any], keywords: Sequence[str]) -> str:
    """Why the function cannot be called with these keywords, or an empty string."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ""  # functions written in C need not tell
    try:
        signature.bind(**dict.fromkeys(keywords))
    except TypeError as error:
        return f"{signature} ({error})"
    return ""


def operations_subject(
    spec: str, target: object, arithmetics: tuple[str, ...], **declared: Any
) -> Subject:
    """The operations that ``target`` has, or those that its attribute ``operations`` lists.

    Each function is called with the parameters and inputs of its operation as keywords; mlp with
    those of a function on networks. If an arithmetic beyond float32 and float64 is declared, with
    ``arithmetic`` too. Raises `InputError` if a function is missing or does not take its keywords.
    """
    names = getattr(target, "operations", None)
    names = named_after_operations(target) if names is None else names
    narrow = not {*arithmetics} <= _STANDARD
    subject = Subject(spec, lambda question: _answer(target, question, narrow), names, arithmetics,
                      **declared)  # fmt: skip
    for operation in subject.operations:
        function = getattr(target, operation, None)
        if not callable(function):
            fail(
                f"{spec} declares the operation {operation} and must have a function of that name",
                describe(function), "write it, or leave it out of operations",
            )  # fmt: skip
        for case, keywords in _keywords(operation).items():
            wrong = misfit(function, (*keywords, "arithmetic") if narrow else keywords)
            if wrong:
                fail(
                    f"the operation {operation} of {spec} must take the keywords "
                    f"{', '.join(keywords)}{' and arithmetic' if narrow else ''}{case}", wrong,
                    "take **others too and raise NotImplementedError for what it skips; if it is "
                    f"no operation, declare operations = ({_others(subject, operation)})",
                )  # fmt: skip
    return subject


def _answer(target: Any, question: Question, narrow: bool) -> Any:
    if question.operation == "mlp":
        return target.mlp(**keywords_of(question, narrow))
    keywords: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in question.parameters.items()
    }
    keywords |= {"arithmetic": question.arithmetic} if narrow else {}
    return getattr(target, question.operation)(**keywords, **question.inputs)


def _keywords(operation: str) -> dict[str, tuple[str, ...]]:
    """What the operation is called with, by the kind of call."""
    if operation == "mlp":
        return {"": NETWORK}
    if operation not in ("optimizer", "train_step"):
        return {"": (*parameter_kinds(operation, {}), *tensors_of(operation, {}).inputs)}
    kinds = {}
    for method in METHODS:
        for momentum in (0.0, 0.9) if method == "sgd" else (0.0,):
            asked = {"method": method, "momentum": momentum}
            own = parameter_kinds(operation, asked)
            word = f" (for {method}{' with momentum' if momentum else ''})"
            kinds[word] = (*own, *tensors_of(operation, asked).inputs)
    return kinds


def _others(subject: Subject, operation: str) -> str:
    return " ".join(f'"{name}",' for name in subject.operations if name != operation)
