"""The benchmarks of scaling, start-up and training from disk: what they compute and say."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed import disk, scaling, startup
from benchmarks.speed.jobs import JOBS, Size
from mlp_ref.arithmetic import FLOAT64

X = (4, 8, 16, 32, 64)
SMALL = Size(3, 2, 4)


@pytest.mark.parametrize("power", [0.5, 1, 2, 3])
def test_the_exponent_of_a_power_is_the_power(power: float) -> None:
    """Of c x^p it is p; what a call costs at small sizes does not count.

    Least squares that are backward stable err by the rounding of their products and of the
    logarithms, times the condition of the points.
    """
    y = [7 * x**power for x in X]
    points = np.vander(np.log(X[-scaling.FITTED :]), 2)
    rounding = FLOAT64.gamma(points.size + int(FLOAT64.K)) * np.linalg.cond(points)
    allowed = rounding * np.linalg.norm(np.log(y[-scaling.FITTED :]))
    assert abs(scaling.exponent(X, y) - power) <= allowed
    assert abs(scaling.exponent(X, [1e3, 1e3, *y[2:]]) - power) <= allowed
    assert abs(scaling.exponent(X, [*y[:-1], 1.001 * y[-1]]) - power) > allowed


@pytest.mark.parametrize("what", [what for what in JOBS if what != "certification"])
@pytest.mark.parametrize("against", ["width", "depth", "batch"])
def test_the_operations_of_a_job_are_a_power_where_it_is_fitted(what: str, against: str) -> None:
    """Near 2 in the width and 1 in depth and batch: one term dominates."""
    job = JOBS[what]
    fixed, sizes = job.ranges[against]
    counts = [job.operations(fixed._replace(**{against: k})) for k in sizes]
    found = scaling.exponent(sizes, counts)
    assert abs(found - (2 if against == "width" else 1)) < scaling.GOAL / 2


@pytest.mark.parametrize("what", JOBS)
def test_a_job_can_be_done_again_and_again(what: str) -> None:
    """Each runs twice at a small size, and a larger size is more operations."""
    job = JOBS[what]
    call = job.build(SMALL)
    call()
    call()
    larger = [SMALL._replace(**{name: 2 * k}) for name, k in SMALL._asdict().items()]
    assert all(job.operations(size) > job.operations(SMALL) for size in larger)


def test_what_is_verified_conforms() -> None:
    """A verification that failed would also search for the reason."""
    assert JOBS["verification"].build(SMALL)().verdict == "pass"


def series(**changed: object) -> dict[str, object]:
    """One series, as `measure` returns it."""
    return {
        "what": "step", "against": "width", "fixed": "depth 3, batch 128", "x": [64, 128, 256],
        "seconds": [1e-3, 4e-3, 0.016], "exponent": 2.0, "quartiles": [1.98, 2.02],
        "expected": 1.99,
    } | changed  # fmt: skip


@pytest.mark.parametrize(("wobble", "rounds"), [(0.0, 7), (1.0, 25)])
def test_rounds_end_when_the_exponent_is_steady(monkeypatch, wobble: float, rounds: int) -> None:
    """After 7 rounds if they agree; with exponents of 1 and 2 in turn only after all of them."""
    job = JOBS["step"]
    only = {"width": job.ranges["width"]}
    monkeypatch.setattr(scaling, "JOBS", {"step": job._replace(ranges=only, build=lambda s: None)})
    taken = []

    def timed(calls):
        for k in range(25):
            taken.append([float(w ** (1 + wobble * (k % 2))) for w in only["width"][1]])
            yield taken[-1]

    monkeypatch.setattr(scaling, "_rounds", timed)
    (series,) = scaling.measure(quick=False)["series"]
    assert len(taken) == rounds
    assert 1 - FLOAT64.gamma(100) <= series["exponent"] <= 1 + wobble + FLOAT64.gamma(100)


def test_the_chapter_on_scaling() -> None:
    """A line per series; whatever is missed is named, with its cause if that is known."""
    missed = (
        series(what="bound", exponent=2.4),
        series(against="depth", expected=1.0),
        series(against="batch", exponent=1.5),
    )
    text = "\n\n".join(scaling.section({"series": [series(), *missed]}))
    assert text.startswith("## Scaling\n")
    line = "| step | width | 64 to 256; depth 3, batch 128 | 1 to 16 | 2.00 | 1.98 to 2.02 | 1.99 |"
    assert line in text
    assert "1 of 4 are within 10% of what is expected:" in text
    assert "* bound against width: 1.21 times the expected; arrays of the size of W go back" in text
    assert "* step against depth: 2.00 times the expected; the cause is not known." in text
    assert "* step against batch: 0.75 times the expected; terms of lower order" in text
    assert "1 of 1 are within 10% of what is expected." in "\n".join(
        scaling.section({"series": [series()]})
    )


@pytest.mark.parametrize(("median", "reached"), [(1.3, True), (1.31, False)])
def test_the_chapter_on_start_up(median: float, reached: bool) -> None:
    """A line per program, the goal beside it, and what is not reached."""

    def program(over: float) -> dict[str, object]:
        return {"seconds": 0.1, "over": {"low": over, "median": over, "high": over}, "rounds": 5}

    found = {"programs": {"import numpy": program(1), startup.CORE: program(median)}}
    text = "\n".join(startup.section(found | {"goals": {startup.CORE: 1.3}}))
    assert f"| `{startup.CORE}` | 100 | {median:.2f} | {median:.2f} to {median:.2f} | 1.3 |" in text
    assert (f"Not reached: `{startup.CORE}`" not in text) == reached


def test_a_process_has_a_time_or_is_an_error(tmp_path: Path) -> None:
    """What ends with an error is not taken for fast."""
    assert startup._seconds("import os", {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}) > 0
    with pytest.raises(RuntimeError, match="import no_such_module ended with status 1"):
        startup._seconds("import no_such_module", dict(os.environ))


@pytest.mark.parametrize(("peak", "verdict"), [(399, "reached."), (401, "not reached.")])
def test_the_chapter_on_training_from_disk(peak: int, verdict: str) -> None:
    """What training took beyond the memory before it is held against the goal."""
    found = {"before": 100 << 20, "peak": peak << 20, "seconds": 18.4, "steps": 21400}
    text = "\n".join(disk.section(found | {"model": 407080, "file": 4 << 30}))
    assert f"is {peak} MiB, which is {peak - 100} MiB more than before training" in text
    assert text.endswith(f"at most 300 MiB: {verdict}")
    assert "Not measured: no space." in "\n".join(disk.section({"left": "no space"}))


def test_the_file_is_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are numbers as far as they are filled, zeros after that, and each has a label."""
    monkeypatch.setattr(disk, "_FILLED", 1 << 12)
    rows = disk._FILLED + 3
    disk._write(tmp_path, rows)
    x, y = (np.load(tmp_path / name, mmap_mode="r") for name in ("x.npy", "y.npy"))
    assert x.shape == (rows, disk.COLUMNS)
    assert x[disk._FILLED - 1].all()
    assert not x[disk._FILLED :].any()
    assert y.shape == (rows,)
