"""The detection benchmark measures what it says, and docs/detection.md is about this catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET

import make_kills
import numpy as np
import pytest

from benchmarks import detection, entries, judging
from benchmarks.differences import DIFFERENCES, Subject, rejects
from benchmarks.implementations import implementation, made_of, names
from benchmarks.inputs import SETS, cases_of
from benchmarks.judging import Judged, Known, known_cases
from benchmarks.measure import NUMPY, Key, alarms_of, found_of, measure
from benchmarks.methods import OURS, TOLERANCES, kind_of
from benchmarks.page import counts, page
from benchmarks.picture import picture
from benchmarks.tables import found_table, only_ours
from benchmarks.views import answers_of, anything_changed, value_of
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.faults import FAULTS, RIGHT

pytestmark = pytest.mark.once

PAGE = detection.PAGE.read_text("utf-8")
QUIET = {
    Key(m, s, A): frozenset[str]() for m in NUMPY for s in SETS for A in ("float64", "float32")
}


def normal() -> Mapping[str, Known]:
    """The questions with normal inputs."""
    return known_cases("normal", "float64")


def small() -> list[str]:
    """Some of those that a gradient checker is asked."""
    return [name for name, known in normal().items() if known.view][::9]


@pytest.mark.parametrize("method", ["allclose", "onnx", "llm.c"])
@pytest.mark.parametrize("kind", ["value", "gradient"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_tolerance_accepts_less_and_rejects_more(method: str, kind: str, dtype: str) -> None:
    """Entry by entry, on both sides of absolute + relative |right|, and never an average."""
    rule, right = TOLERANCES[method], np.array([0.0, 1.0, -40.0, 1e-9], dtype)
    allowed = rule.absolute(dtype, kind) + rule.relative(dtype, kind) * np.abs(right)
    room = 0.01 * allowed + 2 * np.spacing(np.abs(right))
    assert not rule.rejects((right + np.maximum(allowed - room, 0)).astype(dtype), right, kind)
    for k in range(right.size):
        got = right.copy()
        got[k] += max(allowed[k], np.finfo(dtype).tiny) + 2 * room[k]
        assert rule.rejects(got, right, kind)


def test_nan_is_compared_as_each_method_compares_it() -> None:
    """assert_allclose wants NaN where NaN is right; llm.c lets NaN pass, but not as a gradient."""
    nan, one = np.array([np.nan]), np.array([1.0])
    assert not TOLERANCES["allclose"].rejects(nan, nan, "value")
    assert TOLERANCES["allclose"].rejects(nan, one, "value")
    assert not TOLERANCES["llm.c"].rejects(nan, one, "value")
    assert TOLERANCES["llm.c"].rejects(nan, one, "gradient")
    assert [kind_of(name) for name in ("z0", "loss", "y", "dW1", "dx", "grads", "m")] == [
        "value", "value", "value", "gradient", "gradient", "gradient", "gradient",
    ]  # fmt: skip


@pytest.mark.parametrize("method", DIFFERENCES)
@pytest.mark.parametrize(
    ("fault", "seen"),
    [("", False), ("activation-slope-forgotten", True), ("reduction-both-summed", False)],
)
def test_a_gradient_checker_sees_a_gradient_that_is_not_that_of_the_value(
    method: str, fault: str, seen: bool
) -> None:
    """It accepts what is right, and a wrong function with the gradient that belongs to it."""
    parts = FAULTS[fault].parts if fault else RIGHT
    subject = Subject(answers_of(parts), value_of(parts))
    found = [
        rejects(method, subject, normal()[name].view) for name in small() if normal()[name].view
    ]
    assert any(found) == seen


@pytest.mark.parametrize("method", DIFFERENCES)
@pytest.mark.parametrize("arithmetic", ["float64", "float32"])
def test_a_gradient_checker_rejects_beyond_its_tolerance(method: str, arithmetic: str) -> None:
    """Relative and absolute, on both sides; and gradcheck also a pullback of 0 that is not 0."""
    rule = DIFFERENCES[method]
    for size in (0.0, 1.0, 1e4):
        relative, absolute = rule.tolerance(arithmetic)
        numeric, allowed = np.array([[size]]), absolute + relative * size
        for error in (0.99 * allowed, 1.01 * allowed):
            analytic = np.array(
                [[size + error, 0.0]] if method == "gradcheck" else [[size + error]]
            )
            assert rule.rejects(analytic, numeric, arithmetic) == (error > allowed)
    if method == "gradcheck":
        assert rule.rejects(np.array([[1.0, 1e-9]]), np.array([[1.0]]), arithmetic)


@pytest.mark.parametrize("fault", ["", *list(FAULTS)[::16]])
def test_the_output_alone_is_that_of_the_whole_answer(fault: str) -> None:
    """Bit for bit, for every kind of case: what differences are taken of is what is judged."""
    parts = FAULTS[fault].parts if fault else RIGHT
    for name in small():
        view = normal()[name].view
        assert view is not None
        whole = answers_of(parts)(view.case, view.inputs(view.point()))[view.output]
        alone = value_of(parts)(view, view.point())
        assert np.asarray(whole).tobytes() == alone.tobytes()


def test_what_is_said_to_be_unchanged_is_unchanged() -> None:
    """Of every fault: where no part that a case uses is replaced, all bits are the reference's."""
    skipped = 0
    by_kind = {
        (
            known.case.operation,
            known.case.record.parameters.get("loss"),
            name.rpartition("/")[2],
        ): name
        for name, known in normal().items()
    }
    assert {operation for operation, *_ in by_kind} == set(OPERATIONS)
    for fault in FAULTS.values():
        for name in by_kind.values():
            case, _, _, right, _ = normal()[name]
            if anything_changed(fault.parts, case):
                continue
            skipped += 1
            found = answers_of(fault.parts)(case, {k: x.copy() for k, x in case.inputs.items()})
            for tensor in case.tensors:
                assert np.asarray(found[tensor]).tobytes() == right[tensor].tobytes(), fault.id
    assert skipped > 1000


