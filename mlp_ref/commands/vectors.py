"""``mlp-ref vectors``: list, show and export the certified cases."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase

from mlp_ref.checks import fail, lookup
from mlp_ref.commands.vectors_show import killed, shown
from mlp_ref.corpus import Corpus, load
from mlp_ref.corpus.records import FLAGS, OPERATIONS, Record
from mlp_ref.files import quote, require_other, require_writable

__all__ = ["add_arguments", "run"]

DESCRIPTION = """\
Look at the certified cases: list, show or export them, after every digest has been checked.

  mlp-ref vectors list --operation softmax

  mlp-ref vectors show softmax/shifted/float64

  mlp-ref vectors export --to c-header --only 'dense/*/float32' -o dense.h"""

_FORMATS = ("npz", "safetensors", "lines", "c-header")  # without importing what writes them
_FIRST = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``vectors``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="a line per case, and counts")
    show = actions.add_parser("show", help="everything about one case")
    export = actions.add_parser("export", help="write cases in another format")
    show.add_argument("id", metavar="ID", help="id of a case, as in the list")
    show.add_argument(
        "--all",
        action="store_true",
        help=f"all entries of a tensor and all faults, not {_FIRST} alone",
    )
    for chosen in (listing, export):
        chosen.add_argument("--operation", metavar="NAME", help=", ".join(OPERATIONS))
        chosen.add_argument(
            "--only", metavar="PATTERN", help="cases whose id matches, such as '*gelu*'"
        )
        chosen.add_argument("--flag", metavar="NAME", help="cases that bear the flag")
    export.add_argument("--to", required=True, metavar="FORMAT", help=", ".join(_FORMATS))
    export.add_argument("-o", "--output", required=True, metavar="FILE", help="file to write")
    for action in (listing, show, export):
        action.add_argument(
            "--vectors", metavar="DIR", help="another corpus, such as one that certify wrote"
        )


def run(args: argparse.Namespace) -> int:
    """Do one of the three and return 0."""
    if args.action == "show":
        operation = args.id.partition("/")[0]
        corpus = load(operation if operation in OPERATIONS else None, args.vectors)
        most = None if args.all else _FIRST
        record = corpus.record(args.id)
        lines = [*shown(record, most)]
        if args.vectors is None and not record.rejects:  # another corpus has cases of its own
            lines += killed(args.id, most)
        sys.stdout.writelines(f"{line}\n" for line in lines)
        return 0
    if args.action == "export":
        lookup("--to", args.to, dict.fromkeys(_FORMATS))
        require_writable(args.output)
    corpus = load(args.operation, args.vectors)
    chosen = _chosen(corpus, args)
    if args.action == "list":
        sys.stdout.writelines(f"{line}\n" for line in _listed(corpus, chosen))
        return 0
    require_other(args.output, *corpus.folder.iterdir())
    from mlp_ref.corpus.exports import export

    export(args.output, args.to, chosen, corpus.version, corpus.sha256)
    sys.stdout.write(f"{args.output} holds {_cases(chosen)}\n")
    return 0


def _chosen(corpus: Corpus, args: argparse.Namespace) -> list[Record]:
    if args.flag is not None:
        lookup("--flag", args.flag, FLAGS)
    chosen = [
        record
        for record in corpus.records
        if (args.only is None or fnmatchcase(record.id, args.only))
        and (args.flag is None or args.flag in record.flags)
    ]
    if not chosen:
        got = ", ".join(
            f"--{key} {quote(value)}"
            for key in ("operation", "only", "flag")
            if (value := getattr(args, key)) is not None
        )
        fail("a case must match", got or "no option", "see mlp-ref vectors list")
    return chosen


def _cases(records: list[Record]) -> str:
    return f"{len(records):,} case{'s' * (len(records) != 1)}"


def _entries(record: Record) -> int:
    return sum(q.hi.size for q in record.expected.values())


def _listed(corpus: Corpus, records: list[Record]) -> Iterator[str]:
    """A line per case, no longer than the terminal is wide, if it is one; then counts."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    longest = max(len(record.id) for record in records)
    yield f"level  entries  {'id':{longest}}  flags"
    for record in records:
        what = (record.rejects and "rejects") or f"{_entries(record):,}"
        line = f"{record.difficulty:5}  {what:>7}  {record.id:{longest}}  {' '.join(record.flags)}"
        yield line.rstrip()[:width]
    operations = Counter(record.operation for record in records)
    levels = Counter(record.difficulty for record in records)
    yield ""
    yield (
        f"{_cases(records)}, {sum(map(_entries, records)):,} certified entries, "
        f"corpus {corpus.version}"
    )
    yield "  " + ", ".join(f"{name} {count}" for name, count in operations.items())
    yield "  " + ", ".join(f"level {k}: {levels[k]}" for k in sorted(levels))
