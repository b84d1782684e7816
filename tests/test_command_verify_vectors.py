"""``mlp-ref verify --vectors``: another corpus judges, and a damaged one judges nothing."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlp_ref.cli import main
from mlp_ref.corpus import find, load, write
from mlp_ref.corpus.records import Record
from mlp_ref.gate.cases import case_of
from mlp_ref.gate.expectations import Expectation

HEX = "0123456789abcdef"
FLIPS = 200
MLP = load("mlp")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the corpus that may be damaged."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(find(), tmp_path / "copy"))


def batch(prefix: str = "mlp/batch-7/", arithmetic: str = "") -> list[Record]:
    """The records of a family."""
    return [r for r in MLP.records if r.id.startswith(prefix) and r.id.endswith(arithmetic)]


def own(*records: Record, name: str = "own") -> str:
    """A folder with these records, and the arguments that judge by it."""
    Path(name).mkdir()
    write(name, "own", records, licence="none")
    return f"verify --vectors {name}"


AGAIN = "fetch the corpus again, or install mlp-ref"


def refused(folder: Path, capsys: pytest.CaptureFixture[str], remedy: str = AGAIN) -> str:
    """The one line with which verify ends, having judged nothing."""
    assert main(["verify", "--vectors", str(folder), "--jsonl", "out.jsonl"]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mlp-ref: error: ")
    assert err.endswith(f"; {remedy}\n")
    assert err.count("\n") == 1
    assert not Path("out.jsonl").exists()
    return err


def test_a_copy_judges_as_the_original(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Same version, same digest, same cases of every operation, same verdict."""
    assert main(["verify", "--vectors", str(copy)]) == 0
    out = capsys.readouterr().out
    assert f"\nby corpus {MLP.version}, sha256 {MLP.sha256[:12]}\n" in out
    cases = f"{len(load().records):,}"
    assert f"\n  {cases} cases:   pass {cases}   fail 0" in out


