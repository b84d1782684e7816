"""Bounds for a whole network: forward, loss and backward, layer by layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp_ref.activations import Activation, Elementwise
from mlp_ref.arithmetic import Arithmetic, Array
from mlp_ref.bounds.bounded import Bounded, carry, exactly
from mlp_ref.bounds.elementwise import slope_error, times_error, value_error
from mlp_ref.bounds.losses import gradient_error, loss_error
from mlp_ref.bounds.product import product_error
from mlp_ref.bounds.softmax import (
    log_softmax_error,
    log_softmax_vjp_error,
    softmax_error,
    softmax_vjp_error,
)
from mlp_ref.checks import describe, fail
from mlp_ref.losses import Loss
from mlp_ref.model import MLP
from mlp_ref.parameters import Params
from mlp_ref.softmax import LOG_SOFTMAX, SOFTMAX

__all__ = ["derive", "derive_vjp", "require_exact", "value_error_of"]


def require_exact(name: str, x: Array, arithmetic: Arithmetic) -> None:
    """Require that every entry of x is finite and a number of the arithmetic's tensors."""
    if not np.isfinite(x).all():
        k = int(np.flatnonzero(~np.isfinite(np.ravel(x)))[0])
        fail(f"{name} must be finite", f"{np.ravel(x)[k]} at flat index {k}", "clean the data")
    if not np.array_equal(arithmetic.quantize(x).astype(np.float64), np.asarray(x, np.float64)):
        fail(
            f"{name} must be representable in {arithmetic.name}",
            describe(np.asarray(x)), f"round first with {arithmetic.name.upper()}.quantize({name})",
        )  # fmt: skip


def derive(
    model: MLP,
    params: Params,
    x: Array,
    loss: Loss | None = None,
    target: Array | None = None,
    *,
    arithmetic: Arithmetic,
) -> dict[str, Bounded]:
    """Bound every intermediate of one forward and backward pass in the stated arithmetic.

    Returns, by name, ``z0 a0 z1 a1 ...`` (n, n_{l+1}); with a loss and a target also ``loss`` (),
    ``g`` = dL/da_{L-1}, ``dz0 dz1 ...`` = dL/dz_l, ``da0 ...`` = dL/da_l of hidden layers,
    ``dW0 db0 ...`` and ``dx``, all from the float64 reference with radius and bound.

    Raises `InputError` if a parameter, input or target is not finite or not representable in the
    arithmetic: a bound on the rounding of a computation cannot know how its input was rounded.
    """
    A = arithmetic
    if (loss is None) != (target is None):
        fail("loss and target must come together", f"{loss} and {describe(target)}", "pass both")
    require_exact("params", params.flat, A)
    require_exact("x", x, A)
    theta, x64 = params.astype(np.float64), np.asarray(x, np.float64)
    _, trace = model.forward(theta, x64)
    bounds: dict[str, Bounded] = {}
    a = exactly(x64)
    for k, (layer, f) in enumerate(zip(theta.layers, model.activations, strict=True)):
        bias = layer.b

        def dense(A: Arithmetic, x: Bounded, W: Bounded, bias: Array = bias) -> Array:
            return product_error(A, x, W, bias)

        z = bounds[f"z{k}"] = carry(A, trace.z[k], dense, a, exactly(layer.W), addend=bias)
        a = bounds[f"a{k}"] = carry(A, trace.a[k], value_error_of(f), z)
    if loss is not None and target is not None:
        if target.dtype.kind == "f":
            require_exact("target", target, A)
            # whether probabilities sum to one is judged in their own dtype
            loss.check(np.empty_like(trace.a[-1], dtype=target.dtype), target)
            target = target.astype(np.float64)
        else:
            loss.check(trace.a[-1], target)
        _derive_backward(A, model, theta, exactly(x64), loss, target, bounds)
    return bounds


def _derive_backward(
    A: Arithmetic,
    model: MLP,
    theta: Params,
    x: Bounded,
    loss: Loss,
    target: Array,
    bounds: dict[str, Bounded],
) -> None:
    last = len(theta.layers) - 1
    output = bounds[f"a{last}"]
    with np.errstate(over="ignore"):
        terms, count, grad = loss.parts(output.value, target)
        value, g_value = terms.sum() / count, grad() / count
    bounds["loss"] = carry(A, value, lambda A, z: loss_error(A, loss, z, target), output)
    g = bounds["g"] = carry(A, g_value, lambda A, z: gradient_error(A, loss, z, target), output)
    for k in reversed(range(last + 1)):
        layer, a = theta.layers[k], bounds[f"a{k - 1}"] if k else x
        dz = bounds[f"dz{k}"] = derive_vjp(
            A, model.activations[k], g, bounds[f"z{k}"], bounds[f"a{k}"]
        )
        ones = exactly(np.ones((1, len(x.value))))
        bounds[f"dW{k}"] = carry(A, a.value.T @ dz.value, _scaled_product, a.T, dz)
        db = carry(A, ones.value @ dz.value, _scaled_product, ones, dz)
        bounds[f"db{k}"] = Bounded(*(part[0] for part in db))
        W = exactly(layer.W.T)
        g = bounds[f"da{k - 1}" if k else "dx"] = carry(A, dz.value @ W.value, product_error, dz, W)


def _scaled_product(A: Arithmetic, x: Bounded, y: Bounded) -> Array:
    """A product whose common factor 1/n may be applied before or after."""
    return product_error(A, x, y, scalings=1)


def value_error_of(f: Activation) -> Any:
    """The error of f(z) as a function of (A, z); raises `InputError` for an unknown activation."""
    if isinstance(f, Elementwise):
        return lambda A, z: value_error(A, f, z)
    errors = {SOFTMAX: softmax_error, LOG_SOFTMAX: log_softmax_error}
    if f not in errors:
        fail(
            "bounds need an elementwise activation, SOFTMAX or LOG_SOFTMAX",
            describe(f), "describe the function in an Elementwise record",
        )  # fmt: skip
    return errors[f]


def derive_vjp(A: Arithmetic, f: Activation, g: Bounded, z: Bounded, a: Bounded) -> Bounded:
    """Bound dL/dz = J(z)^T g, where a = f(z)."""
    value = f.vjp(g.value, z.value, a.value)
    if isinstance(f, Elementwise):
        slope = f.slope(z.value, a.value)
        d = carry(A, slope, lambda A, z, a: slope_error(A, f, z, a), z, a, stored=False)
        return carry(A, value, times_error, g, d)
    if f is SOFTMAX:
        return carry(A, value, softmax_vjp_error, g, a)
    p = carry(A, SOFTMAX.value(z.value), softmax_error, z)
    return carry(A, value, log_softmax_vjp_error, g, p)
