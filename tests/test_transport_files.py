"""Questions and answers in files: what is wrong with one answer is an error of its question."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from wire_lines import question, same

from mlp_ref.checks import InputError
from mlp_ref.corpus.hexwords import from_hex
from mlp_ref.gate.transports.files import Files, seq_for, write_questions
from mlp_ref.gate.transports.tokens import question_lines
from mlp_ref.subjects import Kind, Question, Reply
from mlp_ref.subjects.messages import parse_command

CORPUS, OTHER = 64 * "a", 64 * "b"
HEAD = {"protocol": 1, "name": "mine", "operations": ["dense"], "arithmetics": ["float32"]}
HEADER = "mlp_ref-answers 1\nsubject mine\noperations 1 dense\narithmetics 1 float32\n"


def asked(k: int) -> Question:
    """One of several questions."""
    return question(parameters={"k": k})


SEQS = [seq_for(asked(k), CORPUS) for k in range(4)]


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    assert write_questions(tmp_path / "f", map(asked, range(4)), CORPUS, "2026.1") == 4
    return tmp_path / "f"


def line(k: int, **change: object) -> str:
    """The answer to a question, in JSON: one number, which tells which."""
    tensor = {"shape": [1], "dtype": "float32", "values": [k]}
    return json.dumps({"seq": SEQS[k], "outputs": {"z": tensor}} | change)


def block(k: int, seq: str | None = None) -> str:
    """The answer to a question, in tokens."""
    word = np.array(float(k)).view(np.uint64)
    return f"answer {seq or SEQS[k]}\noutput z float32 1 1\n{word:016x}\nend"


def read(folder: Path, text: str, name: str = "answers.jsonl") -> list[Reply]:
    """What the four questions are answered, after the header."""
    head = json.dumps(HEAD) + "\n" if name.endswith("jsonl") else HEADER
    (folder / name).write_text(head + text, "utf-8")
    session = Files(folder, "files:f", CORPUS)
    assert (session.name, session.operations, session.arithmetics) == (
        "files:f", ("dense",), ("float32",),
    )  # fmt: skip
    assert session.versions == {"mine": "unknown version"}
    assert session.excuse("sum", ()) != ""
    replies = [session.ask(asked(k)) for k in range(4)]
    session.close()
    return replies


def is_right(reply: Reply, k: int) -> bool:
    """Whether it is `line` or `block` of k."""
    return reply.kind == Kind.ANSWER and same(reply.tensors["z"], np.array([k], np.float32))


# -------------------------------------------------------------------------------------- questions


def test_a_folder_holds_the_questions_twice_and_equal(folder: Path) -> None:
    """As messages from start to stop, and as tokens with a count; neither names a case."""
    lines = (folder / "questions.jsonl").read_bytes().splitlines()
    commands = [parse_command(text) for text in lines]
    assert [command.cmd for command in commands] == ["start", *4 * ["run"], "stop"]
    assert [command.seq for command in commands[1:-1]] == SEQS
    text = (folder / "questions.txt").read_text("ascii")
    assert text.startswith("mlp_ref-questions 1 4\n")
    rest = [line for k in range(4) for line in question_lines(SEQS[k], asked(k))]
    assert text.splitlines()[1:] == rest


def test_the_tokens_hold_every_number() -> None:
    """Each word has 16 digits and is the float64 of the same value; labels are themselves."""
    x = np.array([[0.1, -0.0], [np.nan, -np.inf]])
    inputs = {"x": x.astype(np.float32), "h": x.astype(np.float16), "d": x, "s": np.array(0.5),
              "target": np.array([2, -1])}  # fmt: skip
    parameters = {"loss": "cross_entropy", "sizes": [3, 2], "lr": 0.1, "nesterov": True}
    made = list(question_lines(SEQS[0], Question("loss", "float32", parameters, inputs)))
    assert made[:5] == [
        f"question {SEQS[0]} loss float32", "parameter loss 1 cross_entropy",
        "parameter sizes 2 3 2", "parameter lr 1 0.1", "parameter nesterov 1 true",
    ]  # fmt: skip
    assert made[-1] == "end"
    tokens = iter(" ".join(made[5:-1]).split())
    for name, array in inputs.items():
        head = [next(tokens) for _ in range(4 + array.ndim)]
        assert head == ["input", name, array.dtype.name, str(array.ndim), *map(str, array.shape)]
        words = "".join(next(tokens) for _ in range(array.size))
        dtype = "int64" if name == "target" else "float64"
        assert same(from_hex(words, dtype), array.astype(dtype).reshape(-1))
    assert next(tokens, None) is None


def test_equal_questions_are_asked_once_and_equal_bytes_come_again(tmp_path: Path) -> None:
    """seq is a digest of all that is asked, and of the corpus."""
    for name in "ab":
        assert write_questions(tmp_path / name, map(asked, (0, 1, 0)), CORPUS, "2026.1") == 2
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["questions.json", "questions.jsonl", "questions.txt"]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    other = question(inputs=question().inputs | {"b": np.array([-0.0], np.float32)})
    changed = [
        seq_for(asked(0), OTHER), seq_for(asked(1), CORPUS), seq_for(other, CORPUS),
        seq_for(question(arithmetic="tf32"), CORPUS), seq_for(asked(0), CORPUS),
    ]  # fmt: skip
    assert len({*changed, seq_for(question(), CORPUS)}) == 6


@pytest.mark.parametrize("name", ["answers.jsonl", "answers.txt"])
def test_questions_are_not_written_beside_answers(folder: Path, name: str) -> None:
    """They would be taken for answers to these."""
    (folder / name).touch()
    with pytest.raises(InputError, match=f"must not hold answers; got {name}"):
        write_questions(folder, [asked(1)], CORPUS, "2026.1")


@pytest.mark.parametrize("place", ["file", "file/below", "a\0b"])
def test_a_folder_that_cannot_be_is_refused(tmp_path: Path, place: str) -> None:
    """In one line."""
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="must be a folder"):
        write_questions(tmp_path / place, [asked(1)], CORPUS, "2026.1")


# ---------------------------------------------------------------------------------------- answers

Write = Callable[[int], str]


@pytest.mark.parametrize(("name", "write"), [("answers.jsonl", line), ("answers.txt", block)])
def test_answers_are_found_in_any_order(folder: Path, name: str, write: Write) -> None:
    """With or without an end of the last line; other questions were not asked."""
    for order, end in (((0, 1, 2, 3), "\n"), ((3, 1, 0, 2), "")):
        replies = read(folder, "\n".join(map(write, order)) + end, name)
        assert all(is_right(replies[k], k) for k in range(4))
    reply = Files(folder, "files:f", CORPUS).ask(asked(9))
    assert (reply.kind, reply.reason) == (Kind.SKIP, "not among the questions of the folder")


@pytest.mark.parametrize("kind", [Kind.SKIP, Kind.REJECT, Kind.ERROR])
def test_reasons_are_read(folder: Path, kind: Kind) -> None:
    """In both forms; in tokens up to the end of the line."""
    word = kind.value
    rows = [json.dumps({"seq": SEQS[0], word: "not yet"}), *map(line, (1, 2, 3))]
    for name, text in (
        ("answers.jsonl", "\n".join(rows)),
        ("answers.txt", f"{word} {SEQS[0]} not  yet\n{word} {SEQS[1]}\n{block(2)}\n{block(3)}"),
    ):
        replies = read(folder, text, name)
        assert (replies[0].kind, replies[0].reason) == (kind, "not yet")
        assert is_right(replies[2], 2)
        (folder / name).unlink()
    assert (replies[1].kind, replies[1].reason) == (kind, "no reason given")


@pytest.mark.parametrize(
    ("rows", "wrong", "text"),
    [
        ([line(0), line(1), line(2)], 3, "answers.jsonl has no answer to this question"),
        ([line(0), line(2), line(3)], 1, "answers.jsonl has no answer to this question"),
        ([line(0), line(1), line(2), line(3)[:40]], 3, "the answer in line 5: a line must be JSON"),
        ([line(0), line(1)[:-9], line(2), line(3)], 1, "the answer in line 3: a line must be JSON"),
        ([line(0), "", line(2), line(3)], 1, "the answer in line 3: a line must be JSON"),
        ([line(0), line(1), "done", line(2), line(3)], 1, "line 4: a line must be JSON; got 'done"),
        (["hello", line(0), line(1), line(2), line(3)], 0, "line 2: a line must be JSON"),
        ([line(0), line(1), line(2), line(3), "bye"], 3, "line 6: a line must be JSON"),
        ([line(0), line(1), line(2), line(1), line(3)], 1,
         "answered twice, in lines 3 and 5 of answers.jsonl"),
        ([line(0), line(1, seq=16 * "0"), line(2), line(3)], 1,
         "line 3 of answers.jsonl answers nothing that was asked"),
        ([line(0), line(1), line(2), line(3), line(3, seq=16 * "0")], 3,
         "line 6 of answers.jsonl answers nothing"),
        ([line(0), line(1, more=1), line(2), line(3)], 1, "line 3: a reply must have no other"),
        ([line(0), line(1, outputs={"z": 1}), line(2), line(3)], 1, "output z must be a JSON obj"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_an_error_of_one_question(
    folder: Path, rows: list[str], wrong: int, text: str
) -> None:
    """The one that it should have answered, or the one before it; the others count."""
    replies = read(folder, "\n".join(rows))
    assert [k for k in range(4) if not is_right(replies[k], k)] == [wrong]
    assert replies[wrong].kind == Kind.ERROR
    assert text in replies[wrong].reason


def word(text: str) -> str:
    """The answer to question 1 with another word."""
    return block(1).replace("3ff0000000000000", text)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ("", "answers.txt has no answer to this question"),
        (block(1).removesuffix("end"), "line 9: an answer must end with end; got the end of the"),
        (block(1) + " end", "nothing may follow end; got 'end'"),
        (block(1) + "\n3ff0000000000000", "nothing may follow end"),
        (word("3ff000000000000"), "must have 1 words of 16 digits; got '3ff000000000000'"),
        (word("3FF0000000000000"), "the character 'F'"), (word(""), "16 digits; got 'end'"),
        (word("3fb999999999999a"), "output z: every number must be one of float32; got 0.1"),
        (block(1).replace("1 1", "1 2"), "must have 2 words of 16 digits; got 'end'"),
        (block(1).replace("1 1", "9 1 1 1 1 1 1 1 1 1"), "a list of at most 8 sizes"),
        (block(1).replace("1 1", "1 16777216"), "less than 16777216"),
        (block(1).replace("1 1", "1 -1"), "must be counts; got '-1'"),
        (block(1).replace("float32", "bfloat16"), "the dtype of output z must be float64"),
        (block(1).replace(" z ", " z/0 "), "a name such as dW0; got 'z/0'"),
        (block(1).replace("end", block(1).split("\n", 1)[1]), "output z must be there once"),
        (block(1).replace("output", "outptu"), "an answer must hold outputs, then end"),
        (block(1, seq=16 * "0"), "line 9 of answers.txt answers nothing that was asked"),
        (f"{block(1)}\n{block(1)}", "answered twice, in lines 9 and 13"),
        (f"skip {SEQS[1]} no\nend", "skip must be one line; got 'end'"),
        ("answer", "line 9 of answers.txt answers nothing|line 9: an answer must end"),
        ("\u00e9nd", "nothing may follow end|answers.txt has no answer"),
    ],
)  # fmt: skip
def test_wrong_tokens_are_an_error_of_one_question(folder: Path, changed: str, text: str) -> None:
    """As wrong lines are; every answer begins on a line of its own, whatever was before."""
    replies = read(folder, "\n".join([block(0), changed, block(2), block(3)]), "answers.txt")
    wrong = [k for k in range(4) if not is_right(replies[k], k)]
    assert wrong in ([1], [0, 1])  # what is no answer at all spoils the one before it
    assert replies[wrong[-1]].kind == Kind.ERROR
    assert re.search(text, " ".join(replies[k].reason for k in wrong))


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("answers.jsonl", "", "a line must be JSON"),
        ("answers.jsonl", "{}", "a description must have the key"),
        ("answers.jsonl", line(0), "a description must have the key"),
        ("answers.jsonl", json.dumps({"protocol": 1, "error": "no GPU"}), "no GPU"),
        ("answers.jsonl", json.dumps(HEAD) + 200 * "\n{}", "too many that do not"),
        ("answers.txt", "", "must begin with mlp_ref-answers 1; got an empty file"),
        ("answers.txt", block(0), "got an empty file"),
        ("answers.txt", HEADER.replace("s 1\n", "s 2\n", 1), "got 'mlp_ref-answers 2'"),
        ("answers.txt", "mlp_ref-answers 1\nsubject a", "must have the entry operations"),
        ("answers.txt", HEADER + "operations 1 mlp", "each of its entries once; got 'operations'"),
        ("answers.txt", HEADER + "speed 1 fast", "got 'speed'"),
        ("answers.txt", HEADER + "checks 2 sum", "followed by a count"),
        ("answers.txt", HEADER + "checks", "followed by a count"),
        ("answers.txt", HEADER + "versions 1 mine", "followed by a count"),
        ("answers.txt", HEADER + "checks 1 everything", "the checks of files:f must be among"),
    ],
)
def test_answers_that_do_not_say_whose_they_are_are_refused(
    folder: Path, name: str, text: str, why: str
) -> None:
    """The file is named."""
    (folder / name).write_text(text, "utf-8")
    with pytest.raises(InputError, match=why) as caught:
        Files(folder, "files:f", CORPUS)
    assert name in str(caught.value)


def test_a_header_in_tokens_may_declare_everything(folder: Path) -> None:
    """Checks, conventions and versions, if there are any."""
    more = "checks 2 shape sum\nconventions 0\nversions 2 mine 1.2 blas 3\n"
    (folder / "answers.txt").write_text(HEADER + more, "utf-8")
    session = Files(folder, "files:f", CORPUS)
    assert (session.checks, session.conventions) == (("shape", "sum"), ())
    assert session.versions == {"mine": "1.2", "blas": "3"}


def test_a_folder_is_judged_by_its_own_corpus_alone(folder: Path) -> None:
    """And must be as it was written, with one file of answers."""
    with pytest.raises(InputError, match=r"answers\.jsonl or answers\.txt; got neither"):
        Files(folder, "files:f", CORPUS)
    (folder / "answers.jsonl").write_text(json.dumps(HEAD), "utf-8")
    with pytest.raises(InputError, match=r"bbbb\.\.\.; got another, 2026.1 aaaa"):
        Files(folder, "files:f", OTHER)
    shutil.copy(folder / "answers.jsonl", folder / "answers.txt")
    with pytest.raises(InputError, match="got both"):
        Files(folder, "files:f", CORPUS)
    key = folder / "questions.json"
    for text in ("", "[]", "{}", key.read_text().replace('"format": 1', '"format": 2'),
                 key.read_text().replace(f'"{SEQS[0]}"', "7")):  # fmt: skip
        key.write_text(text)
        with pytest.raises(InputError, match=r"questions\.json.*must"):
            Files(folder, "files:f", CORPUS)
    key.unlink()
    with pytest.raises(InputError, match="must be a file that can be read"):
        Files(folder, "files:f", CORPUS)
