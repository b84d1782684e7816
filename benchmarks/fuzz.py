"""What `mlp-ref fuzz` finds, and what it does not: the catalogue of faults, and correct subjects.

python benchmarks/fuzz.py faults [--seed S] [--only PATTERN]    each fault, 2,000 examples at most
python benchmarks/fuzz.py correct SUBJECT [--examples N]        no alarm, in runs of 10,000

One line per fault or run; then what was missed, and the CPU time of an example. What is drawn for
an operation depends on the seed alone: the operations of a fault's family come first, each with its
share of the examples, and the others only if these find nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from statistics import median
from time import process_time

from mlp_ref.arithmetic import FLOAT32, FLOAT64, Arithmetic
from mlp_ref.corpus.records import Record
from mlp_ref.faults import FAULTS
from mlp_ref.fuzz import Finding, Known, Search
from mlp_ref.fuzz.cases import fuzz_case
from mlp_ref.fuzz.search import SHARES
from mlp_ref.gate.cases import Case
from mlp_ref.gate.ledger import expectations_of
from mlp_ref.subjects import load

__all__ = ["budgets", "first_of", "main"]

EXAMPLES, RUN = 2000, 10_000
Made = Callable[[Record, Arithmetic], Case | None]


FIRST = {  # family -> operations that its faults concern
    "softmax": ("softmax", "log_softmax"), "loss": ("loss",), "reduction": ("loss", "mlp"),
    "label": ("loss",), "activation": ("activation",), "slope": ("activation",),
    "dense": ("dense", "mlp"), "entry": ("dense",), "optimizer": ("optimizer",),
    "precision": ("dense", "activation", "optimizer"),
}  # fmt: skip


def budgets() -> dict[str, int]:
    """How many examples each operation gets in a run of all."""
    found, left, names = {}, EXAMPLES, list(SHARES)
    for k, name in enumerate(names):
        found[name] = -(-left * SHARES[name] // sum(SHARES[each] for each in names[k:]))
        left -= found[name]
    return found


def first_of(
    spec: str, examples: int, seed: int, operations: Sequence[str] = (), made: Made = fuzz_case
) -> tuple[Finding | None, Search, int]:
    """The first failure that is not known, and how many examples were drawn until then."""
    subject = load(spec)
    known = Known(subject, expectations_of(subject.name))
    asked = operations or subject.operations
    search = Search(subject, known, asked, (FLOAT64, FLOAT32), examples, seed, made=made)
    for found in search.findings():
        if not found.known:
            return found, search, sum(count["drawn"] for count in search.counts.values())
    return None, search, sum(count["drawn"] for count in search.counts.values())


def faults(pattern: str, seed: int) -> int:
    """Every fault of the catalogue."""
    missed, drawn, sizes = [], [], []
    held: dict[tuple[str, str], Case | None] = {}  # the first questions are the same of all faults

    def made(record: Record, A: Arithmetic) -> Case | None:
        key = record.id, A.name
        if key not in held:
            held[key] = fuzz_case(record, A)
        return held[key]

    for name in (name for name in FAULTS if fnmatchcase(name, pattern)):
        first, found, count = FIRST.get(FAULTS[name].family, ()), None, 0
        for operation in dict.fromkeys((*first, *SHARES)):
            share = budgets()[operation]
            found, _, count = first_of(f"fault:{name}", share, seed, (operation,), made)
            if found is not None:
                break
        if found is None:
            missed.append(name)
            print(f"{name:44} MISSED", flush=True)
            continue
        record = found.report.case.record
        numbers = sum(x.size for x in record.arrays().values())
        drawn.append(count)
        sizes.append(numbers)
        print(f"{name:44}{count:6}  {numbers:4} numbers  {record.id}  {record.note}", flush=True)
    total = len(missed) + len(drawn)
    print(f"{len(drawn)} of {total} found, {100 * len(drawn) / total:.1f} %; missed: {missed}")
    print(f"median: example {median(drawn)} of the operation, shrunk to {median(sizes)} numbers")
    return 0


def correct(spec: str, examples: int, seed: int) -> int:
    """No alarm of a subject that is right, but for what its ledger knows."""
    alarms, total = 0, 0
    for number in range(-(-examples // RUN)):
        begin = process_time()
        found, search, drawn = first_of(spec, min(RUN, examples - total), seed + number)
        total += drawn
        alarms += found is not None
        judged = sum(count["judged"] for count in search.counts.values())
        spent = 1e3 * (process_time() - begin) / drawn
        end = f"ALARM {found.report.case.id} {found.report.results}" if found else "no alarm"
        run = f"{spec} seed {seed + number}: {drawn:,} drawn, {judged:,} judged"
        print(f"{run}, {spent:.2f} ms each: {end}", flush=True)
    print(f"{spec}: {total:,} examples, {alarms} runs with an alarm")
    return alarms > 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("faults", "correct"):
        command = commands.add_parser(name)
        command.add_argument("--seed", type=int, default=0)
        if name == "faults":
            command.add_argument("--only", default="*")
        else:
            command.add_argument("subject")
            command.add_argument("--examples", type=int, default=100_000)
    args = parser.parse_args()
    if args.command == "faults":
        return faults(args.only, args.seed)
    return correct(args.subject, args.examples, args.seed)


if __name__ == "__main__":
    sys.exit(main())