def test_any_flipped_digit_is_noticed(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """200 hex digits at random places over all files, the manifest included, one at a time."""
    rng = random.Random(4)
    files = sorted(copy.glob("*.json"))
    manifest = copy / "MANIFEST.json"
    chosen = rng.choices(files, [file.stat().st_size for file in files], k=FLIPS - 40)
    for file in (*chosen, *[manifest] * 30, *files[:10]):
        before = file.read_text("ascii")
        place = rng.randrange(len(before))
        while before[place] not in HEX:
            place = rng.randrange(len(before))
        digit = rng.choice([digit for digit in HEX if digit != before[place]])
        file.write_text(before[:place] + digit + before[place + 1 :], "ascii")
        refused(copy, capsys)
        file.write_text(before, "ascii")
    assert main(["verify", "--vectors", str(copy), "--list"]) == 0


@pytest.mark.parametrize("name", sorted(file.name for file in find().glob("*.json")))
def test_a_file_that_is_missing_cut_short_or_empty_is_noticed(
    name: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every file counts, also those of operations that nobody is asked about."""
    blob = (copy / name).read_bytes()
    (copy / name).unlink()
    refused(copy, capsys)
    for damaged in (b"", blob[: len(blob) // 2], blob[:-1], blob + b"\n", blob.replace(b"\n", b"")):
        (copy / name).write_bytes(damaged)
        refused(copy, capsys)


def test_a_file_that_is_not_listed_is_noticed(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody knows who wrote it."""
    shutil.copy(copy / "mlp.json", copy / "more.json")
    assert "a difference in more.json" in refused(copy, capsys)


def test_files_that_are_exchanged_are_noticed(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name is not a digest."""
    (copy / "softmax.json").rename(copy / "other")
    (copy / "log_softmax.json").rename(copy / "softmax.json")
    (copy / "other").rename(copy / "log_softmax.json")
    assert "must have the SHA-256 digest in the manifest" in refused(copy, capsys)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '"x"', '{"sha256": "00"}', "{" * 9999])
def test_what_is_no_manifest_is_noticed(
    text: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever stands in its place, there is one line and no traceback."""
    (copy / "MANIFEST.json").write_text(text, "ascii")
    assert "must be the manifest of a corpus" in refused(copy, capsys)


def test_a_folder_without_a_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also one that does not exist, and a file: what is there is said."""
    other = "name one that mlp-ref certify wrote, or none for the corpus that mlp-ref brings"
    folder = tmp_path / "folder"
    assert "lists; got nothing of that name; " in refused(folder, capsys, other)
    folder.mkdir()
    assert "lists; got an empty folder; " in refused(folder, capsys, other)
    (folder / "own.py").touch()
    assert "lists; got a folder with own.py; " in refused(folder, capsys, other)
    assert "lists; got a file; " in refused(folder / "own.py", capsys, other)


def test_our_own_corpus_is_checked_too(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --vectors the same holds of the corpus in the package."""
    monkeypatch.setattr("mlp_ref.corpus.folder.find", lambda: copy)
    assert main(["verify", "--only", "mlp/batch-7/*"]) == 0
    capsys.readouterr()
    blob = (copy / "dense.json").read_bytes()
    (copy / "dense.json").write_bytes(blob.replace(b"dense", b"dence", 1))
    for more in ((), ("--list",)):
        assert main(["verify", *more]) == 4
        out, err = capsys.readouterr()
        assert out == ""
        assert "dense.json' must have the SHA-256 digest in the manifest" in err


# ---------------------------------------------------------------------------- another corpus


def test_another_corpus_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its cases and no other, its name in both reports, and --only chooses among them."""
    monkeypatch.chdir(tmp_path)
    arguments = own(*batch(), *load("dense").records).split()
    assert main([*arguments, "--jsonl", "out.jsonl"]) == 0
    assert "by corpus own, sha256 " in capsys.readouterr().out
    header, *_ = map(json.loads, Path("out.jsonl").read_text("utf-8").splitlines())
    found = load(folder="own")
    assert (header["corpus"], header["corpus_sha256"]) == ("own", found.sha256)
    assert header["cases"] == len(batch()) + len(load("dense").records)
    assert main([*arguments, "--list", "--only", "*/tanh/*"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert set(listed) == {record.id for record in batch("mlp/batch-7/tanh/")}


def test_its_words_are_what_is_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another expected loss makes the reference wrong."""
    monkeypatch.chdir(tmp_path)
    (record,) = batch("mlp/batch-7/tanh/", "float64")
    loss = record.expected["loss"]
    other = replace(record, expected={**record.expected, "loss": replace(loss, hi=loss.hi + 1)})
    assert main(own(other).split()) == 1
    assert "first wrong  loss: outside the bound" in capsys.readouterr().out


@pytest.mark.parametrize("last", ["softmax", "log_softmax"])
def test_the_last_activation_may_be_softmax(
    last: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As certify writes it; the reference knows it."""
    monkeypatch.chdir(tmp_path)
    (record,) = batch("mlp/batch-7/tanh/", "float64")
    wanted = {"activations": ["tanh", last], "loss": "squared_error"}
    arrays = record.arrays()
    target = np.eye(arrays["W1"].shape[1])[np.arange(len(arrays["x"])) % 2]
    inputs = {**record.inputs, "target": target}
    asked = replace(record, parameters=wanted, inputs=inputs, expected={})
    arguments = own(replace(asked, expected=case_of(asked).expected()))
    assert main(arguments.split()) == 0


def test_our_expectations_ask_nothing_of_another_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What names a case of ours is not stale where there is none."""
    monkeypatch.chdir(tmp_path)
    failing = {"mlp/none/float32": {"loss": 1.0}}
    known = Expectation("known", ("numpy",), "numpy 1", "1", ".", failing)
    monkeypatch.setattr("mlp_ref.gate.ledger.known_expectations", lambda: (known,))
    assert main(own(*batch()).split()) == 0
    assert main(["verify", "--only", "mlp/batch-7/*"]) == 5


@pytest.mark.parametrize(
    ("operation", "more", "text"),
    [
        ("dense", "py:own:run", "'own' must hold cases of mlp; got dense; write some with mlp-ref"),
        ("none", "", "'own' must hold cases of activation, softmax, log_softmax, dense, loss, "),
        (
            "mlp",
            "--arithmetic float32",
            "--vectors must hold cases in float32; got float64; choose",
        ),
        ("mlp", "--only nope", "--only must match the id of a case, such as mlp/batch-7/identity"),
        ("mlp", "--require 0", "--require must be 1 or more; got 0; a run that judged nothing"),
    ],
)
def test_what_judges_nothing_is_refused(
    operation: str, more: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Status 2 and one line: the corpus is whole, but not about what is asked."""
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text("def run(**case):\n    return {}\n", "utf-8")
    records = batch(arithmetic="float64") if operation == "mlp" else []
    records += load(operation).records if operation == "dense" else []
    assert main(f"{own(*records)} {more}".split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"mlp-ref: error: {text}")
    assert err.count("\n") == 1
