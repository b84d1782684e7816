"""Constant factors: a tensor that is n, C, 1/2, -1, ... times the right one in case after case.

A number such as 32 has many reasons. Cases of other batches and layers tell the rows from the
outputs: a name holds only if its number is the factor in every case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mlp_ref.gate.diagnosis.match import tensor_proof
from mlp_ref.gate.diagnosis.samples import Sample
from mlp_ref.gate.proof import BITS_OF_PROOF

__all__ = ["factor_of"]

_CONSTANTS = {"-1": -1.0, "2": 2.0, "1/2": 0.5}


def factor_of(samples: Sequence[Sample]) -> str:
    """By which factor the first wrong tensor of every case differs, in words; or nothing."""
    names = [name for name in _names(samples[0]) if _proven(name, samples)]
    if names:
        return f"{' or '.join(names)} times the reference"
    return _constant(samples)


def _names(sample: Sample) -> Mapping[str, float]:
    """What a factor may stand for, with its number in this case."""
    n, m = sample.rows, sample.outputs
    parameters = sample.case.record.parameters
    found = {
        "n (the rows of the batch)": float(n), "1/n (n rows of the batch)": 1 / n,
        "C (the outputs)": float(m), "1/C (C outputs)": 1 / m,
        "n C (the entries of the outputs)": float(n * m),
        "1/(n C) (n C entries of the outputs)": 1 / (n * m),
    } | _CONSTANTS  # fmt: skip
    found |= {
        f"{what}/({what} - 1) ({words})": k / (k - 1)
        for what, words, k in (("n", "n rows", n), ("N", "N = n C entries", n * m))
        if k > 1
    }
    rate = parameters.get("lr")
    return found | (
        {"the learning rate": float(rate), "1/(learning rate)": 1 / rate} if rate else {}
    )


def _proven(name: str, samples: Sequence[Sample]) -> bool:
    """Whether the factor of that name explains the tensor everywhere, and is seen."""
    bits = 0.0
    for sample in samples:
        factor, tensor = _names(sample).get(name), sample.wrong[0]
        own = None if factor is None else _times(factor, sample, tensor)
        if own is None:
            return False
        bits += own
    return bits >= BITS_OF_PROOF


def _times(factor: float, sample: Sample, tensor: str) -> float | None:
    right = sample.expected[tensor]
    return tensor_proof(factor * right.value, sample.answer[tensor], right, sample)


def _constant(samples: Sequence[Sample]) -> str:
    """One number for all cases, of no known name."""
    factors = [factor for sample in samples for factor in _quotient(sample)]
    if len(factors) < max(2, len(samples)):
        return ""
    factor = float(np.median(factors))
    own = [_times(factor, sample, sample.wrong[0]) for sample in samples]
    if None in own or sum(filter(None, own)) < BITS_OF_PROOF or factor in (0.0, 1.0):
        return ""
    return f"{factor:.6g} times the reference"


def _quotient(sample: Sample) -> Iterator[float]:
    """The factor by the entry that says most about it."""
    right, got = sample.expected[sample.wrong[0]], sample.answer[sample.wrong[0]]
    value, x = right.value.reshape(-1), np.asarray(got, np.float64).reshape(-1)
    with np.errstate(all="ignore"):
        sharp = np.where(
            np.isfinite(x) & np.isfinite(value), np.abs(value) / right.allowed.reshape(-1), 0
        )
        sharp = np.where(value == 0, 0, sharp)
        k = int(np.argmax(np.nan_to_num(sharp, posinf=np.finfo(float).max)))
        if sharp[k] > 1:
            yield float(x[k] / value[k])
