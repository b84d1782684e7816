"""Directed tests of the bounds: where they are zero, where they must be infinite, and narrow gaps.

Each was once wrong, or is where a rule of thumb would be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mlp_ref.activations import ELU, IDENTITY, RELU, SIGMOID, TANH
from mlp_ref.arithmetic import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, TF32, Arithmetic, Array
from mlp_ref.bounds import (
    Bounded,
    derive,
    derive_step,
    exactly,
    gradient_error,
    log_softmax_error,
    loss_error,
    product_error,
    slope_error,
    softmax_error,
    times_error,
)
from mlp_ref.checks import InputError
from mlp_ref.losses import BINARY_CROSS_ENTROPY, CROSS_ENTROPY, SQUARED_ERROR
from mlp_ref.model import MLP
from mlp_ref.optimizers import SGD, Optimizer, State
from mlp_ref.parameters import Params


def product(A: Arithmetic, x: list[float], y: list[float], bias: float | None = None) -> float:
    """The bound of one inner product of exact numbers."""
    b = None if bias is None else np.array([bias])
    with np.errstate(over="ignore"):
        return product_error(A, exactly(np.array([x])), exactly(np.array([y]).T), b).item()


def one(theta: float) -> Params:
    """A network of two parameters, the second of them zero."""
    return Params(np.array([theta, 0.0]), (1, 1))


# ------------------------------------------------------------------------------ exact or not exact


@pytest.mark.parametrize(
    ("A", "x", "y", "bias"),
    [
        (FLOAT64, [3, -2], [5, 7], 1.0),
        (FLOAT32, [2.0**12, 1], [2.0**11, 1], None),
        (FLOAT32, [2.0**-120, 0], [2.0**20, 3], None),
        (BFLOAT16, [255, 1], [255, -1], None),
        (TF32, [2047.0], [2047.0], None),
    ],
)
def test_sums_that_fit_have_no_error(
    A: Arithmetic, x: list[float], y: list[float], bias: float | None
) -> None:
    """Every term is a multiple of one power of two, and no sum exceeds 2^p of it."""
    assert product(A, x, y, bias) == 0


@pytest.mark.parametrize(
    ("A", "x", "y"),
    [
        (FLOAT64, [2.0**53, *[1.0] * 8], [1.0] * 9),  # float64 adds 2^53 + 1 to 2^53, too
        (FLOAT32, [2.0**24, 1], [1, 1]),
        (FLOAT32, [2.0**-130], [2.0**20]),  # a subnormal operand may be flushed to zero
        (FLOAT32, [2.0**20], [2.0**-130]),
        (FLOAT32, [2.0**-70], [2.0**-70]),
        (TF32, [4097.0], [1.0]),  # 13 bits do not fit the operands
    ],
)
def test_what_may_be_rounded_has_a_bound(A: Arithmetic, x: list[float], y: list[float]) -> None:
    """One bit more, or a number that an implementation may flush, and nothing is exact."""
    assert 0 < product(A, x, y) < np.inf


def test_a_sum_that_overflows_on_its_way_is_unbounded() -> None:
    """2^127 + 2^127 - 2^127 is exact on paper, and inf from left to right."""
    assert product(FLOAT32, [2.0**127] * 3, [1, 1, -1]) == np.inf


def test_narrow_tensors_are_summed_in_float32() -> None:
    """A sum beyond the largest float16 is no overflow until it is stored."""
    assert product(FLOAT16, [60000.0, 60000.0, 1 / 3], [1, -1, 1]) < 1
    model, x = MLP((3, 1), (IDENTITY,)), np.array([[256.0, 256.0, 1.0]])
    params = Params.from_layers([(np.array([[256.0], [-256.0], [1.0]]), np.zeros(1))])
    assert derive(model, params, x, arithmetic=FLOAT16)["z0"].bound.item() == 0


def test_products_with_a_slope_are_exact_where_they_fit() -> None:
    """dz = g f' of relu is g or 0; with 27 bits on either side a product of 54 is rounded."""
    assert times_error(FLOAT32, exactly(np.array([1 / 3])), exactly(np.ones(1))).item() > 0
    assert times_error(FLOAT32, exactly(np.array([0.75])), exactly(np.ones(1))).item() == 0
    wide = exactly(np.array([2.0**27 - 1]))
    assert times_error(FLOAT64, wide, exactly(np.array([2.0**27 + 1]))).item() > 0


