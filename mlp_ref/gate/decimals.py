"""Answers that were printed with too few decimal digits on their way to the gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log2
from typing import Any

import numpy as np

from mlp_ref.arithmetic import FLOAT32, FLOAT64, Array, representable
from mlp_ref.bounds import Bounded
from mlp_ref.gate.cases import Case
from mlp_ref.gate.judge import refusal
from mlp_ref.gate.proof import BITS_OF_PROOF

__all__ = ["printed_short"]

_FEWEST = 3
_ENOUGH: Mapping[str, int] = {FLOAT32.name: 9, FLOAT64.name: 17}  # digits that read back
_LOOKED_AT = 1000  # entries of a tensor


def printed_short(case: Case, answer: Mapping[str, Any]) -> str:
    """A sentence, if the answer is right but for the digits that were printed, or nothing.

    All its numbers must be decimals of so many digits, and right to half a unit of the last. A
    number of p bits is such a decimal by chance once in 2^p / 10^d times: the wrong ones must prove
    it, of which those count that need many bits.
    """
    A, strict = case.arithmetic, case.whole()
    pairs = {name: strict[name] for name in answer}
    if A.name not in _ENOUGH or any(refusal(answer[n], q, A) for n, q in pairs.items()):
        return ""
    parts = [_looked_at(answer[name], q) for name, q in pairs.items()]
    numbers, value, allowed = (np.concatenate(part) for part in zip(*parts, strict=True))
    finite = np.isfinite(numbers) & np.isfinite(value)
    numbers, value, allowed = numbers[finite], value[finite], allowed[finite]
    with np.errstate(over="ignore"):
        error = np.abs(numbers - value)
    wrong = (error > allowed) & ~representable(numbers, A.precision // 2)
    for digits in _lengths(A.precision, np.unique(numbers[wrong]).size):
        texts = [f"{x:.{digits - 1}e}" for x in numbers]
        unit = np.array([float(f"1{text[text.index('e') :]}") for text in texts])
        near = error <= unit * 10.0 ** (1 - digits) / 2 + allowed
        if near.all() and np.array_equal(np.array(texts, A.dtype), numbers):
            return (
                f"Its numbers have {digits} decimal digits at most: {_ENOUGH[A.name]} are needed "
                f"to write every {A.name}."
            )
    return ""


def _looked_at(got: Any, wanted: Bounded) -> tuple[Array, Array, Array]:
    parts = (np.asarray(got, np.float64), wanted.value, wanted.allowed)
    number, value, allowed = (np.asarray(x).reshape(-1)[:_LOOKED_AT] for x in parts)
    return number, value, allowed


def _lengths(p: int, wrong: int) -> Iterator[int]:
    """Digits, the fewest first, of which so many wrong numbers are no chance."""
    digits = _FEWEST
    while wrong * (p - digits * log2(10)) >= BITS_OF_PROOF:
        yield digits
        digits += 1
