"""Activations: how fast they grow and bend, and that value and slope belong together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from evidence import (
    at_most,
    interval,
    is_caught,
    plus,
    slope_allowance,
    times,
    total,
    value_allowance,
)
from hypothesis import given
from hypothesis import strategies as st
from strategies import arithmetic_of, arithmetics, floats, vectors

from mlp_ref import ACTIVATIONS, GELU, GELU_TANH, TANH
from mlp_ref.activations import Elementwise
from mlp_ref.arithmetic import FLOAT64, Arithmetic, Array, Interval

every = pytest.mark.parametrize("f", ACTIVATIONS.values(), ids=lambda f: f.name)
RISING = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus")
KEEPS_ORDER = ("identity", "relu", "leaky_relu")  # comparison, copy, one rounded product
anything = arithmetics.flatmap(vectors)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Array, Array]:
    """Points x and y: far apart, neighbours, or on both sides of zero."""
    A = draw(arithmetics)
    x = draw(vectors(A))
    kind = draw(st.sampled_from(["far", "near", "near", "next", "mirrored"]))
    if kind == "far":
        y = draw(st.lists(floats(A), min_size=len(x), max_size=len(x)).map(np.array))
    elif kind == "near":
        y = x + draw(st.sampled_from([-1, 1])) * 2.0 ** -draw(st.integers(0, 24))
    else:
        with np.errstate(over="ignore", under="ignore"):
            y = np.nextafter(x, A.dtype.type(np.inf)) if kind == "next" else -x
    return x, np.clip(y, -A.largest, A.largest).astype(A.dtype)


def gap(x: Array, y: Array) -> Array:
    """|x - y| in float64; inf where that overflows."""
    with np.errstate(over="ignore"):
        return np.abs(x.astype(np.float64) - y.astype(np.float64))


def kink_between(f: Elementwise, x: Array, y: Array) -> Array:
    """Where x and y lie on different sides of a kink; the kink itself belongs to the left."""
    apart = np.zeros(x.shape, bool)
    for kink in f.kinks:
        apart |= (x <= kink) != (y <= kink)
    return apart


@pytest.mark.parametrize("name", RISING)
@given(x=anything)
def test_rising_functions_rise(name, x) -> None:
    """x < y gives f(x) <= f(y), up to the rounding of both; exactly where nothing can cancel."""
    f, A, x = ACTIVATIONS[name], arithmetic_of(x), np.sort(x)
    y = f.value(x)
    if name in KEEPS_ORDER:
        assert np.all(np.diff(y) >= 0)
    error = value_allowance(A, f, x)
    later = np.minimum.accumulate((y.astype(np.float64))[::-1])[::-1]
    most = np.maximum.accumulate(error[::-1])[::-1]
    assert at_most(total(y, -later), plus(error, most))


@every
@given(pair=pairs())
def test_lipschitz_is_an_upper_bound(f, pair) -> None:
    """|f(x) - f(y)| <= lipschitz |x - y|, and |f'| <= lipschitz, up to rounding."""
    x, y = pair
    A = arithmetic_of(x)
    errors = plus(value_allowance(A, f, x), value_allowance(A, f, y))
    assert at_most(gap(f.value(x), f.value(y)), plus(times(f.lipschitz, gap(x, y)), errors))
    slope = f.slope(x, f.value(x))
    assert at_most(np.abs(slope), f.lipschitz + slope_allowance(A, f, x))


@every
@given(pair=pairs())
def test_curvature_is_an_upper_bound(f, pair) -> None:
    """|f'(x) - f'(y)| <= curvature |x - y| up to rounding, unless a kink lies between."""
    x, y = pair
    A = arithmetic_of(x)
    errors = plus(slope_allowance(A, f, x), slope_allowance(A, f, y))
    allowed = plus(times(f.curvature, gap(x, y)), errors)
    apart = kink_between(f, x, y)
    slopes = f.slope(x, f.value(x)), f.slope(y, f.value(y))
    assert at_most(np.where(apart, 0, gap(*slopes)), allowed)


