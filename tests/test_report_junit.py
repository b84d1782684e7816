"""JUnit XML: it parses, its counts are right, and it is green exactly when the status is 0."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
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
    mixed,
    raises,
)  # fmt: skip

from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.report_junit import render
from mlp_ref.subjects.numpy_subject import run as right

WHOLE = "the run as a whole"
TAGS = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}


def document(done: Outcome, part: str = "") -> ET.Element:
    """The report, parsed from the bytes that are written."""
    text = render(done.subject, CORPUS, done.reports, done.summary, part)
    return ET.fromstring(text.encode())


def found(done: Outcome, tag: str) -> ET.Element:
    """The only element of its kind."""
    (element,) = document(done).iter(tag)
    return element


def properties(element: ET.Element) -> dict[str, str]:
    """The properties of a suite or a test."""
    return {p.attrib["name"]: p.attrib["value"] for p in element.findall("properties/property")}


@pytest.mark.parametrize("name", OUTCOMES)
def test_green_exactly_when_the_status_is_0(name: str) -> None:
    """A failure or an error is there if, and only if, the exit status is not 0."""
    done = OUTCOMES[name]
    root = document(done)
    red = [*root.iter("failure"), *root.iter("error")]
    assert bool(red) == (done.summary.status != 0)
    assert int(root.attrib["failures"]) + int(root.attrib["errors"]) == len(red)


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_counts_are_those_of_the_elements_and_of_the_summary(name: str) -> None:
    """In every suite and over all; expected failures count as skipped."""
    done = OUTCOMES[name]
    root = document(done)
    assert [child.tag for child in root] == ["testsuite"] * len(root)
    for element in (root, *root):
        counts = {key: int(element.attrib[key]) for key in TAGS}
        assert counts == {key: len([*element.iter(tag)]) for key, tag in TAGS.items()}
    total: Counter[str] = Counter()
    for suite in root:
        if WHOLE not in suite.attrib["name"]:
            total.update({key: int(suite.attrib[key]) for key in TAGS})
    cases, expected = done.summary.cases, done.summary.expected_cases
    assert total == Counter(
        tests=sum(cases.values()),
        failures=cases[Verdict.FAIL] - expected,
        errors=cases[Verdict.ERROR],
        skipped=cases[Verdict.SKIP] + expected,
    )


def test_a_suite_per_arithmetic_a_test_per_case() -> None:
    """Every case once, in its order, with its family for the viewer to group by, and its time."""
    root = document(OUTCOMES["mixed"])
    assert [suite.attrib["name"] for suite in root] == ["mine float64", "mine float32"]
    for suite in root:
        arithmetic = suite.attrib["name"].removeprefix("mine ")
        ids = [case.id for case in CASES if case.arithmetic.name == arithmetic]
        assert [test.attrib["name"] for test in suite.iter("testcase")] == ids
        assert properties(suite)["arithmetic"] == arithmetic
    for test in root.iter("testcase"):
        assert test.attrib["classname"] == "mlp.batch-7"
        assert float(test.attrib["time"]) >= 0
        assert len([child for child in test if child.tag in TAGS.values()]) <= 1


def test_the_properties_say_what_was_judged() -> None:
    """Subject, versions, corpus, digest, shard and status."""
    (suite, _) = document(OUTCOMES["right"], "shard 1/3: 7 of 20 cases")
    held = properties(suite)
    assert held["subject"] == "mine"
    assert held["version of mine"] == "1.2"
    assert (held["corpus"], held["corpus_sha256"]) == (CORPUS.version, CORPUS.sha256)
    assert held["part"] == "shard 1/3: 7 of 20 cases"
    assert (held["verdict"], held["status"]) == ("PASS", "0")
    assert {"mlp_ref", "numpy"} <= set(held)


def test_a_passing_case_has_its_worst_entry() -> None:
    """The largest error/bound and where it is."""
    done = judged(right, [CASE])
    worst = max(done.reports[0].results, key=lambda result: result.ratio)
    held = properties(found(done, "testcase"))
    assert held["worst error/bound"] == f"{worst.ratio:#.3g}"
    assert held["worst entry"].startswith(worst.tensor)


def test_a_failure_is_shown_from_its_origin() -> None:
    """First wrong tensor, index, got, expected, error/bound, ULP, hint, and the others below."""
    done = judged(doubled("a0", "loss"), [CASE])
    first, second = done.reports[0].failures
    failure = found(done, "failure")
    where = f"{first.tensor}[{', '.join(map(str, first.index))}]"
    said = f"{where}: got {first.got!r}, expected {first.expected!r}"
    assert failure.attrib == {"type": "outside-bound", "message": said}
    for text in (
        f"case         {CASE.note}\n", f"first wrong  {where}: {first.reason}\n",
        f"got          {first.got!r}\n", f"expected     {first.expected!r}\n",
        "x the bound", " ULP, 0.0 digits\n", f"hint         {done.reports[0].hint}\n",
        f"\n{second.tensor}: ",
    ):  # fmt: skip
        assert text in (failure.text or "")


def test_what_cannot_be_compared_has_its_reason() -> None:
    """There are no numbers to show."""
    failure = found(judged(lambda **q: {"loss": [1.0]}, [CASE]), "failure")
    message = "loss: must be a NumPy array of shape (); got list"
    assert failure.attrib == {"type": "not-comparable", "message": message}


def test_errors_and_skips_have_their_reasons() -> None:
    """As the subject gave them; a case that was judged in part says what was left out."""
    error = found(judged(raises(ValueError("bad")), [CASE]), "error")
    assert error.attrib["message"].startswith("ValueError: bad (report_subjects.py, line ")
    skipped = found(judged(raises(NotImplementedError("later")), [CASE]), "skipped")
    assert skipped.attrib == {"type": "not-judged", "message": "not implemented: later"}
    note = found(judged(lambda **q: {"loss": right(**q)["loss"]}, [CASE]), "system-out")
    assert f"{CASE.tensors[0]}: not returned by the subject\n" in (note.text or "")


def test_an_expected_failure_is_skipped_and_named() -> None:
    """Beside an unexpected one it is marked."""
    skipped = found(OUTCOMES["expected"], "skipped")
    assert skipped.attrib == {"type": "expected-failure", "message": "expected failure: known"}
    assert (skipped.text or "").startswith("loss: ")
    failure = found(OUTCOMES["expected and not"], "failure")
    assert failure.attrib["message"].startswith("g[")
    assert "0.0 digits (expected: known)" in (failure.text or "")


@pytest.mark.parametrize(
    ("name", "test", "message"),
    [
        ("too few", "require", "20 cases judged, where 1,000 are required"),
        ("stale", f"stale: {CASE.id} loss", "known expects a failure of"),
        ("unknown", "unknown: no-case g", "known expects a failure of no-case g, which does not"),
        ("nothing", "require", "0 cases judged, where 1 are required"),
    ],
)
def test_the_run_as_a_whole_can_fail(name: str, test: str, message: str) -> None:
    """In a suite of its own, which is absent otherwise."""
    root = document(OUTCOMES[name])
    suite = root[-1]
    assert suite.attrib["name"] == f"mine, {WHOLE}"
    (case,) = suite.iter("testcase")
    assert case.attrib["name"] == test
    assert case[0].attrib["message"].startswith(message)
    assert WHOLE not in document(OUTCOMES["right"])[-1].attrib["name"]


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_a_subject_says_is_text(text: str) -> None:
    """It parses, adds no element, and is cut where no viewer would show it."""
    for error in (ValueError(text), NotImplementedError(text)):
        done = judged(raises(error), [CASE], name=text)
        raw = render(done.subject, CORPUS, done.reports, done.summary)
        assert len(raw) < 80_000
        root = document(done)
        known = {"testsuites", "testsuite", "testcase", "properties", "property", *TAGS.values()}
        assert {element.tag for element in root.iter()} <= known
        names = [test.attrib["name"] for test in root.iter("testcase")]
        assert names == [CASE.id, "require"]
        if text.isprintable() and len(text) < 100:
            assert properties(root[0])["subject"] == text
            assert text in root[0][1][0].attrib["message"]


def test_control_characters_stay_readable() -> None:
    """What XML cannot hold is written as an escape."""
    error = found(judged(raises(ValueError("a\0b\udcff")), [CASE]), "error")
    assert r"ValueError: a\x00b\udcff (" in error.attrib["message"]


def test_the_same_run_gives_the_same_text() -> None:
    """Apart from times."""
    texts = set()
    for _ in range(2):
        done = judged(mixed, CASES, expects(LOSS))
        reports = [replace(report, seconds=0.0) for report in done.reports]
        summary = replace(done.summary, seconds=0.0)
        texts.add(render(done.subject, CORPUS, reports, summary))
    assert len(texts) == 1
