"""``mlp-ref verify``: judge a subject on every case."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import combinations
from pathlib import Path

from mlp_ref.arithmetic import Arithmetic
from mlp_ref.checks import fail, lookup
from mlp_ref.commands.terminal import output, progress
from mlp_ref.corpus import Corpus, load
from mlp_ref.files import (
    append_text,
    atomic_path,
    growing_file,
    partial_path,
    quote,
    require_other,
    require_writable,
)
from mlp_ref.gate import report_junit, report_markdown
from mlp_ref.gate.cases import CASE_ARITHMETICS, Case, build_cases
from mlp_ref.gate.expectations import expectations_of
from mlp_ref.gate.report_jsonl import header_line, result_lines, summary_line
from mlp_ref.gate.resume import finished
from mlp_ref.gate.run import CaseReport, Summary, run_cases
from mlp_ref.gate.tally import Tally
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
    parser.add_argument(
        "--shard", metavar="K/N", help="every N-th case from the K-th; 1/N to N/N are all cases"
    )
    parser.add_argument(
        "--jsonl", metavar="FILE",
        help="write one JSON line per tensor; until the run ends, they are in FILE.partial",
    )  # fmt: skip
    parser.add_argument(
        "--resume", action="store_true",
        help="go on from the FILE.partial of a run that was killed, if there is one",
    )  # fmt: skip
    parser.add_argument("--junit", metavar="FILE", help="write JUnit XML, a test per case")
    parser.add_argument(
        "--markdown", metavar="FILE",
        help="append a summary in Markdown, such as to the file in $GITHUB_STEP_SUMMARY",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="list the ids of the cases and stop")


def run(args: argparse.Namespace) -> int:
    """Run the cases, print the report, write the files and return the exit status."""
    shard = _shard(args.shard)
    subject = _subject(args.subject)
    arithmetics = _arithmetics(subject, args.arithmetic)
    corpus = load("mlp", args.vectors)
    existing = _existing(corpus)
    chosen = _chosen(existing, arithmetics, args.only)
    cases = chosen[shard[0] - 1 :: shard[1]] if shard else chosen
    if args.list:
        sys.stdout.writelines(f"{case.id}\n" for case in cases)
        return 0
    console = output()
    from mlp_ref.gate.report_terminal import render

    _require_outputs(args, corpus)
    expectations = expectations_of(subject.name)
    # Expectations are about our own corpus; another one need not have the cases that they name.
    unknown = {
        known.id: names
        for known in expectations
        if args.vectors is None and (names := known.unknown(existing))
    }
    header = header_line(
        subject, corpus, tuple(a.name for a in arithmetics), len(cases),
        only=args.only, shard=shard, total=len(chosen),
    )  # fmt: skip
    summary, reports = Summary(args.require, expectations, unknown), list[CaseReport]()
    if args.resume:
        reports += finished(partial_path(args.jsonl), header, cases, expectations)
    before = [header, *(line for report in reports for line in result_lines(report))]
    with _lines(args.jsonl, before) as write, progress(len(cases), subject.name) as advance:
        for report in reports:
            advance(report.case.id)
        for report in run_cases(subject, cases[len(reports) :], expectations):
            reports.append(report)
            write("".join(result_lines(report)))
            advance(report.case.id)
        tally = Tally()
        for report in reports:
            summary.add(report)
            tally.add(report)
        write(summary_line(summary))
    part = f"shard {args.shard}: {len(cases):,} of {len(chosen):,} cases" if shard else ""
    if args.junit:
        text = report_junit.render(subject, corpus, reports, summary, part)
        with atomic_path(args.junit) as path:
            path.write_text(text, "utf-8")
    if args.markdown:
        append_text(args.markdown, report_markdown.render(subject, corpus, tally, summary, part))
    console.print(render(subject, corpus, tally, summary, part))
    return summary.status


def _shard(text: str | None) -> tuple[int, int] | None:
    """K and N of --shard."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})", text)
    if match is None or int(match[1]) > int(match[2]):
        fail("--shard must be K/N with 1 <= K <= N", repr(text), "write, for instance, 1/4")
    return int(match[1]), int(match[2])


def _require_outputs(args: argparse.Namespace, corpus: Corpus) -> None:
    """Every file can be written, and replaces neither another one nor what is read."""
    if args.resume and (args.jsonl is None or _is_device(args.jsonl)):
        fail(
            "--resume must come with --jsonl FILE", repr(args.jsonl), "name the report to complete"
        )
    module = sys.modules.get(args.subject.split(":")[1]) if ":" in args.subject else None
    source = getattr(module, "__file__", None)
    read = [*corpus.folder.glob("*.json"), *([source] if source else [])]
    written: dict[str, str] = {}
    for option in ("jsonl", "junit", "markdown"):
        if path := getattr(args, option):
            require_other(path, *read, option=f"--{option}")
            if not _is_device(path):
                require_writable(path)
                written[f"--{option}"] = path
    if args.jsonl in written.values():
        require_other(partial_path(args.jsonl), *read, option="--jsonl")
        written["the partial --jsonl"] = str(partial_path(args.jsonl))
    for (one, path), (other, same) in combinations(written.items(), 2):
        if Path(path).resolve() == Path(same).resolve():
            fail(f"{one} and {other} must be two files", quote(path), "choose another name")


def _is_device(path: str) -> bool:
    """Whether it is a device or a pipe, such as /dev/stdout, which is written as it is."""
    return Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir()


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
def _lines(path: str | None, before: list[str]) -> Iterator[Callable[[str], object]]:
    """Yield a function that writes lines into ``path``, below those of ``before``."""
    if path is None:
        yield lambda line: None
        return
    with growing_file(path, "".join(before)) as write:
        yield write
