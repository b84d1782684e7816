"""Softmax, log-softmax and their products, for the adversary: every usual way to write them.

A row is a list of columns, one array of the shape of the result for each class (see `attacker`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.bounds import Bounded
from simulator.attacker import Attacker, Program, choose, spread
from simulator.engine import Number


def columns(q: Bounded) -> list[Bounded]:
    """For a result of the shape (n, C): column k is entry k of the row of each entry."""
    return [spread(Bounded(*(part[:, [k]] for part in q)), q.value.shape) for k in range(width(q))]


def width(q: Bounded) -> int:
    """The number of classes."""
    return int(q.value.shape[1])


def own(q: Bounded) -> Array:
    """The class of each entry of a result of the shape (n, C)."""
    return np.broadcast_to(np.arange(width(q)), q.value.shape)


def add(m: Attacker, numbers: Sequence[Number]) -> Number:
    """The sum, from the first to the last."""
    total = numbers[0]
    for number in numbers[1:]:
        total = total + number
    return total


class Row:
    """One row of logits, drawn: what is computed from it, and its exact softmax."""

    def __init__(self, m: Attacker, z: Sequence[Bounded]) -> None:
        drawn = [m.draw(q) for q in z]
        self.m, self.z = m, [d.number for d in drawn]
        self.peak = Number(m, np.max([x.value for x in self.z], axis=0))
        self.s = [x - self.peak for x in self.z]
        self.e = [m.exp(x) for x in self.s]
        self.total = m.store(add(m, self.e))
        exact = np.array([d.exact for d in drawn])
        shifted = exact - exact.max(axis=0)
        with np.errstate(divide="ignore"):
            self.exact_log = shifted - np.log(np.exp(shifted).sum(axis=0))
        self.exact = np.exp(self.exact_log)

    def log(self, j: Array, shifted: bool) -> Number:
        """Log p as s - log S, or as z - (m + log S)."""
        log_sum = self.m.log(self.total)
        if shifted:
            return self.m.pick(self.s, j) - log_sum
        return self.m.pick(self.z, j) - (self.peak + log_sum)

    def p(self, j: Array, form: int) -> Number:
        """e / S, or exp of log p, which may have been stored."""
        if form == 0:
            return self.m.pick(self.e, j) / self.total
        return self.m.exp(self.m.store(self.m.store(self.log(j, form == 1))))


def softmax_programs(z: Bounded) -> Iterator[Program]:
    """p of every class."""
    for form in range(3):

        def program(m: Attacker, form: int = form) -> tuple[Number, Array]:
            row = Row(m, columns(z))
            return row.p(own(z), form), choose(list(row.exact), own(z))

        yield program


def log_softmax_programs(z: Bounded) -> Iterator[Program]:
    """log p of every class."""
    for shifted in (True, False):

        def program(m: Attacker, shifted: bool = shifted) -> tuple[Number, Array]:
            row = Row(m, columns(z))
            log_p = m.store(m.store(row.log(own(z), shifted)))
            return log_p, choose(list(row.exact_log), own(z))

        yield program


def _drawn(m: Attacker, q: Bounded) -> tuple[list[Number], list[Array]]:
    drawn = [m.draw(column) for column in columns(q)]
    return [d.number for d in drawn], [d.exact for d in drawn]


def softmax_vjp_programs(g: Bounded, p: Bounded) -> Iterator[Program]:
    """p (g - sum p g), with the last product before or after the difference."""

    def program(m: Attacker) -> tuple[Number, Array]:
        (gs, g_exact), (ps, p_exact), j = _drawn(m, g), _drawn(m, p), own(g)
        mean = add(m, [x * y for x, y in zip(gs, ps, strict=True)])
        exact = choose(g_exact, j) - np.sum(np.multiply(g_exact, p_exact), axis=0)
        return m.pick(ps, j) * (m.pick(gs, j) - mean), choose(p_exact, j) * exact

    yield program


def log_softmax_vjp_programs(g: Bounded, p: Bounded) -> Iterator[Program]:
    """g - p sum g."""

    def program(m: Attacker) -> tuple[Number, Array]:
        (gs, g_exact), (ps, p_exact), j = _drawn(m, g), _drawn(m, p), own(g)
        exact = choose(g_exact, j) - choose(p_exact, j) * np.sum(g_exact, axis=0)
        return m.pick(gs, j) - m.pick(ps, j) * add(m, gs), exact

    yield program
