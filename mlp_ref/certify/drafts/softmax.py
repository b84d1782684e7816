"""Softmax and log-softmax: rows far apart, saturated, shifted, infinite, and of odd widths."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlp_ref.arithmetic import FLOAT64, Arithmetic, Array
from mlp_ref.certify.drafts.draw import BOTH, bell, draft, rng_of, uniform
from mlp_ref.corpus.records import Record

__all__ = ["LOGITS", "PATTERN", "logit_families", "softmax_drafts"]

_inf, _nan = np.inf, np.nan

PATTERN = np.array([0.0, -1.5, 2.25, -3.125])

# Logits of the families that softmax and the losses share: (4, 4), rows of different maxima.
LOGITS: dict[str, tuple[str, Array, int, tuple[str, ...]]] = {
    "equal": (
        "equal logits: every probability is 1/C",
        np.array([[3.0] * 4, [0.0] * 4, [-7.5] * 4, [1000.0] * 4]), 1, ("EqualLogits",),
    ),
    "row-maxima": (
        "row maxima from -1000 to 1000: a shift by the global maximum kills rows",
        np.array([-1000.0, -400.0, 300.0, 1000.0])[:, None] + PATTERN, 2, ("RowMaxima",),
    ),
    "extreme": (
        "logits at -1000 and 1000 in one row",
        np.array([
            [1000.0, -1000.0, 998.5, 999.25], [-1000.0, -997.5, 1000.0, -1000.0],
            [1000.0, 1000.0, -1000.0, 1000.0], [-1000.0, -998.25, -1000.0, -999.0],
        ]), 3, ("ExtremeLogits",),
    ),
}  # fmt: skip


def logit_families(name: str) -> Iterator[tuple[str, str, Array, int, tuple[str, ...]]]:
    """Family, note, logits, difficulty and flags, with close logits drawn for ``name``."""
    for family, rest in LOGITS.items():
        yield family, *rest
    close = 0.1 * bell(rng_of(f"{name}/close"), (4, 4))
    yield "close", "nearly equal logits", close, 1, ("CloseLogits", "FullPrecisionInput")


def softmax_drafts() -> Iterator[Record]:
    """Every draft of softmax, then every one of log-softmax."""
    for operation in ("softmax", "log_softmax"):
        for A in BOTH:
            for family, note, z, difficulty, flags in logit_families(operation):
                yield _draft(A, operation, family, note, z, difficulty, flags)
            for family, note, z, difficulty, flags in _families(operation, A):
                yield _draft(A, operation, family, note, np.array(z), difficulty, flags)


def _draft(
    A: Arithmetic, operation: str, family: str, note: str, z: Array, difficulty: int,
    flags: tuple[str, ...],
) -> Record:  # fmt: skip
    name = f"{operation}/{family}"
    g = bell(rng_of(name), z.shape)
    return draft(A, name, note, {"x": z, "g": g}, difficulty=difficulty, flags=flags)


_Family = tuple[str, str, Array, int, tuple[str, ...]]


def _families(operation: str, A: Arithmetic) -> Iterator[_Family]:
    yield from _shapes(operation)
    yield from _tails(A)
    yield from _infinite(operation)


def _shapes(operation: str) -> Iterator[_Family]:
    rng = rng_of(f"{operation}/shapes")
    full = ("FullPrecisionInput",)
    yield "moderate", "logits of moderate size", 3 * bell(rng, (3, 5)), 1, (*full, "OddBatch")
    yield "square", "as many rows as classes: the axis shows", bell(rng, (5, 5)), 1, (
        *full, "Square",
    )  # fmt: skip
    yield "single-row", "a single row", 2 * bell(rng, (1, 7)), 1, (*full, "SingleRow")
    yield "one-class", "one class: its probability is 1, the gradient 0", bell(rng, (3, 1)), 1, (
        "OneClass",
    )  # fmt: skip
    yield "two-classes", "two classes: a sigmoid of the difference", 3 * bell(rng, (5, 2)), 1, (
        *full, "OddBatch",
    )  # fmt: skip
    yield "many-classes", "forty classes", 2 * bell(rng, (2, 40)), 1, (*full, "Ragged")
    yield "tall", "many rows of three classes", 2 * bell(rng, (11, 3)), 1, (*full, "OddBatch")


def _tails(A: Arithmetic) -> Iterator[_Family]:
    wide = A == FLOAT64
    rng = rng_of("softmax/tails")
    tiny = 1e-8 * uniform(rng, (3, 4))
    yield "tiny-differences", "logits that differ by 1e-8", tiny, 2, ("CloseLogits", "TinyInput")
    top = (40.5, 300.25, 650.5) if wide else (17.5, 40.25, 70.5)
    rows = [[0.0, -t, -t - 1.5, -t + 0.75] for t in top]
    saturated = np.array(rows)
    saturated[1] = np.roll(saturated[1], 2)
    yield "saturated", "one class holds nearly everything, the others are still normal", (
        saturated
    ), 2, ("Saturated",)  # fmt: skip
    base = np.array([[0.25, -1.5, 3.125, 2.0], [-4.0, 0.5, 0.015625, -0.75]])
    yield "shifted", "each row twice, the second 10000 higher: the results must agree", (
        np.concatenate([base, base + 1e4])
    ), 3, ("ShiftedLogits",)  # fmt: skip
    lower = np.concatenate([base, base - 1e4])
    yield "shifted-down", "each row twice, the second 10000 lower: the results must agree", (
        lower
    ), 3, ("ShiftedLogits",)  # fmt: skip
    # Rounding z - m and m + log S costs u |m|: beyond 1 / u no digit is certain.
    huge = 1e14 if wide else 1e5
    rows = [
        [1.5, -huge, 0.25, -huge], [-huge, 2.0, -huge, -1.0], [0.5, -huge, -huge, -huge],
    ]  # fmt: skip
    yield "huge", "huge finite logits: the results are finite", np.array(rows), 3, ("HugeInput",)


def _infinite(operation: str) -> Iterator[_Family]:
    what = "probability 0" if operation == "softmax" else "log-probability -inf"
    rows = [[1.5, -_inf, 0.25, -_inf], [-_inf, 2.0, -_inf, -_inf], [-0.5, 1.25, -_inf, 0.0]]
    yield "minus-infinity", f"masked classes: a logit of -inf has {what}", np.array(rows), 3, (
        "MinusInfinity", "NotFinite",
    )  # fmt: skip
    rows = [[1.5, _nan, 0.25], [1.0, -2.0, 0.5], [_nan, _nan, _nan], [0.0, -_inf, _nan]]
    yield "nan", "NaN spoils its own row, and no other", np.array(rows), 3, ("NotFinite",)
    rows = [[_inf, 0.0, 1.0], [0.75, -1.0, 0.5], [_inf, _inf, -_inf]]
    yield "plus-infinity", "+inf makes NaN of its own row, and of no other", np.array(rows), 3, (
        "NotFinite",
    )  # fmt: skip
    rows = [[-_inf, -_inf, -_inf], [2.0, -1.0, 0.25], [-_inf, 0.5, -_inf]]
    yield "all-minus-infinity", "a row of nothing but -inf is NaN", np.array(rows), 3, (
        "MinusInfinity", "NotFinite",
    )  # fmt: skip
