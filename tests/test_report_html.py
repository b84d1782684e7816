"""The HTML report: right words, counts and values; a sound page; the same bytes again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from report_pages import Reader, page, page_about, require_sound, saved
from report_subjects import (
    CASE,
    CASES,
    CORPUS,
    OUTCOMES,
    doubled,
    judged,
)

import mlp_ref
from mlp_ref.checks import InputError
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.report_html import render
from mlp_ref.gate.report_view import ABSENT, STATES
from mlp_ref.gate.results import Report, read_report
from mlp_ref.subjects.numpy_subject import run as right

pytestmark = pytest.mark.once

ROW = "Where every tensor stands"


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_page_is_sound(name: str) -> None:
    """Tags are balanced, ids unique, references lead somewhere, tables and pictures have names."""
    require_sound(page_about(name))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("right", "mine 1.2 PASS Conforms: 20 of 20 cases pass."),
        ("mixed", "mine 1.2 FAIL Does not conform: 10 of 20 cases pass, 6 fail, 2 end in an error"),
        ("skips", "mine 1.2 TOO FEW Was judged on fewer cases than required: 0 of 20 cases pass"),
        ("expected", "mine 1.2 PASS Conforms: 0 of 1 case pass, 1 fail as expected."),
        ("stale", "mine 1.2 STALE Conforms, but an expected failure is none: 1 of 1 case pass."),
        ("nothing", "mine 1.2 TOO FEW Was judged on fewer cases than required: 0 of 0 cases pass."),
    ],
)
def test_the_verdict_in_a_word_and_a_sentence(name: str, words: str) -> None:
    """With its denominator; what is no pass is counted."""
    assert words in Reader(page_about(name)).text


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_count_has_its_denominator(name: str) -> None:
    """Cases and tensors by verdict, all of them, and the entries."""
    read, summary = Reader(page_about(name)), OUTCOMES[name].summary
    for row, found in zip(read.table("counts")[1:], (summary.cases, summary.tensors), strict=True):
        assert row[1:] == [f"{n:,}" for n in (*found.values(), sum(found.values()))]
    assert f"{summary.entries:,} entries; {summary.inconclusive:,} prove nothing" in read.text


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_tensor_is_accounted_for(name: str) -> None:
    """Each stands in one column, and no column counts what has another verdict."""
    head, row = Reader(page_about(name)).table(ROW)
    counts = dict(zip(head[1:], (int(n.replace(",", "")) for n in row[1:]), strict=True))
    found = OUTCOMES[name].summary.tensors
    assert counts.pop("all") == sum(counts.values()) == sum(found.values())
    assert (counts["error"], counts["skip"]) == (found[Verdict.ERROR], found[Verdict.SKIP])
    passed = ("exact", "within the bound", "refused, rightly")
    assert sum(counts[key] for key in passed) == found[Verdict.PASS]


def test_every_case_is_a_tile_at_the_same_place(tmp_path: Path) -> None:
    """One for each case of any subject, in the map of operations and in that of families."""
    part = judged(doubled("loss"), CASES[:3], name="part")
    text = page(tmp_path, OUTCOMES["mixed"], part)
    cells = re.findall(r'<td class="cell".*?</td>', text, re.DOTALL)
    tiles = [re.findall(r'#t-(\w+)" x="(\d+)" y="(\d+)"', cell) for cell in cells]
    assert [len(found) for found in tiles] == [len(CASES)] * 4
    assert len({tuple((x, y) for _, x, y in found) for found in tiles}) == 1
    assert [state for state, _, _ in tiles[1]] == ["fail"] * 3 + [ABSENT] * (len(CASES) - 3)
    assert {state for state, _, _ in tiles[0]} <= {*STATES, ABSENT}
    assert "3 fail 17 not asked" in Reader(text).text
    assert f"<title>{CASES[0].id}: fail" in text


def test_subject_versions_corpus_and_machine_are_named(tmp_path: Path) -> None:
    """Whoever reads it knows what was judged by what, and where."""
    report = saved(OUTCOMES["right"], tmp_path / "mine.jsonl")
    text = Reader(render([report])).text
    record = report.header.record
    for words in (
        "versions mine 1.2", "Corpus 2026.1 , sha256 0123456789ab",
        f"mlp_ref {mlp_ref.__version__}", f"Python {record['python']}", "report mine.jsonl",
        f"machine {record['machine']}", "arithmetics float64, float32", "operations mlp",
    ):  # fmt: skip
        assert words in text
    shard = replace(report.header, shard=(2, 3), total=60)
    assert "shard 2/3: 20 of 60 cases" in Reader(render([replace(report, header=shard)])).text
    only = replace(report.header, record={**record, "only": "*batch*"})
    assert "cases those that match '*batch*'" in Reader(render([replace(report, header=only)])).text


def test_a_failure_is_shown_with_its_values(tmp_path: Path) -> None:
    """Entry, got, expected, digits of the first tensor, the hint above, and where to see more."""
    done = judged(doubled("a0", "loss"))
    read = Reader(page(tmp_path, done))
    rows = read.table(
        "The tensors that fail, in the order of computation: the first shows the origin"
    )
    first, hint = done.reports[0].failures[0], done.reports[0].hint
    assert rows[1] == [f"{done.reports[0].case.id} {hint}".rstrip()]
    index = f"[{', '.join(map(str, first.index))}]"
    assert rows[2][0] == f"{first.tensor}{index}"
    assert rows[2][2:4] == [repr(first.got), repr(first.expected)]
    assert rows[2][-1] == first.reason
    assert f"{len(done.reports) - 6} more failing cases" in read.text


def test_what_is_expected_stale_skipped_or_an_error_has_its_reason() -> None:
    """The id of the ledger, the names of what is stale, and each reason with its count."""
    assert "Expected failure: known 1 tensor in 1 case" in _text("expected")
    assert f"Expectation known: {CASE.id} loss passes now" in _text("stale")
    assert "Expectation known: no-case g does not exist" in _text("unknown")
    read = Reader(page_about("mixed"))
    (row,) = read.table("Cases without an answer that can be judged, by reason")[1:]
    assert row[0] == "2"
    assert row[1].startswith("RuntimeError: no such kernel (report_subjects.py, line ")
    skips = {row[2]: row[:2] for row in read.table("What was not judged, by reason")[1:]}
    assert skips == {
        "not implemented: no silu": ["22", "2"], "not returned by the subject": ["4", "2"]
    }  # fmt: skip


def _text(name: str) -> str:
    return Reader(page_about(name)).text


def test_a_run_that_was_cut_short_says_so(tmp_path: Path) -> None:
    """It is no pass, although nothing failed."""
    path = tmp_path / "mine.jsonl"
    saved(OUTCOMES["right"], path)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:23]))
    words = "mine 1.2 CUT SHORT The run ended after 2 of 20 cases: 2 of 2 cases pass."
    assert words in Reader(render([read_report(path)])).text


def test_equal_names_are_told_apart(tmp_path: Path) -> None:
    """By their files, and by a number where those have equal names too."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    files = ("a/x.jsonl", "b/x.jsonl", "a/y.jsonl")
    read = Reader(render([saved(OUTCOMES["right"], tmp_path / name) for name in files]))
    rows = read.table(ROW)[1:]
    assert [row[0] for row in rows] == [
        "mine 1.2 (x.jsonl)", "mine 1.2 (x.jsonl) (2)", "mine 1.2 (y.jsonl)"
    ]  # fmt: skip


