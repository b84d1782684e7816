"""The schema of messages: every line that is written is valid, and other lines are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from wire_lines import SEQ, WRONG, reply, subject

from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.corpus import load
from mlp_ref.corpus.names import REJECTS
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.subjects import CONVENTIONS, Kind, Question, Reply
from mlp_ref.subjects.direct import ask
from mlp_ref.subjects.messages import (
    STOP,
    description_line,
    question_body,
    refusal_line,
    reply_line,
    run_line,
    start_line,
)
from mlp_ref.subjects.numpy_subject import load as load_numpy
from mlp_ref.subjects.wire import WIRE_DIGITS

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "conformance/schema/messages.schema.json").read_text("utf-8")
)
VALID = Draft202012Validator(SCHEMA)


def test_the_schema_is_a_schema_and_names_what_the_program_knows() -> None:
    """Of draft 2020-12; operations, arithmetics, dtypes, checks and conventions."""
    Draft202012Validator.check_schema(SCHEMA)
    known = SCHEMA["$defs"]
    assert known["operation"]["enum"] == list(OPERATIONS)
    assert known["arithmetic"]["enum"] == list(ARITHMETICS)
    assert known["dtype"]["enum"] == list(WIRE_DIGITS)
    declared = known["description"]["properties"]
    assert declared["checks"]["items"]["enum"] == list(REJECTS)
    assert declared["conventions"]["items"]["enum"] == list(CONVENTIONS)


def test_every_message_that_is_written_is_valid() -> None:
    """All questions and answers of the corpus among them."""
    lines = [start_line(), STOP, description_line(subject()), refusal_line("none")]
    numpy = load_numpy()
    for record in load().records[::7]:
        asked = Question(record.operation, record.arithmetic, record.parameters, record.arrays())
        lines += [run_line(SEQ, question_body(asked)), reply_line(SEQ, ask(numpy, asked))]
    lines += [reply_line(SEQ, Reply(kind, "why")) for kind in (Kind.SKIP, Kind.REJECT, Kind.ERROR)]
    lines.append(reply(words=..., values=[1, "nan"]))
    for line in lines:
        assert [error.message for error in VALID.iter_errors(json.loads(line))] == []
        assert line.count(b"\n") == (not line.startswith(b'{"seq": '))


# What only arithmetic on lengths and shapes, or the bytes of a line, can tell.
BEYOND = ("must hold", "occurs twice", "less than", "must be JSON", "got .2.0")


@pytest.mark.parametrize(("line", "text"), WRONG)
def test_what_the_reader_refuses_the_schema_refuses(line: bytes, text: str) -> None:
    """But for JSON that is none, keys that occur twice, and lengths against shapes."""
    if not any(words in text for words in BEYOND) and "JSON" not in text[:5]:
        assert not VALID.is_valid(json.loads(line))


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": 2}, {"protocol": ...}, {"operations": ...}, {"operations": []},
        {"operations": "mlp"}, {"operations": ["conv"]}, {"arithmetics": ["f32"]},
        {"checks": ["all"]}, {"conventions": ["left"]}, {"versions": ["1.2"]},
        {"versions": {"a": 1}}, {"versions": {str(k): "1" for k in range(101)}}, {"name": 3},
        {"name": 300 * "a"}, {"extra": 1}, {"error": "both"},
    ],
)  # fmt: skip
def test_a_description_of_other_keys_or_names_is_not_valid(change: dict[str, object]) -> None:
    """As the reader says."""
    whole = json.loads(description_line(subject())) | change
    assert not VALID.is_valid({key: x for key, x in whole.items() if x is not ...})
