"""The wire protocol: what is written is read back, and nothing else is read."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from wire_lines import SEQ, WRONG, question, same, subject

from mlp_ref.checks import InputError
from mlp_ref.corpus import load
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.subjects import Kind, Question, Reply, Subject
from mlp_ref.subjects.direct import ask
from mlp_ref.subjects.messages import (
    LONGEST,
    STOP,
    description_line,
    parse_command,
    parse_description,
    parse_reply,
    question_body,
    refusal_line,
    reply_line,
    room,
    run_line,
    start_line,
)
from mlp_ref.subjects.numpy_subject import load as load_numpy


def told(found: Subject) -> tuple[Any, ...]:
    """What a subject declares."""
    return (
        found.name, found.operations, found.arithmetics, dict(found.versions), found.checks,
        found.conventions,
    )  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_question_of_the_corpus_is_read_back(operation: str) -> None:
    """Arrays bit for bit, parameters equal and of equal types, also of cases to be refused."""
    for record in load(operation).records:
        asked = Question(operation, record.arithmetic, record.parameters, record.arrays())
        line = run_line(SEQ, question_body(asked))
        cmd, seq, found = parse_command(line)
        assert (cmd, seq) == ("run", SEQ)
        assert found is not None
        assert found[:2] == (operation, record.arithmetic)
        assert repr(found.parameters) == repr(dict(record.parameters))
        assert list(found.inputs) == list(asked.inputs)
        assert all(same(found.inputs[name], x) for name, x in asked.inputs.items())
        assert b"expected" not in line
        assert record.id.encode() not in line


def test_every_right_answer_has_room() -> None:
    """Of all cases, as words and as the longest decimals; the room is a small part of a flood."""
    numpy = load_numpy()
    for record in load().records:
        asked = Question(record.operation, record.arithmetic, record.parameters, record.arrays())
        most = room(asked)
        assert most <= LONGEST
        reply = ask(numpy, asked)
        assert len(reply_line(SEQ, reply)) < most
        count = sum(np.size(x) for x in reply.tensors.values())
        assert 26 * count + 200 * len(reply.tensors) < most  # -1.2345678901234567e-308, blanks


def test_start_and_stop() -> None:
    """The messages without a question."""
    assert parse_command(start_line()) == ("start", "", None)
    assert parse_command(STOP) == ("stop", "", None)


def test_keys_of_a_newer_gate_are_ignored() -> None:
    """Version 1 may grow; the keys that it has must be there."""
    body = question_body(question())
    body["inputs"]["x"]["unit"] = "m"
    found = parse_command(run_line(SEQ, body | {"hint": [1], "seed": 7})).question
    assert found is not None
    assert same(found.inputs["x"], question().inputs["x"])
    assert parse_command(start_line()[:-2] + b',"more":{}}').cmd == "start"


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\n", b"{}", b"[]", b"7", b'"run"', b'{"cmd":"pause"}', b'{"cmd":["run"]}',
        b'{"cmd":"start"}', b'{"cmd":"start","protocol":2}', b'{"cmd":"start","protocol":true}',
        b'{"cmd":"run"}', b'{"cmd":"stop","cmd":"stop"}', b"\xff\xfe", b"[" * 100_000,
        run_line(SEQ, question_body(question()) | {"operation": "conv"}),
        run_line(SEQ, question_body(question()) | {"operation": []}),
        run_line(SEQ, question_body(question()) | {"arithmetic": "float8"}),
        run_line(SEQ, question_body(question()) | {"inputs": []}),
        run_line(SEQ, question_body(question()) | {"parameters": None}),
        run_line(SEQ, {k: v for k, v in question_body(question()).items() if k != "inputs"}),
        run_line("a\nb", question_body(question())),
    ],
)  # fmt: skip
def test_a_line_that_no_gate_writes_is_refused(line: bytes) -> None:
    """With one line of text."""
    with pytest.raises(InputError) as caught:
        parse_command(line)
    assert "\n" not in str(caught.value)


def test_a_description_is_read_back() -> None:
    """Under the name that the user typed; the subject's own stands among its versions."""
    one = subject()
    found = parse_description(description_line(one), "cmd:./mine x")
    assert told(found)[1:3] == told(one)[1:3]
    assert found.name == "cmd:./mine x"
    assert found.versions == {"cmd:mine": "unknown version", "mine": "1.2"}
    assert told(parse_description(description_line(one), "cmd:mine")) == told(one)
    assert found.run(question()) == {}


