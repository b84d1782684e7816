"""How a property is judged: exact sums, derived allowances, and wrong implementations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from strategies import Problem

from mlp_ref.activations import Elementwise
from mlp_ref.arithmetic import FLOAT64, Arithmetic, Array, Interval
from mlp_ref.bounds import (
    Bounded,
    carry,
    derive,
    exactly,
    product_error,
    slope_error,
    times_error,
    value_error,
)
from mlp_ref.model import MLP
from mlp_ref.parameters import Params

# A comparison evaluates its two sides in float64, in fewer than 16 operations that do not cancel.
EVALUATION = 1 + FLOAT64.gamma(16)


def total(*terms: Any) -> Array:
    """The sum of the terms, elementwise, rounded once."""
    columns = np.broadcast_arrays(*(np.asarray(term, np.float64) for term in terms))
    flat = [math.fsum(column) for column in zip(*(c.ravel() for c in columns), strict=True)]
    return np.array(flat).reshape(columns[0].shape)


def at_most(got: Any, allowed: Any) -> bool:
    """Whether got <= allowed everywhere, up to the rounding of the comparison; NaN is not."""
    with np.errstate(over="ignore"):
        return bool(np.all(np.asarray(got) <= np.asarray(allowed, np.float64) * EVALUATION))


def times(factor: Any, size: Any) -> Array:
    """factor * size of nonnegative numbers, where zero times what overflowed is zero."""
    with np.errstate(over="ignore", invalid="ignore"):
        product = np.multiply(factor, size)
    return np.where(np.equal(factor, 0) | np.equal(size, 0), 0, product)


def plus(*terms: Any) -> Array:
    """The sum of nonnegative allowances, where one beyond the largest float is infinite."""
    with np.errstate(over="ignore"):
        return np.sum(np.broadcast_arrays(*terms), axis=0)


def interval(*points: Array) -> Interval:
    """The smallest interval that holds the points, elementwise, in float64."""
    wide = [np.asarray(p, np.float64) for p in points]
    return Interval(np.minimum.reduce(wide), np.maximum.reduce(wide))


def value_allowance(A: Arithmetic, f: Elementwise, x: Array) -> Array:
    """What f.value(x) may be off by, for exact x."""
    return carry(A, f.value(x.astype(np.float64)), lambda A, z: value_error(A, f, z), exactly(x))[2]


def slope_allowance(A: Arithmetic, f: Elementwise, x: Array) -> Array:
    """What f.slope(x) may be off by, for exact x."""
    z, wide = exactly(x), x.astype(np.float64)
    value = f.slope(wide, f.value(wide))
    return carry(A, value, lambda A, z: slope_error(A, f, z, z), z, stored=False)[2]


def within(got: Array, q: Bounded) -> bool:
    """Whether a computed tensor is as close to the reference as was proven; inf allows all."""
    with np.errstate(invalid="ignore", over="ignore"):
        close = np.abs(np.asarray(got, np.float64) - q.value) <= q.allowed
    return bool(np.all(close | np.isinf(q.allowed)))


def tensors(p: Problem) -> dict[str, Array]:
    """What an implementation shows of one pass, by the names of `derive`."""
    output, trace = p.model.forward(p.params, p.x)
    loss, g = p.loss.value_and_grad(output, p.target)
    grads, dx = p.model.backward(p.params, trace, g)
    out = {"loss": np.asarray(loss), "g": g, "dx": dx}
    for k, (W, b) in enumerate(grads.layers):
        out |= {f"z{k}": trace.z[k], f"a{k}": trace.a[k], f"dW{k}": W, f"db{k}": b}
    return out


def backward_bounds(
    A: Arithmetic, model: MLP, params: Params, x: Array, g: Array
) -> tuple[Params, Array]:
    """What the gradients of the parameters and of x may be off by, for an exact dL/da_L."""
    found = derive(model, params, x, arithmetic=A)
    layers, q = [], exactly(g)
    for k in reversed(range(len(model.activations))):
        f, z, a = model.activations[k], found[f"z{k}"], found[f"a{k}"]

        def slope(A: Arithmetic, z: Bounded, a: Bounded, f: Elementwise = f) -> Array:
            return slope_error(A, f, z, a)

        d = carry(A, f.slope(z.value, a.value), slope, z, a, stored=False)
        dz = carry(A, q.value * d.value, times_error, q, d)
        before = found[f"a{k - 1}"] if k else exactly(x)
        ones = exactly(np.ones((1, len(x))))
        dW = carry(A, before.value.T @ dz.value, product_error, before.T, dz)
        db = carry(A, ones.value @ dz.value, product_error, ones, dz)
        layers.append((dW.bound, db.bound[0]))
        W = exactly(params.layers[k].W.T)
        q = carry(A, dz.value @ W.value, product_error, dz, W)
    return Params.from_layers(layers[::-1]), q.bound


def is_caught(check: Callable[[Any], None], drawn: st.SearchStrategy[Any]) -> None:
    """Require that some example of the strategy ``drawn`` makes ``check`` fail."""

    @settings(
        settings.get_profile("ci"),
        max_examples=500,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )
    @given(drawn)
    def attempt(case: Any) -> None:
        check(case)

    with pytest.raises(AssertionError):
        attempt()
