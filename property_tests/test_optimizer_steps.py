"""Optimizer steps: pure, equal to updates in place, within their bounds, exact where nothing is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from evidence import at_most, is_caught, within
from hypothesis import given
from hypothesis import strategies as st
from strategies import Step, arithmetics, dyadic, steps

from mlp_ref import OPTIMIZERS, SGD, Adam, AdamW, Params
from mlp_ref.arithmetic import FLOAT32, Array
from mlp_ref.bounds import derive_step
from mlp_ref.optimizers import State

every = pytest.mark.parametrize("name", OPTIMIZERS)


def of(name: str, **sizes: Any) -> st.SearchStrategy[Step]:
    """Steps of one optimizer, in float32 or float64."""
    return arithmetics.flatmap(lambda A: steps(A, [name], **sizes))


def vectors_of(params: Params, state: State) -> dict[str, Array]:
    """The result of a step by the names of `derive_step`."""
    names = {0: (), 1: ("v",), 2: ("m", "v")}[len(state.moments)]
    moments = zip(names, (m.flat for m in state.moments), strict=True)
    return {"params": params.flat, **dict(moments)}


def take(s: Step) -> dict[str, Array]:
    """One step of the library."""
    return vectors_of(*s.rule.step(s.params, s.grads, s.state))


@every
@given(data=st.data())
def test_a_step_is_pure_and_equals_an_update(name, data) -> None:
    """step leaves its arguments alone, and has the bits of update on copies of them."""
    s = data.draw(of(name))
    given_flat = [s.params.flat, s.grads.flat, *(m.flat for m in s.state.moments)]
    before = [flat.copy() for flat in given_flat]
    new, after = s.rule.step(s.params, s.grads, s.state)
    for one, other in zip(given_flat, before, strict=True):
        assert np.array_equal(one, other)
    place, own = s.params.copy(), State(s.state.t, tuple(m.copy() for m in s.state.moments))
    own = s.rule.update(place, s.grads.copy(), own, np.empty_like(place.flat))
    assert own.t == after.t == s.state.t + 1
    for key, flat in vectors_of(new, after).items():
        assert flat.dtype == s.A.dtype
        assert np.array_equal(flat, vectors_of(place, own)[key])


def require_bounds(run: Any, s: Step) -> None:
    """Parameters and moments are as close to float64 as was proven."""
    bounds = derive_step(s.rule, s.params, s.grads, s.state, arithmetic=s.A)
    with np.errstate(all="ignore"):
        got = run(s)
    assert set(got) == set(bounds)
    wrong = [key for key, q in bounds.items() if not within(got[key], q)]
    assert not wrong


@every
@given(data=st.data())
def test_float32_steps_stay_within_their_bounds(name, data) -> None:
    """From any state, with and without decay: float32 misses float64 by at most the bound."""
    require_bounds(take, data.draw(steps(FLOAT32, [name])))


@every
@given(data=st.data())
def test_bounds_hold_for_gradients_of_every_size(name, data) -> None:
    """Up to the largest float and down to subnormals: what may overflow has an infinite bound."""
    require_bounds(take, data.draw(steps(FLOAT32, [name], size=None)))


def without_correction(s: Step) -> dict[str, Array]:
    """Adam that forgets the bias correction: as if many steps had been taken."""
    return take(replace(s, state=s.state._replace(t=10**6)))


def coupled(s: Step) -> dict[str, Array]:
    """AdamW that adds its decay to the gradient."""
    r = s.rule
    return take(replace(s, rule=Adam(r.lr, r.beta1, r.beta2, r.eps, r.weight_decay)))


def dampened(s: Step) -> dict[str, Array]:
    """Momentum that scales the new gradient by 1 - mu."""
    grads = s.grads.like(s.grads.flat * s.A.dtype.type(1 - s.rule.momentum))
    return take(replace(s, grads=grads))


def climbing(s: Step) -> dict[str, Array]:
    """Gradient ascent."""
    return take(replace(s, grads=s.grads.like(-s.grads.flat)))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("adam", without_correction),
        ("adamw", coupled),
        ("momentum", dampened),
        ("sgd", climbing),
    ],
)
def test_wrong_optimizers_exceed_the_bounds(name, wrong) -> None:
    """No bias correction, coupled decay, dampening, the wrong sign: caught by the same check."""
    is_caught(lambda s: require_bounds(wrong, s), steps(FLOAT32, [name]))


@st.composite
def dyadic_steps(draw: st.DrawFn, **options: Any) -> Step:
    """A step of multiples of 1/16 with hyperparameters that are powers of two."""
    A = draw(arithmetics)
    rule = SGD(draw(st.sampled_from([0.125, 0.5, 2.0])), **options)
    params, grads, v = (Params(draw(dyadic(A, 4)), (1, 2)) for _ in range(3))
    return Step(A, rule, params, grads, State(draw(st.integers(0, 9)), (v,) if options else ()))


@given(s=dyadic_steps())
def test_sgd_is_exact_on_binary_fractions(s) -> None:
    """theta - lr g without a rounding: the next gradient takes the step back, bit by bit."""
    new, state = s.rule.step(s.params, s.grads, s.state)
    expected = s.params.flat.astype(np.float64) - s.rule.lr * s.grads.flat.astype(np.float64)
    assert np.array_equal(new.flat, expected)
    back, _ = s.rule.step(new, s.grads.like(-s.grads.flat), state)
    assert np.array_equal(back.flat, s.params.flat)


@given(s=dyadic_steps(momentum=0.5), nesterov=st.booleans())
def test_momentum_is_exact_on_binary_fractions(s, nesterov) -> None:
    """v = mu v + g and theta - lr v, or theta - lr (g + mu v) in Nesterov's form, exactly."""
    rule = replace(s.rule, nesterov=nesterov)
    new, state = rule.step(s.params, s.grads, s.state)
    theta, g, v = (q.flat.astype(np.float64) for q in (s.params, s.grads, *s.state.moments))
    v = 0.5 * v + g
    assert np.array_equal(state.moments[0].flat, v)
    assert np.array_equal(new.flat, theta - rule.lr * (g + 0.5 * v if nesterov else v))