def test_the_least_description() -> None:
    """Three keys suffice, and lists are never taken for texts."""
    line = b'{"protocol":1,"operations":["mlp"],"arithmetics":["float32"]}'
    assert told(parse_description(line, "n")) == ("n", ("mlp",), ("float32",), {}, (), ())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"protocol": 2}, "must speak protocol 1; got 2"),
        ({"protocol": True}, "must speak protocol 1"), ({"protocol": ...}, "the key 'protocol'"),
        ({"operations": ...}, "the key 'operations'"), ({"operations": []}, "operations of"),
        ({"operations": "mlp"}, "operations must be a list"),
        ({"operations": ["conv"]}, "among activation, dense"),
        ({"operations": [["mlp"]]}, "operations must be a list"),
        ({"arithmetics": ["f32"]}, "among float64, float32"),
        ({"checks": ["all"]}, "checks of"), ({"conventions": ["left"]}, "conventions of"),
        ({"versions": ["1.2"]}, "versions must map"), ({"versions": {"a": 1}}, "versions must map"),
        ({"versions": {"a": "x\ny"}}, "versions must map"),
        ({"versions": {"a": "\ud800"}}, "versions must map"),
        ({"versions": {str(k): "1" for k in range(101)}}, "versions must map"),
        ({"name": 3}, "name must be a text"), ({"name": 300 * "a"}, "name must be a text"),
        ({"extra": 1}, "no other keys than .*got 'extra'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_description_is_said(change: dict[str, Any], text: str) -> None:
    """Unknown names and keys, other types, another version, text that garbles a report."""
    whole = json.loads(description_line(subject())) | change
    line = json.dumps({key: x for key, x in whole.items() if x is not ...}).encode()
    with pytest.raises(InputError, match=text):
        parse_description(line, "mine")


def test_a_subject_may_say_why_it_cannot_start() -> None:
    """The reason is the whole message, on one line."""
    with pytest.raises(InputError) as caught:
        parse_description(refusal_line("no\nGPU"), "mine")
    assert str(caught.value) == "no GPU"
    with pytest.raises(InputError, match="error must be a text"):
        parse_description(b'{"protocol":1,"error":{}}', "mine")


@pytest.mark.parametrize("kind", [Kind.SKIP, Kind.REJECT, Kind.ERROR])
def test_a_reason_is_read_back_as_one_line(kind: Kind) -> None:
    """Without control characters or lone surrogates, cut, and never empty."""
    for reason, text in (
        ("why", "why"), ("", "no reason given"), (" a\n\tb\x1b[31m\u2028\ud800c ", "a b [31m c"),
        (600 * "ab ", (167 * "ab ")[:497] + "..."),
    ):  # fmt: skip
        seq, reply = parse_reply(reply_line(SEQ, Reply(kind, reason)))
        assert (seq, reply.kind, reply.reason, reply.tensors) == (SEQ, kind, text, {})
        raw = json.dumps({"seq": SEQ, kind.value: reason}).encode()
        assert parse_reply(raw)[1].reason == text


@pytest.mark.parametrize(("line", "text"), WRONG)
def test_what_is_wrong_with_a_reply_is_said(line: bytes, text: str) -> None:
    """On one short line that begins with the rule."""
    with pytest.raises(InputError, match=text) as caught:
        parse_reply(line)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
