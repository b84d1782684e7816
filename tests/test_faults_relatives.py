"""The catalogue's mistakes with other constants: each is wrong, and none is the catalogue's own."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from mlp_ref.arithmetic import FLOAT64
from mlp_ref.corpus.kills import kills
from mlp_ref.faults import FAULTS, RELATIVES, operations_of
from mlp_ref.gate.cases import Case, build_cases
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.run import run_case
from mlp_ref.subjects import Subject

pytestmark = pytest.mark.once

EACH = [(name, constant) for name, others in RELATIVES.items() for constant in others]
SMALL = 2000  # numbers of a question


@cache
def cases(name: str) -> list[Case]:
    """The small cases in float64 of the operations in which a fault shows."""
    shown = {case.partition("/")[0] for case, faults in kills().items() if name in faults}
    operations = [operation for operation in shown if operation != "train_step"]
    return [
        case for case in build_cases([FLOAT64], operations=operations)
        if not case.rejects and sum(x.size for x in case.inputs.values()) <= SMALL
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "constant"), EACH)
def test_another_constant_is_rejected(name: str, constant: str) -> None:
    """At least one case fails, as it does with the constant of the catalogue."""
    made = operations_of(RELATIVES[name][constant])
    subject = Subject(
        "mine", lambda q: made[q.operation](q.parameters, q.inputs), tuple(made), ("float64",)
    )
    assert any(run_case(subject, case).verdict == Verdict.FAIL for case in cases(name))


@pytest.mark.parametrize(("name", "constant"), EACH)
def test_another_constant_is_another_mistake(name: str, constant: str) -> None:
    """Somewhere it returns other numbers than the catalogue's, or it would be named twice."""
    one, two = (operations_of(p) for p in (RELATIVES[name][constant], FAULTS[name].parts))

    def differ(case: Case) -> bool:
        q = case.question()
        a, b = (made[q.operation](q.parameters, q.inputs) for made in (one, two))
        return any(not np.array_equal(a[t], b[t], equal_nan=True) for t in case.tensors)

    assert any(map(differ, cases(name)))
