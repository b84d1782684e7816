"""Records as JSON: both ways without a difference, and strictly."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from example_records import activation, certified, dense, records, rejected, step

from mlp_ref.checks import InputError
from mlp_ref.corpus.decoding import read_cases
from mlp_ref.corpus.encoding import case_text, file_text
from mlp_ref.corpus.hexwords import rounded_up
from mlp_ref.corpus.records import Certified, Generated, Record


def same_bits(x: Any, y: Any) -> bool:
    """Same dtype, shape and bits; NaN is NaN."""
    return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()


def assert_same_tensor(q: Certified, p: Certified) -> None:
    """All but the rounding up of radii and bounds."""
    assert q.shape == p.shape
    assert same_bits(q.hi, p.hi)
    assert same_bits(q.low, p.low)
    assert same_bits(q.radius, rounded_up(p.radius))
    assert q.bounds.keys() == p.bounds.keys()
    for name, bound in q.bounds.items():
        assert same_bits(bound, rounded_up(p.bounds[name]))
    assert (q.index is None) == (p.index is None)
    assert q.index is None or np.array_equal(q.index, p.index)
    assert (q.checksum, q.sets, q.signed_zeros) == (p.checksum, p.sets, p.signed_zeros)
    assert [np.signbit(x) for x in q.sets.get(1, ())] == [np.signbit(x) for x in p.sets.get(1, ())]


@pytest.mark.parametrize("record", records(), ids=lambda r: r.id)
def test_a_record_comes_back(record: Record) -> None:
    """Every field, every bit, with native arrays; and the same text again."""
    text = file_text(record.operation, "2026.1", [record])
    version, (found,) = read_cases(text, "file.json")
    assert version == "2026.1"
    for key in ("id", "operation", "arithmetic", "note", "difficulty", "flags", "parameters",
                "rejects", "since", "provenance"):  # fmt: skip
        assert getattr(found, key) == getattr(record, key), key
    assert list(found.inputs) == list(record.inputs)
    for name, x in record.inputs.items():
        y = found.inputs[name]
        assert x == y if isinstance(x, Generated) else same_bits(x, y)
        assert isinstance(y, Generated) or y.dtype.isnative
    assert list(found.expected) == list(record.expected)
    for name, q in record.expected.items():
        assert_same_tensor(found.expected[name], q)
    assert file_text(record.operation, "2026.1", [found]) == text


def test_a_file_has_a_case_on_each_line() -> None:
    """ASCII, a header, a line per case, a final line feed; what is empty is left out."""
    text = file_text("dense", "2026.1", [dense(), dense(id="dense/more/float32")])
    head, first, second, tail = text.split("\n", 3)
    assert json.loads(head + "]}")["operation"] == "dense"
    assert tail == "]}\n"
    assert text.isascii()
    assert first == case_text(dense()) + ","
    case = json.loads(second)
    assert list(case) == ["id", "note", "since", "difficulty", "flags", "arithmetic",
                          "parameters", "inputs", "expected", "provenance"]  # fmt: skip
    assert list(case["expected"]["z"]) == ["shape", "hi", "lo", "radius", "bound"]
    assert list(case["expected"]["dW"])[5:] == ["index", "checksum"]
    assert list(json.loads(case_text(rejected())))[-1] == "rejects"


Change = Callable[[Any], None]


def case_of(whole: Any) -> Any:
    """The first case of a file."""
    return whole["cases"][0]


def put(*path: str | int, value: Any) -> Change:
    """Replace what stands at a path within the first case."""

    def change(whole: Any) -> None:
        *above, last = path
        place = case_of(whole)
        for key in above:
            place = place[key]
        place[last] = value

    return change


def drop(*path: str) -> Change:
    """Remove a key within the first case."""

    def change(whole: Any) -> None:
        *above, last = path
        place = case_of(whole)
        for key in above:
            place = place[key]
        del place[last]

    return change


def top(key: str, value: Any) -> Change:
    """Replace a key of the file."""
    return lambda whole: whole.update({key: value})


ID = "dense/every-field/float32"
DENSE: list[tuple[Change, str]] = [
    (top("format", 2), "file.json: must have format 1; update mlp_ref for another; got 2"),
    (top("more", 1), "file.json: must have the keys format, corpus, operation, notes, cases"),
    (top("operation", "loss"), f"file.json {ID} id: must be of the form loss/.../float32"),
    (top("operation", "conv"), "file.json: must have a known operation; got 'conv'"),
    (top("corpus", "2026"), "file.json corpus: must be a version such as 2026.1"),
    (top("notes", {"Kink": "x"}), "file.json: must explain every flag that it uses"),
    (put("colour", value=1), f"file.json {ID}: must have the keys id, note, "),
    (drop("since"), f"file.json {ID}: must have the keys id, note, since"),
    (drop("provenance"), f"file.json {ID}: must have the keys"),
    (put("rejects", value="shape"), f"file.json {ID}: must have the keys"),
    (put("id", value="dense/float64"), "file.json dense/float64 id: must be of the form dense/"),
    (put("id", value="dense//float32"), "file.json dense//float32 id: must be of the form"),
    (put("id", value=3), "file.json 3 id: must be of type str; got 3"),
    (put("difficulty", value=5), f"file.json {ID} difficulty: must be 1, 2, 3 or 4; got 5"),
    (put("difficulty", value=True), f"file.json {ID} difficulty: must be of type int; got True"),
    (put("since", value="soon"), f"file.json {ID} since: must be a version"),
    (put("note", value="two\nlines"), f"file.json {ID} note: must be one line of ASCII"),
    (put("flags", value=["Odd"]), f"file.json {ID} flags: must be known flags, each once"),
    (put("flags", value=[["Kink"]]), f"file.json {ID} flags: must be known flags, each once"),
    (put("flags", value=["Wide", "Wide"]), f"file.json {ID} flags: must be known flags"),
    (put("arithmetic", value="float16"), f"file.json {ID} arithmetic: must be float64 or float32"),
    (put("parameters", "axis", value=1), f"file.json {ID} parameters: must have the keys"),
    (put("provenance", "when", value=1), f"file.json {ID} provenance: must have the keys bits"),
    (drop("inputs", "x"), f"file.json {ID} inputs: must be x, W, b, g; got ['W', 'b', 'g']"),
    (put("inputs", "y", value={}), f"file.json {ID} inputs: must be x, W, b, g"),
    (drop("expected", "db"), f"file.json {ID} expected: must be z, dW, db, dx"),
    (put("inputs", "x", value=[]), f"file.json {ID} x: must have the keys shape, dtype, words"),
    (put("inputs", "x", "dtype", value="float16"), f"file.json {ID} x dtype: must be float32; got"),
    (put("inputs", "x", "shape", value=[2, 4]), f"file.json {ID} x words: must hold 8 words"),
    (put("inputs", "x", "shape", value=[1, 2, 3]), f"file.json {ID} x shape: must hold at most"),
    (put("inputs", "x", "shape", value=[-2, -3]), f"file.json {ID} x shape: must hold at most"),
    (put("inputs", "x", "shape", value=[2.0, 3]), f"file.json {ID} x shape: must hold at most"),
    (put("inputs", "x", "words", value="3F80"), f"file.json {ID} x words: words must be lower-ca"),
    (put("inputs", "x", "words", value=5), f"file.json {ID} x words: must be of type str; got 5"),
    (put("inputs", "W", "shape", value=[9999, 9999]), f"file.json {ID} W shape: must have less"),
    (put("inputs", "W", "dtype", value="float64"), f"file.json {ID} W dtype: must be float32"),
    (put("inputs", "W", "words", value=""), f"file.json {ID} W: must have the keys shape, dtype"),
    (put("inputs", "W", "generator", "seed", value="1"), f"file.json {ID} W generator seed: words"),
    (put("inputs", "W", "generator", "seed", value="0" * 32), f"{ID} W generator seed: must hold"),
    (put("inputs", "W", "generator", "modulus", value=0), f"{ID} W generator: must give integers"),
    (put("inputs", "W", "generator", "offset", value=1 << 25), f"{ID} W generator: must give in"),
    (put("inputs", "W", "generator", "scale", value=0.3), f"{ID} W generator scale: must be a"),
    (put("inputs", "W", "generator", "scale", value=True), f"{ID} W generator scale: must be"),
    (put("expected", "z", "more", value=1), f"file.json {ID} z: must have the keys shape, hi, lo"),
    (drop("expected", "z", "radius"), f"file.json {ID} z: must have the keys shape, hi, lo, radi"),
    (drop("expected", "z", "bound", "float32"), f"{ID} z bound: must have the keys float64, float"),
    (put("expected", "z", "bound", "float16", value=""), f"{ID} z bound: must have the keys"),
    (put("expected", "z", "hi", value="00" * 8), f"file.json {ID} z hi: must hold 8 words; got 1"),
    (put("expected", "z", "radius", value="8000" * 8), f"{ID} z radius: a short word must be 0"),
    (put("expected", "z", "radius", value="7ff0" * 8), f"{ID} z: lo must be at most half a unit"),
    (put("expected", "z", "lo", value="3ff0" * 32), f"file.json {ID} z: lo must be at most half"),
    (put("expected", "z", "hi", value="7ff0000000000000" * 8), f"file.json {ID} z: lo must be at"),
    (put("expected", "z", "checksum", value="00" * 8), f"{ID} z: index and checksum must stand"),
    (drop("expected", "dW", "checksum"), f"file.json {ID} dW: index and checksum must stand"),
    (put("expected", "dW", "checksum", value=""), f"{ID} dW checksum: must hold 1 words; got 0"),
    (put("expected", "dW", "index", value=[0, 5, 12]), f"{ID} dW index: must hold flat indices"),
    (put("expected", "dW", "index", value=[0, 5, True]), f"{ID} dW index: must hold flat indices"),
    (put("expected", "dW", "index", value=[]), f"file.json {ID} dW index: must hold flat indices"),
    (put("expected", "dW", "index", value=[5, 0, 11]), f"file.json {ID} dW index: must ascend"),
    (put("expected", "dW", "index", value=[0, 0, 11]), f"file.json {ID} dW index: must ascend"),
    (put("expected", "z", "sets", value={"8": ["00" * 8]}), f"{ID} z sets: a key must be the f"),
    (put("expected", "z", "sets", value={"01": ["00" * 8]}), f"{ID} z sets: a key must be the f"),
    (put("expected", "z", "sets", value={"one": []}), f"{ID} z sets: a key must be the f"),
    (put("expected", "z", "sets", value={}), f"{ID} z: signed_zeros and sets must be left out"),
    (put("expected", "z", "signed_zeros", value=False), f"{ID} z: signed_zeros and sets must be"),
    (put("provenance", "agreed", "who", value=1.0), f"{ID} provenance agreed: must have the keys"),
    (put("expected", "z", "sets", value={"1": []}), f"{ID} z sets: must be a list of words"),
    (put("expected", "z", "sets", value={"1": [1]}), f"{ID} z sets 1: must be a string of hex"),
    (put("expected", "z", "sets", value={"1": [""]}), f"{ID} z sets 1: must hold 1 words"),
    (put("expected", "z", "signed_zeros", value=1), f"{ID} z signed_zeros: must be of type bool"),
]  # fmt: skip
OTHERS: list[tuple[Record, Change, str]] = [
    (rejected(), put("rejects", value="colour"), "float32 rejects: must be one of shape, broadc"),
    (rejected(), put("rejects", value=""), "float32 rejects: must be one of shape, broadcast"),
    (rejected(), put("parameters", "loss", value="x"), "parameters loss: must be known"),
    (activation(), put("parameters", "function", value="x"), "function: must be known and po"),
    (activation(), put("inputs", "x", "words", value="7ff8000000000001" * 6), "x words: a NaN"),
    (step(), put("parameters", "method", value="lion"), "parameters: must have the keys method"),
    (step(), drop("parameters", "eps"), "float64 parameters: must have the keys method, lr, weig"),
    (step(), put("parameters", "t", value=1.5), "parameters t: must be of type int; got 1.5"),
    (step(), drop("inputs", "v"), "float64 inputs: must be params, grads, m, v; got"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("record", "change", "text"), [*((dense(), *pair) for pair in DENSE), *OTHERS]
)
def test_anything_else_is_refused_in_one_line(record: Record, change: Change, text: str) -> None:
    """The message names file, case and key, says what must hold and what was found."""
    whole = json.loads(file_text(record.operation, "2026.1", [record]))
    change(whole)
    with pytest.raises(InputError) as caught:
        read_cases(json.dumps(whole), "file.json")
    message = str(caught.value)
    assert text in message
    assert message.startswith("file.json")
    assert "\n" not in message
    assert message.count("; got ") == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a":1,"b":2,"a":1}', "the key 'a' twice"),
        ('{"a":NaN}', "the number NaN"),
        ('{"a":-Infinity}', "the number -Infinity"),
        ("[" * 100_000, "recursion"),
        ('{"a":1', "Expecting"),
        ("", "Expecting value"),
    ],
)
def test_what_is_not_json_is_refused(text: str, found: str) -> None:
    """Also where Python's parser would take it."""
    with pytest.raises(InputError, match=r"^file\.json: must be JSON; got ") as caught:
        read_cases(text, "file.json")
    assert found in str(caught.value)


