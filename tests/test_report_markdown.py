"""The Markdown summary: right words and counts, nothing from outside is markup, at most 60 KB."""

from __future__ import annotations

import re
from html import unescape

import pytest
from markdown_it import MarkdownIt
from report_subjects import (
    CASE,
    CASES,
    CORPUS,
    HOSTILE,
    LOSS,
    OUTCOMES,
    Outcome,
    doubled,
    expects,
    judged,
    many,
    raises,
)  # fmt: skip

import mlp_ref
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.report_markdown import render
from mlp_ref.subjects.numpy_subject import run as right

MOST = 60_000
READER = MarkdownIt("commonmark", {"html": True}).enable("table")


def summary(done: Outcome, part: str = "") -> str:
    """The text that is appended."""
    return render(done.subject, CORPUS, done.tally, done.summary, part)


def shown(text: str) -> str:
    """What a reader sees: tags are gone, entities are characters, cells are apart."""
    html = READER.render(text).replace("</td>", " ").replace("</th>", " ")
    return " ".join(unescape(re.sub("<[^>]*>", "", html)).split())


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("right", "PASS: mine 1.2 conforms mlp-ref "),
        ("mixed", "FAIL: mine 1.2 does not conform mlp-ref "),
        ("too few", "TOO FEW: mine 1.2 was judged on fewer cases than 1000 mlp-ref "),
        ("expected", "PASS: mine 1.2 conforms (1 case and 1 tensor failed as expected) mlp-ref "),
        ("stale", "STALE: mine 1.2 conforms, but an expected failure is none: remove it mlp-ref"),
    ],
)
def test_the_verdict_comes_first(name: str, begin: str) -> None:
    """In one line."""
    assert shown(summary(OUTCOMES[name])).startswith(begin)


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_count_has_its_denominator(name: str) -> None:
    """Cases and tensors by verdict, and all of them; it is a table to a reader."""
    text, counted = summary(OUTCOMES[name]), OUTCOMES[name].summary
    assert "<table>" in READER.render(text)
    for noun, found in (("cases", counted.cases), ("tensors", counted.tensors)):
        cells = [f"{found[verdict]:,}" for verdict in Verdict] + [f"{sum(found.values()):,}"]
        assert f"| {noun} | {' | '.join(cells)} |\n" in text
    assert f"\n{counted.entries:,} entries; {counted.inconclusive:,} inconclusive: " in text


def test_the_corpus_and_the_part_are_named() -> None:
    """Whoever reads it knows what was judged by what."""
    text = shown(summary(OUTCOMES["right"], "shard 1/3: 7 of 20 cases"))
    assert f"mlp-ref {mlp_ref.__version__}, corpus 2026.1, sha256 0123456789ab; shard 1/3" in text
    assert "shard" not in summary(OUTCOMES["right"])


def test_a_table_per_arithmetic() -> None:
    """Kind, passed of all, worst entry, error/bound, digits."""
    text = summary(OUTCOMES["right"])
    for arithmetic in ("float64", "float32"):
        assert f"\n### {arithmetic}, {len(CASES) // 2} cases\n" in text
    assert len(re.findall(r"\n\| loss \| 10/10 \| loss \| \S+ \| \d+\.\d \|", text)) == 2
    assert "### Failing" not in text
    assert "### Skipped" not in text


def test_what_was_not_compared_has_no_numbers() -> None:
    """Also where nothing was compared at all."""
    partial = summary(judged(lambda **q: {"loss": right(**q)["loss"]}, [CASE]))
    assert "\n| z | 0/0 | not compared |  |  |\n" in partial
    assert "\nNothing compared.\n" in summary(OUTCOMES["skips"])
    refused = summary(judged(lambda **q: {"loss": [1.0]}, [CASE]))
    assert "\n| loss | **0/1** | loss | - | - |\n" in refused
    assert "- first wrong: loss, must be a NumPy array of shape (); got list\n" in refused


def test_a_failing_case_is_shown_from_its_origin() -> None:
    """First wrong tensor, got, expected, error, what is wrong too, and the hint."""
    done = judged(doubled("a0", "loss"), [CASE])
    first = done.reports[0].failures[0]
    text = shown(summary(done))
    where = f"{first.tensor}[{', '.join(map(str, first.index))}]"
    assert f"Failing: 1 case {CASE.id}: {CASE.note} first wrong: {where}, {first.reason} " in text
    assert f" got {first.got!r}, expected {first.expected!r} error " in text
    assert f" digits wrong too: loss {done.reports[0].hint}" in text


