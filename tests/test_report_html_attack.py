"""The HTML report under attack: no markup from outside, nothing fetched, never too large."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_pages import Reader, page, require_sound, saved
from report_subjects import CASE, HOSTILE, OUTCOMES, Run, doubled, expects, judged, many, raises

from mlp_ref.gate.report_html import render
from mlp_ref.subjects.numpy_subject import run as right

pytestmark = pytest.mark.once

MOST = 3_000_000  # bytes, of three subjects over a corpus of this size


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_outside_is_markup(text: str, tmp_path: Path) -> None:
    """Names and reasons are shown as they are and add no element and no attribute."""
    raw, clean = said(text, tmp_path), said("bad", tmp_path)
    assert len(raw.encode()) < 2 * len(clean.encode())
    hostile, plain = Reader(raw), Reader(clean)
    assert [(tag, sorted(found)) for tag, found in hostile.attributes] == [
        (tag, sorted(found)) for tag, found in plain.attributes
    ]
    assert not re.search("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", raw)
    if text.isprintable() and len(text) < 40:  # nowhere cut
        assert hostile.text.count(text) == plain.text.count("bad")


def said(text: str, folder: Path) -> str:
    """The page about two subjects of that name, with that reason for an error and for a skip."""
    errors = (ValueError(text), NotImplementedError(text))
    return page(folder, *(judged(raises(error), [CASE], name=text) for error in errors))


def test_nothing_is_fetched_and_nothing_runs(tmp_path: Path) -> None:
    """No script, no handler, no address; the page's own policy forbids them as well."""
    text = page(tmp_path, *(OUTCOMES[name] for name in ("mixed", "expected and not", "stale")))
    require_sound(text)
    read = Reader(text)
    assert "http:" not in text
    assert "https:" not in text
    assert not re.search(r"@import|url\(|javascript:", text)
    assert not set(read.tags) & {"script", "iframe", "object", "embed", "img", "base", "form"}
    assert not [key for _, found in read.attributes for key in found if re.match("on|src", key)]
    (policy,) = (m["content"] for m in read.of("meta") if "http-equiv" in m)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@pytest.mark.slow
def test_the_size_is_bounded(tmp_path: Path) -> None:
    """Three subjects, 1,100 cases each, three of four wrong, with long reasons."""
    done = judged(wrong_in_turn(), many(4), expects({"mlp/copy-2/float64": {"loss": 100.0}}))
    report = saved(done, tmp_path / "mine.jsonl")
    copies = [
        replace(
            line, case=f"mlp/{k // 4}-{line.case[4:]}",
            result=replace(line.result, reason=f"{k} {line.result.reason}"),
        )
        for k in range(0, 1100, 4) for line in report.results.values()
    ]  # fmt: skip
    long = replace(report, results={(line.case, line.result.tensor): line for line in copies})
    text = render([long] * 3)
    assert len(text.encode()) < MOST
    read = Reader(text)
    assert [row[-1] for row in read.table("Where every tensor stands")[1:]] == [
        f"{len(copies):,}"
    ] * 3
    for noun in ("failing cases", "reasons", "tensors"):
        assert len(re.findall(rf"and [\d,]+ more {noun}: see the JSON lines\.", read.text)) == 3


def wrong_in_turn() -> Run:
    """Raises, is wrong, is wrong as expected, is right."""
    turns = iter(range(4))

    def run(**question: Any) -> Any:
        turn = next(turns)
        if turn == 0:
            raise ValueError("<&>" * 2000)
        return doubled("loss")(**question) if turn < 3 else right(**question)

    return run
