"""The data of the cases: real digits, edges, and numbers that a cast to float32 changes."""

from __future__ import annotations

from math import fsum

import numpy as np
import pytest

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import FLOAT32, FLOAT64, representable
from mlp_ref.datasets import load_digits
from mlp_ref.gate.drafts import Draft, drafts
from mlp_ref.losses import LOSSES

DRAFTS = {draft.name: draft for draft in drafts()}


def family(prefix: str) -> list[Draft]:
    """The drafts of some families, of which there must be at least one."""
    found = [draft for name, draft in DRAFTS.items() if name.startswith(prefix)]
    assert found
    return found


def test_names_are_unique_and_every_note_is_one_line() -> None:
    """A draft is known by its name and says why it exists."""
    assert len(DRAFTS) == sum(1 for _ in drafts())
    for draft in DRAFTS.values():
        assert draft.note
        assert "\n" not in draft.note


def test_everything_is_float64_and_fits_together() -> None:
    """Layers chain, targets belong to the loss, and labels are the only integers."""
    for draft in DRAFTS.values():
        n, width = draft.x.shape
        for W, b in draft.layers:
            assert W.shape == (width, len(b))
            assert W.dtype == b.dtype == np.float64
            width = len(b)
        assert len(draft.activations) == len(draft.layers)
        assert draft.target.shape in ((n,), (n, width))
        if draft.target.ndim == 1:
            assert draft.loss == "cross_entropy"
            assert 0 <= draft.target.min() <= draft.target.max() < width
        else:
            assert draft.target.dtype == np.float64


def test_digits_are_consecutive_real_images_with_their_labels() -> None:
    """Each draft takes the next nine images; hard targets are the labels of the data set."""
    data, start = load_digits(), 0
    squares = (data.x * data.x).sum(axis=1)
    assert np.array_equal(squares * 256, np.rint(squares * 256))  # exact in any order
    for draft in family("digits-"):
        rows = slice(start, start + 9)
        start += 9
        lengths = np.linalg.norm(data.x[rows], axis=1, keepdims=True)
        assert np.array_equal(draft.x, 8 * data.x[rows] / lengths)
        if draft.target.ndim == 1:
            assert np.array_equal(draft.target, data.y[rows])
    assert start <= len(data.x)
    hard = [draft for draft in family("digits-") if draft.target.ndim == 1]
    assert len(hard) == len(ACTIVATIONS)


def test_every_activation_meets_every_loss_at_two_depths_on_digits() -> None:
    """Ten activations, three losses, one and two hidden layers."""
    for f in ACTIVATIONS:
        for loss in LOSSES:
            for shape in ("64-12-10", "64-12-8-10"):
                draft = DRAFTS[f"digits-{shape}/{f}/{loss}"]
                assert draft.loss == loss
                assert draft.activations == (f,) * (len(draft.layers) - 1) + ("identity",)


@pytest.mark.parametrize("prefix", ["digits-", "batch-", "square", "saturated", "output"])
def test_inputs_need_all_their_bits(prefix: str) -> None:
    """A cast to float32 changes every bias and every row of weights and inputs."""
    for draft in family(prefix):
        for array in (draft.x, *(part for layer in draft.layers for part in layer)):
            assert not representable(array, FLOAT32.precision).all(axis=-1).any()


def test_soft_probabilities_sum_to_one() -> None:
    """Each is rounded once, so that a row of ten is off by ten roundings at most."""
    for draft in DRAFTS.values():
        if draft.loss == "cross_entropy" and draft.target.ndim == 2:
            total = [fsum(row) for row in draft.target]
            assert max(abs(1 - x) for x in total) <= draft.target.shape[1] * FLOAT64.u


def test_soft_targets_are_within_their_range_and_inexact() -> None:
    """Soft probabilities lie in (0, 1) and are changed by a cast to float32."""
    soft = [
        draft for draft in DRAFTS.values()
        if draft.loss != "squared_error" and draft.target.ndim == 2
        and not np.isin(draft.target, (0, 1)).all()
    ]  # fmt: skip
    assert {draft.loss for draft in soft} == {"cross_entropy", "binary_cross_entropy"}
    for draft in soft:
        assert ((draft.target > 0) & (draft.target < 1)).all()
        assert not representable(draft.target, FLOAT32.precision).all()


def test_square_layers_hide_no_transposition_by_symmetry() -> None:
    """Layers and batch are 4 x 4, and no weight matrix is its own transpose."""
    for draft in family("square/"):
        assert draft.x.shape == (4, 4)
        assert all(W.shape == (4, 4) and not np.array_equal(W, W.T) for W, _ in draft.layers)


def test_points_put_listed_numbers_into_z() -> None:
    """x is 1 and b is 0, so z_0 is the row of weights, exactly."""
    for draft in family("points-"):
        W, b = draft.layers[0]
        assert np.array_equal(draft.x, [[1.0]])
        assert not b.any()
        assert W.shape == (1, len(b))
    (above,) = family("points-above-20/softplus")
    assert above.layers[0][0].min() > 20


def test_row_maxima_span_more_than_the_range_of_exp() -> None:
    """Relative to the global maximum a whole row underflows; relative to its own none does."""
    for draft in family("logits-row-maxima"):
        z = draft.layers[0][0]
        assert np.exp(z.max(axis=1) - z.max()).min() == 0
        assert (np.exp(z - z.max(axis=1, keepdims=True)) > 0).all()


def test_exact_drafts_are_integers_with_small_sums() -> None:
    """All numbers are integers, and every sum of absolute values stays below 2^24."""
    for draft in family("exact-"):
        size = np.abs(draft.x)
        for W, b in draft.layers:
            assert np.array_equal(W, np.rint(W))
            assert np.array_equal(b, np.rint(b))
            size = size @ np.abs(W) + np.abs(b)
        assert size.max() < 2.0**FLOAT32.precision
        assert np.array_equal(draft.target, np.rint(draft.target))


def test_zeros_reach_every_activation() -> None:
    """Some z is 0 exactly, and x and b hold zeros of both signs."""
    for f in ACTIVATIONS:
        draft = DRAFTS[f"zero/{f}"]
        assert (draft.x @ draft.layers[0][0] == 0).any()
        draft = DRAFTS[f"negative-zero/{f}"]
        zeros = draft.x[draft.x == 0]
        assert set(np.signbit(zeros)) == {True, False}
        assert np.signbit(draft.layers[0][1]).all()
        assert not draft.layers[0][1].any()
