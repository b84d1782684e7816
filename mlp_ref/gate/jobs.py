"""Several sessions of one subject, each asked a case at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from queue import SimpleQueue

from mlp_ref.gate.cases import Case
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.run import CaseReport, run_case
from mlp_ref.subjects import Session

__all__ = ["run_side_by_side"]

_AHEAD = 4  # cases that a session may be ahead of the one that is reported next


def run_side_by_side(
    sessions: Sequence[Session], cases: Iterable[Case], expectations: Sequence[Expectation] = ()
) -> Generator[CaseReport, None, None]:
    """Ask the cases of whichever session is free; report them in their own order.

    The reports are those of `mlp_ref.gate.run.run_cases`, but for the time they took.
    """
    free: SimpleQueue[Session] = SimpleQueue()
    for session in sessions:
        free.put(session)

    def run(case: Case) -> CaseReport:
        session = free.get()
        try:
            return run_case(session, case, expectations)
        finally:
            free.put(session)

    waiting: deque[Future[CaseReport]] = deque()
    with ThreadPoolExecutor(len(sessions)) as pool:
        try:
            for case in cases:
                waiting.append(pool.submit(run, case))
                while waiting and (waiting[0].done() or len(waiting) > _AHEAD * len(sessions)):
                    yield _first(waiting)
            while waiting:
                yield _first(waiting)
        except BaseException:  # Ctrl-C, or nobody asks for the rest: wait for no answer
            for future in waiting:
                future.cancel()
            for session in sessions:
                session.abort()
            raise


def _first(waiting: deque[Future[CaseReport]]) -> CaseReport:
    """Take the report that comes next; an error of any other is raised as soon as it is there."""
    while not waiting[0].done():
        pending = {each for each in waiting if not each.done()}
        for each in waiting:
            if each not in pending:
                each.result()
        wait(pending, None, FIRST_COMPLETED)
    return waiting.popleft().result()
