"""Activations on any input: range, NaN, infinities, dtype, and no floating-point exception."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evidence import is_caught, value_allowance
from hypothesis import given
from strategies import arithmetic_of, arithmetics, vectors

from mlp_ref import ACTIVATIONS, ELU, RELU, SIGMOID, SOFTPLUS, TANH
from mlp_ref.activations import Elementwise
from mlp_ref.arithmetic import Array

RECORDS = list(ACTIVATIONS.values())
anything = arithmetics.flatmap(vectors)
every = pytest.mark.parametrize("f", RECORDS, ids=lambda f: f.name)
RANGES = {
    "sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, np.inf), "elu": (-1.0, np.inf),
    "softplus": (0.0, np.inf),
}  # fmt: skip


def require_range(f: Elementwise, x: Array) -> None:
    """Every value lies in the range of the function, without any tolerance."""
    low, high = RANGES[f.name]
    y = f.value(x)
    assert np.all((low <= y) & (y <= high))


@pytest.mark.parametrize("f", [SIGMOID, TANH, RELU, ELU, SOFTPLUS], ids=lambda f: f.name)
@given(x=anything)
def test_values_stay_in_the_range(f, x) -> None:
    """sigmoid in [0, 1], tanh in [-1, 1], elu >= -1, relu and softplus >= 0, for every float."""
    require_range(f, x)


def test_a_sigmoid_by_the_other_identity_leaves_the_range() -> None:
    """The range is a real demand: 1 - exp(-x) is no sigmoid, and is caught."""
    wrong = replace(SIGMOID, value=lambda x: 1 - np.exp(-np.clip(x, -8, 8)))
    is_caught(lambda x: require_range(wrong, x), anything)


@every
@given(x=anything)
def test_no_value_lies_below_the_least_extremum(f, x) -> None:
    """f(x) is at least the least of f at its stated peaks and at the ends of the range."""
    A = arithmetic_of(x)
    ends = [-A.largest, *f.peaks, A.largest]
    least = f.value(np.array(ends)).min()
    assert np.all(f.value(x) >= least - value_allowance(A, f, x) - value_allowance(
        A, f, np.full_like(x, min(ends, key=lambda e: f.value(np.array(e))))
    ))  # fmt: skip


@every
@given(x=anything)
def test_every_finite_float_has_a_finite_value_and_slope(f, x) -> None:
    """No overflow, no invalid operation; dtype and shape are kept, and x is left alone."""
    before = x.copy()
    with np.errstate(all="raise", under="ignore"):
        y = f.value(x)
        slope = f.slope(x, y)
    assert y.dtype == slope.dtype == x.dtype
    assert y.shape == slope.shape == x.shape
    assert np.isfinite(y).all()
    assert np.isfinite(slope).all()
    assert np.array_equal(x, before)


@every
@given(x=anything, holes=arithmetics.flatmap(vectors))
def test_nan_goes_through_and_nowhere_else(f, x, holes) -> None:
    """Value and slope are NaN exactly where x is."""
    x = x.copy()
    x[: len(holes)][holes[: len(x)] < 0] = np.nan
    y = f.value(x)
    assert np.array_equal(np.isnan(y), np.isnan(x))
    assert np.array_equal(np.isnan(f.slope(x, y)), np.isnan(x))


@every
@given(x=anything)
def test_infinity_is_the_limit(f, x) -> None:
    """At +-inf the slope is that of the largest float, and so is the value where f levels off."""
    top = np.finfo(x.dtype).max
    x = np.concatenate([x, [top, top / 2, np.inf, -top, -top / 2, -np.inf]]).astype(x.dtype)
    with np.errstate(all="raise", under="ignore"):
        y = f.value(x)
        slope = f.slope(x, y)
    for largest, half, infinite in (y[-6:-3], y[-3:]):
        assert infinite == (largest if largest == half else np.copysign(np.inf, largest))
    assert (slope[-6], slope[-3]) == (slope[-4], slope[-1])


@every
@given(x=anything)
def test_out_receives_the_same_bits(f, x) -> None:
    """value(x, out) is value(x), written into out."""
    out = np.empty_like(x)
    assert f.value(x, out) is out
    assert np.array_equal(out, f.value(x))
