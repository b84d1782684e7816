"""The bounds of every block against an adversary, and the adversary against weakened bounds."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
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
from mlp_ref.bounds import Bounded, bounded, elementwise, losses, product, softmax

pytestmark = pytest.mark.slow

USED = (
    "p = 24", "p = 8", "p = 8, exact functions", "underflow", "bfloat16", "coarse storage", "tf32",
)  # fmt: skip
ARITHMETICS = {name: COMMON[name] for name in USED} | {
    "overflow": replace(FLOAT64, name="overflow", u=2.0**-8, K=1.0, largest=8.0),
}
# These hold no term of a bound: they decide, or hand on what others return. `_as_read` is about
# subnormal numbers, which tests/test_certify_build.py reads as zero.
DECISIONS = ("_as_read", "_is_exact", "_held", "carry", "exactly")
ROWS, CLASSES = 3, 3
# What `carry` adds to every bound for its evaluation in float64.
EVALUATION = 1 + 2.0**-20


class Errs(NamedTuple):
    """How far inputs may err: not at all, by a few roundings, or by a large part."""

    u: float
    rng: np.random.Generator

    def __call__(self, value: Array, relative: bool = False) -> Bounded:
        """An input whose reference and whose computation err."""
        scale = np.abs(value) if relative else np.ones_like(value)
        radius, bound = self.u * scale * self.rng.random((2, *value.shape))
        return Bounded(value, radius * self.rng.integers(2), bound)


def numbers(A: Arithmetic, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """All 53 bits, of sizes that reach down to where the arithmetic underflows."""
    low = max(np.log2(A.tiny_store or A.tiny) - 4, -30)
    return rng.choice([-1, 1], shape) * 2.0 ** rng.uniform(*rng.choice([(low, 1), (-3, 2)]), shape)


def drawn(A: Arithmetic, rng: np.random.Generator, errs: Errs) -> Iterator[Block]:
    """Every block, on inputs drawn anew."""
    k = int(rng.integers(1, 5))
    x, y = numbers(A, rng, (ROWS, k)), numbers(A, rng, (k, CLASSES))
    b = numbers(A, rng, (CLASSES,))
    for bias, scaled in ((None, False), (None, True), (b, False)):
        yield blocks.product(errs(x, True), errs(y, True), bias, scaled)
    yield blocks.stored_product(errs(x, True), errs(y, True), b)
    z = 16 * numbers(A, rng, (40,))
    yield blocks.stored(errs(z, True), numbers(A, rng, (40,)) * rng.choice([0, 1]))
    if A.name == "overflow":  # a logit never comes near the largest number
        return
    z = numbers(A, rng, (20,)) * 2.0 ** rng.uniform(-2, 3)
    for f in ACTIVATIONS.values():
        yield blocks.value(f, errs(z))
        yield blocks.slope(f, errs(z))
    yield blocks.times(errs(z), errs(numbers(A, rng, (20,))))
    z = numbers(A, rng, (ROWS, CLASSES)) * 2.0 ** rng.uniform(-3, 5)
    z += rng.choice([0, 0, 20, -20, 300])
    if rng.integers(3) == 0:  # half of the probability for one class
        z = np.log([2.0, 1, 1]) + 0.01 * rng.normal(size=z.shape)
    g = numbers(A, rng, z.shape)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    yield from blocks.softmax_blocks(errs(z), errs(g), errs(p, True))
    labels = np.where(rng.random(ROWS) < 0.5, p.argmax(axis=1), rng.integers(0, CLASSES, ROWS))
    soft = np.zeros(z.shape)
    for row in soft:
        np.add.at(row, rng.integers(0, CLASSES, 4), 0.25)
    unit = rng.choice([0, 1, 0.5, rng.random()], z.shape)
    yield from blocks.loss_blocks(errs(z), labels, soft, unit, numbers(A, rng, z.shape))


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
        for u in (0, 0, 4 * A.u, 0.25, 1):
            for block in drawn(A, rng, Errs(u, rng)):
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


def exceeds(finding: Finding, limit: Array) -> bool:
    """Whether an error exceeds what is allowed."""
    return not ((finding.error <= limit) | np.isinf(limit)).all()


@cache
def attacked() -> list[tuple[Finding, Array]]:
    """Every finding, and what the sound bound allows."""
    return [(finding, allowed(SOUND, finding)) for finding in findings()]


def chain_holds(chain: Callable[[Arithmetic], Arithmetic]) -> bool:
    """An operation or an elementary function, then memory: what `chain` allows for the two."""
    return all(
        one.u * EVALUATION >= (1 + A.u) * (1 + A.u_store) - 1
        and one.K * one.u * EVALUATION >= (1 + A.K * A.u) * (1 + A.u_store) - 1
        and one.tiny >= A.tiny + A.tiny_store
        for A, one in ((A, chain(A)) for A in ARITHMETICS.values())
    )


def test_a_chain_allows_an_operation_and_memory() -> None:
    """u, K and tiny of `chain` cover a rounding that follows a rounding."""
    assert chain_holds(bounded.chain)


def verdict(mutant: Mutant) -> str:
    """killed: an error exceeds the weakened bound; stronger: no bound is smaller; else survived."""
    smaller = larger = False
    try:
        module = mutant.load("mlp_ref.bounds")
        if not chain_holds(getattr(module, "chain", bounded.chain)):
            return "killed"
        weakened = Functions(module)
        for finding, sound in attacked():
            weak = allowed(weakened, finding)
            if exceeds(finding, weak):
                return "killed"
            smaller |= bool((weak < sound).any())
            larger |= bool((weak > sound).any())
    except (TypeError, IndexError, ValueError, AttributeError):
        return "void"
    return "stronger" if larger and not smaller else "survived"


@pytest.mark.slow
def test_no_block_exceeds_its_bound() -> None:
    """Whatever the adversary gives rounding and inputs, nothing errs by more than its bound."""
    assert sum(finding.error.size for finding in findings()) > 10_000
    for finding, limit in attacked():
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = finding.error / limit
        ratio = np.where(np.isinf(limit) | (finding.error == 0), 0, ratio)
        k = np.unravel_index(int(np.nanargmax(ratio)), ratio.shape)
        assert not exceeds(finding, limit), (
            f"{finding.block.text} in {finding.A.name}: {ratio[k]:.6f} x the bound at {k}; "
            f"{[q.value[k] if q.value.shape == ratio.shape else q for q in finding.block.inputs]}"
        )


# What no attack reaches, though the derivation needs it, by reason.
UNREACHED = """
a rounding of what an error adds, or of how far an input may be: second order
    _stored: np.abs(value) + radius  ->  np.abs(value)
    _stored: np.abs(value - addend) + radius  ->  np.abs(value - addend)
    rows_of: z.radius + z.bound  ->  z.radius
    rows_of: z.radius + z.bound  ->  z.bound
    rows_of: width + widest - shifted  ->  width + widest
    rows_of: width + widest  ->  width
    rows_of: width + widest  ->  widest
    rows_of: log_sum + 2 * widest  ->  log_sum
    rows_of: log_sum - shifted + width + widest  ->  log_sum - shifted + width
    rows_of: log_sum - shifted + width  ->  log_sum - shifted
    log_softmax_vjp_error: size + total_error  ->  size
    log_softmax_vjp_error: g.computed + p.computed * size + product_error  ->  g.computed + p.computed * size
    _cross_entropy: gap + p_error  ->  gap
    surprisal_error: rows.surprisal[n, y] + error  ->  rows.surprisal[n, y]
    _cross_entropy: rows.surprisal[index, y] + each  ->  rows.surprisal[index, y]
    _squared_error: gap ** 2 + each  ->  gap ** 2
    _cross_entropy: exact + each  ->  exact
    _cross_entropy: p + p_error  ->  p
    _cross_entropy: gap + error  ->  gap
    _binary_cross_entropy: gap + error  ->  gap
    _binary_cross_entropy: terms + each  ->  terms
    _squared_error: gap + z.bound  ->  gap
    _squared_error: gap + error  ->  gap
