"""Safetensors files: named arrays, a header of texts, and a digest that notices a flipped bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.checks import describe, fail
from mlp_ref.files import PathName, atomic_path, quote, require_file

__all__ = ["DTYPES", "read_tensors", "seal", "unseal", "write_tensors"]

DTYPES: Mapping[str, Any] = MappingProxyType({"F32": np.float32, "F64": np.float64})


def write_tensors(path: PathName, tensors: Mapping[str, Array], header: Mapping[str, str]) -> None:
    """Write float32 and float64 arrays of any shape and a header of texts, atomically.

    Raises `InputError` if safetensors is not installed.
    """
    _, numpy_form = _safetensors()
    blob = numpy_form.save({k: np.asarray(v, order="C") for k, v in tensors.items()}, dict(header))
    with atomic_path(path) as temporary:
        temporary.write_bytes(blob)


def read_tensors(path: PathName) -> tuple[dict[str, Array], dict[str, str]]:
    """Read the float32 and float64 arrays of a safetensors file, and its header of texts.

    Raises `InputError` if the file is missing or damaged, or holds tensors of another dtype, or if
    safetensors is not installed.
    """
    library, _ = _safetensors()
    tensors: dict[str, Array] = {}
    try:
        with library.safe_open(require_file(path), "numpy") as file:
            for name in file.keys():  # noqa: SIM118 (not a mapping)
                kind = file.get_slice(name).get_dtype()
                if kind not in DTYPES:
                    fail(
                        f"tensor {name!r} of {quote(path)} must be F32 or F64", kind,
                        "convert the model to float32 before saving, such as with net.float()",
                    )  # fmt: skip
                tensors[name] = file.get_tensor(name)
            return tensors, file.metadata() or {}
    except (library.SafetensorError, OSError) as error:
        fail(
            f"{quote(path)} must be a whole safetensors file", repr(" ".join(str(error).split())),
            "fetch it or save it again",
        )  # fmt: skip


def _safetensors() -> tuple[Any, Any]:
    """The library and its form for NumPy: a program that stores no model needs neither."""
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        fail("model files need safetensors", "no module safetensors", "pip install safetensors")
    return safetensors, safetensors.numpy


def seal(entry: Mapping[str, Any], version: int, tensors: Mapping[str, Array]) -> str:
    """One header text: ``entry`` as JSON with a format version and a SHA-256 digest of it all.

    One text, because the order of several varies: equal content gives equal bytes. Raises
    `InputError` unless JSON keeps the entry unchanged.
    """
    whole = {**entry, "format": version}
    return _json({**whole, "sha256": _digest(whole, tensors)})


def unseal(
    path: PathName, text: str, version: int, tensors: Mapping[str, Array], kinds: Mapping[str, type]
) -> dict[str, Any]:
    """Return the entry that `seal` made a text of.

    Raises `InputError` for another format, for a digest that entry and tensors do not have, and
    unless the entry has the keys of ``kinds`` with values of those types.
    """
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        entry = None
    found = entry.get("format") if isinstance(entry, dict) else None
    if entry is None or found != version:
        fail(
            f"{quote(path)} must have format {version}", repr(found),
            "update mlp_ref, or save the file again",
        )  # fmt: skip
    recorded = entry.pop("sha256", None)
    whole = all(isinstance(entry.get(key), kind) for key, kind in kinds.items())
    if not whole or recorded != _digest(entry, tensors):
        fail(
            f"{quote(path)} must match the SHA-256 digest in its header", "another digest",
            "the file was damaged or edited: fetch it or save it again",
        )  # fmt: skip
    del entry["format"]
    return dict(entry)


def _digest(entry: Mapping[str, Any], tensors: Mapping[str, Array]) -> str:
    digest = sha256(_json(entry).encode())
    for name, tensor in sorted(tensors.items()):
        little = np.asarray(tensor, tensor.dtype.newbyteorder("<"), order="C")
        digest.update(f" {name} {tensor.dtype} {tensor.shape} ".encode() + little.tobytes())
    return digest.hexdigest()


def _json(entry: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(entry, allow_nan=False, sort_keys=True)
        if json.loads(text) == entry:
            return text
    except (TypeError, ValueError, RecursionError):
        pass
    fail(
        "metadata must be what JSON keeps unchanged", describe(entry),
        "use strings, finite numbers, lists, and mappings with strings as keys",
    )  # fmt: skip
