"""Records as one stream of tokens, for readers without a JSON parser: C's fscanf is enough.

The format is described in conformance/README.md. It is generated, never stored: plain ASCII, no
token has a blank in it, and every word has 16 digits, so that one format specifier reads them all.
The header tells how many cases follow; a file that ends before the last ``end`` is truncated.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.corpus.hexwords import DIGITS, to_hex
from mlp_ref.corpus.records import Certified, Generated, Record

__all__ = ["LINES_FORMAT", "given_lines", "lines_text"]

LINES_FORMAT = 1
_DIGITS = DIGITS["float64"]
_BOUNDS = ("float64", "float32")
_NONE = "-"  # a bound that is not stored, a digest that is not known


def lines_text(records: Iterable[Record], version: str, sha256: str = _NONE) -> str:
    """All of the records, under a header with the version and the digest of the manifest.

    Notes, flags, difficulty and provenance are left out: no number depends on them.
    """
    cases = list(records)
    lines = [f"mlp_ref-vectors {LINES_FORMAT} {version} {len(cases)} {sha256}"]
    for record in cases:
        lines += _case(record)
    return "\n".join(lines) + "\n"


def _case(record: Record) -> Iterator[str]:
    yield f"case {record.id} {record.operation} {record.arithmetic}"
    yield from given_lines(record.parameters, record.inputs, record.arithmetic)
    if record.rejects:
        yield f"reject {record.rejects}"
    for name, q in record.expected.items():
        yield from _expected(name, q)
    yield "end"


def given_lines(
    parameters: Mapping[str, Any], inputs: Mapping[str, Array | Generated], arithmetic: str
) -> Iterator[str]:
    """The parameters and inputs of a case or question."""
    for name, value in parameters.items():
        items = value if isinstance(value, list) else [value]
        yield " ".join(("parameter", name, str(len(items)), *map(_item, items)))
    for name, x in inputs.items():
        yield from _input(name, x, arithmetic)


def _item(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _input(name: str, x: Array | Generated, arithmetic: str) -> Iterator[str]:
    if isinstance(x, Generated):
        yield (
            f"generate {name} {arithmetic} {_sizes(x.shape)} "
            f"{x.seed:016x} {x.modulus} {x.offset} {_word(x.scale)}"
        )
        return
    yield f"input {name} {x.dtype} {_sizes(x.shape)}"
    yield from _words(x if x.dtype.kind == "i" else x.astype(np.float64))


def _expected(name: str, q: Certified) -> Iterator[str]:
    count = q.hi.size
    yield f"expect {name} {_sizes(q.shape)} {count}"
    yield from map(" ".join, zip(
        map(str, range(count) if q.index is None else q.index),
        _words(q.hi), _words(q.low), _words(q.radius),
        *(_words(q.bounds[A]) if A in q.bounds else [_NONE] * count for A in _BOUNDS),
        strict=True,
    ))  # fmt: skip
    for k in sorted(q.sets):
        yield " ".join(("set", name, str(k), str(len(q.sets[k])), *map(_word, q.sets[k])))
    if q.signed_zeros:
        yield f"signed_zeros {name}"
    if q.checksum is not None:
        yield f"checksum {name} {_word(q.checksum)}"


def _sizes(shape: tuple[int, ...]) -> str:
    return " ".join(map(str, (len(shape), *shape)))


def _words(x: Array) -> list[str]:
    text = to_hex(x)
    return [text[k : k + _DIGITS] for k in range(0, len(text), _DIGITS)]


def _word(x: float) -> str:
    return to_hex(np.array(x, np.float64))
