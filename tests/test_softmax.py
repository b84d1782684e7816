"""Softmax and log-softmax: exact cases, extreme logits, special values, derivatives."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from mlp_ref.arithmetic import FLOAT64
from mlp_ref.bounds import exactly, log_softmax_error, softmax_error
from mlp_ref.softmax import LOG_SOFTMAX, SOFTMAX

LARGEST = float(np.finfo(np.float64).max)


def exact_softmax(row: np.ndarray) -> list[mpmath.mpf]:
    """By the definition, with enough digits for any exponent."""
    z = [mpmath.mpf(float(v)) - mpmath.mpf(float(row.max())) for v in row]
    e = [mpmath.exp(v) if v > -1e6 else mpmath.mpf(0) for v in z]
    return [v / sum(e) for v in e]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 700.0])
def test_values_are_within_their_bound(scale) -> None:
    """p and log p are off by at most the derived bound, for close and for distant logits."""
    z = scale * np.random.default_rng(1).standard_normal((20, 6))
    p, log_p = SOFTMAX.value(z), LOG_SOFTMAX.value(z)
    p_error = softmax_error(FLOAT64, exactly(z))
    log_error = log_softmax_error(FLOAT64, exactly(z))
    with mpmath.workdps(60):
        for i, row in enumerate(z):
            for j, q in enumerate(exact_softmax(row)):
                assert abs(mpmath.mpf(float(p[i, j])) - q) <= float(p_error[i, j])
                if q:
                    error = abs(mpmath.mpf(float(log_p[i, j])) - mpmath.log(q))
                    assert error <= float(log_error[i, j])


def test_the_row_maximum_is_subtracted() -> None:
    """A row far below another is not 0/0, as it is when the maximum of the whole batch is used."""
    z = np.array([[1000.0, 999.0], [-1000.0, -1001.0]])
    p = SOFTMAX.value(z)
    assert np.array_equal(p[0], p[1])
    assert p[0, 0] > 0.7


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_for_every_finite_logit(dtype) -> None:
    """Up to the largest float, of either sign, in one row: no NaN, no warning, dtype kept."""
    big = np.finfo(dtype).max
    z = np.array([[big, -big, 0], [-big, -big, -big], [big, big, -1]], dtype)
    p = SOFTMAX.value(z)
    third = dtype(1) / dtype(3)
    assert p.dtype == LOG_SOFTMAX.value(z).dtype == dtype
    assert p.tolist() == [[1, 0, 0], [third, third, third], [0.5, 0.5, 0]]


def test_special_values() -> None:
    """A logit of -inf has probability 0; NaN, +inf or nothing but -inf make the row NaN."""
    z = np.array([[0.0, -np.inf], [np.nan, 0.0], [np.inf, 0.0], [-np.inf, -np.inf]])
    p = SOFTMAX.value(z)
    assert p[0].tolist() == [1.0, 0.0]
    assert np.isnan(p[1:]).all()
    assert LOG_SOFTMAX.value(z)[0].tolist() == [0.0, -np.inf]
    assert np.isnan(LOG_SOFTMAX.value(z)[1:]).all()


def test_a_dominant_class_keeps_its_digits() -> None:
    """log p of the winner is -e^-50, not 0: the sum without the largest term goes into log1p."""
    log_p = LOG_SOFTMAX.value(np.array([[50.0, 0.0]]))
    assert abs(log_p[0, 0] / -np.exp(-50.0) - 1) <= 8 * FLOAT64.u


@pytest.mark.parametrize("f", [SOFTMAX, LOG_SOFTMAX])
def test_vjp_is_the_derivative(f) -> None:
    """J^T g agrees with complex steps through the value, to the rounding of both."""
    rng = np.random.default_rng(2)
    z, g, h = rng.standard_normal((3, 4)), rng.standard_normal((3, 4)), 2.0**-66
    got = f.vjp(g, z, f.value(z))
    for i, j in np.ndindex(z.shape):
        shifted = z.astype(complex)
        shifted[i, j] -= 1j * h
        expected = -np.sum(f.value(shifted).imag * g) / h
        assert abs(got[i, j] - expected) <= FLOAT64.gamma(40) * np.abs(g[i]).sum()


def test_out_receives_the_result() -> None:
    """value(x, out) writes the same bits into out."""
    z, out = np.array([[1.0, 2.0]]), np.empty((1, 2))
    for f in (SOFTMAX, LOG_SOFTMAX):
        assert f.value(z, out) is out
        assert np.array_equal(out, f.value(z))


def test_complex_log_softmax_has_the_same_real_part() -> None:
    """NumPy's complex log1p would lose e^-50 beside a dominating class."""
    z = np.array([[0.0, -50.0]])
    np.testing.assert_array_equal(LOG_SOFTMAX.value(z.astype(complex)).real, LOG_SOFTMAX.value(z))
