"""conformance/PROTOCOL.md: what it shows is what the gate sends, and takes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from c_library import HEADER, compile_library

from mlp_ref import __version__
from mlp_ref.corpus import load as load_corpus
from mlp_ref.corpus.names import REJECTS, tensors_of
from mlp_ref.gate.cases import build_cases, case_of
from mlp_ref.gate.judge import Verdict, judge_certified
from mlp_ref.gate.run import run_case
from mlp_ref.gate.transports.tokens import (
    blocks,
    header_line,
    header_of,
    question_lines,
    reply_of,
)
from mlp_ref.subjects import CONVENTIONS, Kind, Reply, load
from mlp_ref.subjects.messages import (
    STOP,
    parse_command,
    parse_description,
    parse_reply,
    question_body,
    run_line,
    start_line,
)

TEXT = (Path(__file__).parents[1] / "conformance" / "PROTOCOL.md").read_text("utf-8")
CASE = case_of(load_corpus().record("dense/shape-1-1-1/float32"))
SEQ = "f3a90c5be2d17846"


def fenced(language: str, start: str) -> str:
    """The only block in that language that begins so."""
    (block,) = (
        b for b in re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL) if b.startswith(start)
    )
    return str(block)


def require_right(reply: Reply) -> None:
    """Every tensor that is there passes."""
    expected = CASE.expected()
    assert reply.tensors
    for name, x in reply.tensors.items():
        assert judge_certified(name, x, expected[name], CASE.arithmetic).verdict == Verdict.PASS


def test_the_session() -> None:
    """The lines of the gate are those that it writes; the answers are understood, and right."""
    lines = fenced("text", "> ").splitlines()
    gate = [f"{line[2:]}\n".encode() for line in lines if line[0] == ">"]
    subject = [line[2:].encode() for line in lines if line[0] == "<"]
    assert gate[0] == start_line()
    assert f'"mlp_ref":"{__version__}"'.encode() in gate[0]
    assert gate[1] == run_line(SEQ, question_body(CASE.question()))
    assert gate[3] == STOP
    assert parse_command(gate[2]).cmd == "run"
    assert parse_description(subject[0], "mine").checks == ("shape",)
    seq, reply = parse_reply(subject[1])
    assert seq == SEQ
    assert list(reply.tensors) == ["z", "dW", "db", "dx"]
    require_right(reply)
    assert parse_reply(subject[2])[1].kind == Kind.REJECT
    assert parse_reply(subject[2])[0] == parse_command(gate[2]).seq


def test_the_tokens() -> None:
    """The question as it is written; the answers as they are read."""
    question = [header_line(1), *question_lines(SEQ, CASE.question())]
    assert fenced("text", "mlp_ref-questions").splitlines() == question
    found = list(blocks(fenced("text", "mlp_ref-answers").splitlines()))
    assert header_of(found[0][1], "mine").versions["mine"] == "1.2"
    require_right(reply_of(found[1][1]))
    assert len(found) == 2


def test_the_names_are_those_of_the_code() -> None:
    """Conventions and checks, all of them; and the tensors of the simple operations, in order."""
    rows = [line.strip() for line in TEXT.splitlines() if line.strip().startswith("| `")]
    first = {name for row in rows for name in re.findall(r"`([a-z_-]+)`", row.split("|")[1])}
    assert set(CONVENTIONS) <= first
    (checks,) = (line for line in TEXT.splitlines() if line.startswith("* `checks`"))
    assert re.findall(r"`([a-z]+)`", checks)[1:] == list(REJECTS)
    for operation in ("activation", "dense", "softmax", "loss"):
        (row,) = (
            row for row in rows if f"`{operation}`" in row.split("|")[1] and row.count("|") > 4
        )
        names = tensors_of(operation, {})
        _, _, _, inputs, outputs, _ = row.split("|")
        assert tuple(re.findall("`(.*?)`", inputs)) == names.inputs
        assert tuple(re.findall("`(.*?)`", outputs)) == names.expected


def test_the_library(tmp_path: Path) -> None:
    """It compiles without a warning, and y passes in every case of identity."""
    shutil.copy(HEADER, tmp_path)
    library = compile_library(
        tmp_path, fenced("c", '#include "mlp_ref.h"'), "-Wall", "-Wextra", "-Werror"
    )
    subject, judged = load(library), 0
    for case in build_cases(operations=["activation"]):
        if case.record.parameters["function"] == "identity" and case.arithmetic.name == "float64":
            report = run_case(subject, case)
            assert [r.verdict for r in report.results] == [Verdict.PASS, Verdict.SKIP]
            judged += 1
    assert judged
    assert "so:./mine.so --only 'activation/*/identity/*'" in TEXT


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)", TEXT))))
def test_links_lead_somewhere(link: str) -> None:
    """To files of the repository."""
    assert (HEADER.parent / link).exists()
