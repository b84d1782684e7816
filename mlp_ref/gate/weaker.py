"""Which weaker arithmetic a case that fails would pass in."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from mlp_ref.arithmetic import BFLOAT16, FLOAT32, FLOAT64, TF32, Arithmetic
from mlp_ref.bounds import Bounded
from mlp_ref.checks import InputError
from mlp_ref.gate.cases import Case
from mlp_ref.gate.decimals import printed_short
from mlp_ref.gate.judge import Verdict, judge

__all__ = ["weaker_arithmetic"]

# Whoever computes in these starts from inputs that are none of their numbers, and rounds them.
_SINGLE = replace(FLOAT32, dtype=FLOAT64.dtype, precision=53, u_operand=FLOAT32.u)
_BFLOAT16 = replace(FLOAT32, name=BFLOAT16.name, u=BFLOAT16.u_store, u_operand=BFLOAT16.u_store)

# arithmetic -> weaker ones, the strictest first, with what to look for
_WEAKER: Mapping[str, tuple[tuple[Arithmetic, str], ...]] = MappingProxyType(
    {
        FLOAT64.name: ((_SINGLE, "is something computed in float32, or made for it?"),),
        FLOAT32.name: (
            (TF32, "are TF32 matrix products enabled?"),
            (_BFLOAT16, "is something rounded to bfloat16, or as coarse?"),
        ),
    }
)
_FEW = 8  # one entry in so many
_WITH_PRODUCTS = ("dense", "mlp", "train_step")


def weaker_arithmetic(case: Case, answer: Mapping[str, Any]) -> str:
    """A sentence on the strictest arithmetic in which the whole answer is right, or nothing.

    A tensor must be wrong in several entries, more than a few of all: an arithmetic rounds every
    one. And the weaker bound must tell one of these from 0, for otherwise it would prove nothing
    that they pass. Numbers that were printed with too few digits are told as such.
    """
    short = printed_short(case, answer)
    if short:
        return short
    for A, then in _WEAKER.get(case.arithmetic.name, ()):
        if A is TF32 and not _of_products(case, answer):
            continue
        with suppress(InputError):
            if _holds(case, answer, A):
                return f"It would pass as {A.name}, not as {case.arithmetic.name}: {then}"
    return ""


def _of_products(case: Case, answer: Mapping[str, Any]) -> bool:
    """Whether what fails first may come from a matrix product: not if what it is made of is right.

    a is made of z; the loss and its gradient are made of the last a.
    """
    if case.operation != "mlp":
        return case.operation in _WITH_PRODUCTS
    strict, last = case.whole(), f"a{len(case.record.parameters['activations']) - 1}"
    for name in (name for name in case.tensors if name in answer):
        if judge(name, answer[name], strict[name], case.arithmetic).verdict != Verdict.PASS:
            origin = {"a": name.replace("a", "z"), "l": last, "g": last}.get(name[0])
            return origin not in answer
    return False


def _holds(case: Case, answer: Mapping[str, Any], A: Arithmetic) -> bool:
    expected, strict = case.whole(A), case.whole()
    right = all(
        judge(name, answer[name], expected[name], case.arithmetic).verdict == Verdict.PASS
        for name in answer
    )
    return right and any(_tells(answer[name], strict[name], expected[name]) for name in answer)


def _tells(got: Any, strict: Bounded, weaker: Bounded) -> bool:
    """Whether a tensor that the weaker bound passes is wrong as by an arithmetic."""
    value, numbers = strict.value, np.asarray(got, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        wrong = np.abs(numbers - value) > strict.allowed
    n = int(np.count_nonzero(wrong))
    many = n > 1 and n * _FEW > value.size
    return many and bool((weaker.allowed < np.abs(value))[wrong].any())
