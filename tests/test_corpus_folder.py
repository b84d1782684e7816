"""The folder of a corpus: found, read whole, and never after an edit, however small."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from example_records import activation, records

import mlp_ref
from mlp_ref.checks import InputError
from mlp_ref.corpus import Corpus, CorpusError, find, load, write
from mlp_ref.corpus import folder as folder_module
from mlp_ref.corpus.encoding import file_text
from mlp_ref.corpus.folder import MANIFEST, manifest_text

REAL = Path(mlp_ref.__file__).parents[1] / "conformance" / "vectors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small corpus."""
    write(tmp_path, "2026.1", records())
    return tmp_path


def test_what_is_written_is_read(folder: Path) -> None:
    """All cases, or those of one operation, with the version and the digest of the manifest."""
    corpus = load(folder=folder)
    assert isinstance(corpus, Corpus)
    assert [record.id for record in corpus.records] == [record.id for record in records()]
    assert corpus.version == "2026.1"
    assert corpus.sha256 == sha256((folder / MANIFEST).read_bytes()).hexdigest()
    assert corpus.record("dense/every-field/float32").difficulty == 1
    (only,) = load("loss", folder).records
    assert only.rejects == "labels"
    assert load("mlp", folder).records == ()


def test_equal_records_give_equal_bytes(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also when they were read from a corpus."""
    other = tmp_path_factory.mktemp("other")
    write(other, "2026.1", load(folder=folder).records)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        p.name: p.read_bytes() for p in other.iterdir()
    }


def test_the_manifest_states_what_the_files_hold(folder: Path) -> None:
    """Names, cases, stored expected entries, bytes, digests, and their sums."""
    manifest = json.loads((folder / MANIFEST).read_text("ascii"))
    assert (manifest["cases"], manifest["licence"], manifest["corpus"]) == (4, "CC0-1.0", "2026.1")
    assert manifest["entries"] == sum(entry["entries"] for entry in manifest["files"])
    entries = {entry["name"]: entry for entry in manifest["files"]}
    assert set(entries) == {"activation.json", "dense.json", "loss.json", "optimizer.json"}
    assert [entries[n]["entries"] for n in ("activation.json", "dense.json")] == [12, 21]
    for name, entry in entries.items():
        blob = (folder / name).read_bytes()
        assert (entry["bytes"], entry["sha256"]) == (len(blob), sha256(blob).hexdigest())
    own = manifest.pop("sha256")
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    assert own == sha256(canonical.encode()).hexdigest()


def flips(blob: bytes) -> list[int]:
    """Places of hex digits."""
    return [k for k, c in enumerate(blob) if chr(c) in "0123456789abcdef"]


@pytest.mark.parametrize("name", [MANIFEST, "dense.json", "loss.json"])
def test_every_flipped_digit_is_noticed(folder: Path, name: str) -> None:
    """One digit replaced by another, anywhere, in the manifest as well: nothing is returned."""
    path = folder / name
    blob = path.read_bytes()
    for k in flips(blob):
        other = b"1" if blob[k : k + 1] == b"0" else b"0"
        path.write_bytes(blob[:k] + other + blob[k + 1 :])
        with pytest.raises(CorpusError):
            load("optimizer", folder)
    path.write_bytes(blob)
    assert load(folder=folder).records


def replace(folder: Path, name: str, old: str, new: str) -> None:
    """Edit a file."""
    path = folder / name
    text = path.read_text("ascii")
    assert old in text
    path.write_text(text.replace(old, new, 1), "ascii")


def forge(folder: Path, name: str, blob: bytes, **change: object) -> None:
    """Replace a file, and state its new digest and size in the manifest, well or badly."""
    manifest = json.loads((folder / MANIFEST).read_text("ascii"))
    for entry in manifest["files"]:
        if entry["name"] == name:
            entry.update({"sha256": sha256(blob).hexdigest(), "bytes": len(blob)} | change)
    (folder / name).write_bytes(blob)
    (folder / MANIFEST).write_text(manifest_text("2026.1", manifest["files"]), "ascii")


def cases(version: str = "2026.1", **change: object) -> bytes:
    """A file of activations."""
    return file_text("activation", version, [activation(**change)]).encode()


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no manifest": (lambda f: (f / MANIFEST).unlink(), "must be the folder of a corpus, with MANI"),
    "no file": (lambda f: (f / "loss.json").unlink(), "a difference in loss.json; fetch"),
    "a file more": (lambda f: (f / "odd.json").write_text("{}"), "a difference in odd.json"),
    "edited": (lambda f: replace(f, "loss.json", "no row", "no rox"), "loss.json' must have the S"),
    "truncated": (lambda f: (f / "loss.json").write_bytes(b""), "loss.json' must have the SHA-256"),
    "no JSON": (lambda f: (f / MANIFEST).write_text("{"), "MANIFEST.json' must be the manifest of"),
    "another object": (lambda f: (f / MANIFEST).write_text("[]"), "must be the manifest of a cor"),
    "not text": (lambda f: (f / MANIFEST).write_bytes(b"\xff"), "must be the manifest of a corpus"),
    "another count": (lambda f: replace(f, MANIFEST, '"cases": 4', '"cases": 5'), "must have the"),
    "other spaces": (lambda f: replace(f, MANIFEST, '"cases": 4', '"cases":  4'), "must have the"),
    "another licence": (lambda f: replace(f, MANIFEST, "CC0-1.0", "CC0-1.1"), "must have the"),
    "a file outside": (
        lambda f: replace(f, MANIFEST, '"loss.json"', '"../loss.json"'), "MANIFEST.json' must "
    ),
    "another version": (
        lambda f: forge(f, "activation.json", cases("2026.2")), "must have the version, operation"
    ),
    "wrong entries": (
        lambda f: forge(f, "activation.json", cases(), entries=11), "must have the version, operat"
    ),
    "wrong cases": (
        lambda f: forge(f, "activation.json", cases(), cases=2), "must have the version, operation"
    ),
    "no schema": (
        lambda f: forge(f, "activation.json", cases(difficulty=9)),
        "activation.json activation/every-field/relu/float64 difficulty: must be 1, 2, 3 or 4",
    ),
    "no ASCII": (lambda f: forge(f, "activation.json", b"\xff"), "codec can't decode byte"),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_corpus_is_never_read(folder: Path, what: str) -> None:
    """Missing, more, edited or truncated files, wrong counts, and manifests that fit themselves."""
    damage, text = DAMAGE[what]
    damage(folder)
    with pytest.raises(CorpusError) as caught:
        load(folder=folder)
    message = str(caught.value)
    assert text in message
    assert "\n" not in message
    assert isinstance(caught.value, InputError)


def named(path: Path) -> str:
    """What is said of a folder that is none of a corpus."""
    with pytest.raises(CorpusError) as caught:
        load(folder=path)
    start, _, rest = str(caught.value).partition("; got ")
    must = "must be the folder of a corpus, with MANIFEST.json and the files that it lists"
    assert start == f"{str(path)!r} {must}"
    return rest


def test_what_is_no_folder_of_a_corpus_is_told(folder: Path, tmp_path: Path) -> None:
    """What was found there, and where a corpus is, if one is near."""
    else_ = "; name one that mlp-ref certify wrote, or none for the corpus that mlp-ref brings"
    other = tmp_path / "other"
    assert named(other) == f"nothing of that name{else_}"
    other.mkdir()
    assert named(other) == f"an empty folder{else_}"
    for k in range(6):
        (other / f"{k}.py").touch()
    assert named(other) == f"a folder with 0.py, 1.py, 2.py, 3.py and 2 more{else_}"
    assert named(other / "0.py") == f"a file{else_}"
    assert named(folder / MANIFEST) == f"a file; did you mean {str(folder)!r}?"
    above = tmp_path / "above"
    (above / "vectors").mkdir(parents=True)
    write(above / "vectors", "2026.1", records())
    assert named(above) == f"a folder with vectors; did you mean {str(above / 'vectors')!r}?"
    assert load(folder=above / "vectors").records


def test_other_files_may_stand_by(folder: Path) -> None:
    """A licence or notes are not part of the corpus."""
    (folder / "LICENSE").write_text("CC0-1.0", "ascii")
    assert load(folder=folder).records


def test_unknown_names_are_refused(folder: Path) -> None:
    """The message tells what there is."""
    with pytest.raises(InputError, match="must be one of activation, dense, softmax"):
        load("conv", folder)
    with pytest.raises(InputError, match=r"got 'dense/every-feld/float32'; .*such as dense/every-"):
        load(folder=folder).record("dense/every-feld/float32")


def test_own_vectors_have_their_own_licence(tmp_path: Path) -> None:
    """What certify writes is not published under CC0 by that."""
    write(tmp_path, "own", [activation(since="own")], licence="none")
    assert json.loads((tmp_path / MANIFEST).read_text("ascii"))["licence"] == "none"
    assert load(folder=tmp_path).version == "own"


# ----------------------------------------------------------------------------- the real corpus


def test_the_corpus_is_found_beside_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From a checkout; inside the package if it is there; else a clear error."""
    assert find() == REAL
    package = tmp_path / "mlp_ref"
    monkeypatch.setattr(folder_module, "__file__", str(package / "corpus" / "folder.py"))
    with pytest.raises(CorpusError, match="must come with its vectors"):
        find()
    for place in (tmp_path / "conformance" / "vectors", package / "vectors"):
        place.mkdir(parents=True)
        (place / MANIFEST).write_text("", "ascii")
        assert find() == place


def test_the_corpus_is_whole() -> None:
    """It passes its digests, its counts and the strict reader."""
    corpus = load()
    manifest = json.loads((REAL / MANIFEST).read_text("ascii"))
    assert len(corpus.records) == manifest["cases"]
    assert all(x.dtype.isnative for record in corpus.records for x in record.arrays().values())


@pytest.mark.slow
def test_the_corpus_loads_quickly() -> None:
    """In well under a second: parsing takes a few times as long as json alone, not hundreds."""
    texts = [path.read_text("ascii") for path in REAL.glob("*.json")]

    def seconds(work: Callable[[], object]) -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    ours = min(seconds(load) for _ in range(3))
    plain = min(seconds(lambda: [json.loads(text) for text in texts]) for _ in range(3))
    assert ours <= 50 * plain, (ours, plain)


def test_flipped_digits_of_the_corpus_are_noticed(tmp_path: Path) -> None:
    """Twenty places in each file, drawn at random."""
    copy = tmp_path / "vectors"
    shutil.copytree(REAL, copy)
    rng = np.random.default_rng(0)
    for path in sorted(copy.glob("*.json")):
        blob = path.read_bytes()
        for k in rng.choice(flips(blob), 20):
            path.write_bytes(blob[:k] + (b"1" if blob[k : k + 1] != b"1" else b"2") + blob[k + 1 :])
            with pytest.raises(CorpusError):
                load("softmax", copy)
        path.write_bytes(blob)
    assert load("softmax", copy).records
