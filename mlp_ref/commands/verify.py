"""``mlp-ref verify``: judge a subject on every case."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase

from mlp_ref.arithmetic import Arithmetic
from mlp_ref.checks import fail, lookup
from mlp_ref.commands.terminal import output, progress
from mlp_ref.corpus import Corpus, load
from mlp_ref.files import atomic_path, quote
from mlp_ref.gate.cases import CASE_ARITHMETICS, Case, build_cases
from mlp_ref.gate.expectations import expectations_of
from mlp_ref.gate.report_jsonl import header_line, result_lines, summary_line
from mlp_ref.gate.run import Summary, run_cases
from mlp_ref.subjects import SUBJECTS, Subject, load_python

__all__ = ["add_arguments", "run"]

DESCRIPTION = """\
Judge an implementation on networks over all activations and losses, forward and backward, on real
digits and at edges: entry by entry against certified values, under bounds derived from
rounding-error analysis.

exit status: 0 conforms, 1 does not, 2 usage, 3 fewer cases judged than --require, 4 the corpus is
damaged, edited or incomplete, 5 an expected failure no longer fails, or names a case or tensor that
does not exist"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``verify``."""
    parser.add_argument(
        "subject", nargs="?", default="numpy",
        help=f"{', '.join(SUBJECTS)}, or py:module:object (default: numpy)",
    )  # fmt: skip
    parser.add_argument(
        "--arithmetic", action="append", metavar="NAME",
        help="judge in this arithmetic only: float32 or float64; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--only", metavar="PATTERN", help="cases whose id matches, such as '*softplus*'"
    )
    parser.add_argument(
        "--require", type=int, default=1, metavar="N",
        help="exit with 3 if fewer cases are judged (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--vectors", metavar="DIR", help="judge by another corpus, such as one that certify wrote"
    )
    parser.add_argument("--jsonl", metavar="FILE", help="write one JSON line per tensor")
    parser.add_argument("--list", action="store_true", help="list the ids of the cases and stop")


def run(args: argparse.Namespace) -> int:
    """Run the cases, print the report and return the exit status."""
    subject = _subject(args.subject)
    arithmetics = _arithmetics(subject, args.arithmetic)
    corpus = load("mlp", args.vectors)
    existing = _existing(corpus)
    cases = _chosen(existing, arithmetics, args.only)
    if args.list:
        sys.stdout.writelines(f"{case.id}\n" for case in cases)
        return 0
    console = output()
    from mlp_ref.gate.report_terminal import Tally, render

    expectations = expectations_of(subject.name)
    # Expectations are about our own corpus; another one need not have the cases that they name.
    unknown = {
        known.id: names
        for known in expectations
        if args.vectors is None and (names := known.unknown(existing))
    }
    summary, tally = Summary(args.require, expectations, unknown), Tally()
    with _lines(args.jsonl) as write, progress(len(cases), subject.name) as advance:
        write(header_line(subject, corpus, tuple(a.name for a in arithmetics), len(cases)))
        for report in run_cases(subject, cases, expectations):
            summary.add(report)
            tally.add(report)
            for line in result_lines(report):
                write(line)
            advance(report.case.id)
        write(summary_line(summary))
    console.print(render(subject, corpus, tally, summary))
    return summary.status


def _subject(name: str) -> Subject:
    if name.startswith("py:"):
        return load_python(name)
    return lookup("a subject other than py:module:object", name, SUBJECTS)()


def _existing(corpus: Corpus) -> list[Case]:
    """Every network of the corpus, of which there must be one."""
    cases = list(build_cases(records=corpus.records))
    if not cases:
        fail(
            f"{quote(corpus.folder)} must hold cases of the operation mlp", "none",
            "write some with mlp-ref certify, or leave --vectors out",
        )  # fmt: skip
    return cases


def _arithmetics(subject: Subject, names: list[str] | None) -> tuple[Arithmetic, ...]:
    """The arithmetics that were asked for and that the subject declares."""
    known = {a.name: a for a in CASE_ARITHMETICS}
    for name in names or ():
        lookup("--arithmetic", name, known)
        if name not in subject.arithmetics:
            fail(
                f"--arithmetic must be one that {subject.name} declares: "
                f"{', '.join(subject.arithmetics)}", repr(name), "leave --arithmetic out",
            )  # fmt: skip
    chosen = tuple(a for a in CASE_ARITHMETICS if a.name in (names or subject.arithmetics))
    if not chosen:
        fail(
            f"{subject.name} must declare {' or '.join(known)}", ", ".join(subject.arithmetics),
            "the cases exist in these arithmetics",
        )  # fmt: skip
    return chosen


def _chosen(
    existing: list[Case], arithmetics: tuple[Arithmetic, ...], pattern: str | None
) -> list[Case]:
    cases = [case for case in existing if case.arithmetic in arithmetics]
    if not cases:
        names = " or ".join(arithmetic.name for arithmetic in arithmetics)
        fail(
            f"--vectors must hold cases in {names}", existing[0].arithmetic.name,
            "choose another --arithmetic, or certify the network in this one",
        )  # fmt: skip
    chosen = [case for case in cases if pattern is None or fnmatchcase(case.id, pattern)]
    if not chosen:
        fail(
            f"--only must match the id of a case, such as {cases[0].id}", repr(pattern),
            "see mlp-ref verify --list",
        )  # fmt: skip
    return chosen


@contextmanager
def _lines(path: str | None) -> Iterator[Callable[[str], object]]:
    """Yield a function that writes lines into ``path``, which appears when all are written."""
    if path is None:
        yield lambda line: None
        return
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        yield file.write
