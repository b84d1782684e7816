"""How a subject is asked: in this process, in another one, or by files."""

from __future__ import annotations

import shlex

from mlp_ref.checks import fail
from mlp_ref.files import PathName
from mlp_ref.gate.transports.child import Child
from mlp_ref.gate.transports.files import Files, write_questions
from mlp_ref.subjects import Session, command_of, load

__all__ = ["Child", "Files", "connect", "write_questions"]

_HERE = ("numpy",)  # trusted to come back, and not to spoil this process
_START, _START_OURS = 30.0, 120.0  # seconds, at least: ours may import a large library


def connect(
    spec: str, corpus: str, *, timeout: float = 60.0, start: float | None = None,
    apart: bool = False,
) -> Session:  # fmt: skip
    """The subject that the user typed.

    ``corpus``  digest of the corpus that judges
    ``timeout`` seconds for an answer
    ``start``   seconds for a process to begin; twice the timeout by default, and 30 s at least
                (a subject of ours: 120 s)
    ``apart``   numpy, too, runs in a process of its own

    Raises `InputError` if there is none, or it does not start.
    """
    kind, _, rest = spec.partition(":")
    if kind == "files":
        return Files(_named(spec, rest), spec, corpus)
    if kind == "cmd":
        command = _named(spec, rest)
        try:
            argv = shlex.split(command)
        except ValueError as error:
            fail("cmd: must be followed by a command line", f"{spec!r}: {error}", "close the quote")
        return Child(argv, spec, timeout=timeout, start=start or max(_START, 2 * timeout))
    if spec in _HERE and not apart:
        return load(spec)
    within = start or max(_START_OURS, 2 * timeout)
    return Child(command_of(spec), spec, timeout=timeout, start=within, ours=True)


def _named(spec: str, rest: PathName) -> str:
    if not str(rest).strip():
        fail(
            "a subject must name a program or folder", repr(spec), "such as cmd:./mine or files:DIR"
        )
    return str(rest)
