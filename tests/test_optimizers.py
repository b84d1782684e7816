"""The optimizers: recurrences by hand and in rational arithmetic, purity, bad hyperparameters."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from mlp_ref.arithmetic import FLOAT32, FLOAT64
from mlp_ref.bounds import derive_step
from mlp_ref.checks import InputError
from mlp_ref.optimizers import OPTIMIZERS, SGD, Adam, AdamW, State
from mlp_ref.parameters import Params

SIZES = (1, 2)  # four parameters


def params(*values) -> Params:
    """Four parameters."""
    return Params(np.array(values, np.float64), SIZES)


def test_sgd_by_hand() -> None:
    """theta - lr (g + decay theta): 1 - 0.5 (2 + 0.25) = -0.125, exactly."""
    new, state = SGD(0.5, weight_decay=0.25).step(
        params(1, -2, 0, 4), params(2, 1, -3, 0), State(0, ())
    )
    assert new.flat.tolist() == [-0.125, -2.25, 1.5, 3.5]
    assert state == State(1, ())


def test_momentum_by_hand() -> None:
    """The first velocity is g itself; the second mu v + g; the step is lr v: PyTorch's form."""
    rule, theta = SGD(0.5, momentum=0.5), params(0, 0, 0, 0)
    theta, state = rule.step(theta, params(1, 2, 4, -8), rule.init(theta))
    assert theta.flat.tolist() == [-0.5, -1, -2, 4]
    theta, state = rule.step(theta, params(1, 0, 0, 8), state)
    assert state.moments[0].flat.tolist() == [1.5, 1, 2, 4]
    assert theta.flat.tolist() == [-1.25, -1.5, -3, 2]
    assert state.t == 2


def test_nesterov_by_hand() -> None:
    """The step is lr (g + mu v) with the new v."""
    rule = SGD(1.0, momentum=0.5, nesterov=True)
    theta, state = rule.step(params(0, 0, 0, 0), params(2, 4, 0, 0), rule.init(params(0, 0, 0, 0)))
    assert theta.flat.tolist() == [-3, -6, 0, 0]
    theta, state = rule.step(theta, params(0, 2, 0, 0), state)
    assert state.moments[0].flat.tolist() == [1, 4, 0, 0]
    assert theta.flat.tolist() == [-3.5, -10, 0, 0]


def test_a_changed_learning_rate_is_not_baked_into_the_velocity() -> None:
    """With lr halved the step is halved: the velocity holds gradients, unlike in Keras."""
    rule, theta = SGD(1.0, momentum=0.5), params(0, 0, 0, 0)
    _, state = rule.step(theta, params(2, 0, 0, 0), rule.init(theta))
    moved, _ = rule.step(theta, params(0, 0, 0, 0), state, lr=0.25)
    assert moved.flat[0] == -0.25


@pytest.mark.parametrize("decay", [0.0, 0.25])
@pytest.mark.parametrize("kind", [Adam, AdamW])
def test_adam_against_exact_arithmetic(kind, decay) -> None:
    """Ten steps of the published recurrence in exact arithmetic, within the bounds.

    Every step starts from the rounded state; the hyperparameters are powers of two or differences.
    """
    rule = kind(2.0**-6, beta1=0.875, beta2=1 - 2.0**-10, eps=2.0**-27, weight_decay=decay)
    rng = np.random.default_rng(4)
    theta, state = params(1.5, -0.3, 0.0, 100.0), rule.init(params(0, 0, 0, 0))
    b1, b2, lr = Fraction(rule.beta1), Fraction(rule.beta2), Fraction(rule.lr)
    for t in range(1, 11):
        g = params(*(rng.standard_normal(4) * [1, 1e-8, 0, 1e4]))
        bounds = derive_step(rule, theta, g, state, arithmetic=FLOAT64)
        new, after = rule.step(theta, g, state)
        for k in range(4):
            th, gk = Fraction(theta.flat[k]), Fraction(g.flat[k])
            m, v = (Fraction(moment.flat[k]) for moment in state.moments)
            if kind is Adam:
                gk += Fraction(decay) * th
            else:
                th *= 1 - lr * Fraction(decay)
            m, v = b1 * m + (1 - b1) * gk, b2 * v + (1 - b2) * gk**2
            assert abs(Fraction(after.moments[0].flat[k]) - m) <= Fraction(bounds["m"].bound[k])
            assert abs(Fraction(after.moments[1].flat[k]) - v) <= Fraction(bounds["v"].bound[k])
            with mpmath.workdps(60):
                m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
                root = mpmath.sqrt(mpmath.mpf(v_hat.numerator) / v_hat.denominator)
                step = mpmath.mpf((lr * m_hat).numerator) / (lr * m_hat).denominator
                exact = mpmath.mpf(th.numerator) / th.denominator - step / (root + rule.eps)
                assert abs(mpmath.mpf(new.flat[k]) - exact) <= float(bounds["params"].bound[k])
        theta, state = new, after
    assert state.t == 10


