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
from simulator.engine import Adversary, Number


class Given(NamedTuple):
    """An input: its exact value, which the adversary chose, and what was computed for it."""

    exact: Array
    number: Number


class Attacker(Adversary):
    """An `Adversary` that also chooses the errors of the inputs."""

    def draw(self, q: Bounded) -> Given:
        """An exact value within the radius, a computed one within the bound."""
        exact = self.given(q.value, q.radius * (1 - 2.0**-40)).value
        return Given(exact, self.given(exact, q.bound * (1 - 2.0**-40)))

    def store(self, x: Number) -> Number:
        """x on its way to memory."""
        A = self.A
        if not A.u_store:
            return x
        return self.given(x.value, np.abs(x.value) * A.u_store + A.tiny_store)

    def operand(self, x: Number) -> Number:
        """What a matrix product reads: rounded again, or flushed to zero."""
        read = self.given(x.value, np.abs(x.value) * self.A.u_operand).value
        small = (np.abs(x.value) < self.A.tiny) & (self._sign(np.shape(read)) > 0)
        return Number(self, np.where(small, 0, read))

    def pick(self, numbers: Sequence[Number], index: Array) -> Number:
        """For each entry the number at its index."""
        return Number(self, choose([x.value for x in numbers], index))


def choose(arrays: Sequence[Array], index: Array) -> Array:
    """For each entry the array at its index."""
    out = np.array(np.broadcast_to(arrays[0], index.shape))
    for k, array in enumerate(arrays):
        out = np.where(index == k, array, out)
    return out


Program = Callable[[Attacker], tuple[Number, Array]]


def largest_error(
    A: Arithmetic, program: Program, rng: np.random.Generator, runs: int = 2, stored: bool = False
) -> Array:
    """The largest |computed - exact|; a program returns both. ``stored``: twice to memory."""
    best: Array | None = None

    def evaluate(engine: Attacker) -> Number:
        number, exact = program(engine)
        if stored:
            number = engine.store(engine.store(number))
        return Number(engine, number.value - exact)

    for _ in range(runs):
        engine = Attacker(A, rng)
        with np.errstate(all="ignore"):
            found = worst(evaluate, np.array(0.0), engine)  # type: ignore[arg-type]
        best = found if best is None else np.maximum(best, found)
    assert best is not None
    return best
