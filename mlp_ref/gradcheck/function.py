"""Check the gradient of anyone's function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.checks import describe, fail
from mlp_ref.gradcheck.estimates import Method, central_differences
from mlp_ref.gradcheck.noise import Scalar, require_point

__all__ = ["Report", "Verdict", "check_gradient", "compare"]


class Verdict(StrEnum):
    """What a check has shown."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Report:
    """The outcome of a check. The numbers describe the worst entry: the largest error/tolerance.

    ``kinks`` lists the entries at which the function has no derivative; they are not judged.
    ``resolved`` counts the entries whose tolerance is below their size or below that of the largest
    entry: the others would pass whatever they were.
    """

    verdict: Verdict
    reason: str
    index: tuple[int, ...]
    got: float
    expected: float
    error: float
    tolerance: float
    entries: int
    resolved: int
    kinks: tuple[tuple[int, ...], ...] = ()

    @property
    def ratio(self) -> float:
        """error / tolerance; above 1 the entry is wrong. NaN counts as infinitely wrong."""
        if np.isnan(self.error):
            return float("inf")
        return 0.0 if self.error == 0 else float(np.divide(self.error, self.tolerance))

    def __str__(self) -> str:
        return (
            f"{self.verdict}: {self.reason}; worst entry {list(self.index)}: got {self.got!r}, "
            f"expected {self.expected!r}, error {self.error:.3g}, tolerance {self.tolerance:.3g}"
        )


def check_gradient(
    f: Scalar,
    x: Array,
    gradient: Array | Callable[[Array], Array],
    *,
    method: Method = central_differences,
    gradient_error: Array | float | None = None,
) -> Report:
    """Check ``gradient`` (an array of the shape of x, or a function of x) of f: R^shape -> R at x.

    ``method``         `central_differences`, or `complex_step` where f takes complex input
    ``gradient_error`` rounding error that the gradient itself may have; unless given, that of the
                       estimate: it is assumed to be computed in the same precision

    An entry passes if |gradient - estimate| <= error of the estimate + gradient_error. The verdict
    is inconclusive if a failing entry lies at a kink, or if no entry has a tolerance below the
    largest entry of the estimate.

    Raises `InputError` if x is not a finite float32 or float64 array, if f does not return one
    finite number, or if the gradient has another shape.
    """
    require_point(x)
    claimed = gradient(x.copy()) if callable(gradient) else gradient
    if not isinstance(claimed, np.ndarray) or claimed.shape != x.shape or np.iscomplexobj(claimed):
        fail(f"the gradient must be a real array of shape {x.shape}", describe(claimed), "reshape")
    estimate = method(f, x.copy())
    own = estimate.error if gradient_error is None else np.broadcast_to(gradient_error, x.shape)
    return compare(claimed, estimate.gradient, estimate.error + own, estimate.kink)


def compare(got: Array, expected: Array, tolerance: Array, kink: Array) -> Report:
    """Judge entry by entry; what is not comparable (NaN) fails."""
    got = np.asarray(got, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(got == expected, 0.0, np.abs(got - expected))
        within = error <= tolerance
        ratio = np.where(error == 0, 0.0, error / tolerance)
    ratio = np.where(np.isnan(ratio), np.inf, ratio)
    wrong = ~within & ~kink
    size = np.fmax(np.abs(expected), np.abs(got)).max()
    resolved = int(np.count_nonzero((tolerance < size) & ~kink))
    if wrong.any():
        verdict, reason = Verdict.FAIL, f"{np.count_nonzero(wrong)} of {wrong.size} entries differ"
    elif kink.any() and not within.all():
        verdict = Verdict.INCONCLUSIVE
        reason = f"{np.count_nonzero(kink & ~within)} of {kink.size} entries lie at a kink"
    elif not resolved and size > 0:
        verdict, reason = Verdict.INCONCLUSIVE, "noise hides the gradient"
    else:
        verdict, reason = Verdict.PASS, f"{within.size} entries agree"
    ranked = np.where(wrong, ratio, -1.0) if wrong.any() else ratio
    index = tuple(int(k) for k in np.unravel_index(int(np.argmax(ranked)), got.shape))
    return Report(
        verdict,
        reason,
        index,
        float(got[index]),
        float(expected[index]),
        float(error[index]),
        float(tolerance[index]),
        got.size,
        resolved,
        tuple(tuple(int(k) for k in at) for at in np.argwhere(kink)),
    )
