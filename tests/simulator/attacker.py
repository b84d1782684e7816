"""The adversary with inputs that err, storage, and rows: the attack on a block of bounds.

Every entry of a block is attacked on its own. So a row or a matrix is handed to a program as a list
of numbers, one for each position, all of the shape of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from mlp_ref.arithmetic import Arithmetic, Array
from mlp_ref.bounds import Bounded
from simulator.attack import worst
from simulator.engine import FUNCTION, OPERATION, Adversary, Number


class Given(NamedTuple):
    """An input: its exact value, which the adversary chose, and what was computed for it."""

    exact: Array
    number: Number


class Attacker(Adversary):
    """An `Adversary` that also chooses the errors of the inputs."""

    def draw(self, q: Bounded) -> Given:
        """An exact value within the radius, a computed one within the bound, float64 included."""
        own = 4 * OPERATION * np.abs(q.value)
        exact = self.given(q.value, np.maximum(q.radius - own, 0)).value
        return Given(exact, self.given(exact, np.maximum(q.bound - own, 0)))

    def store(self, x: Number) -> Number:
        """x on its way to memory."""
        A, size = self.A, np.abs(x.value)
        if not A.u_store:
            return x
        size = np.where(np.isfinite(size), size, 0)
        return self.given(x.value, np.where(size < A.tiny_store, A.tiny_store, size * A.u_store))

    def rounded(self, exact: Array, K: float = 1.0) -> Array:
        """exact + s K u |exact|, or exact + s tiny where that underflows: d e = 0 in the model."""
        size = np.abs(exact)
        relative = K * self.A.u - (OPERATION if K == 1 else FUNCTION)
        error = np.where(size < self.A.tiny, self.A.tiny * (size > 0), relative * size)
        result = exact + self._sign(np.shape(exact)) * error
        over = size > self.A.limit
        return np.where(over, np.copysign(np.inf, exact), result) if over.any() else result

    def operand(self, x: Number) -> Number:
        """What a matrix product reads: rounded again, or flushed to zero."""
        read = self.given(x.value, np.abs(x.value) * self.A.u_operand).value
        small = (np.abs(x.value) < self.A.tiny) & (self._sign(np.shape(read)) > 0)
        return Number(self, np.where(small, 0, read))

    def pick(self, numbers: Sequence[Number], index: Array) -> Number:
        """For each entry the number at its index."""
        return Number(self, choose([x.value for x in numbers], index))


def spread(q: Bounded, shape: tuple[int, ...]) -> Bounded:
    """The same numbers for every entry of a result."""
    return Bounded(*(np.broadcast_to(part, shape) for part in q))


def choose(arrays: Sequence[Array], index: Array) -> Array:
    """For each entry the array at its index."""
    out = np.asarray(arrays[0])
    for k, array in enumerate(arrays):
        out = np.where(index == k, array, out)
    return out


Program = Callable[[Attacker], tuple[Number, Array]]


def largest_error(
    A: Arithmetic, program: Program, rng: np.random.Generator, runs: int = 2
) -> Array:
    """The largest |computed - exact|; a program returns both."""
    best: Array | None = None

    def evaluate(engine: Attacker) -> Number:
        number, exact = program(engine)
        return Number(engine, number.value - exact)

    for _ in range(runs):
        engine = Attacker(A, rng)
        with np.errstate(all="ignore"):
            found = worst(evaluate, np.array(0.0), engine)  # type: ignore[arg-type]
        best = found if best is None else np.maximum(best, found)
    assert best is not None
    return best