@pytest.mark.parametrize("arithmetic", ["float64", "float32"])
def test_normal_inputs_are_of_every_operation_and_always_the_same(arithmetic: str) -> None:
    """Valid questions; most entries are within three standard deviations."""
    once, again = cases_of("normal", arithmetic), cases_of("normal", arithmetic)
    assert {case.operation for case in once} == set(OPERATIONS)
    for case, same in zip(once, again, strict=True):
        assert case.expected().keys() == set(case.tensors)
        for name, x in case.inputs.items():
            assert x.tobytes() == same.inputs[name].tobytes()
    x = np.concatenate([case.inputs["x"].ravel() for case in once if "x" in case.inputs])
    assert 0.95 < x.std() < 1.05
    assert abs(x.mean()) < 0.05


def test_a_case_with_a_false_alarm_finds_nothing() -> None:
    """A fault counts as found at cases alone at which no correct implementation is rejected."""
    fault, key = "entry-relative-1e-3", Key("allclose", "normal", "float64")
    assert key in found_of(fault, ["allclose"], 10, QUIET, real=False).by
    loud = {**QUIET, key: frozenset(normal())}
    assert key not in found_of(fault, ["allclose"], 10, loud, real=False).by


def test_alarms_are_counted_case_by_case() -> None:
    """The reference in float32 is rejected at rtol 1e-7, one case after another, by others not."""
    found = alarms_of("reference", ["allclose", OURS], 10)
    loud = found[Key("allclose", "normal", "float32")]
    judged = Judged(implementation("reference"), "normal", "float32", loud.cases)
    assert 10 < len(loud.cases) <= loud.asked
    assert all(judged.rejecting("allclose", [name]) == [name] for name in loud.cases)
    assert judged.first("allclose", loud.cases) in loud.cases
    assert not any(by.cases for key, by in found.items() if key.method == OURS)


def test_a_wrong_shape_stops_the_benchmark() -> None:
    """Here numbers are compared: what has another shape or dtype would not be a fair question."""
    parts = RIGHT._replace(
        answer=lambda operation, answer, inputs: {k: [x] for k, x in answer.items()}
    )
    with pytest.raises(AssertionError, match="normal/"):
        _ = Judged(made_of("wrong", parts), "normal", "float64", small()[:1]).answers


