"""Expectations: deviations of released libraries that are known, measured and explained.

An expectation widens no bound. The tensors that it names fail and are printed as failures; they
only do not count against the library. It is exact on both sides: a failure that it does not name is
a failure, and a tensor that it names and that passes makes it stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["EXPECTATIONS", "Expectation", "expectations_of"]


@dataclass(frozen=True)
class Expectation:
    """One known deviation.

    ``id``       stable, never reused
    ``subject``  the subject that deviates
    ``versions`` where it was measured
    ``evidence`` the measurement
    ``why``      its cause, and what follows from it
    ``failing``  case id -> the tensors of that case that fail
    """

    id: str
    subject: str
    versions: str
    evidence: str
    why: str
    failing: Mapping[str, tuple[str, ...]] = field(repr=False)


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
            "points-above-20/softplus/float64": (
                "a0", "z1", "a1", "loss", "g", "dW1", "db1", "dW0", "db0", "dx",
            ),
            "saturated/softplus/cross_entropy/float64": (
                "a0", "z1", "a1", "loss", "dW1", "dW0", "db0", "dx",
            ),
        },
    ),
)  # fmt: skip


def expectations_of(subject: str) -> tuple[Expectation, ...]:
    """The expectations of one subject."""
    return tuple(e for e in EXPECTATIONS if e.subject == subject)
