"""The schema of reports: every line that is written is valid, and other lines are not."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from report_subjects import CORPUS, OUTCOMES, expects

from mlp_ref.gate.cases import REJECTION, build_cases
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.report_jsonl import header_line, result_lines, summary_line
from mlp_ref.gate.run import run_case
from mlp_ref.subjects import Subject, load

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "conformance/schema/report.schema.json").read_text("utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)


def written(name: str) -> Iterator[str]:
    """The lines of a run."""
    done = OUTCOMES[name]
    yield header_line(done.subject, CORPUS, ("float64",), len(done.reports), total=20)
    for report in done.reports:
        yield from result_lines(report)
    yield summary_line(done.summary)


def refusals() -> Iterator[str]:
    """The lines of wrong inputs that are refused, answered as expected or not, and not asked."""
    cases = [case for case in build_cases(operations=["dense"]) if case.rejects]
    known = expects({cases[0].id: {REJECTION: inf}})
    answers = Subject("mine", lambda question: {}, ("dense",), ("float64",), checks=("shape",))
    for case in cases:
        for subject in (load("numpy"), answers):
            yield from result_lines(run_case(subject, case, known))


LINES = [json.loads(line) for name in OUTCOMES for line in written(name)]
LINES += map(json.loads, refusals())


def first(**wanted: Any) -> dict[str, Any]:
    """The first line with these values; True asks for any value."""
    return copy.deepcopy(
        next(
            line for line in LINES
            if all(line.get(k) == v or (v is True and line.get(k)) for k, v in wanted.items())
        )
    )  # fmt: skip


def shape(line: dict[str, Any]) -> tuple[Any, ...]:
    """What tells one kind of line from another; many thousands are alike."""
    return tuple(
        (k, type(v), v if k in ("kind", "verdict", "ratio") else 0) for k, v in line.items()
    )


HEADER, SUMMARY = first(kind="header"), first(kind="summary")
PASS, ERROR, SKIP = (first(verdict=word) for word in ("pass", "error", "skip"))
FAIL = first(verdict="fail", hint=True, ratio=True)
REFUSED = first(verdict="fail", index=None)
EXPECTED = first(verdict="fail", expectation="known")
REJECTED, ANSWERED = (first(tensor=REJECTION, verdict=word) for word in ("pass", "fail"))
KINDS = {"header": HEADER, "summary": SUMMARY, "pass": PASS, "error": ERROR, "skip": SKIP,
         "fail": FAIL, "refused": REFUSED, "expected": EXPECTED,
         "rejected": REJECTED, "answered": ANSWERED}  # fmt: skip


def is_valid(line: Any) -> bool:
    """Whether the schema accepts it."""
    return bool(VALIDATOR.is_valid(line))


def test_the_schema_is_a_schema() -> None:
    """Of draft 2020-12."""
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)


def test_every_line_is_valid() -> None:
    """Of all subjects, with all verdicts."""
    distinct = {shape(line): line for line in LINES}
    assert [
        error.message for line in distinct.values() for error in VALIDATOR.iter_errors(line)
    ] == []
    assert {line.get("verdict") for line in distinct.values()} == {None, *Verdict}
    assert {line["status"] for line in LINES if line["kind"] == "summary"} == {0, 1, 3, 5}


@pytest.mark.parametrize("name", KINDS)
def test_every_key_is_needed_and_no_other_is_known(name: str) -> None:
    """A key more or less, at the top and in the counts."""
    line = KINDS[name]
    assert is_valid(line)
    assert not is_valid({**line, "more": 1})
    for key in line:
        assert not is_valid({k: v for k, v in line.items() if k != key})
        assert not is_valid({**line, key: [[]]})
    for key in ("cases", "tensors") if name == "summary" else ():
        assert not is_valid({**line, key: {**line[key], "maybe": 0}})
        assert not is_valid({**line, key: {"pass": 1}})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("header", {"format": 2}), ("header", {"format": "1"}), ("header", {"corpus_sha256": "0"}),
        ("header", {"arithmetics": []}), ("header", {"arithmetics": ["float8"]}),
        ("header", {"arithmetics": ["float64", "float64"]}), ("header", {"cases": -1}),
        ("header", {"cases": 1.5}), ("header", {"total": 0}), ("header", {"shard": [1]}),
        ("header", {"shard": [0, 3]}), ("header", {"shard": "1/3"}), ("header", {"subject": ""}),
        ("header", {"versions": {"torch": None}}), ("header", {"only": ["x"]}),
        ("header", {"kind": "result"}), ("header", {"kind": "other"}), ("header", {"kind": None}),
        ("pass", {"verdict": "maybe"}), ("pass", {"verdict": "fail"}),
        ("pass", {"verdict": "skip"}),
        ("pass", {"reason": "because"}), ("pass", {"ratio": 1.5}), ("pass", {"ratio": "inf"}),
        ("pass", {"ratio": "nan"}), ("pass", {"ratio": None}), ("pass", {"ratio": -0.5}),
        ("pass", {"index": None}), ("pass", {"index": [-1]}), ("pass", {"index": [0, 0, 0]}),
        ("pass", {"index": [0.5]}), ("pass", {"failed": 1}), ("pass", {"entries": 0}),
        ("pass", {"entries": -1}), ("pass", {"got": "NaN"}), ("pass", {"got": "1.0"}),
        ("pass", {"got": None}), ("pass", {"error": -1.0}), ("pass", {"bound": "-inf"}),
        ("pass", {"digits": -1.0}), ("pass", {"hint": "look"}), ("pass", {"expectation": "known"}),
        ("pass", {"tensor": "q"}), ("pass", {"tensor": "y0"}), ("pass", {"tensor": "z01"}),
        ("pass", {"tensor": "loss0"}),
        ("pass", {"case": "mlp"}), ("pass", {"case": "mlp/a b/float64"}),
        ("pass", {"case": "mlp/x/float8"}), ("fail", {"verdict": "pass"}),
        ("fail", {"ratio": 0.5}),
        ("fail", {"reason": ""}), ("fail", {"failed": 0}), ("fail", {"hint": ""}),
        ("fail", {"expectation": "known"}), ("fail", {"bound": None}), ("refused", {"got": 1.0}),
        ("refused", {"failed": 0}), ("refused", {"verdict": "pass"}),
        ("expected", {"hint": "look"}),
        ("expected", {"expectation": ""}), ("error", {"reason": ""}), ("error", {"entries": 1}),
        ("error", {"inconclusive": 1}), ("error", {"index": []}), ("skip", {"reason": ""}),
        ("skip", {"failed": 1}), ("skip", {"verdict": "pass"}), ("skip", {"hint": "look"}),
        ("rejected", {"index": []}), ("rejected", {"ratio": 0.5}), ("rejected", {"entries": 2}),
        ("rejected", {"failed": 1}), ("rejected", {"tensor": "z"}), ("rejected", {"hint": "look"}),
        ("rejected", {"reason": "because"}), ("answered", {"failed": 0}),
        ("answered", {"verdict": "pass"}), ("answered", {"got": 1.0}), ("answered", {"reason": ""}),
        ("header", {"operations": []}), ("header", {"operations": ["mpl"]}),
        ("summary", {"status": 2}), ("summary", {"status": "0"}), ("summary", {"entries": -1}),
        ("summary", {"stale": {"known": []}}), ("summary", {"unknown": {"known": ["x"]}}),
        ("summary", {"expected_failures": None}), ("summary", {"kind": "header"}),
    ],
)  # fmt: skip
def test_other_lines_are_refused(name: str, change: dict[str, Any]) -> None:
    """Wrong types, ranges and words, and values that contradict each other."""
    assert not is_valid({**KINDS[name], **change})


@pytest.mark.parametrize("line", [None, [], "header", 1, {}, {"case": "x"}])
def test_what_is_no_record_is_refused(line: Any) -> None:
    """A line is an object with a kind."""
    assert not is_valid(line)
