"""What the tests of the diagnosis share: small cases, and what is found in a subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from mlp_ref.arithmetic import FLOAT64
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.faults import operations_of
from mlp_ref.faults.making import on_tensors
from mlp_ref.faults.parts import Parts
from mlp_ref.gate.cases import Case, build_cases
from mlp_ref.gate.diagnosis import Diagnosis, diagnose
from mlp_ref.gate.run import run_cases
from mlp_ref.subjects import Question, Subject

MOST = 4000  # numbers of a case; the few larger ones take as long as all others together


@cache
def cases(*operations: str) -> tuple[Case, ...]:
    """The valid cases of some operations in float64, but for the largest."""
    found = build_cases([FLOAT64], operations=operations)
    return tuple(case for case in found if not case.rejects and size(case) <= MOST)


def size(case: Case) -> int:
    """Numbers of the question."""
    return sum(x.size for x in case.inputs.values())


def diagnosed(parts: Parts, *operations: str) -> tuple[Diagnosis, ...]:
    """What is found in these parts."""
    made = operations_of(parts)
    return diagnosed_of(lambda q: made[q.operation](q.parameters, q.inputs), *operations)


def diagnosed_of(
    run: Callable[[Question], Mapping[str, Any]], *operations: str
) -> tuple[Diagnosis, ...]:
    """What is found in a subject."""
    subject = Subject("mine", run, OPERATIONS, ("float32", "float64"))
    return diagnose(run_cases(subject, cases(*operations)))


def changed(tensor: str, change: Callable[[Any], Any]) -> Parts:
    """The reference, but for one tensor."""
    return on_tensors([tensor], change)
