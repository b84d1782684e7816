"""The line format: one stream of tokens that says all that a reader needs."""

from __future__ import annotations

import json
import re
import struct
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest

from mlp_ref.corpus import load
from mlp_ref.corpus.encoding import encode_case
from mlp_ref.corpus.hexwords import to_short
from mlp_ref.corpus.lines import lines_text
from mlp_ref.corpus.records import Certified, Generated, Record

README = (Path(__file__).parents[1] / "conformance" / "README.md").read_text("utf-8")
CORPUS = load(folder=Path(__file__).parents[1] / "conformance" / "vectors")
ONE = "3ff0000000000000"


def record(**parts: object) -> Record:
    """A case that has what is asked for, and else nothing."""
    plain = {"parameters": {}, "inputs": {}, "arithmetic": "float32"} | parts
    return Record("x/y/float32", "x", note="a b c", difficulty=1, flags=("Zeros",), **plain)


def body(**parts: object) -> list[str]:
    """The lines between case and end."""
    head, case, *lines, end = lines_text([record(**parts)], "2026.1").splitlines()
    assert (head, end) == ("mlp_ref-vectors 1 2026.1 1 -", "end")
    assert case.startswith("case x/y/float32 x ")
    return lines


def test_the_header() -> None:
    """Format, version of the corpus, number of cases, digest of the manifest."""
    assert lines_text([], "2026.1", "ab12") == "mlp_ref-vectors 1 2026.1 0 ab12\n"


def test_parameters() -> None:
    """Name, count, and as many values: names, decimals, true or false."""
    parameters = {
        "activations": ["tanh", "identity"], "loss": "squared_error", "lr": 0.1, "t": 3,
        "nesterov": False, "eps": 1e-08,
    }  # fmt: skip
    assert body(parameters=parameters) == [
        "parameter activations 2 tanh identity", "parameter loss 1 squared_error",
        "parameter lr 1 0.1", "parameter t 1 3", "parameter nesterov 1 false",
        "parameter eps 1 1e-08",
    ]  # fmt: skip


def test_inputs() -> None:
    """Every word has 16 digits: a float32 is the float64 of the same value."""
    inputs = {
        "x": np.array([[1.0, nan]], np.float32), "target": np.array([-1, 3]),
        "s": np.array(-0.0), "none": np.zeros((0, 2)),
        "W": Generated((3,), 0xAB, 7, -3, 0.5),
    }  # fmt: skip
    assert body(inputs=inputs) == [
        "input x float32 2 1 2", ONE, "7ff8000000000000",
        "input target int64 1 2", "ffffffffffffffff", "0000000000000003",
        "input s float64 0", "8000000000000000",
        "input none float64 2 0 2",
        "generate W float32 1 3 00000000000000ab 7 -3 3fe0000000000000",
    ]  # fmt: skip


def test_expected() -> None:
    """Index, hi, lo, radius and two bounds in a row, then what else is known of the tensor."""
    whole = Certified(
        (2,), np.array([1.0, -inf]), np.array([2.0**-60, 0]), np.array([2.0**-107, 0]),
        {"float64": np.array([0.5, 0])}, sets={1: (0.0, 1.0)}, signed_zeros=True,
    )  # fmt: skip
    zero = "0" * 16
    assert body(expected={"y": whole}) == [
        "expect y 1 2 2",
        f"0 {ONE} 3c30000000000000 3940000000000000 3fe0000000000000 -",
        f"1 fff0000000000000 {zero} {zero} {zero} -",
        f"set y 1 2 {zero} {ONE}",
        "signed_zeros y",
    ]
    one = np.array([1.0])
    part = Certified(
        (4, 5), one, 0 * one, 0 * one, {"float64": 0 * one, "float32": one}, np.array([7]), 1.0
    )
    assert body(expected={"y": part}) == [
        "expect y 2 4 5 1", f"7 {ONE} {zero} {zero} {zero} {ONE}", f"checksum y {ONE}",
    ]  # fmt: skip


def test_error_cases() -> None:
    """An invariant, and no expected numbers."""
    assert body(rejects="shape") == ["reject shape"]


def test_the_corpus_is_a_stream_of_tokens() -> None:
    """ASCII, single blanks, and neither ``case`` nor ``end`` stands anywhere else."""
    text = lines_text(CORPUS.records, CORPUS.version, CORPUS.sha256)
    assert re.fullmatch(r"([!-~]+( [!-~]+)*\n)+", text)
    tokens = text.split()
    assert tokens.count("case") == tokens.count("end") == len(CORPUS.records)
    assert tokens[3] == str(len(CORPUS.records))
    assert text == lines_text(list(CORPUS.records), CORPUS.version, CORPUS.sha256)
    assert max(map(len, tokens)) < 256  # what the reader in C allows for


def test_every_stored_number_is_there() -> None:
    """As many rows as the manifest counts entries; no digit is lost on the way."""
    rows = [
        line.split()
        for line in lines_text(CORPUS.records, CORPUS.version).splitlines()
        if line[0].isdigit() and line.count(" ") == 5
    ]
    stored = [q for r in CORPUS.records for q in r.expected.values()]
    assert len(rows) == sum(q.hi.size for q in stored)
    for column, part in ((1, "hi"), (2, "low"), (3, "radius")):
        read = np.array([int(row[column], 16) for row in rows], np.uint64).view(np.float64)
        assert np.array_equal(
            read, np.concatenate([getattr(q, part).reshape(-1) for q in stored]), equal_nan=True
        )


EXAMPLE = "dense/shape-1-1-1/float64"


def fenced(language: str) -> list[str]:
    """The blocks of that language in the contract."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_contract_shows_a_real_case() -> None:
    """The example of both formats is the case of that id in the corpus, to the last digit."""
    example = CORPUS.record(EXAMPLE)
    (shown,) = (json.loads(text) for text in fenced("json") if EXAMPLE in text)
    assert shown == encode_case(example)
    lines = lines_text([example], CORPUS.version).splitlines()
    (shown_lines,) = (text for text in fenced("text") if text.startswith("case"))
    assert shown_lines.splitlines() == lines[1:]


def test_the_contract_states_the_generator_and_short_words_rightly() -> None:
    """Its numbers are those of the program."""
    words = re.findall(r"`([0-9a-f]{16})`", README)
    assert "e220a8397b1dcdaf" in words
    step = 0x9E3779B97F4A7C15
    assert Generated((1,), 2**64 - step, 1 << 25, 0, 1.0).array()[0] == 0  # state 0 gives output 0
    first = Generated((1,), 0, 1 << 24, 0, 1.0).array()[0]
    assert first == (0xE220A8397B1DCDAF >> 11) % (1 << 24)
    assert "3cc3" in README
    assert struct.pack(">d", 19 * 2.0**-55).hex() == "3cc3000000000000"
    assert to_short(np.array([19 * 2.0**-55])) == "3cc3"


@pytest.mark.parametrize("name", sorted({p for r in CORPUS.records for p in r.parameters}))
def test_the_contract_names_every_parameter(name: str) -> None:
    """As code."""
    assert f"`{name}`" in README


@pytest.mark.parametrize(
    "name",
    sorted({r.operation for r in CORPUS.records} | {r.rejects for r in CORPUS.records} - {""}),
)
def test_the_contract_names_every_operation_and_invariant(name: str) -> None:
    """As code."""
    assert f"`{name}`" in README
