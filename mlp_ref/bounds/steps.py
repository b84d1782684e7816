"""Bounds for one step of an optimizer, from exact parameters, gradients and state."""

from __future__ import annotations

import numpy as np

from mlp_ref.arithmetic import FLOAT32, FLOAT64, Arithmetic, Array, representable
from mlp_ref.bounds.bounded import Bounded, carry, chain, exactly
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
    grads_error: Array | None = None,
) -> dict[str, Bounded]:
    """Bound the result of ``optimizer.step`` in the stated arithmetic.

    Returns flat vectors (p,) by name: ``params``, and ``v`` (momentum) or ``m`` and ``v`` (Adam).
    Every hyperparameter may be rounded once; dyadic ones lose nothing. With ``grads_error`` (p,)
    the given gradients are the exact ones, rounded to float64, and computed ones differ from them
    by at most that.
    Raises `InputError` for input that is not finite or not representable, or another optimizer.
    """
    A = arithmetic
    given = {"params": params} | ({"grads": grads} if grads_error is None else {})
    given |= {f"moment {k}": m for k, m in enumerate(state.moments)}
    for name, vector in given.items():
        require_exact(name, vector.flat, A)
    wide = State(state.t, tuple(m.astype(np.float64) for m in state.moments))
    theta, g = params.astype(np.float64), grads.astype(np.float64)
    own = exactly(g.flat)
    if grads_error is not None:
        rounded = FLOAT64.u * np.abs(own.value) + FLOAT64.tiny
        # In float64 `carry` asks for the reference alone, which here errs as everybody does.
        radius = rounded + (grads_error if A == FLOAT64 else 0)
        own = Bounded(own.value, radius, rounded + grads_error)
    after, new = optimizer.step(theta, g, wide, lr)
    values = {"params": after.flat}
    rate = optimizer.lr if lr is None else lr
    if isinstance(optimizer, SGD):
        values |= {"v": new.moments[0].flat} if new.moments else {}
    elif isinstance(optimizer, Adam):
        values |= {"m": new.moments[0].flat, "v": new.moments[1].flat}
    else:
        fail("bounds are derived for SGD, Adam and AdamW", describe(optimizer), "use one of them")

    def errors(A: Arithmetic, g: Bounded) -> dict[str, Array]:
        if isinstance(optimizer, SGD):
            return _sgd(chain(A), optimizer, rate, theta.flat, g, wide)
        return _adam(chain(A), optimizer, rate, theta.flat, g, wide, new)

    return {
        name: carry(A, value, lambda A, g, name=name: errors(A, g)[name], own)
        for name, value in values.items()
    }


def _plus(A: Arithmetic, size: Array, error: Array, added: Array) -> Array:
    """Of q + c r for q of at most ``size`` that errs, c a rounded constant, and |c r| = added."""
    error = error + A.u * (size + error) + A.gamma(3) * added + 2 * A.tiny
    return np.where(size + added + error > A.largest, np.inf, error)


def _sgd(
    A: Arithmetic, rule: SGD, lr: float, theta: Array, g: Bounded, state: State
) -> dict[str, Array]:
    size, error = _decayed(A, g, theta, rule.weight_decay)
    out = {}
    if rule.momentum:
        held = rule.momentum * np.abs(state.moments[0].flat)
        out["v"] = v_error = _plus(A, size, error, held)
        ahead = rule.momentum * (held + size + v_error)
        if rule.nesterov:
            error = _plus(A, size, error, ahead) + rule.momentum * v_error
            size = size + ahead
        else:
            size, error = held + size, v_error
    return out | {"params": _plus(A, np.abs(theta), lr * error, lr * (size + error))}


def _decayed(A: Arithmetic, g: Bounded, theta: Array, decay: float) -> tuple[Array, Array]:
    """|g| + decay |theta| and the error of g + decay theta."""
    added = decay * np.abs(theta)
    return g.exact + added, _plus(A, g.exact, g.bound, added) if decay else g.bound


