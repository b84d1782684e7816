"""Arrays of balls, and what the operations need of them: values, derivatives, Jacobians.

An array of balls is a NumPy array of dtype object, so that a matrix product reads as everywhere
else. NaN and infinities are no balls: they stand in such arrays as Python floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import numpy as np
from flint import arb, arb_series

from mlp_ref.activations import Elementwise
from mlp_ref.arithmetic import Array
from mlp_ref.certify.jets import Balls, Jet, Undecided, derivatives

__all__ = ["ball", "balls", "both_slopes", "elementwise", "in_pieces", "row_derivatives"]

# Beyond every float64: there a function has its limit, as far as words can tell.
_BEYOND = 2000
# So near to a limit that no float64 lies between: a function is constant to so many bits there.
_NEAR = 150


def ball(x: float) -> Any:
    """The exact number x as a ball; NaN and infinities stay floats."""
    return arb(float(x)) if isfinite(x) else float(x)


def balls(x: Array) -> Array:
    """An array of exact numbers as balls."""
    out = np.empty(np.shape(x), object)
    flat = out.reshape(-1)
    for k, number in enumerate(np.asarray(x, np.float64).reshape(-1)):
        flat[k] = ball(number)
    return out


def elementwise(f: Elementwise, z: Array, name: str = "x") -> tuple[Array, Array]:
    """f(z) and f'(z) of an array of balls, from the definition; left values at a kink.

    Raises `Undecided`, with the index, if a ball holds more than one side of a branch, or a limit
    at infinity is open.
    """
    value, slope = np.empty(z.shape, object), np.empty(z.shape, object)
    for index in np.ndindex(z.shape):
        try:
            value[index], slope[index] = _at(f, z[index])
        except Undecided:
            x: Any = z[index]
            place = f"{name}{list(index)} = {x if isinstance(x, float) else x.str(20)}"
            what = "limit" if isinstance(x, float) else "side of the kink"
            raise Undecided(f"the {what} of {f.name} is open at {place}") from None
    return value, slope


def _at(f: Elementwise, x: Any) -> tuple[Any, Any]:
    if not isinstance(x, float):
        value, slope = derivatives(f.definition, x, right=_side(x))[:2]
        return value, slope
    if x != x:
        return x, x
    sign = 1 if x > 0 else -1
    far = sign * arb(2) ** _BEYOND
    value, slope = derivatives(f.definition, far, right=sign > 0)[:2]
    if abs(value) > arb(2) ** (_BEYOND // 2):
        return float("inf") * (1 if value > 0 else -1), _limit(slope)
    return _limit(value), _limit(slope)


def _limit(x: arb) -> arb:
    """-1, 0 or 1, which a function all but reaches out there, or x itself, which is constant.

    Raises `Undecided` if the ball does not say which.
    """
    near = arb(2) ** -_NEAR
    if not (x.is_finite() and x.rad() < near):
        raise Undecided(f"a limit lies within {x.str(20)}")
    return next((arb(k) for k in (-1, 0, 1) if abs(x - k) < near), x)


def _side(x: arb) -> bool | None:
    """Whether x > 0; None if the ball leaves it open."""
    return True if x > 0 else False if x <= 0 else None


def both_slopes(f: Elementwise, x: arb) -> tuple[arb, arb]:
    """The derivatives at x on the left side and on the right side of a branch at 0."""
    left, right = (derivatives(f.definition, x, right=side)[1] for side in (False, True))
    return left, right


def in_pieces(f: Elementwise) -> bool:
    """Whether f is linear or has a branch, so that a piece of its derivative may be a constant."""
    try:
        derivatives(f.definition, arb(0), right=None)
    except Undecided:
        return True
    return f.curvature == 0


Row = Sequence[Jet]


def row_derivatives(
    definition: Callable[[Row, Any], Sequence[Jet]], row: Sequence[arb]
) -> tuple[list[arb], list[list[arb]]]:
    """The values y_j(z) of a function of a row z, and the derivatives dy_j/dz_k as [k][j].

    One forward differentiation for each z_k.
    """
    values: list[arb] = []
    columns = []
    for k in range(len(row)):
        jets = [Jet(arb_series([x, int(j == k)], 2), right=None) for j, x in enumerate(row)]
        out = [y.series for y in definition(jets, Balls())]
        values = [y[0] for y in out]
        columns.append([y[1] for y in out])
    return values, columns
