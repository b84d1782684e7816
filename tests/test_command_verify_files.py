"""The files of ``mlp-ref verify``, and its shards; what the reports say is tested with them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from mlp_ref.cli import main
from mlp_ref.corpus import find, load, write

pytestmark = pytest.mark.once

SUBJECT = """
from mlp_ref.subjects.numpy_subject import run as right

def wrong(**case):
    tensors = dict(right(**case))
    tensors["db0"] = tensors["db0"] * len(case["x"])
    return tensors
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    Path("own.py").write_text(SUBJECT, encoding="utf-8")
    yield
    sys.modules.pop("own", None)


def verify(arguments: str, status: int, capsys: pytest.CaptureFixture[str]) -> str:
    """What verify prints; its exit status is as stated."""
    assert main(["verify", *arguments.split()]) == status
    out, err = capsys.readouterr()
    assert err == ""
    return out


def refused(arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which verify ends, having judged nothing and written nothing."""
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert main(["verify", *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    after = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert {path: b for path, b in after.items() if "__pycache__" not in path.parts} == {
        path: b for path, b in before.items() if "__pycache__" not in path.parts
    }
    return err.removeprefix("mlp-ref: error: ")


def records(name: str) -> list[dict[str, Any]]:
    """The lines of a report."""
    return [json.loads(line) for line in Path(name).read_text("ascii").splitlines()]


def test_junit(capsys: pytest.CaptureFixture[str]) -> None:
    """--junit writes XML with a failure per failing case, and replaces an older report."""
    Path("out.xml").write_text("old")
    verify("py:own:wrong --only mlp/batch-7/* --junit out.xml", 1, capsys)
    root = ET.parse("out.xml").getroot()
    assert (root.attrib["tests"], root.attrib["failures"]) == ("20", "20")
    verify("--only mlp/batch-7/* --junit out.xml", 0, capsys)
    assert ET.parse("out.xml").getroot().attrib["failures"] == "0"


def test_markdown_is_appended(capsys: pytest.CaptureFixture[str]) -> None:
    """--markdown adds to what earlier steps of the job wrote."""
    Path("summary.md").write_text("earlier\n")
    verify("--only mlp/batch-7/* --markdown summary.md", 0, capsys)
    verify("py:own:wrong --only mlp/batch-7/* --markdown summary.md", 1, capsys)
    text = Path("summary.md").read_text("utf-8")
    assert text.startswith("earlier\n\n## PASS: <code>numpy ")
    assert "\n\n## FAIL: <code>py:own:wrong</code> does not conform\n" in text


def test_a_new_markdown_file_begins_with_its_heading(capsys: pytest.CaptureFixture[str]) -> None:
    """There is nothing to keep apart from."""
    verify("--only mlp/batch-7/* --markdown summary.md", 0, capsys)
    assert Path("summary.md").read_text("utf-8").startswith("## PASS: <code>numpy ")


def test_one_run_writes_all_reports(capsys: pytest.CaptureFixture[str]) -> None:
    """They count the same, and leave nothing else behind."""
    out = verify(
        "py:own:wrong --only mlp/batch-7/* --jsonl o.jsonl --junit o.xml --markdown o.md", 1, capsys
    )
    assert "20 cases:   pass 0   fail 20" in out
    assert records("o.jsonl")[-1]["cases"]["fail"] == 20
    assert "| cases | 0 | 20 | 0 | 0 | 20 |" in Path("o.md").read_text("utf-8")
    found = {path.name for path in Path().iterdir()} - {"__pycache__"}
    assert found == {"own.py", "o.jsonl", "o.xml", "o.md"}


def test_a_device_is_written_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Such as a pipe to another program."""
    verify("--only mlp/batch-1/* --jsonl /dev/null --junit /dev/null", 0, capsys)
    assert Path("/dev/null").is_char_device()


# ---------------------------------------------------------------------------------------- shards


def test_shards_have_each_case_once(capsys: pytest.CaptureFixture[str]) -> None:
    """1/3, 2/3 and 3/3 differ in size by one at most, and are every third case."""
    whole = verify("--list", 0, capsys).splitlines()
    shards = [verify(f"--list --shard {k}/3", 0, capsys).splitlines() for k in (1, 2, 3)]
    assert [shard[0] for shard in shards] == whole[:3]
    assert sorted(case for shard in shards for case in shard) == sorted(whole)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1
    assert verify("--list --shard 1/1", 0, capsys).splitlines() == whole


def test_the_lines_of_the_shards_are_those_of_the_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each header says which shard of how many cases it is; no result is missing or there twice."""
    only = "py:own:wrong --only mlp/batch-7/*"
    verify(f"{only} --jsonl whole.jsonl", 1, capsys)
    found = []
    for k in (1, 2, 3):
        out = verify(f"{only} --shard {k}/3 --jsonl {k}.jsonl --junit {k}.xml", 1, capsys)
        header, *results, summary = records(f"{k}.jsonl")
        cases = 6 if k == 3 else 7
        part = f"shard {k}/3: {cases} of 20 cases; not declared by the subject: activation, "
        assert f"\n{part}" in out
        assert (header["shard"], header["cases"], header["total"]) == ([k, 3], cases, 20)
        assert summary["cases"]["fail"] == cases
        assert f'name="part" value="{part}' in Path(f"{k}.xml").read_text()
        found += results
    header, *results, _ = records("whole.jsonl")
    assert (header["shard"], header["cases"], header["total"]) == (None, 20, 20)
    in_order = sorted(map(json.dumps, results))
    assert sorted(map(json.dumps, found)) == in_order


def test_a_shard_counts_its_own_cases(capsys: pytest.CaptureFixture[str]) -> None:
    """--require is about them, and a shard without any has judged nothing."""
    assert "\nshard 1/3: 7 of 20 cases\n" in verify(
        "--only mlp/batch-7/* --shard 1/3 --require 7", 0, capsys
    )
    verify("--only mlp/batch-7/* --shard 3/3 --require 7", 3, capsys)
    verify("--only mlp/batch-7/* --shard 21/21 --jsonl empty.jsonl", 3, capsys)
    assert [record["kind"] for record in records("empty.jsonl")] == ["header", "summary"]


# ---------------------------------------------------------------------------- what is not written


@pytest.mark.parametrize("option", ["--jsonl", "--junit", "--html", "--markdown"])
def test_outputs_are_checked_before_the_work(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that does not exist, and a folder in place of a file."""
    text = refused(f"{option} no/x", capsys)
    assert text.startswith("'no/x' must be a file that can be written; got 'No such file")
    Path("folder").mkdir()
    assert refused(f"{option} folder", capsys).startswith("'folder' must be a regular file; got a ")


@pytest.mark.parametrize("option", ["--jsonl", "--junit", "--html", "--markdown"])
def test_no_input_is_replaced(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the source of the subject, nor a ledger or the corpus; also by another name."""
    text = f"{option} must not be a file that is read; got "
    Path("link").symlink_to("own.py")
    Path("known.json").write_text('{"format": 1, "entries": []}')
    for name in ("own.py", "link"):
        assert refused(f"py:own:wrong {option} {name}", capsys).startswith(text)
    assert refused(f"--expect known.json {option} known.json", capsys).startswith(text)
    Path("corpus").mkdir()
    write("corpus", "own", load("mlp").records[:2], licence="none")
    for name in ("mlp.json", "MANIFEST.json"):
        got = refused(f"--vectors corpus {option} corpus/{name}", capsys)
        assert got.startswith(text)
    assert refused(f"{option} {find()}/mlp.json", capsys).startswith(text)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("--jsonl x --junit x", "--jsonl and --junit must be two files; got 'x'; choose"),
        ("--junit ./x --markdown x", "--junit and --markdown must be two files; got './x'; "),
        ("--junit x --html x", "--junit and --html must be two files; got 'x'; choose"),
        (
            "--jsonl x --markdown x.partial",
            "--markdown and the partial --jsonl must be two files; got",
        ),
    ],
)
def test_two_reports_are_two_files(
    arguments: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One would replace the other."""
    assert refused(arguments, capsys).startswith(text)
