"""Values and derivatives of the activations against 60 digits, over the whole range of floats."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from mlp_ref.activations import ACTIVATIONS, Elementwise
from mlp_ref.arithmetic import FLOAT32, FLOAT64, Interval

RECORDS = list(ACTIVATIONS.values())
DTYPES = [np.float64, np.float32]
A = {np.float64: FLOAT64, np.float32: FLOAT32}


def points(dtype: type) -> np.ndarray:
    """Every magnitude, both signs, and the neighbourhoods of all thresholds."""
    info = np.finfo(dtype)
    edges = [0.0, info.smallest_subnormal, info.tiny, info.eps, 1.0, 0.7517915, 1.2784645, 2.0**0.5]
    edges += [20.0, 17.3, 30.0, 36.8, 37.7, 38.6, 40.0, 88.7, 104.0, 700.0, 709.8, 745.2, 1e3]
    edges += [float(info.max), float(info.max) / 2, 1e19 if dtype == np.float32 else 1e154]
    spread = np.exp2(np.linspace(np.log2(info.tiny), np.log2(info.max) - 1, 300))
    near = np.random.default_rng(0).uniform(0, 45, 300)
    sizes = np.concatenate([edges, spread, near])
    return np.concatenate([sizes, -sizes]).astype(dtype)


def exact(f: Elementwise, x: float, order: int = 0) -> mpmath.mpf:
    """The definition or its derivative at x, with the digits that cancellation costs."""
    z, far = mpmath.mpf(x), 50 if f.name.startswith("gelu") else 800
    if f.name in ("identity", "relu", "leaky_relu"):
        left, right = {"identity": (1, 1), "relu": (0, 1)}.get(f.name, (mpmath.mpf(1) / 100, 1))
        slope = right if z > 0 else left
        return slope * z if order == 0 else mpmath.mpf(slope if order == 1 else 0)
    if abs(z) > far:  # the limit, which is off by less than any normal number
        high = {"sigmoid": (1, 0), "tanh": (1, -1), "elu": (z, -1)}.get(f.name, (z, 0))
        flat = f.name in ("sigmoid", "tanh")
        return mpmath.mpf(high[z < 0] if order == 0 else order == 1 and z > 0 and not flat)
    digits = 420 + int(abs(z) ** 3 / 15) * (f.name == "gelu_tanh")
    with mpmath.workdps(digits):
        if order == 0:
            return +f.definition(z, mpmath)
        side = -1 if x <= 0 else 1  # at a kink the left derivative
        with mpmath.workdps(2 * digits):
            h = mpmath.mpf(10) ** (-digits // 2)
            return mpmath.diff(lambda t: f.definition(t, mpmath), z, order, h=h, direction=side)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("f", RECORDS, ids=lambda f: f.name)
def test_value_and_slope_are_within_their_own_error(f, dtype) -> None:
    """At every float tried, value and slope are off by at most value_error and slope_error."""
    x = points(dtype)
    wide = Interval(x.astype(np.float64), x.astype(np.float64))
    with np.errstate(over="ignore", invalid="ignore"):
        allowed = f.value_error(A[dtype], wide), f.slope_error(A[dtype], wide)
    y = f.value(x)
    slope = f.slope(x, y)
    assert y.dtype == slope.dtype == dtype
    assert np.isfinite(y).all()
    assert np.isfinite(slope).all()
    for k in range(0, len(x), 2):
        at = float(x[k])
        error = abs(mpmath.mpf(float(y[k])) - exact(f, at))
        assert error <= float(allowed[0][k]), (f.name, at)
        if k % 6 == 0:
            error = abs(mpmath.mpf(float(slope[k])) - exact(f, at, 1))
            assert error <= float(allowed[1][k]), (f.name, at)


@pytest.mark.parametrize("f", RECORDS, ids=lambda f: f.name)
def test_second_is_the_second_derivative(f) -> None:
    """f'' agrees with the definition to 2^-20 of its supremum: the bounds need no more."""
    x = np.array([-9.1, -3.4, -2.0, -1.3, -0.7, -0.1, 0.1, 0.7, 1.3, 2.0, 3.4, 9.1])
    second = f.second(x)
    for k, at in enumerate(x):
        assert abs(float(exact(f, at, 2)) - second[k]) <= 2.0**-20 * f.curvature


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("f", RECORDS, ids=lambda f: f.name)
def test_nan_infinity_and_zero(f, dtype) -> None:
    """NaN goes through; at +-inf value and slope are the limits; f(0) is the known constant."""
    x = np.array([np.nan, np.inf, -np.inf, 0.0], dtype)
    y, slope = f.value(x), f.slope(x, f.value(x))
    limits = {"sigmoid": (1, 0), "tanh": (1, -1), "elu": (np.inf, -1)}
    low = -np.inf if f.name in ("identity", "leaky_relu") else 0
    high, low = limits.get(f.name, (np.inf, low))
    left = {"identity": 1, "leaky_relu": dtype(0.01)}.get(f.name, 0)
    right = 0 if f.name in ("sigmoid", "tanh") else 1
    assert np.isnan(y[0])
    assert np.isnan(slope[0])
    assert (y[1], y[2]) == (high, low)
    assert (slope[1], slope[2]) == (right, left)
    at_zero = {"sigmoid": dtype(0.5), "softplus": np.log(dtype(2))}.get(f.name, 0)
    assert abs(y[3] - at_zero) <= f.value_error(A[dtype], Interval(np.zeros(()), np.zeros(())))


@pytest.mark.parametrize("name", ["relu", "leaky_relu"])
def test_the_left_derivative_at_a_kink(name) -> None:
    """relu'(0) = 0 and leaky_relu'(0) = 0.01, for 0 and for -0."""
    f, zeros = ACTIVATIONS[name], np.array([0.0, -0.0])
    assert np.array_equal(f.slope(zeros, zeros), np.full(2, 0.0 if name == "relu" else 0.01))


@pytest.mark.parametrize("f", RECORDS, ids=lambda f: f.name)
def test_no_floating_point_exception_is_raised(f) -> None:
    """No overflow, division or invalid operation for any finite input (underflow is no error)."""
    x = points(np.float64)
    with np.errstate(all="raise", under="ignore"):
        f.slope(x, f.value(x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("f", RECORDS, ids=lambda f: f.name)
def test_out_receives_the_same_bits(f, dtype) -> None:
    """value(x, out) writes into out what value(x) returns, and leaves x alone."""
    x = points(dtype)
    before, out = x.copy(), np.empty_like(x)
    assert f.value(x, out) is out
    assert np.array_equal(out, f.value(x))
    assert np.array_equal(x, before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("f", RECORDS, ids=lambda f: f.name)
@pytest.mark.parametrize("place", ["new", "x", "y"])
def test_vjp_into_any_memory_has_the_same_bits(f, dtype, place) -> None:
    """vjp(g, x, y, out) is g f'(x), also where out is new memory, x or y."""
    x = np.append(points(dtype), [np.nan, np.inf, -np.inf]).astype(dtype)
    y = f.value(x)
    g = np.random.default_rng(0).standard_normal(x.shape).astype(dtype)
    with np.errstate(invalid="ignore"):  # 0 * inf
        expected = f.vjp(g, x, y)
        given = {"x": x.copy(), "y": y.copy()}
        out = given.get(place, np.full_like(x, np.nan))
        assert f.vjp(g, given["x"], given["y"], out) is out
    assert np.array_equal(out, expected, equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("f", RECORDS, ids=lambda f: f.name)
def test_in_place_is_possible_where_it_is_said(f, dtype) -> None:
    """f'(f(x)) = f'(x) for all x, and f(x) may be written over x, if and only if f says so."""
    x = np.append(points(dtype), [np.nan, np.inf, -np.inf]).astype(dtype)
    y, over = f.value(x), x.copy()
    f.value(over, over)
    same = np.array_equal(f.slope(y, y), f.slope(x, y), equal_nan=True)
    assert (same and np.array_equal(over, y, equal_nan=True)) is f.in_place


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("f", RECORDS, ids=lambda f: f.name)
def test_the_complex_step_gives_the_slope(f, sign) -> None:
    """Im f(x + i h) / h is the slope to within twice its error, and the real part is the value.

    Up to the underflow of h f', and h^2 f'' / 2 in the real part. At a kink a step down sees the
    left side.
    """
    x = points(np.float64)
    x = x[(np.abs(x) < 1e3) & ((x != 0) | (sign < 0) | (not f.kinks))]
    h = sign * 2.0**-66
    y, at = f.value(x + 1j * h), Interval(x, x)
    slope = f.slope(x, f.value(x))
    underflow = 4 * FLOAT64.tiny / abs(h)
    assert (np.abs(y.imag / h - slope) <= 2 * f.slope_error(FLOAT64, at) + underflow).all()
    bend = h * h * f.curvature
    assert (np.abs(y.real - f.value(x)) <= 2 * f.value_error(FLOAT64, at) + bend).all()


def test_vjp_is_the_product_with_the_slope() -> None:
    """The Jacobian of an elementwise function is diagonal."""
    f, x, g = ACTIVATIONS["tanh"], np.array([[0.5, -1.0]]), np.array([[2.0, 3.0]])
    y = f.value(x)
    assert np.array_equal(f.vjp(g, x, y), g * f.slope(x, y))


def test_records_print_their_name_and_are_frozen() -> None:
    """A record is a value: it shows its name and cannot be changed."""
    assert repr(ACTIVATIONS["gelu"]) == "<activation gelu>"
    with pytest.raises(AttributeError):
        ACTIVATIONS["gelu"].name = "other"
    assert list(ACTIVATIONS) == [f.name for f in RECORDS]
    assert len(ACTIVATIONS) == 10


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("f", RECORDS, ids=lambda f: f.name)
def test_second_derivatives_are_finite_everywhere(f, dtype) -> None:
    """Bounds evaluate f'' at the ends of any interval: no NaN, no warning, within the supremum."""
    x = np.concatenate([points(dtype), [-np.inf, np.inf]]).astype(dtype)
    with np.errstate(under="ignore", over="raise", invalid="raise", divide="raise"):
        second = np.abs(f.second(x))
    assert (second <= f.curvature * (1 + 8 * np.finfo(dtype).eps)).all()


def test_complex_steps_reach_the_tails_of_gelu_tanh() -> None:
    """q(x) of a complex x beyond 1e103 does not overflow: there the slope is 0 or 1."""
    f, h = ACTIVATIONS["gelu_tanh"], 2.0**-66
    x = np.array([-1e150, -31.0, 31.0, 1e150])
    assert (f.value(x + 1j * h).imag / h).tolist() == [0, 0, 1, 1]
