"""softmax and log_softmax of PyTorch: value and vector-Jacobian product, finite and not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from peers import CRITERIA, DTYPES, LOGITS, MODULES, answer, numpy_of, require, rng_of, sequential

from mlp_ref import ACTIVATIONS, LOG_SOFTMAX, MLP, SOFTMAX, SQUARED_ERROR, Params
from mlp_ref.arithmetic import ARITHMETICS, Arithmetic, Array
from mlp_ref.bounds import Bounded, carry, derive, exactly, log_softmax_error, softmax_error
from mlp_ref.bounds.softmax import log_softmax_vjp_error, softmax_vjp_error
from mlp_ref.gate.judge import Result, judge

dtypes = pytest.mark.parametrize("dtype", DTYPES)
names = pytest.mark.parametrize("name", ["softmax", "log_softmax"])


def softmax_bounds(A: Arithmetic, z: Array, g: Array) -> dict[str, Bounded]:
    """p and its vjp for exact logits and an exact g."""
    logits, gradient = exactly(z), exactly(g)
    p = carry(A, SOFTMAX.value(logits.value), softmax_error, logits)
    value = SOFTMAX.vjp(gradient.value, logits.value, p.value)
    return {"value": p, "vjp": carry(A, value, softmax_vjp_error, gradient, p)}


def log_softmax_bounds(A: Arithmetic, z: Array, g: Array) -> dict[str, Bounded]:
    """log p and its vjp for exact logits and an exact g."""
    logits, gradient = exactly(z), exactly(g)
    p = carry(A, SOFTMAX.value(logits.value), softmax_error, logits)
    log_p = carry(A, LOG_SOFTMAX.value(logits.value), log_softmax_error, logits)
    value = LOG_SOFTMAX.vjp(gradient.value, logits.value, log_p.value)
    return {"value": log_p, "vjp": carry(A, value, log_softmax_vjp_error, gradient, p)}


class Rowwise(NamedTuple):
    """Our function, and its bounds."""

    ours: Any
    bounds: Callable[[Arithmetic, Array, Array], dict[str, Bounded]]


ROWWISE = {
    "softmax": Rowwise(SOFTMAX, softmax_bounds),
    "log_softmax": Rowwise(LOG_SOFTMAX, log_softmax_bounds),
}


def torch_of(name: str, z: Array, g: Array) -> dict[str, Array]:
    """The value, and the vector-Jacobian product by autograd."""
    logits = torch.tensor(z, requires_grad=True)
    y = MODULES[name]()(logits)
    (vjp,) = torch.autograd.grad(y, logits, torch.tensor(g))
    return {"value": numpy_of(y), "vjp": numpy_of(vjp)}


def ours_of(name: str, z: Array, g: Array) -> dict[str, Array]:
    """The same by our functions."""
    y = ROWWISE[name].ours.value(z)
    return {"value": y, "vjp": ROWWISE[name].ours.vjp(g, z, y)}


def judged(A: Arithmetic, name: str, z: Array, g: Array, got: dict[str, Array]) -> list[Result]:
    """Value and vjp against their bounds."""
    expected = ROWWISE[name].bounds(A, z, g)
    return [judge(tensor, got[tensor], q, A) for tensor, q in expected.items()]


@dtypes
@names
@pytest.mark.parametrize("family", LOGITS)
def test_finite_logits_of_any_size(family: str, name: str, dtype: str) -> None:
    """PyTorch's value and vjp, and ours, are within bound + radius."""
    A = ARITHMETICS[dtype]
    z = A.quantize(LOGITS[family])
    g = A.quantize(rng_of(f"g/{family}").standard_normal(z.shape))
    for run in (torch_of, ours_of):
        require(judged(A, name, z, g, run(name, z, g)), f"{family} {run.__name__}")


@dtypes
@names
def test_a_logit_of_minus_infinity_is_a_class_that_is_absent(name: str, dtype: str) -> None:
    """Its p is exactly 0 and its log p -inf; the others are as if it were very unlikely.

    Its entry of the vjp is exactly 0 for softmax and exactly g for log_softmax.
    """
    A, rng = ARITHMETICS[dtype], rng_of("absent")
    z, g = (A.quantize(scale * rng.standard_normal((6, 5))) for scale in (500, 1))
    others = np.arange(5) != 2
    z[:, 2] = -100_000  # exp of it is 0, of any shift
    bounds = ROWWISE[name].bounds(A, z, g)
    z[:, 2] = -np.inf
    value, vjp = (-np.inf, g[:, 2]) if name == "log_softmax" else (0, np.zeros(6, dtype))
    for run in (torch_of, ours_of):
        got = run(name, z, g)
        assert (got["value"][:, 2] == value).all()
        np.testing.assert_array_equal(got["vjp"][:, 2], vjp)
        for tensor, q in bounds.items():
            rest = Bounded(*(part[:, others] for part in q))
            require([judge(tensor, got[tensor][:, others], rest, A)], run.__name__)


UNDEFINED = {
    "nothing but -inf": [-np.inf, -np.inf, -np.inf],
    "one inf": [1.0, np.inf, 2.0],
    "inf and -inf": [-np.inf, np.inf, 2.0],
    "two inf": [np.inf, np.inf, 2.0],
    "nan": [1.0, np.nan, 2.0],
    "nan and -inf": [-np.inf, np.nan, 2.0],
}


@dtypes
@names
@pytest.mark.parametrize("kind", UNDEFINED)
def test_a_row_without_a_softmax_is_nan(kind: str, name: str, dtype: str) -> None:
    """Value and vjp of the whole row are NaN, here and there, and the rows around it are not."""
    z, g = np.ones((3, 3), dtype), np.ones((3, 3), dtype)
    z[1] = UNDEFINED[kind]
    for run in (torch_of, ours_of):
        for array in run(name, z, g).values():
            assert np.isnan(array).tolist() == [[False] * 3, [True] * 3, [False] * 3]


@dtypes
@names
@pytest.mark.parametrize("scale", [1, 64])
def test_as_a_layer_of_a_network(name: str, scale: int, dtype: str) -> None:
    """With softmax as the output layer every gradient of the squared error is within its bound."""
    A, rng = ARITHMETICS[dtype], rng_of(f"layer/{name}/{scale}")
    layers = [
        (scale * rng.standard_normal((6, 5)), rng.standard_normal(5)),
        (rng.standard_normal((5, 3)), rng.standard_normal(3)),
    ]
    params = Params.from_layers((A.quantize(W), A.quantize(b)) for W, b in layers)
    model = MLP(params.sizes, (ACTIVATIONS["tanh"], ROWWISE[name].ours))
    x, target = (A.quantize(rng.standard_normal((7, k))) for k in (6, 3))
    bounds = derive(model, params, x, SQUARED_ERROR, target, arithmetic=A)
    weights, biases = zip(*params.layers, strict=True)
    net = sequential(weights, biases, [f.name for f in model.activations])
    got = answer(net, CRITERIA["squared_error"], x, target)
    require([judge(tensor, array, bounds[tensor], A) for tensor, array in got.items()], name)
