"""The blocks of the bounds, each with programs that attack it and inputs that err.

A block is one function of `mlp_ref.bounds` on given inputs. Its bound is asked of a module, which
may be a weakened copy; its programs compute what the bound is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from mlp_ref.activations import Elementwise
from mlp_ref.arithmetic import Arithmetic, Array, Interval
from mlp_ref.bounds import Bounded, product_error
from mlp_ref.losses import BINARY_CROSS_ENTROPY, CROSS_ENTROPY, SQUARED_ERROR
from simulator import losses, rows
from simulator.attacker import Attacker, Program, spread
from simulator.engine import Number
from simulator.formulas import SLOPES, VALUES, Formula


class Block(NamedTuple):
    """A bound on given inputs, and the programs whose results it must hold for.

    ``bound(module, A, inputs)``  of the shape of the result; a scalar bound serves all attempts
    """

    text: str
    inputs: tuple[Bounded, ...]
    bound: Callable[[Any, Arithmetic, tuple[Bounded, ...]], Array]
    programs: tuple[Program, ...]


def _dense(
    x: Bounded, y: Bounded, bias: Array | None, scaled: bool = False, stored: bool = False
) -> Iterator[Program]:
    """x y + b, the bias first or last; ``stored`` before it is added, and after."""
    shape, k = (len(x.value), y.value.shape[1]), x.value.shape[1]
    for first in (False, True) if bias is not None and not stored else (False,):

        def program(m: Attacker, first: bool = first) -> tuple[Number, Array]:
            total = m.number(np.broadcast_to(bias, shape)) if first and bias is not None else None
            exact = np.zeros(shape) if bias is None else np.broadcast_to(bias, shape)
            for i in range(k):
                a = m.draw(spread(Bounded(*(part[:, [i]] for part in x)), shape))
                b = m.draw(spread(Bounded(*(part[[i]] for part in y)), shape))
                term = m.operand(a.number) * m.operand(b.number)
                total = term if total is None else total + term
                exact = exact + a.exact * b.exact
            assert total is not None
            total = m.store(total) if stored else total
            if bias is not None and not first:
                total = total + m.number(bias)
            if scaled:
                total = Number(m, m.rounded(total.value))
            return m.store(total) if stored else total, exact

        yield program


def product(x: Bounded, y: Bounded, bias: Array | None, scaled: bool) -> Block:
    """`product_error`."""
    return Block(
        f"product, {'bias' if bias is not None else 'no bias'}, {'' if scaled else 'not '}scaled",
        (x, y),
        lambda m, A, q: m.product_error(A, *q, bias, scalings=int(scaled)),
        tuple(_dense(x, y, bias, scaled)),
    )


def stored_product(x: Bounded, y: Bounded, bias: Array) -> Block:
    """`carry` with a bias that may come before or after the first rounding on the way to memory."""
    value = x.value @ y.value + bias
    return Block(
        "stored product",
        (x, y),
        lambda m, A, q: m.carry(
            A, value, lambda A, x, y: product_error(A, x, y, bias),
            *(m.Bounded(*part) for part in q), addend=bias,
        ).bound,
        tuple(_dense(x, y, bias, stored=True)),
    )  # fmt: skip


def stored(x: Bounded, bias: Array) -> Block:
    """`carry` of a number that errs, with a bias that is added between two ways to memory."""

    def program(m: Attacker) -> tuple[Number, Array]:
        d = m.draw(x)
        return m.store(m.store(d.number) + m.number(bias)), d.exact + bias

    return Block(
        "stored",
        (x,),
        lambda m, A, q: m.carry(
            A, x.value + bias, lambda A, x: x.bound + A.u * (x.computed + np.abs(bias)) + A.tiny,
            *(m.Bounded(*part) for part in q), addend=bias,
        ).bound,
        (program,),
    )  # fmt: skip


def value(f: Elementwise, z: Bounded) -> Block:
    """`value_error`."""

    def programs() -> Iterator[Program]:
        for formula in VALUES[f.name]:

            def program(m: Attacker, formula: Formula = formula) -> tuple[Number, Array]:
                d = m.draw(z)
                exact = f.value(d.exact)
                return formula.served(m, d.number, d.number, exact), exact

            yield program

    return Block(
        f"value of {f.name}", (z,), lambda m, A, q: m.value_error(A, f, *q), tuple(programs())
    )


def slope(f: Elementwise, z: Bounded) -> Block:
    """`slope_error`, from the output too, which may have been stored."""
    a = Bounded(f.value(z.value), np.zeros_like(z.value), np.zeros_like(z.value))

    def programs() -> Iterator[Program]:
        for formula in SLOPES[f.name]:

            def program(m: Attacker, formula: Formula = formula) -> tuple[Number, Array]:
                d = m.draw(z)
                x = d.number.value
                y = m.given(f.value(x), f.value_error(m.A, Interval(x, x)))
                y = m.store(m.store(y)) if f.from_output else y
                exact = f.slope(d.exact, f.value(d.exact))
                return formula.served(m, d.number, y, exact), exact

            yield program

    def bound(m: Any, A: Arithmetic, q: tuple[Bounded, ...]) -> Array:
        (z,) = q
        widest = z.interval
        ends = np.maximum(np.abs(f.value(widest.lo)), np.abs(f.value(widest.hi)))
        reach = a._replace(bound=np.maximum(ends - np.abs(a.value), 0) + f.value_error(A, widest))
        return np.asarray(m.slope_error(A, f, z, reach))

    return Block(f"slope of {f.name}", (z,), bound, tuple(programs()))


def times(g: Bounded, d: Bounded) -> Block:
    """`times_error`: g d, with a rounding more where g a (1 - a) is grouped from the left."""

    def program(m: Attacker) -> tuple[Number, Array]:
        x, y = m.draw(g), m.draw(d)
        half = x.number * y.number
        return Number(m, m.rounded(half.value)), x.exact * y.exact

    return Block("times", (g, d), lambda m, A, q: m.times_error(A, *q), (program,))


def softmax_blocks(z: Bounded, g: Bounded, p: Bounded) -> Iterator[Block]:
    """`softmax_error`, `log_softmax_error` and the two vector-Jacobian products."""
    yield Block("softmax", (z,), lambda m, A, q: m.softmax_error(A, *q),
                tuple(rows.softmax_programs(z)))  # fmt: skip
    yield Block("log_softmax", (z,), lambda m, A, q: m.log_softmax_error(A, *q),
                tuple(rows.log_softmax_programs(z)))  # fmt: skip
    yield Block("softmax vjp", (g, p), lambda m, A, q: m.softmax_vjp_error(A, *q),
                tuple(rows.softmax_vjp_programs(g, p)))  # fmt: skip
    yield Block("log_softmax vjp", (g, p), lambda m, A, q: m.log_softmax_vjp_error(A, *q),
                tuple(rows.log_softmax_vjp_programs(g, p)))  # fmt: skip


def loss_blocks(z: Bounded, labels: Array, soft: Array, unit: Array, t: Array) -> Iterator[Block]:
    """`loss_error` and `gradient_error` of every loss and kind of target."""
    pairs = (
        (CROSS_ENTROPY, labels, losses.cross_entropy_loss, losses.cross_entropy_gradient),
        (CROSS_ENTROPY, soft, losses.cross_entropy_loss, losses.cross_entropy_gradient),
        (BINARY_CROSS_ENTROPY, unit, losses.binary_loss, losses.binary_gradient),
        (SQUARED_ERROR, t, losses.squared_loss, losses.squared_gradient),
    )
    for loss, target, value_of, gradient_of in pairs:
        yield Block(
            f"{loss.name}, {target.ndim} axes", (z,),
            lambda m, A, q, loss=loss, target=target: m.loss_error(A, loss, *q, target),
            tuple(value_of(z, target)),
        )  # fmt: skip
        yield Block(
            f"gradient of {loss.name}, {target.ndim} axes", (z,),
            lambda m, A, q, loss=loss, target=target: m.gradient_error(A, loss, *q, target),
            tuple(gradient_of(z, target)),
        )  # fmt: skip
