"""Losses and their gradients, from logits: saturated, extreme, masked, and where residuals cancel.

The target names are those of the library: labels (n,) or probabilities (n, C) for cross-entropy,
numbers in [0, 1] for binary cross-entropy, real numbers for the squared error.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlp_ref.arithmetic import FLOAT64, Arithmetic, Array
from mlp_ref.certify.drafts.draw import BOTH, bell, draft, integers, rng_of, target_for
from mlp_ref.certify.drafts.softmax import logit_families
from mlp_ref.corpus.records import Record

__all__ = ["loss_drafts"]

_inf, _nan = np.inf, np.nan
_FULL = "FullPrecisionInput"


def loss_drafts() -> Iterator[Record]:
    """Every draft of the three losses, in both arithmetics."""
    for A in BOTH:
        for loss in ("cross_entropy", "binary_cross_entropy"):
            yield from _shared(A, loss)
        yield from _cross_entropy(A)
        yield from _binary(A)
        yield from _squared(A)


def _draft(
    A: Arithmetic, loss: str, family: str, note: str, z: Array, target: Array, difficulty: int,
    *flags: str,
) -> Record:  # fmt: skip
    return draft(
        A, f"loss/{family}/{loss}", note, {"z": z, "target": target}, parameters={"loss": loss},
        difficulty=difficulty, flags=flags,
    )  # fmt: skip


_SHAPES = (
    ("moderate", "logits of moderate size", (4, 5), ()),
    ("single-row", "a single row: a mean over one", (1, 5), ("SingleRow",)),
    ("odd-batch", "an odd number of rows", (7, 3), ("OddBatch",)),
    ("square", "as many rows as classes: the axis of the mean shows", (4, 4), ("Square",)),
)


def _shared(A: Arithmetic, loss: str) -> Iterator[Record]:
    """Shapes and logits with hard and with soft targets."""
    for soft in (False, True):
        kind = "soft" if soft else "hard"
        marks = ("SoftTarget",) if soft else ()
        for family, note, shape, flags in _SHAPES:
            rng = rng_of(f"loss/{family}/{kind}/{loss}")
            z, target = 2 * bell(rng, shape), target_for(loss, rng, shape[0], shape[1], soft)
            yield _draft(A, loss, f"{family}/{kind}", note, z, target, 1, _FULL, *flags, *marks)
        for family, note, z, difficulty, more in logit_families("loss"):
            rng = rng_of(f"loss/{family}/{kind}/{loss}")
            target = target_for(loss, rng, len(z), z.shape[1], soft)
            yield _draft(A, loss, f"{family}/{kind}", note, z, target, difficulty, *more, *marks)


def _cross_entropy(A: Arithmetic) -> Iterator[Record]:
    loss, wide = "cross_entropy", A == FLOAT64
    tops = (36.5, 120.25, 650.5) if wide else (16.5, 40.25, 70.5)
    z = np.array([[0.0, -t, -t + 1.5, -t - 0.75] for t in tops])
    yield _draft(
        A, loss, "saturated-right", "confident and right: 1 - p of the label has no digits left",
        z, np.array([0, 0, 0]), 2, "Saturated",
    )  # fmt: skip
    yield _draft(
        A, loss, "saturated-wrong", "confident and wrong: log p must not become log 0",
        z, np.array([1, 2, 3]), 2, "Saturated", "WrongLabel",
    )  # fmt: skip
    yield _draft(
        A, loss, "saturated-soft", "soft targets on saturated logits", z,
        np.array([[0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0.0, 0.0], [0.0, 0.125, 0.75, 0.125]]), 2,
        "Saturated", "SoftTarget", "WrongLabel",
    )  # fmt: skip
    z = np.array([[1.5, -_inf, 0.25], [-_inf, 2.0, 0.5], [0.5, -_inf, -0.75]])
    yield _draft(
        A, loss, "minus-infinity/hard", "a masked class that is not the label costs nothing",
        z, np.array([0, 2, 2]), 3, "MinusInfinity", "NotFinite",
    )  # fmt: skip
    yield _draft(
        A, loss, "minus-infinity/soft", "a masked class with target 0: 0 times -inf counts as 0",
        z, np.array([[0.25, 0.0, 0.75], [0.0, 0.5, 0.5], [0.625, 0.0, 0.375]]), 3,
        "MinusInfinity", "NotFinite", "SoftTarget",
    )  # fmt: skip
    z = np.array([[1.5, _nan, 0.25], [0.75, 2.0, 0.5], [0.5, 1.0, -0.75]])
    yield _draft(
        A, loss, "nan", "NaN in one row: the loss is NaN, the gradients of other rows are not",
        z, np.array([0, 2, 1]), 3, "NotFinite",
    )  # fmt: skip
    rng = rng_of("loss/zero-targets")
    yield _draft(
        A, loss, "one-hot/soft", "one-hot rows instead of labels", 2 * bell(rng, (3, 5)),
        np.eye(5)[[4, 0, 2]], 1, _FULL, "SoftTarget", "OddBatch",
    )  # fmt: skip
    yield _draft(
        A, loss, "two-classes/hard", "two classes, labels at both ends", 3 * bell(rng, (5, 2)),
        np.array([0, 1, 1, 0, 1]), 1, _FULL, "OddBatch",
    )  # fmt: skip
    yield _draft(
        A, loss, "many-classes/hard", "forty classes", 2 * bell(rng, (2, 40)),
        np.array([0, 39]), 1, _FULL, "Ragged",
    )  # fmt: skip


def _binary(A: Arithmetic) -> Iterator[Record]:
    loss, wide = "binary_cross_entropy", A == FLOAT64
    tops = (36.9, 40.1, 300.3, 690.7) if wide else (16.9, 20.1, 40.3, 80.7)
    low = np.array([[-t, -t / 2] for t in tops])
    yield _draft(
        A, loss, "saturated-right", "confident and right, below 0: the gradient is exp(z)", low,
        np.zeros((4, 2)), 2, "Saturated",
    )  # fmt: skip
    yield _draft(
        A, loss, "saturated-wrong", "confident and wrong: log p must not become log 0",
        low * np.array([1, -1]), np.array([[1.0, 0.0]] * 4), 2, "Saturated", "WrongLabel",
    )  # fmt: skip
    yield _draft(
        A, loss, "saturated-soft", "soft targets on saturated logits", low * np.array([1, -1]),
        np.array([[0.25, 0.75], [0.5, 0.125], [0.875, 0.0625], [0.3, 0.6]]), 2,
        "Saturated", "SoftTarget",
    )  # fmt: skip
    rng = rng_of("loss/binary")
    yield _draft(
        A, loss, "one-output/hard", "one output and a target (n, 1)", 2 * bell(rng, (5, 1)),
        np.array([[0.0], [1.0], [1.0], [0.0], [1.0]]), 1, _FULL, "OddBatch", "OneClass",
    )  # fmt: skip
    yield _draft(
        A, loss, "one-output/soft", "one output and a target (n, 1)", 2 * bell(rng, (4, 1)),
        rng.random((4, 1)), 1, _FULL, "OneClass", "SoftTarget",
    )  # fmt: skip
    z = np.array([[1.5, _nan], [0.75, -2.0], [0.5, -0.75]])
    yield _draft(
        A, loss, "nan", "one NaN: the loss is NaN, the gradients of other entries are not", z,
        np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]), 3, "NotFinite",
    )  # fmt: skip
    zeros = np.array([[0.0, -0.0], [-0.0, 0.0]])
    yield _draft(
        A, loss, "zeros", "logits of zero: log 2, and a gradient of 1/2 - t", zeros,
        np.array([[1.0, 0.0], [0.25, 0.75]]), 1, "Zeros",
    )  # fmt: skip
    tiny = (1e-3, 1e-9, 1e-20, 1e-200) if wide else (1e-3, 1e-6, 1e-12, 1e-30)
    yield _draft(
        A, loss, "tiny", "logits near zero", np.array([tiny, tiny]) * np.array([[1], [-1]]),
        np.array([[1.0, 0.0, 0.25, 0.0], [0.0, 1.0, 1.0, 0.75]]), 2, "TinyInput",
    )  # fmt: skip


def _squared(A: Arithmetic) -> Iterator[Record]:
    loss, wide = "squared_error", A == FLOAT64
    for family, note, shape, flags in _SHAPES:
        rng = rng_of(f"loss/{family}/{loss}")
        z, target = bell(rng, shape), bell(rng, shape)
        yield _draft(A, loss, family, note, z, target, 1, _FULL, *flags)
    rng = rng_of("loss/squared")
    z, away = A.quantize(bell(rng, (3, 4))).astype(float), 1 + rng.random((3, 4))
    yield _draft(
        A, loss, "cancellation", "outputs close to their targets: z - t loses no digit",
        z, z * (1 + (1e-9 if wide else 1e-4) * away), 3,
        "Cancellation",
    )  # fmt: skip
    yield _draft(
        A, loss, "expanded", "z^2 - 2 z t + t^2 loses what (z - t)^2 keeps",
        1e3 + bell(rng, (3, 4)), 1e3 + bell(rng, (3, 4)), 2, "Cancellation",
    )  # fmt: skip
    big = 1e150 if wide else 1e18
    yield _draft(
        A, loss, "large", "large residuals: their squares are just finite", big * bell(rng, (3, 3)),
        big * bell(rng, (3, 3)), 3, "ExtremeMagnitude",
    )  # fmt: skip
    small = 1e-150 if wide else 1e-17
    yield _draft(
        A, loss, "small", "small residuals: their squares are just normal",
        small * bell(rng, (3, 3)), small * bell(rng, (3, 3)), 3, "ExtremeMagnitude",
    )  # fmt: skip
    yield _draft(
        A, loss, "one-output", "one output and a target (n, 1): nothing is broadcast",
        bell(rng, (5, 1)), bell(rng, (5, 1)), 1, _FULL, "OddBatch", "OneClass",
    )  # fmt: skip
    yield _draft(
        A, loss, "exact", "integers, and a power of two of entries: no rounding at all",
        integers(rng, 50, (4, 4)), integers(rng, 50, (4, 4)), 4, "ExactIntegers", "Square",
    )  # fmt: skip
    yield _draft(
        A, loss, "perfect", "outputs equal to their targets: loss and gradient are 0",
        z, z.copy(), 1, _FULL,
    )  # fmt: skip
    bad = np.array([[1.5, _nan], [0.75, -2.0], [0.5, -0.75]])
    yield _draft(
        A, loss, "nan", "one NaN: the loss is NaN, the gradients of other entries are not", bad,
        np.array([[1.0, 0.0], [0.0, 0.5], [1.0, 1.0]]), 3, "NotFinite",
    )  # fmt: skip
