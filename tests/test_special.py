"""The stable kernels against 60 digits, in both tails."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from mlp_ref.arithmetic import FLOAT64
from mlp_ref.special import (
    above_minus_inf,
    clip_real,
    finite,
    gaussian,
    log1p,
    logistic,
    logistic_slope,
    minus_abs,
    normal_cdf,
    sech2,
)

X = np.concatenate([np.linspace(-38.5, 38.5, 1201), [-1e-300, 1e-8, -1e-8, 0.0, 8.3, -8.3]])


def relative(got: np.ndarray, exact: list[mpmath.mpf]) -> float:
    """The largest relative error, in units of u."""
    pairs = zip(got, exact, strict=True)
    return max(float(abs(mpmath.mpf(float(a)) / b - 1)) for a, b in pairs) / FLOAT64.u


@pytest.mark.parametrize(
    ("f", "exact", "units"),
    [
        # exp within 4 units each, two of them, product and division
        (gaussian, mpmath.npdf, 12),
        # the Gaussian, Mills' ratio with its last Horner step and t, product, division
        (normal_cdf, lambda x: mpmath.erfc(-x / mpmath.sqrt(2)) / 2, 16),
        # exp, sum, division
        (logistic, lambda x: 1 / (1 + mpmath.exp(-x)), 8),
        # exp, sum twice, square, division
        (logistic_slope, lambda x: mpmath.exp(-abs(x)) / (1 + mpmath.exp(-abs(x))) ** 2, 12),
        (sech2, lambda x: mpmath.sech(x) ** 2, 12),
    ],
)
def test_both_tails_keep_their_relative_accuracy(f, exact, units) -> None:
    """The relative error is a few u everywhere, where 1 - y*y or 1 + erf would have lost all."""
    with mpmath.workdps(60):
        x = X[np.abs(X) < 37.5]
        assert relative(f(x), [exact(mpmath.mpf(float(v))) for v in x]) <= units


def test_the_textbook_forms_fail_where_these_do_not() -> None:
    """At -10 the form with 1 + erf has no digit left; at -800 the naive sigmoid overflows."""
    with mpmath.workdps(60):
        cdf = float(mpmath.erfc(mpmath.mpf(10) / mpmath.sqrt(2)) / 2)
    naive = (1 + float(mpmath.erf(-10 / 2**0.5))) / 2
    assert abs(naive / cdf - 1) > 0.5
    with pytest.warns(RuntimeWarning, match="overflow"):
        1 / (1 + np.exp(-np.array(-800.0)))
    assert logistic(np.array(-745.0)) > 0


def test_float32_is_computed_in_float64_and_rounded_once() -> None:
    """normal_cdf and gaussian of a float32 array are the rounded float64 results."""
    x = X.astype(np.float32)
    for f in (normal_cdf, gaussian):
        assert f(x).dtype == np.float32
        assert np.array_equal(f(x), f(x.astype(np.float64)).astype(np.float32))


def test_complex_log1p_keeps_the_digits_of_the_real_part() -> None:
    """NumPy's complex log1p loses half of them near zero; this one agrees with 60 digits."""
    z = np.array([1e-9 + 1e-20j, 0.5 + 0.25j, 1.0 + 0j, 1e-3 - 1e-3j])
    with mpmath.workdps(60):
        exact = [mpmath.log(1 + mpmath.mpc(complex(v))) for v in z]
    for got, want in zip(log1p(z), exact, strict=True):
        assert abs(got.real - float(want.real)) <= 16 * FLOAT64.u * abs(float(want.real))
        assert abs(got.imag - float(want.imag)) <= 16 * FLOAT64.u * abs(float(want.imag))
    assert log1p(np.array(0.5)) == np.log1p(0.5)


def test_helpers_on_special_values() -> None:
    """NaN goes through; infinities are replaced where the name says so; complex by real part."""
    x = np.array([-np.inf, np.inf, np.nan, 2.0])
    largest = np.finfo(np.float64).max
    np.testing.assert_array_equal(finite(x), [-largest, largest, np.nan, 2.0])
    np.testing.assert_array_equal(above_minus_inf(x), [-largest, np.inf, np.nan, 2.0])
    np.testing.assert_array_equal(minus_abs(x), [-np.inf, -np.inf, np.nan, -2.0])
    np.testing.assert_array_equal(clip_real(x, 1.0), [-1.0, 1.0, np.nan, 1.0])
    z = np.array([3.0 + 1e-20j, -3.0 - 1e-20j])
    np.testing.assert_array_equal(clip_real(z, 4.0), z)
    np.testing.assert_array_equal(clip_real(z, 1.0), [1.0 + 0j, -1.0 + 0j])
    assert above_minus_inf(z) is z
    assert minus_abs(z).tolist() == [-3.0 - 1e-20j, -3.0 - 1e-20j]
