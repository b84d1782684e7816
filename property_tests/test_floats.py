"""The floating-point model: quantize, gamma, the standard model, intervals."""

from __future__ import annotations

import operator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from evidence import EVALUATION, is_caught
from hypothesis import given
from hypothesis import strategies as st
from strategies import arithmetic_of, arithmetics, floats, vectors

from mlp_ref.arithmetic import (
    ARITHMETICS,
    BFLOAT16,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    Arithmetic,
    Array,
    Interval,
    representable,
    trailing_unit,
)

every = pytest.mark.parametrize("A", ARITHMETICS.values(), ids=ARITHMETICS)
wide = vectors(FLOAT64)


def quantum(A: Arithmetic) -> float:
    """Half the distance of the smallest numbers of a tensor in memory."""
    return (A.tiny_store or A.tiny) * 2.0**-A.precision


def require_nearest(A: Arithmetic, x: Array) -> None:
    """|q - x| <= 2^-p |x|, or half a subnormal step; infinite only beyond the largest number."""
    q = A.quantize(x).astype(np.float64)
    fits = np.isfinite(q)
    assert np.all(np.abs(x[~fits]) > A.largest)
    for value, near in zip(x[fits], q[fits], strict=True):
        error = abs(Fraction(value) - Fraction(near))
        assert error <= max(abs(Fraction(value)) / 2**A.precision, Fraction(quantum(A) or 0))


@every
@given(x=wide)
def test_quantize_rounds_to_the_nearest(A, x) -> None:
    """Every float64 moves by at most the unit roundoff of storage, relative, or underflows."""
    require_nearest(A, x)


def test_truncation_is_not_the_nearest() -> None:
    """Cutting bfloat16 off after eight bits errs by up to twice as much, and is caught."""

    class Truncated(Arithmetic):
        def quantize(self, x: Array) -> Array:
            with np.errstate(over="ignore"):
                bits = x.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
            return bits.view(np.float32)

    A = Truncated(**{k: getattr(BFLOAT16, k) for k in BFLOAT16.__dataclass_fields__})
    is_caught(lambda x: require_nearest(A, x), vectors(FLOAT64, 64.0))


@every
@given(x=wide)
def test_quantize_is_idempotent_odd_and_rising(A, x) -> None:
    """A rounded number is not rounded again, signs do not matter, and order is kept."""
    q = A.quantize(x)
    assert q.dtype == A.dtype
    assert np.array_equal(A.quantize(q), q)
    assert np.array_equal(A.quantize(-x), -q)
    ordered = A.quantize(np.sort(x))
    assert np.all(ordered[1:] >= ordered[:-1])


@given(x=vectors(FLOAT32))
def test_quantize_agrees_with_bits(x) -> None:
    """float16 as NumPy rounds it; bfloat16 by adding half a step to the bits, ties to even."""
    with np.errstate(over="ignore"):
        assert np.array_equal(FLOAT16.quantize(x), x.astype(np.float16))
    bits = x.view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    assert np.array_equal(BFLOAT16.quantize(x), rounded.astype(np.uint32).view(np.float32))


@every
@given(x=wide)
def test_stored_numbers_are_representable(A, x) -> None:
    """What quantize returns needs no more bits than a tensor in memory has."""
    q = A.quantize(x).astype(np.float64)
    q = q[np.isfinite(q)]
    assert representable(q, A.precision).all()


@given(x=wide)
def test_the_trailing_unit_divides(x) -> None:
    """x is an odd multiple of its trailing unit, which is a power of two; zero has none."""
    for value, unit in zip(x, trailing_unit(x), strict=True):
        if value == 0:
            assert unit == np.inf
        else:
            assert (Fraction(value) / Fraction(unit)) % 2 == 1
            assert np.frexp(unit)[0] == 0.5


counts = st.integers(1, 2**30)


@every
@given(n=counts, m=counts)
def test_gamma_rises_and_joins(A, n, m) -> None:
    """gamma(n) >= n u rises with n, and gamma(n) + gamma(m) + gamma(n) gamma(m) <= gamma(n + m)."""
    low, high = sorted((A.gamma(n), A.gamma(n + m)))
    assert (low, high) == (A.gamma(n), A.gamma(n + m))
    assert A.gamma(n) >= n * A.u
    if np.isfinite(high):
        joined = A.gamma(n) + A.gamma(m) + A.gamma(n) * A.gamma(m)
        assert joined <= high * EVALUATION
    else:
        assert (n + m) * A.u >= 1


OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


@pytest.mark.parametrize("sign", OPERATIONS)
@given(data=st.data(), A=arithmetics)
def test_the_standard_model_holds(sign, data, A) -> None:
    """fl(x op y) = (x op y)(1 + d) + e with |d| <= u, |e| <= tiny and d e = 0, or it overflows."""
    x, y = (A.dtype.type(data.draw(floats(A))) for _ in range(2))
    y = y if y or sign != "/" else A.dtype.type(1)
    with np.errstate(over="ignore"):
        got = OPERATIONS[sign](x, y)
    exact = OPERATIONS[sign](Fraction(float(x)), Fraction(float(y)))
    if np.isfinite(got):
        error = abs(Fraction(float(got)) - exact)
        assert error <= Fraction(A.u) * abs(exact) or error <= Fraction(A.tiny)
    else:
        assert abs(exact) > Fraction(A.largest)


@given(x=arithmetics.flatmap(vectors))
def test_square_roots_are_rounded_once(x) -> None:
    """|fl(sqrt x) - sqrt x| <= u sqrt x: its square brackets x."""
    A, x = arithmetic_of(x), np.abs(x)
    u = Fraction(A.u)
    for value, root in zip(x, np.sqrt(x), strict=True):
        square, exact = Fraction(float(root)) ** 2, Fraction(float(value))
        assert square <= exact * (1 + u) ** 2
        assert square * (1 + u) ** 2 >= exact


@given(x=wide, radius=vectors(FLOAT64).map(np.abs))
def test_an_interval_around_a_point_holds_its_ball(x, radius) -> None:
    """`Interval.around` is rounded outward: it holds center - radius and center + radius."""
    k = min(len(x), len(radius))
    center, radius = x[:k], radius[:k]
    with np.errstate(over="ignore"):
        z = Interval.around(center, radius)
    for c, r, lo, hi in zip(center, radius, z.lo, z.hi, strict=True):
        assert lo == -np.inf or Fraction(lo) <= Fraction(c) - Fraction(r)
        assert hi == np.inf or Fraction(hi) >= Fraction(c) + Fraction(r)


@given(A=arithmetics)
def test_arithmetics_are_values(A) -> None:
    """Two records with the same numbers are the same arithmetic."""
    assert replace(A) == A
    assert hash(replace(A)) == hash(A)
