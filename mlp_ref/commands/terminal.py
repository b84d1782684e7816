"""Consoles. rich is an extra: what needs a table says in one line how to install it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mlp_ref.checks import fail

__all__ = ["output", "progress"]


def output() -> Any:
    """The console of standard output, 80 columns wide or as wide as the terminal.

    Raises `InputError` if rich is not installed.
    """
    try:
        from rich.console import Console
    except ImportError:
        fail("tables and progress need rich", "no module rich", "pip install 'mlp-ref[gate]'")
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


@contextmanager
def progress(total: int | None, text: str) -> Iterator[Callable[[str], None]]:
    """Yield a function that advances a bar on standard error by one and shows what it is told.

    Where standard error is not a terminal there is no bar.
    """
    if not sys.stderr.isatty():
        yield lambda message: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[message]}", markup=False),
    )
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(text, total=total, message="")
        yield lambda message: bar.update(task, advance=1, message=message)
