"""Directed tests of the bounds of optimizer steps: rounded constants, flushing, and overflow."""

from __future__ import annotations

import numpy as np
import pytest

from mlp_ref.arithmetic import FLOAT32, Arithmetic
from mlp_ref.bounds import derive_step
from mlp_ref.optimizers import SGD, Adam, Optimizer, State
from mlp_ref.parameters import Params


def one(theta: float) -> Params:
    """A network of two parameters, the second of them zero."""
    return Params(np.array([theta, 0.0]), (1, 1))


def step(
    A: Arithmetic, rule: Optimizer, theta: float, g: float, *moments: float, t: int = 0
) -> dict[str, float]:
    """The bound of one step of one parameter."""
    state = State(t, tuple(map(one, moments)))
    with np.errstate(over="ignore", invalid="ignore"):
        found = derive_step(rule, one(theta), one(g), state, arithmetic=A)
    return {name: float(q.bound[0]) for name, q in found.items()}


def test_one_minus_a_rounded_beta_is_covered() -> None:
    """1.0f - 0.999f differs from 0.001 by 1e-5 of itself; a beta that fits loses nothing."""
    rounded = float(np.float32(1) - np.float32(0.999)) - (1 - 0.999)
    assert step(FLOAT32, Adam(), 0.0, 1.0, 0.0, 0.0)["v"] >= abs(rounded)
    dyadic = Adam(beta1=0.875, beta2=1 - 2.0**-10)
    assert step(FLOAT32, dyadic, 0.0, 1.0, 0.0, 0.0)["v"] < FLOAT32.gamma(8) * 2.0**-10


def test_a_quotient_that_is_flushed_costs_the_step_its_scale() -> None:
    """m / (sqrt v + eps) below the smallest normal number, times lr / (1 - b1) = 1024."""
    beta = 1 - 2.0**-10
    rule = Adam(lr=1.0, beta1=beta, beta2=beta, eps=2.0**-20)
    g = float(np.float32(2.0**-126 * 2**10 * 0.9 * np.sqrt(2.0**30)))
    moved = derive_step(
        rule, one(0.0), one(g), State(0, (one(0.0), one(2.0**20))), arithmetic=FLOAT32
    )["params"]
    assert 0 < abs(moved.value[0]) <= moved.allowed[0]


@pytest.mark.parametrize(
    ("rule", "numbers"),
    [
        (SGD(0.1, momentum=0.5, weight_decay=0.5), (2e38, 3e38, -3e38)),
        (Adam(), (0.0, 3e38, -3e38, 0.0)),
        (Adam(), (0.0, 0.0, 3e38, 2.0**-14)),
        (Adam(), (0.0, 3e19, 0.0, 0.0)),
    ],
)
def test_an_overflow_on_the_way_leaves_a_step_unbounded(
    rule: Optimizer, numbers: tuple[float, ...]
) -> None:
    """What some form of the step computes in between exceeds the largest float32."""
    theta, g, *moments = (float(np.float32(x)) for x in numbers)
    t = 1 if numbers[-1] == 2.0**-14 else 0
    assert max(step(FLOAT32, rule, theta, g, *moments, t=t).values()) == np.inf
