"""Softmax and log-softmax: row by row, shifted, permuted, of any finite size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from evidence import at_most, is_caught, total
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import arithmetic_of, arithmetics, dyadic, logits, matrices, shapes

from mlp_ref import LOG_SOFTMAX, SOFTMAX
from mlp_ref.arithmetic import FLOAT64, Arithmetic, Array
from mlp_ref.bounds import Bounded, carry, exactly, log_softmax_error, softmax_error
from mlp_ref.bounds.softmax import log_softmax_vjp_error, softmax_vjp_error

both = pytest.mark.parametrize("f", [SOFTMAX, LOG_SOFTMAX], ids=lambda f: f.name)
moderate = arithmetics.flatmap(lambda A: logits(A, 100.0))
any_size = arithmetics.flatmap(logits)


def bounded(f: Any, A: Arithmetic, z: Array) -> Bounded:
    """The function of exact logits with its bound in A."""
    error = softmax_error if f is SOFTMAX else log_softmax_error
    return carry(A, f.value(z.astype(np.float64)), error, exactly(z))


def require_unit_sum(softmax: Any, z: Array) -> None:
    """The rows of softmax(z) sum to one, and miss by at most the bounds of their entries."""
    q = bounded(SOFTMAX, arithmetic_of(z), z)
    p = softmax(z)
    assert np.isfinite(q.bound).all()
    assert at_most(np.abs(total(*p.T, -1)), q.bound.sum(axis=1))


@given(z=moderate)
def test_rows_sum_to_one(z) -> None:
    """Every row of probabilities sums to one."""
    require_unit_sum(SOFTMAX.value, z)


@given(z=any_size)
def test_any_finite_logits_are_fine(z) -> None:
    """Up to the largest float: probabilities in [0, 1], the first largest logit has the largest.

    log-softmax is at most 0; it is -inf only where the distance to the maximum overflows.
    """
    p, log_p = SOFTMAX.value(z), LOG_SOFTMAX.value(z)
    assert p.dtype == log_p.dtype == z.dtype
    assert np.all((p >= 0) & (p <= 1))
    assert np.array_equal(p.max(axis=1), p[np.arange(len(z)), z.argmax(axis=1)])
    assert np.all(p.max(axis=1) * z.shape[1] >= 1 - z.shape[1] * arithmetic_of(z).gamma(4))
    assert np.all(log_p <= 0)
    with np.errstate(over="ignore"):
        distance = z.max(axis=1, keepdims=True) - z
    assert np.array_equal(np.isinf(log_p), np.isinf(distance))


@st.composite
def shifted(draw: st.DrawFn) -> tuple[Array, Array]:
    """Logits z (n, C) and shifts c (n, 1), multiples of 2^-10 so that z + c is exact."""
    A, (n, classes) = draw(arithmetics), draw(shapes)
    z = draw(dyadic(A, (n, classes), top=2**14, step=2.0**-10))
    return z, draw(dyadic(A, (n, 1), top=2**20, step=2.0**-10))


def require_shift_invariance(value: Any, case: tuple[Array, Array]) -> None:
    """f(z + c) has the bits of f(z)."""
    z, c = case
    assert np.array_equal(value(z + c), value(z))


@both
@given(case=shifted())
def test_a_shift_of_a_row_changes_nothing(f, case) -> None:
    """A constant per row that adds without rounding leaves every bit: the maximum goes with it."""
    require_shift_invariance(f.value, case)


@st.composite
def permuted(draw: st.DrawFn) -> tuple[Array, list[int]]:
    """Logits and an order of their columns."""
    z = draw(moderate)
    return z, draw(st.permutations(range(z.shape[1])))


@both
@given(case=permuted())
def test_classes_may_be_renumbered(f, case) -> None:
    """Permuted columns give permuted results, up to the order of summation."""
    z, order = case
    q = bounded(f, arithmetic_of(z), z)
    moved, there = f.value(z[:, order]), f.value(z)[:, order]
    assert np.isfinite(q.bound).all()
    assert at_most(np.abs(total(moved, -there.astype(float))), 2 * q.bound[:, order])


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Array, Array]:
    """Two batches that agree in their first row only; the others are of any size."""
    z = draw(any_size)
    other = draw(matrices(arithmetic_of(z), *z.shape))
    other[0] = z[0]
    return z, other


def require_independent_rows(value: Any, case: tuple[Array, Array]) -> None:
    """The first row has the same bits in both batches."""
    assert np.array_equal(*(value(z)[0] for z in case))


@both
@given(case=neighbours())
def test_rows_do_not_influence_each_other(f, case) -> None:
    """Whatever the other rows of the batch hold, a row keeps its bits."""
    require_independent_rows(f.value, case)


@both
@given(data=st.data(), z=moderate)
def test_rows_of_vjp_sum_to_zero(f, data, z) -> None:
    """The gradient is orthogonal to a shift: its rows sum to zero, up to their bounds."""
    A = arithmetic_of(z)
    g = data.draw(hnp.arrays(A.dtype, z.shape, elements=st.floats(-8, 8, width=32)))
    p = bounded(SOFTMAX, A, z)
    z64, g64 = z.astype(np.float64), g.astype(np.float64)
    error = softmax_vjp_error if f is SOFTMAX else log_softmax_vjp_error
    q = carry(A, f.vjp(g64, z64, f.value(z64)), error, exactly(g), p)
    assert np.isfinite(q.bound).all()
    assert at_most(np.abs(total(*f.vjp(g, z, f.value(z)).T)), q.bound.sum(axis=1))


@given(z=moderate)
def test_log_softmax_is_the_logarithm(z) -> None:
    """exp(log p) = p: the two agree to within both bounds."""
    A = arithmetic_of(z)
    p, log_p = bounded(SOFTMAX, A, z), bounded(LOG_SOFTMAX, A, z)
    computed = LOG_SOFTMAX.value(z).astype(np.float64)
    low, high = np.exp(computed - log_p.bound), np.exp(computed + log_p.bound)
    value = SOFTMAX.value(z).astype(np.float64)
    # the two exponentials that judge are off by an elementary function's error
    slack = 1 + FLOAT64.gamma(2 * FLOAT64.K)
    assert at_most(value - p.bound, high * slack)
    assert at_most(low, (value + p.bound) * slack)


def global_maximum(z: Array) -> Array:
    """Softmax shifted by the largest logit of the whole batch: small rows become 0 / 0."""
    with np.errstate(all="ignore"):
        e = np.exp(z - z.max())
        return e / e.sum(axis=1, keepdims=True)


def unshifted(z: Array) -> Array:
    """Softmax by its formula: overflows above 88 in float32, loses the bits of a shift."""
    with np.errstate(all="ignore"):
        e = np.exp(z)
        return e / e.sum(axis=1, keepdims=True)


def over_the_batch(z: Array) -> Array:
    """Softmax summed over the wrong axis."""
    return SOFTMAX.value(np.ascontiguousarray(z.T)).T


@pytest.mark.parametrize(
    ("check", "wrong", "drawn"),
    [
        (require_unit_sum, global_maximum, arithmetics.flatmap(lambda A: logits(A, 1000.0))),
        (require_independent_rows, global_maximum, neighbours()),
        (require_unit_sum, unshifted, arithmetics.flatmap(lambda A: logits(A, 1000.0))),
        (require_shift_invariance, unshifted, shifted()),
        (require_unit_sum, over_the_batch, moderate),
        (require_independent_rows, over_the_batch, neighbours()),
    ],
)
def test_wrong_softmaxes_are_caught(check, wrong, drawn) -> None:
    """The global maximum, no maximum, the wrong axis: each breaks one of the properties above."""
    is_caught(lambda case: check(wrong, case), drawn)
