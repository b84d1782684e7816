"""The losses and their gradients, for the adversary: every usual way to write them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.bounds import Bounded
from mlp_ref.special import logistic
from simulator.attacker import Attacker, Program, choose, spread
from simulator.engine import Number
from simulator.formulas import VALUES
from simulator.rows import Row, add, columns, own, width

COPIES = 24  # attempts at a scalar, each with signs of its own


def cells(q: Bounded, row: int) -> list[Bounded]:
    """One row of q, in as many copies as there are attempts at a scalar."""
    return [spread(Bounded(*(part[row, k] for part in q)), (COPIES,)) for k in range(width(q))]


def mean(m: Attacker, number: Number, count: int, divided: bool) -> Number:
    """number / count, or its product with the rounded reciprocal."""
    return number / m.number(count) if divided else number * m.constant(1 / count)


def cross_entropy_loss(z: Bounded, t: Array) -> Iterator[Program]:
    """The mean of -log p_y, or of -sum t log p."""
    for form in (True, False):
        yield _by_logs(z, t, form)
    if t.ndim == 2:
        yield _by_gaps(z, t)


def _by_gaps(z: Bounded, t: Array) -> Program:
    """sum t (m - z) + log S sum t, as the reference has it."""

    def program(m: Attacker) -> tuple[Number, Array]:
        terms, exact = [], []
        for i, target in enumerate(t):
            row, used = Row(m, cells(z, i)), np.flatnonzero(target)
            weights = [m.number(np.full(COPIES, w)) for w in target]
            gaps = add(m, [-row.s[k] * weights[k] for k in used])
            terms.append(gaps + add(m, weights) * m.log(row.total))
            exact.append(-np.tensordot(target, row.exact_log, 1))
        return mean(m, add(m, terms), len(t), True), np.mean(exact, axis=0)

    return program


def _by_logs(z: Bounded, t: Array, form: bool) -> Program:
    def program(m: Attacker) -> tuple[Number, Array]:
        terms, exact = [], []
        for i, target in enumerate(t):
            row = Row(m, cells(z, i))
            logs = [row.log(np.full(COPIES, k), form) for k in range(width(z))]
            logs = [m.store(m.store(x)) for x in logs]
            weights = np.eye(width(z))[target] if t.ndim == 1 else target
            used = [(x, w) for x, w in zip(logs, weights, strict=True) if w]
            weighted = [x if w == 1 else x * m.number(w) for x, w in used]
            terms.append(-add(m, weighted))
            exact.append(-np.tensordot(weights, row.exact_log, 1))
        return mean(m, add(m, terms), len(t), form), np.mean(exact, axis=0)

    return program


def cross_entropy_gradient(z: Bounded, t: Array) -> Iterator[Program]:
    """(p - y) / n of labels, with the sum of the other p for 1 - p_y too; (p sum t - t) / n.

    The last form, of labels alone, is that of the reference: at the label -o / S, S = o + e_y.
    """
    j, labels = own(z), t.ndim == 1
    hot = np.eye(width(z))[t] if labels else t
    share = hot.sum(axis=1, keepdims=True) + 0.0 * j
    for form in range(5 if labels else 4):

        def program(m: Attacker, form: int = form) -> tuple[Number, Array]:
            row = Row(m, columns(z))
            p = row.p(j, form % 3)
            if form == 4:
                others = [add(m, row.e[:k] + row.e[k + 1 :]) for k in range(width(z))]
                y = np.argmax(hot, axis=1)[:, None] + 0 * j.astype(int)
                other, e_y = m.pick(others, y), m.pick(row.e, y)
                top = Number(m, np.where(hot == 1, -other.value, m.pick(row.e, j).value))
                p = top / (other + e_y)
            if not labels:
                p = p * add(m, [m.number(t[:, [k]] + 0.0 * j) for k in range(width(z))])
            gap = p if form == 4 else p - m.number(hot)
            rest = np.array(
                [
                    row.exact[[i for i in range(width(z)) if i != k]].sum(axis=0)
                    for k in range(width(z))
                ]
            )
            exact = choose(list(row.exact), j) * share - hot
            exact = np.where((hot == 1) & labels, -choose(list(rest), j), exact)
            if form == 3 and not labels:  # t / n and p / n apart, both stored
                t_n = m.store(m.store(mean(m, m.number(hot), len(t), True)))
                return mean(m, p, len(t), True) - t_n, exact / len(t)
            if form == 3:
                ps = [row.p(np.full_like(j, k), 0) for k in range(width(z))]
                others = [add(m, ps[:k] + ps[k + 1 :]) for k in range(width(z))]
                sure = (hot == 1) & (p.value >= 0.5)
                gap = Number(m, np.where(sure, -m.pick(others, j).value, gap.value))
            return mean(m, gap, len(t), form % 2 == 0), exact / len(t)

        yield program


def binary_loss(z: Bounded, t: Array) -> Iterator[Program]:
    """max(z, 0) - z t + log1p(exp(-|z|)), or t softplus(-z) + (1 - t) softplus(z)."""
    for form in range(2):

        def program(m: Attacker, form: int = form) -> tuple[Number, Array]:
            terms, exact = [], []
            for i, k in np.ndindex(z.value.shape):
                d, y = m.draw(cells(z, i)[k]), m.number(t[i, k])
                log_term = m.store(m.log1p(m.store(m.exp(-abs(d.number)))))
                if form == 0:
                    first = m.store(d.number.maximum(0) - m.store(d.number * y))
                    terms.append(m.store(first + log_term))
                else:
                    above = m.store(d.number.maximum(0) + log_term)
                    below = m.store((-d.number).maximum(0) + log_term)
                    terms.append(m.store(m.store(below * y) + m.store(above * m.store(1 - y))))
                wrong, size = np.where(d.exact > 0, 1 - t[i, k], t[i, k]), np.abs(d.exact)
                exact.append(size * wrong + np.log1p(np.exp(-size)))
            return mean(m, add(m, terms), t.size, form == 0), np.mean(exact, axis=0)

        yield program


def binary_gradient(z: Bounded, t: Array) -> Iterator[Program]:
    """(sigmoid(z) - t) / (n C), the difference as it stands or by the side that z is on."""
    formulas = VALUES["sigmoid"]
    for form in range(len(formulas) + 1):

        def program(m: Attacker, form: int = form) -> tuple[Number, Array]:
            d = m.draw(z)
            if form < len(formulas):
                s = formulas[form].served(m, d.number, d.number, logistic(d.exact))
                gap = m.store(s) - m.number(t)
            else:
                up = d.number.value > 0
                e, wrong = m.store(m.exp(-abs(d.number))), m.number(np.where(up, 1 - t, t))
                miss = m.store(wrong - m.store((1 - wrong) * e)) / m.store(1 + e)
                gap = Number(m, np.where(up, miss.value, -miss.value))
            low = logistic(-np.abs(d.exact))
            exact = np.where(d.exact > 0, (1 - t) - low, low - t)
            return mean(m, m.store(gap), t.size, form % 2 == 0), exact / t.size

        yield program


def squared_loss(z: Bounded, t: Array) -> Iterator[Program]:
    """The mean of (z - t)^2."""

    def program(m: Attacker) -> tuple[Number, Array]:
        terms, exact = [], []
        for i, k in np.ndindex(z.value.shape):
            d = m.draw(cells(z, i)[k])
            gap = m.store(d.number - m.number(t[i, k]))
            terms.append(m.store(gap * gap))
            exact.append(np.square(d.exact - t[i, k]))
        return mean(m, add(m, terms), t.size, True), np.mean(exact, axis=0)

    yield program


def squared_gradient(z: Bounded, t: Array) -> Iterator[Program]:
    """2 (z - t) / (n C), with the factor as a quotient or as a rounded constant."""
    for form in (True, False):

        def program(m: Attacker, form: bool = form) -> tuple[Number, Array]:
            d = m.draw(z)
            gap = m.store(d.number - m.number(t))
            number = mean(m, m.store(gap * 2), t.size, form)
            return number, 2 * (d.exact - t) / t.size

        yield program