def test_the_first_adam_step_has_the_size_of_the_learning_rate() -> None:
    """With bias correction the first step is lr sign(g) up to eps; without it, 0.3 of that."""
    rule = Adam(0.125, eps=2.0**-60)
    new, _ = rule.step(params(0, 0, 0, 0), params(1e-6, -3, 1e6, 0), rule.init(params(0, 0, 0, 0)))
    assert np.abs(new.flat - [-0.125, 0.125, -0.125, 0]).max() <= FLOAT64.gamma(8192) * 0.125


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_step_is_pure_and_equals_update(name, dtype) -> None:
    """step leaves its arguments alone, keeps the dtype, and gives the bits of update in place."""
    rule = OPTIMIZERS[name](0.01, weight_decay=0.5)
    rng = np.random.default_rng(5)
    theta, g = (Params(rng.standard_normal(4).astype(dtype), SIZES) for _ in range(2))
    state = rule.init(theta)
    for _ in range(3):
        before = theta.flat.copy(), g.flat.copy(), [m.flat.copy() for m in state.moments]
        new, after = rule.step(theta, g, state)
        assert np.array_equal(theta.flat, before[0])
        assert np.array_equal(g.flat, before[1])
        for moment, old in zip(state.moments, before[2], strict=True):
            assert np.array_equal(moment.flat, old)
        place, moments = theta.copy(), State(state.t, tuple(m.copy() for m in state.moments))
        moments = rule.update(place, g.copy(), moments, np.empty(4, dtype))
        assert np.array_equal(place.flat, new.flat)
        assert moments.t == after.t == state.t + 1
        for one, other in zip(moments.moments, after.moments, strict=True):
            assert np.array_equal(one.flat, other.flat)
        assert new.dtype == dtype
        theta, state = new, after


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_float32_steps_are_within_the_bound(name) -> None:
    """Gradients from 1e-12 to 1e3, and zero: float32 misses float64 by less than the bound."""
    rule, rng = OPTIMIZERS[name](0.01), np.random.default_rng(6)
    theta = Params(rng.standard_normal(4).astype("f4"), SIZES)
    state = rule.init(theta)
    for _ in range(20):
        g = Params((rng.standard_normal(4) * [1e-12, 1, 0, 1e3]).astype("f4"), SIZES)
        bounds = derive_step(rule, theta, g, state, arithmetic=FLOAT32)
        theta, state = rule.step(theta, g, state)
        names = {0: (), 1: ("v",), 2: ("m", "v")}[len(state.moments)]
        moments = {name: m.flat for name, m in zip(names, state.moments, strict=True)}
        got = {"params": theta.flat, **moments}
        assert set(bounds) == set(got)
        for key, q in bounds.items():
            assert (np.abs(got[key].astype(float) - q.value) <= q.allowed).all(), key


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: SGD(0.0), "lr must be positive and finite; got 0.0"),
        (lambda: SGD(float("nan")), "lr must be positive and finite; got nan"),
        (lambda: SGD(0.1, momentum=1.0), "momentum must be in [0, 1); got 1.0"),
        (lambda: SGD(0.1, weight_decay=-1.0), "weight_decay must be zero or positive; got -1.0"),
        (lambda: SGD(0.1, nesterov=True), "nesterov needs a momentum above 0"),
        (lambda: Adam(beta1=-0.1), "beta1 must be in [0, 1); got -0.1"),
        (lambda: Adam(beta2=1.0), "beta2 must be in [0, 1); got 1.0"),
        (lambda: AdamW(eps=0.0), "eps must be positive; got 0.0"),
    ],
)
def test_bad_hyperparameters(build, text) -> None:
    """Each has a range, and the message states it."""
    with pytest.raises(InputError) as caught:
        build()
    assert text in str(caught.value)


def test_mismatched_arguments() -> None:
    """Gradients and state must fit the parameters in sizes, dtype and number of moments."""
    theta, rule = params(1, 2, 3, 4), Adam()
    with pytest.raises(
        InputError, match=r"gradients must have the sizes \(1, 2\) and dtype float64"
    ):
        rule.step(theta, theta.astype(np.float32), rule.init(theta))
    with pytest.raises(InputError, match="moments must have the sizes"):
        rule.step(theta, theta, rule.init(Params.zeros((2, 1))))
    with pytest.raises(InputError, match="state of Adam must hold 2 moments; got 0"):
        rule.step(theta, theta, State(0, ()))


def test_hyperparameters_are_frozen() -> None:
    """An optimizer is a value."""
    with pytest.raises(FrozenInstanceError):
        SGD(0.1).lr = 0.2


def test_numbers_are_checked_before_a_step() -> None:
    """A rate that is text or NaN, and an eps that float32 cannot hold, are refused in one line."""
    with pytest.raises(InputError, match=r"lr must be positive and finite; got '0\.1'"):
        SGD("0.1")  # type: ignore[arg-type]
    params = Params.zeros((1, 1), np.float32)
    rule = Adam(eps=1e-50)
    with pytest.raises(InputError, match="eps must not underflow in float32; got 1e-50"):
        rule.step(params, params, rule.init(params))
    with pytest.raises(InputError, match="lr must be finite and at least 0; got nan"):
        SGD(0.1).step(params, params, SGD(0.1).init(params), lr=float("nan"))
