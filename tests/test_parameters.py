"""Parameters: one vector and its views, and the initializers."""

from __future__ import annotations

import numpy as np
import pytest

from mlp_ref.checks import InputError
from mlp_ref.parameters import INITIALIZERS, Params, initialize, require_sizes


def test_layers_are_views_of_one_vector() -> None:
    """Writing into W or b writes into flat, in the order W_0, b_0, W_1, b_1."""
    params = Params(np.arange(13.0), (2, 3, 1))
    assert params.layers[0].W.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert params.layers[0].b.tolist() == [6, 7, 8]
    assert params.layers[1].W.tolist() == [[9], [10], [11]]
    assert params.layers[1].b.tolist() == [12]
    params.layers[1].b[0] = -1
    assert params.flat[12] == -1
    assert all(np.shares_memory(part, params.flat) for layer in params.layers for part in layer)


def test_from_layers_copies_and_inverts() -> None:
    """from_layers(params.layers) has the same numbers in new memory."""
    params = Params(np.arange(13, dtype=np.float32), (2, 3, 1))
    again = Params.from_layers(params.layers)
    assert again.sizes == params.sizes
    assert again.dtype == np.float32
    assert np.array_equal(again.flat, params.flat)
    assert not np.shares_memory(again.flat, params.flat)


def test_copy_like_astype_zeros() -> None:
    """copy and astype allocate, like shares, zeros are zero."""
    params = Params(np.arange(13.0), (2, 3, 1))
    assert not np.shares_memory(params.copy().flat, params.flat)
    assert params.astype(np.float32).dtype == np.float32
    flat = np.ones(13)
    assert params.like(flat).flat is flat
    assert not Params.zeros((2, 3, 1), np.float32).flat.any()
    assert Params.count((64, 32, 10)) == 65 * 32 + 33 * 10


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        ((3,), "sizes must be at least two positive integers; got tuple (3,)"),
        ((3, 0), "sizes must be at least two positive integers"),
        ((3, 2.0), "sizes must be at least two positive integers"),
        ((True, 2), "list every width from input to output"),
    ],
)
def test_bad_sizes(sizes, text) -> None:
    """Zero, fractions, booleans and a single width are refused."""
    with pytest.raises(InputError) as caught:
        require_sizes(sizes)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("flat", "text"),
    [
        (np.zeros(12), "parameters of sizes (2, 3, 1) must have shape (13,)"),
        ([0.0] * 13, "must have shape (13,); got list"),
        (
            np.zeros(13, int),
            "must be a contiguous float32 or float64 vector in native byte order; got int64",
        ),
        (np.zeros(26)[::2], "must be a contiguous float32 or float64 vector"),
        (
            np.zeros(13, np.float16),
            "must be a contiguous float32 or float64 vector in native byte order; got float16",
        ),
    ],
)
def test_bad_vectors(flat, text) -> None:
    """Length, kind, dtype and layout of the vector are checked."""
    with pytest.raises(InputError) as caught:
        Params(flat, (2, 3, 1))
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([], "layers must hold at least one layer"),
        ([(np.zeros((2, 3)), np.zeros(2))], "layer 0 must have W (n_in, n_out) and b (n_out,)"),
        ([(np.zeros((2, 3)), np.zeros(3, "f4"))], "of one dtype"),
        (
            [(np.zeros((2, 3)), np.zeros(3)), (np.zeros((2, 1)), np.zeros(1))],
            "layer 1 must take the 3 outputs of layer 0; got W float64 array of shape (2, 1)",
        ),
    ],
)
def test_bad_layers(layers, text) -> None:
    """Layers that do not fit each other are named."""
    with pytest.raises(InputError) as caught:
        Params.from_layers(layers)
    assert text in str(caught.value)


SIZES = (300, 200)
EXPECTED = {  # name: (variance of W, largest |W|, variance of b)
    "glorot_uniform": (2 / 500, (6 / 500) ** 0.5, 0),
    "glorot_normal": (2 / 500, np.inf, 0),
    "he_uniform": (2 / 300, (6 / 300) ** 0.5, 0),
    "he_normal": (2 / 300, np.inf, 0),
    "torch_linear": (1 / 900, 300**-0.5, 1 / 900),
    "standard_normal": (1, np.inf, 0),
    "zeros": (0, 0, 0),
}


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializers_have_the_variance_they_promise(name) -> None:
    """Over 60,000 weights the sample variance is within six standard errors of the formula."""
    params = initialize(SIZES, INITIALIZERS[name], rng=np.random.default_rng(0))
    W, b = params.layers[0]
    variance, limit, bias = EXPECTED[name]
    assert np.abs(W).max() <= limit
    # The variance of a sample variance is at most 2 v^2 / n for normal and for uniform numbers.
    assert abs(W.var() - variance) <= 6 * variance * (2 / W.size) ** 0.5
    assert abs(b.var() - bias) <= 6 * bias * (2 / b.size) ** 0.5


def test_float32_starts_from_the_rounded_float64_numbers() -> None:
    """The same seed gives the same numbers in both precisions; an equal generator repeats them."""
    draw = [
        initialize(
            (5, 4, 3), INITIALIZERS["torch_linear"], rng=np.random.default_rng(7), dtype=d
        ).flat
        for d in (np.float64, np.float32, np.float64)
    ]
    assert np.array_equal(draw[0].astype(np.float32), draw[1])
    assert np.array_equal(draw[0], draw[2])
