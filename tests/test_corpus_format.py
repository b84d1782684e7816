"""The format as a whole: the real corpus byte by byte, and 500 characters that are not its own.

Words are tested in test_corpus_words.py, records as JSON in test_corpus_json.py, and small folders
in test_corpus_folder.py.
"""

from __future__ import annotations

import json
import shutil
import string
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_records import activation, dense, records, rejected, step

from mlp_ref.checks import InputError
from mlp_ref.corpus import Corpus, CorpusError, find, load, write
from mlp_ref.corpus.decoding import read_cases
from mlp_ref.corpus.encoding import FORMAT, case_text, file_text
from mlp_ref.corpus.folder import MANIFEST
from mlp_ref.corpus.names import REJECTS
from mlp_ref.corpus.records import OPERATIONS, Record

FLIPS = 500


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """The corpus itself."""
    return load()


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the folder; tests leave it as they found it."""
    return Path(shutil.copytree(find(), tmp_path_factory.mktemp("copy") / "vectors"))


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """A folder of four cases."""
    write(tmp_path, "2026.1", records())
    return tmp_path


# ------------------------------------------------------------------------------- the real corpus


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_case_is_a_line_of_its_file(corpus: Corpus, operation: str) -> None:
    """Reading and writing it again gives its own bytes, in the order of the records."""
    lines = (corpus.folder / f"{operation}.json").read_text("ascii").splitlines()
    own = [record for record in corpus.records if record.operation == operation]
    assert [line.removesuffix(",") for line in lines[1:-1]] == [case_text(q) for q in own]


def test_any_character_that_is_replaced_is_noticed(copy: Path) -> None:
    """500 places anywhere in the files, each with another printable character."""
    rng = np.random.default_rng(3)
    files = sorted(copy.glob("*.json"))
    sizes = np.array([file.stat().st_size for file in files])
    # Half of the places are in the manifest, which is short beside the files that it lists.
    odds = np.where([file.name == MANIFEST for file in files], sizes.sum(), sizes)
    for _ in range(FLIPS):
        file = files[rng.choice(len(files), p=odds / odds.sum())]
        blob = file.read_bytes()
        k = rng.integers(len(blob))
        others = set(string.printable.encode()) - {blob[k]}
        file.write_bytes(blob[:k] + bytes([rng.choice(sorted(others))]) + blob[k + 1 :])
        with pytest.raises(CorpusError):
            load("softmax", copy)
        file.write_bytes(blob)
    assert load(folder=copy).records


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("dense.json", '"hi":"3', '"hi":"2'),
        ("loss.json", '"bound":{"float64":"3c', '"bound":{"float64":"3d'),
        ("mlp.json", '"difficulty":1', '"difficulty":2'),
        ("activation.json", '"note":"', '"note":" '),
        ("softmax.json", "\n", "\r\n"),
        ("softmax.json", "]}\n", "]}"),
        (MANIFEST, '"licence": "CC0-1.0"', '"licence": "CC1-1.0"'),
        (MANIFEST, '"corpus": "2026.1"', '"corpus": "2026.2"'),
    ],
)
def test_an_edit_that_leaves_valid_json_is_noticed(
    copy: Path, name: str, old: str, new: str
) -> None:
    """A result, a bound, a level, a note, line ends, the licence and the version."""
    file = copy / name
    blob = file.read_bytes()
    edited = blob.replace(old.encode(), new.encode(), 1)
    assert edited != blob
    json.loads(edited)
    file.write_bytes(edited)
    with pytest.raises(CorpusError, match=r"must have the (SHA-256 digest|digest that it)"):
        load("log_softmax", copy)
    file.write_bytes(blob)


def test_a_file_that_is_cut_anywhere_is_noticed(copy: Path) -> None:
    """As by a full disk: after 0, 1, half and all but one of its bytes."""
    for file in copy.glob("*.json"):
        blob = file.read_bytes()
        for size in (0, 1, len(blob) // 2, len(blob) - 1):
            file.write_bytes(blob[:size])
            with pytest.raises(CorpusError):
                load("softmax", copy)
        file.write_bytes(blob)


@pytest.mark.slow
def test_the_whole_corpus_is_read_within_a_second() -> None:
    """CPU time, the best of five; commands read it each time that they start."""
    times = []
    for _ in range(5):
        start = time.process_time()
        load()
        times.append(time.process_time() - start)
    assert min(times) < 1.0


# ------------------------------------------------------------------------ numbers and names refused


def put(record: Record, path: str, value: object) -> str:
    """The file of one record, with another value at a path within its case."""
    whole = json.loads(file_text(record.operation, "2026.1", [record]))
    *above, last = path.split("/")
    place: Any = whole["cases"][0]
    for key in above:
        place = place[key]
    place[last] = value
    return json.dumps(whole)


def train_step(**change: object) -> Record:
    """A record of another operation, whose tensors nobody looks at before its parameters."""
    own = {"sizes": [2, 3, 1], "activations": ["relu", "identity"], "loss": "squared_error"}
    return step(
        id="train_step/every-field/float64", operation="train_step",
        parameters={**own, **step().parameters, **change},
    )  # fmt: skip


WORD = "0" * 16


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            put(step(), "parameters/lr", 0.5).replace("0.5", "1e999"),
            "must be JSON; got 'the number",
        ),
        (put(step(), "parameters/t", -1), "parameters t: must be known and possible; got -1"),
        (
            file_text("train_step", "2026.1", [train_step(sizes=[2, 3])]),
            "parameters sizes: must be known and possible; got [2, 3]",
        ),
        (
            file_text("train_step", "2026.1", [train_step(sizes=[2, 0, 1])]),
            "parameters sizes: must be known and possible; got [2, 0, 1]",
        ),
        (
            file_text("train_step", "2026.1", [train_step(activations=["softmax", "identity"])]),
            "parameters activations: must be known and possible; got ['softmax', 'identity']",
        ),
        (
            file_text("train_step", "2026.1", [train_step(activations=[])]),
            "parameters sizes: must be known and possible; got [2, 3, 1]",
        ),
        (
            file_text("train_step", "2026.1", [train_step(activations=[], sizes=[1])]),
            "parameters activations: must be known and possible; got []",
        ),
        (put(dense(), "inputs/x/shape", [0, 1 << 24]), "x shape: must have less than 16777216 en"),
        (put(dense(), "inputs/x/dtype", "int64"), "x dtype: must be float32; got 'int64'"),
        (put(activation(), "inputs/g/dtype", "float32"), "g dtype: must be float64; got 'float32'"),
        (
            put(rejected(), "inputs/z/dtype", "float16"),
            "z dtype: must be float32 or float64 or int64; got 'float16'",
        ),
        (
            put(dense(), "expected/dW/sets", {"1": [WORD]}),
            "dW sets: a key must be the flat index of an entry that is stored; got '1'",
        ),
        (put(dense(), "expected/z/sets", {}), "z: signed_zeros and sets must be left out"),
        (put(dense(), "expected/z/signed_zeros", False), "z: signed_zeros and sets must be left"),
    ],
)
def test_what_the_encoder_would_not_write_is_refused(text: str, message: str) -> None:
    """Numbers that overflow, parameters and sizes that cannot be, dtypes and sets out of place."""
    with pytest.raises(InputError) as caught:
        read_cases(text, "file.json")
    assert message in str(caught.value)
    assert str(caught.value).startswith("file.json")


def test_every_reason_of_a_rejection_is_explained_and_used(corpus: Corpus) -> None:
    """As the flags are."""
    assert {record.rejects for record in corpus.records if record.rejects} == set(REJECTS)
    assert all(text.isascii() and text for text in REJECTS.values())


# --------------------------------------------------- manifests that have the digest of themselves


def forge(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest and give it the right digest again."""
    rest = json.loads((folder / MANIFEST).read_text("ascii"))
    del rest["sha256"]
    change(rest)
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    whole = rest | {"sha256": sha256(text.encode()).hexdigest()}
    (folder / MANIFEST).write_text(json.dumps(whole, indent=1) + "\n", "ascii")


