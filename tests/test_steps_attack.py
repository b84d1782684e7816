"""The bounds of one optimizer step against simulated implementations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from simulator.attacker import Attacker, largest_error
from simulator.engine import Engine, Number
from simulator.networks import Machine
from simulator.steps import adam_forms, step_adam, step_sgd
from test_bounds_attack import ARITHMETICS, ratios

from mlp_ref.arithmetic import Arithmetic, Array
from mlp_ref.bounds import Bounded, derive_step
from mlp_ref.optimizers import SGD, Adam, AdamW, Optimizer, State
from mlp_ref.parameters import Params

OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": SGD(0.1),
    "sgd with decay": SGD(0.1, weight_decay=0.3),
    "momentum": SGD(0.1, momentum=0.9),
    "momentum with decay": SGD(3.0, momentum=0.9, weight_decay=0.3),
    "nesterov": SGD(0.1, momentum=0.9, nesterov=True),
    "nesterov with decay": SGD(3.0, momentum=0.9, nesterov=True, weight_decay=0.3),
    "adam": Adam(0.1),
    "adam, dyadic": Adam(0.125, beta1=0.875, beta2=1 - 2.0**-10, eps=2.0**-20),
    "adam with decay": Adam(3.0, beta1=0.5, beta2=0.9, eps=0.1, weight_decay=0.3),
    "adamw": AdamW(0.1),
    "adamw with strong decay": AdamW(0.7, beta1=0.5, beta2=0.7, eps=0.1, weight_decay=2.0),
}
SIZES = (9, 6)  # sixty parameters


class Case(NamedTuple):
    """The arguments of a step."""

    optimizer: Optimizer
    params: Params
    grads: Params
    state: State


def draw(A: Arithmetic, optimizer: Optimizer, rng: np.random.Generator) -> Case:
    """Magnitudes from 2^-20 to 2^10, zeros among them."""

    def vector() -> Params:
        flat = Params.zeros(SIZES, np.float64).flat
        values = rng.normal(size=flat.shape) * 2.0 ** rng.uniform(-20, 10, flat.shape)
        values *= rng.random(flat.shape) > 1 / 8
        return Params.zeros(SIZES, np.float64).like(A.quantize(values).astype(np.float64))

    moments = [vector() for _ in optimizer.init(vector()).moments]
    if isinstance(optimizer, Adam):
        moments[1] = moments[1].like(np.abs(moments[1].flat))
    return Case(
        optimizer, vector(), vector(), State(int(rng.choice([0, 1, 9, 999])), tuple(moments))
    )


def programs(case: Case) -> Iterator[Any]:
    """Every way to write the step: functions of an engine and of its rounding on storage."""
    rule, params, grads, (t, moments) = case

    def arguments(m: Engine) -> tuple[Number, Number, tuple[Number, ...]]:
        inputs = [m.number(q.flat) for q in (params, grads, *moments)]
        return inputs[0], inputs[1], tuple(inputs[2:])

    if isinstance(rule, SGD):
        yield lambda m, keep: step_sgd(m, rule, rule.lr, *arguments(m), keep)
    elif isinstance(rule, Adam):
        for form in adam_forms(rule):
            yield lambda m, keep, form=form: step_adam(
                m, rule, rule.lr, *arguments(m), keep, t + 1, form
            )


def attack(
    A: Arithmetic, case: Case, rng: np.random.Generator
) -> Iterator[tuple[str, Array, Bounded]]:
    """The largest errors that the adversary finds, and three attempts at random."""
    bounds = derive_step(*case, arithmetic=A)
    for program in programs(case):
        machines = [Machine(A, rng) for _ in range(3)]
        runs = [program(machine, machine.store) for machine in machines]
        for name, bounded in bounds.items():
            for run in runs:
                yield name, run[name].value, bounded

            def evaluate(m: Attacker, name: str = name) -> tuple[Number, Array]:
                return program(m, m.store)[name], bounded.value  # noqa: B023

            yield name, bounded.value + largest_error(A, evaluate, rng, runs=1), bounded


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", ARITHMETICS)
def test_no_step_exceeds_its_bounds(name: str, optimizer: str) -> None:
    """Written in any usual way, no step errs by more than its bound."""
    A, rng = ARITHMETICS[name], np.random.default_rng(len(name))
    with np.errstate(all="ignore"):
        for tensor, found, bounded in attack(A, draw(A, OPTIMIZERS[optimizer], rng), rng):
            ratio = ratios(found, bounded)
            k = int(ratio.argmax())
            assert ratio[k] <= 1, f"{tensor} exceeds its bound by {ratio[k]:.4f} at {k}"
