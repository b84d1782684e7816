"""Floating-point models: rounding, representability, intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlp_ref.arithmetic import (
    ARITHMETICS,
    BFLOAT16,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    TF32,
    Interval,
    representable,
    trailing_unit,
)


def test_constants_are_those_of_ieee_754() -> None:
    """u = 2^-p, and the smallest normal and largest numbers are those of NumPy's dtypes."""
    for A, dtype in ((FLOAT64, np.float64), (FLOAT32, np.float32)):
        info = np.finfo(dtype)
        assert (A.u, A.tiny, A.largest) == (info.eps / 2, info.tiny, info.max)
        assert A.dtype == dtype
    half = np.finfo(np.float16)
    assert (FLOAT16.u_store, FLOAT16.tiny_store, FLOAT16.largest) == (
        half.eps / 2,
        half.tiny,
        half.max,
    )
    assert (BFLOAT16.u_store, BFLOAT16.largest) == (2.0**-8, float.fromhex("0x1.fep127"))
    assert (TF32.u_operand, TF32.u_store) == (2.0**-11, 0.0)
    assert list(ARITHMETICS) == ["float64", "float32", "tf32", "bfloat16", "float16"]


def test_gamma() -> None:
    """gamma_n = n u / (1 - n u), and infinite where that means nothing."""
    assert FLOAT32.gamma(3) == 3 * 2.0**-24 / (1 - 3 * 2.0**-24)
    assert FLOAT32.gamma(2**24) == math.inf


def test_quantize_float16_is_numpy_s_rounding() -> None:
    """Every float64 rounds to float16 as NumPy rounds it, ties, subnormals and overflow too."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(4000) * np.exp2(rng.uniform(-30, 18, 4000))
    ties = np.ldexp(2.0 * np.arange(1, 200) + 1, -12)
    x = np.concatenate([x, ties, -ties, [0.0, -0.0, np.inf, -np.inf, 65519.9, 65520.0, 2.0**-25]])
    with np.errstate(over="ignore"):
        expected = x.astype(np.float16)
    got = FLOAT16.quantize(x)
    assert got.dtype == np.float16
    assert got.tobytes() == expected.tobytes()


def test_quantize_bfloat16_by_hand() -> None:
    """Eight bits of significand, ties to even, gradual underflow, overflow to infinity."""
    x = np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8, 2.0**-133, 2.0**-134, 3.4e38, -(2.0**128), np.nan])
    got = BFLOAT16.quantize(x)
    assert got.dtype == np.float32
    expected = [1.0, 1 + 2.0**-6, 2.0**-133, 0.0, np.inf, -np.inf, np.nan]
    np.testing.assert_array_equal(got, np.array(expected, np.float32))


def test_quantize_to_wider_types_is_a_cast() -> None:
    """float32, tf32 and float64 tensors are stored as such; what is too large becomes infinite."""
    assert FLOAT32.quantize(np.array([0.1]))[0] == np.float32(0.1)
    assert np.isinf(TF32.quantize(np.array([1e39]))[0])
    assert FLOAT64.quantize(np.array([0.1]))[0] == 0.1


@pytest.mark.parametrize(
    ("x", "unit"),
    [(1.0, 1.0), (3.0, 1.0), (12.0, 4.0), (-0.375, 0.125), (5e-324, 5e-324), (1e300, None)],
)
def test_trailing_unit(x, unit) -> None:
    """The largest power of two that divides x: x is an odd multiple of it."""
    got = float(trailing_unit(np.array(x)))
    assert unit is None or got == unit
    assert math.frexp(got)[0] == 0.5
    assert (x / got) % 2 == 1


def test_trailing_unit_of_special_values() -> None:
    """Zero is a multiple of everything; infinity and NaN of nothing."""
    assert trailing_unit(np.array([0.0, np.inf, np.nan])).tolist() == [np.inf, 0.0, 0.0]


def test_representable() -> None:
    """x fits into p bits if and only if it is an integer below 2^p times its trailing unit."""
    x = np.array([255.0, 256.0, 257.0, 0.0, -1.5, 2.0**-1074, np.inf])
    assert representable(x, 8).tolist() == [True, True, False, True, True, True, False]


def test_interval_around_holds_what_it_must() -> None:
    """It widens by a unit in the last place, except where the radius is zero."""
    interval = Interval.around(np.array([1.0, 1.0]), np.array([0.0, 2.0**-60]))
    assert (interval.lo[0], interval.hi[0]) == (1.0, 1.0)
    assert interval.lo[1] < 1.0 < interval.hi[1]
    assert interval.contains(1.0).all()
    assert interval.magnitude[1] > 1


def test_sup_finds_interior_peaks() -> None:
    """The largest |f| is at an end or at a peak inside."""
    interval = Interval(np.array([-1.0, 0.5, -3.0]), np.array([0.5, 2.0, -2.0]))
    peaked = interval.sup(lambda x: 1 / (1 + x * x), (0.0,))
    assert peaked.tolist() == [1.0, 0.8, 0.2]
