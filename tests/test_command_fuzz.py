"""``mlp-ref fuzz``: what it prints, saves and returns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlp_ref.cli import main
from mlp_ref.corpus import load

pytestmark = pytest.mark.once

RAISING = """
from mlp_ref.operations import OPERATIONS


def run(*, weights, biases, x, target, activations, loss):
    if len(x) > 1:
        raise MemoryError("one row only")
    inputs = {"x": x, "target": target}
    for k, (W, b) in enumerate(zip(weights, biases)):
        inputs |= {f"W{k}": W, f"b{k}": b}
    return OPERATIONS["mlp"]({"activations": list(activations), "loss": loss}, inputs)
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fuzz(arguments: str, status: int, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command; what it prints."""
    assert main(["fuzz", *arguments.split()]) == status
    return capsys.readouterr().out


def test_a_right_subject_passes(capsys: pytest.CaptureFixture[str]) -> None:
    """Every operation is counted, and the last line repeats the run."""
    out = fuzz("numpy --examples 80 --seed 7", 0, capsys)
    assert "fuzzes numpy" in out
    assert "in float64 and float32: 80 examples, seed 7" in out
    assert re.search(r"^PASS  numpy: 0 failures in \d+ judged$", out, re.MULTILINE)
    assert out.endswith("repeat it: mlp-ref fuzz numpy --examples 80 --seed 7\n")
    rows = re.findall(r"^(\w+) +(\d+) +(\d+) ", out, re.MULTILINE)
    assert sum(int(drawn) for _, drawn, _ in rows) == 80
    assert len(rows) == 8


@pytest.mark.slow
def test_a_failure_is_shown_saved_judged_and_certified(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From the question to certified vectors: the fault fails by them, the reference passes."""
    command = "fault:reduction-gradient-summed --examples 40 --seed 1 --operation loss --save found"
    out = fuzz(command, 1, capsys)
    assert "FAIL: loss cross_entropy in float64" in out
    assert "found by mlp-ref fuzz: batch 2, 2" in out
    assert "repeat it: mlp-ref fuzz fault:reduction-gradient-summed --examples 40 --seed 1" in out
    text = out[out.index("import numpy as np") :].split("\n\n")[0]
    exec(compile(text, "pasted", "exec"), {})  # noqa: S102 (what a user does)
    shown = capsys.readouterr().out
    assert shown.startswith("expected ")
    assert "got " in shown

    ids = [record.id for record in load(folder="found").records]
    assert ids
    assert all(name.startswith("loss/fuzz/") for name in ids)
    assert main(["certify", "--promote", "found", "-o", "certified"]) == 0
    assert f"certified holds {len(ids)} cases" in capsys.readouterr().out
    assert [record.id for record in load(folder="certified").records] == ids
    assert all(r.provenance["agreed"] for r in load(folder="certified").records)
    for folder in ("found", "certified"):
        judge = ["--vectors", folder, "--jsonl", f"{folder}.jsonl"]
        assert main(["verify", "fault:reduction-gradient-summed", *judge]) == 1
        assert main(["verify", "numpy", *judge]) == 0

    fuzz(command, 1, capsys)  # what is there stays, and nothing stands twice
    assert [record.id for record in load(folder="found").records] == ids
    more = "fault:softmax-wrong-axis --examples 40 --seed 1 --operation softmax --save found"
    assert f"found holds {len(ids) + 1} cases" in fuzz(more, 1, capsys)


def test_an_error_of_the_subject_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """What it raised, and the smallest network that makes it: two rows."""
    Path("mine.py").write_text(RAISING)
    out = fuzz("py:mine:run --examples 30 --seed 2 --arithmetic float64", 1, capsys)
    assert "ERROR: mlp in float64" in out
    assert "MemoryError: one row only" in out
    assert "batch 2, 1-1" in out


def test_what_is_never_answered_proves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 3, as of verify."""
    Path("mine.py").write_text("def run(**case):\n    raise NotImplementedError('later')\n")
    assert "TOO FEW" in fuzz("py:mine:run --examples 20 --seed 0", 3, capsys)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("", "the following arguments are required: subject; see mlp-ref fuzz --help"),
        ("numpy --examples 0", "--examples must be 1 or more; got 0; 2000 is usual"),
        ("numpy --seed -1", "--seed must be from 0 to 4294967295; got -1; or leave it out"),
        ("numpy --timeout 0", "--timeout must be a positive number of seconds; got 0.0"),
        ("numpy --operation nope", "--operation must be one of activation, dense"),
        ("numpy --arithmetic nope", "--arithmetic must be one of float64"),
        ("numpy --arithmetic tf32", "--arithmetic must be one that numpy declares: float32"),
        ("nope", "a subject other than py:module:object"),
        ("files:x", "fuzz needs a subject that can be asked; got 'files:x'; use cmd: or py:"),
        ("numpy --save taken", "--save must name a folder; got the file 'taken'"),
        ("numpy --save other", "--save must name a folder of its own; got x.json in it"),
        ("numpy --save brought", "--save must name a folder of your own cases; got corpus 20"),
    ],
)
def test_usage_errors_take_one_line(
    arguments: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, and what to do; nothing is asked before."""
    Path("taken").touch()
    Path("other").mkdir()
    Path("other/x.json").write_text("{}")
    if "brought" in arguments:
        Path("brought").symlink_to(load().folder)
    assert main(["fuzz", *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"mlp-ref: error: {text}")
    assert err.count("\n") == 1


def test_hypothesis_is_named_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It comes with the extra gate."""
    monkeypatch.setitem(__import__("sys").modules, "hypothesis", None)
    assert main(["fuzz", "numpy"]) == 2
    assert "pip install 'mlp-ref[gate]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("-o out", "MODEL must be given, or --promote; got neither"),
        ("x.safetensors -o out", "--batch must be given, or --promote; got neither"),
        ("--promote d x.safetensors -o out", "--promote must stand without what describes"),
        ("--promote none -o out", "'none' must be the folder of a corpus"),
    ],
)
def test_promote_takes_vectors_and_nothing_else(
    arguments: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for each of the ways to call it that mean nothing."""
    assert main(["certify", *arguments.split()]) in (2, 4)
    err = capsys.readouterr().err
    assert text in err
    assert err.count("\n") == 1