a largest value over an interval, multiplied by u: the same, second order
    rows_of: shifted - log_sum + z.radius + drift  ->  shifted - log_sum + z.radius
    rows_of: shifted - log_sum + z.radius  ->  shifted - log_sum
    _binary_cross_entropy: (0.0,)  ->  ()
    _binary_cross_entropy: np.maximum(_bce(interval.lo, t), _bce(interval.hi, t))  ->  _bce(interval.lo, t)
    _binary_cross_entropy: np.maximum(_bce(interval.lo, t), _bce(interval.hi, t))  ->  _bce(interval.hi, t)
one form needs it, and another part of the sum is spare there
    rows_of: gap + A.K  ->  A.K
    rows_of: np.abs(z.value.max(axis=1, keepdims=True)) + widest + most  ->  np.abs(z.value.max(axis=1, keepdims=True)) + widest
    rows_of: np.abs(z.value.max(axis=1, keepdims=True)) + widest  ->  np.abs(z.value.max(axis=1, keepdims=True))
    softmax_error: np.maximum(rows.exp_error + A.u, A.u * by_log)  ->  A.u * by_log
    softmax_error: rows.exp_error + A.u  ->  rows.exp_error
    softmax_error: rows.exp_error + A.u  ->  A.u
    _cross_entropy: classes + 1  ->  classes
    softmax_vjp_error: g.bound + mean_error + A.u * size  ->  g.bound + mean_error
    _binary_cross_entropy: low - t  ->  low
    _binary_cross_entropy: 2 * A.K + 2  ->  2 * A.K
p expm1(c) in another form, which serves only where expm1 overflows
    _grown: log_p + c  ->  c
"""  # noqa: E501


@pytest.mark.slow
@pytest.mark.parametrize("module", [product, elementwise, bounded, softmax, losses])
def test_every_term_is_needed(module: types.ModuleType) -> None:
    """Without any one term of any bound, or arm of a maximum, some attack exceeds it."""
    source = inspect.getsource(module)
    found = mutants(source, without_underflow=True, skip=DECISIONS, halve=False)
    verdicts = {m.change: verdict(m) for m in found}
    survivors = {change for change, found in verdicts.items() if found == "survived"}
    known = {line.strip() for line in UNREACHED.splitlines()}
    assert not survivors - known, "\n".join(sorted(survivors - known))
    assert sum(found == "killed" for found in verdicts.values()) > len(survivors)
