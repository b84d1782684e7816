"""A training step in given memory has every bit of the pure functions that are verified."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from evidence import is_caught
from hypothesis import given
from hypothesis import strategies as st
from strategies import Problem, arithmetics, problems

from mlp_ref import OPTIMIZERS, Params
from mlp_ref.arithmetic import Array
from mlp_ref.model import Workspace
from mlp_ref.optimizers import State
from mlp_ref.training import train_step

STEPS = 3  # the memory is clean at the first only
tame = arithmetics.flatmap(problems)
wild = arithmetics.flatmap(lambda A: problems(A, size=None))


def rule_of(name: str) -> Any:
    """An optimizer; weight decay makes it use its scratch memory."""
    return OPTIMIZERS[name](0.05, weight_decay=0.01)


def pure(p: Problem, name: str) -> list[Array]:
    """The loss, the output and all vectors after each step, by functions that change nothing."""
    rule, params = rule_of(name), p.params
    state, found = rule.init(params), []
    for _ in range(STEPS):
        output, trace = p.model.forward(params, p.x)
        value, g = p.loss.value_and_grad(output, p.target)
        grads, _ = p.model.backward(params, trace, g)
        params, state = rule.step(params, grads, state)
        found += [value, output, params.flat, *(m.flat for m in state.moments)]
    return found


def in_memory(
    p: Problem, name: str, change: Callable[[Workspace], Workspace] = lambda work: work
) -> list[Array]:
    """The same by `train_step`, in memory that is full of NaN to begin with."""
    rule, params = rule_of(name), p.params.copy()
    state: State = rule.init(params)
    work = change(p.model.workspace(len(p.x), p.A.dtype))
    scratch = rule.scratch(params)
    parts = (*work.z, *work.a, *work.g, *work.d, work.loss.shifted, work.loss.exp, scratch)
    for memory in (*parts, work.grads.flat):
        memory.fill(np.nan)
    found = []
    for _ in range(STEPS):
        value, state = train_step(
            p.model, params, state, p.x, p.target, loss=p.loss, optimizer=rule, work=work,
            scratch=scratch,
        )  # fmt: skip
        vectors: list[Params] = [params, *state.moments]
        found += [value, work.a[-1].copy(), *(v.flat.copy() for v in vectors)]
    return found


def require_equal(one: list[Array], other: list[Array]) -> None:
    """Equal numbers, NaN where NaN is, and zeros of the same sign."""
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.dtype == b.dtype
        assert np.array_equal(a, b, equal_nan=True)
        assert np.array_equal(np.signbit(a) & (a == 0), np.signbit(b) & (b == 0))


@pytest.mark.parametrize("drawn", [tame, wild], ids=["tame", "wild"])
@given(data=st.data(), name=st.sampled_from(list(OPTIMIZERS)))
def test_a_step_in_memory_is_the_pure_step(drawn, data, name) -> None:
    """Loss, output, parameters and moments have the same bits, step by step, overflow included."""
    p = data.draw(drawn)
    with np.errstate(all="ignore"):
        require_equal(pure(p, name), in_memory(p, name))


def _shared_delta(work: Workspace) -> Workspace:
    """dL/da and dL/dz of a layer in one place: a product would read what it writes."""
    longest = max([*work.g, *work.d], key=lambda x: x.size).copy().reshape(-1)
    g, d = (tuple(longest[: x.size].reshape(x.shape) for x in parts) for parts in (work.g, work.d))
    return work._replace(g=g, d=d)


def _one_for_all(work: Workspace) -> Workspace:
    """z and a in one place for every activation, as only `in_place` ones allow."""
    return work._replace(a=work.z)


@pytest.mark.parametrize("change", [_shared_delta, _one_for_all])
def test_memory_that_is_shared_wrongly_is_caught(change) -> None:
    """Memory that must be kept apart shows in some bit if it is not."""

    def check(p: Problem) -> None:
        with np.errstate(all="ignore"):
            require_equal(pure(p, "sgd"), in_memory(p, "sgd", change))

    is_caught(check, tame)
