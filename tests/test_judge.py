"""The comparator rejects whatever is outside its bound, and whatever cannot be compared."""

from __future__ import annotations

from math import inf, isnan, log10, nan, nextafter
from typing import Any

import numpy as np
import pytest

from mlp_ref.arithmetic import BFLOAT16, FLOAT32, FLOAT64, Arithmetic
from mlp_ref.bounds import Bounded
from mlp_ref.gate.judge import Result, Verdict, judge, refusal


def bounded(value: Any, bound: Any = 0.0, radius: Any = 0.0) -> Bounded:
    """A tensor with the same bound and radius everywhere, or with stated ones."""
    value = np.asarray(value, np.float64)
    full = (np.broadcast_to(np.asarray(part, np.float64), value.shape) for part in (radius, bound))
    return Bounded(value, *full)


def judged(
    got: Any, expected: Bounded, arithmetic: Arithmetic = FLOAT64, **options: bool
) -> Result:
    """The result for a tensor in the dtype of the arithmetic."""
    return judge("z0", np.asarray(got, arithmetic.dtype), expected, arithmetic, **options)


def test_equal_numbers_pass_with_a_bound_of_zero() -> None:
    """An exact answer passes, with no error, all digits, and the counts of its entries."""
    result = judged([[1.0, -2.5]], bounded([[1.0, -2.5]]))
    assert result == Result(
        "z0", Verdict.PASS, "", (0, 0), 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 53 * log10(2),
        entries=2, failed=0, inconclusive=0,
    )  # fmt: skip


def test_the_bound_itself_passes_and_one_ulp_more_fails() -> None:
    """error <= bound, exactly: neither a wider nor a narrower comparison."""
    bound = 2.0**-20
    at, above = judged([bound], bounded([0.0], bound)), judged(
        [nextafter(bound, 1)], bounded([0.0], bound)
    )  # fmt: skip
    assert (at.verdict, at.ratio, at.failed) == ("pass", 1.0, 0)
    assert (above.verdict, above.failed) == ("fail", 1)
    assert above.ratio > 1
    assert above.reason == "outside the bound"


def test_a_bound_of_zero_rejects_one_ulp() -> None:
    """Where exactness is true, one unit in the last place is infinitely too much."""
    result = judged([1.0, nextafter(1.0, 2)], bounded([1.0, 1.0]))
    assert (result.verdict, result.ratio, result.ulp, result.index) == ("fail", inf, 1.0, (1,))
    assert result.reason == "1 of 2 entries outside the bound"


def test_the_radius_of_the_reference_counts() -> None:
    """An answer may be off by bound + radius, because the reference may be off by the radius."""
    assert judged([1.75], bounded([1.0], 0.5, 0.25)).verdict == "pass"
    assert judged([1.75], bounded([1.0], 0.5)).verdict == "fail"
    assert judged([1.75], bounded([1.0], 0.5, 0.25)).bound == 0.75


@pytest.mark.parametrize("bound", [0.0, 1.0, inf])
def test_nan_never_passes(bound: float) -> None:
    """NaN fails against a number under every bound, an infinite one included."""
    result = judged([0.0, nan], bounded([0.0, 0.0], bound))
    assert (result.verdict, result.index, result.failed) == ("fail", (1,), 1)
    assert result.ratio == inf
    assert isnan(result.got)
    assert isnan(result.error)
    assert isnan(result.ulp)


def test_nan_passes_where_it_is_expected() -> None:
    """A NaN that the reference has, too, is right; a number in its place is not."""
    assert judged([nan], bounded([nan], inf)).verdict == "pass"
    assert judged([0.0], bounded([nan], inf)).verdict == "fail"
    assert isnan(judged([nan], bounded([nan], inf)).digits)


@pytest.mark.parametrize("sign", [1, -1])
def test_infinities(sign: int) -> None:
    """An infinity fails under a finite bound; it passes under an infinite one or where expected."""
    got = sign * inf
    assert judged([got], bounded([1.0], 1e300)).verdict == "fail"
    assert judged([got], bounded([1.0], 1e300)).digits == 0
    assert judged([got], bounded([1.0], inf)).verdict == "pass"
    assert judged([got], bounded([1.0], inf)).ratio == 0
    assert judged([got], bounded([got])).verdict == "pass"
    assert judged([-got], bounded([got])).verdict == "fail"
    assert judged([1.0], bounded([got])).verdict == "fail"


def test_one_infinity_hides_no_other_error() -> None:
    """A matching inf leaves the other entries compared."""
    result = judged([inf, 2.0], bounded([inf, 1.0], [0.0, 0.5]))
    assert (result.verdict, result.index, result.failed) == ("fail", (1,), 1)


def test_opposite_numbers_whose_difference_overflows() -> None:
    """|got - expected| beyond the largest float is a failure, not a NaN."""
    result = judged([-1e308], bounded([1e308], 1e308))
    assert (result.verdict, result.error, result.ratio, result.digits) == ("fail", inf, inf, 0)


def test_signs_of_zero() -> None:
    """-0 equals 0 unless signs are asked for, and then only where the zero is exact."""
    minus = np.array([-0.0])
    assert judged(minus, bounded([0.0])).verdict == "pass"
    assert judged(minus, bounded([0.0]), signed_zeros=True).verdict == "fail"
    assert judged(minus, bounded([0.0]), signed_zeros=True).ratio == inf
    assert judged(minus, bounded(minus), signed_zeros=True).verdict == "pass"
    assert judged(minus, bounded([0.0], 2.0**-60), signed_zeros=True).verdict == "pass"


