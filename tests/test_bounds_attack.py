"""The bounds of whole networks against simulated implementations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from simulator.networks import Machine, simulate

from mlp_ref.activations import ACTIVATIONS, IDENTITY, TANH, Activation
from mlp_ref.arithmetic import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, TF32, Arithmetic, Array
from mlp_ref.bounds import Bounded, derive
from mlp_ref.losses import BINARY_CROSS_ENTROPY, LOSSES, SQUARED_ERROR, Loss
from mlp_ref.model import MLP
from mlp_ref.parameters import Params
from mlp_ref.softmax import LOG_SOFTMAX, SOFTMAX

pytestmark = pytest.mark.slow

ARITHMETICS = {
    "p = 24": FLOAT32,
    "p = 11": replace(FLOAT64, name="p = 11", u=2.0**-11),
    "p = 8": replace(FLOAT64, name="p = 8", u=2.0**-8),
    "p = 8, exact functions": replace(FLOAT64, name="exact functions", u=2.0**-8, K=1.0),
    "underflow": replace(FLOAT64, name="underflow", u=2.0**-24, tiny=2.0**-12, K=1.0),
    "bfloat16": BFLOAT16,
    "float16": FLOAT16,
    "coarse storage": replace(
        FLOAT64, name="coarse storage", precision=5, u=2.0**-24, tiny_store=2.0**-9
    ),
    "tf32": TF32,
    "truncated": replace(FLOAT64, name="truncated", u=2.0**-10, u_operand=2.0**-7),
}
SHAPES = ((1, (1, 1)), (3, (4, 3)), (4, (3, 5, 2)), (5, (2, 4, 4, 3)), (8, (17, 6, 4)))
HIDDEN: tuple[Activation, ...] = tuple(ACTIVATIONS.values())
OUTPUTS: tuple[Activation, ...] = (IDENTITY, SOFTMAX, LOG_SOFTMAX)
ATTEMPTS = 4


class Case(NamedTuple):
    """A network, its input, and what it is trained for."""

    model: MLP
    params: Params
    x: Array
    loss: Loss
    target: Array


def draw(
    A: Arithmetic, rng: np.random.Generator, sizes: tuple[int, ...], n: int,
    hidden: Activation, output: Activation, loss: Loss,
) -> Case:  # fmt: skip
    """Numbers over several magnitudes, in the arithmetic's own representation."""
    scale = 2.0 ** rng.uniform(-4, 3)
    model = MLP(sizes, (hidden,) * (len(sizes) - 2) + (output,))
    params = Params.zeros(sizes, np.float64)
    for layer in params.layers:
        layer.W[...] = rng.normal(size=layer.W.shape) * scale / np.sqrt(len(layer.W))
        layer.b[...] = rng.normal(size=layer.b.shape) * 2.0 ** rng.uniform(-8, 1)
    flat = A.quantize(params.flat).astype(np.float64)
    x = rng.normal(size=(n, sizes[0])) * 2.0 ** rng.uniform(-6, 3, (n, sizes[0]))
    target: Array = rng.integers(0, sizes[-1], n)
    if loss is BINARY_CROSS_ENTROPY:
        target = A.quantize(rng.choice([0, 1, 0.5, 0.25, rng.random()], (n, sizes[-1])))
    elif loss is SQUARED_ERROR:
        target = A.quantize(rng.normal(size=(n, sizes[-1])))
    elif rng.integers(3) == 0:
        target = np.zeros((n, sizes[-1]))
        for row in target:  # eighths that sum to one
            np.add.at(row, rng.integers(0, sizes[-1], 8), 0.125)
    target = target.astype(np.float64) if target.dtype.kind == "f" else target
    return Case(model, params.like(flat), A.quantize(x).astype(np.float64), loss, target)


def cases(A: Arithmetic, rng: np.random.Generator) -> Iterator[Case]:
    """Every activation and every output with every loss, in every shape."""
    for n, sizes in SHAPES:
        for loss in LOSSES.values():
            for hidden in HIDDEN:
                yield draw(A, rng, sizes, n, hidden, IDENTITY, loss)
            for output in OUTPUTS[1:]:
                yield draw(A, rng, sizes, n, TANH, output, loss)


def ratios(found: Array, bounded: Bounded) -> Array:
    """|found - value| over what is allowed; an unbounded entry counts as 0."""
    with np.errstate(all="ignore"):
        error = np.abs(found - bounded.value)
        ratio = np.where(error == 0, 0, error / bounded.allowed)
    return np.where(np.isinf(bounded.allowed), 0, np.where(np.isnan(ratio), np.inf, ratio))


def attack(A: Arithmetic, case: Case, rng: np.random.Generator) -> tuple[int, float]:
    """Entries compared and the largest ratio; the message names what exceeds its bound."""
    bounds = derive(*case, arithmetic=A)
    entries, worst = 0, 0.0
    for _ in range(ATTEMPTS):
        machine = Machine(A, rng, truncating=bool(A.u_operand) and bool(rng.integers(2)))
        with np.errstate(all="ignore"):
            found = simulate(machine, *case)
        assert found.keys() == bounds.keys()
        for name, bounded in bounds.items():
            ratio = ratios(found[name], bounded)
            entries += int(np.isfinite(bounded.allowed).sum())
            worst = max(worst, float(ratio.max()))
            assert (ratio <= 1).all(), (
                f"{A.name}, {case.model.activations}, {case.loss}: {name} exceeds its bound "
                f"by {ratio.max():.4f} at {np.unravel_index(ratio.argmax(), ratio.shape)}"
            )
    return entries, worst


@pytest.mark.slow
@pytest.mark.parametrize("name", ARITHMETICS)
def test_no_network_exceeds_its_bounds(name: str) -> None:
    """In no order of summation and with no formula does any tensor err by more than its bound."""
    A, rng = ARITHMETICS[name], np.random.default_rng(len(name))
    found = [attack(A, case, rng) for case in cases(A, rng)]
    # ten arithmetics make more than a hundred thousand entries together
    assert sum(entries for entries, _ in found) > 10_000
    assert max(worst for _, worst in found) > 1 / 4, "the attack has become harmless"
