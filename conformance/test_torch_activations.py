"""Every activation of PyTorch and its derivative: all binades, kinks, infinities, NaN.

Where PyTorch deviates, the set of entries outside the bound is derived from the cause and must be
matched exactly: no bound is widened, and a deviation that disappears fails the test too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
import torch
from peers import DTYPES, MODULES, numpy_of, rng_of
from torch import nn

from mlp_ref import ACTIVATIONS
from mlp_ref.activations import Elementwise
from mlp_ref.arithmetic import ARITHMETICS, Arithmetic, Array
from mlp_ref.bounds import Bounded, carry, exactly, slope_error, times_error, value_error

every = pytest.mark.parametrize("name", ACTIVATIONS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
Tensors = dict[str, Array]


def torch_of(module: nn.Module, x: Array) -> Tensors:
    """f(x), and f'(x) by autograd."""
    z = torch.tensor(x, requires_grad=True)
    a = module(z)
    (slope,) = torch.autograd.grad(a, z, torch.ones_like(a))
    return {"value": numpy_of(a), "slope": numpy_of(slope)}


def ours_of(f: Elementwise, x: Array) -> Tensors:
    """The same by our kernels."""
    y = f.value(x)
    return {"value": y, "slope": f.slope(x, y)}


def bounds_of(A: Arithmetic, f: Elementwise, x: Array) -> dict[str, Bounded]:
    """f(x) and 1 f'(x) for an exact x."""
    z, wide = exactly(x), x.astype(np.float64)
    y = carry(A, f.value(wide), lambda A, z: value_error(A, f, z), z)
    slope = f.slope(wide, y.value)
    d = carry(A, slope, lambda A, z, y: slope_error(A, f, z, y), z, y, stored=False)
    return {
        "value": y,
        "slope": carry(A, slope, times_error, exactly(np.ones_like(wide)), d),
    }


def outside(got: Array, q: Bounded) -> Array:
    """Which entries of finite input are not within their bound; NaN never is."""
    with np.errstate(invalid="ignore"):
        return ~(np.abs(got.astype(np.float64) - q.value) <= q.allowed)


def points(dtype: str) -> Array:
    """Four numbers of every binade, subnormal ones too, and many from -120 to 120."""
    A, rng = ARITHMETICS[dtype], rng_of(f"points/{dtype}")
    info = np.finfo(A.dtype)
    binades = np.arange(info.minexp - info.nmant, info.maxexp)
    grid = np.ldexp(rng.uniform(1, 2, (4, len(binades))), binades).ravel()
    size = A.quantize(np.concatenate([[0.0], grid, rng.uniform(0, 120, 4000)]))
    return np.concatenate([size, -size])


# oneDNN serves float32 gelu on AVX-512: (1 + erf) x is NaN at inf. ATen's kernels are right there.
AVX512 = torch.backends.cpu.get_cpu_capability() == "AVX512"
Where = Callable[[Array, Bounded], Array]
DEVIATIONS: dict[tuple[str, str, str], Where] = {
    # Above its threshold of 20 softplus is x, without log1p(exp(-x)), and the derivative is 1.
    ("softplus", "value", "float64"): lambda x, q: (x > 20) & (np.abs(x - q.value) > q.allowed),
    ("softplus", "slope", "float64"): lambda x, q: (x > 20) & (np.abs(1 - q.value) > q.allowed),
    # x x overflows, and inf times sech(inf)^2 = 0 is NaN.
    ("gelu_tanh", "slope", "float32"): lambda x, q: np.isinf(x * x),
    ("gelu_tanh", "slope", "float64"): lambda x, q: np.isinf(x * x),
}


def deviations(name: str, tensor: str, x: Array, q: Bounded) -> Array:
    """Where PyTorch is known to be outside the bound."""
    where = DEVIATIONS.get((name, tensor, str(x.dtype)))
    with np.errstate(over="ignore", invalid="ignore"):
        return where(x, q) if where else np.zeros(x.shape, bool)


@dtypes
@every
def test_every_binade(name: str, dtype: str) -> None:
    """Value and derivative are within their bounds everywhere but where a deviation is named."""
    A, x = ARITHMETICS[dtype], points(dtype)
    theirs, bounds = torch_of(MODULES[name](), x), bounds_of(A, ACTIVATIONS[name], x)
    for tensor, q in bounds.items():
        failing, named = outside(theirs[tensor], q), deviations(name, tensor, x, q)
        wrong = failing != named
        assert not wrong.any(), (tensor, x[wrong], theirs[tensor][wrong], q.value[wrong])


def test_every_deviation_is_found() -> None:
    """Each named deviation is met by some point, so that none is a dead letter."""
    for name, tensor, dtype in DEVIATIONS:
        x = points(dtype)
        q = bounds_of(ARITHMETICS[dtype], ACTIVATIONS[name], x)[tensor]
        assert deviations(name, tensor, x, q).any()


def above_20(dtype: str) -> Array:
    """Points on both sides of the threshold."""
    return ARITHMETICS[dtype].quantize(np.linspace(15, 60, 1001))


def test_softplus_returns_its_input_above_the_threshold() -> None:
    """In float64 x > 20 comes back bit by bit, although log(1 + exp(x)) is another number."""
    x = above_20("float64")
    theirs, ours = torch_of(nn.Softplus(), x), ours_of(ACTIVATIONS["softplus"], x)
    np.testing.assert_array_equal(theirs["value"] == x, (x > 20) | (ours["value"] == x))
    np.testing.assert_array_equal(theirs["slope"] == 1, (x > 20) | (ours["slope"] == 1))
    assert (ours["value"][(x > 20) & (x < 30)] > x[(x > 20) & (x < 30)]).all()


