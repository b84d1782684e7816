"""Words: every bit survives, and what is not as it was written is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from mlp_ref.checks import InputError
from mlp_ref.corpus.hexwords import from_hex, from_short, rounded_up, to_hex, to_short

FLOATS = (0.0, -0.0, 1.0, -1.5, 2.0**-1074, 1.7976931348623157e308, np.inf, -np.inf, np.nan)


@pytest.mark.parametrize("x", FLOATS)
def test_a_float64_is_its_word(x: float) -> None:
    """Sixteen digits, most significant first, as struct packs it; NaN is the quiet one."""
    text = to_hex(np.array(x))
    assert text == ("7ff8000000000000" if x != x else struct.pack(">d", x).hex())
    assert from_hex(text, "float64").tobytes() == np.array(x).tobytes()


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_tensors_are_one_string_in_c_order(dtype: str) -> None:
    """Also of a transposed view; the numbers come back native and in that order."""
    x = np.arange(-3, 3).reshape(2, 3).astype(dtype).T
    text = to_hex(x)
    digits = 8 if dtype == "float32" else 16
    assert len(text) == 6 * digits
    assert text[digits : 2 * digits] == to_hex(np.array(0, dtype))
    found = from_hex(text, dtype)
    assert found.dtype == np.dtype(dtype)
    assert found.dtype.isnative
    assert np.array_equal(found, x.reshape(-1))


def test_every_nan_is_written_as_the_canonical_one() -> None:
    """Payload and sign are dropped; a NaN with either is refused when read."""
    odd = np.array([0xFFF8000000000001, 0x7FF0000000000001], np.uint64).view(np.float64)
    assert to_hex(odd) == "7ff8000000000000" * 2
    assert to_hex(np.array([np.nan], np.float32)) == "7fc00000"
    with pytest.raises(InputError, match="a NaN must be the word 7ff8000000000000"):
        from_hex("fff8000000000000", "float64")


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("3FF0000000000000", "float64"), ("3ff000000000000", "float64"),
        ("3ff00000 0000000", "float64"), ("3ff000000000000g", "float64"), ("3f80000", "float32"),
        ("\u0663ff000000000000", "float64"), ("3ff0000000000000\n", "float64"),
    ],
)  # fmt: skip
def test_other_digits_and_lengths_are_refused(text: str, dtype: str) -> None:
    """Upper case, white space, other characters, a digit too few."""
    with pytest.raises(InputError, match="words must be lower-case hex digits"):
        from_hex(text, dtype)


def test_short_words_are_rounded_up() -> None:
    """Never below, by at most one part in 16, and the same again."""
    rng = np.random.default_rng(0)
    x = np.ldexp(1 + rng.random(10_000), rng.integers(-1020, 1020, 10_000))
    back = from_short(to_short(x))
    assert (back >= x).all()
    assert (back - x <= x / 16).all()
    assert np.array_equal(rounded_up(x), back)
    assert to_short(back) == to_short(x)
    exact = np.array([0.0, -0.0, 1.0, 1.5, 1.9375, 2.0**-1022, np.inf])
    assert np.array_equal(from_short(to_short(exact)), exact)
    edges = np.array([2.0**-1074, 1.7976931348623157e308])
    assert to_short(edges) == "00017ff0"


@pytest.mark.parametrize("x", [-1.0, np.nan, -(2.0**-1074)])
def test_a_radius_is_never_negative(x: float) -> None:
    """Nor NaN: both ways."""
    with pytest.raises(InputError, match="a radius or bound must be 0 or more"):
        to_short(np.array([x]))


@pytest.mark.parametrize("text", ["8000", "bff0", "7ff1", "7ff8", "ffff"])
def test_a_short_word_is_never_negative(text: str) -> None:
    """Nor NaN."""
    with pytest.raises(InputError, match=r"a short word must be 0 \.\.\. 7ff0"):
        from_short(text)