@given(s=of("adam"))
def test_adamw_without_decay_is_adam(s) -> None:
    """With weight_decay 0 both take the same step, bit by bit."""
    rules = (Adam(s.rule.lr, weight_decay=0.0), AdamW(s.rule.lr, weight_decay=0.0))
    one, other = (take(replace(s, rule=rule)) for rule in rules)
    for key, flat in one.items():
        assert np.array_equal(flat, other[key])


@every
@given(data=st.data())
def test_a_learning_rate_replaces_that_of_the_record(name, data) -> None:
    """step(..., lr=r) is the step of the same record with lr = r, bit by bit."""
    s = data.draw(of(name))
    lr = data.draw(st.sampled_from([0.25, 0.003]))
    given_rate = vectors_of(*s.rule.step(s.params, s.grads, s.state, lr=lr))
    for key, flat in take(replace(s, rule=replace(s.rule, lr=lr))).items():
        assert np.array_equal(flat, given_rate[key])


@every
@given(data=st.data())
def test_entries_do_not_influence_each_other(name, data) -> None:
    """A step of permuted vectors is the permuted step, bit by bit."""
    s = data.draw(of(name))
    order = data.draw(st.permutations(range(4)))

    def permuted(q: Params) -> Params:
        return q.like(q.flat[order])

    moments = tuple(permuted(m) for m in s.state.moments)
    moved = replace(
        s, params=permuted(s.params), grads=permuted(s.grads), state=State(s.state.t, moments)
    )
    there = take(moved)
    for key, flat in take(s).items():
        assert np.array_equal(flat[order], there[key])


@given(s=of("adam"))
def test_the_first_adam_step_is_at_most_the_learning_rate(s) -> None:
    """From a fresh state no parameter moves by more than lr, whatever the gradient."""
    rule = Adam(s.rule.lr)
    s = replace(s, rule=rule, state=rule.init(s.params))
    q = derive_step(rule, s.params, s.grads, s.state, arithmetic=s.A)["params"]
    moved = np.abs(take(s)["params"].astype(np.float64) - s.params.flat)
    assert at_most(moved, rule.lr + q.bound)
