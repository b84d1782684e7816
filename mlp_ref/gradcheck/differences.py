"""Two differences of the loss of each row, each with its own error.

``terms(shift)`` is the loss (n, m) of n rows, where each of m directions is followed by its shift.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from mlp_ref.arithmetic import FLOAT64, Array
from mlp_ref.gradcheck.estimates import COMPLEX_STEP
from mlp_ref.gradcheck.noise import quantile

__all__ = ["REACH", "Difference", "Terms", "central", "from_complex"]

# 2h. A function of scale 1 has a truncation of h^2/2; its noise, some units roundoff of the terms
# that z is a sum of, is divided by h. The two are equal near the cube root of some hundred u.
REACH = 2.0**-13
_TRIES = 4  # a step that was shortened in proportion still passes only where z bends


class Difference(NamedTuple):
    """A derivative and how far the difference may be from it."""

    value: Array
    error: Array


class Terms(Protocol):
    """The loss of each row as a function of the shifts."""

    def __call__(self, shift: Array, moved: Array | None = None) -> Array:
        """Terms (n, m) for shifts (m,); ``moved`` (m,) is raised to how far any z_l moves."""


def from_complex(terms: Terms, directions: int) -> Difference:
    """Im terms(-i h) / -h, h = 2^-66: down, so that a kink shows its left derivative."""
    value = terms(np.full(directions, -1j * COMPLEX_STEP)).imag / -COMPLEX_STEP
    return Difference(value, np.zeros_like(value))


def central(
    terms: Terms, z: Array | float, base: Array, floor: Array, directions: int
) -> Difference:
    """(4 D(h) - D(2h)) / 3, where D(h) = (terms(z + h) - terms(z - h)) / 2h.

    ``z``     what is shifted, (n, m)
    ``base``  terms without a shift, (n,)
    ``floor`` the least noise (n,) of the terms, a standard deviation

    Every activation and every loss varies on a scale of 1. So 2h is `REACH`, or less if a z would
    move by more than that, or NaN if it does so still. Then D(2h) - D(h) is three times the
    truncation of D(h) where f''' is continuous, and no less than it where f'' jumps; the value is
    no further off than D(h).

    The noise of the terms is that of their fourth differences over sqrt(70) (Hamming, Introduction
    to Applied Numerical Analysis, 1971), of the entry and of all of its row, at least the floor.
    The value carries less than noise / h of it, times the normal quantile for one false alarm in a
    million.
    """
    h = np.full(directions, REACH / 2)
    for _ in range(_TRIES):
        moved = np.zeros(directions)
        top = terms(2 * h, moved)
        if not (moved > REACH).any():
            break
        h *= np.exp2(-np.ceil(np.log2(np.fmax(moved / REACH, 1))))
    h[moved > REACH] = np.nan
    high, low, bottom = terms(h), terms(-h), terms(-2 * h)
    near = (high - low) / ((z + h) - (z - h))
    wide = (top - bottom) / ((z + 2 * h) - (z - 2 * h))
    fourth = np.abs(bottom - 4 * low + 6 * base[:, None] - 4 * high + top) / np.sqrt(70)
    pooled = np.sqrt(np.mean(np.square(fourth), axis=1))
    rounding = FLOAT64.u * np.maximum(np.abs(top), np.abs(bottom))
    noise = np.maximum(fourth, np.maximum(pooled, floor)[:, None]) + rounding
    return Difference((4 * near - wide) / 3, np.abs(wide - near) + quantile(near.size) * noise / h)
