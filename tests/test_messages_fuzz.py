"""100,000 lines that a subject might write, none of which is right."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from wire_lines import SEQ, reply

from mlp_ref.checks import InputError
from mlp_ref.subjects import Kind, Reply
from mlp_ref.subjects.messages import parse_reply, reply_line

NAN, INF = float("nan"), float("inf")

Edit = Callable[[random.Random, bytearray, list[bytes]], bytearray]


def flip(rng: random.Random, line: bytearray, lines: list[bytes]) -> bytearray:
    """Up to four bits change."""
    for _ in range(rng.randint(1, 4)):
        line[rng.randrange(len(line))] ^= 1 << rng.randrange(8)
    return line


def replaced(rng: random.Random, line: bytearray, lines: list[bytes]) -> bytearray:
    """A byte becomes one that JSON or hex may have there."""
    line[rng.randrange(len(line))] = rng.choice(b'0123456789abcdef{}[]",:-+.eE \\untrfs')
    return line


def cut(rng: random.Random, line: bytearray, lines: list[bytes]) -> bytearray:
    """The end is missing."""
    return line[: rng.randrange(len(line))]


def splice(rng: random.Random, line: bytearray, lines: list[bytes]) -> bytearray:
    """The beginning of one, the end of another."""
    other = rng.choice(lines)
    return line[: rng.randrange(len(line))] + other[rng.randrange(len(other)) :]


def doubled(rng: random.Random, line: bytearray, lines: list[bytes]) -> bytearray:
    """A part stands there twice."""
    a, b = sorted(rng.randrange(len(line)) for _ in range(2))
    return line[:b] + line[a:]


def dropped(rng: random.Random, line: bytearray, lines: list[bytes]) -> bytearray:
    """A part is missing."""
    a, b = sorted(rng.randrange(len(line)) for _ in range(2))
    return line[:a] + line[b:]


EDITS: tuple[Edit, ...] = (flip, replaced, cut, splice, doubled, dropped)


def sources() -> list[bytes]:
    """Replies of every kind and dtype, small, so that every byte is hit often."""
    x = np.array([[0.1, -0.0], [NAN, INF]])
    tensors = {"y": x, "dx": x.astype(np.float32), "h": x.astype(np.float16), "loss": 0.5}
    lines = [reply_line(SEQ, Reply(Kind.ANSWER, tensors={k: v})) for k, v in tensors.items()]
    lines += [reply_line(SEQ, Reply(kind, "why not")) for kind in (Kind.SKIP, Kind.ERROR)]
    lines.append(reply_line(SEQ, Reply(Kind.ANSWER, tensors=tensors)))
    lines.append(reply(words=..., values=[1.5, "-inf"]))
    return lines


def numbers(reply: Reply) -> tuple[Any, ...]:
    """What the judge would see: names, dtypes, shapes and bits."""
    parts = {name: np.asarray(x) for name, x in reply.tensors.items()}
    return tuple((name, x.dtype.name, x.shape, x.tobytes()) for name, x in parts.items())


def words_of(line: bytes) -> list[str]:
    """The texts of words, as they stand in a line."""
    outputs = json.loads(line).get("outputs", {})
    return [tensor["words"] for tensor in outputs.values() if "words" in tensor]


@pytest.mark.slow
def test_100_000_mutated_lines_make_no_traceback_and_no_false_number() -> None:
    """Each is refused in one line, or is a reply; other words are never the same numbers."""
    rng, lines = random.Random(20261), sources()
    original = [(numbers(parse_reply(line)[1]), words_of(line)) for line in lines]
    messages, altered = set[str](), 0
    for _ in range(100_000):
        k = rng.randrange(len(lines))
        line = bytes(rng.choice(EDITS)(rng, bytearray(lines[k]), lines))
        try:
            seq, found = parse_reply(line)
        except InputError as error:
            messages.add(str(error))
            continue
        assert len(seq) == 16
        assert isinstance(found.kind, Kind)
        assert (found.kind == Kind.ANSWER) != bool(found.reason)
        if found.kind == Kind.ANSWER and words_of(line) != original[k][1]:
            altered += 1
            assert numbers(found) != original[k][0]
    assert len(messages) > 10_000
    assert all(message.isprintable() for message in messages)
    assert altered > 1_000  # the claim about words was put to the test
