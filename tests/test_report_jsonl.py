"""JSON lines: strict JSON, every tensor once, every number to the last bit."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mlp_ref
from mlp_ref.corpus import Corpus
from mlp_ref.gate.cases import build_cases
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.judge import Result, Verdict
from mlp_ref.gate.report_jsonl import header_line, result_lines, summary_line
from mlp_ref.gate.run import CaseReport, Summary, run_case
from mlp_ref.subjects import Subject
from mlp_ref.subjects.numpy_subject import run as right

CASE = next(case for case in build_cases() if case.id.startswith("mlp/batch-7/gelu/"))
NUMBERS = ("got", "expected", "error", "bound", "ratio", "ulp", "digits")


def run(**question: Any) -> Any:
    """No g, a loss that is NaN, dx in another dtype, infinities in db0, twice db1."""
    answer = dict(right(**question))
    del answer["g"]
    answer["db0"] = np.full_like(answer["db0"], -inf)
    answer["db1"] = 2 * answer["db1"]
    return answer | {"loss": answer["loss"] * nan, "dx": answer["dx"].astype("f2")}


CORPUS = Corpus("2026.1", "0123456789abcdef" * 4, (), Path())
SUBJECT = Subject("mine", run, ("float32",), {"mine": "1.2"})
FAILING = {CASE.id: {"db1": 9.0, "db0": 9.0, "dx": 9.0, "dW0": 9.0}}
KNOWN = Expectation("known", "mine", "1.2", "measured", "because", FAILING)


def refuse(constant: str) -> None:
    """NaN and Infinity are not JSON."""
    raise AssertionError(constant)


def parse(line: str) -> dict[str, Any]:
    """One line as strict JSON."""
    assert line.endswith("\n")
    assert line.count("\n") == 1
    found = json.loads(line, parse_constant=refuse)
    assert isinstance(found, dict)
    return found


def test_the_header_says_what_was_judged() -> None:
    """Subject, versions, corpus, arithmetics and the number of cases that follow."""
    header = parse(header_line(SUBJECT, CORPUS, ("float32",), 17))
    assert {key: header[key] for key in ("kind", "format", "subject", "cases")} == {
        "kind": "header", "format": 1, "subject": "mine", "cases": 17,
    }  # fmt: skip
    assert header["versions"] == {"mine": "1.2"}
    assert header["arithmetics"] == ["float32"]
    assert (header["corpus"], header["corpus_sha256"]) == (CORPUS.version, CORPUS.sha256)
    assert header["mlp_ref"] == mlp_ref.__version__
    assert header["numpy"] == np.__version__


def test_one_line_per_tensor_reads_back_exactly() -> None:
    """Every number of every result comes back to the last bit; what is not finite is a text."""
    report = run_case(SUBJECT, CASE, (KNOWN,))
    records = [parse(line) for line in result_lines(report)]
    assert [record["tensor"] for record in records] == list(CASE.tensors)
    for record, result in zip(records, report.results, strict=True):
        assert (record["kind"], record["case"]) == ("result", CASE.id)
        assert (record["verdict"], record["reason"]) == (result.verdict, result.reason)
        for name in ("entries", "failed", "inconclusive"):
            assert record[name] == getattr(result, name)
        if record["ratio"] is not None:
            assert tuple(record["index"]) == result.index
            for name in NUMBERS:
                np.testing.assert_array_equal(float(record[name]), getattr(result, name))


def test_what_is_not_finite_is_a_text() -> None:
    """nan, inf and -inf."""
    records = {r["tensor"]: r for r in map(parse, result_lines(run_case(SUBJECT, CASE)))}
    assert [records["loss"][name] for name in ("got", "ratio", "ulp")] == ["nan", "inf", "nan"]
    assert [records["db0"][name] for name in ("got", "error")] == ["-inf", "inf"]


@pytest.mark.parametrize(("tensor", "verdict"), [("g", "skip"), ("dx", "fail")])
def test_numbers_that_were_never_computed_are_null(tensor: str, verdict: str) -> None:
    """A skipped tensor and one that cannot be compared have no numbers and no index."""
    records = {r["tensor"]: r for r in map(parse, result_lines(run_case(SUBJECT, CASE)))}
    assert records[tensor]["verdict"] == verdict
    assert [records[tensor][name] for name in (*NUMBERS, "index")] == [None] * 8


def test_a_failure_names_its_expectation() -> None:
    """Only a failure that it excuses does: not inf, not another dtype, and not what passes."""
    report = run_case(SUBJECT, CASE, (KNOWN,))
    named = {r["tensor"]: r["expectation"] for r in map(parse, result_lines(report))}
    assert named == dict.fromkeys(CASE.tensors) | {"db1": "known"}


@pytest.mark.parametrize("number", [0.1, 1 / 3, -0.0, 5e-324, 1.7976931348623157e308, 2.0**53 + 2])
def test_any_number_survives(number: float) -> None:
    """Subnormals, the largest float and the sign of zero come back."""
    result = Result("z0", Verdict.PASS, "", (0,), got=number, ratio=0.0)
    (line,) = result_lines(CaseReport(CASE, (result,)))
    assert parse(line)["got"].hex() == number.hex()


def test_the_summary_has_the_counts_and_the_exit_status() -> None:
    """What the lines say, added up, is what the summary says."""
    summary, records = Summary(1, (KNOWN,), {"known": ["no-case g"]}), []
    for case in (CASE, replace(CASE, id="another")):
        report = run_case(SUBJECT, case, (KNOWN,))
        summary.add(report)
        records += [parse(line) for line in result_lines(report)]
    found = parse(summary_line(summary))
    verdicts = [record["verdict"] for record in records]
    assert found == {
        "kind": "summary",
        "cases": {"pass": 0, "fail": 2, "error": 0, "skip": 0},
        "tensors": {verdict: verdicts.count(verdict) for verdict in Verdict},
        "entries": sum(record["entries"] for record in records),
        "inconclusive": sum(record["inconclusive"] for record in records),
        "expected_failures": 1,
        "stale": {"known": [f"{CASE.id} dW0"]},
        "unknown": {"known": ["no-case g"]},
        "status": 1,
    }
