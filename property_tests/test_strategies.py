"""The strategies reach what the properties claim to cover, and no filter empties them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from evidence import EVALUATION, at_most, is_caught, times, total
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from strategies import (
    ARITHMETICS,
    OUTPUTS,
    arithmetics,
    exact_problems,
    floats,
    logits,
    probabilities,
    problems,
    steps,
)

from mlp_ref import CROSS_ENTROPY, LOSSES, OPTIMIZERS
from mlp_ref.arithmetic import FLOAT32, FLOAT64
from mlp_ref.bounds import derive

both = pytest.mark.parametrize("A", ARITHMETICS, ids=lambda A: A.name)


def unreached(drawn: st.SearchStrategy[Any], **wanted: Callable[[Any], Any]) -> set[str]:
    """The properties that not one of a few hundred examples has."""
    missing = set(wanted)

    @settings(settings.get_profile("ci"), max_examples=400, database=None, phases=[Phase.generate])
    @given(drawn)
    def look(case: Any) -> None:
        missing.difference_update({name for name in missing if wanted[name](case)})

    look()
    return missing


@both
def test_floats_reach_both_ends_of_the_range(A) -> None:
    """Zeros of both signs, subnormals, the largest, and the numbers between that matter."""
    assert not unreached(
        floats(A),
        minus_zero=lambda x: x == 0 and np.signbit(x),
        subnormal=lambda x: 0 < abs(x) < A.tiny,
        largest=lambda x: abs(x) == A.largest,
        saturated=lambda x: 20 < x < 30,
        moderate=lambda x: 0.5 < abs(x) < 2 and x not in (-1.0, 1.0),
    )


@both
@given(data=st.data())
def test_floats_are_numbers_of_their_dtype(A, data) -> None:
    """Finite, exactly representable, and within the size that was asked for."""
    size = data.draw(st.sampled_from([2.0, 50.0, None]))
    x = data.draw(floats(A, size))
    assert float(A.dtype.type(x)) == x
    assert abs(x) <= (A.largest if size is None else size)


@both
def test_networks_reach_every_activation_and_loss(A) -> None:
    """Each of them, softmax outputs, one and three layers, hard and soft targets."""
    wanted: dict[str, Any] = {f.name: lambda p, f=f: f in p.model.activations for f in OUTPUTS}
    wanted |= {name: lambda p, loss=loss: p.loss is loss for name, loss in LOSSES.items()}
    assert not unreached(
        problems(A),
        one_layer=lambda p: len(p.model.sizes) == 2,
        three_layers=lambda p: len(p.model.sizes) == 4 and len(p.x) > 2,
        labels=lambda p: p.target.dtype.kind == "i" and len(set(p.target)) > 1,
        soft=lambda p: p.loss is CROSS_ENTROPY and ((p.target > 0) & (p.target < 1)).any(),
        **wanted,
    )


def test_gradients_and_bounds_are_worth_a_look() -> None:
    """Some deep network has every bound below a thousandth of the number that it is for."""

    def sharp(p: Any) -> bool:
        found = derive(p.model, p.params, p.x, p.loss, p.target, arithmetic=p.A)
        return all(np.all(1024 * q.allowed < np.abs(q.value)) for q in found.values())

    assert not unreached(problems(FLOAT32), sharp=lambda p: len(p.model.sizes) > 2 and sharp(p))


def test_exact_networks_are_not_trivial() -> None:
    """Some exact network has a relu that is on for one entry and off for another."""

    def bends(p: Any) -> bool:
        _, trace = p.model.forward(p.params, p.x)
        return any(
            f.name == "relu" and (z > 0).any() and (z < 0).any()
            for f, z in zip(p.model.activations, trace.z, strict=True)
        )

    assert not unreached(exact_problems(FLOAT64), bends=bends)


@both
def test_logits_reach_saturation_and_overflow(A) -> None:
    """Distances that overflow, and rows with a large common offset."""

    def overflows(z: Any) -> Any:
        with np.errstate(over="ignore"):
            return np.isinf(z.max() - z.min())

    assert not unreached(logits(A), overflows=overflows)
    assert not unreached(logits(A, 100.0), offset=lambda z: (z < -9000).all(axis=1).any())


@both
@given(data=st.data())
def test_probabilities_sum_to_one(A, data) -> None:
    """Rows of probabilities miss one by at most a rounding of each entry."""
    t = data.draw(probabilities(A, 3, data.draw(st.integers(1, 5))))
    assert at_most(np.abs(total(*t.T, -1)), A.u)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_reach_fresh_and_old_states(name) -> None:
    """The first step, later ones, gradients of zero, and weight decay."""
    assert not unreached(
        arithmetics.flatmap(lambda A: steps(A, [name])),
        first=lambda s: s.state.t == 0,
        later=lambda s: s.state.t > 100,
        decay=lambda s: s.rule.weight_decay > 0,
        zero=lambda s: (s.grads.flat == 0).any(),
    )


def test_a_comparison_can_fail() -> None:
    """NaN is not at most anything, nor is a number above the allowance; zero allows only zero."""
    assert at_most([0.0, 1.0], [0.0, 1.0])
    assert not at_most(np.nan, np.inf)
    assert not at_most(2 * EVALUATION, 1.0)
    assert not at_most(np.finfo(np.float64).smallest_subnormal, 0.0)
    assert times([0.0, 2.0], [np.inf, np.inf]).tolist() == [0.0, np.inf]


def test_a_right_implementation_is_not_caught() -> None:
    """The search for a failing example ends in an error when there is none."""
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        is_caught(lambda x: None, st.integers())
