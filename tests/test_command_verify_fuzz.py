"""2,000 damaged corpora: whatever a byte becomes, there is one line, and never a false pass."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from mlp_ref.cli import main
from mlp_ref.corpus import load, write
from mlp_ref.corpus.folder import MANIFEST, manifest_text
from mlp_ref.corpus.records import OPERATIONS, Record

FUZZ = 1000
Change = Callable[[random.Random, bytes], bytes]


def flip(rng: random.Random, blob: bytes) -> bytes:
    """A bit or a few of one byte."""
    place = rng.randrange(len(blob))
    return blob[:place] + bytes([blob[place] ^ rng.randrange(1, 256)]) + blob[place + 1 :]


def swap(rng: random.Random, blob: bytes) -> bytes:
    """A character that JSON or hex may have there."""
    place = rng.randrange(len(blob))
    return blob[:place] + bytes([rng.choice(b'0123456789abcdef{}[]",:.-en')]) + blob[place + 1 :]


def digit(rng: random.Random, blob: bytes) -> bytes:
    """Another digit: what is left is JSON of the same form."""
    places = [k for k, byte in enumerate(blob) if chr(byte) in "0123456789"]
    place = rng.choice(places)
    return blob[:place] + rng.choice("0123456789").encode() + blob[place + 1 :]


def truncate(rng: random.Random, blob: bytes) -> bytes:
    """The end is missing."""
    return blob[: rng.randrange(len(blob))]


def delete(rng: random.Random, blob: bytes) -> bytes:
    """A part is missing."""
    begin = rng.randrange(len(blob))
    return blob[:begin] + blob[begin + rng.randrange(1, 40) :]


def repeat(rng: random.Random, blob: bytes) -> bytes:
    """A part stands there twice."""
    begin = rng.randrange(len(blob))
    return blob[:begin] + blob[begin : begin + rng.randrange(1, 40)] + blob[begin:]


CHANGES: tuple[Change, ...] = (flip, swap, digit, truncate, delete, repeat)


def smallest() -> list[Record]:
    """The smallest case of each operation, and one of wrong inputs."""
    records = load().records
    found = [
        min(
            (r for r in records if r.operation == name and r.rejects == ""),
            key=lambda r: sum(x.size for x in (*r.arrays().values(),)),
        )
        for name in OPERATIONS
    ]
    return [*found, next(r for r in records if r.rejects)]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small corpus, which the reference passes."""
    monkeypatch.chdir(tmp_path)
    folder = Path("own")
    folder.mkdir()
    write(folder, "own", smallest(), licence="none")
    assert main(["verify", "--vectors", "own"]) == 0
    return folder


def outcome(capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Status, output and errors of a run; whatever it raises fails the test."""
    capsys.readouterr()
    status = main(["verify", "--vectors", "own"])
    return status, *capsys.readouterr()


@pytest.mark.slow
def test_damage_is_never_judged(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every change of any file, the manifest included, ends with 4 and one line."""
    rng = random.Random(6)
    files = sorted(corpus.glob("*.json"))
    changed = 0
    for k in range(FUZZ):
        file, change = rng.choice(files), CHANGES[k % len(CHANGES)]
        before = file.read_bytes()
        after = change(rng, before)
        if after == before:
            continue
        changed += 1
        file.write_bytes(after)
        status, out, err = outcome(capsys)
        assert (status, out, err.count("\n")) == (4, "", 1), (file, change, err)
        assert err.startswith("mlp-ref: error: ")
        file.write_bytes(before)
    assert changed > 0.9 * FUZZ
    assert outcome(capsys)[0] == 0


def signed(corpus: Path) -> None:
    """Let the manifest state the digests of the files as they are."""
    path = corpus / MANIFEST
    found = json.loads(path.read_text("ascii"))
    for entry in found["files"]:
        blob = (corpus / entry["name"]).read_bytes()
        entry |= {"bytes": len(blob), "sha256": sha256(blob).hexdigest()}
    path.write_text(manifest_text(found["corpus"], found["files"], found["licence"]), "ascii")


@pytest.mark.slow
def test_damage_that_somebody_signed_is_read_strictly(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With right digests a file must still be one in every detail, or another corpus in fact.

    Refused in one line, or judged: then what the file states is what the verdict follows from.
    """
    rng = random.Random(7)
    files = sorted(set(corpus.glob("*.json")) - {corpus / MANIFEST})
    seen: dict[int, int] = {}
    for k in range(FUZZ):
        file, change = rng.choice(files), CHANGES[k % len(CHANGES)]
        before, manifest = file.read_bytes(), (corpus / MANIFEST).read_bytes()
        file.write_bytes(change(rng, before))
        signed(corpus)
        status, out, err = outcome(capsys)
        seen[status] = seen.get(status, 0) + 1
        assert status in (0, 1, 2, 4), (file, change)
        if status in (2, 4):
            assert (out, err.count("\n")) == ("", 1), (file, change, err)
            assert err.startswith("mlp-ref: error: ")
        else:
            assert err == ""
            assert ("\nPASS  numpy" in out) == (status == 0)
        file.write_bytes(before)
        (corpus / MANIFEST).write_bytes(manifest)
    assert seen[4] > FUZZ // 2
    assert seen[1] > 10