def _adam(
    A: Arithmetic, rule: Adam, lr: float, theta: Array, g: Bounded, state: State, new: State
) -> dict[str, Array]:
    b1, b2, t = rule.beta1, rule.beta2, new.t
    m, v = (np.abs(moment.flat) for moment in state.moments)
    size, g_error = _decayed(A, g, theta, 0.0 if rule.decoupled else rule.weight_decay)
    top = size + g_error
    m_error = (1 - b1) * g_error + _average(A, b1, m, top, 0) + 3 * A.tiny
    v_error = (1 - b2) * (size + top) * g_error + _average(A, b2, v, np.square(top), 1)
    v_error = v_error + (3 + np.maximum(top, 1)) * A.tiny
    m_new, v_new = (np.abs(moment.flat) for moment in new.moments)
    c1, e1 = _correction(A, b1, t)
    c2, e2 = _correction(A, b2, t)
    # |sqrt(p) - sqrt(q)| <= min(|p - q| / sqrt(q), sqrt(|p - q|))
    q_error = v_error + A.tiny
    root_error = np.fmin(q_error / np.sqrt(v_new), np.sqrt(q_error)) / np.sqrt(c2)
    root = np.sqrt(v_new / c2)
    drift = root_error + np.expm1(e2 / 2 + A.gamma(2)) * (root + root_error)
    below = root + rule.eps
    below_error = drift + A.gamma(2) * (below + drift) + (2 + 1 / np.sqrt(c2)) * A.tiny
    # The computed denominator is at least half of eps, unless eps may be flushed to zero or
    # 1 - b2^t may be zero or negative; the quotient grows by a factor of at most exp(growth).
    floor = rule.eps / 2 if rule.eps > 10 * A.tiny else 0.0
    lost = np.minimum(below_error / below, 1 - floor / below)
    lost = np.where(np.isfinite(below_error), lost, 1)
    growth = e1 + A.gamma(5) - np.log1p(-lost)
    step_error = np.exp(growth) * m_error / below + np.expm1(growth) * m_new / below
    flushed = np.exp(growth) * (lr / c1 + 1 + m_new) * A.tiny / below
    step_error = lr / c1 * step_error + flushed + (lr / c1 + lr + 3) * A.tiny
    step, kept, decay = lr / c1 * m_new / below, np.abs(theta), 0.0
    if rule.decoupled:
        decay = lr * rule.weight_decay
        step_error = step_error + (A.gamma(2) + A.gamma(5) * decay + 2 * A.tiny) * kept
        step_error = step_error + (lr + 2) * A.tiny
    # What a form computes on its way may overflow though the step itself is small.
    low = below * (1 - lost)
    reach = np.exp(e1) * (m_new + m_error) / c1 / np.minimum(low, 1)
    overflows = np.maximum(reach, (v_new + v_error) * np.exp(e2) / c2) > A.largest / 2
    step_error = np.where(overflows, np.inf, step_error)
    moved = step + step_error
    return {"params": step_error + A.u * ((1 + decay) * kept + moved), "m": m_error, "v": v_error}


def _average(A: Arithmetic, b: float, old: Array, new: Array, before: int) -> Array:
    """Of b old + (1 - b) new, and of old + (1 - b)(new - old), for a new with roundings ``before``.

    1 - b may be formed from the rounded b.
    """
    direct = A.gamma(3) * b * old + A.gamma(3 + before) * (1 - b) * new
    between = A.u * old + A.gamma(4 + before) * (1 - b) * (new + old)
    error = np.maximum(direct, between) + _rounded(A, b) * (new + old)
    return np.where(new + old + error > A.largest, np.inf, error)


def _rounded(A: Arithmetic, beta: float) -> float:
    """What rounding a hyperparameter may change, and roundings after it: nothing if it fits.

    With a narrow memory, scalars are kept in the precision of the operations.
    """
    bits = FLOAT32.precision if A.u_store else A.precision
    return 0.0 if representable(np.array(beta), bits) else A.gamma(4) * beta


def _correction(A: Arithmetic, beta: float, t: int) -> tuple[float, float]:
    """c = 1 - beta^t, and e: c errs by a factor within exp(+-e).

    beta and the power are rounded, then cancel.
    """
    power = beta**t
    error = (A.gamma(max(A.K, t) + t) * power + 2 * A.tiny) / (1 - power)
    return 1 - power, (A.gamma(1) - np.log1p(-error) if error < 1 else np.inf)
