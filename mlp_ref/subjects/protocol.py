"""What a subject is: a function on arrays, and what it says about itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Subject"]


@dataclass(frozen=True)
class Subject:
    """An implementation under test. The package's docstring states what ``run`` takes and returns.

    ``name``        as the user typed it
    ``run``         computes one case
    ``arithmetics`` the names of the arithmetics that it claims to compute in
    ``versions``    of the libraries behind it
    """

    name: str
    run: Callable[..., Mapping[str, Any]]
    arithmetics: tuple[str, ...]
    versions: Mapping[str, str]
