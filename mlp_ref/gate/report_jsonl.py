"""JSON lines: a header, one line for every tensor of every case, a summary.

Numbers are JSON numbers that read back to the same float64; what is not finite is written as one of
the strings "nan", "inf" and "-inf". A number that was never computed is null.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from dataclasses import asdict
from math import isfinite
from typing import Any

import numpy as np

from mlp_ref import __version__
from mlp_ref.corpus import Corpus
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.run import CaseReport, Summary
from mlp_ref.subjects import Subject

__all__ = ["header_line", "result_lines", "summary_line"]

_NUMBERS = ("got", "expected", "error", "bound", "ratio", "ulp", "digits")


def header_line(subject: Subject, corpus: Corpus, arithmetics: tuple[str, ...], cases: int) -> str:
    """What was judged, by what, and how many cases follow."""
    return _line(
        {
            "kind": "header",
            "format": 1,
            "mlp_ref": __version__,
            "corpus": corpus.version,
            "corpus_sha256": corpus.sha256,
            "subject": subject.name,
            "versions": dict(subject.versions),
            "arithmetics": list(arithmetics),
            "cases": cases,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "machine": platform.machine(),
        }
    )


def result_lines(report: CaseReport) -> Iterator[str]:
    """One line per tensor, skipped ones and errors included."""
    for result in report.results:
        record: dict[str, Any] = {"kind": "result", "case": report.case.id} | asdict(result)
        compared = result.ratio == result.ratio
        for name in _NUMBERS:
            record[name] = _number(record[name]) if compared else None
        record["index"] = list(result.index) if compared else None
        expected = result.verdict == Verdict.FAIL and report.expectations.get(result.tensor)
        record["expectation"] = expected or None
        yield _line(record)


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
            "status": summary.status,
        }
    )


def _number(x: float) -> float | str:
    return x if isfinite(x) else str(x)


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, allow_nan=False) + "\n"
