"""From balls to words: two float64 numbers that hold an exact number to 107 bits, and a radius.

First the exact number q is rounded to nearest at 192 bits, then at 160. That is far from where
words are told apart, so what is next to nothing beside q, such as e^-700 beside a tie, decides none
of them: q within 2^-192 of a tie is taken for the tie. Then hi is the result rounded to nearest,
and low the rest rounded to the nearest multiple of

    radius = 2^(e - 107),   2^(e - 1) <= |hi| < 2^e,   or 2^-1074 if that is more,

so that |q - hi - low| <= radius, half of which the last rounding uses up. The radius is 0 only
where hi + low is q.

A ball decides the words if both of its ends have the same. Where they have not, q may lie so close
to a number half way between two of 192 bits that no precision within reach decides. So, from 384
bits on, the midpoint rounded to half the precision is taken if it lies inside the ball, and if the
whole ball lies within the radius. Everything is computed in integers.
"""

from __future__ import annotations

from fractions import Fraction
from math import frexp, ldexp
from typing import NamedTuple

from flint import arb, ctx

__all__ = ["Word", "round_ball"]

_LEAST = 1074  # 2^-1074 is the least float64 above 0
_LARGEST = 1025  # no float64 has an exponent above
_SIGNIFICANT, _STRUCTURE, _NEAR_TIE_BITS = 160, 192, 384


class Word(NamedTuple):
    """hi, low and radius of one number."""

    hi: float
    low: float = 0.0
    radius: float = 0.0


def round_ball(x: arb | float) -> Word | None:
    """The words of the number within a ball, or None if the ball is too wide to tell.

    NaN and infinities come as Python floats and are their own words. A number that exceeds the
    largest float64 is None at every precision.
    """
    if isinstance(x, float):
        return Word(x)
    if not x.is_finite():
        return None
    middle, radius = _dyadic(x.mid()), _dyadic(x.rad())
    if max(abs(m).bit_length() + e for m, e in (middle, radius)) > _LARGEST:
        return None
    if radius[0] == 0:
        return _words(middle)
    low, high = (_words(end) for end in _ends(middle, radius))
    if low is not None and high is not None and low[:2] == high[:2]:
        return Word(low.hi, low.low, _radius(low.hi))
    if ctx.prec < _NEAR_TIE_BITS:
        return None
    rounded = _rounded(middle, ctx.prec // 2)
    word, ends = _words(rounded), [_fraction(end) for end in _ends(middle, radius)]
    if word is None or not ends[0] <= _fraction(rounded) <= ends[1]:
        return None
    claimed = _radius(word.hi)
    pair = Fraction(word.hi) + Fraction(word.low)
    proven = all(abs(end - pair) <= Fraction(claimed) for end in ends)
    return Word(word.hi, word.low, claimed) if proven else None


Dyadic = tuple[int, int]  # m, e: the number m 2^e


def _dyadic(x: arb) -> Dyadic:
    man, exp = x.man_exp()
    return int(man), int(exp)


def _ends(middle: Dyadic, radius: Dyadic) -> tuple[Dyadic, Dyadic]:
    """middle -+ radius, in a unit far below all that words can show, rounded outward."""
    (m, e), (r, f) = middle, radius
    unit = max(min(e, f), -4 * _LEAST, e - 4 * ctx.prec if m else f)
    m = m << (e - unit) if e >= unit else m >> (unit - e)
    r = r << (f - unit) if f >= unit else (r >> (unit - f)) + 1
    return (m - r, unit), (m + r + 1, unit)


def _rounded(x: Dyadic, bits: int) -> Dyadic:
    """The nearest number of ``bits`` bits, ties to even; 0 if it is far below the least float64."""
    m, e = x
    if abs(m).bit_length() + e < -4 * _LEAST:
        return 0, 0
    drop = abs(m).bit_length() - bits
    if drop <= 0:
        return x
    return round(Fraction(m, 1 << drop)), e + drop


def _fraction(x: Dyadic) -> Fraction:
    m, e = x
    return Fraction(m << e) if e >= 0 else Fraction(m, 1 << -e)


def _words(x: Dyadic) -> Word | None:
    """The words of an exact number; None beyond the largest float64."""
    m, e = x
    if abs(m).bit_length() + e < -_LEAST - 1:
        return Word(0.0, 0.0, 0.0 if m == 0 else 2.0**-_LEAST)
    if abs(m).bit_length() + e > _LARGEST:
        return None
    exact = _fraction(x)
    rounded = _fraction(_rounded(_rounded(x, _STRUCTURE), _SIGNIFICANT))
    try:
        hi = float(rounded)
    except OverflowError:
        return None
    unit = _radius(hi)
    low = round((rounded - Fraction(hi)) / Fraction(unit)) * unit
    held = Fraction(hi) + Fraction(low) == exact
    return Word(hi + 0.0, low + 0.0, 0.0 if held else unit)


def _radius(hi: float) -> float:
    return max(ldexp(1.0, frexp(hi)[1] - 107), 2.0**-_LEAST) if hi else 2.0**-_LEAST
