"""kills.json, the reader: which faults each case rejects, and what is no such file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlp_ref.checks import InputError
from mlp_ref.corpus import CorpusError, load
from mlp_ref.corpus.kills import alone, fault_ids, kills, kills_of_case, read_kills
from mlp_ref.faults import FAULTS

pytestmark = pytest.mark.once

CASE = "softmax/row-maxima/float64"
SMALL: dict[str, Any] = {
    "corpus": "2026.1", "sha256": "0" * 64,
    "faults": {"a": {"number": 0}, "b": {"number": 1}, "c": {"number": 2}},
    "alone": {"x": ["c"]}, "idle": ["y"], "kills": {"x": [0, 2], "y": [], "z": [0]},
}  # fmt: skip


def written(folder: Path, made: object) -> Path:
    """A file with that content."""
    path = folder / "kills.json"
    path.write_text(json.dumps(made), "utf-8")
    return path


def test_every_case_has_its_faults() -> None:
    """Of all cases of the corpus and of faults of the catalogue alone, and always the same."""
    assert list(kills()) == [record.id for record in load().records]
    assert fault_ids() == tuple(FAULTS)
    assert frozenset().union(*kills().values()) == set(FAULTS)
    assert kills() is kills()
    assert "softmax-global-maximum" in kills_of_case(CASE) == kills()[CASE]
    assert kills_of_case("mlp/rejects/width-of-x/float64") == frozenset()


def test_lone_cases_are_among_them() -> None:
    """What a case alone rejects, it rejects."""
    assert alone()["loss/nan/cross_entropy/float64"] == {"loss-nan-swallowed"}
    assert all(faults and faults <= kills_of_case(case) for case, faults in alone().items())


def test_an_unknown_case_is_refused() -> None:
    """The message names a close one."""
    with pytest.raises(InputError, match=rf"^the id must be .*; choose one, such as .*{CASE}"):
        kills_of_case(CASE.replace("row-", "rows-"))
    with pytest.raises(InputError, match=r"got 'q\?'; choose one, such as activation/"):
        kills_of_case("q?")


def test_nothing_can_be_changed() -> None:
    """The tables are read-only."""
    with pytest.raises(TypeError):
        kills()[CASE] = frozenset()  # type: ignore[index]
    with pytest.raises(TypeError):
        alone()[CASE] = frozenset()  # type: ignore[index]


def test_a_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    """Numbers become the ids of the faults."""
    found, lone, names = read_kills(written(tmp_path, SMALL))
    assert found == {"x": frozenset("ac"), "y": frozenset(), "z": frozenset("a")}
    assert lone == {"x": frozenset("c")}
    assert names == ("a", "b", "c")


def changed(**parts: Any) -> Callable[[], object]:
    """The small file with other parts."""
    return lambda: SMALL | parts


@pytest.mark.parametrize(
    "made",
    [
        list, lambda: "kills", changed(faults={}), changed(kills=None), changed(alone=3),
        changed(faults={"a": {"number": 1}}), changed(faults={"a": {}}), changed(faults=["a"]),
        changed(kills={"x": [3]}), changed(kills={"x": [-1]}), changed(kills={"x": [2, 0]}),
        changed(kills={"x": [0, 0, 2]}), changed(kills={"x": [0.0, 2]}), changed(kills={"x": "a"}),
        changed(kills={"x": 2}), changed(kills={"x": [True, 2]}), changed(alone={"x": ["b"]}),
        changed(alone={"w": ["a"]}), lambda: {k: v for k, v in SMALL.items() if k != "kills"},
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_refused(made: Callable[[], object], tmp_path: Path) -> None:
    """One line that names the file, what is wrong, and a remedy."""
    path = written(tmp_path, made())
    with pytest.raises(CorpusError) as caught:
        read_kills(path)
    text = str(caught.value)
    assert text.startswith(f"{str(path)!r} must say which faults each case rejects; got ")
    assert text.endswith("; install mlp-ref again")
    assert "\n" not in text


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """None at all, no JSON, and no text."""
    path = tmp_path / "kills.json"
    with pytest.raises(CorpusError, match="got No such file"):
        read_kills(path)
    for blob in (b"{", b"\xff\xfe", b'{"kills": {"x": [], "x": []}}'):
        path.write_bytes(blob)
        with pytest.raises(CorpusError, match="must say which faults each case rejects; got"):
            read_kills(path)
