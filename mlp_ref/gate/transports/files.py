"""Questions in a folder, for a machine without a connection, and the answers that come back.

    questions.jsonl, questions.txt    what the subject reads, in JSON and in tokens
    questions.json                    which questions they are, and of which corpus
    answers.jsonl or answers.txt      what the subject wrote

A question is known by its seq, a digest of the corpus and of all that is asked: answers are never
judged by another corpus, and say nothing about the case.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from mlp_ref.checks import InputError, fail
from mlp_ref.files import PathName, atomic_path, quote, require_file
from mlp_ref.gate.transports.tokens import blocks, header_line, header_of, question_lines, reply_of
from mlp_ref.subjects import Kind, Question, Reply, Subject
from mlp_ref.subjects.messages import (
    LONGEST,
    STOP,
    answered,
    parse_description,
    question_body,
    run_line,
    seq_of,
    start_line,
)
from mlp_ref.subjects.wire import read_json

__all__ = ["Files", "seq_for", "write_questions"]

FORMAT = 1
KEY, JSON, TEXT = "questions.json", "questions.jsonl", "questions.txt"
ANSWERS = ("answers.jsonl", "answers.txt")
_STRAYS = 100  # lines that answer nothing; more are no answers at all
_AGAIN = "write the questions again with mlp-ref questions"


class _Part(NamedTuple):
    """What a file of answers says at one place: a reply, or what is wrong there."""

    line: int
    seq: str
    reply: Reply


def seq_for(question: Question, corpus: str) -> str:
    """The seq of a question: 16 hex digits of a digest of it and of the corpus."""
    return _seq(question_body(question), corpus)


def _seq(body: dict[str, Any], corpus: str) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return sha256(f"{corpus} {text}".encode()).hexdigest()[:16]


def write_questions(
    folder: PathName, questions: Iterable[Question], corpus: str, version: str
) -> int:
    """Write questions of the corpus with that digest; equal ones once. Returns how many there are.

    The same questions give the same bytes. Raises `InputError` if the folder cannot be written or
    holds answers.
    """
    path = Path(folder)
    for name in ANSWERS:
        if (path / name).exists():
            fail(f"{quote(path)} must not hold answers", name, "name a new folder, or remove them")
    try:
        path.mkdir(parents=True, exist_ok=True)
        (path / KEY).unlink(missing_ok=True)  # a folder that is half written has none
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        fail(f"{quote(path)} must be a folder", f"{error}", "name one that can be written")
    seqs: dict[str, Question] = {}
    with atomic_path(path / JSON) as file, file.open("wb") as lines:
        lines.write(start_line())
        for question in questions:
            body = question_body(question)
            seq = _seq(body, corpus)
            if seq not in seqs:
                seqs[seq] = question
                lines.write(run_line(seq, body))
        lines.write(STOP)
    with atomic_path(path / TEXT) as file, file.open("w", newline="\n") as tokens:
        tokens.write(f"{header_line(len(seqs))}\n")
        for seq, question in seqs.items():
            tokens.writelines(f"{line}\n" for line in question_lines(seq, question))
    key = {"format": FORMAT, "corpus": version, "sha256": corpus, "questions": list(seqs)}
    with atomic_path(path / KEY) as file:
        file.write_text(json.dumps(key, indent=0) + "\n", "utf-8", newline="\n")
    return len(seqs)


class Files:
    """The answers in a folder, as a `mlp_ref.subjects.Session`.

    ``corpus`` is the digest of the one that judges. What is wrong with one answer is an error of
    its question; a line that answers nothing is one of the question that it stands in place of, or
    else of the one that was answered before it.

    Raises `InputError` if the folder has no questions of that corpus, no answers, or two files of
    them, or if the answers do not begin with what the subject is.
    """

    def __init__(self, folder: PathName, name: str, corpus: str) -> None:
        self.name, self._corpus = name, corpus
        self._asked = _asked(Path(folder), corpus)
        found = [Path(folder) / name for name in ANSWERS if (Path(folder) / name).exists()]
        if len(found) != 1:
            got = "both" if found else "neither"
            fail(f"{quote(folder)} must hold {' or '.join(ANSWERS)}", got, "bring back one of them")
        self._file = require_file(found[0]).name
        read = _of_json if self._file == ANSWERS[0] else _of_text
        try:
            self.subject, parts = read(found[0], name)
            self._replies = self._attributed(parts)
        except InputError as error:
            raise InputError(f"{quote(found[0])}: {error}") from None
        self.operations, self.arithmetics = self.subject.operations, self.subject.arithmetics
        self.checks, self.conventions = self.subject.checks, self.subject.conventions
        self.versions, self.excuse = self.subject.versions, self.subject.excuse

    def ask(self, question: Question) -> Reply:
        """The answer that was brought back."""
        seq = seq_for(question, self._corpus)
        if seq not in self._asked:
            return Reply(Kind.SKIP, "not among the questions of the folder")
        if seq not in self._replies:
            return Reply(Kind.ERROR, f"{self._file} has no answer to this question")
        return self._replies[seq]

    def close(self) -> None:
        """Nothing is held."""

    def abort(self) -> None:
        """Nothing is under way."""

    def _attributed(self, parts: Iterable[_Part]) -> dict[str, Reply]:
        replies, lines = dict[str, Reply](), dict[str, int]()
        strays, before = list[tuple[str, _Part]](), ""
        for part in parts:
            if part.seq not in self._asked:
                strays.append((before, part))
                if len(strays) > _STRAYS + len(self._asked):
                    fail("every line must answer a question", "too many that do not", _AGAIN)
                continue
            before = part.seq
            replies[before] = part.reply
            if before in lines:
                twice = f"answered twice, in lines {lines[before]} and {part.line} of {self._file}"
                replies[before] = Reply(Kind.ERROR, twice)
            lines.setdefault(before, part.line)
        order = list(self._asked)
        for before, part in strays:
            after = self._asked[before] + 1 if before else 0
            missing = after < len(order) and order[after] not in lines
            place = order[after] if missing or not before else before
            what = f"line {part.line} of {self._file} answers nothing that was asked"
            wrong = part.reply.kind == Kind.ERROR
            replies[place] = Reply(Kind.ERROR, part.reply.reason if wrong else what)
        return replies


def _asked(folder: Path, corpus: str) -> dict[str, int]:
    """seq -> its place, of the questions of the folder."""
    path = require_file(folder / KEY)
    try:
        key = read_json(path.read_bytes())
    except InputError:
        key = None
    shape = {"format", "corpus", "sha256", "questions"}
    listed = key["questions"] if isinstance(key, dict) and key.keys() == shape else None
    if not isinstance(listed, list) or not all(isinstance(seq, str) for seq in listed):
        fail(f"{quote(path)} must be as mlp-ref questions wrote it", "something else", _AGAIN)
    if key["format"] != FORMAT:
        fail(f"{quote(path)} must have format {FORMAT}", str(key["format"])[:20], _AGAIN)
    if key["sha256"] != corpus:
        fail(
            f"{quote(folder)} must hold questions of the corpus that judges, {corpus[:16]}...",
            f"another, {str(key['corpus'])[:20]} {str(key['sha256'])[:16]}...",
            f"{_AGAIN}, or name its --vectors",
        )  # fmt: skip
    return {seq: k for k, seq in enumerate(listed)}


def _of_json(path: Path, name: str) -> tuple[Subject, Iterator[_Part]]:
    rows = _rows(path)
    _, first = next(rows, (1, b""))
    return parse_description(first, name), (_json_part(number, line) for number, line in rows)


def _rows(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number and content of every line."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST + 1):
            number += 1
            rest = line
            while len(rest) >= LONGEST and not rest.endswith(b"\n"):
                rest = file.readline(LONGEST)
            yield number, line


def _json_part(number: int, line: bytes) -> _Part:
    seq = ""
    try:
        if len(line) > LONGEST:
            fail(f"a line must be at most {LONGEST:,} bytes", "more", "answer the question alone")
        found = read_json(line)
        seq = seq_of(found)
        return _Part(number, *answered(found))
    except InputError as error:
        return _Part(number, seq, _wrong(number, error))


def _of_text(path: Path, name: str) -> tuple[Subject, Iterator[_Part]]:
    text = path.read_bytes().decode("ascii", "replace")
    found = blocks(text.splitlines())
    _, first = next(found)
    return header_of(first, name), (_text_part(number, lines) for number, lines in found)


def _text_part(number: int, lines: list[str]) -> _Part:
    tokens = lines[0].split(maxsplit=2)
    seq = tokens[1] if len(tokens) > 1 else ""
    try:
        return _Part(number, seq[:16], reply_of(lines))
    except InputError as error:
        return _Part(number, seq[:16], _wrong(number, error))


def _wrong(number: int, error: InputError) -> Reply:
    return Reply(Kind.ERROR, f"the answer in line {number}: {error}")
