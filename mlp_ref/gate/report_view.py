"""What a report for the eye shows of each subject: states of tensors and cases, worst entries.

A tensor has one of the states of `STATES`, a case the worst of its tensors, so that the counts of
all states add up to all tensors, and to all cases.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, isnan

from mlp_ref.checks import fail
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.files import quote
from mlp_ref.gate.cases import REJECTION
from mlp_ref.gate.findings import Diagnosis, diagnoses_of
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.results import Line, Report, summarize
from mlp_ref.gate.run import Summary

__all__ = [
    "ABSENT", "OTHER", "REFUSALS", "STATES", "Column", "columns", "families", "hint_of",
    "operation_of", "ratio_of", "row_of", "rows_in_order", "state_of",
]  # fmt: skip

# From the worst to the best. The steps of a pass tell how near the worst entry comes to its bound.
STATES: Mapping[str, str] = {
    "error": "error: no answer that can be judged",
    "fail": "fail: an entry outside its bound, or an answer that cannot be compared",
    "expected": "expected failure: named in the ledger",
    "near": "pass, above 1/2 of the bound",
    "half": "pass, up to 1/2 of the bound",
    "tenth": "pass, up to 1/10 of the bound",
    "exact": "pass, exact: error 0, or refused as it must be",
    "skip": "skip: not judged",
}
ABSENT = "absent"
OTHER = "other"  # what the corpus has no operation for
_STEPS = (("exact", 0.0), ("tenth", 0.1), ("half", 0.5), ("near", inf))
_BY_KIND = "mlp"  # of which the tensors of each kind have a row of their own
REFUSALS = "refusals"  # of inputs that must be refused, in any operation
_KINDS = ("z", "a", "loss", "g", "dW", "db", "dx")


@dataclass(frozen=True)
class Column:
    """A report, under a label that no other one has."""

    label: str
    report: Report

    @cached_property
    def cases(self) -> dict[str, list[Line]]:
        """The lines of each case."""
        return self.report.cases

    @cached_property
    def states(self) -> dict[str, str]:
        """The state of each case."""
        order = list(STATES)
        return {
            case: min((state_of(line) for line in lines), key=order.index)
            for case, lines in self.cases.items()
        }

    @cached_property
    def counted(self) -> Summary:
        """The counts of the lines."""
        return summarize(self.cases)

    @property
    def verdict(self) -> tuple[str, str]:
        """The state that colours the verdict, and the verdict in a word."""
        summary = self.report.summary
        if summary is None:
            return "error", "CUT SHORT"
        word = {0: "PASS", 1: "FAIL", 3: "TOO FEW", 5: "STALE"}[summary["status"]]
        return {"PASS": "pass", "FAIL": "fail"}.get(word, "expected"), word

    @property
    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """What explains the failures."""
        return diagnoses_of((self.report.summary or {}).get("diagnoses", ()))

    def failing(self, state: str) -> dict[str, list[Line]]:
        """The lines in that state of each case that has some."""
        found = {
            case: [line for line in lines if state_of(line) == state]
            for case, lines in self.cases.items()
        }
        return {case: lines for case, lines in found.items() if lines}

    def hints(self) -> Counter[str]:
        """What the numbers say, and of how many cases."""
        hints = (hint_of(lines) for lines in self.failing("fail").values())
        return Counter(hint for hint in hints if hint)

    def reasons(self, verdict: Verdict) -> list[tuple[str, int, int, str]]:
        """Of skips or errors: the reason, how many tensors and cases, and the first case."""
        tensors, cases = Counter[str](), dict[str, dict[str, None]]()
        for line in self.report.results.values():
            if line.result.verdict == verdict:
                tensors[line.result.reason] += 1
                cases.setdefault(line.result.reason, {})[line.case] = None
        return [
            (reason, n, len(cases[reason]), next(iter(cases[reason])))
            for reason, n in tensors.most_common()
        ]

    def closest(self, most: int) -> list[Line]:
        """The passing tensors that come nearest to their bounds."""
        passing = [x for x in self.report.results.values() if x.result.verdict == Verdict.PASS]
        measured = [line for line in passing if line.result.ratio > 0]
        return sorted(measured, key=lambda line: -line.result.ratio)[:most]


def columns(reports: Sequence[Report]) -> list[Column]:
    """The reports under labels: subject and version, with the file where that does not do.

    Raises `InputError` if there is none, or if they are about different corpora.
    """
    if not reports:
        fail("there must be a report to show", "none", "write one with mlp-ref verify --jsonl")
    first, *others = reports
    for other in others:
        for key in ("corpus", "corpus_sha256"):
            one, two = getattr(first.header, key), getattr(other.header, key)
            if one != two:
                fail(
                    f"{quote(other.path)} must have the same {key} as {quote(first.path)}",
                    f"{two!r} where that has {one!r}", "show reports about one corpus",
                )  # fmt: skip
    named = Counter(report.header.named for report in reports)
    labels = Counter[str]()
    found = []
    for report in reports:
        label = report.header.named
        if named[label] > 1:
            label = f"{label} ({report.path.name})"
        labels[label] += 1
        more = f" ({labels[label]})" if labels[label] > 1 else ""
        found.append(Column(label + more, report))
    return found


def families(shown: Sequence[Column]) -> dict[str, dict[str, list[str]]]:
    """operation -> family -> the ids of the cases that any of the reports has."""
    found: dict[str, dict[str, list[str]]] = {name: {} for name in (*OPERATIONS, OTHER)}
    for case in dict.fromkeys(case for column in shown for case in column.cases):
        family = "/".join(case.split("/")[:2])
        found[operation_of(case)].setdefault(family, []).append(case)
    return {operation: members for operation, members in found.items() if members}


def operation_of(case: str) -> str:
    """The operation that the id of a case begins with."""
    operation = case.partition("/")[0]
    return operation if operation in OPERATIONS else OTHER


def row_of(line: Line) -> str:
    """The row of the pictures: the operation, and of a network the kind of tensor too."""
    if line.result.tensor == REJECTION:
        return REFUSALS
    operation, kind = operation_of(line.case), line.result.tensor.rstrip("0123456789")
    return f"{operation} {kind}" if operation == _BY_KIND and kind in _KINDS else operation


def rows_in_order(names: Iterable[str]) -> list[str]:
    """The rows that occur, in the order of the corpus and of the computation."""
    kinds = [f"{_BY_KIND} {kind}" for kind in _KINDS]
    order = [row for op in OPERATIONS for row in (kinds if op == _BY_KIND else []) + [op]]
    return sorted(set(names), key=[*order, OTHER, REFUSALS].index)


def state_of(line: Line) -> str:
    """The state of a tensor."""
    result = line.result
    if result.verdict == Verdict.PASS:
        ratio = 0.0 if isnan(result.ratio) else result.ratio
        return next(name for name, most in _STEPS if ratio <= most)
    if result.verdict == Verdict.FAIL and line.expectation:
        return "expected"
    return str(result.verdict)


def ratio_of(lines: Sequence[Line]) -> float | None:
    """The largest error/bound; None if nothing was measured."""
    ratios = [line.result.ratio for line in lines if not isnan(line.result.ratio)]
    return max(ratios, default=None)


def hint_of(lines: Sequence[Line]) -> str:
    """The hint that stands with one of the lines, or an empty string."""
    return next((hint for x in lines if (hint := json.loads(x.text).get("hint"))), "")