@pytest.mark.parametrize(
    ("A", "z", "t"),
    [
        (FLOAT64, [[2.0**53]], [[-1.0]]),
        (FLOAT32, [[0.0]], [[2.0**-127]]),
        (FLOAT32, [[2.0**24]], [[-1.0]]),
    ],
)
def test_a_difference_that_does_not_fit_has_a_bound(
    A: Arithmetic, z: list[list[float]], t: list[list[float]]
) -> None:
    """The gradient of squared error is exact only if z - t is, and a subnormal t never is."""
    assert gradient_error(A, SQUARED_ERROR, exactly(np.array(z)), np.array(t)).item() > 0


def test_squares_that_overflow_in_memory_are_unbounded() -> None:
    """256^2 is an integer, and larger than every float16."""
    z, t = exactly(np.array([[256.0, 0, 0, 0]])), np.zeros((1, 4))
    with np.errstate(over="ignore"):
        assert loss_error(FLOAT16, SQUARED_ERROR, z, t) == np.inf
        assert loss_error(FLOAT32, SQUARED_ERROR, z, t) == 0


def test_what_everybody_is_given_needs_no_product() -> None:
    """The zeros of `exactly` are known as such; written out, they give the same bound."""
    rng = np.random.default_rng(0)
    x, y = exactly(rng.standard_normal((3, 4))), exactly(rng.standard_normal((4, 2)))
    x_rough, y_rough = (q._replace(bound=np.broadcast_to(0.5, q.value.shape)) for q in (x, y))
    written = [Bounded(*(np.array(part) for part in q)) for q in (x, y)]
    assert all(q.given for q in (x, y, x.T))
    assert not any(q.given for q in (x_rough, y_rough, *written))
    pairs = [((x, y), written), ((x_rough, y), (x_rough, written[1]))]
    pairs += [((x, y_rough), (written[0], y_rough))]
    for A in (FLOAT64, FLOAT32, TF32):
        for short, long in pairs:
            np.testing.assert_array_equal(product_error(A, *short), product_error(A, *long))
        # the error of one operand arrives, whichever it is
        assert (product_error(A, x_rough, y) > 0.5 * np.abs(y.value).sum(axis=0)).all()
        assert (product_error(A, x, y_rough) > 0.5 * np.abs(x.value).sum(axis=1)[:, None]).all()


# ------------------------------------------------------------------------------------ elementwise


def test_kinks_are_decided_by_the_interval() -> None:
    """relu' is exact where the sign of z is certain, and may be 0 or 1 where it is not."""
    z = exactly(np.array([0.0, 0.5, 0.5]))._replace(bound=np.array([0.0, 0.25, 0.75]))
    assert list(slope_error(FLOAT64, RELU, z, z)) == [0, 0, 1]


def test_a_stored_output_matters_where_the_slope_depends_on_it() -> None:
    """elu' = a + 1 inherits the rounding of a below zero; above zero it is 1."""
    z = exactly(np.array([-1.0, 8.0]))
    a = exactly(ELU.value(z.value))
    below, above = slope_error(BFLOAT16, ELU, z, a)
    assert below > BFLOAT16.u_store / 2
    assert above == 0
    for f in (SIGMOID, TANH):
        a = exactly(f.value(z.value))
        assert (slope_error(BFLOAT16, f, z, a) > slope_error(FLOAT32, f, z, a)).all()


# ------------------------------------------------------------------------------ softmax and losses


def test_probabilities_may_exceed_one_where_the_maximum_is_large() -> None:
    """exp(z - (m + log S)) with m = 2000 is off by e^(u m) in a coarse arithmetic."""
    A = replace(FLOAT32, u=2.0**-10)
    z = exactly(np.array([[2000.0, 1990.0]]))._replace(bound=np.full((1, 2), 20.0))
    with np.errstate(divide="ignore"):  # more than the whole of p is no relative error
        assert softmax_error(A, z)[0, 0] >= np.expm1(2000 * A.u)


def test_log_sum_of_erring_logits_is_at_most_that_of_equal_ones() -> None:
    """log S may grow by twice the error of z: the others rise, the maximum falls."""
    z = exactly(np.array([[0.0] + [-2.0] * 999]))
    moved = z._replace(bound=np.full(z.value.shape, 1.0))
    wide, exact = log_softmax_error(FLOAT32, moved), log_softmax_error(FLOAT32, z)
    assert (wide >= 1).all()
    assert exact.max() < FLOAT32.gamma(2 * 1000)