@pytest.mark.parametrize("threshold", [40, 80])
@dtypes
def test_a_larger_threshold_removes_the_deviation(dtype: str, threshold: int) -> None:
    """With threshold=40 or more softplus is within its bounds at every point."""
    A = ARITHMETICS[dtype]
    for x in (above_20(dtype), points(dtype)):
        theirs = torch_of(nn.Softplus(threshold=threshold), x)
        for tensor, q in bounds_of(A, ACTIVATIONS["softplus"], x).items():
            assert not outside(theirs[tensor], q).any()


@dtypes
def test_the_threshold_is_below_the_resolution_of_float32(dtype: str) -> None:
    """The default threshold deviates in float64 and only there."""
    x = above_20(dtype)
    theirs = torch_of(nn.Softplus(), x)
    bounds = bounds_of(ARITHMETICS[dtype], ACTIVATIONS["softplus"], x)
    found = [outside(theirs[tensor], q).any() for tensor, q in bounds.items()]
    assert found == [dtype == "float64"] * 2


KINKS = {
    "relu": (0.0, 0.0, 1.0),
    "leaky_relu": (0.01, 0.01, 1.0),
    "elu": (1.0, 1.0, 1.0),
    "identity": (1.0, 1.0, 1.0),
}


@dtypes
@pytest.mark.parametrize("name", KINKS)
def test_the_derivative_at_zero_is_the_left_one(name: str, dtype: str) -> None:
    """At -0 and 0 both take the derivative of negative x, and at the least x > 0 that of the right.

    Bit by bit, here and there: relu'(0) = 0, leaky_relu'(0) = 0.01, elu'(0) = 1.
    """
    kind = np.dtype(dtype).type
    least = np.finfo(dtype).smallest_subnormal
    x = np.array([-least, -0.0, 0.0, least], dtype)
    left, at_zero, right = KINKS[name]
    expected = np.array([left, at_zero, at_zero, right], kind)
    theirs, ours = torch_of(MODULES[name](), x), ours_of(ACTIVATIONS[name], x)
    np.testing.assert_array_equal(theirs["slope"], expected, strict=True)
    np.testing.assert_array_equal(ours["slope"], expected, strict=True)


@dtypes
@every
def test_a_zero_of_either_sign_has_one_value(name: str, dtype: str) -> None:
    """f(-0) equals f(0) and f'(-0) equals f'(0), here and there."""
    x = np.array([-0.0, 0.0], dtype)
    for found in (torch_of(MODULES[name](), x), ours_of(ACTIVATIONS[name], x)):
        for tensor in found.values():
            assert tensor[0] == tensor[1]


NAN_AT_INFINITY = {
    # inf 0 in x times a factor that vanishes; we state the limit
    ("silu", "value", "float32"): [-np.inf],
    ("silu", "value", "float64"): [-np.inf],
    ("silu", "slope", "float32"): [-np.inf, np.inf],
    ("silu", "slope", "float64"): [-np.inf, np.inf],
    ("gelu", "value", "float32"): [-np.inf, np.inf] if AVX512 else [-np.inf],
    ("gelu", "value", "float64"): [-np.inf],
    ("gelu", "slope", "float32"): [-np.inf, np.inf],
    ("gelu", "slope", "float64"): [-np.inf, np.inf],
    ("gelu_tanh", "value", "float32"): [-np.inf],
    ("gelu_tanh", "value", "float64"): [-np.inf],
    ("gelu_tanh", "slope", "float32"): [-np.inf, np.inf],
    ("gelu_tanh", "slope", "float64"): [-np.inf, np.inf],
}


@dtypes
@every
def test_infinities(name: str, dtype: str) -> None:
    """At -inf and inf PyTorch has our limits, or NaN exactly where the table says so."""
    x = np.array([-np.inf, np.inf], dtype)
    theirs, ours = torch_of(MODULES[name](), x), ours_of(ACTIVATIONS[name], x)
    for tensor, limit in ours.items():
        assert not np.isnan(limit).any()
        lost = np.isin(x, NAN_AT_INFINITY.get((name, tensor, dtype), []))
        expected = np.where(lost, np.nan, limit)
        np.testing.assert_array_equal(theirs[tensor], expected, err_msg=tensor)


def nan_positions(dtype: str) -> Iterator[Array]:
    """NaN alone, and at every place of an array that fills vector registers and a remainder."""
    yield np.array([np.nan], dtype)
    for k in range(35):
        x = np.linspace(-2, 2, 35).astype(dtype)
        x[k] = np.nan
        yield x


@dtypes
@every
def test_nan_goes_through_every_function(name: str, dtype: str) -> None:
    """f(NaN) is NaN, relu included, and no neighbour is touched: here and in PyTorch."""
    for x in nan_positions(dtype):
        for run in (partial(torch_of, MODULES[name]()), partial(ours_of, ACTIVATIONS[name])):
            np.testing.assert_array_equal(np.isnan(run(x)["value"]), np.isnan(x))


@dtypes
def test_pytorch_forgets_nan_in_the_derivative_of_relu(dtype: str) -> None:
    """relu'(NaN) is 1 and leaky_relu'(NaN) 0.01 in PyTorch, NaN here.

    Nothing follows from it in a network: f(NaN) is NaN, hence the loss and what it multiplies.
    """
    kind = np.dtype(dtype).type
    for name, slope in (("relu", 1), ("leaky_relu", 0.01)):
        for x in nan_positions(dtype):
            lost = np.isnan(x)
            assert (torch_of(MODULES[name](), x)["slope"][lost] == kind(slope)).all()
            np.testing.assert_array_equal(np.isnan(ours_of(ACTIVATIONS[name], x)["slope"]), lost)
