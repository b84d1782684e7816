"""``mlp-ref fuzz``: search for questions that a subject answers wrongly, and shrink them."""

from __future__ import annotations

import argparse
import secrets
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing

from mlp_ref import __version__
from mlp_ref.arithmetic import ARITHMETICS, Arithmetic
from mlp_ref.checks import fail, lookup
from mlp_ref.commands.terminal import progress
from mlp_ref.corpus import load
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.fuzz import Finding, Known, Search, program
from mlp_ref.fuzz.saving import require_folder, save
from mlp_ref.gate.cases import CASE_ARITHMETICS
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.ledger import expectations_of
from mlp_ref.gate.outcomes import failure_text, outcome_of
from mlp_ref.gate.run import CaseReport
from mlp_ref.gate.sessions import open_sessions
from mlp_ref.gate.tally import name_of, plural
from mlp_ref.subjects import SUBJECTS, Session

__all__ = ["add_arguments", "run"]

DESCRIPTION = """\
Search for questions that an implementation answers wrongly: architectures, shapes, functions,
losses, rules, scales and numbers, plain and at edges. What fails is made as small as it can be,
often one neuron and one sample, and printed as Python that shows it; --save keeps it as vectors.

Every answer is judged as by verify, entry by entry under derived bounds, against the float64
reference. The search finds one smallest failure per operation and per function, loss or rule.

exit status: 0 nothing failed, 1 something did, 2 usage, 3 nothing was judged"""

_SEEDS, _TIMEOUT = 1 << 32, 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``fuzz``."""
    parser.add_argument(
        "subject", help=f"{', '.join(SUBJECTS)}, py:module:object, so:library or 'cmd:program'"
    )
    parser.add_argument(
        "--examples", type=int, default=2000, metavar="N",
        help="draw N questions at most, beside those on the way to a smallest (default: 2000)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, metavar="S",
        help="draw those of this seed, which is printed; another one every time by default",
    )  # fmt: skip
    parser.add_argument(
        "--save", metavar="DIR",
        help="add what fails to the vectors in DIR, for verify --vectors and certify --promote",
    )  # fmt: skip
    parser.add_argument(
        "--operation", action="append", metavar="NAME",
        help=f"ask this operation only; may be repeated: {', '.join(OPERATIONS)}",
    )  # fmt: skip
    parser.add_argument(
        "--arithmetic", action="append", metavar="NAME",
        help=f"ask in this arithmetic only: {', '.join(ARITHMETICS)}; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=float, default=_TIMEOUT, metavar="S",
        help="an answer that takes more seconds is an error, and its process is ended "
        "(default: 60)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Search, print every failure and what repeats the run, and return the exit status."""
    try:
        import hypothesis  # noqa: F401
    except ImportError:
        fail("fuzz needs hypothesis", "no module hypothesis", "pip install 'mlp-ref[gate]'")
    if args.examples < 1:
        fail("--examples must be 1 or more", repr(args.examples), "2000 is usual")
    if args.seed is not None and not 0 <= args.seed < _SEEDS:
        fail(f"--seed must be from 0 to {_SEEDS - 1}", repr(args.seed), "or leave it out")
    if args.subject.startswith("files:"):
        fail("fuzz needs a subject that can be asked", repr(args.subject), "use cmd: or py:")
    for name in args.operation or ():
        lookup("--operation", name, dict.fromkeys(OPERATIONS))
    for name in args.arithmetic or ():
        lookup("--arithmetic", name, ARITHMETICS)
    if args.save:
        require_folder(args.save)
    seed = secrets.randbelow(_SEEDS) if args.seed is None else args.seed
    with closing(open_sessions(args.subject, load(), timeout=args.timeout)[0]) as session:
        operations = _declared(session, "operation", args.operation, session.operations)
        asked = _declared(session, "arithmetic", args.arithmetic, session.arithmetics)
        plain = [A.name for A in CASE_ARITHMETICS if A.name in asked]
        arithmetics = [ARITHMETICS[name] for name in (args.arithmetic or plain[::-1] or asked)]
        _title(session, args.examples, seed, arithmetics)
        entries = expectations_of(session.name)
        with progress(args.examples, args.subject) as advance:
            search = Search(
                session, Known(session, entries), operations, arithmetics, args.examples, seed,
                advance,
            )  # fmt: skip
            found = list(_printed(args.subject, search, entries))
    return _end(args, search, found, seed)


