"""The history of the corpus: nothing changes, disappears or comes back without an erratum."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlp_ref.corpus.history import check_history, digest_of, history_lines, updated_history
from mlp_ref.corpus.records import Record

CONFORMANCE = Path(__file__).parents[1] / "conformance"
X = np.array([[1.0, 2.0]])


def case(name: str = "a", x: np.ndarray = X, since: str = "2026.1", **more: object) -> Record:
    """A case that must be rejected, for brevity: it needs no expected values."""
    plain = Record(
        f"softmax/{name}/float64", "softmax", "float64", "a note", 1, ("MustReject",), {},
        {"x": x, "g": x}, rejects="shape", since=since,
    )  # fmt: skip
    return replace(plain, **more)


def erratum(what: str, name: str = "a") -> dict[str, str]:
    """An entry of errata.json."""
    return {
        "id": f"softmax/{name}/float64", "corpus": "2026.2", "date": "2026-03-01", "what": what,
        "why": "the value was wrong",
    }  # fmt: skip


CASES = [case("a"), case("b")]
LINES = history_lines(CASES)
CHANGED = [case("a", X + 1), case("b")]


def test_a_line_is_id_since_and_digest() -> None:
    """Three fields; the digest is the first 16 digits of SHA-256."""
    name, since, digest = LINES[0].split(" ")
    assert (name, since, digest) == ("softmax/a/float64", "2026.1", digest_of(CASES[0]))
    assert len(digest) == 16


def test_words_of_explanation_may_change() -> None:
    """Note, flags, difficulty and provenance are not part of the digest; all else is."""
    told = replace(CASES[0], note="another", flags=(), difficulty=3, provenance={"bits": 192})
    assert digest_of(told) == digest_of(CASES[0])
    for other in (
        case("c"), case("a", X + 1), case("a", since="2026.2"), case("a", rejects="range"),
        case("a", parameters={"t": 1}), case("a", inputs={"x": X}),
    ):  # fmt: skip
        assert digest_of(other) != digest_of(CASES[0])


def test_nothing_to_complain_of() -> None:
    """An unchanged corpus, one corrected with an erratum, and one with a retired case."""
    assert check_history(LINES, CASES) == []
    assert check_history(updated_history(LINES, CHANGED), CHANGED, [erratum("changed")]) == []
    assert check_history(LINES, [case("b")], [erratum("retired")]) == []


@pytest.mark.parametrize(
    ("lines", "records", "errata", "complaint"),
    [
        (LINES, CHANGED, [erratum("changed")], "softmax/a/float64 is not what its last line"),
        (LINES[1:], CASES, [], "softmax/a/float64 has no line in ids.txt"),
        (LINES, [case("b")], [], "softmax/a/float64 is gone, and no erratum"),
        (LINES, [case("b")], [erratum("changed")], "softmax/a/float64 is gone, and no erratum"),
        (LINES, CASES, [erratum("retired")], "softmax/a/float64 was retired, and its id is used"),
        (LINES, [*CASES, case("a")], [], "softmax/a/float64 stands in the corpus 2 times"),
        (LINES, CASES, [erratum("changed", "c")], "softmax/c/float64 has an erratum, and no line"),
        ([*LINES, "softmax/a"], CASES, [], "a line of ids.txt must be ID SINCE DIGEST"),
        (["softmax/a/float64 2026.1 0123456789abcdef", *LINES], CASES, [],
         "softmax/a/float64 was changed 1 times, with 0 errata"),
        ([LINES[0], *LINES], CASES, [], "softmax/a/float64 was changed 1 times, with 0 errata"),
        (["softmax/a/float64 2026.1 0123456789abcdef", *LINES], CASES, [erratum("changed", "b")],
         "softmax/a/float64 was changed 1 times, with 0 errata"),
    ],
)  # fmt: skip
def test_every_contradiction_is_named(
    lines: list[str], records: list[Record], errata: list[dict[str, str]], complaint: str
) -> None:
    """Exactly one sentence, with the id."""
    (found,) = check_history(lines, records, errata)
    assert found.startswith(complaint)


def test_an_id_is_dated_once() -> None:
    """A case with another ``since`` is told, apart from its digest, which holds since too."""
    found = check_history(LINES, [case("a", since="2026.2"), case("b")])
    assert [text.split(" ", 1)[1] for text in found] == [
        "is not what its last line in ids.txt stands for: it was changed",
        "is there since 2026.2, but ids.txt says 2026.1",
    ]


def test_the_last_line_counts() -> None:
    """A case that went back to what it was needs two errata, and three lines."""
    there = updated_history(LINES, CHANGED)
    back = updated_history(there, CASES)
    assert [len(LINES), len(there), len(back)] == [2, 3, 4]
    assert check_history(back, CASES, [erratum("changed")] * 2) == []
    assert len(check_history(back, CASES, [erratum("changed")])) == 1
    assert len(check_history(there, CASES, [erratum("changed")])) == 1


def test_an_update_adds_what_is_new_and_nothing_else() -> None:
    """Lines stay as they are, in their order."""
    assert updated_history(LINES, CASES) == LINES
    assert updated_history(LINES, [case("c"), *CASES]) == [*LINES, *history_lines([case("c")])]
    assert updated_history([], CASES) == LINES


def test_the_errata_for_people_tell_those_for_programs() -> None:
    """Every id of errata.json stands in ERRATA.md, too."""
    errata = json.loads((CONFORMANCE / "errata.json").read_text("utf-8"))["errata"]
    text = (CONFORMANCE / "ERRATA.md").read_text("utf-8")
    assert all(entry["id"] in text for entry in errata)