def test_a_forged_manifest_is_like_a_real_one(few: Path) -> None:
    """Without a change it is accepted, so that the refusals below are due to the change."""
    before = (few / MANIFEST).read_bytes()
    forge(few, lambda rest: rest)
    assert (few / MANIFEST).read_bytes() == before
    assert load(folder=few).records


def twice(rest: dict[str, Any]) -> None:
    """List a file once more."""
    entry = rest["files"][0]
    rest["files"].append(entry)
    rest["cases"] += entry["cases"]
    rest["entries"] += entry["entries"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rest: rest.update(corpus="2026"), "a version such as 2026.1, or own; got '2026'"),
        (lambda rest: rest.update(corpus="2026.1 */"), "a version such as 2026.1, or own; got '2"),
        (lambda rest: rest.update(corpus=2026.1), "a version such as 2026.1, or own; got 2026.1;"),
        (lambda rest: rest.update(corpus="2026.2"), "must have the version, operation and counts"),
        (lambda rest: rest.update(format=FORMAT + 1), "must have the digest that it states"),
        (lambda rest: rest.update(more=1), "must have the digest that it states"),
        (lambda rest: rest.pop("licence"), "must be the manifest of a corpus; got KeyError"),
        (lambda rest: rest.update(files=3), "must be the manifest of a corpus; got TypeError"),
        (lambda rest: rest.update(files=[3]), "must be the manifest of a corpus; got TypeError"),
        (twice, "must list one file per operation, by its name; got others"),
        (lambda rest: rest["files"][0].pop("sha256"), "must list one file per operation"),
        (lambda rest: rest["files"][0].update(more=1), "must list one file per operation"),
        (lambda rest: rest["files"][0].update(name=["x"]), "must list one file per operation"),
        (lambda rest: rest["files"][0].update(operation="loss"), "must list one file per operat"),
        (lambda rest: rest["files"][0].update(name="../dense.json"), "must list one file per op"),
        (lambda rest: rest["files"][0].update(bytes=1), "must have the version, operation and co"),
    ],
)
def test_a_manifest_that_states_something_else_is_refused(
    few: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    """Even with the digest of itself: in one line, as a corpus that is damaged."""
    forge(few, change)
    with pytest.raises(CorpusError) as caught:
        load(folder=few)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_under_the_name_of_another_operation_is_refused(few: Path) -> None:
    """Then load("loss") would return cases of dense."""
    (few / "loss.json").write_bytes((few / "dense.json").read_bytes())

    def change(rest: dict[str, Any]) -> None:
        _, found, entry, _ = rest["files"]
        entry |= found | {"name": "loss.json", "operation": "loss"}
        rest["entries"] = sum(entry["entries"] for entry in rest["files"])

    forge(few, change)
    with pytest.raises(CorpusError, match="must have the version, operation and counts in the man"):
        load(folder=few)


def test_a_folder_that_cannot_be_is_refused() -> None:
    """No traceback for a zero byte, or for a file in place of a folder."""
    for folder in ("a\0b", __file__):
        with pytest.raises(CorpusError, match=r"must be the folder .*; got (nothing of|a file)"):
            load(folder=folder)
