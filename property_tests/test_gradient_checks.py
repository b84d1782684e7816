"""Gradients of random networks against differences, which know nothing of backward."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import EVERY, Problem, arithmetics, problems

from mlp_ref import ACTIVATIONS, LOG_SOFTMAX, SOFTMAX
from mlp_ref.arithmetic import FLOAT32, FLOAT64, Array
from mlp_ref.bounds import Bounded, derive
from mlp_ref.gradcheck import Verdict, central_differences, check_network, complex_step
from mlp_ref.gradcheck.estimates import COMPLEX_STEP, Method

every = pytest.mark.parametrize("f", EVERY, ids=lambda f: f.name)
SMOOTH = [f for f in ACTIVATIONS.values() if not f.kinks]
smooth = arithmetics.flatmap(lambda A: problems(A, SMOOTH, [*SMOOTH, SOFTMAX, LOG_SOFTMAX]))


def check(p: Problem, backward: Any = None, method: Method = complex_step) -> Verdict:
    """The verdict on the gradients of a problem."""
    return check_network(
        p.model, p.params, p.x, p.loss, p.target, backward=backward, method=method
    ).verdict


@every
@pytest.mark.parametrize("method", [complex_step, central_differences])
@given(data=st.data())
def test_the_reference_never_fails(f, method, data) -> None:
    """Whatever the network, the loss and the data: no gradient leaves its tolerance."""
    A = data.draw(arithmetics)
    p = data.draw(problems(A, hidden=[f], outputs=[f, SOFTMAX, LOG_SOFTMAX]))
    assert check(p, method=method) != "fail"


@given(p=smooth)
def test_smooth_networks_have_no_kinks(p) -> None:
    """Without a kink in any activation none is reported, and nothing is excused by one."""
    report = check_network(p.model, p.params, p.x, p.loss, p.target)
    assert report.verdict is not Verdict.FAIL
    assert report.kinks == ()


def allowed(p: Problem) -> dict[str, Bounded]:
    """The bounds of a problem, where a complex step may underflow before it is divided out."""
    A = p.A if p.A is FLOAT32 else replace(FLOAT64, tiny=FLOAT64.tiny / COMPLEX_STEP)
    return derive(p.model, p.params, p.x, p.loss, p.target, arithmetic=A)


def nudged(p: Problem, name: str, index: int, amount: float) -> Callable[..., Any]:
    """The backward pass with one entry of one tensor moved, by more than a rounding."""

    def backward(params: Any, trace: Any, g: Array) -> Any:
        grads, dx = p.model.backward(params, trace, g)
        tensor = dx
        if name != "dx":
            tensor = getattr(grads.layers[int(name[2:])], name[1])
        entries = tensor.reshape(-1)
        old = entries[index]
        moved = old + p.A.dtype.type(amount)
        further = old + 2 * (np.nextafter(old, p.A.dtype.type(np.inf)) - old)
        entries[index] = max(moved, further)
        return grads, dx

    return backward


@given(p=smooth, data=st.data())
def test_one_entry_beyond_its_bound_fails(p, data) -> None:
    """Any entry of any gradient, moved by three times its tolerance, is found."""
    q = allowed(p)
    name = data.draw(st.sampled_from([k for k in q if k == "dx" or k[:2] in ("dW", "db")]))
    index = data.draw(st.integers(0, q[name].value.size - 1))
    tolerance = float(np.ravel(q[name].bound + 2 * q[name].radius)[index])
    assert np.isfinite(tolerance)
    assert check(p, nudged(p, name, index, 3 * tolerance)) is Verdict.FAIL


@given(p=smooth, data=st.data())
def test_one_entry_within_its_bound_does_not_fail(p, data) -> None:
    """An entry replaced by the float64 reference, rounded, is no mistake."""
    q = derive(p.model, p.params, p.x, p.loss, p.target, arithmetic=p.A)
    name = data.draw(st.sampled_from([k for k in q if k == "dx" or k[:2] in ("dW", "db")]))

    def backward(params: Any, trace: Any, g: Array) -> Any:
        grads, dx = p.model.backward(params, trace, g)
        tensor = dx if name == "dx" else getattr(grads.layers[int(name[2:])], name[1])
        tensor[...] = q[name].value
        return grads, dx

    assert check(p, backward) is not Verdict.FAIL
