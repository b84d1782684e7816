"""Bounds for one step of an optimizer, from exact parameters, gradients and state."""

from __future__ import annotations

import numpy as np

from mlp_ref.arithmetic import Arithmetic, Array
from mlp_ref.bounds.bounded import Bounded, carry
from mlp_ref.bounds.network import require_exact
from mlp_ref.checks import describe, fail
from mlp_ref.optimizers import SGD, Adam, Optimizer, State
from mlp_ref.parameters import Params

__all__ = ["derive_step"]


def derive_step(
    optimizer: Optimizer,
    params: Params,
    grads: Params,
    state: State,
    lr: float | None = None,
    *,
    arithmetic: Arithmetic,
) -> dict[str, Bounded]:
    """Bound the result of ``optimizer.step`` in the stated arithmetic.

    Returns flat vectors (p,) by name: ``params``, and ``v`` (momentum) or ``m`` and ``v`` (Adam).
    Every hyperparameter may be rounded once; dyadic ones lose nothing.
    Raises `InputError` for input that is not finite or not representable, or another optimizer.
    """
    A = arithmetic
    given = {"params": params, "grads": grads}
    given |= {f"moment {k}": m for k, m in enumerate(state.moments)}
    for name, vector in given.items():
        require_exact(name, vector.flat, A)
    wide = State(state.t, tuple(m.astype(np.float64) for m in state.moments))
    theta, g = params.astype(np.float64), grads.astype(np.float64)
    after, new = optimizer.step(theta, g, wide, lr)
    values = {"params": after.flat}
    rate = optimizer.lr if lr is None else lr
    if isinstance(optimizer, SGD):
        values |= {"v": new.moments[0].flat} if new.moments else {}
    elif isinstance(optimizer, Adam):
        values |= {"m": new.moments[0].flat, "v": new.moments[1].flat}
    else:
        fail("bounds are derived for SGD, Adam and AdamW", describe(optimizer), "use one of them")

    def errors(A: Arithmetic) -> dict[str, Array]:
        if isinstance(optimizer, SGD):
            return _sgd(A, optimizer, rate, theta.flat, g.flat, wide)
        return _adam(A, optimizer, rate, theta.flat, g.flat, wide, new)

    return {
        name: carry(A, value, lambda A, name=name: errors(A)[name])
        for name, value in values.items()
    }


def _decayed(A: Arithmetic, g: Array, theta: Array, decay: float) -> tuple[Array, Array]:
    """|g + decay theta| and its error: the constant, the product and the sum are rounded."""
    if not decay:
        return np.abs(g), np.zeros_like(g)
    size = np.abs(g) + decay * np.abs(theta)
    return np.abs(g + decay * theta) + A.u * size, A.gamma(3) * size + 2 * A.tiny


def _sgd(
    A: Arithmetic, rule: SGD, lr: float, theta: Array, g: Array, state: State
) -> dict[str, Array]:
    size, error = _decayed(A, g, theta, rule.weight_decay)
    out = {}
    if rule.momentum:
        held = rule.momentum * np.abs(state.moments[0].flat)
        v_error = error + A.gamma(3) * (held + size + error) + 2 * A.tiny
        v_size = held + size + v_error
        out["v"] = v_error
        if rule.nesterov:
            ahead = rule.momentum * v_size
            error = error + rule.momentum * v_error + A.gamma(3) * (size + error + ahead)
            size = size + error + ahead
        else:
            size, error = v_size, v_error
    step = lr * (size + error)
    moved = lr * error + A.gamma(2) * step + 4 * A.tiny
    return out | {"params": moved + A.u * (np.abs(theta) + step + moved)}


def _adam(
    A: Arithmetic, rule: Adam, lr: float, theta: Array, g: Array, state: State, new: State
) -> dict[str, Array]:
    b1, b2, t = rule.beta1, rule.beta2, new.t
    m, v = (np.abs(moment.flat) for moment in state.moments)
    size, g_error = _decayed(A, g, theta, 0.0 if rule.decoupled else rule.weight_decay)
    top = size + g_error
    # Direct, b1 m + (1 - b1) g, and as an interpolation, m + (1 - b1)(g - m).
    m_error = (1 - b1) * g_error + A.gamma(4) * (m + (1 - b1) * (top + m)) + 4 * A.tiny
    square_error = 2 * size * g_error + g_error**2
    v_error = (1 - b2) * square_error + A.gamma(4) * (b2 * v + (1 - b2) * top**2) + 4 * A.tiny
    m_new = np.abs(new.moments[0].flat) + m_error
    v_new = np.abs(new.moments[1].flat)
    c1, e1 = _correction(A, b1, t)
    c2, e2 = _correction(A, b2, t)
    # |sqrt(p) - sqrt(q)| <= min(|p - q| / sqrt(q), sqrt(|p - q|))
    root_error = np.fmin(v_error / np.sqrt(v_new), np.sqrt(v_error)) / np.sqrt(c2)
    root = np.sqrt(v_new / c2) + root_error
    below = np.sqrt(v_new / c2) + rule.eps
    below_error = root_error + (e2 + A.gamma(4)) * root + A.gamma(2) * (below + root_error)
    low = np.maximum(below - below_error, rule.eps / 2)
    scale = lr / c1
    step = scale * m_new / low
    step_error = scale * m_error / low + step * (below_error / below + e1 + A.gamma(6))
    step_error = step_error + 4 * A.tiny
    kept = np.abs(theta)
    if rule.decoupled:
        step_error = step_error + A.gamma(4) * (1 + lr * rule.weight_decay) * kept
    moved = step + step_error
    return {"params": step_error + A.u * (kept + moved), "m": m_error, "v": v_error}


def _correction(A: Arithmetic, beta: float, t: int) -> tuple[float, float]:
    """c = 1 - beta^t and the relative error of c: beta and the power are rounded, then cancel."""
    power = beta**t
    return 1 - power, A.u + power * (A.K + t + 1) * A.u / (1 - power)
