"""The bounds of every block against an adversary, and the adversary against weakened bounds."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from simulator import blocks
from simulator.attacker import largest_error
from simulator.blocks import Block
from simulator.mutants import Mutant, mutants
from test_bounds_attack import ARITHMETICS as COMMON

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import FLOAT64, Arithmetic, Array
from mlp_ref.bounds import Bounded, bounded, elementwise, losses, product, softmax, steps

ARITHMETICS = COMMON | {
    "overflow": replace(FLOAT64, name="overflow", u=2.0**-8, K=1.0, largest=8.0),
}
ROWS, CLASSES = 3, 3
REPEATS = 3
# A bound is evaluated in float64, in fewer than 200 operations on nonnegative numbers.
EVALUATION = 1 + FLOAT64.gamma(200)


def errs(
    A: Arithmetic, rng: np.random.Generator, value: Array, relative: bool = False
) -> Bounded:
    """An input whose reference and whose computation err, by nothing up to a large part of it."""
    scale = np.abs(value) if relative else np.ones_like(value)
    radius, bound = (
        scale * 2.0 ** rng.uniform(np.log2(A.u) - 4, -1) * rng.random(value.shape)
        * rng.choice([0, 0, 1], p=[0.3, 0.2, 0.5]) for _ in range(2)
    )  # fmt: skip
    return Bounded(value, radius, bound)


def numbers(A: Arithmetic, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """All 53 bits, of sizes that reach down to where the arithmetic underflows."""
    low = max(np.log2(A.tiny_store or A.tiny) - 4, -30)
    return rng.choice([-1, 1], shape) * 2.0 ** rng.uniform(*rng.choice([(low, 1), (-3, 2)]), shape)


def drawn(A: Arithmetic, rng: np.random.Generator) -> Iterator[Block]:
    """Every block, on inputs drawn anew."""
    k = int(rng.integers(1, 5))
    x, y = numbers(A, rng, (ROWS, k)), numbers(A, rng, (k, CLASSES))
    b = numbers(A, rng, (CLASSES,))
    for bias, scaled in ((None, False), (None, True), (b, False)):
        yield blocks.product(errs(A, rng, x, True), errs(A, rng, y, True), bias, scaled)
    yield blocks.stored_product(errs(A, rng, x, True), errs(A, rng, y, True), b)
    if A.name == "overflow":  # a logit never comes near the largest number
        return
    z = numbers(A, rng, (20,)) * 2.0 ** rng.uniform(-2, 3)
    for f in ACTIVATIONS.values():
        yield blocks.value(f, errs(A, rng, z))
        yield blocks.slope(f, errs(A, rng, z))
    yield blocks.times(errs(A, rng, z), errs(A, rng, numbers(A, rng, (20,))))
    z = numbers(A, rng, (ROWS, CLASSES)) * 2.0 ** rng.uniform(-3, 5)
    z += rng.choice([0, 0, 20, -20, 300])
    g = numbers(A, rng, z.shape)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    yield from blocks.softmax_blocks(errs(A, rng, z), errs(A, rng, g), errs(A, rng, p, True))
    labels = np.where(rng.random(ROWS) < 0.5, p.argmax(axis=1), rng.integers(0, CLASSES, ROWS))
    soft = np.zeros(z.shape)
    for row in soft:
        np.add.at(row, rng.integers(0, CLASSES, 4), 0.25)
    unit = rng.choice([0, 1, 0.5, rng.random()], z.shape)
    yield from blocks.loss_blocks(errs(A, rng, z), labels, soft, unit, numbers(A, rng, z.shape))


class Finding(NamedTuple):
    """The largest errors of a block in an arithmetic, and what float64 adds to them."""

    A: Arithmetic
    block: Block
    error: Array
    slack: Array


@cache
def findings() -> list[Finding]:
    """The attack, once for all tests."""
    found = []
    for k, A in enumerate(ARITHMETICS.values()):
        rng = np.random.default_rng(k)
        for _ in range(REPEATS):
            for block in drawn(A, rng):
                given = tuple(q._replace(bound=np.zeros_like(q.bound)) for q in block.inputs)
                with np.errstate(all="ignore"):
                    errors = [largest_error(A, p, rng, runs=1) for p in block.programs]
                    slack = 2 * block.bound(SOUND, FLOAT64, given)
                found.append(Finding(A, block, np.maximum.reduce(errors), slack))
    return found


class Functions:
    """The functions of `mlp_ref.bounds`, those of a weakened module first."""

    def __init__(self, *weakened: Any) -> None:
        self.modules = (*weakened, product, elementwise, softmax, losses, bounded)

    def __getattr__(self, name: str) -> Any:
        return next(getattr(m, name) for m in self.modules if hasattr(m, name))


SOUND = Functions()


def allowed(module: Any, finding: Finding) -> Array:
    """What a module allows, and what float64 may add to a finding."""
    A, block, _, slack = finding
    with np.errstate(all="ignore"):
        return np.asarray(block.bound(module, A, block.inputs)) * EVALUATION + slack


def excess(module: Any, finding: Finding) -> bool:
    """Whether an error exceeds what is allowed."""
    limit = allowed(module, finding)
    return not ((finding.error <= limit) | np.isinf(limit)).all()


def test_no_block_exceeds_its_bound() -> None:
    """Whatever the adversary gives rounding and inputs, nothing errs by more than its bound."""
    assert sum(finding.error.size for finding in findings()) > 10_000
    for finding in findings():
        limit = allowed(SOUND, finding)
        ratio = np.where(np.isinf(limit), 0, finding.error / limit)
        k = np.unravel_index(int(np.nanargmax(ratio)), ratio.shape)
        assert not excess(SOUND, finding), (
            f"{finding.block.text} in {finding.A.name}: {ratio[k]:.6f} x the bound at {k}; "
            f"{[q.value[k] if q.value.shape == ratio.shape else q for q in finding.block.inputs]}"
        )
