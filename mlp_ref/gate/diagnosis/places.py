"""Places: which entries are wrong, and whether they are right ones that stand elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.gate.diagnosis.match import tensor_proof
from mlp_ref.gate.diagnosis.samples import Sample
from mlp_ref.gate.proof import BITS_OF_PROOF

__all__ = ["moved", "region", "wrong_entries"]

_Move = Callable[[Array], Array]

_MOVES: Mapping[str, _Move] = MappingProxyType(
    {
        "is transposed": lambda x: x.T,
        "has its rows in reverse order": lambda x: x[::-1],
        "has its columns in reverse order": lambda x: x[..., ::-1],
        "has every row one place too late": lambda x: np.roll(x, 1, 0),
        "has every row one place too early": lambda x: np.roll(x, -1, 0),
        "has every column one place too late": lambda x: np.roll(x, 1, -1),
        "has every column one place too early": lambda x: np.roll(x, -1, -1),
        "has the first row in place of every row": lambda x: np.broadcast_to(x[:1], x.shape),
        "is stored column by column": lambda x: x.reshape(x.shape[::-1]).T,
        "has the mean of each column in place of every row": lambda x: np.broadcast_to(
            x.mean(axis=0, keepdims=True), x.shape
        ),
        "is 0 everywhere": np.zeros_like,
    }
)


def moved(samples: Sequence[Sample]) -> str:
    """How the first wrong tensor of every case is the right one in another order, or nothing."""
    for text, move in _MOVES.items():
        if _proven(move, samples):
            return text
    return _exchanged(samples)


def _exchanged(samples: Sequence[Sample]) -> str:
    """Which two rows stand in each other's place, in every case; or nothing."""
    pairs = Counter(pair for sample in samples if (pair := _pair_of_rows(sample)))
    if not pairs:
        return ""
    i, j = pairs.most_common(1)[0][0]

    def exchange(x: Array) -> Array:
        order = np.arange(len(x))
        if j < len(x):
            order[[i, j]] = j, i
        return x[order]

    return f"has its rows {i} and {j} exchanged" if _proven(exchange, samples) else ""


def _pair_of_rows(sample: Sample) -> tuple[int, int] | None:
    """The two rows that hold all wrong entries."""
    wrong = wrong_entries(sample, sample.wrong[0])
    rows = np.flatnonzero(wrong.any(axis=1)) if wrong.ndim == 2 else np.empty(0, int)
    return (int(rows[0]), int(rows[1])) if rows.size == 2 else None


def _proven(move: _Move, samples: Sequence[Sample]) -> bool:
    bits = 0.0
    for sample in samples:
        right, got = sample.expected[sample.wrong[0]], sample.answer[sample.wrong[0]]
        if not right.value.ndim:
            return False
        made = move(right.value)
        if made.shape != got.shape:
            return False
        allowed = np.maximum(right.allowed, move(right.allowed))  # it moves with its entry
        own = tensor_proof(made, got, right, sample, allowed=allowed)
        if own is None:
            return False
        bits += own
    return bits >= BITS_OF_PROOF


# -------------------------------------------------------------------------- which entries are wrong

_REGIONS: Mapping[str, Callable[[tuple[int, ...]], Array]] = MappingProxyType(
    {
        "its first row": lambda shape: _rows(shape, 0),
        "its last row": lambda shape: _rows(shape, shape[0] - 1),
        "its first column": lambda shape: _columns(shape, 0),
        "its last column": lambda shape: _columns(shape, shape[-1] - 1),
        "its odd last row": lambda shape: _rows(shape, shape[0] - 1 if shape[0] % 2 else -1),
    }
)


def _rows(shape: tuple[int, ...], k: int) -> Array:
    return np.asarray(np.indices(shape)[0] == k)


def _columns(shape: tuple[int, ...], k: int) -> Array:
    return np.asarray(np.indices(shape)[-1] == k)


def wrong_entries(sample: Sample, tensor: str) -> Array:
    """Which entries of a tensor are outside of their bounds."""
    right, x = sample.expected[tensor], np.asarray(sample.answer[tensor], np.float64)
    with np.errstate(all="ignore"):
        same = (x == right.value) | (np.isnan(x) & np.isnan(right.value))
        return np.asarray(~(same | (np.abs(x - right.value) <= right.allowed)))


def region(samples: Sequence[Sample]) -> str:
    """The part that holds every wrong entry of the first wrong tensor, in every case; or nothing.

    At least one case must have room for more rows, or columns, than are wrong.
    """
    wrong = [wrong_entries(sample, sample.wrong[0]) for sample in samples]
    wrong = [w for w in wrong if w.ndim and w.any()]
    if len(wrong) < len(samples):
        return ""
    if all(np.count_nonzero(w) == 1 for w in wrong) and sum(w.size for w in wrong) > BITS_OF_PROOF:
        return _entry(samples, wrong)
    for text, part in _REGIONS.items():
        masks = [part(w.shape) for w in wrong]
        inside = all(not (w & ~mask).any() for w, mask in zip(wrong, masks, strict=True))
        roomy = sum(int(np.count_nonzero(~mask)) for mask in masks)
        if inside and roomy >= BITS_OF_PROOF:
            return text
    return ""


def _entry(samples: Sequence[Sample], wrong: Sequence[Array]) -> str:
    """The one entry that is wrong, if it is always the same."""
    names = {
        f"{s.wrong[0]}[{', '.join(str(int(k)) for k in np.argwhere(w)[0])}]"
        for s, w in zip(samples, wrong, strict=True)
    }
    return f"one entry, {names.pop()}," if len(names) == 1 else "one entry"
