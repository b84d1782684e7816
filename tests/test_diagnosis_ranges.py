"""Where a function is wrong: how the wrong arguments lie among the right ones."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pytest

from mlp_ref.gate.diagnosis.ranges import divided

pytestmark = pytest.mark.once
RIGHT = (-2.0, -1.0, 0.5, 1.0, 2.0)


@pytest.mark.parametrize(
    ("wrong", "right", "text"),
    [
        ((3.0, 4.0, inf), RIGHT, "where x >= 3"),
        ((-inf, -4.0, -3.0), RIGHT, "where x <= -3"),
        ((-0.5, -0.25, 0.25), RIGHT, "where -0.5 <= x <= 0.25"),
        ((-5.0, 3.0, 4.0), RIGHT, "where |x| >= 3"),
        ((-1e-9, 1e-9, 2e-9), (*RIGHT, 0.0), "where |x| <= 2e-09"),
        ((nan,), RIGHT, "where x is NaN"),
        ((nan, nan), (*RIGHT, nan), "where x is NaN"),
        ((0.0, -0.0), RIGHT, "where x is 0 exactly"),
        ((1.5, 3.0, 4.0), RIGHT, ""),
        ((3.0, 4.0), RIGHT, ""),
        ((3.0, 4.0, nan), RIGHT, ""),
        ((), RIGHT, ""),
        ((3.0, 4.0, 5.0), (1.0, nan), ""),
    ],
)  # fmt: skip
def test_a_range_is_told_where_it_divides(
    wrong: tuple[float, ...], right: tuple[float, ...], text: str
) -> None:
    """Beyond a threshold, between two, at 0 or NaN; nothing if right and wrong ones are mixed."""
    assert divided(np.array(wrong), np.array(right)) == text