def test_flushed_terms_of_the_sum_count() -> None:
    """Ten classes whose exp is subnormal: flushed to zero, each is missing from the loss."""
    z = np.full((1, 10), -88.0)
    z[0, 0] = 0
    missing = 9 * np.exp(-88.0)
    assert missing > 2 * FLOAT32.tiny
    assert loss_error(FLOAT32, CROSS_ENTROPY, exactly(z), np.array([0])) >= missing


def test_targets_in_bfloat16_are_stored_once_more() -> None:
    """t / n is a tensor of its own: PyTorch 2.13.0 misses two roundings by a factor of 1.24."""
    z = np.tile([0.0, 6.0], (15, 1))
    t = np.tile([0.9453125, 0.0546875], (15, 1))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    measured = -0.0634766
    error = gradient_error(BFLOAT16, CROSS_ENTROPY, exactly(z), t)[0, 0]
    stored = ((1 + BFLOAT16.u_store) ** 2 - 1) * abs(p - t)[0, 0] / 15
    assert error + stored > abs(measured - (p - t)[0, 0] / 15)


@pytest.mark.parametrize("loss", [BINARY_CROSS_ENTROPY, SQUARED_ERROR], ids=lambda loss: loss.name)
def test_a_mean_over_many_entries_stays_useful_in_bfloat16(loss: object) -> None:
    """The sum of 4,096 terms is accumulated in float32, so its bound is not that of bfloat16."""
    z, t = exactly(np.full((64, 64), 0.5)), np.full((64, 64), 0.25)
    value, _ = loss.value_and_grad(z.value, t)  # type: ignore[attr-defined]
    assert loss_error(BFLOAT16, loss, z, t) < value / 8  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------- input


def wrong(change: Callable[[Array], object], A: Arithmetic) -> str:
    """The message for a network one of whose parameters was changed."""
    params = Params.zeros((2, 1))
    change(params.flat)
    with pytest.raises(InputError) as caught:
        derive(MLP((2, 1), (IDENTITY,)), params, np.ones((1, 2)), arithmetic=A)
    return str(caught.value)


def test_bounds_need_exact_finite_input() -> None:
    """A bound cannot know how its input was rounded, nor follow a NaN."""
    not_finite = wrong(lambda flat: flat.put(1, np.nan), FLOAT64)
    assert not_finite == "params must be finite; got nan at flat index 1; clean the data"
    too_wide = wrong(lambda flat: flat.put(0, 0.1), FLOAT32)
    assert too_wide.startswith("params must be representable in float32; got float64 array")
    assert too_wide.endswith("round first with FLOAT32.quantize(params)")


def test_a_loss_needs_its_target() -> None:
    """Without the other, one of the two would be passed over in silence."""
    model, x = MLP((1, 1), (IDENTITY,)), np.ones((1, 1))
    with pytest.raises(InputError, match="loss and target must come together; got <loss squared"):
        derive(model, one(1.0), x, SQUARED_ERROR, arithmetic=FLOAT64)


def test_bounds_know_the_functions_and_optimizers_of_the_library() -> None:
    """Another activation or optimizer is refused with a remedy."""

    class Cube:
        name = "cube"

        def value(self, x: Array, out: Array | None = None) -> Array:
            return np.asarray(x**3)

        def vjp(self, g: Array, x: Array, y: Array, out: Array | None = None) -> Array:
            return g * 3 * x**2

    class Lazy(SGD):
        pass

    class Other(Optimizer):
        lr = 1.0
        moments = 0

        def advance(self, t, lr, scratch, theta, g, *moments):  # type: ignore[no-untyped-def]
            theta -= lr * g

    with pytest.raises(InputError, match="bounds need an elementwise activation, SOFTMAX"):
        derive(MLP((1, 1), (Cube(),)), one(1.0), np.ones((1, 1)), arithmetic=FLOAT64)
    with pytest.raises(InputError, match="bounds are derived for SGD, Adam and AdamW"):
        derive_step(Other(), one(1.0), one(1.0), State(0, ()), arithmetic=FLOAT64)
    assert derive_step(Lazy(0.5), one(1.0), one(1.0), State(0, ()), arithmetic=FLOAT64)
