"""The suprema and the peaks of the activation records, proven by subdivision in ball arithmetic.

The bounds take a function at its largest over an interval from the two ends and from the peaks
inside. So, for f, f' and f'' alike, the next derivative must keep its sign between two peaks. That
is shown for every float64: a range is halved until the sign is certain, or until the function is so
flat that float64 cannot tell it from a constant. All derivatives come from ``definition``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from flint import arb

from mlp_ref.activations import ACTIVATIONS, Elementwise
from mlp_ref.certify.jets import derivatives, working_precision

# In a tail, f' = 1 must be told from f' = 1 - 2^-1074, the resolution of float64 near 0.
PRECISION = 1074 + 126
LEAST = arb(2) ** -1074
LARGEST = float(np.finfo(np.float64).max)
# Eight units in the last place of the largest peaks, so that p +- CLOSE is a float64.
CLOSE = 2.0**-48
ORDERS = (0, 1, 2)

RECORDS = list(ACTIVATIONS.values())
PEAKS = [(f, k) for f in RECORDS for k in range(len(f.peaks))]
SUPREMA = [(f, name) for f in RECORDS for name in ("lipschitz", "curvature")]
POSITIVE = [(f, name) for f, name in SUPREMA if getattr(f, name) > 0]


@pytest.fixture(autouse=True)
def _precision() -> Iterator[None]:
    """The value and four derivatives, for the length of a test."""
    with working_precision(PRECISION, order=5):
        yield


def over(f: Elementwise, low: float, high: float) -> list[arb]:
    """f and its derivatives on [low, high], which does not reach across 0."""
    assert low <= high
    assert low >= 0 or high <= 0
    return derivatives(f.definition, arb(low).union(arb(high)), right=high > 0)


def at(f: Elementwise, x: float, *, right: bool) -> list[arb]:
    """f and its derivatives at a point, on one side of a branch."""
    return derivatives(f.definition, arb(x), right=right)


def middle(low: float, high: float) -> float:
    """Where to halve: in the exponent where the ends differ by more than a factor of 2."""
    if low > 0 and high > 2 * low:
        return math.sqrt(low) * math.sqrt(high)
    if high < 0 and low < 2 * high:
        return -math.sqrt(-low) * math.sqrt(-high)
    return low / 2 + high / 2


def sign(found: list[arb], order: int) -> int | None:
    """The sign of the next derivative; 0 where f^(order) is constant to float64, None if open."""
    slope = found[order + 1]
    if slope > 0 or slope < 0:
        return 1 if slope > 0 else -1
    flat = slope.is_zero() or any(abs(found[order] - limit) < LEAST for limit in (0, 1, -1))
    return 0 if flat else None


def signs(f: Elementwise, low: float, high: float) -> list[set[int]]:
    """The signs that the next derivatives of f, f' and f'' have on [low, high].

    Halves from left to right. A piece too narrow to halve is undecided: it gets both signs.
    """
    out: list[set[int]] = [set() for _ in ORDERS]
    stack = [(low, high, ORDERS)]
    while stack:
        left, right, orders = stack.pop()
        found = over(f, left, right)
        decided = {order: sign(found, order) for order in orders}
        for order, s in decided.items():
            out[order] |= {s} if s else set()
        rest = tuple(order for order, s in decided.items() if s is None)
        cut = middle(left, right)
        if rest and (right - left < CLOSE**2 or cut in (left, right)):
            for order in rest:
                out[order] |= {1, -1}
        elif rest:
            stack += [(cut, right, rest), (left, cut, rest)]
        if any(len(s) > 1 for s in out):
            break
    return out


def across_zero(f: Elementwise) -> list[set[int]]:
    """The signs of the jumps of f, f' and f'' from the left of 0 to the right."""
    left, right = (at(f, 0.0, right=side) for side in (False, True))
    jumps = [b - a for a, b in zip(left, right, strict=True)]
    return [{1} if jumps[k] > 0 else {-1} if jumps[k] < 0 else set() for k in ORDERS]


def turns(f: Elementwise, low: float, high: float) -> list[int]:
    """The orders of which the proof fails that f^(order) is monotone on [low, high]."""
    parts = [(low, high)] if low >= 0 or high <= 0 else [(low, 0.0), (0.0, high)]
    found = [signs(f, *part) for part in parts]
    if len(parts) == 2:
        found.append(across_zero(f))
    return [k for k in ORDERS if len(set().union(*(part[k] for part in found))) > 1]


