"""The command line: ``mlp-ref verify | compare | train | ...``; ``--help`` lists all commands."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mlp_ref import __version__
from mlp_ref.checks import InputError
from mlp_ref.commands import (
    certify,
    cite,
    compare,
    fuzz,
    gradcheck,
    merge,
    predict,
    questions,
    report,
    train,
    vectors,
    verify,
)
from mlp_ref.commands.terminal import INTERRUPTED, complain
from mlp_ref.corpus import CorpusError

__all__ = ["main"]

_COMMANDS = {
    "verify": verify,
    "fuzz": fuzz,
    "questions": questions,
    "compare": compare,
    "merge": merge,
    "report": report,
    "train": train,
    "predict": predict,
    "gradcheck": gradcheck,
    "certify": certify,
    "vectors": vectors,
    "cite": cite,
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


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mlp-ref",
        description="A numerically verified multi-layer perceptron, and a gate for all others.",
    )
    parser.add_argument("--version", action="version", version=f"mlp-ref {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in _COMMANDS.items():
        first = re.split("[,.:]", module.DESCRIPTION)[0].replace("\n", " ")
        child = commands.add_parser(
            name, help=first, description=module.DESCRIPTION,
            formatter_class=_Formatter,
        )  # fmt: skip
        module.add_arguments(child)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; every foreseeable error is one line on stderr."""
    if sys.stdout is None:  # closed by the shell: >&-
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 (for as long as the program runs)
    try:
        args = _parser().parse_args(argv)
        status: int = _COMMANDS[args.command].run(args)
        sys.stdout.flush()
        return status
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)
    except KeyboardInterrupt:
        return complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        _discard_output()
        return _BROKEN_PIPE
    except CorpusError as error:
        return complain(str(error), _DAMAGED)
    except InputError as error:
        return complain(str(error), 2)
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
