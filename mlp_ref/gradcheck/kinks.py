"""Networks that keep to one side of every kink, however a small step moves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlp_ref.activations import Activation, Elementwise
from mlp_ref.arithmetic import Array
from mlp_ref.bounds import Bounded
from mlp_ref.gradcheck.estimates import COMPLEX_STEP
from mlp_ref.model import MLP

__all__ = ["OneSided", "one_sided", "undecided"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class OneSided:
    """An activation that goes on along a line where z is ``near`` a kink.

    A step of one unit moves the units of later layers in either direction, so that at a kink the
    direction would choose the side, and which one differs from unit to unit.

    ``near``  (n, k)
    ``z``     (entries,) where the line starts
    ``a``     (entries,) f(z)
    ``slope`` (entries,) that of the side; NaN where it is not known
    """

    f: Elementwise
    near: Mask
    z: Array
    a: Array
    slope: Array

    @property
    def name(self) -> str:
        """That of f."""
        return self.f.name

    def value(self, x: Array, out: Array | None = None) -> Array:
        """f(x), or a + slope (x - z), for a stack x of batches of n rows."""
        a = self.f.value(x, out)
        near = np.tile(self.near, (len(x) // len(self.near), 1))
        moved = x[near].reshape(-1, len(self.z)) - self.z
        a[near] = (self.a + self.slope * moved).reshape(-1)
        return a

    def vjp(self, g: Array, x: Array, y: Array, out: Array | None = None) -> Array:
        """That of f, which takes the left derivative."""
        return self.f.vjp(g, x, y, out)


def one_sided(
    model: MLP,
    z: Sequence[Array],
    undecided: Sequence[Mask],
    *,
    side: int,
    reach: float = 0.0,
) -> MLP:
    """The network with lines in place of the kinks that are closer than ``reach`` to z_l.

    The side is that on which z_l is, and ``side`` (-1 or 1) where that is ``undecided``. With a
    reach the activation must be straight beside the kink; if it is curved its slope is NaN.
    """
    activations: list[Activation] = []
    for f, z_l, open_ in zip(model.activations, z, undecided, strict=True):
        if isinstance(f, Elementwise) and f.kinks:
            kink = _closest(f, z_l)
            near = open_ | (np.abs(z_l - kink) <= reach)
            if near.any():
                sides = np.where(open_, side, np.sign(z_l - kink))[near]
                slope = (_secant if reach else _derivative)(f, kink[near], sides)
                activations.append(OneSided(f, near, z_l[near], f.value(z_l)[near], slope))
                continue
        activations.append(f)
    return MLP(model.sizes, tuple(activations))


def undecided(f: Activation, z: Bounded) -> Mask:
    """Which entries of z are at a kink, or may be.

    Where all parameters move together z moves by the square of the step, which is far below it.
    """
    if not isinstance(f, Elementwise) or not f.kinks:
        return np.zeros(z.value.shape, bool)
    return np.asarray(np.abs(z.value - _closest(f, z.value)) <= z.allowed + COMPLEX_STEP)


def _closest(f: Elementwise, z: Array) -> Array:
    kinks = np.array(f.kinks)
    return np.asarray(kinks[np.abs(z[..., None] - kinks).argmin(axis=-1)])


def _derivative(f: Elementwise, kink: Array, side: Array) -> Array:
    """f'(kink + 0) or f'(kink - 0), by a complex step."""
    beside = np.nextafter(kink, side * np.inf) + 1j * COMPLEX_STEP
    return np.asarray(f.value(beside).imag / COMPLEX_STEP)


def _secant(f: Elementwise, kink: Array, side: Array) -> Array:
    """The same of a function that is straight between its kinks; NaN if it is not."""
    others = [abs(p - q) for p in f.kinks for q in f.kinks if p != q]
    run = side * min([1.0, *others])
    slope = (f.value(kink + run) - f.value(kink)) / run
    return np.where(f.curvature == 0, slope, np.nan)
