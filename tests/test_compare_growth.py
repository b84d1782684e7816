"""Growth of error/bound: the limit from both sides, zeros, NaN and infinities, and its proof."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_files import (
    CASE64,
    CASES,
    CORPUS,
    Z0,
    Edit,
    Record,
    changes,
    counted,
    ratio,
    refused,
    report,
    update,
    wrong,
)

from mlp_ref.gate.compare import Change, compare, last_place
from mlp_ref.gate.report_jsonl import header_line, result_lines
from mlp_ref.gate.results import Line, Report, read_report
from mlp_ref.gate.run import run_case
from mlp_ref.subjects import network_subject
from mlp_ref.subjects.numpy_subject import run as right


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def limit(r: float, now: float, ulps: float, factor: float) -> float:
    """How large the ratio `now` may be, after r."""
    return factor * (r + now / ulps) * (1 + 2**-50)


@pytest.mark.parametrize("factor", [1.0, 1.25, 3.0])
@pytest.mark.parametrize("ulps", [1e3, 1e6])
def test_growth_just_below_and_above_the_factor(factor: float, ulps: float) -> None:
    """F (r + one unit in the last place) is accepted, and anything more is worse."""
    most = factor * 0.125 / (1 - factor / ulps)  # r' = F (r + r' / ulps)
    below, above = most * (1 - 1e-12), most * (1 + 1e-12)
    assert below < limit(0.125, below, ulps, factor)
    assert above > limit(0.125, above, ulps, factor)
    assert list(changes(ratio(0.125), ratio(below, ulps), max_growth=factor)) == [Change.MOVED]
    assert changes(ratio(0.125), ratio(above, ulps), max_growth=factor) == {Change.GROWN: [Z0]}


def test_what_shrinks_beyond_the_factor_is_better() -> None:
    """The same rule from the other side."""
    assert changes(ratio(0.5, 1e6), ratio(0.25, 1e6)) == {Change.SMALLER: [Z0]}
    assert changes(ratio(0.5, 1e6), ratio(0.45, 1e6)) == {Change.MOVED: [Z0]}


@pytest.mark.parametrize(
    ("before", "now", "ulps", "change"),
    [
        (0.0, 0.25, 1.0, Change.MOVED),  # one unit is within one unit
        (0.0, 0.25, 1.25, Change.MOVED),
        (0.0, 0.25, 1.5, Change.GROWN),
        (0.0, 0.25, 9.0, Change.GROWN),
        (0.0, 1e-300, 1e6, Change.GROWN),
        (0.0, 0.0, 0.0, None),
        (0.25, 0.0, 0.0, Change.SMALLER),
    ],
)
def test_a_ratio_of_zero_grows_by_more_than_one_rounding(
    before: float, now: float, ulps: float, change: Change | None
) -> None:
    """From no error at all, one unit in the last place is luck; F of them is the limit."""
    found = changes(ratio(before, 8.0 if before else 0.0), ratio(now, ulps))
    assert list(found) == ([change] if change else [])


INFINITE: Record = {"got": "nan", "error": "nan", "ratio": "inf", "ulp": "nan", "digits": "nan"}
INFINITE |= {"verdict": "fail", "failed": 1, "reason": "outside the bound", "bound": 0.5}


@pytest.mark.parametrize(
    ("base", "head", "change"),
    [
        (wrong(15, 1), update(CASE64, "z0", **INFINITE), Change.GROWN),
        (update(CASE64, "z0", **INFINITE), wrong(15, 1), Change.SMALLER),
        (update(CASE64, "z0", **INFINITE), update(CASE64, "z0", **INFINITE), None),
        (wrong(15, 1), refused(CASE64, "z0"), Change.GROWN),
        (refused(CASE64, "z0"), wrong(15, 1), Change.SMALLER),
        (refused(CASE64, "z0"), refused(CASE64, "z0"), None),
        (refused(CASE64, "z0"), update(CASE64, "z0", **INFINITE), None),
        (ratio(0.5), update(CASE64, "z0", **INFINITE), Change.FAIL),
        (update(CASE64, "z0", **INFINITE), ratio(0.5), Change.PASS),
    ],
)
def test_nan_and_inf_rank_above_all(base: Edit, head: Edit, change: Change | None) -> None:
    """NaN, an infinity and what has no numbers are as bad as one another, and worse than others."""
    assert changes(base, head, max_growth=1e300) == ({change: [Z0]} if change else {})


@pytest.mark.parametrize(
    ("got", "bound", "case", "expected"),
    [
        (1.0, 0.5, "a/float64", 2.0**-51),
        (-1.75, 0.5, "a/float64", 2.0**-51),
        (1.0, 0.5, "a/float32", 2.0**-22),
        (0.0, 2.0**-1000, "a/float64", 2.0**-74),
        (2.0**-140, 2.0**-140, "a/float32", 2.0**-9),
        (1.0, 0.0, "a/float64", 0.0),
        (1.0, inf, "a/float64", 0.0),
        (inf, 0.5, "a/float64", 0.0),
        (nan, 0.5, "a/float64", 0.0),
    ],
)
def test_one_unit_in_the_last_place(got: float, bound: float, case: str, expected: float) -> None:
    """The distance of neighbours at the number returned, subnormal ones included, by the bound."""
    (line, *_) = report().results.values()
    values = {**line.result.__dict__, "got": got, "bound": bound}
    assert last_place(Line(case, type(line.result)(**values), None, "")) == expected


def neighbours(**question: Any) -> Any:
    """Every number of the reference moved to the next above or below."""
    rng = np.random.default_rng(1)
    return {
        name: np.nextafter(x, np.copysign(np.inf, rng.random(np.shape(x)) - 0.5).astype(x.dtype))
        for name, x in right(**question).items()
    }


def judged(run: Callable[..., Any], path: str) -> Report:
    """The report of a subject on the four cases."""
    subject = network_subject("mine", run)
    lines = [header_line(subject, CORPUS, ("float32", "float64"), len(CASES))]
    for case in CASES:
        lines += result_lines(run_case(subject, case))
    Path(path).write_text("".join(lines))
    return read_report(counted(path, [*map(json.loads, lines), {}]))


@pytest.mark.parametrize("factor", [1.0, 1.25])
def test_a_neighbour_of_every_number_is_no_growth(factor: float) -> None:
    """The statement that the rule rests on, for F = 1 as well."""
    base, head = judged(right, "base.jsonl"), judged(neighbours, "head.jsonl")
    for one, other in ((base, head), (head, base)):
        found = {d.change for d in compare(one, other, max_growth=factor).differences}
        assert Change.MOVED in found
        assert found <= {Change.MOVED, Change.FAIL, Change.PASS}