def test_many_failures_get_a_line_each_and_their_hints_are_counted() -> None:
    """Six at length."""
    text = shown(summary(judged(doubled("loss"), many(9))))
    assert "Failing: 9 cases 9 times: The loss is 2 times the reference." in text
    assert text.count("first wrong: loss, outside the bound") == 6
    for k in (6, 7, 8):
        assert f" mlp/copy-{k}/float64 loss: error/bound " in text


def test_errors_and_skips_are_grouped_by_reason() -> None:
    """The first case, how many more, and the reason once."""
    text = shown(summary(judged(raises(ValueError("bad")), many(3))))
    assert "Errors: 3 cases mlp/copy-0/float64 and 2 more cases: ValueError: bad (report_" in text
    skipped = shown(summary(judged(raises(NotImplementedError("later")), [CASE])))
    assert f"Skipped {len(CASE.tensors)} tensors: not implemented: later" in skipped


def test_expected_failures_have_cause_and_measurement() -> None:
    """A failure that is expected is not among the failing cases."""
    text = shown(summary(OUTCOMES["expected"]))
    assert (
        "Expected failures known: 1 tensor in 1 case. It is known. Measured: measured "
        f"Where: mine 1.2. {CASE.id} loss: error/bound " in text
    )
    assert "Failing" not in text
    both = shown(summary(OUTCOMES["expected and not"]))
    assert f"Failing: 1 case {CASE.id}: " in both
    assert "Expected failures known: 1 tensor" in both


def test_stale_expectations_are_named() -> None:
    """What passes now, and what does not exist."""
    assert f"Stale expectations known: {CASE.id} loss passes" in shown(summary(OUTCOMES["stale"]))
    assert "known: no-case g does not exist" in shown(summary(OUTCOMES["unknown"]))


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_outside_is_markup(text: str) -> None:
    """It is shown as it is and adds no link, picture, tag, row or mention."""
    for error in (ValueError(text), NotImplementedError(text)):
        raw = summary(judged(raises(error), [CASE], name=text))
        assert len(raw.encode()) < 20_000
        clean = summary(judged(raises(type(error)("bad")), [CASE], name="mine"))
        assert len(raw.splitlines()) == len(clean.splitlines())
        tags = [re.findall("<[^>]*>", READER.render(source)) for source in (raw, clean)]
        assert tags[0] == tags[1]
        assert not re.search(r"[@#]\w|://", re.sub(r"&#\d+;", "", raw))
        if text.isprintable() and len(text) < 90:
            assert f": {text} 1.2 " in shown(raw)
            assert f"rror: {text} (" in shown(raw) or f"not implemented: {text}" in shown(raw)


@pytest.mark.slow
@pytest.mark.parametrize("n", [10, 1500])
def test_it_is_never_too_large(n: int) -> None:
    """Thousands of failures, errors, skips and expectations: what has no room is counted."""
    hostile = "|*`<\N{PILE OF POO}" * 2000
    cases, calls = many(n), iter(range(10 * n))

    def run(**question: object) -> object:
        k = next(calls)
        if k % 4 == 0:
            raise ValueError(f"{k} {hostile}")
        if k % 4 == 1:
            raise NotImplementedError(f"{k} {hostile}")
        answer = dict(right(**question))
        return answer | {"loss": 2 * answer["loss"]}

    known = expects({case.id: {"loss": 100.0} for case in cases[3::4]})
    unknown = {"known": [f"no-case-{k} g" for k in range(n)]}
    done = judged(run, cases, known, name=hostile, unknown=unknown)
    text = summary(done)
    assert len(text.encode()) <= MOST
    for noun in ("failing cases", "reasons", "cases", "expectations"):
        assert bool(re.search(rf"\.\.\. and [\d,]+ more {noun}: see", text)) == (n > 10)
    kept = text.count("/float64</code> loss") + text.count("first wrong: loss")
    (missing,) = re.findall(r"and ([\d,]+) more failing", text) or ["0"]
    (hidden,) = re.findall(r"and ([\d,]+) more cases: see", text) or ["0"]
    total = sum(bool(report.failures) for report in done.reports)
    assert kept + int(missing.replace(",", "")) + int(hidden.replace(",", "")) == total


def test_a_long_list_fits_where_it_can() -> None:
    """A hundred failing cases are all named."""
    text = shown(summary(judged(doubled("loss"), many(100), expects(LOSS))))
    assert "mlp/copy-99/float64 loss" in text
    assert "more failing cases" not in text