def test_subnormals_are_compared_in_full() -> None:
    """The smallest subnormal differs from 0 unless the bound allows a flush to zero."""
    smallest = 2.0**-1074
    assert judged([0.0], bounded([smallest])).verdict == "fail"
    assert judged([smallest], bounded([smallest])).verdict == "pass"
    assert judged([0.0], bounded([smallest], FLOAT64.tiny)).verdict == "pass"
    assert judged([2 * smallest], bounded([smallest])).ulp == 1
    assert judged([2.0**-149], bounded([0.0]), FLOAT32).ulp == 1


def test_one_wrong_entry_in_a_million() -> None:
    """Nothing is averaged: one entry beyond its bound fails the tensor and is pointed at."""
    value = np.ones((1000, 1000))
    got = value.copy()
    got[417, 33] += 2.0**-20
    result = judged(got, bounded(value, 2.0**-21))
    assert (result.verdict, result.index, result.failed) == ("fail", (417, 33), 1)
    assert (result.ratio, result.entries) == (2.0, 1_000_000)
    assert result.reason == "1 of 1,000,000 entries outside the bound"


def test_the_worst_entry_is_the_largest_ratio_among_those_that_fail() -> None:
    """Each entry is measured by its own bound, and a failing one goes before a passing one."""
    result = judged([1.0, 0.25], bounded([0.0, 0.0], [2.0, 0.125]))
    assert (result.index, result.error, result.ratio) == ((1,), 0.25, 2.0)
    result = judged([nan, 3.0], bounded([nan, 0.0], [inf, 1.0]))
    assert (result.index, result.ratio) == ((1,), 3.0)


SCALAR, ROW = bounded(1.0, 1.0), bounded([1.0, 1.0], 1.0)


class Lookalike:
    """Has the attributes of an array, as the tensors of other libraries have."""

    shape, dtype, size = (2,), np.dtype(np.float64), 2


@pytest.mark.parametrize(
    ("got", "expected", "text"),
    [
        (np.ones((1, 2)), ROW, "must have shape (2,); got (1, 2)"),
        (np.ones(1), ROW, "must have shape (2,); got (1,)"),
        (np.array(1.0), ROW, "must have shape (2,); got ()"),
        (np.ones(1), SCALAR, "must have shape (); got (1,)"),
        (np.ones(2, np.float32), ROW, "must be float64; got float32"),
        (np.ones(2, np.int64), ROW, "must be float64; got int64"),
        (np.ones(2, complex), ROW, "must be float64; got complex128"),
        (np.ones(2, object), ROW, "must be float64; got object"),
        (np.ones(2, bool), ROW, "must be float64; got bool"),
        (np.float32(1), SCALAR, "must be float64; got float32"),
        ([1.0, 1.0], ROW, "must be a NumPy array of shape (2,); got list"),
        (Lookalike(), ROW, "must be a NumPy array of shape (2,); got Lookalike"),
        (1.0, ROW, "must be a NumPy array of shape (2,); got float"),
        (None, SCALAR, "must be a NumPy array of shape (); got NoneType"),
        (1, SCALAR, "must be a NumPy array of shape (); got int"),
        (1 + 0j, SCALAR, "must be a NumPy array of shape (); got complex"),
        (np.ones((0, 3)), bounded(np.ones((0, 3))), "must have entries to compare; got none"),
    ],
)
def test_what_cannot_be_compared_fails(got: object, expected: Bounded, text: str) -> None:
    """Another shape is not broadcast, another dtype not cast, another type not converted."""
    assert refusal(got, expected, FLOAT64) == text
    result = judge("z0", got, expected, FLOAT64)
    assert (result.verdict, result.reason) == ("fail", text)
    assert result.failed == result.entries == expected.value.size
    assert isnan(result.ratio)


@pytest.mark.parametrize("got", [1.0, np.float64(1), np.array(1.0)])
def test_a_scalar_may_be_a_float(got: object) -> None:
    """A Python float, a NumPy number and an array of shape () are the same scalar."""
    assert judge("loss", got, SCALAR, FLOAT64).verdict == "pass"


def test_bfloat16_lives_in_float32_arrays() -> None:
    """The dtype asked for is that of the arrays; ULP and digits are those of the arithmetic."""
    result = judged([1 + 2.0**-7], bounded([1.0], 2.0**-6), BFLOAT16)
    assert (result.ulp, result.ratio) == (1.0, 0.5)
    assert judged([1.0], bounded([1.0]), BFLOAT16).digits == 8 * log10(2)


@pytest.mark.parametrize(
    ("got", "expected", "ulp", "digits"),
    [
        (1.5, bounded([1.0], 1.0), 2.0**22, -log10(0.5)),
        (0.0, bounded([2.0], 4.0), 2.0**23, 0.0),
        (3.0, bounded([-1.0], 8.0), 2.0**25, 0.0),
        (1023.0, bounded([1000.0], 64.0, 2.0), 23 * 2.0**14, -log10(25 / 1000)),
        (0.125, bounded([0.0], 1.0), 2.0**146, -log10(0.125)),
        (1.0, bounded([1.0], 1.0, 0.25), 0.0, -log10(0.25)),
    ],
)
def test_ulps_and_digits_by_hand(got: float, expected: Bounded, ulp: float, digits: float) -> None:
    """In float32 one ULP of 1 is 2^-23, of 1000 2^-14; digits count the radius as error."""
    result = judged([got], expected, FLOAT32)
    assert (result.ulp, result.digits) == (ulp, digits)
    assert not np.signbit(result.digits)


def test_inconclusive_entries_are_those_that_a_zero_would_pass() -> None:
    """A bound as large as the number proves nothing; an exact zero under a bound of zero does."""
    result = judged([1.0, 1.0, 0.0, 0.0], bounded([1.0, 1.0, 0.0, 0.0], [1.0, 0.5, 0.0, 1e-9]))
    assert (result.entries, result.inconclusive) == (4, 2)
