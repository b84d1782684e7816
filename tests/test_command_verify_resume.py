"""``mlp-ref verify --jsonl --resume``: what a killed run had finished is not asked again."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from resumed_runs import (
    ASKED,
    CASES,
    PARTIAL,
    REPORT,
    SUBJECT,
    calls,
    ended,
    undiagnosed,
    without_diagnosis,
)

from mlp_ref.cli import main
from mlp_ref.commands.verify_files import digest_of
from mlp_ref.gate.expectations import Expectation

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
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
    """The one line with which verify ends; the partial report stays as it is."""
    before = PARTIAL.read_bytes()
    assert main(["verify", *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert PARTIAL.read_bytes() == before
    assert not REPORT.exists()
    return err.removeprefix("mlp-ref: error: ")


@pytest.fixture
def whole(capsys: pytest.CaptureFixture[str]) -> bytes:
    """The report of an uninterrupted run, which is put away."""
    verify(ASKED, 1, capsys)
    assert calls() == CASES
    report = REPORT.read_bytes()
    REPORT.unlink()
    return report


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that ends at once")
@pytest.mark.parametrize("fatal", [1, 8, CASES])
def test_a_killed_run_goes_on(fatal: int, whole: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """What it had finished is on disk and is not asked again; the report is as if never killed."""
    assert ended(fatal, signal.SIGKILL) == (-signal.SIGKILL, "")
    assert calls() == fatal
    assert not REPORT.exists()
    left = PARTIAL.read_bytes()
    assert whole.startswith(left)
    assert len({json.loads(line).get("case") for line in left.splitlines()} - {None}) == fatal - 1
    out = verify(f"{ASKED} --resume", 1, capsys)
    assert calls() == CASES - fatal + 1
    assert undiagnosed(REPORT.read_bytes()) == undiagnosed(whole)
    assert not PARTIAL.exists()
    assert without_diagnosis(out) == without_diagnosis(verify(ASKED, 1, capsys))


@pytest.mark.slow
def test_from_any_byte_the_same_report_follows(
    whole: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever the partial report ends: between lines, within one, within the header or nowhere."""
    lines = whole.splitlines(keepends=True)
    ends = [0, 1, len(lines[0]) - 1, len(lines[0]), len(lines[0]) + 1, len(whole) - 1, len(whole)]
    ends += [sum(map(len, lines[:k])) + 10 * (k % 3) for k in range(30, len(lines), 43)]
    for end in ends:
        PARTIAL.write_bytes(whole[:end])
        verify(f"{ASKED} --resume", 1, capsys)
        assert undiagnosed(REPORT.read_bytes()) == undiagnosed(whole)
        finished = [json.loads(line) for line in whole[:end].split(b"\n")[:-1]]
        cases = {line["case"] for line in finished if line["kind"] == "result"}
        assert calls() in (CASES - len(cases), CASES - len(cases) + 1)
        REPORT.unlink()


