"""Taylor's test: the order of the remainder tells right gradients from wrong ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlp_ref.checks import InputError
from mlp_ref.gradcheck import Verdict, taylor_test

FUNCTIONS = {
    "cubic": (lambda v: np.sum(v**3), lambda v: 3 * v**2),
    "product": (lambda v: np.prod(np.sin(v)), lambda v: np.prod(np.sin(v)) / np.tan(v)),
    "rational": (lambda v: 1 / (1 + np.sum(v * v)), lambda v: -2 * v / (1 + np.sum(v * v)) ** 2),
}
POINT = np.array([1.25, -2.5, 0.375, 0.8])
ALONG = np.array([1.0, 1.0, -1.0, -1.0])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_right_gradients_pass_and_wrong_ones_fail(name, dtype) -> None:
    """Order 2 for the right gradient, unless float32 hides it, and 1 for one that is 5 % off."""
    f, gradient = FUNCTIONS[name]
    x = POINT.astype(dtype)
    right = taylor_test(f, x, gradient(x), ALONG)
    wrong = taylor_test(f, x, gradient(x) * dtype(1.05), ALONG)
    assert right.verdict is not Verdict.FAIL, right.reason
    assert right.verdict is Verdict.PASS or dtype is np.float32, right.reason
    assert wrong.verdict is Verdict.FAIL, wrong.reason
    assert len(right.orders) == len(right.steps) - 1


def test_a_linear_function() -> None:
    """Where no remainder rises above the noise the linear model is right."""
    weights = np.array([1.0, -2.0, 3.0, 0.5])
    report = taylor_test(lambda v: weights @ v, POINT, weights)
    assert report.verdict is Verdict.PASS
    assert report.reason == "no remainder above the noise at any step"
    assert taylor_test(lambda v: weights @ v, POINT, weights + 1).verdict is Verdict.FAIL


def test_a_remainder_of_zero_at_large_steps_is_no_proof() -> None:
    """f = sin(16 pi x) has the same value at x and x + 1/2: the small steps decide."""
    f, x = lambda v: math.sin(16 * math.pi * v[0]), np.array([0.3])
    right = 16 * np.pi * np.cos(16 * np.pi * x)
    assert taylor_test(f, x, right).verdict is Verdict.PASS
    for wrong in (0 * right, 1.05 * right):
        assert taylor_test(f, x, wrong).verdict is Verdict.FAIL


def test_a_remainder_that_changes_its_sign_is_no_proof() -> None:
    """With eps h = c h^2 near the smallest clear step the order there is above 2: not a pass."""
    f, x = lambda v: np.sum(v * v) + np.sum(v), np.array([0.5])
    verdicts = [taylor_test(f, x, np.array([2 + 2.0**-k])).verdict for k in range(4, 20)]
    assert verdicts == [Verdict.FAIL] * 16


@pytest.mark.parametrize(
    ("f", "gradient", "noise", "reason"),
    [
        ("cubic", 1.0, 2.0**-9, "remainders are above the noise"),
        ("cubic", 1.0, 2.0**-13, "as large as the slope"),
        ("linear", 1.0, 2.0**-1, "noise hides the slope"),
        ("constant", 1.0, None, "f does not change at any step"),
        ("power", 0.0, None, "has not settled"),
    ],
)
def test_what_is_not_shown_is_inconclusive(f, gradient, noise, reason) -> None:
    """Too few clear steps, remainders like the slope, noise, no change, order 1.3: no verdict."""
    functions = {
        "cubic": lambda v: np.sum(v**3) / 3,
        "linear": np.sum,
        "constant": lambda v: 3.0,
        "power": lambda v: abs(v[0] - 1) ** 1.3,
    }
    report = taylor_test(functions[f], np.ones(1), np.full(1, gradient), np.ones(1), noise)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert reason in report.reason


def test_steps_out_of_the_domain_do_not_count() -> None:
    """log(x) at 1e-3: the steps downwards that leave the domain raise, and are left out."""
    f, x = lambda v: math.log(v[0]), np.array([1e-3])
    assert taylor_test(f, x, 1 / x, -np.ones(1)).verdict is Verdict.PASS
    assert taylor_test(f, x, 1.05 / x, -np.ones(1)).verdict is Verdict.FAIL


def test_random_functions_raise_no_false_alarm() -> None:
    """Of 300 sums of sines and tanh from x = 0 to 100 none fails, and no error of 5 % passes."""
    judged = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        dtype, scale = (np.float64, np.float32)[seed % 2], [0, 1e-6, 1e-3, 1, 100][seed % 5]
        function, slope = ((np.sin, np.cos), (np.tanh, lambda z: 1 - np.tanh(z) ** 2))[seed % 3 % 2]
        A, b = rng.standard_normal((4, 3)).astype(dtype), rng.standard_normal(4).astype(dtype)
        x = (scale * rng.standard_normal(3)).astype(dtype)
        f = lambda v, A=A, b=b, function=function: function(A @ v + b).sum()  # noqa: E731
        gradient = A.T @ slope(A @ x + b)
        right, wrong = (taylor_test(f, x, gradient * dtype(k)).verdict for k in (1, 1.05))
        assert right is not Verdict.FAIL, seed
        assert wrong is not Verdict.PASS, seed
        judged += (right is Verdict.PASS) + (wrong is Verdict.FAIL)
    assert judged > 0.75 * 600


def test_a_gradient_with_nan_fails() -> None:
    """NaN is a failure, not silence."""
    report = taylor_test(FUNCTIONS["cubic"][0], POINT, np.full_like(POINT, np.nan))
    assert report.verdict is Verdict.FAIL
    assert report.reason == "the gradient is not finite"


@pytest.mark.parametrize(
    ("gradient", "direction", "text"),
    [
        (np.ones(3), None, "the gradient must have shape"),
        (np.ones(4), np.zeros(4), "the direction must be finite"),
        (np.ones(4), np.ones(2), "the direction must be finite"),
    ],
)
def test_bad_input_is_reported(gradient, direction, text) -> None:
    """Shapes are checked, and a zero direction tests nothing."""
    with pytest.raises(InputError, match=text):
        taylor_test(FUNCTIONS["cubic"][0], POINT, gradient, direction)
