"""Consoles. rich is an extra: what needs it says in one line how to install it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mlp_ref.checks import fail

__all__ = ["INTERRUPTED", "complain", "output", "progress", "status_line"]

INTERRUPTED = 130  # the exit status by which a shell reports Ctrl-C


def complain(message: str, status: int) -> int:
    """Write one line to standard error and return the exit status."""
    sys.stderr.write(f"mlp-ref: error: {' '.join(message.split())}\n")
    return status


def output() -> Any:
    """The console of standard output, 80 columns wide or as wide as the terminal.

    Raises `InputError` if rich is not installed.
    """
    try:
        from rich.console import Console
    except ImportError:
        fail("tables need rich", "no module rich", "pip install 'mlp-ref[gate]'")
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


@contextmanager
def progress(total: int, text: str) -> Iterator[Callable[[str], None]]:
    """Yield a function that advances a bar on standard error by one and shows what it is told.

    Where standard error is not a terminal there is no bar.
    """
    if not sys.stderr.isatty():
        yield _say_nothing
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.table import Column
    except ImportError:
        sys.stderr.write("mlp-ref: a progress bar needs rich; pip install 'mlp-ref[gate]'\n")
        yield _say_nothing
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn(
            "{task.fields[message]}", markup=False,
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
    )  # fmt: skip
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, transient=True, expand=True) as bar:
        task = bar.add_task(text, total=total, message="")
        yield lambda message: bar.update(task, advance=1, message=message)


@contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """Yield a function that shows a text on standard error in place of the one before.

    Where standard error is not a terminal nothing is shown.
    """
    if not sys.stderr.isatty():
        yield _say_nothing
        return
    clear = "\r\x1b[K"
    try:
        yield lambda text: _write_now(f"{clear}{text:.78}")
    finally:
        _write_now(clear)


def _write_now(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _say_nothing(message: str) -> None:
    pass
