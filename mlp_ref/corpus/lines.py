"""Records as lines of words and numbers, for readers without a JSON parser.

The format is described in conformance/README.md. Lines are generated, never stored: ASCII, fields
separated by single spaces, every number of a tensor as the 16 hex digits of a float64 or of a
64-bit integer. The last line has the number of cases and the CRC-32 of all bytes before it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from zlib import crc32

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.corpus.hexwords import to_hex
from mlp_ref.corpus.records import Certified, Generated, Record

__all__ = ["LINES_FORMAT", "lines_text"]

LINES_FORMAT = 1
_DIGITS = 16
_MISSING = "-"


def lines_text(records: Iterable[Record], version: str, sha256: str) -> str:
    """The whole text: a header, the records, and a last line with count and CRC-32."""
    cases = list(records)
    parts = [f"mlp_ref {LINES_FORMAT} {version} {sha256}"]
    for record in cases:
        parts += _case(record)
    body = "\n".join(parts) + "\n"
    return f"{body}total {len(cases)} {crc32(body.encode('ascii')):08x}\n"


def _case(record: Record) -> Iterator[str]:
    yield f"case {record.id} {record.operation} {record.arithmetic} {record.difficulty}"
    yield f"note {record.note}"
    for flag in record.flags:
        yield f"flag {flag}"
    for name, value in record.parameters.items():
        for item in value if isinstance(value, list) else [value]:
            yield f"parameter {name} {item if isinstance(item, str) else json.dumps(item)}"
    for name, x in record.inputs.items():
        yield from _input(name, x, record.arithmetic)
    if record.rejects:
        yield f"reject {record.rejects}"
    for name, q in record.expected.items():
        yield from _expected(name, q)
    yield "end"


def _input(name: str, x: Array | Generated, arithmetic: str) -> Iterator[str]:
    if isinstance(x, Generated):
        yield (
            f"generate {name} {arithmetic} {_sizes(x.shape)} {x.seed:016x} {x.modulus} {x.offset} "
            f"{_word(x.scale)}"
        )
        return
    yield f"input {name} {x.dtype} {_sizes(x.shape)}"
    yield from _words(x if x.dtype.kind == "i" else x.astype(np.float64))


def _expected(name: str, q: Certified) -> Iterator[str]:
    count = q.hi.size
    yield f"expect {name} {_sizes(q.shape)} {count}"
    index = range(count) if q.index is None else q.index
    missing = [_MISSING] * count
    bounds = (
        _words(q.bounds[key]) if key in q.bounds else missing for key in ("float64", "float32")
    )
    rows = zip(index, _words(q.hi), _words(q.low), _words(q.radius), *bounds, strict=True)
    for row in rows:
        yield " ".join(map(str, row))
    for k, values in q.sets.items():
        yield f"set {name} {k} {len(values)} {' '.join(map(_word, values))}"
    if q.signed_zeros:
        yield f"signed_zeros {name}"
    if q.checksum is not None:
        yield f"checksum {name} {_word(q.checksum)}"


def _sizes(shape: tuple[int, ...]) -> str:
    return " ".join(map(str, (len(shape), *shape)))


def _words(x: Array) -> list[str]:
    text = to_hex(x)
    return [text[k : k + _DIGITS] for k in range(0, len(text), _DIGITS)]


def _word(x: Any) -> str:
    return to_hex(np.array(x, np.float64))
