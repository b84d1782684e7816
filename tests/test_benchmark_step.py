"""The benchmark of speed: its clock, its rounds, its goals and its page; no time is asserted."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from benchmarks import step
from benchmarks.speed import clock, goals, memory, numpy_libraries, rounds, tricks, worker
from benchmarks.speed.page import page
from benchmarks.speed.picture import picture
from benchmarks.speed.workloads import OPTIMIZERS, WORKLOADS, problem

pytestmark = pytest.mark.once

PAGE = step.PAGE.read_text("utf-8")
FOUND = json.loads(step.PAGE.with_suffix(".json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ([3.0], (3, 3, 3, True)),
        ([1.0, 2.0, 3.0, 4.0, 100.0], (2, 3, 4, False)),
        ([100.0, 101.0, 102.0], (100.5, 101, 101.5, True)),
    ],
)
def test_a_spread_is_the_middle_half(sample, expected) -> None:
    """Median and quartiles; steady if they are within 5 % of the median."""
    found = clock.spread(sample)
    assert (*found, found.steady) == expected


@pytest.mark.parametrize(("count", "parts"), [(4, 6), (1, 3)])
def test_a_block_is_the_least_of_its_parts(monkeypatch, count, parts) -> None:
    """Each part is divided by its number of calls; of long calls there are three."""
    taken = [8.0, 4.0, 12.0, 8.0, 8.0, 8.0][:parts]
    times = iter([time for seconds in taken for time in (0.0, seconds)])
    monkeypatch.setattr(clock, "process_time", lambda: next(times))
    calls: list[int] = []
    assert clock.block(lambda: calls.append(1), count) == 4.0 / count
    assert len(calls) == parts * count


@pytest.mark.parametrize("seconds", [1e-6, 1e-3, 5.0])
def test_repeats_fill_a_part_of_a_block(monkeypatch, seconds) -> None:
    """A step of a microsecond runs ten thousand times in 10 ms, one of seconds runs once."""
    now = [0.0]

    def f() -> None:
        now[0] += seconds

    monkeypatch.setattr(clock, "process_time", lambda: now[0])
    assert clock.repeats(f) == max(1, round(clock.BLOCK / 6 / seconds))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", ["tiny", "small"])
def test_the_tutorial_takes_the_steps_of_the_reference(name, optimizer) -> None:
    """The same losses, step by step, to a thousandth of what a step changes."""
    p = problem(name, optimizer)
    ours, theirs = (
        [float(run()) for _ in range(worker.STEPS)]
        for run in (numpy_libraries.ours(p), numpy_libraries.walkthrough(p))
    )
    assert rounds.other(theirs, ours) == ""
    assert ours == sorted(ours, reverse=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda losses: [2 * x for x in losses],
        lambda losses: losses[:1] + [x + 0.002 for x in losses[1:]],
        lambda losses: losses[:-1],
        lambda losses: [*losses[:-1], float("nan")],
    ],
    ids=["summed", "another rate", "one lost", "nan"],
)
def test_other_losses_are_not_compared(change) -> None:
    """A library that does something else is left out, with its losses."""
    losses = [1.0, 0.9, 0.8, 0.7]
    assert rounds.other(losses, losses) == ""
    assert rounds.other(change(losses), losses)


@pytest.mark.parametrize("variant", [*tricks.KEPT, *tricks.DROPPED])
def test_every_variant_of_the_step_computes_the_same(variant) -> None:
    """Without a trick, or with one that was dropped, the parameters agree to rounding."""
    options, exchanged = (tricks.KEPT | tricks.DROPPED)[variant]
    p, found = problem("tiny", "adam"), []
    for chosen, during in (({}, tricks.as_it_is), (options, exchanged)):
        with during():
            run = tricks.step_of(p, **chosen)
            for _ in range(3):
                after = run()
            found.append(after.flat)
    # Adam moves no entry by more than about its rate; a wrong step would be off by as much.
    assert np.abs(found[0] - found[1]).max() <= 1e-3 * p.rate


def test_a_worker_answers_every_line(monkeypatch, capsys) -> None:
    """Losses and a count, the seconds of a turn, and an error for what it cannot do."""
    lines = [{"prepare": ["tiny", "sgd"]}, {"turn": 2}, {"prepare": ["huge", "sgd"]}, {"turn": 1}]
    monkeypatch.setattr("sys.stdin", [json.dumps(line) for line in lines])
    assert worker.main("mlp_ref") == 0
    first, second, third, fourth = map(json.loads, capsys.readouterr().out.splitlines())
    assert len(first["losses"]) == worker.STEPS
    assert first["count"] >= 1
    assert second["seconds"] > 0
    assert third == {"error": "KeyError: 'huge'"}
    assert fourth["seconds"] > 0


def test_processes_measure_side_by_side_and_end() -> None:
    """Ours beside the limit in processes; what does not run is left out with the reason."""
    names = ["limit", "mlp_ref", "walkthrough", "numpy-ml"]
    with rounds.processes(names) as running:
        measured = rounds.side_by_side(running, "tiny", "sgd", 1)
    assert all(process.process.poll() == 0 for process in running)
    assert measured.rounds == 1
    assert set(measured.over) | set(measured.left) == {"mlp_ref", "walkthrough", "numpy-ml"}
    assert measured.limit.median > 0
    assert set(measured.ours) == set(measured.over) - {"mlp_ref"}


def test_a_process_that_ends_is_an_error_of_its_library() -> None:
    """It is told with its status, and the others go on."""
    with rounds.processes(["no library"]) as (process,):
        assert process.ask(prepare=["tiny", "sgd"]) == {"error": "KeyError: 'no library'"}
        process.process.kill()
        process.process.wait()
        assert "the process ended with status" in process.ask(turn=1)["error"]


def test_children_have_one_thread_and_no_chosen_kernels(monkeypatch) -> None:
    """What chooses the kernels of OpenBLAS by hand does not reach them."""
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    found = rounds.environment()
    assert "OPENBLAS_CORETYPE" not in found
    assert found["OPENBLAS_NUM_THREADS"] == "1"


def run_of(ours: float, jax: float) -> Any:
    """A run in which every workload took the same."""
    measured = {
        "limit": [1e-3, 1e-3, 1e-3], "over": {"mlp_ref": [ours] * 3, "JAX jit": [ours * jax] * 3},
        "ours": {"JAX jit": [jax] * 3}, "left": {"numpy-ml": "not installed"}, "rounds": 9,
    }  # fmt: skip
    return {name: dict.fromkeys(OPTIMIZERS, measured) for name in WORKLOADS}


def test_goals_are_judged_by_the_median_of_the_runs() -> None:
    """One bad run of three does not miss a goal, and two do."""
    good, bad = run_of(1.04, 2.5), run_of(9.0, 0.5)
    assert all(goal.reached for goal in goals.goals([good, bad, good]))
    missed = [goal for goal in goals.goals([bad, good, bad]) if not goal.reached]
    assert len(missed) == 10 + 10 + 4
    assert missed[0].found == (9.0, 1.04, 9.0)


def test_memory_of_a_step_is_counted() -> None:
    """The unavoidable of tiny, by hand; what is held is at least that."""
    numbers = 2 * 131 + 32 * (16 + 3) + 32 * 16
    assert memory.unavoidable("tiny", "sgd") == 8 * numbers
    assert memory.unavoidable("tiny", "adam") == 8 * (numbers + 2 * 131)
    found = memory.step_of("small", "adam")
    assert found["unavoidable"] <= found["peak"] <= 1.3 * found["unavoidable"]


def test_the_page_says_what_was_measured() -> None:
    """docs/performance.md is the page of docs/performance.json, and the picture is its picture."""
    assert page(FOUND) == PAGE
    drawn = picture(goals.combined(FOUND["runs"]))
    assert drawn == step.PAGE.with_suffix(".svg").read_text("utf-8")
    assert len(FOUND["runs"]) == step.RUNS
    assert list(FOUND["runs"][0]) == list(WORKLOADS)


def test_missed_goals_are_told_with_their_cause() -> None:
    """A goal that is missed is bold in the table, and its workload is explained below."""
    bad = page(FOUND | {"runs": [run_of(9.0, 0.5)]})
    assert bad.count("**missed**") == 24
    assert all(f"*{name}.*" in bad for name in WORKLOADS)
    good = page(FOUND | {"runs": [run_of(1.0, 2.0)]})
    assert "**missed**" not in good
    assert not re.search(r"\*tiny\.\*", good)
    assert "numpy-ml at tiny with sgd: not installed" in good


def test_one_topic_is_measured_again(monkeypatch, tmp_path) -> None:
    """--only replaces its numbers in the JSON and on the page, and keeps all others."""
    target = tmp_path / "performance.md"
    target.with_suffix(".json").write_text(json.dumps(FOUND), "utf-8")
    monkeypatch.setattr(step, "PAGE", target)
    disk = FOUND["disk"] | {"steps": 12_345}
    monkeypatch.setattr(step, "_topic", lambda name, quick: {"disk": disk}[name])
    assert step.main(["--only", "disk"]) == 0
    found = json.loads(target.with_suffix(".json").read_text("utf-8"))
    assert found == FOUND | {"disk": disk}
    assert target.read_text("utf-8") == page(found) != PAGE
