"""Expectations: deviations of released libraries that are known, measured and explained.

An expectation widens no bound. The tensors that it names fail and are printed as failures; they
only do not count against the library. It is exact on both sides: a failure that it does not name,
or that is larger than it says, NaN and what cannot be compared are failures like any other. A
tensor that it names and that passes, or that no case has, makes it stale.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlp_ref.bounds import Bounded
from mlp_ref.gate.cases import Case
from mlp_ref.gate.judge import refusal

__all__ = ["EXPECTATIONS", "Expectation", "expectations_of"]


@dataclass(frozen=True)
class Expectation:
    """One known deviation.

    ``id``       stable, never reused
    ``subject``  the subject that deviates
    ``versions`` where it was measured
    ``evidence`` the measurement
    ``why``      its cause, and what follows from it
    ``failing``  case id -> tensor that fails -> the largest deviation of an entry, which rounding
                 adds its bound to
    """

    id: str
    subject: str
    versions: str
    evidence: str
    why: str
    failing: Mapping[str, Mapping[str, float]] = field(repr=False)

    def excuses(self, case: Case, tensor: str, got: Any, expected: Bounded) -> bool:
        """Whether a failure is the one that was measured: no entry is farther off."""
        most = self.failing.get(case.id, {}).get(tensor)
        if most is None or refusal(got, expected, case.arithmetic):
            return False
        numbers = np.asarray(got, np.float64)
        finite = np.isfinite(numbers)  # where a bound is infinite, so might the error be
        with np.errstate(invalid="ignore", over="ignore"):
            error = np.abs(numbers - expected.value)
        return bool((finite & (error <= most + expected.allowed)).all())

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


EXPECTATIONS: tuple[Expectation, ...] = (
    Expectation(
        id="torch-softplus-threshold",
        subject="torch",
        versions="torch 2.13.0, CPU, float64",
        evidence=(
            "softplus(20.1) is 20.1 where log(1 + exp(20.1)) is 20.10000000186501: an error of "
            "1.9e-9, 525,000 ULP, 10 correct digits of 16. The derivative there is 1 where it "
            "is 1 - 1.9e-9."
        ),
        why=(
            "torch.nn.functional.softplus returns x itself, with derivative 1, above its parameter "
            "threshold=20. exp(-20) is below the resolution of float32 but not of float64. Passing "
            "threshold=40 in float64 removes the deviation."
        ),
        failing={
            "mlp/points-above-20/softplus/float64": {
                "a0": 1.9e-9, "z1": 6.9e-11, "a1": 6.9e-11, "loss": 3.8e-9, "g": 1.4e-10,
                "dW1": 1.0e-7, "db1": 1.4e-10, "dW0": 6.9e-8, "db0": 6.9e-8, "dx": 3.8e-9,
            },
        },
    ),
)  # fmt: skip


def expectations_of(subject: str) -> tuple[Expectation, ...]:
    """The expectations of one subject."""
    return tuple(e for e in EXPECTATIONS if e.subject == subject)
