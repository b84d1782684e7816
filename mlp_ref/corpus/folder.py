"""The folder of a corpus: where it is, its manifest, reading it whole and checked, writing it.

MANIFEST.json states the version, the licence, and for every file its size, its SHA-256 digest and
how much it holds; its own digest is over everything else in it. So any edit of any file is noticed
before a number is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

from mlp_ref.checks import InputError, fail, lookup
from mlp_ref.corpus.decoding import is_version, parse_json, read_cases
from mlp_ref.corpus.encoding import FORMAT, file_text
from mlp_ref.corpus.records import OPERATIONS, Record
from mlp_ref.files import PathName, atomic_path, quote

__all__ = [
    "LICENCE", "MANIFEST", "Corpus", "CorpusError", "files_of", "find", "load", "manifest_text",
    "write",
]  # fmt: skip

MANIFEST, LICENCE = "MANIFEST.json", "CC0-1.0"
_LISTED = 4  # files in a message
_AGAIN = "fetch the corpus again, or install mlp-ref"
_OTHER = "name one that mlp-ref certify wrote, or none for the corpus that mlp-ref brings"


class CorpusError(InputError):
    """The corpus is damaged, edited or incomplete: nothing can be judged by it."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """Certified cases.

    ``version``  such as 2026.1
    ``sha256``   of MANIFEST.json, which holds those of all files
    ``records``  in the order of the files
    ``folder``   where they were read
    """

    version: str
    sha256: str
    records: tuple[Record, ...]
    folder: Path

    def record(self, name: str) -> Record:
        """The record of that id; raises `InputError`, which names close ones, if there is none."""
        from difflib import get_close_matches

        known = {record.id: record for record in self.records}
        if name not in known:
            near = get_close_matches(name, known) or list(known)[:1]
            fail(
                "the id must be that of a case", repr(name),
                f"choose one, such as {' or '.join(near)}" if near else "see mlp-ref vectors list",
            )  # fmt: skip
        return known[name]


def find() -> Path:
    """The folder of the corpus: inside an installed package, or beside it in a checkout.

    Raises `CorpusError` if there is none.
    """
    package = Path(__file__).parents[1]
    for folder in (package / "vectors", package.parent / "conformance" / "vectors"):
        if (folder / MANIFEST).is_file():
            return folder
    return _refuse(package, "must come with its vectors", "none")


def load(operation: str | None = None, folder: PathName | None = None) -> Corpus:
    """Read the corpus, or the cases of one operation, after every digest has been checked.

    Raises `CorpusError` if ``folder`` is none of a corpus, or a file is missing, damaged, edited or
    not listed in the manifest.
    """
    if operation is not None:
        lookup("operation", operation, dict.fromkeys(OPERATIONS))
    path = find() if folder is None else _of_corpus(Path(folder))
    raw = _read(path / MANIFEST)
    manifest = _manifest(path, raw)
    contents = {entry["name"]: _checked(path, entry) for entry in manifest["files"]}
    records: list[Record] = []
    for entry in manifest["files"]:
        if operation in (None, entry["operation"]):
            records += _records(path / entry["name"], contents[entry["name"]], entry, manifest)
    return Corpus(manifest["corpus"], sha256(raw).hexdigest(), tuple(records), path)


def _of_corpus(path: Path) -> Path:
    """A folder that someone named, which must have a manifest: else say what is there instead."""
    try:
        if (path / MANIFEST).is_file():
            return path
        found, remedy = _contents(path)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        found, remedy = repr(getattr(error, "strerror", None) or str(error)), _OTHER
    raise CorpusError(
        f"{quote(path)} must be the folder of a corpus, with {MANIFEST} and the files that it "
        f"lists; got {found}; {remedy}"
    )


def _contents(path: Path) -> tuple[str, str]:
    """What is in place of the folder of a corpus, and the remedy, such as one nearby."""
    if not path.exists():
        return "nothing of that name", _OTHER
    if not path.is_dir():
        return "a file", _meant(path.parent) or _OTHER
    names = sorted(file.name for file in path.iterdir())
    if not names:
        return "an empty folder", _OTHER
    near = next(filter(None, (_meant(path / name) for name in names)), "")
    parts = {*names} & {_name(operation) for operation in OPERATIONS}
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    shown = ", ".join(repr(name)[1:-1] for name in names[:_LISTED])
    return f"a folder with {shown}{more}", near or (_AGAIN if parts else _OTHER)


def _meant(path: Path) -> str:
    return f"did you mean {quote(path)}?" if (path / MANIFEST).is_file() else ""


def write(
    folder: PathName, version: str, records: Iterable[Record], licence: str = LICENCE
) -> None:
    """Write the files of a corpus into an existing folder, its manifest last.

    Raises `InputError` if a file cannot be written.
    """
    for name, blob in files_of(version, records, licence).items():
        with atomic_path(Path(folder) / name) as temporary:
            temporary.write_bytes(blob)


def files_of(version: str, records: Iterable[Record], licence: str = LICENCE) -> dict[str, bytes]:
    """The files of a corpus by name: one per operation, and the manifest."""
    cases, blobs, entries = list(records), dict[str, bytes](), []
    for operation in OPERATIONS:
        own = [record for record in cases if record.operation == operation]
        if own:
            name = _name(operation)
            blobs[name] = file_text(operation, version, own).encode()
            entries.append(_entry(name, operation, own, blobs[name]))
    return blobs | {MANIFEST: manifest_text(version, entries, licence).encode()}


def manifest_text(version: str, files: Iterable[Mapping[str, Any]], licence: str = LICENCE) -> str:
    """MANIFEST.json, with its own digest."""
    entries = list(files)
    rest = {
        "format": FORMAT, "corpus": version, "licence": licence,
        "cases": sum(entry["cases"] for entry in entries),
        "entries": sum(entry["entries"] for entry in entries), "files": entries,
    }  # fmt: skip
    return json.dumps(rest | {"sha256": _own_digest(rest)}, indent=1) + "\n"


def _own_digest(rest: Mapping[str, Any]) -> str:
    return sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _entry(name: str, operation: str, records: list[Record], blob: bytes) -> dict[str, Any]:
    """What the manifest says of a file; entries are the stored expected numbers."""
    entries = sum(q.hi.size for record in records for q in record.expected.values())
    return {
        "name": name, "operation": operation, "cases": len(records), "entries": entries,
        "bytes": len(blob), "sha256": sha256(blob).hexdigest(),
    }  # fmt: skip


def _refuse(path: Path, invariant: str, received: object) -> NoReturn:
    raise CorpusError(f"{quote(path)} {invariant}; got {received}; {_AGAIN}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or str(error)
        _refuse(path, "must be a file of the corpus", repr(reason))


def _manifest(folder: Path, raw: bytes) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        found = parse_json(raw.decode(), MANIFEST)
        digest = found.pop("sha256")
        right = manifest_text(found["corpus"], found["files"], found["licence"]) == raw.decode()
        named = [_named(entry) for entry in found["files"]]
    except (InputError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        _refuse(path, "must be the manifest of a corpus", repr(error))
    if not is_version(found["corpus"]):
        _refuse(path, "must have a version such as 2026.1, or own", repr(found["corpus"]))
    if digest != _own_digest(found) or not right:
        _refuse(path, "must have the digest that it states", "another")
    listed = {entry["name"] for entry in found["files"]} if all(named) else set()
    if len(listed) < len(named):
        _refuse(path, "must list one file per operation, by its name", "others")
    present = {file.name for file in folder.glob("*.json")} - {MANIFEST}
    if listed != present:
        odd = ", ".join(sorted(listed ^ present))
        _refuse(folder, "must hold the files that its manifest lists", f"a difference in {odd}")
    return dict(found)


def _named(entry: Mapping[str, Any]) -> bool:
    """Whether a file has the name of its operation, and the entry what else it must have."""
    whole = set(entry) == {"name", "operation", "cases", "entries", "bytes", "sha256"}
    return whole and entry["operation"] in OPERATIONS and entry["name"] == _name(entry["operation"])


def _name(operation: str) -> str:
    return f"{operation}.json"


def _checked(folder: Path, entry: Mapping[str, Any]) -> bytes:
    blob = _read(folder / entry["name"])
    if sha256(blob).hexdigest() != entry["sha256"]:
        _refuse(folder / entry["name"], "must have the SHA-256 digest in the manifest", "another")
    return blob


@lru_cache(maxsize=16)  # reading every word again takes longer than all that follows
def _parsed(text: str, name: str) -> tuple[str, tuple[Record, ...]]:
    return read_cases(text, name)


def _records(
    path: Path, blob: bytes, entry: Mapping[str, Any], manifest: Mapping[str, Any]
) -> tuple[Record, ...]:
    try:
        version, records = _parsed(blob.decode(), path.name)
    except (InputError, UnicodeDecodeError) as error:
        raise CorpusError(f"{quote(path.parent)}: {error}") from None
    operations = {entry["operation"], *(record.operation for record in records)}
    told = (version, _entry(entry["name"], entry["operation"], list(records), blob))
    if told != (manifest["corpus"], dict(entry)) or len(operations) > 1:
        _refuse(path, "must have the version, operation and counts in the manifest", version)
    return records
