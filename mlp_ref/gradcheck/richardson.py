"""Richardson extrapolation of difference quotients, with an error that smaller steps confirm."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Quotients", "extrapolate", "has_kink", "quantum"]

_COLUMNS = 4
Vector = NDArray[np.float64]


class Quotients(NamedTuple):
    """What was seen at each step, from the largest to the smallest.

    ``steps``    half the distance of the two points
    ``central``  (f(x + h) - f(x - h)) / 2h; NaN where f is not defined
    ``rounding`` how far rounding moves it: the noise of f over h, and the rounding of the points
    ``gap``      the forward minus the backward quotient, h f'' for small h
    """

    steps: Vector
    central: Vector
    rounding: Vector
    gap: Vector

    @classmethod
    def of(
        cls,
        values: Vector,
        center: float,
        nearest: float,
        up: Vector,
        down: Vector,
        noise: Callable[[Vector], Vector],
    ) -> Quotients:
        """From the values (2, steps) at x + ``up`` and x - ``down``, at x, and a nearer change.

        ``noise`` bounds the noise of values of a size; it is at least the `quantum` of f. The
        points lie (up - down) / 2 off center, which moves the quotient by that times f'', as the
        gap shows it.
        """
        above, below = values
        steps = (up + down) / 2
        with np.errstate(over="ignore", invalid="ignore"):
            gap = (above - center) / up - (center - below) / down
            noisy = noise(np.maximum(np.abs(above), np.abs(below)))
            least = quantum(np.append(values - center, nearest))
            if least < np.inf or not noisy.any():
                noisy = np.maximum(noisy, least)
            rounding = noisy / steps + np.abs(gap) / steps * np.abs(up - down) / 2
            return cls(steps, (above - below) / (2 * steps), rounding, gap)


def quantum(changes: Vector) -> float:
    """The least change that f shows: rounding may hide as much, though no noise be seen.

    Near 0 f = 1 - cos(x) is flat, and where f = sqrt(1 + x^2) - c is steep it moves by whole units
    in the last place. Infinite if f never changes: it may be saturated, or not depend on the entry.
    """
    sizes = np.abs(changes)
    return float(sizes[sizes > 0].min(initial=np.inf))


def extrapolate(q: Quotients) -> tuple[float, float]:
    """The entry of Richardson's tableau with the smallest error that smaller steps confirm.

    An entry has a truncation error, at most twice the distance to the three entries next to it that
    hold more of it (as if each further one halved the distance), and a rounding error, amplified by
    the extrapolation. At steps that are large for f entries agree by accident: f may be flat or
    periodic. So an entry counts only if every quotient at a smaller step lies within its error of
    it, allowing for the rounding of that quotient and for its truncation, which the change from the
    step before shows. NaN and inf if none does.
    """
    changes = np.abs(np.diff(q.central)) + q.rounding[:-1] + q.rounding[1:]
    for total, row, value in sorted(_tableau(q)):
        later = np.abs(q.central[row + 1 :] - value) <= total + changes[row:]
        if (later | ~np.isfinite(changes[row:])).all():
            return value, total
    return np.nan, np.inf


def _tableau(q: Quotients) -> list[tuple[float, int, float]]:
    """(error, row, value) of each entry that has neighbours."""
    entries: list[tuple[float, int, float]] = []
    values: list[float] = []
    noise: list[float] = []
    for row, (h, central, rounding) in enumerate(
        zip(q.steps, q.central.tolist(), q.rounding.tolist(), strict=True)
    ):
        fresh, amplified = [central], [rounding]
        for order, older in enumerate(values, 1):
            weight = float(q.steps[row - order] / h) ** 2
            fresh.append((weight * fresh[-1] - older) / (weight - 1))
            amplified.append((weight * amplified[-1] + noise[order - 1]) / (weight - 1))
            near = [fresh[-2], older, *values[order : order + 1]]
            total = 2 * max(abs(fresh[-1] - other) for other in near) + amplified[-1]
            if np.isfinite(total):
                entries.append((total, row, fresh[-1]))
        values, noise = fresh[:_COLUMNS], amplified[:_COLUMNS]
    return entries


def has_kink(q: Quotients) -> bool:
    """Whether forward and backward quotients keep a distance that noise does not explain.

    For a smooth f the distance is proportional to h, so two steps divide it by 16; half of that on
    a logarithmic scale, 4, separates the two. A distance that is gone at a step where noise would
    not hide it belongs to a kink nearby, which leaves a derivative.
    """
    floor = 16 * q.rounding
    clear = np.flatnonzero(np.abs(q.gap) > floor)
    if len(clear) < 3:
        return False
    size, next_floor = abs(q.gap[clear[-1]]), floor[clear[-1] + 1 :][:1]
    return bool(size * 4 > abs(q.gap[clear[-3]]) and (size <= 2 * next_floor).all())
