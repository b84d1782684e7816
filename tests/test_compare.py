"""Comparing reports: every kind of change of a verdict, and what is not compared."""

from __future__ import annotations

import json
from math import inf, nan, nextafter
from pathlib import Path

import pytest
from report_files import (
    CASES,
    FIRST,
    SECOND,
    THIRD,
    Z0,
    Edit,
    Record,
    changes,
    counted,
    erring,
    gone,
    leave_out,
    nothing,
    plain,
    refused,
    report,
    skipped,
    update,
    wrong,
)

from mlp_ref.checks import InputError
from mlp_ref.gate.compare import WORSE, Change, Comparison, compare
from mlp_ref.gate.results import read_report


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


A = FIRST, "a0"


def test_equal_reports_have_no_difference() -> None:
    """All tensors and cases are counted, and none differs."""
    assert compare(report(), report()) == Comparison((), len(plain()) - 2, len(CASES))


@pytest.mark.parametrize(
    ("base", "head", "change", "where"),
    [
        (nothing, erring(*A), Change.ERROR, "a0"),
        (skipped(*A), erring(*A), Change.ERROR, "a0"),
        (refused(*A), erring(*A), Change.ERROR, "a0"),
        (leave_out(*A), erring(*A), Change.ERROR, "a0"),
        (nothing, refused(*A), Change.FAIL, "a0"),
        (skipped(*A), refused(*A), Change.FAIL, "a0"),
        (erring(*A), refused(*A), Change.FAIL, "a0"),
        (leave_out(*A), refused(*A), Change.FAIL, "a0"),
        (nothing, skipped(*A), Change.SKIP, "a0"),
        (refused(*A), skipped(*A), Change.SKIP, "a0"),
        (nothing, gone(FIRST, "z0"), Change.GONE, None),
        (nothing, gone(FIRST), Change.GONE, None),
        (skipped(*A), gone(FIRST), Change.GONE, None),
        (refused(*A), nothing, Change.PASS, "a0"),
        (erring(*A), nothing, Change.PASS, "a0"),
        (skipped(*A), nothing, Change.PASS, "a0"),
        (erring(*A), skipped(*A), Change.ENDED, "a0"),
        (leave_out(*A), skipped(*A), Change.NEW, "a0"),
        (gone(FIRST, "z0"), nothing, Change.NEW, None),
        (gone(FIRST), nothing, Change.NEW, None),
    ],
)
def test_verdicts_come_first(base: Edit, head: Edit, change: Change, where: str | None) -> None:
    """Each change of a verdict has its name, whatever the numbers are."""
    found = changes(base, head)
    if where:
        assert found == {change: [f"{FIRST} {where}"]}
    else:
        assert list(found) == [change]
        assert all(name.startswith(FIRST) for name in found[change])


def test_what_is_worse() -> None:
    """Those seven, and no other."""
    better = {Change.PASS, Change.FEWER, Change.SMALLER, Change.ENDED, Change.NEW, Change.MOVED}
    assert better.isdisjoint(WORSE)
    assert better | WORSE == set(Change)


def test_no_new_skip_is_stricter() -> None:
    """A skip in place of an error, or in a new case, is worse then; an old skip never is."""
    assert list(changes(erring(*A), skipped(*A), no_new_skip=True)) == [Change.SKIP]
    found = changes(gone(FIRST), nothing, no_new_skip=True)
    assert found[Change.SKIP] == [f"{FIRST} g"]
    assert f"{FIRST} a0" in found[Change.NEW]
    assert changes(skipped(*A), skipped(*A), no_new_skip=True) == {}


def test_a_failure_that_is_no_longer_expected_is_worse() -> None:
    """The same failure without its expectation; with a new one it is the same."""
    without = update(THIRD, "dx", expectation=None)
    assert changes(nothing, without) == {Change.UNEXPECTED: [f"{THIRD} dx"]}
    assert changes(without, nothing) == {}


def test_more_entries_that_fail_are_worse() -> None:
    """The worst entry is the same, but others fail, too."""
    assert changes(wrong(40, 1), wrong(40, 2)) == {Change.MORE: [Z0]}
    assert changes(wrong(40, 2), wrong(40, 1)) == {Change.FEWER: [Z0]}
    assert changes(wrong(40, 2), wrong(40, 2)) == {}


# ------------------------------------------------------------------------- what cannot be compared


@pytest.mark.parametrize("factor", [nextafter(1, 0), 0.0, -2.0, nan, inf])
def test_the_factor_must_be_one_or_more(factor: float) -> None:
    """NaN would accept everything."""
    with pytest.raises(InputError, match="--max-growth must be a number, 1 or more; got "):
        compare(report(), report(), max_growth=factor)


def test_a_run_that_was_cut_short_is_not_compared() -> None:
    """Neither as the baseline nor as the head."""
    records = plain()[:-1]
    Path("cut.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in records))
    whole, cut = report(), read_report("cut.jsonl")
    for base, head in ((whole, cut), (cut, whole)):
        with pytest.raises(InputError, match=r"'cut.jsonl' must end with its summary; got a run "):
            compare(base, head)


def test_another_corpus_is_compared_only_if_asked() -> None:
    """Other bounds mean other ratios; what vanished with the old corpus is still worse."""

    def other(records: list[Record]) -> None:
        records[0] |= {"corpus": "2027.1", "corpus_sha256": "f" * 64}
        gone(SECOND)(records)

    with pytest.raises(InputError) as caught:
        changes(nothing, other)
    assert str(caught.value) == (
        "'own.jsonl' must be about the corpus of 'own.jsonl'; got 2027.1 (ffffffffffff) where that "
        "has 2026.1 (0123456789ab); judge both by one corpus, or compare what they share with "
        "--allow-other-corpus"
    )
    assert list(changes(nothing, other, other_corpus=True)) == [Change.GONE]


def test_a_shard_is_compared_with_the_same_shard_only() -> None:
    """Otherwise most cases would only seem to have vanished."""

    def shard(records: list[Record]) -> None:
        gone(SECOND)(records)

    whole = report()
    part = plain()
    shard(part)
    path = counted("part.jsonl", part)
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    lines[0] |= {"shard": [1, 3], "total": 9}
    Path(path).write_text("".join(f"{json.dumps(r)}\n" for r in lines))
    third = read_report(path)
    assert compare(third, third).differences == ()
    with pytest.raises(
        InputError, match=r"got shard 1/3 where that has all cases; join the shards"
    ):
        compare(whole, third)
