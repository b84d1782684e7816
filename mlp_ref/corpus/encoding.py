"""Records as JSON, one case a line: equal records give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.corpus.hexwords import to_hex, to_short
from mlp_ref.corpus.records import FLAGS, Certified, Generated, Record

__all__ = ["FORMAT", "case_text", "encode_case", "file_text", "question_text"]

FORMAT = 1


def file_text(operation: str, version: str, records: Iterable[Record]) -> str:
    """The file of one operation: a header, then one case a line."""
    cases = list(records)
    flags = sorted({flag for record in cases for flag in record.flags})
    head = {
        "format": FORMAT, "corpus": version, "operation": operation,
        "notes": {flag: FLAGS[flag] for flag in flags},
    }  # fmt: skip
    lines = ",\n".join(case_text(record) for record in cases)
    return f'{_json(head)[:-1]},"cases":[\n{lines}\n]}}\n'


def case_text(record: Record) -> str:
    """One case on one line."""
    return _json(encode_case(record))


def question_text(record: Record) -> str:
    """What of a case must never change without an erratum: all but words of explanation."""
    told = ("note", "difficulty", "flags", "provenance")
    return _json({key: x for key, x in encode_case(record).items() if key not in told})


def encode_case(record: Record) -> dict[str, Any]:
    """One case as JSON values, with its keys in their order."""
    case: dict[str, Any] = {
        "id": record.id, "note": record.note, "since": record.since,
        "difficulty": record.difficulty, "flags": list(record.flags),
        "arithmetic": record.arithmetic, "parameters": dict(record.parameters),
        "inputs": {name: _input(x, record.arithmetic) for name, x in record.inputs.items()},
    }  # fmt: skip
    if record.rejects:
        return case | {"rejects": record.rejects}
    expected = {name: _expected(q) for name, q in record.expected.items()}
    return case | {"expected": expected, "provenance": dict(record.provenance)}


def _input(x: Array | Generated, arithmetic: str) -> dict[str, Any]:
    if isinstance(x, Generated):
        recipe = {
            "seed": f"{x.seed:016x}", "modulus": x.modulus, "offset": x.offset, "scale": x.scale,
        }  # fmt: skip
        return {"shape": list(x.shape), "dtype": arithmetic, "generator": recipe}
    return {"shape": list(x.shape), "dtype": x.dtype.name, "words": to_hex(x)}


def _expected(q: Certified) -> dict[str, Any]:
    tensor: dict[str, Any] = {
        "shape": list(q.shape), "hi": to_hex(q.hi), "lo": to_hex(q.low),
        "radius": to_short(q.radius),
        "bound": {name: to_short(bound) for name, bound in q.bounds.items()},
    }  # fmt: skip
    if q.index is not None:
        tensor["index"] = [int(k) for k in q.index]
    if q.checksum is not None:
        tensor["checksum"] = to_hex(_scalar(q.checksum))
    if q.sets:
        tensor["sets"] = {str(k): [to_hex(_scalar(x)) for x in q.sets[k]] for k in sorted(q.sets)}
    if q.signed_zeros:
        tensor["signed_zeros"] = True
    return tensor


def _scalar(x: float) -> Array:
    return np.array(x, np.float64)


def _json(x: Any) -> str:
    return json.dumps(x, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
