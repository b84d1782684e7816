"""A Python function of the user's own as a subject: ``py:module:object``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.checks import describe, fail
from mlp_ref.subjects.protocol import Subject

__all__ = ["load"]


def load(spec: str) -> Subject:
    """Import ``py:module:object``, from the current directory too; the object may be dotted.

    Raises `InputError` if the text has another form, the module cannot be imported, the object is
    missing or cannot be called, or its attribute ``arithmetics`` names none that exists.
    """
    parts = spec.split(":")
    if len(parts) != 3 or not all(parts):
        fail("a Python subject must read py:module:object", repr(spec), "such as py:homework:run")
    _, module_name, path = parts
    target: Any = _import(module_name)
    for name in path.split("."):
        if not hasattr(target, name):
            fail(
                f"module {module_name!r} must have an object {path!r}", "no such name",
                f"check the spelling; {getattr(target, '__file__', None) or target!r} was imported",
            )  # fmt: skip
        target = getattr(target, name)
    if not callable(target):
        fail(f"{module_name}:{path} must be callable", describe(target), "name a function")
    return Subject(spec, target, _arithmetics(spec, target), {})


def _arithmetics(spec: str, target: object) -> tuple[str, ...]:
    declared = getattr(target, "arithmetics", ("float32", "float64"))
    listed = isinstance(declared, list | tuple) and len(declared) > 0
    if not listed or not all(isinstance(name, str) and name in ARITHMETICS for name in declared):
        fail(
            f"the arithmetics of {spec} must be among {', '.join(ARITHMETICS)}",
            describe(declared), 'declare, for instance, run.arithmetics = ("float64",)',
        )  # fmt: skip
    return tuple(declared)


def _import(name: str) -> Any:
    """Import a module as ``python -m`` would: the current directory comes first."""
    try:
        with _current_directory_first(), np.errstate():  # what it sets ends with the import
            return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # pytest's outcomes are no Exception
        text = " ".join(str(error).split())
        fail(
            f"module {name!r} must be importable", f"{type(error).__name__}: {text}",
            "name a module, not a file, and run from its folder or set PYTHONPATH",
        )  # fmt: skip


@contextmanager
def _current_directory_first() -> Iterator[None]:
    """With "" ahead of everything else; "" stays last, for what a module imports when it runs."""
    sys.path.insert(0, "")
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove("")
        if "" not in sys.path:
            sys.path.append("")
