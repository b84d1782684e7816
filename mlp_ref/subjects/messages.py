"""The messages between the gate and a subject, version 1: JSON objects, one a line.

    gate                                     subject
    start                                    what it is, or why it cannot start
    run: seq, a question                     seq, and outputs, or why there are none
    stop

conformance/PROTOCOL.md describes them for other languages. Whatever a subject writes is read
strictly; keys that the gate adds in future are ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

from mlp_ref import __version__
from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.checks import InputError, fail
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.subjects.protocol import Kind, Question, Reply, Subject
from mlp_ref.subjects.shapes import output_shapes
from mlp_ref.subjects.wire import decode, encode, one_line, read_json, require_keys

__all__ = [
    "LONGEST",
    "PROTOCOL",
    "STOP",
    "Command",
    "answered",
    "described",
    "description_line",
    "parse_command",
    "parse_description",
    "parse_reply",
    "question_body",
    "refusal_line",
    "reply_line",
    "room",
    "run_line",
    "seq_of",
    "start_line",
]  # fmt: skip

PROTOCOL = 1
LONGEST = 64 << 20  # bytes of a line that a subject writes
STOP = b'{"cmd":"stop"}\n'
_BASE, _ENTRY = 1 << 16, 48  # bytes that an answer needs at all, and for each number
_TIMES = 4  # so many tensors may come as were asked for
_SEQ = re.compile("[0-9a-f]{16}")
_NAME = re.compile("[A-Za-z][A-Za-z0-9_]{0,39}")
_REASONS = {Kind.SKIP, Kind.REJECT, Kind.ERROR}
_DECLARED = ("operations", "arithmetics", "checks", "conventions")
_VERSIONS, _TEXT = 100, 200
_REFUSAL = 1000  # characters of why a subject cannot start: a remedy stands at the end
_REMEDY = "see PROTOCOL.md, of which mlp-ref questions --protocol knows the place"


class Command(NamedTuple):
    """What the gate says: start, run (with seq and question) or stop."""

    cmd: str
    seq: str = ""
    question: Question | None = None


# -------------------------------------------------------------------------------------- the gate


def start_line() -> bytes:
    """The first message."""
    return _line({"cmd": "start", "protocol": PROTOCOL, "mlp_ref": __version__})


def question_body(question: Question) -> dict[str, Any]:
    """A question as JSON values; equal questions have equal bodies."""
    return {
        "operation": question.operation, "arithmetic": question.arithmetic,
        "parameters": dict(question.parameters),
        "inputs": {name: encode(x) for name, x in question.inputs.items()},
    }  # fmt: skip


def run_line(seq: str, body: Mapping[str, Any]) -> bytes:
    """The message that asks a question."""
    return _line({"cmd": "run", "seq": seq, **body})


def room(question: Question) -> int:
    """Bytes within which every right answer to a question fits on a line, with room to spare.

    A wrong shape should reach the judge, hence the room.
    """
    entries = sum(map(prod, output_shapes(question).values()))
    return min(LONGEST, _BASE + _TIMES * _ENTRY * entries)


def parse_description(line: bytes, name: str) -> Subject:
    """What a subject says about itself, under the name that the user typed.

    Its `run` answers nothing: such a subject is asked through its transport. Raises `InputError`
    with the reason if it cannot start, and for anything else than a description.
    """
    x = read_json(line)
    if isinstance(x, dict) and "error" in x:
        require_keys(x, "a description with an error", {"protocol", "error"})
        _require_version(x["protocol"], "the subject must speak")
        _require_text(x["error"], "error")
        raise InputError(one_line(x["error"], _REFUSAL))
    require_keys(
        x, "a description", {"protocol", "operations", "arithmetics"},
        {"name", "versions", "checks", "conventions"},
    )  # fmt: skip
    _require_version(x["protocol"], "the subject must speak")
    for key in _DECLARED:
        if not _texts(x.get(key, [])):
            fail(f"{key} must be a list of texts", "something else", _REMEDY)
    return described(name, x.get("name", ""), x.get("versions", {}), x)


def described(name: str, own: Any, versions: Any, declared: Mapping[str, Any]) -> Subject:
    """The subject of a description, from lists of names and a mapping of versions.

    ``own`` is the name that it has for itself; it stands among the versions.
    """
    _require_text(own, "name")
    right = isinstance(versions, dict) and len(versions) <= _VERSIONS
    if not right or not all(map(_printable, (*versions, *versions.values()))):
        fail("versions must map names to texts", "something else", _REMEDY)
    known = versions if own in {"", name, *versions} else {own: "unknown version", **versions}
    return Subject(
        name, _nothing, versions=known, **{k: tuple(declared.get(k, ())) for k in _DECLARED}
    )


def parse_reply(line: bytes) -> tuple[str, Reply]:
    """seq and what the subject replied to it; raises `InputError` for anything else."""
    return answered(read_json(line))


def seq_of(x: Any) -> str:
    """The seq of a reply, whatever else is wrong with it; empty if there is none."""
    seq = x.get("seq") if isinstance(x, dict) else None
    return seq if isinstance(seq, str) and _SEQ.fullmatch(seq) else ""


def answered(x: Any) -> tuple[str, Reply]:
    """`parse_reply` of what `read_json` read."""
    found = {"outputs", *_REASONS} & x.keys() if isinstance(x, dict) else set()
    kind = min(found) if found else "outputs"
    require_keys(x, "a reply", {"seq", str(kind)})
    seq = seq_of(x)
    if not seq:
        fail("seq must be that of the question", "another value", "send it back as it came")
    if kind in _REASONS:
        _require_text(x[kind], kind, printable=False)
        return seq, Reply(Kind(kind), one_line(x[kind]))
    if not isinstance(x["outputs"], dict):
        fail("outputs must be an object of tensors", "something else", _REMEDY)
    tensors = {_name(name): decode(t, f"output {name}") for name, t in x["outputs"].items()}
    return seq, Reply(Kind.ANSWER, tensors={k: _scalar(t) for k, t in tensors.items()})


# ----------------------------------------------------------------------------------- the subject


def parse_command(line: bytes) -> Command:
    """A message of the gate; raises `InputError` for anything that version 1 does not know."""
    x = read_json(line)
    cmd = x.get("cmd") if isinstance(x, dict) else None
    if cmd == "start":
        _require_version(x.get("protocol"), "the gate must speak")
    elif cmd == "run":
        require_keys(x, "run", {"seq", "operation", "arithmetic", "parameters", "inputs"}, x.keys())
        return Command("run", _known_seq(x), _question(x))
    elif cmd != "stop":
        fail("cmd must be start, run or stop", "something else", "update mlp_ref")
    return Command(cmd)


def description_line(subject: Subject) -> bytes:
    """The answer to start."""
    return _line(
        {"protocol": PROTOCOL, "name": subject.name, "versions": dict(subject.versions)}
        | {key: list(getattr(subject, key)) for key in _DECLARED}
    )


def refusal_line(reason: str) -> bytes:
    """The answer to start of a subject that cannot start."""
    return _line({"protocol": PROTOCOL, "error": one_line(reason, _REFUSAL)})


def reply_line(seq: str, reply: Reply) -> bytes:
    """The answer to run; a tensor that cannot be sent makes an error of it, which names it."""
    if reply.kind is not Kind.ANSWER:
        return _line({"seq": seq, reply.kind.value: one_line(reply.reason)})
    outputs = {}
    for name, x in reply.tensors.items():
        try:
            outputs[_name(name)] = encode(x)
        except InputError as error:
            return _line({"seq": seq, "error": one_line(f"output {name!r}: {error}")})
    return _line({"seq": seq, "outputs": outputs})


# ----------------------------------------------------------------------------------------- parts


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _question(x: Mapping[str, Any]) -> Question:
    for key, known in (("operation", OPERATIONS), ("arithmetic", ARITHMETICS)):
        if not isinstance(x[key], str) or x[key] not in known:
            fail(f"{key} must be one of {', '.join(known)}", "something else", "update mlp_ref")
    for key in ("parameters", "inputs"):
        if not isinstance(x[key], dict):
            fail(f"{key} must be an object", "something else", _REMEDY)
    inputs = {name: decode(t, f"input {name!r}", False) for name, t in x["inputs"].items()}
    return Question(x["operation"], x["arithmetic"], x["parameters"], inputs)


def _known_seq(x: Mapping[str, Any]) -> str:
    if not _printable(x["seq"]):
        fail("seq must be a text", "something else", _REMEDY)
    return str(x["seq"])


def _require_version(protocol: Any, who: str) -> None:
    if type(protocol) is not int or protocol != PROTOCOL:
        got = str(protocol)[:20] if type(protocol) is int else "something else"
        fail(f"{who} protocol {PROTOCOL}", got, "update the older of the two")


def _require_text(x: Any, key: str, printable: bool = True) -> None:
    if not isinstance(x, str) or (printable and key != "error" and not _printable(x)):
        fail(f"{key} must be a text", "something else", _REMEDY)


def _texts(x: Any) -> bool:
    return isinstance(x, list) and all(isinstance(name, str) for name in x)


def _printable(x: Any) -> bool:
    return isinstance(x, str) and len(x) <= _TEXT and x.isprintable()


def _name(name: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        fail("an output must have a name such as dW0", repr(name)[:60], _REMEDY)
    return name


def _scalar(x: Any) -> Any:
    """A float64 scalar is a float, as in Python, where it may stand for a number of any dtype."""
    return float(x) if x.shape == () and x.dtype.name == "float64" else x


def _nothing(question: Question) -> Mapping[str, Any]:
    return {}
