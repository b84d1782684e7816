"""``mlp-ref questions``: write what is asked into a folder, for a machine without a connection."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.checks import fail, lookup
from mlp_ref.corpus import load
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.gate.cases import CASE_ARITHMETICS, build_cases, choose_cases
from mlp_ref.gate.transports.files import write_questions

__all__ = ["CONTRACT", "add_arguments", "contract", "run"]

# what a program in another language needs: as in the wheel, and as in a checkout
CONTRACT = ("PROTOCOL.md", "README.md", "mlp_ref.h", "messages.schema.json")

DESCRIPTION = """\
Write the questions of the gate into a folder, for a machine without a connection: as JSON lines,
and as tokens for programs without a JSON parser. There let the program answer,

  ./mine < questions.jsonl > answers.jsonl

bring answers.jsonl (or answers.txt) back into the folder, and judge them:

  mlp-ref verify files:FOLDER

How questions and answers are written stands in PROTOCOL.md; --protocol prints where it is."""


def contract() -> list[Path]:
    """The files of `CONTRACT`: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    folder = package.parent / "conformance"
    if (package / "contract").is_dir():
        return [package / "contract" / name for name in CONTRACT]
    return [folder / ("schema" if name.endswith(".json") else "") / name for name in CONTRACT]


class _Protocol(argparse.Action):
    """Print where the contract is, and stop, as --version does."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
        values: str | Sequence[Any] | None, option_string: str | None = None,
    ) -> None:  # fmt: skip
        sys.stdout.writelines(f"{path}\n" for path in contract())
        parser.exit()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``questions``."""
    parser.add_argument("folder", metavar="FOLDER", help="folder to write, without answers in it")
    parser.add_argument(
        "--protocol", action=_Protocol, nargs=0,
        help=f"print where {', '.join(CONTRACT)} are, and stop",
    )  # fmt: skip
    parser.add_argument(
        "--operation", action="append", metavar="NAME",
        help=f"ask this operation only; may be repeated: {', '.join(OPERATIONS)}",
    )  # fmt: skip
    parser.add_argument(
        "--arithmetic", action="append", metavar="NAME",
        help=f"ask in this arithmetic (default: float32, float64); {', '.join(ARITHMETICS)}",
    )  # fmt: skip
    parser.add_argument(
        "--only", metavar="PATTERN", help="cases whose id matches, such as '*softplus*'"
    )
    parser.add_argument(
        "--vectors", metavar="DIR", help="ask another corpus, such as one that certify wrote"
    )


def run(args: argparse.Namespace) -> int:
    """Write the files and return 0."""
    operations = args.operation or list(OPERATIONS)
    for name in operations:
        lookup("--operation", name, dict.fromkeys(OPERATIONS))
    names = args.arithmetic or [A.name for A in CASE_ARITHMETICS]
    chosen = {name: lookup("--arithmetic", name, ARITHMETICS) for name in names}
    corpus = load(None, args.vectors)
    cases = list(build_cases(chosen.values(), corpus.records, operations))
    if not cases:
        fail(
            "the corpus must hold cases of these operations and arithmetics",
            ", ".join([*operations, *chosen]), "choose others",
        )  # fmt: skip
    asked = choose_cases(cases, args.only or "", (), "--")
    count = write_questions(
        args.folder, (case.question() for case in asked), corpus.sha256, corpus.version
    )
    sys.stdout.write(
        f"{args.folder} holds {count:,} question{'s' * (count != 1)} of {len(asked):,} "
        f"case{'s' * (len(asked) != 1)}\n"
        f"judge the answers with mlp-ref verify files:{args.folder}\n"
    )
    return 0
