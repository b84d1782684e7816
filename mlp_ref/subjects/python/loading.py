"""Python code of the user's own as a subject: ``py:module:object``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from mlp_ref.checks import describe, fail
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.subjects.networks import network_subject
from mlp_ref.subjects.protocol import Subject
from mlp_ref.subjects.python.adapter import class_subject
from mlp_ref.subjects.python.classes import CONSTRUCTOR
from mlp_ref.subjects.python.importing import attribute_of, import_user
from mlp_ref.subjects.python.operations import (
    NETWORK,
    misfit,
    named_after_operations,
    operations_subject,
)

__all__ = ["load"]


def load(spec: str) -> Subject:
    """Import ``py:module:object``, from the current directory too; the object may be dotted.

    It may also be a module in a package, and is one of

        a function      called with ``weights``, ``biases``, ``x``, ``target``, ``activations`` and
                        ``loss``: the operation mlp
        operations      an object or module with functions named after operations
        a class         or factory of objects with forward and backward, adapted to the operation
                        mlp; ``versions["adapted"]`` says how

    and may declare ``arithmetics`` (default: float32 and float64), ``checks`` and ``conventions``
    as attributes, as `Subject` has them. Raises `InputError` if the text has another form, the
    module cannot be imported, the object is missing or is none of these, or what it declares does
    not exist.
    """
    parts = spec.split(":")
    if len(parts) != 3 or parts[0] != "py" or not all(parts):
        fail("a Python subject must read py:module:object", repr(spec), "such as py:homework:run")
    _, module_name, path = parts
    target = attribute_of(import_user(module_name), module_name, path)
    names = {"arithmetics": ("float32", "float64"), "checks": (), "conventions": ()}
    declared: dict[str, Any] = {
        what: getattr(target, what, default) for what, default in names.items()
    }
    valid = Subject(spec, lambda question: {}, OPERATIONS, **declared)  # raises if they are not
    return _kind(target)(spec, target, **{what: getattr(valid, what) for what in names})


def _kind(target: Any) -> Callable[..., Subject]:
    """Which of the three forms it is; the functions check the details."""
    if getattr(target, "operations", None) is not None:
        return operations_subject
    if inspect.isclass(target):
        methods = hasattr(target, "forward") or hasattr(target, "backward")
        operations = named_after_operations(target) and not methods
        return operations_subject if operations else class_subject
    if inspect.isroutine(target) or isinstance(target, functools.partial):
        makes = misfit(target, NETWORK) and _takes_sizes(target)
        return class_subject if makes else _function
    if named_after_operations(target) and not _is_network(target):
        return operations_subject
    return _function


def _is_network(target: object) -> bool:
    return all(callable(getattr(target, name, None)) for name in ("forward", "backward"))


def _function(spec: str, target: Any, arithmetics: tuple[str, ...], **declared: Any) -> Subject:
    name = spec.removeprefix("py:")
    if _is_network(target):
        fail(
            f"{name} must be a class, or a factory, so that networks of all sizes can be made",
            describe(target), "name the class",
        )  # fmt: skip
    if not callable(target):
        fail(
            f"{name} must be callable, or have functions named after operations", describe(target),
            f"name a function, a class, or an object with any of {', '.join(OPERATIONS)}",
        )  # fmt: skip
    subject = network_subject(spec, target, arithmetics, {}, **declared)
    narrow = not {*arithmetics} <= {"float32", "float64"}
    keywords = (*NETWORK, "arithmetic") if narrow else NETWORK
    wrong = misfit(target, keywords)
    if wrong:
        fail(
            f"{name} must take the keywords {', '.join(keywords)}", wrong,
            "name them so; a class or factory of networks takes sizes",
        )  # fmt: skip
    return subject


def _takes_sizes(target: Any) -> bool:
    names = {*inspect.signature(target).parameters}
    return bool(names & {*CONSTRUCTOR["sizes"], *CONSTRUCTOR["inputs"]})
