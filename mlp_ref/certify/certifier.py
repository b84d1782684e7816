"""From a question to certified words: precision grows until every word is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mlp_ref.activations import ACTIVATIONS, Elementwise
from mlp_ref.allowances import ALLOWANCES, room_for_sets
from mlp_ref.arithmetic import ARITHMETICS, Array
from mlp_ref.certify.balls import ball as exact_ball
from mlp_ref.certify.balls import both_slopes, in_pieces
from mlp_ref.certify.jets import Undecided, working_precision
from mlp_ref.certify.truth import EXACT
from mlp_ref.certify.words import Word, round_ball
from mlp_ref.checks import fail
from mlp_ref.corpus.records import Certified, Record, checksum_weights

__all__ = ["certify"]

_BITS = 192  # of which a small network leaves 160; two words need 107
# 2^-1074 beside 1 needs 1,100 bits; what more does not decide, such as a kink at 0, nothing will.
_MOST_BITS = 6 << 10
# A tensor of more entries than that is stored in part: so many entries, and a checksum.
_WHOLE, _SAMPLE = 512, 24

Say = Callable[[str], None]


def certify(
    record: Record, *, extra_bits: int = 0, whole: bool = False, say: Say = lambda text: None
) -> Record:
    """Fill in what is expected of a record, with its bounds, and how it was found.

    Every tensor of more than 512 entries is stored in part, unless ``whole`` is asked for: then
    every entry is, and also dL/dz and dL/da of every layer. ``extra_bits`` are added to every
    precision that is tried; hi and low do not depend on them. ``say`` is told what is being done.

    Raises `Undecided`, with the entry, if a kink or a word is open at the largest precision.
    """
    if record.rejects:
        return record
    inputs = record.arrays()
    bits, found = _decide(record, inputs, extra_bits, say)
    exact = {name: _array(words, "hi") for name, words in found.items()}
    names = [a for a in ("float64", "float32") if record.arithmetic in (a, "float32")]
    bounds = {
        name: ALLOWANCES[record.operation](ARITHMETICS[name], record.parameters, inputs, exact)
        for name in names
    }
    expected = {}
    for name, words in found.items():
        if whole or not _is_internal(record.operation, name):
            of_tensor = {a: _bound(bounds[a][name], exact[name]) for a in names}
            expected[name] = _certified(words, of_tensor, whole)
    if record.operation == "activation":
        expected |= _conventions(record, inputs, expected)
    return replace(record, expected=expected, provenance={"bits": bits})


def _decide(
    record: Record, inputs: Mapping[str, Array], extra_bits: int, say: Say
) -> tuple[int, dict[str, Array]]:
    """The precision that decided everything, and arrays of words."""
    bits = _BITS
    while True:
        say(f"{bits} bits: exact results")
        try:
            with working_precision(bits + extra_bits):
                exact = EXACT[record.operation](record.parameters, inputs)
                words = {}
                for name, tensor in exact.items():
                    say(f"{bits} bits: words of {name}")
                    words[name] = _rounded(name, tensor)
            return bits, words
        except Undecided as error:
            bits *= 2
            if bits > _MOST_BITS:
                raise Undecided(
                    f"every kink and every word must be decided within {_MOST_BITS} bits; got "
                    f"{error}; change a number that it depends on, so that it is not a tie"
                ) from None


def _rounded(name: str, tensor: Array) -> Array:
    out = np.empty(tensor.shape, object)
    for index in np.ndindex(tensor.shape):
        ball: Any = tensor[index]
        word = round_ball(ball)
        out[index] = _Boxed(word)
        if word is None:
            raise Undecided(f"{name}{list(index)} in {ball.str(20)}")
    return out


class _Boxed:
    """A word that NumPy does not take for a row of an array."""

    def __init__(self, word: Word | None) -> None:
        self.word = word


def _array(words: Array, part: str) -> Array:
    flat = [getattr(boxed.word, part) for boxed in words.reshape(-1)]
    return np.array(flat, np.float64).reshape(words.shape)


def _is_internal(operation: str, name: str) -> bool:
    """dL/dz and dL/da inside a network: nobody else names them."""
    return operation == "mlp" and name[:2] in ("dz", "da")


def _bound(bound: Array, exact: Array) -> Array:
    """NaN and infinities are exact."""
    return np.where(np.isfinite(exact), bound, 0.0)


def _certified(words: Array, bounds: Mapping[str, Array], whole: bool) -> Certified:
    hi, low, radius = (_array(words, part) for part in ("hi", "low", "radius"))
    if whole or words.size <= _WHOLE:
        return Certified(words.shape, hi, low, radius, bounds)
    index = _sample(words.size)

    def stored(x: Array) -> Array:
        return x.reshape(-1)[index]

    parts = {a: stored(bound) for a, bound in bounds.items()}
    checksum = _checksum(hi, (radius, *bounds.values()))
    return Certified(words.shape, stored(hi), stored(low), stored(radius), parts, index, checksum)


def _sample(size: int) -> Array:
    """The first, the last, and entries between them that meet every residue of small numbers."""
    steps = np.arange(_SAMPLE)
    return np.unique((steps * (size - 1) // (_SAMPLE - 1) + 7 * (steps % 5)).clip(0, size - 1))


def _checksum(hi: Array, errors: Iterable[Array]) -> float:
    """Sum of w_k q_k; every q_k and computed q_k must be exact, and a multiple of 2^-10."""
    units = hi.reshape(-1) * 2.0**10
    terms = checksum_weights(hi.size) * units
    exact = np.array_equal(np.rint(units), units) and float(np.abs(terms).sum()) < 2.0**53
    if not exact or any(error.any() for error in errors):
        fail("a tensor stored in part must be exact", "rounded entries", "use a smaller network")
    return float(terms.sum()) / 2**10


def _conventions(
    record: Record, inputs: Mapping[str, Array], expected: Mapping[str, Certified]
) -> dict[str, Certified]:
    """Sets of derivatives where several are right, and the sign of zero where it is defined.

    At a kink of a case that allows every side: the derivatives of both sides, and their mean. At
    NaN, where f is made of pieces without a NaN: NaN, or the derivative of a piece.
    """
    out: dict[str, Certified] = {}
    f, x, g = ACTIVATIONS[record.parameters["function"]], inputs["x"], inputs["g"]
    sets: dict[int, tuple[float, ...]] = {}
    if "Kink" in record.flags:
        for k in np.flatnonzero(np.isin(x, f.kinks)):
            sets[int(k)] = _sides(f, x.flat[k], g.flat[k], mean=True)
    if in_pieces(f):
        for k in np.flatnonzero(np.isnan(x)):
            sets[int(k)] = (np.nan, *_sides(f, 0.0, g.flat[k], mean=False))
    if sets:
        out["dx"] = _with_sets(expected["dx"], sets)
    if "SignedZero" in record.flags:
        y = expected["y"]
        out["y"] = replace(y, hi=np.where(x == 0, x, y.hi), signed_zeros=True)
    return out


def _sides(f: Elementwise, x: float, g: float, *, mean: bool) -> tuple[float, ...]:
    """g f'(x) on the left and on the right, and perhaps the mean of both, rounded to float64."""
    with working_precision(_BITS):
        left, right = both_slopes(f, exact_ball(x))
        slopes = [left, (left + right) / 2, right] if mean else [left, right]
        found = [round_ball(exact_ball(g) * slope) for slope in slopes]
        return tuple(sorted({word.hi for word in found if word is not None}))


def _with_sets(q: Certified, sets: Mapping[int, tuple[float, ...]]) -> Certified:
    bounds = {
        name: room_for_sets(ARITHMETICS[name], bound, sets) for name, bound in q.bounds.items()
    }
    return replace(q, bounds=bounds, sets=sets)
