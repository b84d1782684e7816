"""Several sessions of one subject: the reports of one, in the same order, and an end at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from networks import NETWORKS
from report_subjects import CASES, expects, mixed

from mlp_ref.gate.cases import Case
from mlp_ref.gate.jobs import run_side_by_side
from mlp_ref.gate.report_jsonl import result_lines
from mlp_ref.gate.run import run_cases
from mlp_ref.subjects import Kind, Question, Reply, Subject, network_subject

KNOWN = expects({CASES[1].id: {"loss": 1.0}, CASES[2].id: {"dW0": 1.0}})
ENOUGH = 5.0  # seconds, for what must end at once


class Slow:
    """A session that takes the longer the earlier the case, and can be aborted while it waits."""

    def __init__(self, subject: Subject, wait: Callable[[int], float] = lambda n: 0.0) -> None:
        self.name, self.operations = subject.name, subject.operations
        self.arithmetics, self.versions = subject.arithmetics, subject.versions
        self.excuse, self.subject, self.wait = subject.excuse, subject, wait
        self.asked, self.stop, self.busy = 0, threading.Event(), threading.Lock()

    def ask(self, question: Question) -> Reply:
        """Wait, then ask."""
        assert self.busy.acquire(blocking=False), "two threads ask one session"
        try:
            self.asked += 1
            if self.stop.wait(self.wait(self.asked)):
                return Reply(Kind.ERROR, "aborted")
            return self.subject.ask(question)
        finally:
            self.busy.release()

    def abort(self) -> None:
        """End the wait."""
        self.stop.set()

    close = abort


def lines(reports: Iterator[Any]) -> list[str]:
    """What is written of reports, which holds all but the time."""
    return [line for report in reports for line in result_lines(report)]


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_the_reports_are_those_of_one_session_in_the_same_order(jobs: int) -> None:
    """Passes, failures, errors, skips and hints, however long each case takes."""
    subject = network_subject("mine", mixed)
    sessions = [Slow(subject, lambda n: 0.02 / n) for _ in range(jobs)]
    found = lines(run_side_by_side(sessions, CASES, KNOWN))
    assert found == lines(run_cases(subject, CASES, KNOWN))
    assert {json.loads(line)["verdict"] for line in found} == {"pass", "fail", "error", "skip"}
    assert sum(session.asked for session in sessions) == len(CASES)
    assert all(session.asked for session in sessions)


def test_no_case_is_taken_long_before_its_turn() -> None:
    """A slow first case holds back the others, so that few are lost when a run is killed."""
    taken: list[Case] = []

    def cases() -> Iterator[Case]:
        for case in NETWORKS[:60]:
            taken.append(case)
            yield case

    sessions = [Slow(network_subject("mine", mixed)) for _ in range(2)]
    for n, _ in enumerate(run_side_by_side(sessions, cases()), 1):
        assert n <= len(taken) <= n + 10


def interrupted(error: BaseException) -> Iterator[Case]:
    """A few cases, then what ends the run."""
    yield from CASES[:4]
    raise error


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(28, "No space left"), MemoryError()]
)
def test_what_ends_the_run_ends_the_sessions_at_once(error: BaseException) -> None:
    """Nobody waits for answers, and the error comes through."""
    sessions = [Slow(network_subject("mine", mixed), lambda n: 60.0) for _ in range(2)]
    begin = time.monotonic()
    with pytest.raises(type(error)):
        list(run_side_by_side(sessions, interrupted(error)))
    assert time.monotonic() - begin < ENOUGH
    assert all(session.stop.is_set() for session in sessions)


class Broken(Slow):
    """A session that fails as none may."""

    def ask(self, question: Question) -> Reply:
        """Raise."""
        raise RuntimeError("no session does that")


def test_an_error_in_one_session_ends_all_at_once() -> None:
    """It comes through, and is not taken for a verdict."""
    mine = network_subject("mine", mixed)
    sessions = [Slow(mine, lambda n: 60.0), Broken(mine)]
    begin = time.monotonic()
    with pytest.raises(RuntimeError, match="no session does that"):
        list(run_side_by_side(sessions, CASES[1:2] * 2))
    assert time.monotonic() - begin < ENOUGH
    assert all(session.stop.is_set() for session in sessions)


def test_whoever_stops_to_ask_ends_the_sessions() -> None:
    """As when the disk is full while a report is written."""
    waits = iter([0.0, 60.0, 60.0, 60.0])
    sessions = [Slow(network_subject("mine", mixed), lambda n: next(waits)) for _ in range(2)]
    reports = run_side_by_side(sessions, CASES)
    begin = time.monotonic()
    next(reports)
    reports.close()
    assert time.monotonic() - begin < ENOUGH
    assert all(session.stop.is_set() for session in sessions)


# --------------------------------------------------------------------------------- whole programs

OWN = """
import numpy as np
from mlp_ref.subjects.numpy_subject import run as right

def run(**case):
    if case["activations"][0] == "silu":
        raise NotImplementedError("no silu")
    answer = dict(right(**case))
    if case["activations"][0] == "tanh":
        answer["dW0"] = answer["dW0"] * answer["dW0"].dtype.type(1.5)
    return answer
"""


def verified(folder: Path, arguments: Sequence[str], threads: int) -> str:
    """The JSON lines of a run with so many threads of the linear algebra library."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    subprocess.run(
        [sys.executable, "-m", "mlp_ref", "verify", *arguments, "--jsonl", "out.jsonl"],
        cwd=folder, env={**os.environ} | dict.fromkeys(names, str(threads)), check=False,
        capture_output=True,
    )  # fmt: skip
    return (folder / "out.jsonl").read_text("ascii")


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["numpy", "py:own:run"])
def test_jobs_and_threads_change_no_number(subject: str, tmp_path: Path) -> None:
    """One or two processes: the same file. One or two threads: the same verdicts.

    More threads may add in another order, which the bounds allow; the matrices here are too small
    for that: the numbers, too, are the same.
    """
    (tmp_path / "own.py").write_text(OWN, "utf-8")
    arguments = [subject, "--only", "mlp/*"]
    plain = verified(tmp_path, arguments, 1)
    assert json.loads(plain.splitlines()[-1])["cases"]["pass"] > 100
    assert verified(tmp_path, [*arguments, "--jobs", "2"], 1) == plain
    assert verified(tmp_path, arguments, 2) == plain
    assert verified(tmp_path, [*arguments, "--jobs", "2"], 2) == plain