def test_the_other_reports_are_whole(whole: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """Terminal, JUnit and Markdown tell of all cases, with hints, as of an uninterrupted run."""
    more = "--junit {0}.xml --markdown {0}.md"
    full = verify(f"{ASKED} {more.format('a')}", 1, capsys)
    PARTIAL.write_bytes(whole[: len(whole) * 2 // 3])
    resumed = verify(f"{ASKED} --resume {more.format('b')}", 1, capsys)
    assert without_diagnosis(resumed) == without_diagnosis(full)
    first, second = (without_diagnosis(Path(f"{name}.md").read_text("utf-8")) for name in "ab")
    assert first == second
    assert "took no part in the diagnosis" in resumed
    a, b = (Path(f"{name}.xml").read_text("utf-8").split() for name in "ab")
    assert [word for word in a if "time=" not in word] == [w for w in b if "time=" not in w]
    hints = [hint for line in whole.splitlines() if (hint := json.loads(line).get("hint"))]
    assert hints
    assert all(hint in " ".join(full.split()) for hint in hints)


def test_stale_expectations_come_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What passes although it is expected to fail is known without asking again."""
    failing = {"mlp/batch-7/identity/binary_cross_entropy/float64": {"loss": 1.0}}
    known = Expectation("known", ("py:own:other",), "1", "1", "because.", failing)
    monkeypatch.setattr("mlp_ref.gate.ledger.known_expectations", lambda: (known,))
    asked = ASKED.replace("own:run", "own:other")
    verify(asked, 5, capsys)
    whole = REPORT.read_bytes()
    PARTIAL.write_bytes(whole)
    verify(f"{asked} --resume", 5, capsys)
    assert REPORT.read_bytes() == whole


def test_without_a_partial_report_all_is_asked(
    whole: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that a job may say --resume always; without it, a partial report counts for nothing."""
    verify(f"{ASKED} --resume", 1, capsys)
    assert (REPORT.read_bytes(), calls()) == (whole, CASES)
    PARTIAL.write_bytes(whole)
    verify(ASKED, 1, capsys)
    assert (REPORT.read_bytes(), calls()) == (whole, CASES)
    assert not PARTIAL.exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupted_run_can_be_resumed(
    jobs: int, whole: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C leaves the partial report, the older one as it was, and no process."""
    REPORT.write_text("old")
    more = f"--jobs {jobs}"
    status, errors = ended(8, signal.SIGINT, more)
    assert (status, errors) == (130, "mlp-ref: error: interrupted\n")
    assert REPORT.read_text() == "old"
    left = PARTIAL.read_bytes()
    assert whole.startswith(left)
    finished = len({json.loads(line).get("case") for line in left.splitlines()} - {None})
    assert finished == 7 if jobs == 1 else finished < CASES
    calls()
    verify(f"{ASKED} --resume {more}", 1, capsys)
    assert calls() == CASES - finished
    assert undiagnosed(REPORT.read_bytes()) == undiagnosed(whole)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("py:own:other --only mlp/batch-7/*", "subject 'py:own:other'; got 'py:own:run'; leave"),
        ("py:own:run --only mlp/batch-1/*", "only 'mlp/batch-1/*'; got 'mlp/batch-7/*'; leave"),
        ("py:own:run --only mlp/batch-7/* --shard 1/2", "shard [1, 2]; got None; leave"),
        (
            "py:own:run --only mlp/batch-7/* --arithmetic float64",
            "arithmetics ['float64']; got ['float32', 'float64']; leave --resume out to begin anew",
        ),
    ],
)
def test_another_run_is_not_resumed(
    arguments: str, text: str, whole: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same subject, arithmetics, cases and shard, or nothing."""
    PARTIAL.write_bytes(whole[: len(whole) // 2])
    got = refused(f"{arguments} --jsonl out.jsonl --resume", capsys)
    assert got.startswith(f"'{PARTIAL.resolve()}' must be of a run with {text}")


@pytest.mark.parametrize("key", ["corpus_sha256", "numpy", "mlp_ref", "format"])
def test_a_run_of_other_versions_is_not_resumed(
    key: str, whole: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """A report speaks of one corpus and one version of everything."""
    header, rest = whole.split(b"\n", 1)
    PARTIAL.write_bytes(json.dumps({**json.loads(header), key: "x"}).encode() + b"\n" + rest)
    assert f" must be of a run with {key} " in refused(f"{ASKED} --resume", capsys)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (b'"verdict": "fail"', b'"verdict": "pass"', "must be as a run left it: the lines of mlp/"),
        (b'"kind": "header"', b'"kind" : "header"', "must begin with the header of a run; got"),
        (b'{"kind": "header"', b'["kind"; "header"', "must begin with the header of a run; got"),
        (b'{"kind": "summary"', b'{"kind": "result"}\n{"kind": "summary"', " results; got "),
        (b"float64", b"\xff\xfe", "must hold the lines of a run; got "),
    ],
)
def test_an_edited_report_is_not_resumed(
    old: bytes, new: bytes, text: str, whole: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the last line may be damaged."""
    PARTIAL.write_bytes(whole.replace(old, new, 1))
    assert text in refused(f"{ASKED} --resume", capsys)


# -------------------------------------------------------------------------- other code, same name


def test_a_subject_that_was_changed_is_not_resumed(
    whole: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was right of the code before says nothing about the code now; unchanged, it goes on."""
    header = json.loads(whole.splitlines()[0])
    assert len(header["subject_sha256"]) == 64
    PARTIAL.write_bytes(b"".join(whole.splitlines(keepends=True)[:40]))
    text = Path("own.py").read_text("utf-8")
    # Of another length, for bytecode of the same second and length is taken for that of the source.
    Path("own.py").write_text(text.replace("3 * answer", "30 * answer"), "utf-8")
    assert refused(f"{ASKED} --resume", capsys).endswith(
        "out.jsonl.partial' must be of py:own:run as it is now; got a report of other files, which "
        "were changed since; leave --resume out to begin anew\n"
    )
    Path("own.py").write_text(text, "utf-8")
    verify(f"{ASKED} --resume", 1, capsys)
    assert REPORT.read_bytes().splitlines()[:-1] == whole.splitlines()[:-1]
    assert 0 < calls() < CASES


def test_the_digest_is_that_of_the_files_that_a_subject_consists_of() -> None:
    """The module, or its package; the library; what a command names; the answers in a folder."""
    for name in ("own/__init__.py", "own/part.py", "mine.so", "mine.js", "back/answers.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(name)
    subjects = {
        "py:own.part:run": "own/part.py", "py:own:run": "own/part.py", "so:./mine.so": "mine.so",
        "cmd:./mine.js 'a b'": "mine.js", "cmd:node mine.js": "mine.js",
        "files:back": "back/answers.txt",
    }  # fmt: skip
    Path("own.py").unlink()
    for subject, name in subjects.items():
        before = digest_of(subject)
        assert before is not None
        Path(name).write_text("changed")
        assert digest_of(subject) != before
        Path(name).write_text(name)
        assert digest_of(subject) == before
    for subject in ("numpy", "torch:compile", "cmd:true", "files:nowhere"):
        assert digest_of(subject) is None
