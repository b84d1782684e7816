"""Activations: symmetries and relations between them, up to what rounding may do, or exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from evidence import at_most, is_caught, plus, slope_allowance, total, value_allowance
from hypothesis import given
from strategies import arithmetic_of, arithmetics, vectors

from mlp_ref import (
    ELU,
    GELU,
    GELU_TANH,
    IDENTITY,
    LEAKY_RELU,
    RELU,
    SIGMOID,
    SILU,
    SOFTPLUS,
    TANH,
)
from mlp_ref.activations import Elementwise
from mlp_ref.arithmetic import Arithmetic, Array

anything = arithmetics.flatmap(vectors)


class Term(NamedTuple):
    """sign * f(x) or sign * f'(x), and what rounding may do to it."""

    sign: int
    f: Elementwise
    at: int  # the sign of x
    slope: bool = False

    def of(self, A: Arithmetic, x: Array) -> tuple[Array, Array]:
        """The computed term in float64 and its allowance."""
        x = x if self.at > 0 else -x
        y = self.f.value(x)
        allowance = (slope_allowance if self.slope else value_allowance)(A, self.f, x)
        return self.sign * (self.f.slope(x, y) if self.slope else y).astype(float), allowance


def pair(f: Elementwise, sign: int, slope: bool = False) -> list[Term]:
    """f(x) + sign f(-x), or the same of f'."""
    return [Term(1, f, 1, slope), Term(sign, f, -1, slope)]


# name: terms, and what their sum is for every x
IDENTITIES: dict[str, tuple[list[Term], Callable[[Array], Array]]] = {
    "identity(x) + identity(-x) = 0": (pair(IDENTITY, 1), np.zeros_like),
    "tanh(x) + tanh(-x) = 0": (pair(TANH, 1), np.zeros_like),
    "sigmoid(x) + sigmoid(-x) = 1": (pair(SIGMOID, 1), np.ones_like),
    "relu(x) - relu(-x) = x": (pair(RELU, -1), np.copy),
    "softplus(x) - softplus(-x) = x": (pair(SOFTPLUS, -1), np.copy),
    "silu(x) - silu(-x) = x": (pair(SILU, -1), np.copy),
    "gelu(x) - gelu(-x) = x": (pair(GELU, -1), np.copy),
    "gelu_tanh(x) - gelu_tanh(-x) = x": (pair(GELU_TANH, -1), np.copy),
    "tanh'(x) = tanh'(-x)": (pair(TANH, -1, True), np.zeros_like),
    "sigmoid'(x) = sigmoid'(-x)": (pair(SIGMOID, -1, True), np.zeros_like),
    "softplus'(x) + softplus'(-x) = 1": (pair(SOFTPLUS, 1, True), np.ones_like),
    "silu'(x) + silu'(-x) = 1": (pair(SILU, 1, True), np.ones_like),
    "gelu'(x) + gelu'(-x) = 1": (pair(GELU, 1, True), np.ones_like),
    "gelu_tanh'(x) + gelu_tanh'(-x) = 1": (pair(GELU_TANH, 1, True), np.ones_like),
    "softplus' = sigmoid": ([Term(1, SOFTPLUS, 1, True), Term(-1, SIGMOID, 1)], np.zeros_like),
    "relu + elu' - elu = 1": (
        [Term(1, RELU, 1), Term(1, ELU, 1, True), Term(-1, ELU, 1)], np.ones_like,
    ),
}  # fmt: skip


def require_identity(name: str, x: Array) -> None:
    """The terms add up, and miss by no more than all of them together may."""
    A = arithmetic_of(x)
    terms, expected = IDENTITIES[name]
    values, allowances = zip(*(term.of(A, x) for term in terms), strict=True)
    assert at_most(np.abs(total(*values, -expected(x))), plus(*allowances))


