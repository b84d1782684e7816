"""The gradient check of anyone's function: right gradients pass, wrong ones do not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlp_ref.checks import InputError
from mlp_ref.gradcheck import (
    Verdict,
    central_differences,
    check_gradient,
    complex_step,
    noise_level,
)

FUNCTIONS = {
    "cubic": (lambda v: np.sum(v**3), lambda v: 3 * v**2),
    "log-sum-exp": (lambda v: np.log(np.sum(np.exp(v))), lambda v: np.exp(v) / np.sum(np.exp(v))),
    "product": (lambda v: np.prod(np.sin(v)), lambda v: np.prod(np.sin(v)) / np.tan(v)),
    "rational": (lambda v: 1 / (1 + np.sum(v * v)), lambda v: -2 * v / (1 + np.sum(v * v)) ** 2),
}
POINT = np.array([1.25, -2.5, 0.375, 0.8])
METHODS = (complex_step, central_differences)
DTYPES = (np.float64, np.float32)

# Wrong in one way each, the way people get them wrong (after the tests of tests in autograd).
WRONG = {
    "sign": lambda g, v: -g,
    "factor 2": lambda g, v: 2 * g,
    "mean for sum": lambda g, v: g / v.size,
    "zero": lambda g, v: np.zeros_like(g),
    "stale point": lambda g, v: np.roll(g, 1),
    "reversed": lambda g, v: g[::-1],
    "missing term": lambda g, v: np.where(np.arange(v.size) == 2, 0, g),
    "offset": lambda g, v: g + np.abs(g).max(),
    "one entry 1 % off": lambda g, v: np.where(np.arange(v.size) == 1, 1.01 * g, g),
    "NaN": lambda g, v: np.where(np.arange(v.size) == 0, np.nan, g),
    "inf": lambda g, v: np.where(np.arange(v.size) == 3, np.inf, g),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_right_gradient_passes(name, method, dtype) -> None:
    """Every smooth function passes, by both methods and in both precisions, fully resolved."""
    f, gradient = FUNCTIONS[name]
    report = check_gradient(f, POINT.astype(dtype), gradient, method=method)
    assert report.verdict is Verdict.PASS, str(report)
    assert report.resolved == POINT.size
    assert not report.kinks


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_gradient_fails(mistake, name, method, dtype) -> None:
    """Each classic mistake is rejected, whatever the function, method and precision."""
    f, gradient = FUNCTIONS[name]
    x = POINT.astype(dtype)
    wrong = WRONG[mistake](gradient(x), x).astype(dtype)
    report = check_gradient(f, x, wrong, method=method)
    assert report.verdict is Verdict.FAIL
    assert report.ratio > 1
    assert "entries differ" in str(report)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("method", "relative"), [(complex_step, 1e-13), (central_differences, 1e-10)]
)
def test_a_small_error_in_one_entry_is_found(name, method, relative) -> None:
    """In float64 complex step sees an error of 1e-13 of the largest entry, differences of 1e-10."""
    f, gradient = FUNCTIONS[name]
    g = gradient(POINT)
    index = int(np.argmax(np.abs(g)))
    g[index] *= 1 + relative
    report = check_gradient(f, POINT, g, method=method)
    assert report.verdict is Verdict.FAIL, str(report)
    assert report.index == (index,)


@pytest.mark.parametrize("method", METHODS)
def test_a_kink_is_inconclusive_and_named(method) -> None:
    """At a kink there is no gradient: the entry is reported, and the others are judged."""
    f = lambda v: np.sum(np.maximum(v, 0))  # noqa: E731
    x = np.array([1.0, 0.0, -2.0])
    report = check_gradient(f, x, np.array([1.0, 0.25, 0.0]), method=method)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.kinks == ((1,),)
    assert "kink" in str(report)
    report = check_gradient(f, x, np.array([2.0, 0.25, 0.0]), method=method)
    assert report.verdict is Verdict.FAIL
    assert report.index == (0,)


def test_a_kink_nearby_does_not_disturb() -> None:
    """A kink 1e-4 away from x leaves a gradient: the steps shrink below it."""
    f = lambda v: np.sum(np.abs(v) * np.exp(v))  # noqa: E731
    x = np.array([1e-4, -1e-4, 0.5])
    report = check_gradient(f, x, np.sign(x) * np.exp(x) * (1 + x))
    assert report.verdict is Verdict.PASS, str(report)
    assert not report.kinks


def test_noise_that_hides_the_gradient_is_inconclusive() -> None:
    """A function whose noise exceeds its variation proves nothing, and says so."""
    f = lambda v: 1e20 + np.sum(v)  # noqa: E731
    report = check_gradient(f, POINT, np.ones_like(POINT))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.reason == "noise hides the gradient"


def test_the_noise_level_of_a_coarse_function_is_its_quantum() -> None:
    """Rounding to multiples of q has a standard deviation of q / sqrt 12: found to a factor 4."""
    q = 2.0**-40
    level = noise_level(lambda v: np.round(np.sum(np.sin(v)) / q) * q, np.array([0.7, 0.3]))
    assert level <= 4 * q / math.sqrt(12)
    fine = noise_level(lambda v: np.sin(1e6 * v).sum() * q + 1, np.array([0.7, 0.3]))
    assert 2.0**-53 <= fine <= 4 * 2.0**-53


def test_a_declared_error_of_the_gradient_is_allowed() -> None:
    """gradient_error widens the tolerance by exactly what the caller declares."""
    f, gradient = FUNCTIONS["cubic"]
    off = gradient(POINT) + 2.0**-10
    assert check_gradient(f, POINT, off, gradient_error=2.0**-9).verdict is Verdict.PASS
    assert check_gradient(f, POINT, off, gradient_error=2.0**-11).verdict is Verdict.FAIL


def test_a_gradient_of_integers() -> None:
    """An array of another dtype is taken as exact numbers."""
    assert check_gradient(np.sum, POINT, np.ones(4, int)).verdict is Verdict.PASS
    assert check_gradient(np.sum, POINT, np.full(4, 2)).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("f", "x", "gradient", "text"),
    [
        (np.sum, [1.0], np.ones(1), "x must be a float32 or float64 array; got list [1.0]"),
        (np.sum, np.ones(2, int), np.ones(2), "x must be a float32 or float64 array; got int64"),
        (np.sum, np.empty(0), np.empty(0), "x must have at least one entry"),
        (np.sum, np.array([np.nan]), np.ones(1), "x must be finite"),
        (np.sin, np.ones(2), np.ones(2), "f must return a scalar; got shape (2,)"),
        (lambda v: np.sum(v) * np.inf, np.ones(2), np.ones(2), "f must be finite near x; got inf"),
        (np.sum, np.ones(2), np.ones(3), "the gradient must be a real array of shape (2,); got"),
        (np.sum, np.ones(2), 1.0, "the gradient must be a real array of shape (2,); got float"),
    ],
)
def test_bad_input_is_one_clear_line(f, x, gradient, text) -> None:
    """Invariant, what arrived, remedy; in one line."""
    with pytest.raises(InputError) as caught:
        check_gradient(f, x, gradient)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_real_function_cannot_take_a_complex_step() -> None:
    """The message points to the method that works."""
    with pytest.raises(InputError, match="use method=central_differences"):
        check_gradient(lambda v: np.sum(v.real), POINT, POINT, method=complex_step)
