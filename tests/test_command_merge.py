"""``mlp-ref merge``: the shards of a run make up the report of one run, or are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from report_files import CASES, FIRST, SUBJECT, written

from mlp_ref.cli import main
from mlp_ref.subjects import Subject, network_subject
from mlp_ref.subjects.numpy_subject import run as right


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def shards(n: int, subject: Subject = SUBJECT) -> list[str]:
    """The names of the n reports of shards that were written."""
    names = [f"{k}.jsonl" for k in range(1, n + 1)]
    for k, name in enumerate(names, 1):
        Path(name).write_text(written((k, n), subject))
    return names


def merge(
    names: list[str], status: int, capsys: pytest.CaptureFixture[str], *options: str, text: str = ""
) -> str:
    """What merge prints; its exit status and standard error are as stated."""
    assert main(["merge", *names, "-o", "all.jsonl", *options]) == status
    out, err = capsys.readouterr()
    assert err.startswith(f"mlp-ref: error: {text}" if text else "")
    assert err.count("\n") == bool(text)
    return out


def change(name: str, line: int, **values: Any) -> None:
    """Change the record of one line of a report."""
    records = [json.loads(text) for text in Path(name).read_text().splitlines()]
    records[line] |= values
    Path(name).write_text("".join(f"{json.dumps(record)}\n" for record in records))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_the_merged_report_is_that_of_one_run(n: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Byte by byte, in whichever order they are given, with more shards than cases as well."""
    names = shards(n)
    out = merge([*names[1:], names[0]], 1, capsys)
    assert Path("all.jsonl").read_text() == written()
    assert out.splitlines() == [
        f"all.jsonl holds {n} shard{'s' * (n > 1)}",
        "FAIL  mine 1.2 does not conform (0 cases and 1 tensor failed as expected)",
        "  4 cases: pass 3   fail 1   error 0   skip 0",
        *[line for line in out.splitlines() if " tensors: pass " in line],
    ]
    assert len(out.splitlines()) == 4


