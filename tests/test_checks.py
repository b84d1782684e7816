"""Errors in one wording: invariant, what arrived, remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlp_ref.checks import (
    InputError,
    describe,
    fail,
    require_generator,
    require_matrix,
    require_same,
)


def test_fail_joins_three_parts_in_one_line() -> None:
    """The message is ``invariant; got received; remedy``, and the error is a ValueError."""
    with pytest.raises(ValueError, match=r"^a must be b; got c; do d$"):
        fail("a must be b", "c", "do d")


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (np.zeros((3, 4), np.float32), "float32 array of shape (3, 4)"),
        (5, "int 5"),
        ("x" * 100, "str '" + "x" * 56 + "..."),
    ],
)
def test_describe_names_arguments_briefly(x, text) -> None:
    """Arrays by dtype and shape, the rest by type and a short repr."""
    assert describe(x) == text


@pytest.mark.parametrize(
    ("x", "columns", "dtype", "text"),
    [
        ([[1.0]], None, None, "x must be a NumPy array; got list [[1.0]]"),
        (np.zeros(3), None, None, r"x must have shape (n, any); got float64 array of shape (3,)"),
        (np.zeros((2, 3)), 4, None, "x must have shape (n, 4); got float64 array of shape (2, 3)"),
        (np.zeros((0, 3)), 3, None, "x must have at least one row"),
        (np.zeros((3, 0)), None, None, "x must have at least one column"),
        (
            np.ma.zeros((1, 3)),
            3,
            None,
            "plain array in native byte order; got MaskedArray of float",
        ),
        (
            np.zeros((1, 3), ">f8"),
            3,
            None,
            "got ndarray of float64 in byte order >; pass np.array(x",
        ),
        (np.zeros((1, 3), int), 3, None, "x must be a floating-point array; got int64"),
        (np.zeros((1, 3)), 3, np.dtype("f4"), "x must be float32; got float64 array"),
        (np.zeros((1, 3), "f4"), 3, np.dtype("f8"), "cast it with x.astype(np.float64)"),
    ],
)
def test_require_matrix(x, columns, dtype, text) -> None:
    """Kind, dimensions, width, rows and dtype each have a message."""
    with pytest.raises(InputError) as caught:
        require_matrix("x", x, columns, dtype)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_complex_arrays_of_the_same_width_pass() -> None:
    """The complex step is allowed where the real dtype is."""
    require_matrix("x", np.zeros((1, 2), np.complex64), 2, np.dtype("f4"))
    require_matrix("x", np.zeros((1, 2)), 2, np.dtype("c16"))


def test_mapped_files_pass(tmp_path: Path) -> None:
    """A memory map is an array like any other."""
    require_matrix("x", np.memmap(tmp_path / "x", np.float32, "w+", shape=(2, 3)), 3)


def test_the_global_generator_is_refused() -> None:
    """numpy.random as a module has a hidden seed."""
    require_generator(np.random.default_rng(0))
    with pytest.raises(InputError, match=r"rng must be a numpy.random.Generator; got module"):
        require_generator(np.random)


def test_require_same_never_broadcasts() -> None:
    """(3, 1) is not (3, 3)."""
    with pytest.raises(InputError, match=r"t must have the shape \(3, 3\) of z; got .*\(3, 1\)"):
        require_same("t", np.zeros((3, 1)), "z", np.zeros((3, 3)))