def test_the_same_reports_give_the_same_bytes(tmp_path: Path) -> None:
    """Also in another process with another hash seed, and whatever matplotlib was told before."""
    import matplotlib as mpl

    runs = (OUTCOMES["mixed"], OUTCOMES["right"])
    text = page(tmp_path, *runs)
    with mpl.rc_context({"text.usetex": True, "font.size": 40, "lines.linewidth": 9}):
        assert page(tmp_path, *runs) == text
    program = (
        "import sys; from mlp_ref.gate.report_html import render as show\n"
        "from mlp_ref.gate.results import read_report as read\n"
        "sys.stdout.buffer.write(show([read('r0.jsonl'), read('r1.jsonl')]).encode())"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )  # fmt: skip
        assert done.stdout.decode() == text


def test_reports_about_other_corpora_are_refused(tmp_path: Path) -> None:
    """They do not say the same by the same word. Nor is there a page about nothing."""
    other = replace(CORPUS, sha256="f" * 64)
    reports = [
        saved(OUTCOMES["right"], tmp_path / "a.jsonl"),
        saved(OUTCOMES["right"], tmp_path / "b.jsonl", other),
    ]
    with pytest.raises(InputError, match=r"b.jsonl' must have the same corpus_sha256 as .*a.jsonl"):
        render(reports)
    with pytest.raises(InputError, match="there must be a report to show; got none; write one"):
        render([])


@pytest.mark.parametrize("module", ["jinja2", "matplotlib"])
def test_what_is_missing_is_named(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, with the command that installs it."""
    report: Report = saved(OUTCOMES["right"], tmp_path / "a.jsonl")
    monkeypatch.setitem(sys.modules, module, None)
    said = rf"needs jinja2 and matplotlib; got no module {module}; pip install 'mlp-ref\[gate\]'"
    with pytest.raises(InputError, match=said):
        render([report])


def test_other_arithmetics_and_refusals(tmp_path: Path) -> None:
    """An error case has no numbers; tf32 has its own pictures; who was not asked is named."""
    path = tmp_path / "a.jsonl"
    report = saved(judged(right, [CASE], name="other"), path)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    lines = [r for r in records if r["kind"] == "result"]
    gone = dict.fromkeys(
        ("got", "expected", "error", "bound", "ratio", "ulp", "digits", "index"), None
    )
    refusal = lines[0] | gone | {
        "case": "mlp/rejects/shape/float32", "tensor": "rejection", "entries": 1, "inconclusive": 0
    }  # fmt: skip
    coarse = [line | {"case": "mlp/batch-7/x/tf32"} for line in lines]
    header = records[0] | {"arithmetics": ["tf32", "float32"], "cases": 2, "total": 2}
    path.write_text("".join(f"{json.dumps(r)}\n" for r in (header, *coarse, refusal)))
    read = Reader(render([read_report(path), saved(OUTCOMES["right"], tmp_path / "b.jsonl")]))
    head, row, _ = read.table(ROW)
    assert dict(zip(head, row, strict=True))["refused, rightly"] == "1"
    assert "Not asked in tf32: mine 1.2." in read.text
    assert "refusals 1/1" in read.text
    assert report.header.subject == "other"