@pytest.mark.parametrize("method", [OURS, "allclose", "onnx", "llm.c"])
@pytest.mark.parametrize("arithmetic", ["float64", "float32"])
def test_the_smallest_error_is_confirmed_by_the_method(method: str, arithmetic: str) -> None:
    """It accepts a little less, at every entry, and rejects a little more."""
    found = entries.smallest_errors(method, arithmetic, every=12)
    assert found.errors.size > 20
    assert (found.errors > 0).all()
    if (method, arithmetic) == (OURS, "float64"):
        assert found.quantile(0.5) <= 1e-12


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_wrong_smallest_error_is_noticed(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of it is accepted, and the double rejected: the method itself says so."""
    solve = entries._by_bound
    monkeypatch.setattr(entries, "_by_bound", lambda *case: (factor * d for d in solve(*case)))
    with pytest.raises(AssertionError, match="ours at "):
        entries.smallest_errors(OURS, "float64", every=12)


@pytest.mark.slow
def test_a_quick_run_writes_a_page_and_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    """In this process, without other libraries: every method has a row, ours has no alarm."""
    assert detection.main(["--quick", "--numpy", "--workers", "0"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"\| ours \| \*\*\d+ of 23\*\* \| 0 \| ", text)
    assert "## Limits" in text


def test_tables_and_picture_tell_what_was_measured() -> None:
    """Of three faults: one that all see, one that ours sees, and one of the optimizer alone."""
    three = ("activation-slope-forgotten", "entry-relative-1e-9", "optimizer-adam-no-correction")
    faults = [name for name in three if name in FAULTS]
    assert len(faults) >= 2
    measured = measure(NUMPY, ["reference"], faults, 12, workers=0, real=False)
    errors = {(OURS, "float64"): entries.Smallest(np.array([1e-14, 1e-13]), 1, 1)}
    assert only_ours(measured)["entry"] == ["entry-relative-1e-9"]
    assert measured.finds(Key(OURS, "corpus", "float64")) == faults
    rows = {line.split(" | ")[0]: line for line in found_table(measured, "float64")}
    assert f"**{len(faults)} of {len(faults)}** | 0 |" in rows["| ours"]
    drawn = ET.fromstring(picture(measured, errors))
    texts = [element.text for element in drawn.iter() if element.text]
    assert "assert_allclose" in texts
    assert "1.0e-14" in texts
    errors |= {(OURS, "float32"): errors[OURS, "float64"]}
    assert "entry: entry-relative-1e-9" in page(measured, errors)


def test_the_page_is_about_this_catalogue_and_this_corpus() -> None:
    """Its header has the numbers of faults, variants and cases; else run benchmarks.detection."""
    cases = [len(known_cases("corpus", A)) for A in ("float64", "float32")]
    assert counts(*cases) in PAGE
    assert f"The same {len(FAULTS)} wrong implementations" in PAGE.replace("\n", " ")
    assert f"the same {len(names())} correct ones" in PAGE.replace("\n", " ")


def test_the_page_says_what_the_catalogue_says() -> None:
    """Ours finds every fault in float64, and in float32 all but the no-ops, without an alarm."""
    found = re.findall(r"\| ours \| \*\*(\d+) of (\d+)\*\* \| (\d+) \|", PAGE)
    total = len(FAULTS)
    assert found == [
        (str(total), str(total), "0"), (str(total - len(make_kills.NO_OPS)), str(total), "0"),
    ]  # fmt: skip
    named = PAGE.replace("\n", " ").partition("are within rounding there")[2].partition("##")[0]
    assert set(re.findall(r"[a-z]+(?:-[a-z0-9]+)+", named)) == set(make_kills.NO_OPS)


def test_one_entry_is_seen_at_1e12_in_the_page() -> None:
    """The median over the entries of the small cases in float64 is 1e-12 or better."""
    (median,) = re.findall(r"median is \*\*(\S+)\*\* in float64", PAGE.replace("\n", " "))
    assert float(median) <= 1e-12


def test_the_picture_has_both_colour_schemes() -> None:
    """docs/detection.svg is one well-formed picture whose colours are variables of the page."""
    text = detection.PICTURE.read_text("utf-8")
    assert ET.fromstring(text).get("role") == "img"
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"fill:#|stroke:#", text)


def test_every_case_is_known_once() -> None:
    """What is judged again and again is computed once, and nobody can change its inputs."""
    assert judging.known_cases("normal", "float64") is normal()
    assert not any(
        x.flags.writeable for known in normal().values() for x in known.case.inputs.values()
    )
