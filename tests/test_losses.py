"""The losses: value and gradient of the MEAN, saturated logits, bad targets."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from mlp_ref.arithmetic import FLOAT64
from mlp_ref.bounds import exactly, gradient_error, loss_error
from mlp_ref.checks import InputError
from mlp_ref.losses import BINARY_CROSS_ENTROPY, CROSS_ENTROPY, LOSSES, SQUARED_ERROR
from mlp_ref.softmax import SOFTMAX

RNG = np.random.default_rng(3)


def cross_entropy(z, t):
    """- sum t log p, by the definition."""
    total = mpmath.mpf(0)
    for row, weights in zip(z, t, strict=True):
        log_sum = mpmath.log(sum(mpmath.exp(v) for v in row))
        total += sum(w * (log_sum - v) for w, v in zip(weights, row, strict=True))
    return total / len(z)


def binary(z, t):
    """- t log s - (1 - t) log(1 - s), by the definition."""
    pairs = [(v, w) for row, ts in zip(z, t, strict=True) for v, w in zip(row, ts, strict=True)]
    terms = [
        w * mpmath.log(1 + mpmath.exp(-v)) + (1 - w) * mpmath.log(1 + mpmath.exp(v))
        for v, w in pairs
    ]
    return sum(terms) / len(pairs)


def squared(z, t):
    """(z - t)^2."""
    pairs = [(v, w) for row, ts in zip(z, t, strict=True) for v, w in zip(row, ts, strict=True)]
    return sum((v - w) ** 2 for v, w in pairs) / len(pairs)


EXACT = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary,
    "squared_error": squared,
}


def targets(name, shape):
    """Labels and probabilities, 0/1 and fractions, numbers."""
    labels = RNG.integers(0, shape[1], shape[0])
    if name == "cross_entropy":
        return [labels, SOFTMAX.value(RNG.standard_normal(shape)), np.eye(shape[1])[labels]]
    if name == "binary_cross_entropy":
        return [RNG.uniform(size=shape), np.eye(shape[1])[labels]]
    return [RNG.standard_normal(shape)]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1000.0])
@pytest.mark.parametrize("name", LOSSES)
def test_loss_and_gradient_are_within_their_bounds(name, scale) -> None:
    """Against 800 digits: value and gradient are off by at most the derived bounds."""
    loss, z = LOSSES[name], scale * RNG.standard_normal((5, 4))
    for target in targets(name, z.shape):
        value, g = loss.value_and_grad(z, target)
        dense = target if target.ndim == 2 else np.eye(4)[target]
        with mpmath.workdps(900):
            zs = [[mpmath.mpf(float(v)) for v in row] for row in z]
            ts = [[mpmath.mpf(float(v)) for v in row] for row in dense]
            error = abs(mpmath.mpf(float(value)) - EXACT[name](zs, ts))
            assert error <= float(loss_error(FLOAT64, loss, exactly(z), target))
            bound, h = gradient_error(FLOAT64, loss, exactly(z), target), mpmath.mpf(10) ** -200
            for i, j in np.ndindex(z.shape):
                base = zs[i][j]
                zs[i][j] = base + h
                above = EXACT[name](zs, ts)
                zs[i][j] = base - h
                slope = (above - EXACT[name](zs, ts)) / (2 * h)
                zs[i][j] = base
                assert abs(mpmath.mpf(float(g[i, j])) - slope) <= float(bound[i, j])


def test_labels_and_one_hot_rows_agree() -> None:
    """Integer labels and their one-hot rows give losses and gradients within twice the bound."""
    z, y = RNG.standard_normal((6, 3)), RNG.integers(0, 3, 6)
    value, g = CROSS_ENTROPY.value_and_grad(z, y)
    other, h = CROSS_ENTROPY.value_and_grad(z, np.eye(3)[y])
    assert abs(value - other) <= 2 * loss_error(FLOAT64, CROSS_ENTROPY, exactly(z), np.eye(3)[y])
    assert (
        np.abs(g - h) <= 2 * gradient_error(FLOAT64, CROSS_ENTROPY, exactly(z), np.eye(3)[y])
    ).all()


def test_the_gradient_is_that_of_the_mean() -> None:
    """Doubling the batch halves every gradient and leaves the loss: it is averaged once."""
    z, t = RNG.standard_normal((4, 3)), RNG.uniform(size=(4, 3))
    y = RNG.integers(0, 3, 4)
    for loss, target in ((CROSS_ENTROPY, y), (BINARY_CROSS_ENTROPY, t), (SQUARED_ERROR, t)):
        value, g = loss.value_and_grad(z, target)
        twice, h = loss.value_and_grad(np.tile(z, (2, 1)), np.concatenate([target, target]))
        assert np.array_equal(2 * h[:4], g)
        assert abs(twice - value) <= FLOAT64.gamma(24) * value


def test_squared_error_by_hand() -> None:
    """Mean over all entries: (1 + 0 + 4 + 9) / 4 = 3.5 and g = 2 (z - t) / 4."""
    value, g = SQUARED_ERROR.value_and_grad(
        np.array([[1.0, 2.0], [3.0, 0.0]]), np.array([[0.0, 2.0], [1.0, 3.0]])
    )
    assert value == 3.5
    assert g.tolist() == [[0.5, 0.0], [1.0, -1.5]]


def test_confident_predictions_keep_their_digits() -> None:
    """At a margin of 60 loss and gradient are e^-60, not 0: neither log(1) nor p - 1 is taken."""
    z, y = np.array([[60.0, 0.0]]), np.array([0])
    value, g = CROSS_ENTROPY.value_and_grad(z, y)
    tiny = np.exp(-60.0)
    assert abs(value / tiny - 1) <= 8 * FLOAT64.u
    assert np.abs(g / np.array([[-tiny, tiny]]) - 1).max() <= 8 * FLOAT64.u
    value, g = BINARY_CROSS_ENTROPY.value_and_grad(
        np.array([[60.0, -60.0]]), np.array([[1.0, 0.0]])
    )
    assert abs(value / tiny - 1) <= 8 * FLOAT64.u
    assert np.abs(g / np.array([[-tiny / 2, tiny / 2]]) - 1).max() <= 8 * FLOAT64.u


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_dtype_is_kept_and_nothing_warns(name, dtype) -> None:
    """For logits up to 1e30 all is finite and of the dtype of z; the arguments are unchanged."""
    z = np.array([[1e3, -1e3, 0.0], [-1e18, 1e18, 1.0], [1e-30, 0, -1e-30]], dtype)
    for target in targets(name, z.shape):
        t = target if target.dtype.kind == "i" else target.astype(dtype)
        before = z.copy(), t.copy()
        value, g = LOSSES[name].value_and_grad(z, t)
        assert value.dtype == g.dtype == dtype
        assert np.isfinite(value)
        assert np.isfinite(g).all()
        assert value == LOSSES[name].value(z, t)
        assert np.array_equal(z, before[0])
        assert np.array_equal(t, before[1])


def test_infinite_logits() -> None:
    """A logit of -inf costs nothing where the target is 0 and everything where it is not."""
    z = np.array([[0.0, -np.inf]])
    assert CROSS_ENTROPY.value(z, np.array([0])) == 0
    assert CROSS_ENTROPY.value(z, np.array([1])) == np.inf
    assert CROSS_ENTROPY.value(z, np.array([[1.0, 0.0]])) == 0
    assert BINARY_CROSS_ENTROPY.value(z, np.array([[0.5, 0.0]])) == np.log(2.0) / 2


def test_a_loss_beyond_the_largest_float_is_infinite_without_a_warning() -> None:
    """(1e200)^2 exceeds the largest float: the loss is inf."""
    assert SQUARED_ERROR.value(np.array([[1e200]]), np.array([[0.0]])) == np.inf


def test_accuracy() -> None:
    """The share of right classes, of right sides, and NaN where neither means anything."""
    z = np.array([[1.0, 2.0], [3.0, 0.0]])
    assert CROSS_ENTROPY.accuracy(z, np.array([1, 1])) == 0.5
    assert CROSS_ENTROPY.accuracy(z, np.array([[0.0, 1.0], [1.0, 0.0]])) == 1.0
    assert BINARY_CROSS_ENTROPY.accuracy(z - 1, np.array([[0.0, 1.0], [1.0, 1.0]])) == 0.75
    assert np.isnan(SQUARED_ERROR.accuracy(z, z))


def test_nan_is_never_right() -> None:
    """A network that returns NaN has an accuracy of 0, and a target of another shape is refused."""
    nan = np.full((2, 2), np.nan)
    assert CROSS_ENTROPY.accuracy(nan, np.array([0, 0])) == 0
    assert BINARY_CROSS_ENTROPY.accuracy(nan, np.zeros((2, 2))) == 0
    with pytest.raises(InputError, match=r"labels must have shape \(2,\)"):
        CROSS_ENTROPY.accuracy(nan, np.array([0]))


@pytest.mark.parametrize(
    ("name", "target", "text"),
    [
        ("cross_entropy", np.array([0, 3]), "labels must lie in 0..2; got labels from 0 to 3"),
        ("cross_entropy", np.array([-1, 0]), "labels must lie in 0..2; got labels from -1 to 0"),
        (
            "cross_entropy",
            np.array([0]),
            "labels must have shape (2,); got int64 array of shape (1,)",
        ),
        (
            "cross_entropy",
            np.array([[0], [1]]),
            "must be integer labels (2,) or probabilities (2, 3)",
        ),
        ("cross_entropy", [0, 1], "must be integer labels (2,) or probabilities (2, 3); got list"),
        ("cross_entropy", np.full((2, 3), 0.5), "must be non-negative and sum to one in each row"),
        ("cross_entropy", np.array([[1.5, -0.5, 0]] * 2), "a minimum of -0.5"),
        ("cross_entropy", np.full((2, 3), np.nan), "must be non-negative and sum to one"),
        (
            "cross_entropy",
            np.full((2, 3), 1 / 3, "f4"),
            "must have the dtype float64 of the logits",
        ),
        ("binary_cross_entropy", np.full((2, 3), 1.5), "must lie in [0, 1]; got targets from 1.5"),
        ("binary_cross_entropy", np.full((2, 3), np.nan), "must lie in [0, 1]"),
        ("squared_error", np.zeros((2, 1)), "the target must have the shape (2, 3) of the output"),
        ("squared_error", np.zeros(3), "nothing is broadcast"),
        ("squared_error", np.zeros((2, 3), int), "the target must have the dtype float64"),
    ],
)
def test_bad_targets_are_one_clear_line(name, target, text) -> None:
    """Range, shape, dtype and sums are checked, with the invariant first; nothing is broadcast."""
    for call in (LOSSES[name].value, LOSSES[name].value_and_grad):
        with pytest.raises(InputError) as caught:
            call(np.zeros((2, 3)), target)
        assert text in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_loss_prints_its_name() -> None:
    """Records identify themselves in messages."""
    assert repr(CROSS_ENTROPY) == "<loss cross_entropy>"
