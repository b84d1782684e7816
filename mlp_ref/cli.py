"""The command line: ``mlp-ref verify | compare | train | ...``; ``--help`` lists all commands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from mlp_ref import __version__
from mlp_ref.checks import InputError
from mlp_ref.commands.terminal import INTERRUPTED, complain

__all__ = ["main"]

# What each does: how its DESCRIPTION begins, so that --help need not import them all.
_COMMANDS = {
    "verify": "Judge an implementation on activations",
    "fuzz": "Search for questions that an implementation answers wrongly",
    "questions": "Write the questions of the gate into a folder",
    "compare": "Compare two reports of verify --jsonl",
    "merge": "Join the reports of verify --shard 1/N",
    "report": "Show reports of verify --jsonl on one page",
    "train": "Train a network",
    "predict": "Write what a network predicts",
    "gradcheck": "Check the gradient of every parameter and input against differences through the "
    "forward pass",
    "certify": "Certify what a network of your own computes on a batch",
    "vectors": "Look at the certified cases",
    "cite": "Print BibTeX entries of the software and of the certified corpus",
}
_BROKEN_PIPE = 141  # as a shell reports SIGPIPE
_DAMAGED = 4  # the corpus, so that nothing can be judged by it


class _Parser(argparse.ArgumentParser):
    """Usage errors take one line, as all errors do."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help")


class _Formatter(argparse.HelpFormatter):
    """Wraps every paragraph of a description to the width of the terminal."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n\n".join(fill(part, width, indent) for part in text.split("\n\n"))


def _module(command: str) -> Any:
    return import_module(f"mlp_ref.commands.{command}")


def _parser(command: str) -> argparse.ArgumentParser:
    """Knows the names of all commands and the options of one."""
    parser = _Parser(
        prog="mlp-ref",
        description="A numerically verified multi-layer perceptron, and a gate for all others.",
    )
    parser.add_argument("--version", action="version", version=f"mlp-ref {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in _COMMANDS.items():
        child = commands.add_parser(name, help=summary, formatter_class=_Formatter)
        if name == command:
            child.description = _module(name).DESCRIPTION
            _module(name).add_arguments(child)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; every foreseeable error is one line on stderr."""
    if sys.stdout is None:  # closed by the shell: >&-
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 (for as long as the program runs)
    try:
        words = sys.argv[1:] if argv is None else argv
        args = _parser(next((word for word in words if word[:1] != "-"), "")).parse_args(words)
        status: int = _module(args.command).run(args)
        sys.stdout.flush()
        return status
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)
    except KeyboardInterrupt:
        return complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        _discard_output()
        return _BROKEN_PIPE
    except InputError as error:
        from mlp_ref.corpus import CorpusError  # --help needs nothing of it

        return complain(str(error), _DAMAGED if isinstance(error, CorpusError) else 2)
    except OSError as error:
        _discard_output()
        return complain(f"output must be written; got {error}; check the disk and the pipe", 2)
    except MemoryError:
        return complain(
            "data and network must fit into memory; got more; use fewer rows, narrower layers or "
            "--dtype float32",
            2,
        )


def _discard_output() -> None:
    """Python would complain once more when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