def require_tangent(f: Elementwise, pair: tuple[Array, Array]) -> None:
    """|f(y) - f(x) - f'(x) (y - x)| <= curvature (y - x)^2 / 2 up to rounding, between kinks."""
    x, y = (point.astype(np.float64) for point in pair)
    A = arithmetic_of(pair[0])
    apart, h = kink_between(f, x, y), total(y, -x)
    slope = f.slope(pair[0], f.value(pair[0])).astype(np.float64)
    step = slope * h
    errors = plus(*(value_allowance(A, f, point) for point in pair))
    # h, its square and its product with the slope are rounded to float64.
    rounding = FLOAT64.gamma(2) * np.abs(step)
    bend = times(times(f.curvature / 2, np.abs(h)), np.abs(h))
    tilt = times(slope_allowance(A, f, pair[0]), np.abs(h))
    missed = total(f.value(pair[1]), -f.value(pair[0]).astype(np.float64), -step)
    assert at_most(np.where(apart, 0, np.abs(missed)), plus(bend, errors, tilt, rounding))


def reachable(pair: tuple[Array, Array]) -> bool:
    """Whether the distance, and three such numbers together, are finite in float64."""
    return float(np.abs(np.concatenate(pair)).max()) <= np.finfo(np.float64).max / 8


@every
@given(pair=pairs().filter(reachable))
def test_the_slope_is_the_tangent(f, pair) -> None:
    """f leaves its tangent at x by at most curvature (y - x)^2 / 2: value and slope fit."""
    require_tangent(f, pair)


@pytest.mark.parametrize(
    "wrong",
    [
        replace(TANH, slope=lambda x, y: 1 - y),
        replace(GELU, slope=GELU_TANH.slope),
        replace(TANH, slope=lambda x, y: TANH.slope(x, y).astype(np.float16)),
    ],
    ids=["1 - y for tanh", "gelu_tanh for gelu", "half precision"],
)
def test_a_wrong_slope_leaves_the_tangent(wrong) -> None:
    """A slope that is not the derivative is caught by the same comparison."""
    is_caught(lambda pair: require_tangent(wrong, pair), pairs().filter(reachable))


@every
@given(pair=pairs(), share=st.floats(0, 1))
def test_the_supremum_over_an_interval_is_one(f, pair, share) -> None:
    """Between two points neither |f| nor |f'| exceeds `Interval.sup` with the stated peaks."""
    z, A = interval(*pair), arithmetic_of(pair[0])
    with np.errstate(over="ignore"):
        inside = np.clip(z.lo + share * (z.hi - z.lo), z.lo, z.hi).astype(A.dtype)
    inside = np.clip(inside, *(end.astype(A.dtype) for end in z))
    values = plus(z.sup(f.value, f.peaks), worst(A, z, f.value_error))
    slopes = plus(z.sup(lambda x: f.slope(x, f.value(x)), f.peaks), worst(A, z, f.slope_error))
    assert at_most(np.abs(f.value(inside)), values)
    assert at_most(np.abs(f.slope(inside, f.value(inside))), slopes)


def worst(A: Arithmetic, z: Interval, error: Callable[[Arithmetic, Interval], Array]) -> Array:
    """The error of a kernel anywhere in z, in A and in the float64 that judges it."""
    with np.errstate(all="ignore"):
        both = error(A, z) + error(FLOAT64, z)
    return np.where(np.isnan(both), np.inf, both)


@every
@given(pair=pairs())
def test_the_error_over_an_interval_covers_its_points(f, pair) -> None:
    """What a kernel may err by in an interval is at least what it may err by at either end."""
    z, A = interval(*pair), arithmetic_of(pair[0])
    for error in (f.value_error, f.slope_error):
        over = worst(A, z, error)
        for point in z:
            assert at_most(worst(A, Interval(point, point), error), over)
