"""``mlp-ref verify``: judge a subject on every case."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from fnmatch import fnmatchcase

from mlp_ref.arithmetic import ARITHMETICS, FLOAT32, Arithmetic
from mlp_ref.checks import fail, lookup
from mlp_ref.commands.terminal import output, progress
from mlp_ref.commands.verify_files import digest_of, require_outputs
from mlp_ref.corpus import Corpus, load
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.files import append_text, atomic_path, growing_file, partial_path, quote
from mlp_ref.gate import report_html, report_junit, report_markdown
from mlp_ref.gate.cases import CASE_ARITHMETICS, Case, build_cases
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.jobs import run_side_by_side
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.ledger import expectations_of, passed_over
from mlp_ref.gate.report_jsonl import header_line, result_lines, summary_line
from mlp_ref.gate.results import report_of
from mlp_ref.gate.resume import finished
from mlp_ref.gate.run import CaseReport, Summary, run_cases
from mlp_ref.gate.sessions import open_sessions
from mlp_ref.gate.tally import Tally
from mlp_ref.subjects import SUBJECTS, Session

__all__ = ["add_arguments", "run"]

DESCRIPTION = """\
Judge an implementation on activations, dense layers, softmax, losses, networks, optimizers and
training steps, forward and backward, on real digits and at edges: entry by entry against certified
values, under bounds derived from rounding-error analysis.

exit status: 0 conforms, 1 does not, 2 usage, 3 fewer cases judged than --require, 4 the corpus is
damaged, edited or incomplete, 5 an expected failure no longer fails, or names a case or tensor that
does not exist"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``verify``."""
    parser.add_argument(
        "subject", nargs="?", default="numpy",
        help=f"{', '.join(SUBJECTS)}, py:module:object, so:library, 'cmd:program arguments' or "
        "files:folder (default: numpy)",
    )  # fmt: skip
    parser.add_argument(
        "--arithmetic", action="append", metavar="NAME",
        help=f"judge in this arithmetic only: {', '.join(ARITHMETICS)}; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--only", metavar="PATTERN", help="cases whose id matches, such as '*softplus*'"
    )
    parser.add_argument(
        "--require", type=int, default=1, metavar="N",
        help="exit with 3 if fewer cases are judged (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="ask N processes at once (default: 1)"
    )
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="S",
        help="a case that takes more seconds is an error, and its process is ended (default: 60)",
    )  # fmt: skip
    parser.add_argument(
        "--expect", metavar="LEDGER", help="a file of known failures (see mlp_ref.gate.ledger)"
    )
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
    parser.add_argument("--html", metavar="FILE", help="write one page with pictures")
    parser.add_argument(
        "--markdown", metavar="FILE",
        help="append a summary in Markdown, such as to the file in $GITHUB_STEP_SUMMARY",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="list the ids of the cases and stop")


def run(args: argparse.Namespace) -> int:
    """Run the cases, print the report, write the files and return the exit status."""
    shard = _shard(args.shard)
    Summary(args.require)
    corpus = load(folder=args.vectors)
    with ExitStack() as stack:
        sessions = open_sessions(args.subject, corpus, args.jobs, args.timeout)
        for session in sessions:
            stack.callback(session.close)
        subject = sessions[0]
        arithmetics = _arithmetics(subject, args.arithmetic)
        every = _existing(corpus, subject, arithmetics)
        chosen = _chosen(every, args.only)
        cases = chosen[shard[0] - 1 :: shard[1]] if shard else chosen
        if args.list:
            sys.stdout.writelines(f"{case.id}\n" for case in cases)
            return 0
        console = output()
        from mlp_ref.gate.report_terminal import render

        require_outputs(args, corpus)
        expectations = expectations_of(subject.name, args.expect)
        if args.expect and (others := passed_over(subject.name, args.expect)):
            sys.stderr.write(f"mlp-ref: {others}\n")
        # Expectations are about our own corpus; another need not have the cases that they name.
        unknown = {} if args.vectors else _unknown(expectations, corpus)
        summary = Summary(args.require, expectations, unknown)
        header = header_line(
            subject, corpus, tuple(a.name for a in arithmetics), len(cases),
            only=args.only, shard=shard, total=len(chosen), digest=digest_of(args.subject),
        )  # fmt: skip
        reports = _run(args, sessions, cases, header, summary)
    tally = Tally()
    for report in reports:
        tally.add(report)
    part = _part(corpus, subject, arithmetics, every, args.shard, len(cases), len(chosen))
    if args.junit:
        text = report_junit.render(subject, corpus, reports, summary, part)
        with atomic_path(args.junit) as path:
            path.write_text(text, "utf-8")
    if args.html:
        lines = [header, *(line for report in reports for line in result_lines(report))]
        content = "".join([*lines, summary_line(summary)]).encode()
        page = report_html.render([report_of(args.jsonl or f"{subject.name}.jsonl", content)])
        with atomic_path(args.html) as path:
            path.write_text(page, "utf-8")
    if args.markdown:
        append_text(args.markdown, report_markdown.render(subject, corpus, tally, summary, part))
    console.print(render(subject, corpus, tally, summary, part))
    return summary.status


