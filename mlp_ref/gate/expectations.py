"""Expectations: deviations that are known, measured and explained, in a ledger.

An expectation widens no bound. The tensors that it names fail and are printed as failures; they
only do not count against the subject. It is exact on both sides: a failure that it does not name,
or that is larger than it says, NaN that it does not announce and what cannot be compared are
failures like any other. A tensor that it names and that passes, or that no case has, makes it
stale.

Ledgers are read by `mlp_ref.gate.ledger`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.bounds import Bounded
from mlp_ref.gate.cases import Case
from mlp_ref.gate.judge import Verdict, refusal

__all__ = ["Expectation"]


@dataclass(frozen=True)
class Expectation:
    """One known deviation.

    ``id``       stable, never reused
    ``subjects`` that deviate; ``torch_ddp:*`` stands for those of any number of ranks
    ``versions`` where it was measured
    ``evidence`` the measurement
    ``why``      its cause, and what follows from it
    ``failing``  case id -> tensor that fails -> the largest deviation of an entry, which rounding
                 adds its bound to; inf where the entries that are wrong are infinite; NaN where NaN
                 stands for a number, or a number for NaN; anything for inputs that must be refused,
                 and are answered
    ``may_pass`` cases among them that pass on some machines, as the error is near the bound
    """

    id: str
    subjects: tuple[str, ...]
    versions: str
    evidence: str
    why: str
    failing: Mapping[str, Mapping[str, float]] = field(repr=False)
    may_pass: tuple[str, ...] = ()

    def names(self, case: str, tensor: str, verdict: Verdict) -> bool:
        """Whether this tensor of the case is to fail; not of one that passes and may."""
        named = tensor in self.failing.get(case, ())
        return named and not (verdict == Verdict.PASS and case in self.may_pass)

    def concerns(self, subject: str) -> bool:
        """Whether a subject is among those that deviate."""
        return any(
            subject.startswith(name[:-1]) if name.endswith(":*") else subject == name
            for name in self.subjects
        )

    def known(self, case: Case, tensor: str, got: Any, expected: Bounded) -> Array:
        """Which entries are right, or as far off as was measured and no farther."""
        most = self.failing.get(case.id, {}).get(tensor)
        if most is None or refusal(got, expected, case.arithmetic):
            return np.array(False)
        numbers = np.asarray(got, np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            error = np.abs(numbers - expected.value)
            right = (numbers == expected.value) | (np.isnan(numbers) & np.isnan(expected.value))
            right |= np.isfinite(numbers) & (error <= expected.allowed)  # the bound may be inf
            if np.isnan(most):
                return np.asarray(right | (np.isnan(numbers) ^ np.isnan(expected.value)))
            if np.isinf(most):
                return np.asarray(right | np.isinf(numbers))
            near = np.isfinite(numbers) & (error <= most + expected.allowed)
        return np.asarray(right | near)

    def beyond(self, case: Case, tensor: str) -> str:
        """What to say of a tensor that fails in another way, or an empty string."""
        most = self.failing.get(case.id, {}).get(tensor)
        return "" if most is None else f"{self.id} explains an error of {most:.1e}, not this one."

    def unknown(self, cases: Iterable[Case]) -> list[str]:
        """What it names and no case has, out of all cases that exist."""
        exist = {case.id: case.tensors for case in cases}
        return [
            f"{name} {tensor}"
            for name, tensors in self.failing.items()
            for tensor in tensors
            if tensor not in exist.get(name, ())
        ]