@pytest.mark.parametrize("name", IDENTITIES)
@given(x=anything)
def test_identities_hold(name, x) -> None:
    """Every symmetry holds at every finite float, within the error of its terms."""
    require_identity(name, x)


def _naive_softplus(x: Array) -> Array:
    """Linear above 20, as some frameworks have it."""
    return np.where(x > 20, x, SOFTPLUS.value(np.minimum(x, 20)))


def _naive_tanh(x: Array) -> Array:
    """(1 - e) / (1 + e) with e = exp(-2 x), which cancels near zero."""
    e = np.exp(-2 * np.clip(x, -20, 20))
    return (1 - e) / (1 + e)


def _six_digits(x: Array) -> Array:
    """gelu, short by a millionth."""
    return GELU.value(x) * x.dtype.type(1 - 2.0**-20)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("softplus(x) - softplus(-x) = x", replace(SOFTPLUS, value=_naive_softplus)),
        ("tanh(x) + tanh(-x) = 0", replace(TANH, value=_naive_tanh)),
        ("gelu(x) - gelu(-x) = x", replace(GELU, value=_six_digits)),
    ],
)
def test_careless_kernels_break_an_identity(name, wrong, monkeypatch) -> None:
    """A softplus that is linear above 20, a tanh that cancels, a gelu with six digits: caught."""
    terms, expected = IDENTITIES[name]
    monkeypatch.setitem(IDENTITIES, name, ([t._replace(f=wrong) for t in terms], expected))
    is_caught(lambda x: require_identity(name, x), anything)


@given(x=anything)
def test_squares_of_tanh_and_its_slope(x) -> None:
    """tanh' = 1 - tanh^2, within the error of the slope and twice that of the value."""
    A, y = arithmetic_of(x), TANH.value(x)
    error = value_allowance(A, TANH, x)
    square = np.square(y.astype(np.float64))
    allowed = (2 * np.abs(y) + error) * error + slope_allowance(A, TANH, x)
    # The square is rounded to float64.
    allowed = allowed + np.finfo(np.float64).eps * square
    assert at_most(np.abs(total(TANH.slope(x, y), square, -1)), allowed)


@given(x=anything)
def test_tanh_is_a_sigmoid_of_twice_the_argument(x) -> None:
    """tanh(x / 2) = 2 sigmoid(x) - 1, within the error of both, for x / 2 that is exact."""
    A = arithmetic_of(x)
    x = np.where(np.abs(x) < A.tiny, 0, x).astype(x.dtype)
    half = x / 2
    allowed = value_allowance(A, TANH, half) + 2 * value_allowance(A, SIGMOID, x) + A.tiny
    missed = total(TANH.value(half), -2 * SIGMOID.value(x).astype(np.float64), 1)
    assert at_most(np.abs(missed), allowed)


@given(x=anything)
def test_piecewise_linear_functions_are_exact(x) -> None:
    """identity and relu return x or 0; leaky_relu is the larger of x and the rounded 0.01 x."""
    A = arithmetic_of(x)
    assert np.array_equal(IDENTITY.value(x), x)
    assert np.array_equal(RELU.value(x), np.where(x > 0, x, 0))
    y = LEAKY_RELU.value(x)
    assert np.array_equal(y[x >= 0], x[x >= 0])
    assert at_most(np.abs(total(y, -0.01 * np.minimum(x, 0).astype(float), -np.maximum(x, 0))),
                   value_allowance(A, LEAKY_RELU, x))  # fmt: skip


@given(x=anything)
def test_smooth_rectifiers_lie_where_they_must(x) -> None:
    """softplus > relu >= silu and relu >= gelu: a smooth bend never crosses, rounding aside."""
    A, top = arithmetic_of(x), RELU.value(x)
    for f, sign in ((SOFTPLUS, 1), (SILU, -1), (GELU, -1), (GELU_TANH, -1)):
        assert at_most(sign * total(top, -f.value(x)), value_allowance(A, f, x))
