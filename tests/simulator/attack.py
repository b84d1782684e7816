"""The worst error that an adversary can make in a formula, entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mlp_ref.activations import Elementwise
from mlp_ref.arithmetic import FLOAT64, Arithmetic, Array, Interval
from simulator.engine import Adversary, Engine, Number
from simulator.formulas import SLOPES, VALUES, Formula


class Finding(NamedTuple):
    """The largest errors of a function over all its formulas, at the points x (sorted)."""

    A: Arithmetic
    x: Array
    error: Array
    radius: Array  # of the float64 reference and of the simulation's own float64


def worst(
    evaluate: Callable[[Engine], Number], exact: Array, engine: Adversary, sweeps: int = 3
) -> Array:
    """Climb from random signs: each sweep flips every sign alone, and keeps what increases.

    To first order errors add up, so all flips that increase an entry are kept together, or the best
    of them where that is more.
    """

    def error() -> Array:
        engine.restart()
        found = np.abs(evaluate(engine).value - exact)
        return np.where(np.isnan(found), np.inf, found)

    best = error()
    signs = np.stack([np.broadcast_to(sign, best.shape) for sign in engine.signs])
    operation = np.arange(len(signs)).reshape(-1, *(1,) * best.ndim)
    flip = np.where(operation[:, None] == operation, -1.0, 1.0)
    for _ in range(sweeps):
        engine.signs = signs[:, None] * flip  # the second axis: which operation is flipped
        flipped = np.broadcast_to(error(), signs.shape)
        helps, alone, most = flipped > best, flipped.argmax(axis=0), flipped.max(axis=0)
        if not helps.any():
            break
        engine.signs = np.where(helps, -signs, signs)
        together = error()
        kept = helps & ((together >= most) | (operation == alone))
        signs = np.where(kept, -signs, signs)
        best = np.maximum(best, np.maximum(most, together))
    return best


def points(rng: np.random.Generator, count: int, special: Array) -> Array:
    """Sorted arguments over all magnitudes, dense where the functions bend, with given points."""
    magnitudes = 2.0 ** rng.uniform(-30, 10, count) * rng.choice([-1, 1], count)
    bend = rng.uniform(-8, 8, count)
    tails = rng.uniform(-110, 20, count // 4)
    return np.sort(np.concatenate([special, -special, magnitudes, bend, tails]))


def attack(
    f: Elementwise, derivative: bool, A: Arithmetic, x: Array, rng: np.random.Generator,
    runs: int = 2,
) -> Finding:  # fmt: skip
    """The worst error of f or f' over all its formulas, in arithmetic A, at the points x."""
    at = Interval(x, x)
    y = f.value(x)
    exact = f.slope(x, y) if derivative else y
    y_radius = f.value_error(A, at)
    bound = f.slope_error if derivative else f.value_error
    error = np.zeros_like(x)
    for formula in (SLOPES if derivative else VALUES)[f.name]:
        used = (formula.low <= x) & (x <= formula.high)
        for _ in range(runs):
            engine = Adversary(A, rng)
            found = worst(_bind(formula, x[used], y[used], y_radius[used]), exact[used], engine)
            error[used] = np.fmax(error[used], found)
    return Finding(A, x, error, bound(FLOAT64, at))


def _bind(formula: Formula, x: Array, y: Array, radius: Array) -> Callable[[Engine], Number]:
    return lambda m: formula.evaluate(m, m.number(x), m.given(y, radius))