def gaps(f: Elementwise) -> list[tuple[float, float]]:
    """What the neighbourhoods of the peaks leave of the float64 numbers."""
    ends = [-LARGEST, *(p + side for p in f.peaks for side in (-CLOSE, CLOSE)), LARGEST]
    return list(zip(ends[::2], ends[1::2], strict=True))


def near(f: Elementwise, order: int, peak: float) -> arb:
    """An upper bound of |f^(order)| within CLOSE of a peak, by Taylor's theorem at the peak."""
    bounds = []
    for side in (-1, 1):
        away = peak + side * CLOSE
        value, slope = at(f, peak, right=away > 0)[order : order + 2]
        bend = over(f, min(peak, away), max(peak, away))[order + 2]
        for s in (1, -1):
            gain = slope * side * s * CLOSE + (bend * s).max(0) * CLOSE**2 / 2
            bounds.append((value * s + gain.max(0)).upper())  # what is convex is largest at an end
    return max(bounds)


def supremum(f: Elementwise, order: int) -> tuple[arb, arb]:
    """A lower and an upper bound of sup |f^(order)|, given that the peaks are complete."""
    ends = [abs(over(f, x, x)[order]) for x in (-LARGEST, LARGEST)]
    tops = [abs(at(f, p, right=right)[order]) for p in f.peaks for right in (p > 0, p >= 0)]
    low = max(x.lower() for x in [*ends, *tops])
    high = max([*(x.upper() for x in ends), *(near(f, order, p) for p in f.peaks)])
    return low, high + 2 * LEAST  # a tail that is called flat


def is_supremum(f: Elementwise, name: str) -> bool:
    """Whether a stated supremum is the least float64 that holds."""
    stated = getattr(f, name)
    low, high = supremum(f, ("lipschitz", "curvature").index(name) + 1)
    below = np.nextafter(stated, -np.inf)
    return bool(high <= arb(stated) + 4 * LEAST and arb(below) < low)


@pytest.mark.parametrize("f", RECORDS, ids=lambda f: f.name)
def test_between_two_peaks_nothing_turns(f: Elementwise) -> None:
    """Every extremum of f, f' and f'' among all float64 numbers is within 2^-48 of a peak."""
    assert list(f.peaks) == sorted(f.peaks)
    for low, high in gaps(f):
        assert turns(f, low, high) == [], f"{f.name} has another peak in [{low}, {high}]"


@pytest.mark.parametrize(("f", "k"), PEAKS, ids=lambda x: getattr(x, "name", x))
def test_every_peak_is_needed(f: Elementwise, k: int) -> None:
    """Without any one peak the proof fails around it: none is there for nothing."""
    fewer = replace(f, peaks=f.peaks[:k] + f.peaks[k + 1 :])
    gap = next((low, high) for low, high in gaps(fewer) if low < f.peaks[k] < high)
    inside = max(gap[0], f.peaks[k] - 1 / 4), min(gap[1], f.peaks[k] + 1 / 4)
    assert turns(fewer, *inside)


@pytest.mark.parametrize(("f", "k"), PEAKS, ids=lambda x: getattr(x, "name", x))
def test_a_shifted_peak_is_rejected(f: Elementwise, k: int) -> None:
    """A peak that is off by 2^-46 leaves the true one in a gap."""
    for shift in (-4 * CLOSE, 4 * CLOSE):
        moved = f.peaks[k] + shift
        inside = sorted((moved - math.copysign(CLOSE, shift), f.peaks[k] - shift))
        assert turns(f, *inside)


@pytest.mark.parametrize(("f", "name"), SUPREMA, ids=lambda x: getattr(x, "name", x))
def test_a_stated_supremum_is_rounded_up(f: Elementwise, name: str) -> None:
    """``lipschitz`` is the least float64 that |f'| does not exceed, ``curvature`` that of |f''|.

    Not to exceed is shown to within 2^-1072, for the sake of the flat tails.
    """
    assert is_supremum(f, name)


@pytest.mark.parametrize(("f", "name"), POSITIVE, ids=lambda x: getattr(x, "name", x))
def test_a_supremum_one_unit_off_is_rejected(f: Elementwise, name: str) -> None:
    """The float64 below a supremum is found too small, the one above too large."""
    for towards in (-np.inf, np.inf):
        off = np.nextafter(getattr(f, name), towards)
        assert not is_supremum(replace(f, **{name: float(off)}), name)
