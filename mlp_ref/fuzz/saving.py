"""Failures as a corpus, for ``verify --vectors`` and ``certify --promote``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mlp_ref.checks import fail
from mlp_ref.corpus import load, write
from mlp_ref.corpus.folder import MANIFEST
from mlp_ref.corpus.records import Record
from mlp_ref.files import PathName, quote
from mlp_ref.fuzz.cases import stored

__all__ = ["OWN", "require_folder", "save"]

OWN = "own"  # the version of a corpus of the user's


def require_folder(path: PathName) -> dict[str, Record]:
    """The cases that the folder holds already, by id; none if it does not exist yet.

    Raises `InputError` if it is no folder, or holds anything but a corpus of the user's own.
    """
    folder = Path(path)
    if not folder.exists():
        return {}
    if not folder.is_dir():
        fail("--save must name a folder", f"the file {quote(path)}", "choose another name")
    if not (folder / MANIFEST).is_file():
        others = sorted(file.name for file in folder.glob("*.json"))
        if others:
            fail("--save must name a folder of its own", f"{others[0]} in it", "choose another")
        return {}
    found = load(folder=folder)
    if found.version != OWN:
        fail(
            "--save must name a folder of your own cases", f"corpus {found.version}",
            "choose another",
        )  # fmt: skip
    return {record.id: record for record in found.records}


def save(path: PathName, records: Iterable[Record]) -> int:
    """Add cases to those of the folder, which stay as they are; return how many there are.

    Raises `InputError` if the folder is none of the user's own, or cannot be written.
    """
    held = require_folder(path)
    for record in records:
        if record.id not in held:
            held[record.id] = stored(record)
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail("--save must name a folder that can be made", repr(error.strerror), "choose another")
    write(path, OWN, held.values(), licence="none")
    return len(held)