def _run(
    args: argparse.Namespace,
    sessions: Sequence[Session],
    cases: Sequence[Case],
    header: str,
    summary: Summary,
) -> list[CaseReport]:
    """Every report, each on disk before the next case begins; counted in the summary."""
    reports = list[CaseReport]()
    if args.resume:
        reports += finished(partial_path(args.jsonl), header, cases, summary.expectations)
    before = [header, *(line for report in reports for line in result_lines(report))]
    with _lines(args.jsonl, before) as write, progress(len(cases), args.subject) as advance:
        for report in reports:
            advance(report.case.id)
        left = cases[len(reports) :]
        asked = (
            run_cases(sessions[0], left, summary.expectations)
            if len(sessions) == 1
            else run_side_by_side(sessions, left, summary.expectations)
        )
        with closing(asked):  # what fails here ends those that still compute
            for report in asked:
                reports.append(report)
                write("".join(result_lines(report)))
                advance(report.case.id)
        for report in reports:
            summary.add(report)
        if summary.cases[Verdict.FAIL]:
            from mlp_ref.gate.diagnosis import diagnose  # with the whole catalogue

            summary.diagnoses = diagnose(reports)
        write(summary_line(summary))
    return reports


def _unknown(expectations: Sequence[Expectation], corpus: Corpus) -> dict[str, list[str]]:
    """Expectation id -> what it names and no case has."""
    names = {case.rpartition("/")[2] for known in expectations for case in known.failing}
    cases = list(build_cases([A for A in ARITHMETICS.values() if A.name in names], corpus.records))
    return {known.id: lost for known in expectations if (lost := known.unknown(cases))}


def _part(
    corpus: Corpus,
    subject: Session,
    arithmetics: Sequence[Arithmetic],
    every: Sequence[Case],
    shard: str | None,
    asked: int,
    chosen: int,
) -> str:
    """Which part of the corpus was asked, if not all."""
    exist = {record.operation for record in corpus.records}
    missing = [name for name in OPERATIONS if name in exist and name not in subject.operations]
    texts = [f"shard {shard}: {asked:,} of {chosen:,} cases"] if shard else []
    texts += [f"not declared by the subject: {', '.join(missing)}"] if missing else []
    for A in arithmetics:
        if A not in CASE_ARITHMETICS:
            found = sum(case.arithmetic == A for case in every)
            total = sum(
                record.arithmetic == FLOAT32.name
                and record.operation in subject.operations
                and not record.rejects
                for record in corpus.records
            )
            texts.append(f"{A.name}: {found:,} of {total:,} cases of float32 can be asked in it")
    return "; ".join(texts)


def _shard(text: str | None) -> tuple[int, int] | None:
    """K and N of --shard."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})", text)
    if match is None or int(match[1]) > int(match[2]):
        fail("--shard must be K/N with 1 <= K <= N", repr(text), "write, for instance, 1/4")
    return int(match[1]), int(match[2])


def _existing(corpus: Corpus, subject: Session, arithmetics: tuple[Arithmetic, ...]) -> list[Case]:
    """Every case that the subject can be asked, of which there must be one."""
    records = [record for record in corpus.records if record.operation in subject.operations]
    if not records:
        names = ", ".join(dict.fromkeys(record.operation for record in corpus.records)) or "none"
        fail(
            f"{quote(corpus.folder)} must hold cases of {', '.join(subject.operations)}",
            names, "write some with mlp-ref certify, or leave --vectors out",
        )  # fmt: skip
    cases = list(build_cases(arithmetics, records))
    if not cases:
        names = " or ".join(arithmetic.name for arithmetic in arithmetics)
        fail(
            f"--vectors must hold cases in {names}", records[0].arithmetic,
            "choose another --arithmetic, or certify the network in this one",
        )  # fmt: skip
    return cases


def _arithmetics(subject: Session, names: list[str] | None) -> tuple[Arithmetic, ...]:
    """The arithmetics that were asked for, or float32 and float64, as far as they are declared."""
    for name in names or ():
        lookup("--arithmetic", name, ARITHMETICS)
        if name not in subject.arithmetics:
            fail(
                f"--arithmetic must be one that {subject.name} declares: "
                f"{', '.join(subject.arithmetics)}", repr(name), "leave --arithmetic out",
            )  # fmt: skip
    plain = [A.name for A in CASE_ARITHMETICS if A.name in subject.arithmetics]
    asked = names or plain or subject.arithmetics
    order = (*CASE_ARITHMETICS, *(A for A in ARITHMETICS.values() if A not in CASE_ARITHMETICS))
    return tuple(A for A in order if A.name in asked)


def _chosen(cases: list[Case], pattern: str | None) -> list[Case]:
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
