"""Words: the nearest pair of float64 numbers, decided by both ends of a ball or not at all."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
from flint import arb, ctx

from mlp_ref.certify.jets import working_precision
from mlp_ref.certify.words import Word, round_ball

LEAST = 2.0**-1074
PRECISIONS = [192, 256, 384, 768, 1536, 3072]


def ratio(p: int, q: int) -> arb:
    """p / q as a ball."""
    return arb(p) / arb(q)


@pytest.mark.parametrize("bits", PRECISIONS)
def test_words_are_the_nearest_ones(bits: int) -> None:
    """Of 2,000 rationals, hi is the nearest float64, low the rest, and the radius holds."""
    draw = random.Random(bits)
    with working_precision(bits):
        for _ in range(2000):
            p, q = draw.randint(-(2**60), 2**60), draw.randint(1, 2**60)
            shift = draw.choice((-1100, -1060, -1000, -60, 0, 60, 900))
            exact = Fraction(p, q) * Fraction(2) ** shift
            word = round_ball(ratio(p, q) * arb(2) ** shift)
            assert word is not None
            assert word.hi == float(exact)
            unit = Fraction(max(2.0 ** (math.frexp(word.hi)[1] - 107), LEAST))
            assert Fraction(word.low) == round((exact - Fraction(word.hi)) / unit) * unit
            gap = abs(exact - Fraction(word.hi) - Fraction(word.low))
            assert gap <= Fraction(word.radius) / 2


@pytest.mark.parametrize("bits", PRECISIONS)
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: arb(0), Word(0.0)),
        (lambda: arb(-0.75), Word(-0.75)),
        (lambda: arb(1) + arb(2) ** -80, Word(1.0, 2.0**-80)),
        (lambda: arb(5e-324), Word(5e-324)),
        ((-(arb(10) ** 300)).exp, Word(0.0, 0.0, LEAST)),
        (lambda: -((-(arb(10) ** 300)).exp()), Word(0.0, 0.0, LEAST)),
        (lambda: arb(2) ** -1075, Word(0.0, 0.0, LEAST)),
        (lambda: 3 * arb(2) ** -1076, Word(LEAST, 0.0, LEAST)),
        (lambda: arb(1) / 3 * 3, Word(1.0, 0.0, 2.0**-106)),
        (lambda: float("nan"), Word(math.nan)),
        (lambda: float("-inf"), Word(-math.inf)),
    ],
)
def test_edges(bits: int, make, expected: Word) -> None:  # type: ignore[no-untyped-def]
    """Exact numbers have the radius 0; underflow is a zero that is never negative."""
    with working_precision(bits):
        word = round_ball(make())
        if word is None:  # 1/3 * 3 needs the rule for near ties
            assert bits < 384
            return
        for got, wanted in zip(word, expected, strict=True):
            assert got == wanted or (got != got and wanted != wanted)
            assert math.copysign(1, got) == math.copysign(1, wanted) or got != got


@pytest.mark.parametrize("make", [
    lambda: arb(10) ** 309, (arb(10) ** 300).exp, arb.nan, lambda: arb(0, 1e-5),
    lambda: arb(1, 1e-20), lambda: arb(1e-300, 1e-320), lambda: arb(2) ** 1024 - arb(2) ** 969,
])  # fmt: skip
def test_wide_and_huge_balls_are_open(make) -> None:  # type: ignore[no-untyped-def]
    """A ball that holds numbers of different words, or one beyond the largest float64, has none."""
    for bits in PRECISIONS:
        with working_precision(bits):
            assert round_ball(make()) is None


def test_near_ties_are_taken_once_the_ball_is_small() -> None:
    """A tie of 192 bits beside one of the low word is open at 384 bits, taken from 768 bits on."""
    for bits in PRECISIONS:
        with working_precision(bits):
            exact = 1 + arb(2) ** -107 + arb(2) ** -160 + arb(2) ** -192
            word = round_ball(exact + arb(0, 2.0**-300))
            assert word == (None if bits < 768 else Word(1.0, 0.0, 2.0**-106))


def test_structure_does_not_depend_on_the_precision() -> None:
    """1 + 2^-53 + 2^-160 + 2^-400 has the same words whether 2^-400 is seen or not."""
    for bits in (192, 256, 300, 384, 448, 600, 1000):
        with working_precision(bits):
            word = round_ball(1 + arb(2) ** -53 + arb(2) ** -160 + arb(2) ** -400)
            assert word in (None, Word(1.0, 2.0**-53, 2.0**-106))
            assert word is not None or bits < 384


def test_ties_of_hi_and_low_go_to_even_whatever_lies_beside_them() -> None:
    """1 + 2^-53 + e^-2000 has the words of the tie, at every precision."""
    for bits in PRECISIONS:
        with working_precision(bits):
            for sign in (-1, 1):
                word = round_ball(sign * (-arb(2000)).exp() + 1 + arb(2) ** -53)
                assert word == Word(1.0, 2.0**-53, 2.0**-106)


def test_what_is_next_to_nothing_is_left_out() -> None:
    """1 + e^-700 and 1 + e^-2000 are 1 at every precision, but their radius is not 0."""
    for bits in PRECISIONS:
        with working_precision(bits):
            for x in (-700, -2000):
                assert round_ball(arb(x).exp() + 1) == Word(1.0, 0.0, 2.0**-106)


@pytest.mark.parametrize("x", [-700.7, -744.3, -1000.0])
def test_a_tiny_number_in_a_wide_ball_is_not_zero(x: float) -> None:
    """log(1 + e^-700) in 384 bits is a ball around 0, far wider than the words it must decide."""
    exact = Fraction(0)
    with working_precision(3000):
        exact_word = round_ball((arb(x).exp() + 1).log())
        assert exact_word is not None
        exact = Fraction(exact_word.hi) + Fraction(exact_word.low)
    for bits in PRECISIONS:
        with working_precision(bits):
            word = round_ball((arb(x).exp() + 1).log())
            if word is not None:
                gap = abs(exact - Fraction(word.hi) - Fraction(word.low))
                assert gap <= Fraction(word.radius)
                assert word == exact_word


def test_the_working_precision_is_restored() -> None:
    """python-flint keeps the precision globally: it is as before, also after an error."""
    before = ctx.prec, ctx.cap
    with working_precision(777, order=9):
        assert (ctx.prec, ctx.cap) == (777, 9)
    with pytest.raises(ZeroDivisionError), working_precision(777):
        arb(1 // 0)
    assert (ctx.prec, ctx.cap) == before


def test_a_tie_of_the_low_word_is_decided() -> None:
    """1 + 2^-54 + 2^-107 + 2^-108 lies half way between two low words, and a ball around it."""
    for bits in PRECISIONS[2:]:
        with working_precision(bits):
            exact = arb(1) + arb(2) ** -54 + arb(2) ** -107
            word = round_ball(exact + arb(0, 2.0**-300))
            assert word is not None
            rest = Fraction(1) + Fraction(2) ** -54 + Fraction(2) ** -107
            gap = abs(rest - Fraction(word.hi) - Fraction(word.low))
            assert gap < Fraction(word.radius)
