"""Check the gradient of anyone's function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from math import sqrt

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.checks import describe, fail
from mlp_ref.gradcheck.estimates import Estimate, Method, central_differences
from mlp_ref.gradcheck.noise import (
    Scalar,
    deviation,
    quantile,
    relative_noise,
    require_point,
)

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
    ``gradient_error`` rounding error that the gradient itself may have. Unless given: that of the
                       estimate, which has seen how f is conditioned, and what its arithmetic costs
                       in the largest entry, `relative_noise` of f or the unit roundoff of the
                       gradient; of a function also its own noise, which is measured

    An entry passes if |gradient - estimate| <= error of the estimate + gradient_error; NaN and inf
    fail. The verdict is inconclusive if a failing entry lies at a kink, if an entry could not be
    estimated, or if too little is proven: a pass shows half of the digits, an error of no entry
    above the square root of the relative noise times the largest entry.

    Raises `InputError` if x is not a finite float32 or float64 array, if f does not return one
    finite number, or if the gradient has another shape.
    """
    require_point(x)
    claimed = gradient(x.copy()) if callable(gradient) else gradient
    if not isinstance(claimed, np.ndarray) or claimed.shape != x.shape or np.iscomplexobj(claimed):
        fail(f"the gradient must be a real array of shape {x.shape}", describe(claimed), "reshape")
    estimate = method(f, x.copy())
    relative = relative_noise(f, x)
    if claimed.dtype.kind == "f":
        relative = max(relative, float(np.finfo(claimed.dtype).eps) / 2)
    if gradient_error is None:
        tolerance = estimate.error + _own_error(x, gradient, estimate, relative)
    else:
        tolerance = estimate.error + gradient_error
    report = compare(claimed, estimate.gradient, tolerance, estimate.kink)
    if report.verdict is not Verdict.PASS or gradient_error is not None:
        return report
    size = max(np.abs(claimed).max(), np.abs(estimate.gradient).max())
    blurred = np.count_nonzero(tolerance > sqrt(relative) * size)
    if blurred:
        reason = f"noise hides half of the digits in {blurred} of {x.size} entries"
        return replace(report, verdict=Verdict.INCONCLUSIVE, reason=reason)
    return report


def _own_error(
    x: Array, gradient: Array | Callable[[Array], Array], estimate: Estimate, relative: float
) -> Array:
    """What a gradient that is computed like f may be off by."""
    found = estimate.gradient[np.isfinite(estimate.gradient)]
    noise: Array = np.asarray(relative * np.abs(found).max(initial=0.0))
    if callable(gradient):
        own = deviation(gradient, x)
        noise = np.maximum(noise, own + np.sqrt(np.mean(np.square(own))))
    return np.asarray(estimate.error + quantile(x.size) * noise)


def compare(
    got: Array,
    expected: Array,
    tolerance: Array,
    kink: Array,
    *,
    overflow: bool = False,
    scale: float = 0.0,
) -> Report:
    """Judge entry by entry: wrong, or undecided, or within the tolerance.

    An entry is undecided at a kink, and where the expected entry or its tolerance is not finite.
    NaN and inf are wrong everywhere, or with ``overflow`` where both of those are finite. Zeros
    agree if the tolerance is what underflow leaves, below the root of the smallest normal number;
    else nothing shows that it is small. ``scale`` is the size of the terms that entries are sums
    of, unless an entry is larger.
    """
    underflow = float(np.finfo(got.dtype).tiny) if got.dtype.kind == "f" else 0.0
    got = np.asarray(got, np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        error = np.where(got == expected, 0.0, np.abs(got - expected))
        within = error <= tolerance
        ratio = np.where(error == 0, 0.0, error / tolerance)
    known = np.isfinite(expected) & np.isfinite(tolerance)
    ratio = np.where(np.isnan(ratio), np.where(known, np.inf, 0.0), ratio)
    invalid = ~np.isfinite(got) & (known | (not overflow))
    wrong = invalid | known & ~within & ~kink
    excused = kink & ~within & ~wrong
    unknown = ~known & ~excused & ~wrong
    sizes = np.where(known & np.isfinite(got), np.fmax(np.abs(expected), np.abs(got)), 0.0)
    size = sizes.max(initial=scale)
    resolved = int(np.count_nonzero((tolerance < size) & ~kink))
    verdict, ranked = Verdict.INCONCLUSIVE, ratio
    if wrong.any():
        verdict, reason = Verdict.FAIL, f"{np.count_nonzero(wrong)} of {wrong.size} entries differ"
        ranked = np.where(wrong, ratio, -1.0)
    elif excused.any():
        reason = f"{np.count_nonzero(excused)} of {kink.size} entries lie at a kink"
        ranked = np.where(excused, ratio, -1.0)
    elif unknown.any():
        reason = f"{np.count_nonzero(unknown)} of {unknown.size} entries could not be estimated"
        ranked = np.where(unknown, ratio, -1.0)
    elif not resolved and size > 0:
        reason = "noise hides the gradient"
    elif not resolved and tolerance.max() > sqrt(underflow):
        reason = "the gradient is zero, and nothing shows how small that is"
    else:
        verdict, reason = Verdict.PASS, f"{within.size} entries agree"
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
