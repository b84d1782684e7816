"""Whether a wrong implementation returned what a subject did, and how much that proves.

Both the implementation and the subject round. Where the bound of a right tensor is B, each of the
two may be as far from the wrong tensor as B, scaled by how much larger the wrong tensor is, and
by a few units of its own last place:

    |got - made| <= 2 B max(1, |made| / |right|) + 8 u |made|

This is no proven bound, and no verdict depends on it: what is matched by too much room proves no
bits, and what fits by chance does not fit in case after case.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log2
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array, trailing_unit
from mlp_ref.bounds import Bounded
from mlp_ref.faults import Parts, operations_of
from mlp_ref.gate.diagnosis.samples import Sample
from mlp_ref.gate.proof import bits_of_proof

__all__ = ["contradicts", "made_by", "proof", "tensor_proof"]

_ROUNDINGS = 8
_CLASSES = 3  # NaN, inf and -inf
_MOST_BITS = 24.0  # of one entry, for a single number shall not prove what many contradict


def made_by(parts: Parts, sample: Sample) -> Mapping[str, Any]:
    """What these parts return in the case of a sample; empty if they raise an error."""
    q = sample.question
    try:
        return operations_of(parts)[q.operation](q.parameters, q.inputs)
    except Exception:  # a wrong implementation may index out of range, as the subject might
        return {}


def proof(made: Mapping[str, Any], sample: Sample) -> float | None:
    """How many bits prove that the answer of a sample is what was made; None if it is not."""
    if any(
        _room(made.get(name), got, sample.expected[name], sample) is None
        for name, got in sample.answer.items()
    ):
        return None
    bits, lost = 0.0, False
    for name in sample.wrong:
        bits += tensor_proof(made[name], sample.answer[name], sample.expected[name], sample) or 0.0
        lost = lost or not np.isfinite(made[name]).all()
    # Which of NaN, inf and -inf it is counts once: it spreads from tensor to tensor.
    return bits + log2(_CLASSES) if lost else bits


def tensor_proof(
    made: Any, got: Array, right: Bounded, sample: Sample, allowed: Array | None = None
) -> float | None:
    """The same of one wrong tensor.

    ``allowed``  how far each of the two may be from it, where that is not the tensor's own bound
    """
    room = _room(made, got, right, sample, allowed)
    if room is None:
        return None
    y = np.asarray(made, np.float64)
    with np.errstate(all="ignore"):
        return _bits_of_numbers(y, room, right, sample) + _bits_of_classes(y, right)


def _room(
    made: Any, got: Array, right: Bounded, sample: Sample, allowed: Array | None = None
) -> Array | None:
    """How far the two may be apart, entry by entry; None if they are not the same."""
    if made is None or np.shape(made) != got.shape:
        return None
    x, y = np.asarray(got, np.float64), np.asarray(made, np.float64)
    with np.errstate(all="ignore"):
        own = right.allowed if allowed is None else allowed
        room = 2 * own * _growth(y, right.value)
        room = np.asarray(room + _ROUNDINGS * sample.case.arithmetic.u * np.abs(y))
        finite = np.isfinite(x) & np.isfinite(y)
        same = (x == y) | (np.isnan(x) & np.isnan(y)) | (finite & (np.abs(x - y) <= room))
        return room if same.all() else None


def _growth(y: Array, right: Array) -> float:
    """How much larger than the right tensor the wrong one is."""
    largest, usual = (_largest(x) for x in (y, right))
    return max(1.0, largest / usual) if usual else 1.0


def _largest(x: Array) -> float:
    return float(np.max(np.abs(x), initial=0.0, where=np.isfinite(x)))


def _bits_of_numbers(y: Array, room: Array, right: Bounded, sample: Sample) -> float:
    """What the wrong numbers prove that the room cannot blur."""
    both = np.isfinite(y) & np.isfinite(right.value)
    telling = both & (np.abs(y - right.value) > right.allowed + room)
    bits = bits_of_proof(y, right.value, room, sample.rows * sample.outputs)
    return float(np.minimum(np.nan_to_num(bits, posinf=0.0), _MOST_BITS)[telling].sum())


def _bits_of_classes(y: Array, right: Bounded) -> float:
    """What NaN and infinities prove: from which entry on they are there.

    They usually begin at a threshold, of which there are as many as entries; all of them are lost
    by any mistake.
    """
    numbers = np.isfinite(right.value)
    lost, whole = int(np.count_nonzero(numbers & ~np.isfinite(y))), int(np.count_nonzero(numbers))
    where = log2(1 + whole) if lost < whole else 0.0
    return where * (lost > 0) + _bits_of_found(y[~numbers])


def _bits_of_found(y: Array) -> float:
    """What numbers in place of NaN and infinities prove."""
    grain, x = trailing_unit(y), np.abs(y)
    bits = np.where(np.isfinite(y) & (y != 0), np.log2(1 + x / grain), np.isfinite(y))
    return float(np.minimum(bits, _MOST_BITS).sum())


def contradicts(made: Mapping[str, Any], sample: Sample) -> bool:
    """Whether a case that passes would clearly fail, had the subject made this."""
    for name, got in sample.answer.items():
        if name not in made or np.shape(made[name]) != got.shape:
            return True
        right, y = sample.expected[name], np.asarray(made[name], np.float64)
        x = np.asarray(got, np.float64)
        with np.errstate(all="ignore"):
            same = (x == y) | (np.isnan(x) & np.isnan(y))
            near = np.abs(y - right.value) <= 2 * right.allowed
        if not (same | near).all():
            return True
    return False
