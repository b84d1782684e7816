"""``mlp-ref verify`` when all goes wrong: full disks, two runs at once, corpora that change."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from evil_programs import PROLOGUE, ends

from mlp_ref.cli import main
from mlp_ref.corpus import find, load

pytestmark = pytest.mark.once

SUBJECT = """
import os
import time
from pathlib import Path

from mlp_ref.subjects.numpy_subject import run as right

Path(f"started-{os.getpid()}").touch()

def run(**case):
    return right(**case)

def waits(**case):
    Path("asked").open("a").write("x")
    while Path("asked").stat().st_size > 3 and not Path("go").exists():
        time.sleep(0.01)
    return right(**case)

def hangs(**case):
    Path("asked").open("a").write("x")
    if case["activations"][0] != "identity":
        time.sleep(60)
    while Path("asked").stat().st_size < 2:
        time.sleep(0.01)
    return right(**case)

def edits(**case):
    path = Path("copy") / "mlp.json"
    path.write_bytes(path.read_bytes()[:1000])
    return right(**case)
"""
ASKED = "--only mlp/batch-7/*"
CASES = 20
OLD = "what was there before\n"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    Path("own.py").write_text(SUBJECT, encoding="utf-8")
    yield
    sys.modules.pop("own", None)


def refused(arguments: str, status: int, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which verify ends."""
    assert main(["verify", *arguments.split()]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err.removeprefix("mlp-ref: error: ")


def started() -> list[int]:
    """The processes in which the subject was loaded."""
    return [int(path.name.removeprefix("started-")) for path in Path().glob("started-*")]


def others() -> set[str]:
    """What lies in the folder beside the subject."""
    names = {path.name for path in Path().iterdir()}
    return {name for name in names - {"own.py", "__pycache__"} if not name.startswith("started-")}


# --------------------------------------------------------------------------------- the disk is full

# To write beyond the limit fails, as on a full disk, where its signal is ignored, as Python does.
LIMITED = """
import resource, sys
from mlp_ref.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
sys.exit(main(sys.argv[2:]))
"""


def limited(most: int, arguments: str) -> tuple[int, str, str]:
    """A run that can write so many bytes into a file: its status, output and errors."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(most), "verify", *arguments.split()],
        capture_output=True, check=False, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("subject", ["numpy", "py:own:run", "py:own:run --jobs 2"])
def test_a_full_disk_while_lines_are_written(
    subject: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, status 2; the older report stays, and the run can be resumed when there is room."""
    Path("out.jsonl").write_text(OLD)
    asked = f"{subject} {ASKED} --jsonl out.jsonl"
    status, out, err = limited(20_000, asked)
    assert (status, out) == (2, "")
    assert err.startswith("mlp-ref: error: 'out.jsonl' must be a file that can be written; got 'Fi")
    assert err.count("\n") == 1
    assert Path("out.jsonl").read_text() == OLD
    assert others() == {"out.jsonl", "out.jsonl.partial"}
    assert all(ends(pid) for pid in started())
    assert main(["verify", *asked.split(), "--resume"]) == 0
    resumed = Path("out.jsonl").read_text()
    assert main(["verify", *asked.split()]) == 0
    assert resumed == Path("out.jsonl").read_text()
    capsys.readouterr()


@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("option", ["junit", "html"])
def test_a_full_disk_while_a_report_is_written(option: str) -> None:
    """The older report stays, and nothing lies beside it."""
    Path("out").write_text(OLD)
    status, _, err = limited(1_000, f"{ASKED} --{option} out")
    assert status == 2
    assert err.startswith("mlp-ref: error: 'out' must be a file that can be written; got 'File too")
    assert err.count("\n") == 1
    assert Path("out").read_text() == OLD
    assert others() == {"out"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, as Linux has it")
@pytest.mark.parametrize("option", ["jsonl", "junit", "html", "markdown"])
def test_a_full_device(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that names it, and status 2."""
    text = refused(f"{ASKED} --{option} /dev/full", 2, capsys)
    assert text.startswith("'/dev/full' must be a file that can be written; got 'No space left on")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, as Linux has it")
def test_a_full_device_ends_sessions_that_compute(capsys: pytest.CaptureFixture[str]) -> None:
    """While two processes are asked, and one will not answer, the run ends at once."""
    begin = time.monotonic()
    refused(f"py:own:hangs {ASKED} --jobs 2 --jsonl /dev/full", 2, capsys)
    assert time.monotonic() - begin < 20
    assert Path("asked").stat().st_size > 1
    assert not [t for t in threading.enumerate() if t.name.startswith("ThreadPool")]
    assert all(ends(pid) for pid in started())


# --------------------------------------------------------------------------------- two runs at once


def test_two_runs_into_one_file(capsys: pytest.CaptureFixture[str]) -> None:
    """The later one takes the file, whole; the earlier one says so when it ends, with status 2."""
    asked = ["verify", "py:own:waits", *ASKED.split(), "--jsonl", "out.jsonl"]
    partial = Path("out.jsonl.partial")
    with subprocess.Popen(
        [sys.executable, "-m", "mlp_ref", *asked], stderr=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    ) as first:  # fmt: skip
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (
            not Path("asked").exists() or Path("asked").stat().st_size < 4
        ):
            time.sleep(0.01)
        assert json.loads(partial.read_text().splitlines()[0])["subject"] == "py:own:waits"
        second = ["verify", "numpy", *ASKED.split(), "--jsonl", "out.jsonl"]
        assert main(second) == 0
        capsys.readouterr()
        whole = Path("out.jsonl").read_bytes()
        assert not partial.exists()
        Path("go").touch()
        out, err = first.communicate(timeout=60)
    assert (first.returncode, out) == (2, "")
    assert err == (
        "mlp-ref: error: 'out.jsonl' must be written by one process at a time; got another one; "
        "run again, and let each write a file of its own\n"
    )
    assert Path("out.jsonl").read_bytes() == whole
    lines = [json.loads(line) for line in whole.splitlines()]
    assert (lines[0]["subject"], lines[-1]["cases"]["pass"]) == ("numpy", CASES)
    Path("out.jsonl").unlink()
    main(second)
    assert Path("out.jsonl").read_bytes() == whole


def test_two_runs_into_two_files(capsys: pytest.CaptureFixture[str]) -> None:
    """In one folder, of one subject: nothing is shared."""
    asked = [sys.executable, "-m", "mlp_ref", "verify", "py:own:run", *ASKED.split(), "--jsonl"]
    runs = [subprocess.Popen([*asked, f"{k}.jsonl"], stdout=subprocess.PIPE) for k in (1, 2)]
    assert [(run.communicate(timeout=60), run.returncode)[1] for run in runs] == [0, 0]
    assert Path("1.jsonl").read_bytes() == Path("2.jsonl").read_bytes()
    assert others() == {"1.jsonl", "2.jsonl"}


# ------------------------------------------------------------------------------- the corpus changes

LIES = """
open(f"started-{os.getpid()}", "w").close()
describe()
while True:
    say(answer(ask()))
"""


@pytest.fixture
def copy() -> Path:
    """A copy of the corpus that may be damaged."""
    return Path(shutil.copytree(find(), "copy"))


@pytest.mark.parametrize("how", ["truncated", "edited", "missing"])
@pytest.mark.parametrize(
    "subject", ["numpy", "numpy --jobs 2", "py:own:run", "cmd:./program", "so:./library", "files:x"]
)
def test_a_damaged_corpus_asks_nobody(
    subject: str, how: str, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 4 and one line, before any process is started, whichever way it would be asked."""
    Path("program").write_text(f"#!{sys.executable}\n{PROLOGUE}{LIES}", "utf-8")
    Path("program").chmod(0o755)
    Path("x").mkdir()
    file = copy / "dense.json"
    blob = file.read_bytes()
    if how == "missing":
        file.unlink()
    else:
        cut = blob[: len(blob) // 2]
        file.write_bytes(cut if how == "truncated" else blob.replace(b"3f8", b"3f9", 1))
    assert "dense.json" in refused(f"{subject} --vectors copy --jsonl out.jsonl", 4, capsys)
    assert started() == []
    assert not Path("out.jsonl").exists()


def test_a_corpus_that_changes_while_it_judges(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was read and checked at the start judges to the end; the next run says 4."""
    asked = f"verify py:own:edits {ASKED} --vectors copy --jsonl out.jsonl"
    assert main(asked.split()) == 0
    capsys.readouterr()
    header, *results, summary = map(json.loads, Path("out.jsonl").read_text().splitlines())
    assert header["corpus_sha256"] == load(folder=find()).sha256
    assert {result["verdict"] for result in results} == {"pass"}
    assert (summary["cases"]["pass"], len(started())) == (CASES, 1)
    before = Path("out.jsonl").read_bytes()
    assert main(asked.split()) == 4
    assert "mlp.json' must have the SHA-256 digest" in capsys.readouterr().err
    assert Path("out.jsonl").read_bytes() == before
    assert len(started()) == 1
