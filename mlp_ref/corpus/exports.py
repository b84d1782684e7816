"""The corpus in other files: arrays by name for NumPy and safetensors, lines, a C header.

In .npz and .safetensors every array is named ``ID/input/NAME`` or ``ID/expected/NAME/PART``, with
the parts hi, lo, radius, bound64, bound32 and, where there are such, index, checksum and set/K, all
that is right at flat index K. One text, ``mlp_ref``, in the header of .safetensors, holds what is
no array, as JSON: corpus, sha256, and for each case, by id, note, difficulty, flags, parameters and
so on, with the shape of every expected tensor. Equal records give equal bytes.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.checks import lookup
from mlp_ref.corpus.c_header import c_header_text
from mlp_ref.corpus.lines import lines_text
from mlp_ref.corpus.records import Certified, Record
from mlp_ref.files import PathName, atomic_path
from mlp_ref.tensors import write_tensors

__all__ = ["FORMATS", "arrays_of", "export", "facts_of"]

_KEY = "mlp_ref"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the time of writing would differ, and so would the bytes
_UNIX = 3
_BOUNDS = {"float64": "bound64", "float32": "bound32"}


def export(path: PathName, to: str, records: Iterable[Record], version: str, sha256: str) -> None:
    """Write records in a format of `FORMATS`, atomically.

    ``version`` and ``sha256`` are those of the corpus. Raises `InputError` for another format, and
    if the file cannot be written.
    """
    write = lookup("the format", to, FORMATS)
    write(path, list(records), version, sha256)


def arrays_of(records: Iterable[Record]) -> dict[str, Array]:
    """Every array of the records by name, generated ones written out."""
    found: dict[str, Array] = {}
    for record in records:
        found |= {f"{record.id}/input/{name}": x for name, x in record.arrays().items()}
        for name, q in record.expected.items():
            found |= {f"{record.id}/expected/{name}/{part}": x for part, x in _parts(q).items()}
    return found


def facts_of(records: Iterable[Record], version: str, sha256: str) -> str:
    """What is no array, as JSON."""
    cases = {
        record.id: {
            "operation": record.operation, "arithmetic": record.arithmetic, "note": record.note,
            "since": record.since, "difficulty": record.difficulty, "flags": list(record.flags),
            "parameters": dict(record.parameters), "rejects": record.rejects,
            "expected": {
                name: {"shape": list(q.shape), "signed_zeros": q.signed_zeros}
                for name, q in record.expected.items()
            },
        }
        for record in records
    }  # fmt: skip
    return json.dumps({"corpus": version, "sha256": sha256, "cases": cases})


def _parts(q: Certified) -> dict[str, Array]:
    parts = {"hi": q.hi, "lo": q.low, "radius": q.radius}
    parts |= {_BOUNDS[name]: bound for name, bound in q.bounds.items()}
    if q.index is not None:
        parts["index"] = q.index
    if q.checksum is not None:
        parts["checksum"] = np.array(q.checksum, np.float64)
    return parts | {f"set/{k}": np.array(x, np.float64) for k, x in q.sets.items()}


def _npz(path: PathName, records: list[Record], version: str, sha256: str) -> None:
    text = np.array(facts_of(records, version, sha256))
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, x in {_KEY: text, **arrays_of(records)}.items():
            member = BytesIO()
            np.lib.format.write_array(member, np.asanyarray(x), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            entry.create_system = _UNIX
            archive.writestr(entry, member.getvalue())


def _safetensors(path: PathName, records: list[Record], version: str, sha256: str) -> None:
    write_tensors(path, arrays_of(records), {_KEY: facts_of(records, version, sha256)})


def _text(
    make: Callable[[list[Record], str, str], str],
) -> Callable[[PathName, list[Record], str, str], None]:
    def write(path: PathName, records: list[Record], version: str, sha256: str) -> None:
        with atomic_path(path) as temporary:
            Path(temporary).write_bytes(make(records, version, sha256).encode("ascii"))

    return write


# what --to takes -> how it is written
FORMATS: Mapping[str, Callable[[PathName, list[Record], str, str], Any]] = MappingProxyType(
    {
        "npz": _npz,
        "safetensors": _safetensors,
        "lines": _text(lines_text),
        "c-header": _text(c_header_text),
    }
)
