"""The diagnosis in every report: said first where there is room, and kept by merge."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from mlp_ref.cli import main
from mlp_ref.gate.findings import Diagnosis, are_diagnoses, diagnoses_of, each_once

pytestmark = pytest.mark.once

CHOSEN = "verify fault:{} --arithmetic float64 --only {}"
FEW = "softmax/*"


def run(arguments: str, status: int, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints, on one line."""
    assert main(arguments.split()) == status
    out, err = capsys.readouterr()
    assert err == ""
    return " ".join(out.split())


def test_the_terminal_ends_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Below all failing cases, where the eye is when the run ends, above the verdict."""
    out = run(CHOSEN.format("softmax-wrong-axis", FEW), 1, capsys)
    found = out.index("DIAGNOSIS softmax-wrong-axis: The columns sum to 1, not the rows.")
    assert out.rindex("FAIL softmax/") < found < out.index("FAIL fault:softmax-wrong-axis does not")
    assert "fix Sum over axis 1, the classes." in out[found:]


def test_files_hold_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON lines in the summary; Markdown and HTML before everything else."""
    jsonl, html, markdown = (tmp_path / f"r.{end}" for end in ("jsonl", "html", "md"))
    files = f" --jsonl {jsonl} --html {html} --markdown {markdown}"
    run(CHOSEN.format("softmax-wrong-axis", FEW) + files, 1, capsys)
    (found,) = diagnoses_of(json.loads(jsonl.read_text("utf-8").splitlines()[-1])["diagnoses"])
    assert found.faults == ("softmax-wrong-axis",)
    page = html.read_text("utf-8")
    body = page[page.index("<body>") :]
    assert body.index(found.fix) < body.index('<div class="cards">')
    assert "mlp-ref verify fault:softmax-wrong-axis" in body
    text = markdown.read_text("utf-8")
    assert text.index("### Diagnosis") < text.index("### float64")
    assert "softmax-wrong-axis: The columns sum to 1" in text


def test_a_page_of_several_subjects_names_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`mlp-ref report` takes it from the JSON lines."""
    for name in ("softmax-wrong-axis", "softmax-no-shift"):
        file = tmp_path / f"{name}.jsonl"
        run(CHOSEN.format(name, FEW) + f" --jsonl {file}", 1, capsys)
    html = tmp_path / "both.html"
    run(f"report {tmp_path}/softmax-wrong-axis.jsonl {file} --html {html}", 0, capsys)
    page = html.read_text("utf-8")
    assert page.count('<section class="diagnosis"') == 2


def test_shards_keep_theirs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What two shards say alike is said once, with the larger number of cases."""
    files = [tmp_path / f"{k}.jsonl" for k in (1, 2)]
    for k, file in enumerate(files, 1):
        run(CHOSEN.format("softmax-wrong-axis", FEW) + f" --shard {k}/2 --jsonl {file}", 1, capsys)
    whole = tmp_path / "whole.jsonl"
    run(f"merge {files[0]} {files[1]} -o {whole}", 1, capsys)
    last = [json.loads(f.read_text("utf-8").splitlines()[-1]) for f in (*files, whole)]
    one, two, both = (diagnoses_of(summary["diagnoses"]) for summary in last)
    assert [d.faults for d in both] == [("softmax-wrong-axis",)]
    assert both[0].cases == max(one[0].cases, two[0].cases)


def test_what_passes_has_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the word nor an empty section."""
    html, markdown = tmp_path / "r.html", tmp_path / "r.md"
    out = run(f"verify numpy --only softmax/* --html {html} --markdown {markdown}", 0, capsys)
    assert "DIAGNOSIS" not in out
    assert '<section class="diagnosis"' not in html.read_text("utf-8")
    assert "### Diagnosis" not in markdown.read_text("utf-8")


def test_of_equal_sentences_one_stays() -> None:
    """That of the most cases; the most telling comes first."""
    one, two, three = (Diagnosis(s, "e", "f", (), n) for s, n in (("a", 1), ("a", 5), ("b", 3)))
    assert each_once([one, three, two]) == (two, three)


@pytest.mark.parametrize("change", [
    {"sentence": 1}, {"faults": "x"}, {"faults": [1]}, {"cases": -1}, {"cases": 1.5}, {"more": ""},
])  # fmt: skip
def test_other_json_is_no_diagnosis(change: dict[str, object]) -> None:
    """Every key has its type, and no other key is known."""
    right = asdict(Diagnosis("a", "b", "c", ("d",), 1)) | {"faults": ["d"]}
    assert are_diagnoses([right])
    assert not are_diagnoses([right | change])
    assert not are_diagnoses(right)


@pytest.mark.parametrize(
    ("name", "cases"),
    [("activation-relu-nan", "activation/*/relu/*"), ("softmax-nan-swallowed", "softmax/*")],
)
def test_a_number_in_place_of_nan_is_reported(
    name: str, cases: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its error is NaN, although the number is finite; the page is written all the same."""
    html = tmp_path / "r.html"
    run(f"{CHOSEN.format(name, cases)} --html {html}", 1, capsys)
    assert name in html.read_text("utf-8")
