"""The comparator on certified words: low words, sets, tensors stored in part, and checksums."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np
import pytest

from mlp_ref.arithmetic import FLOAT32, FLOAT64
from mlp_ref.corpus.records import Certified, checksum_weights
from mlp_ref.gate.judge import Result, judge_certified


def certified(hi: Any, bound: Any = 0.0, **rest: Any) -> Certified:
    """Words with the same bound, radius and low part everywhere, or with stated ones."""
    hi = np.asarray(hi, np.float64)
    low, radius, bound = (
        np.broadcast_to(np.asarray(part, np.float64), hi.shape)
        for part in (rest.pop("low", 0.0), rest.pop("radius", 0.0), bound)
    )
    shape = rest.pop("shape", hi.shape)
    return Certified(shape, hi, low, radius, {"float64": bound, "float32": bound}, **rest)


def judged(got: Any, expected: Certified) -> Result:
    """The result in float64."""
    return judge_certified("y", np.asarray(got, np.float64), expected, FLOAT64)


def test_the_low_word_counts() -> None:
    """With q = hi + 2^-54, a bound allows more on the side of q than on the other."""
    above = certified([1.0], 2.0**-54, low=2.0**-54)
    assert judged([1.0], above).verdict == "pass"
    assert judged([1.0], above).ratio == 1
    assert judged([1 - 2.0**-53], above).verdict == "fail"
    wide = certified([1.0], 1.75 * 2.0**-53, low=2.0**-54)
    assert judged([1 + 2.0**-52], wide).verdict == "pass"
    assert judged([1 - 2.0**-52], wide).verdict == "fail"


def test_the_radius_adds_to_the_bound() -> None:
    """error <= bound + radius."""
    assert judged([1.5], certified([1.0], 0.25, radius=0.25)).verdict == "pass"
    assert judged([1.5], certified([1.0], 0.25, radius=0.125)).verdict == "fail"


def test_classes() -> None:
    """NaN and infinities are expected where they stand, and nothing else is."""
    expected = certified([nan, inf, -inf])
    assert judged([nan, inf, -inf], expected).verdict == "pass"
    for k, wrong in ((0, 0.0), (0, inf), (1, nan), (1, -inf), (1, 1e308), (2, 0.0)):
        got = np.array([nan, inf, -inf])
        got[k] = wrong
        result = judged(got, expected)
        assert (result.verdict, result.index, result.failed) == ("fail", (k,), 1)


def test_any_number_of_a_set_is_right() -> None:
    """relu'(0) may be 0, 1/2 or 1 where a case says so, but not 0.4 or NaN."""
    expected = certified([[0.0, 0.0]], sets={0: (0.0, 0.5, 1.0)})
    for number in (0.0, 0.5, 1.0):
        assert judged([[number, 0.0]], expected).verdict == "pass"
        assert judged([[0.0, number]], expected).verdict == ("pass" if number == 0 else "fail")
    for number in (0.4, nan, inf, -1.0):
        result = judged([[number, 0.0]], expected)
        assert (result.verdict, result.index) == ("fail", (0, 0))


def test_a_set_is_found_by_its_place_in_the_whole_tensor() -> None:
    """Also where only some entries are stored."""
    q = certified([0.0, 0.0], shape=(4,), index=np.array([1, 3]), sets={3: (0.0, 1.0)})
    assert judged([0.0, 0.0, 0.0, 1.0], q).verdict == "pass"
    assert judged([0.0, 1.0, 0.0, 0.0], q).verdict == "fail"


def test_the_bound_holds_around_every_number_of_a_set() -> None:
    """leaky_relu'(0) may be 0.01 rounded, or 1."""
    expected = certified([0.01], 1e-9, sets={0: (0.01, 1.0)})
    assert judged([0.01 + 9e-10], expected).verdict == "pass"
    assert judged([1 - 9e-10], expected).verdict == "pass"
    assert judged([1 - 2e-9], expected).verdict == "fail"


