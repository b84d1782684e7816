"""One step of every optimizer in a simulated arithmetic, written in every usual way."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from mlp_ref.optimizers import SGD, Adam
from simulator.engine import Engine, Number

Result = dict[str, Number]
Keep = Callable[[Number], Number]


def scaled(m: Engine, c: float, x: Number) -> Number:
    """c x, for a constant c that the arithmetic has to round."""
    return m.constant(c) * x


def step_sgd(
    m: Engine, rule: SGD, lr: float, theta: Number, g: Number, moments: tuple[Number, ...],
    keep: Keep,
) -> Result:  # fmt: skip
    """Stochastic gradient descent; ``keep`` rounds what is stored in between."""
    if rule.weight_decay:
        g = keep(g + keep(scaled(m, rule.weight_decay, theta)))
    out = {}
    if rule.momentum:
        out["v"] = v = keep(keep(scaled(m, rule.momentum, moments[0])) + g)
        g = keep(g + keep(scaled(m, rule.momentum, v))) if rule.nesterov else v
    return out | {"params": keep(theta - keep(scaled(m, lr, g)))}


def _correction(m: Engine, beta: float, t: int) -> Number:
    base = m.constant(beta)
    return 1 - m.function(lambda b: b**t, base)


def adam_forms(rule: Adam) -> Iterator[tuple[bool, int, int, int]]:
    """Every combination of the forms below."""
    return itertools.product((False, True), range(2), range(2), range(3 if rule.decoupled else 1))


def step_adam(
    m: Engine, rule: Adam, lr: float, theta: Number, g: Number, moments: tuple[Number, ...],
    keep: Keep, t: int, form: tuple[bool, int, int, int],
) -> Result:  # fmt: skip
    """Adam and AdamW. The form: m by interpolation, grouping of v, bias correction, decay."""
    interpolate, grouping, late, decay = form
    first, second = moments
    wd = rule.weight_decay
    if wd and not rule.decoupled:
        g = keep(g + keep(scaled(m, wd, theta)))
    if interpolate:
        first = keep(first + keep(scaled(m, 1 - rule.beta1, keep(g - first))))
    else:
        new = keep(scaled(m, 1 - rule.beta1, g))
        first = keep(keep(scaled(m, rule.beta1, first)) + new)
    square = (
        keep(scaled(m, 1 - rule.beta2, g)) * g
        if grouping
        else scaled(m, 1 - rule.beta2, keep(g * g))
    )
    second = keep(keep(scaled(m, rule.beta2, second)) + keep(square))
    c1, c2 = _correction(m, rule.beta1, t), _correction(m, rule.beta2, t)
    rate = m.constant(lr)
    if late:
        below = keep(keep(m.sqrt(keep(second / c2).maximum(0))) + m.constant(rule.eps))
        move = keep(keep(first / c1) / below)
    else:
        below = keep(keep(keep(m.sqrt(second.maximum(0))) / m.sqrt(c2)) + m.constant(rule.eps))
        move = keep(keep((rate / c1) * first) / below)
    if rule.decoupled and decay == 0:
        theta = keep(theta * (1 - rate * m.constant(wd)))
    elif rule.decoupled and decay == 1:
        theta = keep(theta - keep(rate * keep(scaled(m, wd, theta))))
    elif rule.decoupled and late:
        move = keep(move + keep(scaled(m, wd, theta)))
    elif rule.decoupled:
        theta = keep(theta * (1 - rate * m.constant(wd)))
    theta = keep(theta - (keep(rate * move) if late else move))
    return {"params": theta, "m": first, "v": second}
