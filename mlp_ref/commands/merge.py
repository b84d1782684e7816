"""``mlp-ref merge``: join the reports of all shards of a run."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from mlp_ref.checks import fail
from mlp_ref.files import atomic_path, quote, require_other, require_writable
from mlp_ref.gate.findings import diagnoses_of, each_once
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.report_jsonl import summary_line
from mlp_ref.gate.results import Header, Line, Report, read_report, summarize
from mlp_ref.gate.run import Summary
from mlp_ref.gate.tally import expected_text, outcome, plural, visible

__all__ = ["add_arguments", "run"]

DESCRIPTION = """\
Join the reports of verify --shard 1/N, 2/N, ... N/N --jsonl into the one that a run of all cases
writes. No shard and no case may be missing or occur twice, and all must be about the same subject
and corpus.

exit status: that of the whole, 0 conforms, 1 does not, 3 fewer cases judged than --require, 5 stale
expectation; 2 usage, or shards that do not make up a whole"""

# May differ from shard to shard: each machine builds its own library.
_MACHINES = ("python", "numpy", "machine", "subject_sha256")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``merge``."""
    parser.add_argument("shards", nargs="+", metavar="SHARD", help="report of one shard")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="report to write")
    parser.add_argument(
        "--require", type=int, default=1, metavar="N",
        help="exit with 3 if fewer cases were judged in all shards together (default: 1)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Join, write, print the verdict and return the exit status of the whole."""
    Summary(args.require)  # refuses a number below 1 before anything is read
    require_other(args.output, *args.shards)
    require_writable(args.output)
    shards = _whole([read_report(path) for path in args.shards])
    cases = _cases(shards)
    summary = _summary(shards, cases, args.require)
    header = _header(shards)
    with atomic_path(args.output) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f"{json.dumps(header)}\n")
        file.writelines(f"{line.text}\n" for lines in cases.values() for line in lines)
        file.write(summary_line(summary))
    sys.stdout.write(f"{args.output} holds {plural(len(shards), 'shard')}\n")
    sys.stdout.writelines(f"{line}\n" for line in _verdict(shards[0].header, summary))
    return summary.status


def _whole(reports: Sequence[Report]) -> list[Report]:
    """The shards in their order: all of one run, each once, each complete."""
    found: dict[int, Report] = {}
    first = reports[0]
    for report in reports:
        name, shard = quote(report.path), report.header.shard
        if shard is None:
            fail(f"{name} must be the report of a shard", "one of all cases", "leave it out")
        if report.summary is None:
            fail(
                f"{name} must end with its summary",
                f"a run that was cut short after {len(report.cases)} cases",
                f"run shard {shard[0]}/{shard[1]} again",
            )  # fmt: skip
        for key, (one, other) in _settings(first, report).items():
            if one != other:
                fail(
                    f"{name} must have the same {key} as {quote(first.path)}",
                    f"{other!r} where that has {one!r}", "merge the shards of one run",
                )  # fmt: skip
        if shard[0] in found:
            fail(
                f"shard {shard[0]}/{shard[1]} must be given once",
                f"{quote(found[shard[0]].path)} and {name}", "leave one of them out",
            )  # fmt: skip
        found[shard[0]] = report
    n = first.header.shard[1] if first.header.shard else 1
    missing = [k for k in range(1, n + 1) if k not in found]
    if missing:
        fail(
            f"all {n} shards must be given",
            f"none for {', '.join(f'{k}/{n}' for k in missing[:8])}{', ...' * (len(missing) > 8)}",
            "add their reports; a shard that did not run has judged nothing",
        )  # fmt: skip
    return [found[k] for k in range(1, n + 1)]


def _settings(one: Report, other: Report) -> dict[str, tuple[Any, Any]]:
    """What must agree: every key of the headers, but what tells shards and machines apart."""
    a, b = one.header, other.header
    own = {"kind", "shard", "cases", *_MACHINES}
    keys = [key for key in {**a.record, **b.record} if key not in own]
    return {
        "number of shards": (a.shard and a.shard[1], b.shard and b.shard[1]),
        **{key: (a.record.get(key), b.record.get(key)) for key in keys},
    }


def _cases(shards: Sequence[Report]) -> dict[str, list[Line]]:
    """The lines of every case, in the order of one run: shard K has every N-th from the K-th."""
    lists = [list(report.cases.items()) for report in shards]
    found: dict[str, list[Line]] = {}
    where: dict[str, Report] = {}
    for position in range(shards[0].header.total):
        k = position % len(shards)
        case, lines = lists[k][position // len(shards)]
        if case in found:
            fail(
                f"{quote(shards[k].path)} must have no case of another shard",
                f"{case}, as in {quote(where[case].path)}", "run both shards again",
            )  # fmt: skip
        found[case], where[case] = lines, shards[k]
    return found


def _header(shards: Sequence[Report]) -> dict[str, Any]:
    record = dict(shards[0].header.record) | {"shard": None, "cases": shards[0].header.total}
    for key in _MACHINES:
        values = [
            str(report.header.record[key]) for report in shards if key in report.header.record
        ]
        if values:
            record[key] = ", ".join(dict.fromkeys(values))
    return record


def _summary(shards: Sequence[Report], cases: dict[str, list[Line]], require: int) -> Summary:
    """The counts of the whole; what is stale in the order of the cases, as in one run."""
    unknown: dict[str, list[str]] = {}
    known_of: dict[str, list[str]] = {}
    for report in shards:
        for known, names in (report.summary or {})["unknown"].items():
            unknown[known] = list(dict.fromkeys([*unknown.get(known, ()), *names]))
        for known, names in (report.summary or {})["stale"].items():
            for name in names:
                known_of.setdefault(name, []).append(known)
    stale: dict[str, list[str]] = {}
    for lines in cases.values():
        for line in lines:
            name = f"{line.case} {line.result.tensor}"
            for known in known_of.get(name, ()):
                stale.setdefault(known, []).append(name)
    summary = summarize(cases, require, unknown, stale)
    each = [diagnoses_of((report.summary or {}).get("diagnoses", ())) for report in shards]
    summary.diagnoses = each_once(chain.from_iterable(each))
    return summary


def _verdict(header: Header, summary: Summary) -> Iterator[str]:
    word, says = outcome(header.named, summary)
    expected = expected_text(summary)
    yield visible(f"{word}  {says}") + (f" ({expected})" if expected else "")
    for counts, noun in ((summary.cases, "case"), (summary.tensors, "tensor")):
        counted = "   ".join(f"{verdict} {counts[verdict]:,}" for verdict in Verdict)
        yield f"  {plural(sum(counts.values()), noun)}: {counted}"
