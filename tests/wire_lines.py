"""Lines of the wire protocol, right and wrong, for its tests."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from mlp_ref.subjects import Question, Subject

__all__ = ["SEQ", "WRONG", "question", "reply", "same", "subject"]

SEQ = "0123456789abcdef"


def question(**change: Any) -> Question:
    """A layer of two inputs and one output, in float32."""
    inputs = {
        "x": np.array([[0.1, 2], [3, -4], [5, 6]], np.float32),
        "W": np.array([[1], [0.5]], np.float32), "b": np.zeros(1, np.float32),
        "g": np.ones((3, 1), np.float32),
    }  # fmt: skip
    fields = {"operation": "dense", "arithmetic": "float32", "parameters": {}, "inputs": inputs}
    return Question(**fields | change)


def subject(**change: Any) -> Subject:
    """One that declares something of everything."""
    fields: dict[str, Any] = {
        "name": "cmd:mine", "run": lambda question: {}, "operations": ("mlp", "dense"),
        "arithmetics": ("float64", "bfloat16"), "versions": {"mine": "1.2"},
        "checks": ("shape", "sum"), "conventions": ("right-derivative",),
    }  # fmt: skip
    return Subject(**fields | change)


def same(x: Any, y: Any) -> bool:
    """Bit for bit, and of one dtype and shape."""
    a, b = np.asarray(x), np.asarray(y)
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


GOOD = {"shape": [2], "dtype": "float32", "words": "3f8000003f000000"}


def reply(**change: Any) -> bytes:
    """An answer of one tensor with other fields."""
    tensor = {key: x for key, x in (GOOD | change).items() if x is not ...}
    return json.dumps({"seq": SEQ, "outputs": {"y": tensor}}).encode()


WRONG: list[tuple[bytes, str]] = [
    (b"", "must be JSON"), (b"\n", "must be JSON"), (b"hello\n", "must be JSON; got 'hello"),
    (b"\xff\n", "must be JSON"), (b"\xef\xbb\xbf{}", "must be JSON"), (b"[" * 100_000, "JSON"),
    (b'{"a":' * 100_000, "JSON"), (b"7", "must be a JSON object; got a number"),
    (b"null", "got null"), (b"[]", "got a list"), (b"{}", "must have the key 'outputs'"),
    (b'{"seq":"%s"}' % SEQ.encode(), "must have the key 'outputs'"),
    (b'{"outputs":{}}', "must have the key 'seq'"),
    (b'{"seq":"%s","outputs":{},"outputs":{}}' % SEQ.encode(), "a key occurs twice"),
    (b'{"seq":"%s","outputs":[]}' % SEQ.encode(), "outputs must be an object"),
    (b'{"seq":7,"outputs":{}}', "seq must be that"), (b'{"seq":"x","skip":""}', "seq must be that"),
    (b'{"seq":"%s","skip":"a","reject":"b"}' % SEQ.encode(), "no other keys"),
    (b'{"seq":"%s","skip":null}' % SEQ.encode(), "skip must be a text"),
    (b'{"seq":"%s","outputs":{},"time":1}' % SEQ.encode(), "no other keys.*'time'"),
    (b'{"seq":"%s","outputs":{"":{}}}' % SEQ.encode(), "a name such as dW0"),
    (b'{"seq":"%s","outputs":{"\\ud800":{}}}' % SEQ.encode(), "a name such as dW0"),
    (b'{"seq":"%s","outputs":{"y":[1]}}' % SEQ.encode(), "output y must be a JSON object"),
    (b'{"seq":"%s","outputs":{"y":{}}}\n{}' % SEQ.encode(), "must be JSON"),
    (reply(words="3F8000003f000000"), "the character 'F'"), (reply(words="3f80"), "hex digits, 8"),
    (reply(words="3f800000"), "must hold 2 numbers.*got 1"), (reply(words=7), "hex digits"),
    (reply(words="3f800000 3f00000"), "the character ' '"),
    (reply(words="3f8000003f00000\uff10"), "the character '\uff10'"),
    (reply(shape=[3]), "must hold 3 numbers.*got 2"), (reply(shape=2), "list of at most 8 sizes"),
    (reply(shape=[2.0]), "sizes; got .2.0"), (reply(shape=[-2]), "sizes; got .-2"),
    (reply(shape=[True, 2]), "sizes; got a list"), (reply(shape=[1] * 8 + [2]), "at most 8"),
    (reply(shape=[0, 2**24], words=""), "less than 16777216"),
    (reply(shape=[2**62, 2**62], words=""), "less than 16777216"),
    (reply(shape=[[2]]), "got a list"), (reply(shape=...), "must have the key 'shape'"),
    (reply(dtype="bfloat16"), "must be float64, float32, int64, float16; got 'bfloat16'"),
    (reply(dtype=["float32"]), "got a list"), (reply(dtype=...), "the key 'dtype'"),
    (reply(words=...), "must have the key 'words'"), (reply(values=[1, 2]), "no other keys"),
    (reply(words=..., values="12"), "flat list; got a text"), (reply(extra=1), "got 'extra'"),
    (reply(words=..., values=[1]), "must hold 2 numbers.*got 1"),
    (reply(words=..., values=[[1, 2]]), "values must be numbers within float32"),
]  # fmt: skip
