"""Gradient checks where they are hard: at 0, narrow, periodic, cancelling and coarse functions."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from mlp_ref.gradcheck import Verdict, central_differences, check_gradient, complex_step
from mlp_ref.gradcheck.function import compare
from mlp_ref.gradcheck.noise import deviation, noise_level, relative_noise

PI = math.pi
# name: f, its derivative, x; each has misled a check
HARD = {
    "narrow": (
        lambda t: math.exp(-((1e3 * t) ** 2) / 2),
        lambda t: -1e6 * t * math.exp(-((1e3 * t) ** 2) / 2),
        3e-4,
    ),
    "periodic": (lambda t: math.sin(16 * PI * t), lambda t: 16 * PI * math.cos(16 * PI * t), 0.3),
    "two periods": (lambda t: math.cos(4 * PI * t), lambda t: -4 * PI * math.sin(4 * PI * t), 0.7),
    "saturated": (
        lambda t: 1 / math.cosh(100 * t),
        lambda t: -100 * math.tanh(100 * t) / math.cosh(100 * t),
        0.02,
    ),
    "bump": (lambda t: t * t if abs(t) < 0.01 else 0.0, lambda t: 2 * t, 1e-3),
    "domain": (math.log, lambda t: 1 / t, 0.1),
    "edge of the domain": (math.log, lambda t: 1 / t, 1e-12),
    "cancelling": (lambda t: math.sin(t + 1) - math.sin(1), lambda t: math.cos(t + 1), 0.0),
    "tiny x": (lambda t: math.sin(t + 1), lambda t: math.cos(t + 1), 1e-12),
    "tiny scale": (lambda t: math.sin(1e12 * t), lambda t: 1e12 * math.cos(1e12 * t), 1e-12),
    "large x": (math.sin, math.cos, 1e3),
}


@pytest.mark.parametrize("name", HARD)
def test_no_scale_of_f_misleads(name) -> None:
    """The right derivative passes; zero, 5 % off and 1e-6 off fail."""
    g, slope, t = HARD[name]
    f, x, right = lambda v: g(float(v[0])), np.array([t]), np.array([slope(t)])
    report = check_gradient(f, x, right)
    assert report.verdict is Verdict.PASS, str(report)
    for factor in (0, 1.05, 1 + 1e-6, -1):
        report = check_gradient(f, x, factor * right)
        assert report.verdict is Verdict.FAIL, (factor, str(report))


def random_problem(seed):
    """f, its gradient, x, the dtype inside f, and the exact gradient; some f cancel at x."""
    rng = np.random.default_rng(seed)
    dtype = (np.float64, np.float32)[seed % 2]
    scale = (0.0, 1e-12, 1e-6, 1e-3, 1.0, 1e2, 1e3)[seed % 7]
    function, slope = (
        (np.sin, np.cos),
        (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
        (lambda z: z * z, lambda z: 2 * z),
        (lambda z: 1 / (1 + z * z), lambda z: -2 * z / (1 + z * z) ** 2),
    )[seed % 4]
    inside = np.float32 if seed % 5 == 0 else dtype
    factor, narrow = dtype(10 ** rng.uniform(-6, 6)), 10 ** (rng.uniform(0, 3) * (seed % 3 == 0))
    A, b = (narrow * rng.standard_normal((4, 3))).astype(inside), rng.standard_normal(4)
    b, x = b.astype(inside), (scale * rng.standard_normal(3)).astype(dtype)

    def total(v):
        return function(A @ v.astype(inside) + b).sum(dtype=inside)

    offset = total(x) if seed % 11 < 4 else inside(0)

    def f(v):
        return float(factor * dtype(total(v) - offset))

    def gradient(v):
        return (factor * (A.T @ slope(A @ v.astype(inside) + b))).astype(dtype)

    return f, gradient, x, inside, lambda wide: _exact(slope, A, b, x, factor, wide)


def _exact(slope, A, b, x, factor, wide):
    """The gradient from the same constants in a wider format."""
    A, b, x = A.astype(wide), b.astype(wide), x.astype(wide)
    return wide(factor) * (A.T @ slope(A @ x + b))


@pytest.mark.slow
def test_random_functions_raise_no_false_alarm() -> None:
    """Of 400 right gradients, as array or function, none fails; wrong ones never pass."""
    right, wrong = Counter(), Counter()
    for seed in range(400):
        f, gradient, x, inside, _ = random_problem(seed)
        g = gradient(x)
        right[check_gradient(f, x, gradient if seed % 2 else g).verdict] += 1
        one = np.zeros(3, x.dtype)
        one[np.argmax(np.abs(g))] = np.abs(g).max() * (1e-6 if inside is np.float64 else 0.05)
        for mistake in (0 * g, g * x.dtype.type(1.05), g + one)[seed % 3 :][:1]:
            verdict = check_gradient(f, x, mistake).verdict if g.any() else Verdict.INCONCLUSIVE
            assert verdict is not Verdict.PASS, seed
            wrong[verdict] += 1
    assert right[Verdict.FAIL] == 0
    assert right[Verdict.PASS] > 0.65 * 400
    assert wrong[Verdict.FAIL] > 0.8 * 400


def test_the_error_of_the_estimate_is_not_understated() -> None:
    """In float32 the gradient is known: of 900 entries at most one lies outside of its error.

    None is twice as far, which is what check_gradient allows.
    """
    outside = 0
    for seed in range(1, 601, 2):
        f, _, x, _, exact = random_problem(seed)
        estimate = central_differences(f, x)
        known = np.isfinite(estimate.error)
        off = np.abs(estimate.gradient - exact(np.float64))[known]
        assert (off <= 2 * estimate.error[known]).all(), seed
        outside += np.count_nonzero(off > estimate.error[known])
    assert outside <= 1


def test_a_function_that_never_changes_proves_nothing() -> None:
    """f = 0 at every step may be saturated: even a gradient of zero is inconclusive."""
    for claimed in (np.zeros(2), np.ones(2)):
        report = check_gradient(lambda v: 0.0, np.ones(2), claimed)
        assert report.verdict is Verdict.INCONCLUSIVE
        assert "could not be estimated" in report.reason


def test_an_entry_that_f_does_not_use() -> None:
    """The derivative by an unused entry is zero, and anything else is wrong."""
    f, x = lambda v: math.sin(v[0]), np.array([0.3, 2.0])
    right = np.array([math.cos(0.3), 0.0])
    assert check_gradient(f, x, right).verdict is Verdict.PASS
    assert check_gradient(f, x, right + np.array([0, 1e-6])).verdict is Verdict.FAIL


def test_a_minimum_proves_nothing() -> None:
    """At a minimum right and zero are the same, and no derivative shows what would be small."""
    report = check_gradient(lambda v: np.sum(v * v), np.zeros(2), np.zeros(2))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.reason.startswith("the gradient is zero")


def test_a_feature_that_no_step_resolves_does_not_pass() -> None:
    """A peak of width 1e-20 at x looks like noise to every step: no verdict, but for NaN."""
    f, x = lambda v: math.exp(-((v[0] / 1e-20) ** 2)), np.array([1e-20])
    assert check_gradient(f, x, np.zeros(1)).verdict is Verdict.INCONCLUSIVE
    report = check_gradient(f, x, np.array([np.nan]))
    assert report.verdict is Verdict.FAIL


@pytest.mark.parametrize("method", [central_differences, complex_step])
def test_a_kink_does_not_blur_the_other_entries(method) -> None:
    """An entry off by 1e-6 fails beside one that is exactly at a kink."""
    f, x = lambda v: np.sum(np.maximum(v, 0)), np.array([1.0, 0.0])
    assert check_gradient(f, x, np.array([1 + 1e-6, 0.5]), method=method).verdict is Verdict.FAIL
    report = check_gradient(f, x, np.array([1.0, 0.5]), method=method)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.kinks == ((1,),)


def test_low_precision_inside_f_is_seen() -> None:
    """The noise of float32 shows through float64 values, at x = 0 too, and over the whole range."""
    u = 2.0**-24
    weights = np.array([0.3, -0.7], np.float32)
    f = lambda v: float(np.tanh(weights @ v.astype(np.float32) + np.float32(0.4)))  # noqa: E731
    for x in (np.zeros(2), np.full(2, 1e-12), np.array([0.5, 0.25])):
        assert u / 16 < noise_level(f, x) < 4 * u
        assert u / 16 < relative_noise(f, x) < 4 * u


def test_noise_is_measured_entry_by_entry() -> None:
    """Each entry of an array has its own deviation; an exact one has none, and NaN none."""
    q = 2.0**-30
    values = lambda v: np.array([np.round(np.sin(v[0]) / q) * q, v[0], np.nan])  # noqa: E731
    found = deviation(values, np.array([0.7]))
    assert q / 16 < found[0] < q
    assert found[1] < 2.0**-50
    assert found[2] == 0


def test_the_noise_of_a_claimed_function_is_allowed() -> None:
    """A gradient computed in float32 passes as a function, by its own noise and its dtype."""
    f, x = lambda v: np.sum(np.sin(v)), np.array([0.3, 1.2, 2.5])
    coarse = lambda v: np.cos(v.astype(np.float32)).astype(np.float64)  # noqa: E731
    assert check_gradient(f, x, coarse(x)).verdict is Verdict.FAIL
    assert check_gradient(f, x, coarse).verdict is not Verdict.FAIL
    assert check_gradient(f, x, np.cos(x).astype(np.float32)).verdict is Verdict.PASS


def test_too_little_resolution_is_no_pass() -> None:
    """Where noise hides half of the digits neither right nor 5 % off is proven."""
    f, x = lambda v: np.sum(np.sin(v)) + 1e9, np.array([0.3, 1.2])
    report = check_gradient(f, x, np.cos(x))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.reason == "noise hides half of the digits in 2 of 2 entries"


def test_zeros_agree_when_only_underflow_is_left() -> None:
    """compare: zeros pass within underflow, not within a larger tolerance, unless terms are big."""
    zero, no = np.zeros(2), np.zeros(2, bool)
    tiny, small = np.full(2, 1e-300), np.full(2, 1e-15)
    assert compare(zero, zero, tiny, no).verdict is Verdict.PASS
    assert compare(zero, zero, small, no).verdict is Verdict.INCONCLUSIVE
    assert compare(zero, zero, small, no, scale=1.0).verdict is Verdict.PASS


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_fails_even_at_a_kink(value) -> None:
    """compare: NaN and inf are wrong at a kink too; undecided only where the truth may overflow."""
    got, ones, kink = np.array([value, 1.0]), np.ones(2), np.array([True, False])
    report = compare(got, ones, 0.1 * ones, kink)
    assert report.verdict is Verdict.FAIL
    assert report.index == (0,)
    wide = np.array([np.inf, 0.1])
    assert compare(got, ones, wide, ~kink, overflow=True).verdict is Verdict.INCONCLUSIVE
    assert compare(got, ones, wide, ~kink).verdict is Verdict.FAIL
