"""Coarse arithmetics: how many bits are right, where all of them are lost alike."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, log2

import numpy as np

from mlp_ref.gate.diagnosis.samples import Sample

__all__ = ["bits_of"]

_ENTRIES = 4  # wrong ones of a tensor
_CASES = 6  # of which some must come near the unit
_ABOVE, _NEAR = 1.5, 2.0  # bits by which the worst case, and others, may do better than the unit
_KNOWN = {24: "float32", 11: "TF32 or float16", 8: "bfloat16"}


def bits_of(samples: Sequence[Sample]) -> str:
    """``is right to about 11 bits of 53, as of TF32 or float16``, or nothing.

    Error / bound is at most the ratio of the two units: no case has fewer bits than the coarse
    arithmetic, and where little is added up, hardly more. Another formula has no such floor.
    """
    found = [bits for sample in samples if (bits := _bits(sample)) is not None]
    if len(found) < _CASES:
        return ""
    least, whole = min(found), samples[0].case.arithmetic.precision
    near = sum(bits <= least + _NEAR for bits in found)
    known = [p for p in _KNOWN if abs(least - p) <= _ABOVE]  # one bit less if cut, not rounded
    if 4 * near < len(found) or not known or known[0] > whole - 4:
        return ""
    return f"is right to about {known[0]} bits, as in {_KNOWN[known[0]]}"


def _bits(sample: Sample) -> float | None:
    """Right bits of the first wrong tensor, if many of its entries are wrong, as by rounding."""
    tensor = sample.wrong[0]
    right, x = sample.expected[tensor], np.asarray(sample.answer[tensor], np.float64)
    with np.errstate(all="ignore"):
        ratio = np.abs(x - right.value) / right.allowed
    wrong = ratio[ratio > 1]
    if not np.isfinite(x).all() or 2 * wrong.size < ratio.size or wrong.size < _ENTRIES:
        return None
    largest = float(ratio.max())
    return sample.case.arithmetic.precision - log2(largest) if isfinite(largest) else None
