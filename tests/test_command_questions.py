"""``mlp-ref questions``: from the corpus into a folder, and back through a worker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from evil_programs import program
from example_records import records

from mlp_ref.checks import InputError
from mlp_ref.cli import main
from mlp_ref.corpus import Corpus, load, write
from mlp_ref.gate.cases import build_cases, case_of
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.run import run_cases
from mlp_ref.gate.transports import Child, Files, connect
from mlp_ref.subjects import Kind, Subject
from mlp_ref.subjects.messages import parse_command

pytestmark = pytest.mark.once


@pytest.fixture(scope="module", name="corpus")
def _corpus() -> Corpus:
    return load()


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def asked(folder: str = "q") -> list[tuple[str, str]]:
    """Operation and arithmetic of every question in a folder."""
    commands = map(parse_command, Path(folder, "questions.jsonl").read_bytes().splitlines())
    return [(c.question.operation, c.question.arithmetic) for c in commands if c.question]


def test_a_worker_answers_the_whole_corpus_from_files(
    corpus: Corpus, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every verdict is the one of a subject that is asked here."""
    assert main(["questions", "q"]) == 0
    out, err = capsys.readouterr()
    count = len(asked())
    total = len(corpus.records)
    told = f"q holds {count:,} questions of {total:,} cases\n"
    assert (out, err) == (f"{told}judge the answers with mlp-ref verify files:q\n", "")
    answers = Path("q/answers.jsonl")
    with Path("q/questions.jsonl").open("rb") as source, answers.open("wb") as sink:
        command = [sys.executable, "-m", "mlp_ref.subjects.worker", "numpy"]
        subprocess.run(command, stdin=source, stdout=sink, check=True)
    session = connect("files:q", corpus.sha256)
    assert isinstance(session, Files)
    cases = list(build_cases(records=corpus.records))[::5]
    here = run_cases(connect("numpy", corpus.sha256), cases)
    for one, other in zip(run_cases(session, cases), here, strict=True):
        assert repr(one.results) == repr(other.results)
        assert one.verdict == Verdict.PASS


@pytest.mark.parametrize(
    ("arguments", "operations", "arithmetics"),
    [
        (["--operation", "dense"], {"dense"}, {"float32", "float64"}),
        (["--operation", "dense", "--operation", "loss", "--arithmetic", "float64"],
         {"dense", "loss"}, {"float64"}),
        (["--only", "softmax/*/float32"], {"softmax"}, {"float32"}),
        (["--operation", "dense", "--arithmetic", "tf32"], {"dense"}, {"tf32"}),
        (["--operation", "dense", "--arithmetic", "float16"], {"dense"}, {"float16"}),
    ],
)  # fmt: skip
def test_a_part_is_asked(arguments: list[str], operations: set[str], arithmetics: set[str]) -> None:
    """By operation, arithmetic and pattern."""
    assert main(["questions", "q", *arguments]) == 0
    assert {operation for operation, _ in asked()} == operations
    assert {arithmetic for _, arithmetic in asked()} == arithmetics
    halves = b'"dtype":"float16"' in Path("q/questions.jsonl").read_bytes()
    assert halves == (arithmetics == {"float16"})


def test_another_corpus_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """And is needed to judge the answers; it need not have every operation."""
    Path("few").mkdir()
    write("few", "2026.1", records())
    assert main(["questions", "q", "--vectors", "few", "--operation", "mlp"]) == 2
    assert "must hold cases of these operations" in capsys.readouterr().err
    assert main(["questions", "q", "--vectors", "few"]) == 0
    assert capsys.readouterr().out.startswith("q holds 4 questions of 4 cases\n")
    Path("q/answers.jsonl").touch()
    with pytest.raises(InputError, match="must hold questions of the corpus that judges"):
        connect("files:q", load().sha256)
    with pytest.raises(InputError, match="a line must be JSON"):
        connect("files:q", load(None, "few").sha256)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["q", "--operation", "conv"], "--operation must be one of activation, dense"),
        (["q", "--arithmetic", "float8"], "--arithmetic must be one of float64, float32, tf32"),
        (["q", "--only", "nothing*"], "--only must match the id of a case, such as activation/"),
        (["q", "--operation", "loss", "--only", "dense/*"], "such as loss/"),
        (["q", "--vectors", "nowhere"], "'nowhere' must be the folder of a corpus"),
        (["file"], "'file' must be a folder"), ([], "required: FOLDER"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_one_line(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit status 2, or 4 for a corpus that is not there; nothing is written."""
    Path("file").touch()
    assert main(["questions", *arguments]) == (4 if "--vectors" in arguments else 2)
    out, err = capsys.readouterr()
    assert out == ""
    assert text in err
    assert err.count("\n") == 1
    assert not Path("q").exists()


def test_a_folder_that_cannot_be_written_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Answers that are there stay as they are."""
    Path("q").mkdir()
    Path("q/answers.txt").write_text("mine")
    assert main(["questions", "q"]) == 2
    assert "must not hold answers; got answers.txt" in capsys.readouterr().err
    assert [path.name for path in Path("q").iterdir()] == ["answers.txt"]


# --------------------------------------------------------------------------------------- connect


def test_a_subject_is_asked_here_or_in_a_process(corpus: Corpus, tmp_path: Path) -> None:
    """By what the user types; a program is given its arguments as a shell splits them."""
    assert isinstance(connect("numpy", corpus.sha256), Subject)
    body = "describe(name=' '.join(sys.argv[1:])); say(answer(ask()))"
    line = " ".join(f"'{part}'" for part in program(tmp_path, body))
    apart = connect("numpy", corpus.sha256, apart=True)
    mine = connect(f"cmd:{line} 'a b' c", corpus.sha256, timeout=10)
    case = case_of(corpus.record("dense/shape-1-1-1/float32"))
    try:
        assert isinstance(apart, Child)
        assert apart.ask(case.question()).kind == Kind.ANSWER
        assert list(mine.versions) == ["a b c"]
        assert mine.ask(case.question()).kind == Kind.ANSWER
    finally:
        apart.close()
        mine.close()


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("cmd:", "must name a program or folder; got 'cmd:'"), ("files: ", "got 'files: '"),
        ("cmd:./a 'b", "must be followed by a command line"), ("files:nowhere", "can be read"),
        ("cmd:./no-such-program", "must be a program that can be started"),
        ("numpi", "must be one of numpy, torch"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_said(spec: str, text: str) -> None:
    """In one line."""
    with pytest.raises(InputError, match=text) as caught:
        connect(spec, 64 * "0")
    assert str(caught.value).isprintable()