def test_a_list_and_a_repeated_id_are_refused() -> None:
    """A file is an object; an id stands once."""
    with pytest.raises(InputError, match=r"^file\.json: must have the keys format"):
        read_cases("[]", "file.json")
    text = file_text("dense", "2026.1", [dense(), dense()])
    with pytest.raises(InputError, match=f"ids must be unique; got '{ID}'"):
        read_cases(text, "file.json")


def test_the_largest_numbers_and_powers_of_two_are_accepted() -> None:
    """Half a unit is measured without overflow, and 0 has none."""
    hi = np.array([1.7976931348623157e308, -1.0, 0.0, 2.0**-1074])
    low = np.array([2.0**969, 2.0**-53, 0.0, 0.0])
    q = Certified((4,), hi, low, np.zeros(4), {"float64": np.zeros(4)})
    expected = {"params": q, "m": certified((4,)), "v": certified((4,))}
    text = file_text("optimizer", "2026.1", [step(expected=expected)])
    _, (found,) = read_cases(text, "file.json")
    assert same_bits(found.expected["params"].low, low)
    q = Certified((4,), hi, np.array([0, 0, 2.0**-1074, 0]), np.zeros(4), q.bounds)
    text = file_text("optimizer", "2026.1", [step(expected=expected | {"params": q})])
    with pytest.raises(InputError, match=r"lo must be at most half a unit of hi.*; got 2;"):
        read_cases(text, "file.json")
