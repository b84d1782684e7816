"""JSON lines: a header, one line for every tensor of every case, a summary.

Numbers are JSON numbers that read back to the same float64; what is not finite is written as one of
the strings "nan", "inf" and "-inf". A number that was never computed is null. Nothing in the lines
depends on the time, so that two runs of the same program write the same file. Their schema is
conformance/schema/report.schema.json.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from math import isfinite, nan
from typing import Any

import numpy as np

from mlp_ref import __version__
from mlp_ref.checks import InputError
from mlp_ref.corpus import Corpus
from mlp_ref.gate.cases import Case
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.judge import Result, Verdict
from mlp_ref.gate.run import CaseReport, Summary
from mlp_ref.subjects import Session

__all__ = ["header_line", "read_results", "result_lines", "summary_line"]

_NUMBERS = ("got", "expected", "error", "bound", "ratio", "ulp", "digits")
_COUNTS = ("entries", "failed", "inconclusive")


def header_line(
    subject: Session,
    corpus: Corpus,
    arithmetics: tuple[str, ...],
    cases: int,
    *,
    only: str | None = None,
    shard: tuple[int, int] | None = None,
    total: int | None = None,
    digest: str | None = None,
) -> str:
    """What was judged, by what, and how many cases follow.

    ``only``   the pattern that chose the cases, if one did
    ``shard``  (K, N) where the cases are every N-th from the K-th of ``total``
    ``digest`` of the files of the subject, if it has some
    """
    files = {} if digest is None else {"subject_sha256": digest}
    return _line(
        {
            "kind": "header",
            "format": 1,
            "mlp_ref": __version__,
            "corpus": corpus.version,
            "corpus_sha256": corpus.sha256,
            "subject": subject.name,
            **files,
            "versions": dict(subject.versions),
            "operations": list(subject.operations),
            "arithmetics": list(arithmetics),
            "only": only,
            "shard": shard,
            "cases": cases,
            "total": cases if total is None else total,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "machine": platform.machine(),
        }
    )


def result_lines(report: CaseReport) -> Iterator[str]:
    """One line per tensor, skipped ones and errors included.

    The hint stands with the tensor that it is about: the first that fails unexpectedly.
    """
    origin = report.unexpected[0].tensor if report.unexpected else None
    for result in report.results:
        record: dict[str, Any] = {"kind": "result", "case": report.case.id} | asdict(result)
        compared = result.ratio == result.ratio
        for name in _NUMBERS:
            record[name] = _number(record[name]) if compared else None
        record["index"] = list(result.index) if compared else None
        expected = result.verdict == Verdict.FAIL and report.expectations.get(result.tensor)
        record["expectation"] = expected or None
        record["hint"] = (result.tensor == origin and report.hint) or None
        yield _line(record)


def read_results(
    lines: Iterable[str], cases: Iterable[Case], expectations: Sequence[Expectation] = ()
) -> Iterator[CaseReport]:
    """Rebuild the reports of whole cases from their lines, as far as the lines go.

    The inverse of `result_lines`, apart from the time that the cases took. Lines of a case that is
    not complete are passed over.

    Raises `InputError` if a line is another than `result_lines` writes for that tensor of that
    case.
    """
    lines = iter(lines)
    for case in cases:
        found = [line for _, line in zip(case.tensors, lines, strict=False)]
        if len(found) < len(case.tensors):
            return
        report = None
        # A record of another shape, a number out of range, or JSON nested too deep.
        with suppress(ValueError, TypeError, LookupError, OverflowError, RecursionError):
            report = _report(case, [json.loads(line) for line in found], expectations)
        if report is None or list(result_lines(report)) != found:
            raise InputError(f"the lines of {case.id} must be those of its tensors; got others")
        yield report


def _report(
    case: Case, records: Sequence[Mapping[str, Any]], expectations: Sequence[Expectation]
) -> CaseReport:
    """The report that records may stem from; whether they do, writing it again will tell."""
    results = tuple(_result(name, r) for name, r in zip(case.tensors, records, strict=True))
    excused = {r["tensor"]: r["expectation"] for r in records if r["expectation"]}
    for tensor, known_as in excused.items():
        if not any(
            known.id == known_as and known.names(case.id, tensor, Verdict.FAIL)
            for known in expectations
        ):
            raise ValueError("an expectation that does not exist, or does not name the tensor")
    named = {
        result.tensor: known.id
        for known in reversed(expectations)  # the first stays
        for result in results
        if result.verdict != Verdict.FAIL and known.names(case.id, result.tensor, result.verdict)
    }
    hint = "".join(str(record["hint"]) for record in records if record["hint"])
    return CaseReport(case, results, hint=hint, expectations=named | excused)


def _result(tensor: str, record: Mapping[str, Any]) -> Result:
    numbers: dict[str, Any] = {name: int(record[name]) for name in _COUNTS}
    for name in _NUMBERS:
        numbers[name] = nan if record[name] is None else float(record[name])
    index = tuple(int(k) for k in record["index"] or ())
    return Result(tensor, Verdict(record["verdict"]), str(record["reason"]), index, **numbers)


def summary_line(summary: Summary) -> str:
    """The counts and the exit status."""
    return _line(
        {
            "kind": "summary",
            "cases": dict(summary.cases),
            "tensors": dict(summary.tensors),
            "entries": summary.entries,
            "inconclusive": summary.inconclusive,
            "expected_failures": summary.expected_tensors,
            "stale": summary.stale,
            "unknown": {known: list(names) for known, names in summary.unknown.items()},
            "diagnoses": [asdict(diagnosis) for diagnosis in summary.diagnoses],
            "status": summary.status,
        }
    )


def _number(x: float) -> float | str:
    return x if isfinite(x) else str(x)


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"
