"""Forward and backward of random networks: linear in g, additive over rows, blind to numbering."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from evidence import at_most, backward_bounds, is_caught, total
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import Problem, arithmetics, dyadic, exact_problems, floats, problems

from mlp_ref import ACTIVATIONS, MLP, RELU, TANH, Params
from mlp_ref.arithmetic import Array

any_problem = arithmetics.flatmap(problems)
elementwise = arithmetics.flatmap(lambda A: problems(A, outputs=ACTIVATIONS.values()))
exact = arithmetics.flatmap(exact_problems)
Backward = Callable[..., tuple[Params, Array]]


def backward(p: Problem, g: Array, x: Array | None = None) -> tuple[Params, Array]:
    """The gradients of the parameters and of the input, for dL/da_L = g."""
    _, trace = p.model.forward(p.params, p.x if x is None else x)
    return p.model.backward(p.params, trace, g)


def output_shape(p: Problem) -> tuple[int, int]:
    """(n, n_L)."""
    return len(p.x), p.model.sizes[-1]


@st.composite
def with_gradients(draw: st.DrawFn, drawn: Any = elementwise) -> tuple[Problem, Array, Array]:
    """A problem and two gradients whose sum is exact."""
    p = draw(drawn)
    return p, draw(dyadic(p.A, output_shape(p))), draw(dyadic(p.A, output_shape(p)))


def require_additive(run: Backward, case: tuple[Problem, Array, Array]) -> None:
    """backward(g + h) = backward(g) + backward(h), up to the bounds of the three."""
    p, g, h = case
    allowed = [backward_bounds(p.A, p.model, p.params, p.x, d) for d in (g, h, g + h)]
    for k in range(2):
        one, other, both = (_part(run(p, d), k) for d in (g, h, g + h))
        bound = sum(_part(a, k) for a in allowed)
        assert np.isfinite(bound).all()
        assert at_most(np.abs(total(one, other, -both)), bound)


def _part(result: tuple[Params, Array], k: int) -> Array:
    """The flat gradient of the parameters, or dx, in float64."""
    return (result[1] if k else result[0].flat).astype(np.float64)


@given(case=with_gradients())
def test_backward_is_additive(case) -> None:
    """The gradient of a sum of losses is the sum of their gradients, within bounds."""
    require_additive(backward, case)


def require_homogeneous(run: Backward, case: tuple[Problem, Array, Array], power: int) -> None:
    """backward(2^k g) = 2^k backward(g), bit by bit."""
    p, g, _ = case
    factor = p.A.dtype.type(2.0**power)
    try:
        with np.errstate(under="raise"):
            (grads, dx), (scaled, sx) = run(p, g), run(p, factor * g)
    except FloatingPointError:
        assume(False)
    assert np.array_equal(grads.flat * factor, scaled.flat)
    assert np.array_equal(dx * factor, sx)


@given(case=with_gradients(any_problem), power=st.integers(-8, 8))
def test_powers_of_two_pass_through(case, power) -> None:
    """Where nothing underflows, doubling g doubles every gradient exactly."""
    require_homogeneous(backward, case, power)


def clipped(p: Problem, g: Array) -> tuple[Params, Array]:
    """Gradients clipped to at most one, unasked."""
    grads, dx = backward(p, g)
    return grads.like(np.clip(grads.flat, -1, 1)), dx


def with_decay(p: Problem, g: Array) -> tuple[Params, Array]:
    """Weight decay added where nobody expects it."""
    grads, dx = backward(p, g)
    return grads.like(grads.flat + p.params.flat), dx


@pytest.mark.parametrize("wrong", [clipped, with_decay])
def test_a_backward_that_is_not_linear_is_caught(wrong) -> None:
    """Clipping and a hidden weight decay break both halves of linearity."""
    is_caught(lambda case: require_additive(wrong, case), with_gradients())
    is_caught(lambda case: require_homogeneous(wrong, case, 3), with_gradients())


@given(case=with_gradients(), cut=st.integers(0, 4))
def test_shards_add_up_to_the_batch(case, cut) -> None:
    """Two parts of a batch give gradients that sum to those of the whole, within bounds."""
    p, g, _ = case
    cut %= len(g)
    rows = [slice(0, cut), slice(cut, None)] if cut else [slice(None)]
    whole, bound = backward(p, g), backward_bounds(p.A, p.model, p.params, p.x, g)
    shards = [backward(p, g[r], p.x[r]) for r in rows]
    bounds = [backward_bounds(p.A, p.model, p.params, p.x[r], g[r]) for r in rows]
    flat = sum(b[0].flat for b in bounds) + bound[0].flat
    added = total(*(s[0].flat for s in shards), -whole[0].flat.astype(np.float64))
    assert at_most(np.abs(added), flat)
    dx = np.concatenate([s[1] for s in shards]).astype(np.float64)
    assert at_most(np.abs(dx - whole[1]), np.concatenate([b[1] for b in bounds]) + bound[1])


@given(case=with_gradients(exact), cut=st.integers(1, 3))
def test_shards_of_an_exact_network_add_up_bit_by_bit(case, cut) -> None:
    """Integers are not rounded: the sum over any two shards is the gradient of the batch."""
    p, g, h = case
    cut = min(cut, len(g) - 1)
    whole, dx = backward(p, g)
    first, second = (backward(p, g[r], p.x[r]) for r in (slice(0, cut), slice(cut, None)))
    assert np.array_equal(first[0].flat + second[0].flat, whole.flat)
    assert np.array_equal(np.concatenate([first[1], second[1]]), dx)
    both, _ = backward(p, g + h)
    assert np.array_equal(both.flat, whole.flat + backward(p, h)[0].flat)


def renumbered(params: Params, layer: int, order: list[int]) -> Params:
    """The same network with the units after ``layer`` in another order."""
    layers = [list(pair) for pair in params.layers]
    layers[layer] = [layers[layer][0][:, order], layers[layer][1][order]]
    layers[layer + 1][0] = layers[layer + 1][0][order]
    return Params.from_layers(tuple(pair) for pair in layers)


@st.composite
def reordered(draw: st.DrawFn, drawn: Any = elementwise) -> tuple[Problem, Array, Problem, Any]:
    """A problem with a hidden layer, a gradient, and the problem with its units renumbered."""
    p, g, _ = draw(with_gradients(drawn.filter(lambda p: len(p.model.sizes) > 2)))
    layer = draw(st.integers(0, len(p.model.sizes) - 3))
    width = p.model.sizes[layer + 1]
    order = draw(st.permutations(range(width)))
    q = Problem(p.A, p.model, renumbered(p.params, layer, order), p.x, p.loss, p.target)
    return p, g, q, lambda params: renumbered(params, layer, order)


@given(case=reordered())
def test_hidden_units_may_be_renumbered(case) -> None:
    """Output and dx stay, and the gradients move along, within the bounds of both networks."""
    p, g, q, move = case
    here, there = backward(p, g), backward(q, g)
    bound = backward_bounds(p.A, p.model, p.params, p.x, g)
    other = backward_bounds(p.A, p.model, q.params, p.x, g)
    missed = total(move(here[0]).flat, -there[0].flat.astype(np.float64))
    assert at_most(np.abs(missed), move(bound[0]).flat + other[0].flat)
    assert at_most(np.abs(total(here[1], -there[1].astype(np.float64))), bound[1] + other[1])


@given(case=reordered(exact))
def test_units_of_an_exact_network_may_be_renumbered(case) -> None:
    """Of integers nothing is rounded: output, dx and gradients agree bit by bit."""
    p, g, q, move = case
    here, there = backward(p, g), backward(q, g)
    assert np.array_equal(p.model.predict(p.params, p.x), q.model.predict(q.params, q.x))
    assert np.array_equal(move(here[0]).flat, there[0].flat)
    assert np.array_equal(here[1], there[1])


@given(case=with_gradients(exact), data=st.data())
def test_rows_of_an_exact_network_may_be_permuted(case, data) -> None:
    """A batch in another order: outputs and dx in that order, parameter gradients the same."""
    p, g, _ = case
    order = data.draw(st.permutations(range(len(g))))
    here, there = backward(p, g), backward(p, g[order], p.x[order])
    assert np.array_equal(
        p.model.predict(p.params, p.x)[order], p.model.predict(p.params, p.x[order])
    )
    assert np.array_equal(here[0].flat, there[0].flat)
    assert np.array_equal(here[1][order], there[1])


@given(case=with_gradients(), data=st.data())
def test_rows_may_be_permuted(case, data) -> None:
    """A batch in another order gives the same gradients, within twice the bound."""
    p, g, _ = case
    order = data.draw(st.permutations(range(len(g))))
    here, there = backward(p, g), backward(p, g[order], p.x[order])
    bound = backward_bounds(p.A, p.model, p.params, p.x, g)
    other = backward_bounds(p.A, p.model, p.params, p.x[order], g[order])
    missed = total(here[0].flat, -there[0].flat.astype(np.float64))
    assert at_most(np.abs(missed), bound[0].flat + other[0].flat)
    moved = total(here[1][order], -there[1].astype(np.float64))
    assert at_most(np.abs(moved), bound[1][order] + other[1])


@given(case=with_gradients(any_problem))
def test_passes_are_pure_and_agree(case) -> None:
    """Arguments keep their bits; predict, forward and forward into a workspace give the same."""
    p, g, _ = case
    before = p.params.flat.copy(), p.x.copy(), g.copy()
    output, trace = p.model.forward(p.params, p.x)
    work = p.model.workspace(len(p.x), p.A.dtype)
    again, reused = p.model.forward(p.params, p.x, work)
    kept = [part.copy() for part in (*trace.z, *trace.a)]
    here, there = (
        p.model.backward(p.params, trace, g),
        p.model.backward(p.params, reused, g, work=work),
    )
    for one, other in zip((p.params.flat, p.x, g), before, strict=True):
        assert np.array_equal(one, other)
    for one, other in zip((*trace.z, *trace.a), kept, strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(output, p.model.predict(p.params, p.x))
    assert np.array_equal(output, again)
    assert np.array_equal(here[0].flat, there[0].flat)
    assert np.array_equal(here[1], there[1])
    assert {output.dtype, here[0].dtype, here[1].dtype} == {p.A.dtype}


@given(A=arithmetics, data=st.data())
def test_a_dead_layer_stops_every_gradient_before_it(A, data) -> None:
    """Where relu is off for all rows, the gradients of earlier layers are exactly zero."""
    model = MLP((2, 3, 2, 1), (TANH, RELU, TANH))
    flat = np.array(data.draw(st.lists(floats(A, 2.0), min_size=20, max_size=20)), A.dtype)
    params = Params(flat, model.sizes)
    params.layers[1].b[:] = -7  # |a| <= 1, |W| <= 2: z <= 6 - 7
    x = data.draw(dyadic(A, (3, 2)))
    _, trace = model.forward(params, x)
    grads, dx = model.backward(params, trace, np.ones((3, 1), A.dtype))
    assert not grads.layers[0].W.any()
    assert not grads.layers[1].W.any()
    assert not dx.any()
