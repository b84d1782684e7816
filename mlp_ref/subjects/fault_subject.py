"""The faults of the catalogue as subjects: ``fault:ID``."""

from __future__ import annotations

from difflib import get_close_matches

from mlp_ref.checks import fail
from mlp_ref.corpus.names import REJECTS
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.faults import FAULTS
from mlp_ref.subjects.protocol import Subject

__all__ = ["load"]


def load(variant: str) -> Subject:
    """The subject ``fault:variant``. Raises `InputError` if there is no such fault."""
    if variant not in FAULTS:
        near = get_close_matches(variant, FAULTS, 3, 0.3) or list(FAULTS)[:3]
        fail(
            f"a fault must be one of the {len(FAULTS)} in mlp_ref.faults.FAULTS", repr(variant),
            f"such as {', '.join(near)}",
        )  # fmt: skip
    fault = FAULTS[variant]
    return Subject(
        f"fault:{fault.id}", lambda q: fault.answer(q.operation, q.parameters, q.inputs),
        OPERATIONS, ("float32", "float64"), {}, tuple(REJECTS),
    )  # fmt: skip
