"""JSON lines: strict JSON, every tensor once, every number to the last bit."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import NETWORKS

import mlp_ref
from mlp_ref.checks import InputError
from mlp_ref.corpus import Corpus
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.judge import Result, Verdict
from mlp_ref.gate.report_jsonl import header_line, read_results, result_lines, summary_line
from mlp_ref.gate.run import CaseReport, Summary, run_case
from mlp_ref.subjects import network_subject
from mlp_ref.subjects.numpy_subject import run as right

CASE = next(case for case in NETWORKS if case.id.startswith("mlp/batch-7/gelu/"))
NUMBERS = ("got", "expected", "error", "bound", "ratio", "ulp", "digits")


def run(**question: Any) -> Any:
    """No g, a loss that is NaN, dx in another dtype, infinities in db0, twice db1."""
    answer = dict(right(**question))
    del answer["g"]
    answer["db0"] = np.full_like(answer["db0"], -inf)
    answer["db1"] = 2 * answer["db1"]
    return answer | {"loss": answer["loss"] * nan, "dx": answer["dx"].astype("f2")}


CORPUS = Corpus("2026.1", "0123456789abcdef" * 4, (), Path())
SUBJECT = network_subject("mine", run, ("float32",), {"mine": "1.2"})
FAILING = {CASE.id: {"db1": 9.0, "db0": 9.0, "dx": 9.0, "dW0": 9.0}}
KNOWN = Expectation("known", ("mine",), "1.2", "measured", "because", FAILING)


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


def test_the_header_says_which_part_was_judged() -> None:
    """Pattern and shard, and the cases of all shards; without them, all cases."""
    line = header_line(SUBJECT, CORPUS, ("float32",), 6, only="*x*", shard=(2, 3), total=17)
    held = parse(line)
    assert [held[key] for key in ("only", "shard", "cases", "total")] == ["*x*", [2, 3], 6, 17]
    whole = parse(header_line(SUBJECT, CORPUS, ("float32",), 17))
    assert [whole[key] for key in ("only", "shard", "cases", "total")] == [None, None, 17, 17]


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
        "diagnoses": [],
        "status": 1,
    }


def test_the_hint_stands_with_the_origin() -> None:
    """With the first tensor that fails unexpectedly, and nowhere else."""
    report = run_case(SUBJECT, CASE, (KNOWN,))
    hints = {r["tensor"]: r["hint"] for r in map(parse, result_lines(report)) if r["hint"]}
    assert hints == {report.unexpected[0].tensor: report.hint}


# ------------------------------------------------------------------------------------ reading back

OTHER = replace(CASE, id="mlp/other/float64")
REPORTS = [run_case(SUBJECT, case, (KNOWN,)) for case in (CASE, OTHER)]
LINES = [line for report in REPORTS for line in result_lines(report)]


def test_reports_read_back() -> None:
    """Every result, expectation and hint, so that counting them gives the same summary."""
    found = list(read_results(LINES, (CASE, OTHER), (KNOWN,)))
    for report, read in zip(REPORTS, found, strict=True):
        assert list(map(repr, read.results)) == list(map(repr, report.results))  # NaN is NaN
        assert (read.case, read.hint) == (report.case, report.hint)
        assert read.expectations == report.expectations
    counted = Summary(1, (KNOWN,)), Summary(1, (KNOWN,))
    for summary, reports in zip(counted, (REPORTS, found), strict=True):
        for report in reports:
            summary.add(replace(report, seconds=0.0))
    assert counted[0] == counted[1]
    assert counted[0].stale == {"known": [f"{CASE.id} dW0"]}


@pytest.mark.parametrize("kept", [0, 1, len(CASE.tensors) - 1, len(CASE.tensors)])
def test_a_case_that_is_not_complete_is_passed_over(kept: int) -> None:
    """However many of its lines are there."""
    for whole in (0, 1):
        lines = LINES[: whole * len(CASE.tensors) + kept]
        found = list(read_results(lines, (CASE, OTHER), (KNOWN,)))
        assert len(found) == whole + (kept == len(CASE.tensors))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"tensor": "z0"', '"tensor": "z1"'), ('"case": "mlp/', '"case": "mlq/'),
        ('"verdict": "pass"', '"verdict": "fine"'), ('"verdict": "pass"', '"verdict": null'),
        ('"reason": ""', '"reason": null'), ('"reason": ""', '"reason": 1'),
        ('"failed": 0', '"failed": "0"'), ('"failed": 0', '"failed": 0.0'),
        ('"failed": 0', '"failed": true'), ('"failed": 0', '"failed": 1e999'),
        ('"failed": 0', '"failed": []'), ('"failed": 0, ', ""),
        ('"failed": 0', '"failed": 0, "failed": 0'), ('"failed": 0', '"failed": 0, "more": 1'),
        ('"index": [', '"index": [1.5, '), ('"index": [', '"index": 3, "x": ['),
        ('"got": ', '"got": "x", "y": '), ('"got": ', '"got": null, "y": '),
        ('"hint": null', '"hint": "look there"'), ('"expectation": null', '"expectation": "known"'),
        ('"expectation": null', '"expectation": "nobody"'), ('{"kind"', '[{"kind"'),
        ('{"kind": ', '{ "kind": '), ("}\n", "}\n\n"), ("}\n", "\n"), ("}\n", "}"),
    ],
)  # fmt: skip
def test_a_line_that_nobody_wrote_is_refused(old: str, new: str) -> None:
    """Another type, value, key, order or blank: what is read is exactly what was written."""
    assert old in LINES[0]
    lines = [LINES[0].replace(old, new, 1), *LINES[1:]]
    with pytest.raises(InputError, match=f"the lines of {CASE.id} must be those of its tensors"):
        list(read_results(lines, (CASE, OTHER), (KNOWN,)))


@pytest.mark.parametrize(
    "line", ["", "\n", "null\n", "[]\n", "1\n", "{}\n", "[" * 10**5, "9" * 5000]
)
def test_what_is_no_line_is_refused(line: str) -> None:
    """No traceback, whatever it is; lines of another case or in another order are none either."""
    for lines in ([line, *LINES[1:]], [LINES[1], LINES[0], *LINES[2:]]):
        with pytest.raises(InputError):
            list(read_results(lines, (CASE,), (KNOWN,)))
    with pytest.raises(InputError, match="the lines of mlp/other/float64 must be"):
        list(read_results(LINES, (OTHER,), (KNOWN,)))
