"""Losses: signs, finiteness, convexity, exact symmetries, and one target in several forms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from evidence import at_most, is_caught, total
from hypothesis import given
from hypothesis import strategies as st
from strategies import (
    arithmetic_of,
    arithmetics,
    dyadic,
    labels,
    matrices,
    probabilities,
    shapes,
    targets,
)

from mlp_ref import BINARY_CROSS_ENTROPY, CROSS_ENTROPY, LOSSES, SOFTPLUS, SQUARED_ERROR
from mlp_ref.arithmetic import FLOAT64, Array
from mlp_ref.bounds import Bounded, carry, exactly, gradient_error, loss_error
from mlp_ref.losses import Loss

every = pytest.mark.parametrize("loss", LOSSES.values(), ids=lambda loss: loss.name)


@st.composite
def cases(draw: st.DrawFn, loss: Loss, size: float | None = 50.0) -> tuple[Array, Array]:
    """Logits (n, C) up to ``size`` (None: of every size) with a target."""
    A, (n, classes) = draw(arithmetics), draw(shapes)
    z = draw(matrices(A, n, classes, size))
    return z, draw(targets(A, loss, n, classes, 50.0))


def bounded(loss: Loss, z: Array, target: Array) -> tuple[Bounded, Bounded]:
    """The mean loss and the gradient of exact logits, with their bounds in the dtype of z.

    Without a second look at probabilities, whose rows sum to one in the dtype they came in.
    """
    A, z = arithmetic_of(z), z.astype(np.float64)
    t = target.astype(np.float64) if target.dtype.kind == "f" else target
    with np.errstate(over="ignore"):
        terms, count, grad = loss.parts(z, t)
        mean, g = terms.sum() / count, grad() / count
    return (
        carry(A, mean, lambda A, q: loss_error(A, loss, q, t), exactly(z)),
        carry(A, g, lambda A, q: gradient_error(A, loss, q, t), exactly(z)),
    )


def require_no_negative(loss: Loss, case: tuple[Array, Array]) -> None:
    """The loss is zero or positive, never NaN, of the dtype of the logits."""
    value, g = loss.value_and_grad(*case)
    assert value >= 0
    assert value.dtype == g.dtype == case[0].dtype


@every
@given(data=st.data())
def test_no_loss_is_negative(loss, data) -> None:
    """For logits of every size the loss is >= 0: no difference of large numbers is taken."""
    require_no_negative(loss, data.draw(cases(loss, None)))


@every
@given(data=st.data())
def test_losses_that_fit_are_finite(loss, data) -> None:
    """The loss is finite unless the exact one may exceed the largest float; so is its gradient."""
    A, shape = data.draw(arithmetics), data.draw(shapes)
    share = A.largest / (8 * np.prod(shape))
    size = float(A.dtype.type(np.sqrt(share) if loss is SQUARED_ERROR else share))
    z = data.draw(matrices(A, *shape, size))
    value, g = loss.value_and_grad(z, data.draw(targets(A, loss, *shape, min(size, 50.0))))
    assert np.isfinite(value)
    assert np.isfinite(g).all()


@pytest.mark.parametrize("loss", [CROSS_ENTROPY, BINARY_CROSS_ENTROPY], ids=lambda loss: loss.name)
@given(data=st.data())
def test_gradients_of_probabilities_are_bounded(loss, data) -> None:
    """|dL/dz| <= 1 / count for logits of every size: a difference of two probabilities."""
    z, target = data.draw(cases(loss, None))
    _, g = loss.value_and_grad(z, target)
    count = len(z) if loss is CROSS_ENTROPY else z.size
    # Rows of probabilities may sum to one up to C + 1 roundings, the product adds its own.
    assert at_most(np.abs(g), (1 + arithmetic_of(z).gamma(z.shape[1] + 3)) / count)


@given(case=cases(CROSS_ENTROPY))
def test_gradient_rows_of_cross_entropy_sum_to_zero(case) -> None:
    """A shift of a row leaves the loss: dL/dz is orthogonal to it, up to its bounds."""
    _, g = CROSS_ENTROPY.value_and_grad(*case)
    _, q = bounded(CROSS_ENTROPY, *case)
    assert np.isfinite(q.bound).all()
    assert at_most(np.abs(total(*g.T)), q.bound.sum(axis=1))


@st.composite
def three(draw: st.DrawFn, loss: Loss) -> tuple[Array, Array, Array]:
    """Two batches of logits and one target for both."""
    z, target = draw(cases(loss))
    return z, draw(matrices(arithmetic_of(z), *z.shape, 50.0)), target


def require_convex(loss: Loss, case: tuple[Array, Array, Array]) -> None:
    """L(w) >= L(z) + <g(z), w - z>, up to the bounds of all three."""
    z, w, target = case
    value, g = loss.value_and_grad(z, target)
    here, slope = bounded(loss, z, target)
    there, _ = bounded(loss, w, target)
    d = w.astype(np.float64) - z
    rises = total(*(g * d).ravel(), value, -loss.value(w, target).astype(np.float64))
    reach = np.sum((FLOAT64.gamma(2) * np.abs(g) + slope.bound) * np.abs(d))
    assert at_most(rises, here.bound + there.bound + reach)


@every
@given(data=st.data())
def test_losses_lie_above_their_tangents(loss, data) -> None:
    """Every loss is convex in the logits, and its gradient is that of the MEAN loss."""
    require_convex(loss, data.draw(three(loss)))


def summed(loss: Loss) -> Loss:
    """A gradient that is summed over the batch although the loss is averaged."""

    def parts(z: Array, target: Array, out: Any = None) -> Any:
        terms, count, grad = loss.parts(z, target)
        return terms, count, lambda: count * grad()

    return replace(loss, parts=parts)


@every
def test_a_summed_gradient_is_no_tangent(loss) -> None:
    """A gradient that was not averaged is caught by the same comparison."""
    is_caught(lambda case: require_convex(summed(loss), case), three(loss))


def test_log_of_clipped_probabilities_goes_below_zero() -> None:
    """Cross-entropy as -log(p + 2^-20) is negative for a sure prediction, and is caught."""

    def parts(z: Array, target: Array, out: Any = None) -> Any:
        _, count, grad = BINARY_CROSS_ENTROPY.parts(z, target)
        p = np.where(target > 0.5, z > 0, z <= 0).astype(z.dtype)
        return -np.log(p + 2.0**-20, dtype=z.dtype), count, grad

    wrong = replace(BINARY_CROSS_ENTROPY, parts=parts)
    is_caught(lambda case: require_no_negative(wrong, case), cases(BINARY_CROSS_ENTROPY))


@given(data=st.data())
def test_labels_are_one_hot_rows(data) -> None:
    """Class indices and rows with a single one give the same loss and gradient, within bounds."""
    A, (n, classes) = data.draw(arithmetics), data.draw(shapes)
    z, y = data.draw(matrices(A, n, classes, 50.0)), data.draw(labels(n, classes))
    rows = np.eye(classes, dtype=A.dtype)[y]
    hard, soft = (CROSS_ENTROPY.value_and_grad(z, target) for target in (y, rows))
    bounds = zip(bounded(CROSS_ENTROPY, z, y), bounded(CROSS_ENTROPY, z, rows), strict=True)
    for one, other, (p, q) in zip(hard, soft, bounds, strict=True):
        assert at_most(np.abs(total(one, -other.astype(np.float64))), p.bound + q.bound)


@given(data=st.data())
def test_a_shift_of_a_row_leaves_cross_entropy(data) -> None:
    """A constant per row that adds without rounding changes no bit of loss and gradient."""
    A, (n, classes) = data.draw(arithmetics), data.draw(shapes)
    z = data.draw(dyadic(A, (n, classes), top=2**14, step=2.0**-10))
    c = data.draw(dyadic(A, (n, 1), top=2**20, step=2.0**-10))
    target = data.draw(st.one_of(labels(n, classes), probabilities(A, n, classes)))
    for one, other in zip(
        CROSS_ENTROPY.value_and_grad(z, target),
        CROSS_ENTROPY.value_and_grad(z + c, target),
        strict=True,
    ):
        assert np.array_equal(one, other)


@given(data=st.data())
def test_binary_cross_entropy_is_symmetric(data) -> None:
    """(z, t) -> (-z, 1 - t) keeps the loss and negates the gradient, bit by bit."""
    A, shape = data.draw(arithmetics), data.draw(shapes)
    z = data.draw(matrices(A, *shape))
    t = np.abs(data.draw(dyadic(A, shape, top=16)))  # 1 - t is exact
    value, g = BINARY_CROSS_ENTROPY.value_and_grad(z, t)
    other, h = BINARY_CROSS_ENTROPY.value_and_grad(-z, 1 - t)
    assert value == other
    assert np.array_equal(g, -h)


@given(data=st.data())
def test_binary_cross_entropy_is_cross_entropy_of_two_classes(data) -> None:
    """One logit z against 0: both losses and dL/dz agree within their bounds."""
    A, n = data.draw(arithmetics), data.draw(st.integers(1, 4))
    z = data.draw(matrices(A, n, 1, 50.0))
    t = np.abs(data.draw(dyadic(A, (n, 1), top=16)))
    one = np.concatenate([z, np.zeros_like(z)], axis=1), np.concatenate([t, 1 - t], axis=1)
    value, g = BINARY_CROSS_ENTROPY.value_and_grad(z, t)
    other, h = CROSS_ENTROPY.value_and_grad(*one)
    (p, p_grad), (q, q_grad) = bounded(BINARY_CROSS_ENTROPY, z, t), bounded(CROSS_ENTROPY, *one)
    assert at_most(np.abs(total(value, -other.astype(np.float64))), p.bound + q.bound)
    assert at_most(
        np.abs(total(g, -h[:, :1].astype(np.float64))), p_grad.bound + q_grad.bound[:, :1]
    )


@given(case=cases(BINARY_CROSS_ENTROPY))
def test_without_positives_it_is_softplus(case) -> None:
    """Binary cross-entropy with all targets 0 is the mean of softplus(z), by another kernel."""
    z, target = case[0], np.zeros_like(case[0])
    q, _ = bounded(BINARY_CROSS_ENTROPY, z, target)
    mean = SOFTPLUS.value(z.astype(np.float64)).mean()
    other = FLOAT64.gamma(z.size + 2 * FLOAT64.K + 2) * mean + FLOAT64.tiny * 8
    missed = np.abs(total(BINARY_CROSS_ENTROPY.value(z, target), -mean))
    assert at_most(missed, q.bound + other)


@given(data=st.data())
def test_squared_error_is_homogeneous_and_symmetric(data) -> None:
    """Doubling z and t doubles the gradient and quadruples the loss; exchanging them negates g."""
    A, shape = data.draw(arithmetics), data.draw(shapes)
    z, t = (data.draw(dyadic(A, shape)) for _ in range(2))
    value, g = SQUARED_ERROR.value_and_grad(z, t)
    twice, h = SQUARED_ERROR.value_and_grad(2 * z, 2 * t)
    assert twice == 4 * value
    assert np.array_equal(h, 2 * g)
    swapped, h = SQUARED_ERROR.value_and_grad(t, z)
    assert swapped == value
    assert np.array_equal(h, -g)


@every
@given(data=st.data())
def test_a_batch_given_twice_is_the_same_mean(loss, data) -> None:
    """The loss of a repeated batch is the same within bounds, and each gradient exactly half."""
    z, target = data.draw(cases(loss))
    A = arithmetic_of(z)
    value, g = loss.value_and_grad(z, target)
    twice, h = loss.value_and_grad(*(np.concatenate([part, part]) for part in (z, target)))
    normal = np.abs(h[: len(z)]) >= A.tiny  # half of a subnormal number may be rounded
    assert np.array_equal(2 * h[: len(z)][normal], g[normal])
    q, _ = bounded(loss, z, target)
    # The longer sum adds as many roundings as the batch has entries.
    allowed = 2 * q.bound + A.gamma(2 * z.size) * (value + q.bound)
    assert at_most(np.abs(total(twice, -value.astype(np.float64))), allowed)