@pytest.mark.parametrize("n", [2, 5])
def test_the_shards_that_verify_writes(n: int, capsys: pytest.CaptureFixture[str]) -> None:
    """`verify --shard K/N` of the real corpus, merged, is `verify`."""
    chosen = ["verify", "--only", "mlp/batch-7/*"]
    assert main([*chosen, "--jsonl", "whole.jsonl"]) == 0
    names = [f"{k}.jsonl" for k in range(1, n + 1)]
    for k, name in enumerate(names, 1):
        assert main([*chosen, "--shard", f"{k}/{n}", "--jsonl", name]) == 0
    capsys.readouterr()
    out = merge(names, 0, capsys, "--require", "20")
    assert out.splitlines()[1].startswith("PASS  numpy ")
    assert Path("all.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


def test_the_status_is_that_of_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """Required cases are counted over all shards: 3 if they are too few, though none failed."""
    names = shards(2, network_subject("mine", right, ("float32", "float64"), {}))
    for name in names:  # what an expectation says of another subject is no concern here
        change(name, -1, stale={}, unknown={}, status=0)
    assert "PASS  mine conforms" in merge(names, 0, capsys, "--require", "4")
    assert json.loads(Path("all.jsonl").read_text().splitlines()[-1])["status"] == 0
    out = merge(names, 3, capsys, "--require", "5")
    assert "TOO FEW  mine was judged on fewer cases than 5" in out
    assert json.loads(Path("all.jsonl").read_text().splitlines()[-1])["status"] == 3


def test_what_is_stale_is_stale_in_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """5, with the tensors in the order of the cases."""
    names = shards(3, network_subject("mine", right, ("float32", "float64"), {}))
    assert "STALE  mine conforms, but" in merge(names, 5, capsys)
    summary = json.loads(Path("all.jsonl").read_text().splitlines()[-1])
    assert summary["stale"]["known"] == [f"{FIRST} db0", f"{CASES[2].id} dx"]
    assert summary["unknown"] == {"known": ["no-case g"]}


def test_machines_may_differ(capsys: pytest.CaptureFixture[str]) -> None:
    """The header names all of them, each once."""
    names = shards(3)
    change(names[1], 0, machine="another")
    merge(names, 1, capsys)
    header, first = (
        json.loads(Path(name).read_text().splitlines()[0]) for name in ("all.jsonl", names[0])
    )
    assert header["machine"] == f"{first['machine']}, another"
    assert header["python"] == first["python"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([1, 2], "all 3 shards must be given; got none for 3/3; add their reports"),
        ([3], "all 3 shards must be given; got none for 1/3, 2/3; add their reports"),
        ([1, 2, 3, 2], "shard 2/3 must be given once; got '2.jsonl' and '2.jsonl'; leave one"),
    ],
)
def test_a_missing_or_repeated_shard_is_refused(
    given: list[int], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, one line, and nothing is written."""
    shards(3)
    assert merge([f"{k}.jsonl" for k in given], 2, capsys, text=text) == ""
    assert not Path("all.jsonl").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("subject", "other"), ("versions", {"mine": "1.3"}), ("corpus", "2027.1"),
        ("corpus_sha256", "f" * 64), ("arithmetics", ["float64", "float32"]), ("mlp_ref", "9"),
        ("only", "*"), ("shard", [2, 4]), ("key_of_a_later_version", 1),
    ],
)  # fmt: skip
def test_shards_of_other_runs_are_refused(
    key: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """Subject, versions, corpus, arithmetics, pattern and number of shards must agree."""
    names = shards(3)
    change(names[1], 0, **{key: value})
    named = "number of shards" if key == "shard" else key
    text = f"'2.jsonl' must have the same {named} as '1.jsonl'; got "
    merge(names, 2, capsys, text=text)
    assert not Path("all.jsonl").exists()


def test_a_missing_or_repeated_case_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A shard that lacks a case, and a case that stands in two shards."""
    names = shards(2)
    whole = Path(names[0]).read_text()
    lines = [line for line in whole.splitlines(keepends=True) if f'"{FIRST}"' not in line]
    Path(names[0]).write_text("".join(lines))
    merge(names, 2, capsys, text=f"'1.jsonl' line {len(lines)} must stand below the 2 cases of the")
    Path(names[0]).write_text(whole)
    again = whole.replace('"shard": [1, 2]', '"shard": [2, 2]')
    Path(names[1]).write_text(again)
    text = f"'2.jsonl' must have no case of another shard; got {FIRST}, as in '1.jsonl'; run both"
    merge(names, 2, capsys, text=text)
    assert not Path("all.jsonl").exists()


def test_a_shard_that_was_cut_short_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Without its summary a shard proves nothing."""
    names = shards(2)
    lines = Path(names[1]).read_text().splitlines(keepends=True)
    Path(names[1]).write_text("".join(lines[:-1]))
    text = "'2.jsonl' must end with its summary; got a run that was cut short after 2 cases; run sh"
    merge(names, 2, capsys, text=text)


def test_the_report_of_all_cases_is_no_shard(capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused, not counted twice."""
    Path("whole.jsonl").write_text(written())
    text = "'whole.jsonl' must be the report of a shard; got one of all cases; leave it out"
    merge(["whole.jsonl", *shards(2)], 2, capsys, text=text)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("1.jsonl 2.jsonl -o 2.jsonl", "-o must not be a file that is read; got '2.jsonl'; choose"),
        ("1.jsonl 2.jsonl -o no/x", "'no/x' must be a file that can be written; got 'No such file"),
        ("1.jsonl no -o x", "'no' must be a file that can be read; got 'No such file"),
        (
            "1.jsonl 2.jsonl -o x --require 0",
            "--require must be 1 or more; got 0; a run that",
        ),
        ("1.jsonl", "the following arguments are required: -o/--output; see mlp-ref merge --help"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    arguments: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, and no shard is changed."""
    names = shards(2)
    before = [Path(name).read_bytes() for name in names]
    assert main(["merge", *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"mlp-ref: error: {text}")
    assert [Path(name).read_bytes() for name in names] == before
    assert not Path("x").exists()
