"""The bounds of rounding.py against an adversary, and the adversary against weakened bounds."""

from __future__ import annotations

import inspect
import types
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from simulator.attack import Finding, attack, points
from simulator.mutants import Mutant, mutants

from mlp_ref import rounding
from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import FLOAT32, FLOAT64, Array, Interval

pytestmark = pytest.mark.slow

# Low precision shows terms of higher order, small K the operations beside the elementary function,
# a large tiny what underflow costs.
ARITHMETICS = {
    "p = 24": FLOAT32,
    "p = 11": replace(FLOAT32, u=2.0**-11),
    "p = 8": replace(FLOAT64, u=2.0**-8),
    "p = 8, exact functions": replace(FLOAT64, u=2.0**-8, K=0.125),
    "p = 5": replace(FLOAT64, u=2.0**-5, K=4.0),
    "p = 24, exact functions": replace(FLOAT32, K=0.125),
    "p = 24, poor functions": replace(FLOAT32, K=64.0),
    "p = 11, hopeless functions": replace(FLOAT32, u=2.0**-11, K=256.0),
    "underflow": replace(FLOAT32, u=2.0**-40, K=0.125, tiny=2.0**-16),
}
SPECIAL = np.array(
    [0, 1e-30, 0.25, 0.5, 0.66, 1, 1.32, 2, 3, 6, 13, 17, 25, 40, 87, 88, 90, 104, 500, 745, 1000.0]
)
KINDS = [(name, derivative) for name in ACTIVATIONS for derivative in (False, True)]
INTERVALS = 200
# A bound is evaluated in float64, in fewer than 100 operations on nonnegative numbers.
EVALUATION = 1 + FLOAT64.gamma(100)


@cache
def findings(name: str, derivative: bool) -> list[tuple[Interval, Finding]]:
    """The worst errors of one function in every arithmetic, at points and over intervals."""
    f, out = ACTIVATIONS[name], []
    for k, A in enumerate(ARITHMETICS.values()):
        rng = np.random.default_rng([k, derivative])
        with np.errstate(over="ignore", under="ignore"):
            found = attack(f, derivative, A, points(rng, 300, SPECIAL), rng)
        out += [(Interval(found.x, found.x), found), _widened(found, rng)]
    return out


def _widened(found: Finding, rng: np.random.Generator) -> tuple[Interval, Finding]:
    """Random intervals between the points, each with the largest error inside."""
    first = rng.integers(0, len(found.x), INTERVALS)
    last = np.minimum(first + rng.integers(1, len(found.x), INTERVALS) // 4, len(found.x) - 1)
    half = np.abs(found.x[::8])
    first = np.append(first, np.searchsorted(found.x, -half))
    last = np.append(last, np.searchsorted(found.x, half, side="right") - 1)
    inside = [slice(i, j + 1) for i, j in zip(first, last, strict=True)]
    error = np.array([found.error[s].max() for s in inside])
    radius = np.array([found.radius[s].max() for s in inside])
    return Interval(found.x[first], found.x[last]), Finding(found.A, found.x, error, radius)


def allowed(
    module: types.ModuleType, name: str, derivative: bool, z: Interval, found: Finding
) -> Array:
    """The bound that a module states for a function, and what float64 may add to a finding."""
    f = ACTIVATIONS[name]
    function = getattr(module, (f.slope_error if derivative else f.value_error).__name__)
    with np.errstate(all="ignore"):
        return np.asarray(function(found.A, z)) * EVALUATION + 2 * found.radius


@cache
def attacked(name: str, derivative: bool) -> list[tuple[Interval, Finding, Array]]:
    """Every finding, and what the sound bound allows."""
    return [
        (z, found, allowed(rounding, name, derivative, z, found))
        for z, found in findings(name, derivative)
    ]


@pytest.mark.parametrize(("name", "derivative"), KINDS)
def test_no_formula_exceeds_its_bound(name: str, derivative: bool) -> None:
    """Whatever signs the adversary gives the rounding errors, no usual formula errs by more."""
    for z, found, bound in attacked(name, derivative):
        k = int(np.argmax(found.error - bound))
        assert (found.error <= bound).all(), (
            f"{name} in [{z.lo[k]}, {z.hi[k]}], u = {found.A.u}, K = {found.A.K}: "
            f"error {found.error[k]:.6e}, bound {bound[k]:.6e}"
        )


def second_order_holds(module: types.ModuleType) -> bool:
    """An elementary function of a number that errs by half errs by K u of one and a half.

    In whole formulas this term hides behind the gap between gamma(n) and (1 + u)^n - 1.
    """
    size, moved = np.array(1.0), np.array(0.5)
    return all(
        module._function(A, size, moved) * EVALUATION >= (1 + A.K * A.u) * (size + moved) - size
        for A in ARITHMETICS.values()
    )


def test_an_elementary_function_errs_at_what_it_sees() -> None:
    """K u is taken of the moved value, not of the exact one."""
    assert second_order_holds(rounding)


def verdict(mutant: Mutant) -> str:
    """What became of a mutant.

    killed: an attack exceeds the weakened bound; stronger: the bound is nowhere smaller; void: it
    is no program; else survived.
    """
    try:
        return _verdict(mutant)
    except TypeError:
        return "void"


def _verdict(mutant: Mutant) -> str:
    module, smaller, larger = mutant.load("mlp_ref"), False, False
    if not second_order_holds(module):
        return "killed"
    for name, derivative in KINDS:
        for z, found, sound in attacked(name, derivative):
            weak = allowed(module, name, derivative, z, found)
            if not (found.error <= weak).all():
                return "killed"
            smaller, larger = (
                smaller or bool((weak < sound).any()),
                larger or bool((weak > sound).any()),
            )
    return "stronger" if larger and not smaller else "survived"


@pytest.mark.slow
def test_every_term_is_needed() -> None:
    """Halving or dropping any one term of any bound lets some attack exceed it."""
    verdicts = {m: verdict(m) for m in mutants(inspect.getsource(rounding))}
    survivors = [str(m) for m, v in verdicts.items() if v == "survived"]
    assert len(verdicts) > 100
    assert not survivors, "\n".join([f"{len(survivors)} of {len(verdicts)} survive", *survivors])