def test_signs_of_zero_count_where_they_are_certified() -> None:
    """-0 is not 0 if the case says that the sign counts."""
    assert judged([-0.0], certified([0.0])).verdict == "pass"
    assert judged([-0.0], certified([0.0], signed_zeros=True)).verdict == "fail"
    assert judged([-0.0], certified([-0.0], signed_zeros=True)).verdict == "pass"


def in_part(got: Any) -> Certified:
    """An exact tensor of which entries 0, 7 and 299 are stored, and the checksum of it all."""
    got = np.asarray(got)
    index = np.array([0, 7, 299])
    weights = checksum_weights(got.size)
    return certified(
        got.reshape(-1)[index], shape=got.shape, index=index,
        checksum=float(weights @ got.reshape(-1)),
    )  # fmt: skip


WHOLE = np.arange(300.0).reshape(20, 15) - 140


def test_a_tensor_in_part_is_compared_where_it_is_stored() -> None:
    """A wrong stored entry is named by its place in the whole tensor."""
    assert judged(WHOLE, in_part(WHOLE)).verdict == "pass"
    assert judged(WHOLE, in_part(WHOLE)).entries == 300
    wrong = WHOLE.copy()
    wrong[19, 14] += 1
    result = judged(wrong, in_part(WHOLE))
    assert (result.verdict, result.index, result.got) == ("fail", (19, 14), 160)


def test_the_checksum_tells_about_the_rest() -> None:
    """Any other wrong entry, an exchange, a transpose, NaN and next to nothing are noticed."""
    expected = in_part(WHOLE)
    for change in ("one", "exchange", "nan"):
        wrong = WHOLE.copy()
        if change == "exchange":
            wrong[3, 3], wrong[3, 4] = WHOLE[3, 4], WHOLE[3, 3]
        else:
            wrong[5, 5] = nan if change == "nan" else wrong[5, 5] + 2.0**-20
        result = judged(wrong, expected)
        assert result.verdict == "fail"
        assert result.reason == "one of the 297 entries that are not stored: wrong checksum"
        assert (result.entries, result.failed, result.index) == (300, 1, ())
        assert np.isnan([result.got, result.error, result.ratio]).all()
    for tiny_or_huge in (1e-300, 2.0**-11, 2.0**40, 1e300):
        got = WHOLE.copy()
        got[9, 5] = tiny_or_huge  # 0 is right
        assert judged(got, expected).verdict == "fail"
    rows = np.arange(530.0 * 3).reshape(530, 3)  # rows that a weight of period 251 takes for equal
    exchanged = rows.copy()
    exchanged[[100, 351]] = rows[[351, 100]]
    assert judged(exchanged, in_part(rows)).verdict == "fail"
    square = np.arange(324.0).reshape(18, 18)
    assert judged(square.T.copy(), in_part(square)).verdict == "fail"


@pytest.mark.parametrize(
    ("got", "text"),
    [
        (np.ones((15, 20)), "must have shape (20, 15); got (15, 20)"),
        (np.ones(300), "must have shape (20, 15); got (300,)"),
        (np.ones((20, 15), np.float32), "must be float64; got float32"),
        ([1.0], "must be a NumPy array of shape (20, 15); got list"),
    ],
)
def test_what_cannot_be_compared_fails_with_all_entries(got: Any, text: str) -> None:
    """Shape and dtype are those of the whole tensor."""
    result = judge_certified("y", got, in_part(WHOLE), FLOAT64)
    assert (result.verdict, result.reason, result.failed) == ("fail", text, 300)


def test_the_bound_is_that_of_the_arithmetic() -> None:
    """Two arithmetics, two bounds."""
    q = certified([1.0])
    q = Certified(q.shape, q.hi, q.low, q.radius, {"float32": np.array([0.5]), "float64": q.low})
    assert judge_certified("y", np.array([1.5]), q, FLOAT64).verdict == "fail"
    assert judge_certified("y", np.array([1.5], np.float32), q, FLOAT32).verdict == "pass"