def _declared(
    session: Session, what: str, names: Sequence[str] | None, declared: Sequence[str]
) -> list[str]:
    """The names that were asked for, which the subject must declare; by default all."""
    for name in names or ():
        if name not in declared:
            fail(
                f"--{what} must be one that {session.name} declares: {', '.join(declared)}",
                repr(name), f"leave --{what} out",
            )  # fmt: skip
    return list(names or declared)


def _title(session: Session, examples: int, seed: int, arithmetics: Sequence[Arithmetic]) -> None:
    named = " and ".join(A.name for A in arithmetics)
    _print(
        f"mlp-ref {__version__} fuzzes {name_of(session)} in {named}: "
        f"{plural(examples, 'example')}, seed {seed}"
    )


def _print(text: str = "") -> None:
    sys.stdout.write(f"{text}\n")


def _printed(spec: str, search: Search, entries: Sequence[Expectation]) -> Iterator[Finding]:
    """Every finding, printed as soon as it is there."""
    why = {entry.id: entry.why for entry in entries}
    for found in search.findings():
        report, case = found.report, found.report.case
        what = f"KNOWN {found.known}" if found.known else str(report.verdict).upper()
        parts = " ".join([case.operation, *sorted(found.parts)])
        _print(f"\n{what}: {parts} in {case.arithmetic.name}, first at example {found.example:,}")
        _print(_told(report))
        if found.known:
            _print(f"known      {why[found.known]}")
        _print(f"\n{program(spec, report)}")
        yield found


def _told(report: CaseReport) -> str:
    if report.verdict == Verdict.ERROR:
        return outcome_of(report).text
    first, *others = report.failures
    return failure_text(first, report.case.note, [each.tensor for each in others], report.hint)


def _end(args: argparse.Namespace, search: Search, found: Sequence[Finding], seed: int) -> int:
    """What was asked and found, what repeats it, and the exit status."""
    wrong = [each for each in found if not each.known]
    _print(f"\n{'operation':14}{'drawn':>8}{'judged':>8}{'skipped':>9}{'open':>6}{'shrinking':>11}")
    for operation, count in search.counts.items():
        cells = [f"{count[k]:,}" for k in ("drawn", "judged", "skipped", "open", "shrinking")]
        _print(f"{operation:14}{cells[0]:>8}{cells[1]:>8}{cells[2]:>9}{cells[3]:>6}{cells[4]:>11}")
    judged = sum(count["judged"] for count in search.counts.values())
    known = f", {plural(len(found) - len(wrong), 'known deviation')}" if found != wrong else ""
    word = "FAIL" if wrong else "PASS" if judged else "TOO FEW"
    _print(f"\n{word}  {args.subject}: {plural(len(wrong), 'failure')}{known} in {judged:,} judged")
    _print(f"repeat it: {_command(args, seed)}")
    if args.save and wrong:
        held = save(args.save, (each.report.case.record for each in wrong))
        _print(f"{args.save} holds {plural(held, 'case')}")
        folder, subject = shlex.quote(args.save), shlex.quote(args.subject)
        _print(f"judge by them: mlp-ref verify {subject} --vectors {folder}")
        _print(f"certify them: mlp-ref certify --promote {folder} -o DIR")
    return 1 if wrong else 0 if judged else 3


def _command(args: argparse.Namespace, seed: int) -> str:
    words = ["mlp-ref", "fuzz", args.subject, "--examples", str(args.examples), "--seed", str(seed)]
    for option in ("operation", "arithmetic"):
        for name in getattr(args, option) or ():
            words += [f"--{option}", name]
    words += ["--timeout", f"{args.timeout:g}"] if args.timeout != _TIMEOUT else []
    return shlex.join(words)
