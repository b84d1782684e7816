"""Importing the user's code, and saying why that fails: each reason has a remedy of its own."""

from __future__ import annotations

import importlib
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from traceback import extract_tb
from typing import Any, NoReturn

import numpy as np

from mlp_ref.checks import fail

__all__ = ["attribute_of", "import_user"]

_LISTED = 8  # names in a message


def import_user(name: str) -> Any:
    """Import a module as ``python -m`` would: the current directory comes first.

    Raises `InputError`, which tells apart: there is no such module; a module that it imports is
    missing; it is no valid Python; it raises something else.
    """
    if "/" in name or name.startswith("."):
        _not_found(name, name)
    try:
        with _current_directory_first(), np.errstate():  # what it sets ends with the import
            return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # pytest's outcomes are no Exception
        _explain(name, error)


def attribute_of(module: Any, name: str, path: str) -> Any:
    """The object at a dotted path in a module that was imported under that name.

    Raises `InputError`, with names that are close, if there is none.
    """
    target = module
    for part in path.split("."):
        inner = f"{getattr(target, '__name__', '')}.{part}"
        if hasattr(target, "__path__") and not hasattr(target, part) and find_spec(inner):
            import_user(inner)
        if not hasattr(target, part):
            where = getattr(target, "__file__", None) or repr(target)
            fail(
                f"module {name!r} must have an object {path!r}", "no such name",
                f"{_instead(target, part)}; {where} was imported",
            )  # fmt: skip
        target = getattr(target, part)
    return target


def _instead(target: Any, name: str) -> str:
    """What it may be called: what looks alike, or what is there."""
    names = [each for each in dir(target) if not each.startswith("_")]
    folded = {each.lower(): each for each in names}
    close = [folded[each] for each in get_close_matches(name.lower(), folded, 3)]
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    own = [each for each in names if _is_of(target, getattr(target, each, None))]
    more = f" and {len(own) - _LISTED} more" if len(own) > _LISTED else ""
    return f"it has {', '.join(own[:_LISTED]) or 'none of its own'}{more}"


def _is_of(module: Any, found: Any) -> bool:
    """Whether a class or a function is defined there, not imported."""
    return callable(found) and getattr(found, "__module__", "") == getattr(module, "__name__", None)


def _explain(name: str, error: BaseException) -> NoReturn:
    text, place = " ".join(str(error).split()), _place(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        if f"{name}.".startswith(f"{error.name}."):
            _not_found(name, error.name)
        fail(
            f"module {name!r} must find the modules that it imports",
            f"no module {error.name!r}{place}",
            f"install what has it, such as by pip install {error.name.partition('.')[0]}, or put "
            "its folder on PYTHONPATH if it is your own",
        )  # fmt: skip
    if isinstance(error, SyntaxError) and error.filename and error.filename[0] != "<":
        code = f": {' '.join(error.text.split())}" if error.text else ""
        fail(
            f"module {name!r} must be valid Python",
            f"{type(error).__name__}: {error.msg} ({Path(error.filename).name}, line "
            f"{error.lineno}){code}", "correct that line, or the one before it",
        )  # fmt: skip
    remedy = "correct it; all code outside functions and classes runs when the module is imported"
    if isinstance(error, SystemExit):
        remedy = 'put what is not to run when it is imported under if __name__ == "__main__":'
    fail(f"module {name!r} must be importable", f"{type(error).__name__}: {text}{place}", remedy)


def _not_found(name: str, missing: str) -> NoReturn:
    """Neither in the current directory nor on the path."""
    remedy = "run from the folder that holds it, or put that folder on PYTHONPATH"
    if name.endswith(".py") or "/" in name or name.startswith("."):
        plain = ".".join(Path(name.removesuffix(".py")).parts).lstrip("./")
        remedy = f"name a module, not a file: py:{plain or 'homework'}:..."
    elif close := get_close_matches(missing, [path.stem for path in Path().glob("*.py")], 1):
        remedy = f"did you mean {close[0]!r}, which is here? Else {remedy}"
    fail(
        f"module {name!r} must exist",
        f"no module {missing!r} in this folder or on the path",
        remedy,
    )


def _place(error: BaseException) -> str:
    """The last line of the user's own files that led to the error."""
    names = [frame for frame in extract_tb(error.__traceback__) if _is_own(frame.filename)]
    return f" ({Path(names[-1].filename).name}, line {names[-1].lineno})" if names else ""


def _is_own(filename: str) -> bool:
    """Whether a file belongs neither to Python, nor to an installed package, nor to us."""
    foreign = [Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib")]
    folders = Path(filename).parents
    return not filename.startswith("<") and not {*foreign, _OURS} & {*folders}


_OURS = Path(__file__).parents[2]


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
