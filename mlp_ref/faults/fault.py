"""What a fault is: a named, wrong implementation of one classic mistake."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlp_ref.faults.parts import Answer, Inputs, Parameters, Parts, operations_of
from mlp_ref.operations import OPERATIONS

__all__ = ["Fault"]


@dataclass(frozen=True)
class Fault:
    """One mistake, or a variant that is none.

    ``id``      stable, such as softmax-global-maximum
    ``family``  softmax, reduction, activation, dense, precision, optimizer, label, entry
    ``symptom`` what one sees, in one line
    ``formula`` what it computes, in place of what
    ``why``     how the mistake comes about, and why tests miss it
    ``fix``     what to write instead, in one line
    ``seen``    where it was seen: a public link, or empty
    ``parts``   the wrong implementation
    """

    id: str
    family: str
    symptom: str
    formula: str
    why: str
    fix: str
    parts: Parts = field(repr=False)
    seen: str = ""

    def answer(self, operation: str, parameters: Parameters, inputs: Inputs) -> Answer:
        """What it returns. Inputs that the reference refuses, it refuses: `InputError`."""
        OPERATIONS[operation](parameters, inputs)
        return operations_of(self.parts)[operation](parameters, inputs)
