"""The one comparator: whether a tensor lies within its bound, entry by entry.

    |got - value| <= bound + radius        for every entry; nothing is averaged

Written so that whatever cannot be compared fails: NaN compares false, a wrong shape is never
broadcast, a wrong dtype never cast, and an empty tensor proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf, log10, nan
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Arithmetic, Array
from mlp_ref.bounds import Bounded
from mlp_ref.corpus.records import Certified, checksum_weights

__all__ = ["Result", "Verdict", "judge", "judge_certified", "refusal"]


class Verdict(StrEnum):
    """What is known about one tensor, or about one case."""

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"
    SKIP = "skip"


@dataclass(frozen=True)
class Result:
    """The comparison of one tensor. The numbers describe its worst entry: the largest error/bound.

    ``bound``        what the entry was allowed: derived bound + radius of the reference
    ``ratio``        error / bound; above 1 the entry is wrong
    ``ulp``          error in units of the last place of the expected number
    ``digits``       proven decimal digits: -log10((error + radius) / abs(expected)), at most those
                     of the arithmetic; of the absolute error where a zero is expected
    ``entries``      entries compared, ``failed`` of them outside the bound
    ``inconclusive`` entries whose bound is as large as the expected number, so that 0 would pass
    """

    tensor: str
    verdict: Verdict
    reason: str = ""
    index: tuple[int, ...] = ()
    got: float = nan
    expected: float = nan
    error: float = nan
    bound: float = nan
    ratio: float = nan
    ulp: float = nan
    digits: float = nan
    entries: int = 0
    failed: int = 0
    inconclusive: int = 0


def refusal(got: object, expected: Bounded, arithmetic: Arithmetic) -> str:
    """Why ``got`` cannot be compared at all, or an empty string.

    A scalar may also be a Python float, or float64, in which a float travels. Any other dtype than
    that of the arithmetic is refused: it is not what the subject declared.
    """
    return _refusal(got, np.shape(expected.value), arithmetic)


def _refusal(got: object, shape: tuple[int, ...], arithmetic: Arithmetic) -> str:
    if isinstance(got, float) and not isinstance(got, np.generic) and shape == ():
        return ""
    if not isinstance(got, np.ndarray | np.generic):
        return f"must be a NumPy array of shape {shape}; got {type(got).__name__}"
    if got.shape != shape:
        return f"must have shape {shape}; got {got.shape}"
    if got.dtype != arithmetic.dtype and (shape, got.dtype) != ((), np.float64):
        return f"must be {arithmetic.dtype}; got {got.dtype}"
    return "" if got.size else "must have entries to compare; got none"


def judge(
    tensor: str,
    got: object,
    expected: Bounded,
    arithmetic: Arithmetic,
    *,
    signed_zeros: bool = False,
    low: Array | float = 0.0,
) -> Result:
    """Compare ``got`` with ``expected`` in the arithmetic that the subject declares.

    ``low`` is what the exact value has beyond ``expected.value``, of which it is the nearest float.

    A NaN passes only where NaN is expected, an infinity only where it is expected or the bound is
    infinite. -0 equals 0, because the order of a sum decides the sign of zero; ``signed_zeros``
    asks that an exact zero has the sign that is expected.
    """
    reason = refusal(got, expected, arithmetic)
    if reason:
        size = int(np.size(expected.value))
        return Result(tensor, Verdict.FAIL, reason, entries=size, failed=size)
    return _compared(tensor, got, expected, arithmetic, signed_zeros, low)


def _compared(
    tensor: str,
    got: object,
    expected: Bounded,
    arithmetic: Arithmetic,
    signed_zeros: bool,
    low: Array | float,
) -> Result:
    value, allowed = np.asarray(expected.value, np.float64), np.asarray(expected.allowed)
    numbers = np.asarray(got, np.float64)
    with np.errstate(all="ignore"):
        same = (numbers == value) | (np.isnan(numbers) & np.isnan(value))
        error = np.where(same, np.abs(low), np.abs(numbers - value - low))
        within = (error <= allowed) | (same & ~np.isfinite(value))
        if signed_zeros:
            zero = (value == 0) & (allowed == 0)
            within &= ~zero | (np.signbit(numbers) == np.signbit(value))
        weak = (allowed > 0) & (allowed >= np.abs(value))
        ratio = np.where(error == 0, 0.0, error / allowed)
        ratio = np.where(within, np.nan_to_num(ratio), np.where(ratio > 1, ratio, inf))
    failed = int(np.count_nonzero(~within))
    share = f"{failed:,} of {value.size:,} entries " if value.size > 1 else ""
    signs = failed and not error[~within].any()  # NaN and infinities are true
    candidates = ~within if failed else np.ones_like(within)
    index = np.unravel_index(int(np.argmax(np.where(candidates, ratio, -1.0))), value.shape)
    return Result(
        tensor,
        Verdict.FAIL if failed else Verdict.PASS,
        f"{share}{'with the wrong sign of zero' if signs else 'outside the bound'}" * bool(failed),
        tuple(int(k) for k in index),
        float(numbers[index]),
        float(value[index]),
        float(error[index]),
        float(allowed[index]),
        float(ratio[index]),
        *_accuracy(value[index], error[index], np.asarray(expected.radius)[index], arithmetic),
        entries=value.size,
        failed=failed,
        inconclusive=int(np.count_nonzero(weak)),
    )


def judge_certified(
    tensor: str, got: object, expected: Certified, arithmetic: Arithmetic
) -> Result:
    """Compare ``got`` with certified words, under the bound stored for the arithmetic.

    Where a set of numbers is right, the nearest of them is expected. Of a tensor that is stored in
    part, the stored entries are compared, and the checksum tells about all others. What cannot fail
    is a skip: no bound is finite, as after Adam in bfloat16, and NaN is not there.
    """
    whole = int(np.prod(expected.shape))
    reason = _refusal(got, expected.shape, arithmetic)
    if reason:
        return Result(tensor, Verdict.FAIL, reason, entries=whole, failed=whole)
    numbers = np.asarray(got).reshape(-1)
    stored = numbers if expected.index is None else numbers[expected.index]
    hi, low = expected.hi.reshape(-1).copy(), expected.low.reshape(-1).copy()
    for flat, allowed in expected.sets.items():
        k = flat if expected.index is None else int(np.searchsorted(expected.index, flat))
        if np.isnan(stored[k]):  # right if NaN is expected, too
            continue
        options = np.array([x for x in allowed if x == x])
        with np.errstate(invalid="ignore"):
            nearest = options[np.argmin(np.abs(options - stored[k]))]
        if nearest != hi[k]:
            hi[k], low[k] = nearest, 0.0
    bound = expected.bounds[arithmetic.name].reshape(-1)
    result = _compared(
        tensor, stored, Bounded(hi, expected.radius.reshape(-1), bound), arithmetic,
        expected.signed_zeros, low,
    )  # fmt: skip
    if result.verdict == Verdict.PASS and np.isinf(bound).all():
        return Result(tensor, Verdict.SKIP, "every number would pass: its bound is infinite")
    place = result.index[0] if expected.index is None else int(expected.index[result.index[0]])
    index = tuple(int(k) for k in np.unravel_index(place, expected.shape))
    result = replace(result, index=index, entries=whole)
    if expected.checksum is None or result.verdict == Verdict.FAIL:
        return result
    if _weighted_sum(numbers.astype(np.float64)) == expected.checksum:
        return result
    reason = f"one of the {whole - len(stored):,} entries that are not stored: wrong checksum"
    return Result(  # without the numbers of an entry that is right
        tensor, Verdict.FAIL, reason, entries=whole, failed=1, inconclusive=result.inconclusive
    )


def _weighted_sum(x: Array) -> float:
    """The checksum of a tensor; NaN unless every entry is a multiple of 2^-10 below 2^20."""
    units = x * 2.0**10
    if not ((np.rint(units) == units) & (np.abs(units) < 2.0**30)).all():
        return nan
    total = int((units.astype(np.int64) * checksum_weights(x.size)).sum())  # below 2^47 each
    return total / 2**10


def _accuracy(value: Any, error: Any, radius: Any, arithmetic: Arithmetic) -> tuple[float, float]:
    """ULP and proven digits of one entry."""
    if not np.isfinite(value) or np.isnan(error):
        return nan, nan
    size, unproven = abs(float(value)), float(error) + float(radius)
    smallest = arithmetic.tiny_store or arithmetic.tiny
    exponent = int(np.frexp(max(size, smallest))[1])
    ulp = float(error) / float(np.ldexp(1.0, exponent - arithmetic.precision))
    most = arithmetic.precision * log10(2)
    relative = unproven / size if size else unproven
    digits = -log10(relative) if relative > 0 else inf
    return ulp, min(max(0.0, digits), most)  # of 0 and -0 the first
