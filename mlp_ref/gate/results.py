"""Reading a report that ``mlp-ref verify --jsonl`` wrote: every line is checked.

A report decides whether a change is merged, so nothing in it is taken on trust: the verdict must
follow from the numbers, the numbers from one another, and the summary from the lines. What was
edited, damaged or cut is refused in one line that names the file and the line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan
from pathlib import Path
from typing import Any

from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.checks import fail
from mlp_ref.files import PathName, quote, require_file
from mlp_ref.gate.cases import REJECTION
from mlp_ref.gate.findings import are_diagnoses
from mlp_ref.gate.judge import Result, Verdict
from mlp_ref.gate.rows import AGAIN, Row, is_count, is_text, is_texts, rows_of
from mlp_ref.gate.run import Summary

__all__ = ["Header", "Line", "Report", "read_report", "report_of", "summarize"]

Key = tuple[str, str]

_FORMAT = 1
_NUMBERS = ("got", "expected", "error", "bound", "ratio", "ulp", "digits")
_COUNTS = ("entries", "failed", "inconclusive")


@dataclass(frozen=True)
class Header:
    """What was judged. ``record`` is the line itself, with what is not needed here.

    ``shard``  (K, N) if the cases are every N-th from the K-th of ``total``
    """

    subject: str
    versions: Mapping[str, str]
    corpus: str
    corpus_sha256: str
    operations: tuple[str, ...]
    arithmetics: tuple[str, ...]
    cases: int
    total: int
    shard: tuple[int, int] | None
    record: Mapping[str, Any]

    @property
    def named(self) -> str:
        """The subject, with its version if it states one."""
        return f"{self.subject} {self.versions.get(self.subject, '')}".rstrip()


@dataclass(frozen=True)
class Line:
    """One tensor of one case: its result, the expectation that excuses it, and the line itself."""

    case: str
    result: Result
    expectation: str | None
    text: str


@dataclass(frozen=True)
class Report:
    """A report. ``summary`` is None if the run was cut short. ``content`` is the file itself.

    ``results``  in the order of the file, in which the tensors of a case stand together
    """

    path: Path
    header: Header
    results: Mapping[Key, Line]
    summary: Mapping[str, Any] | None
    content: bytes

    @property
    def cases(self) -> dict[str, list[Line]]:
        """The lines of each case."""
        found: dict[str, list[Line]] = {}
        for line in self.results.values():
            found.setdefault(line.case, []).append(line)
        return found


def read_report(path: PathName) -> Report:
    """Read a report.

    Raises `InputError` if it cannot be read, is no report of this format, or contradicts itself.
    """
    return report_of(path, require_file(path).read_bytes())


def report_of(path: PathName, content: bytes) -> Report:
    """The report in these bytes, which are, or might be, those of a file of that name.

    Raises `InputError` as `read_report` does.
    """
    rows = rows_of(quote(path), content)
    first = next(rows, None)
    if first is None:
        fail(f"{quote(path)} must begin with a header", "an empty file", AGAIN)
    header = _header(first)
    results: dict[Key, Line] = {}
    cases: dict[str, list[Line]] = {}
    summary = None
    for row in rows:
        kind = row.word("kind")
        if summary is not None:
            row.refuse("must be none, for a report ends with its summary", kind)
        if kind == "summary":
            summary = _summary(row, header, cases)
        elif kind == "result":
            line = _result(row, header)
            key = line.case, line.result.tensor
            if key in results:
                row.refuse("must be about a tensor that has no line yet", " ".join(key))
            if line.case in cases and line.case != next(reversed(cases)):
                row.refuse("must stand with the others of its case", line.case)
            results[key] = line
            cases.setdefault(line.case, []).append(line)
        else:
            row.refuse("must be a result or a summary", kind)
    if len(cases) > header.cases:
        first.refuse(f"must count the {len(cases)} cases that follow", header.cases)
    return Report(Path(path), header, results, summary, content)


def summarize(
    cases: Mapping[str, Sequence[Line]],
    require: int = 1,
    unknown: Mapping[str, Sequence[str]] | None = None,
    stale: Mapping[str, Sequence[str]] | None = None,
) -> Summary:
    """Count what the lines say, as the run that wrote them did."""
    summary = Summary(require, (), unknown or {})
    summary.stale |= {known: list(names) for known, names in (stale or {}).items()}
    for lines in cases.values():
        found = {line.result.verdict for line in lines}
        order = (Verdict.ERROR, Verdict.FAIL, Verdict.PASS, Verdict.SKIP)
        verdict = next(verdict for verdict in order if verdict in found)
        summary.cases[verdict] += 1
        failures = [line for line in lines if line.result.verdict == Verdict.FAIL]
        excused = [line for line in failures if line.expectation]
        summary.expected_tensors += len(excused)
        summary.expected_cases += verdict == Verdict.FAIL and excused == failures
        for line in lines:
            summary.tensors[line.result.verdict] += 1
            summary.entries += line.result.entries
            summary.inconclusive += line.result.inconclusive
    return summary


# ------------------------------------------------------------------------------------- three kinds


def _header(row: Row) -> Header:
    kind = row.word("kind")
    if kind != "header":
        row.refuse("must be a header, with which a report begins", kind)
    if row.count("format") != _FORMAT:
        row.refuse(f"must be of format {_FORMAT}", row.count("format"))
    arithmetics, cases = row.words("arithmetics"), row.count("cases")
    operations = row.words("operations") if "operations" in row.record else ("mlp",)  # older ones
    for name in arithmetics:
        if name not in ARITHMETICS:
            row.refuse(f"must name arithmetics, {', '.join(ARITHMETICS)}", name)
    shard: tuple[int, int] | None = None
    total = cases
    if row.record.get("shard") is not None:  # older reports have neither key
        pair, total = row.counts("shard"), row.count("total")
        if len(pair) != 2 or not 1 <= pair[0] <= pair[1]:
            row.refuse("must have [K, N] with K from 1 to N as 'shard'", str(list(pair)))
        shard = k, n = pair[0], pair[1]
        own = len(range(k - 1, total, n))
        if cases != own:
            row.refuse(f"must have {own} of {total} cases, as shard {k}/{n}", cases)
    elif row.record.get("total", cases) != cases:
        row.refuse(f"must have its {cases} cases as 'total'", row.record["total"])
    return Header(
        row.word("subject"), row.mapping("versions", "texts", is_text), row.word("corpus"),
        row.word("corpus_sha256"), operations, arithmetics, cases, total, shard,
        row.record,
    )  # fmt: skip


def _result(row: Row, header: Header) -> Line:
    case = row.word("case")
    if case.rpartition("/")[2] not in header.arithmetics:
        row.refuse(f"must be of a case in {' or '.join(header.arithmetics)}", case)
    verdict = row.take("verdict", "a verdict", lambda x: is_text(x) and x in set(Verdict))
    numbers: dict[str, Any] = {name: row.count(name) for name in _COUNTS}
    if "ratio" in row.record and row.record["ratio"] is None:
        for name in (*_NUMBERS, "index"):
            row.take(name, "null, as 'ratio' is,", lambda x: x is None)
    else:
        numbers |= {name: row.number(name) for name in _NUMBERS} | {"index": row.counts("index")}
    result = Result(row.word("tensor"), Verdict(verdict), row.word("reason"), **numbers)
    _require_sound(row, result)
    expectation = row.take("expectation", "a text or null", lambda x: x is None or is_text(x))
    if expectation is not None and verdict != Verdict.FAIL:
        row.refuse("must have null as 'expectation', for it does not fail", expectation)
    return Line(case, result, expectation, row.text)


def _require_sound(row: Row, result: Result) -> None:
    """Require what `judge` guarantees, so that no digit can be changed unnoticed where it counts.

    ``error`` is rounded twice, and ``expected`` once: together less than 8 u of the larger number.
    """
    compared, failing = not isnan(result.ratio), result.verdict == Verdict.FAIL
    if failing != (result.failed > 0) or result.failed > result.entries:
        row.refuse(
            f"must count its wrong entries, for its verdict is {result.verdict}", result.failed
        )
    if not compared:
        passed = result.verdict == Verdict.PASS and result.tensor != REJECTION
        if passed or isinstance(row.record["ratio"], str):
            row.refuse("must have a number as 'ratio'", row.record["ratio"])
        return
    if result.verdict in (Verdict.ERROR, Verdict.SKIP):
        row.refuse(f"must have null as 'ratio', for its verdict is {result.verdict}", result.ratio)
    ratio = _quotient(result.error, result.bound)
    if failing:
        ratio = ratio if ratio > 1 else inf
    elif isnan(ratio) or not isfinite(result.got):  # expected so, or the bound is infinite
        ratio = 0.0
    if result.ratio != ratio or failing != (ratio > 1):
        row.refuse("must have error / bound as 'ratio'", result.ratio)
    if isfinite(result.got) and isfinite(result.expected):
        larger = max(abs(result.got), abs(result.expected))
        error = abs(result.got - result.expected)
        if error != result.error and not abs(error - result.error) <= larger * 2**-50 + 2**-1074:
            row.refuse("must have |got - expected| as 'error'", result.error)


def _quotient(error: float, bound: float) -> float:
    if error == 0 or bound == 0:
        return inf if error > 0 else 0.0
    return error / bound


def _summary(row: Row, header: Header, cases: Mapping[str, Sequence[Line]]) -> Mapping[str, Any]:
    """Require that the summary says what the lines say."""
    stale = row.mapping("stale", "lists of texts", is_texts)
    unknown = row.mapping("unknown", "lists of texts", is_texts)
    counted = summarize(cases, 1, unknown, stale)
    if len(cases) != header.cases:
        row.refuse(f"must stand below the {header.cases} cases of the header", len(cases))
    for key, want in (("cases", counted.cases), ("tensors", counted.tensors)):
        got = row.mapping(key, "counts", is_count)
        if got != want:
            row.refuse(f"must count as the lines do, {_pairs(want)}", f"{key}: {_pairs(got)}")
    for key, count in (
        ("entries", counted.entries),
        ("inconclusive", counted.inconclusive),
        ("expected_failures", counted.expected_tensors),
    ):
        if row.count(key) != count:
            row.refuse(f"must count {count} as {key!r}, as the lines do", row.count(key))
    passed = {
        f"{line.case} {line.result.tensor}"
        for lines in cases.values()
        for line in lines
        if line.result.verdict == Verdict.PASS
    }
    for name in (name for names in stale.values() for name in names):
        if name not in passed:
            row.refuse("must name a tensor that passes as stale", name)
    row.take("diagnoses", "a list of diagnoses", are_diagnoses)
    # How many cases were required is not written down.
    possible = {counted.status} | ({3} if counted.status != 1 else set())
    if row.count("status") not in possible:
        row.refuse(f"must have the status {counted.status}", row.count("status"))
    return row.record


def _pairs(counts: Mapping[Any, int]) -> str:
    return " ".join(f"{key} {count}" for key, count in counts.items())
