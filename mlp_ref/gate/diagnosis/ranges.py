"""Ranges: for which arguments a function is wrong, over all cases of it.

The arguments of all wrong entries and of all right ones are put on one line. Where a threshold
divides them, the mistake is beyond it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.gate.diagnosis.places import wrong_entries
from mlp_ref.gate.diagnosis.samples import Sample

__all__ = ["divided", "range_of"]

_ENOUGH = 3  # entries on either side of a threshold


def range_of(failing: Sequence[Sample], passing: Sequence[Sample], tensor: str) -> str:
    """``where x > 20``, or nothing: the arguments x for which y or dx of a function is wrong."""
    good, bad = list[Array](), list[Array]()
    for sample in (*failing, *passing):
        if tensor in sample.answer:
            x, wrong = sample.case.inputs["x"], wrong_entries(sample, tensor)
            A = sample.case.arithmetic
            seen = (x == 0) | ~(np.abs(x) < A.tiny / A.u)  # less may be lost in any formula
            bad.append(x[wrong & seen])
            good.append(x[~wrong & seen])
    return divided(np.concatenate(bad), np.concatenate(good))


def divided(wrong: Array, right: Array) -> str:
    """How the wrong arguments lie among the right ones."""
    right = right[~np.isnan(right)]
    if right.size < _ENOUGH or not wrong.size:
        return ""
    if np.isnan(wrong).all():
        return "where x is NaN"
    if (wrong == 0).all():
        return "where x is 0 exactly"
    if wrong.size < _ENOUGH or np.isnan(wrong).any():
        return ""
    low, high = wrong.min(), wrong.max()
    if not ((right >= low) & (right <= high)).any():
        return _between(low, high, below=(right < low).any(), above=(right > high).any())
    size, others = np.abs(wrong), np.abs(right)
    if others.max() < size.min():
        return f"where |x| >= {size.min():.4g}"
    if others[others > 0].min(initial=np.inf) > size.max():
        return f"where |x| <= {size.max():.4g}"
    return ""


def _between(low: float, high: float, *, below: bool, above: bool) -> str:
    """The range, as far as right arguments end it."""
    if below and above:
        return f"where {low:.4g} <= x <= {high:.4g}"
    return f"where x >= {low:.4g}" if below else f"where x <= {high:.4g}"
