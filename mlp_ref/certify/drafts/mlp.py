"""Whole networks on real digits and in the shapes that hide no transposition.

Random data hide most mistakes, so few drafts are typical. A number that is not exact on purpose has
all 53 bits, because inputs that fit float32 hide a cast to float32.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import FLOAT32, FLOAT64, Arithmetic, Array
from mlp_ref.certify.drafts.draw import (
    BOTH,
    Layers,
    bell,
    draft,
    layer_inputs,
    layers_of,
    rng_of,
    target_for,
)
from mlp_ref.corpus.records import Record
from mlp_ref.datasets import load_digits
from mlp_ref.losses import LOSSES

__all__ = ["hidden", "mlp_drafts", "network", "pooled_digits"]

_ROWS = 3


def mlp_drafts() -> Iterator[Record]:
    """Digits and small shapes."""
    yield from _digits()
    yield from _small()
    yield from _first_networks()
    yield from _outputs()


def hidden(f: str, layers: Layers) -> tuple[str, ...]:
    """The same activation in every hidden layer, and logits at the end."""
    return (*([f] * (len(layers) - 1)), "identity")


def network(
    A: Arithmetic, name: str, note: str, activations: tuple[str, ...], layers: Layers, x: Array,
    loss: str, target: Array, difficulty: int, *flags: str,
) -> Record:  # fmt: skip
    """A draft of a network, its data and its loss."""
    return draft(
        A, f"mlp/{name}", note, layer_inputs(layers) | {"x": x, "target": target},
        parameters={"activations": list(activations), "loss": loss}, difficulty=difficulty,
        flags=flags,
    )  # fmt: skip


def pooled_digits() -> tuple[Array, Array]:
    """Sums of 2 x 2 pixels of the real digits, each image scaled to length 8, and the labels.

    The sums and their squares are exact, so that every machine gives the same bits.
    """
    data = load_digits()
    blocks = data.x.reshape(-1, 4, 2, 4, 2).sum(axis=(2, 4)).reshape(-1, 16)
    length = np.sqrt((blocks * blocks).sum(axis=1, keepdims=True))
    return 8 * blocks / length, data.y


def _digits() -> Iterator[Record]:
    """Every activation with every loss: deep in float64, with one hidden layer in float32."""
    images, labels = pooled_digits()
    start = 0
    for k, f in enumerate(ACTIVATIONS):
        for loss in LOSSES:
            for A, sizes in ((FLOAT64, (16, 5, 4, 10)), (FLOAT32, (16, 6, 10))):
                name = f"digits-{'-'.join(map(str, sizes))}/{f}/{loss}"
                rng, rows = rng_of(name), slice(start, start + _ROWS)
                start += _ROWS
                layers, deep = layers_of(rng, sizes), len(sizes) > 3
                soft = deep and (loss != "cross_entropy" or k % 2 == 0)
                target = target_for(loss, rng, _ROWS, 10, soft)
                if target.ndim == 1:
                    target = labels[rows]
                note = f"{_ROWS} real digits, {'two hidden layers' if deep else 'one hidden layer'}"
                marks = ("SoftTarget",) if soft and loss != "squared_error" else ()
                yield network(
                    A, name, note, hidden(f, layers), layers, images[rows], loss, target, 1,
                    "FullPrecisionInput", "RealDigits", *marks,
                )  # fmt: skip


_Shape = tuple[str, str, tuple[int, ...], int, float, bool, int, tuple[str, ...]]
_SHAPES: tuple[_Shape, ...] = (
    ("batch-1", "a single row", (4, 5, 3), 1, 1.0, False, 1, ("SingleRow",)),
    ("batch-7", "an odd number of rows", (3, 3, 2), 7, 1.0, True, 1, ("OddBatch",)),
    ("square", "square layers, batch = classes: transposes keep their shape", (3, 3, 3, 3), 3,
     1.0, False, 1, ("Square",)),
    ("saturated", "large weights: most units are in a tail", (4, 5, 3), 3, 24.0, True, 2,
     ("OddBatch", "Saturated")),
)  # fmt: skip
_FIRST_SHAPES: tuple[_Shape, ...] = (
    ("batch-4", "a first network: one hidden layer, then logits", (5, 6, 3), 4, 1.0, False, 1, ()),
    ("batch-5", "a first network, with a hidden layer that is narrow", (6, 3, 4), 5, 1.0, False, 1,
     ("OddBatch",)),
    ("all-equal", "rows, inputs, units and classes are equal in number", (4, 4, 4), 4, 1.0, False,
     1, ("Square",)),
)  # fmt: skip
# What else the common functions are asked in float64.
_ALSO_FLOAT64 = (
    ("batch-1", "sigmoid", "cross_entropy"), ("batch-1", "sigmoid", "squared_error"),
    ("batch-1", "tanh", "cross_entropy"), ("batch-1", "relu", "binary_cross_entropy"),
    ("batch-5", "tanh", "binary_cross_entropy"), ("batch-5", "relu", "squared_error"),
)  # fmt: skip


def _small() -> Iterator[Record]:
    """Networks so small that their bounds are tight."""
    for k, f in enumerate(ACTIVATIONS):
        for j, shape in enumerate(_SHAPES):
            for i, A in enumerate(BOTH):
                loss = list(LOSSES)[(k + j + i) % 3]
                yield _of_shape(A, f, loss, shape)
            yield from _also(f, shape)


def _first_networks() -> Iterator[Record]:
    """What a first network is: one hidden layer; labels, and few targets of other losses."""
    for f in ("sigmoid", "tanh", "relu"):
        for shape in _FIRST_SHAPES:
            for A in BOTH:
                yield _of_shape(A, f, "cross_entropy", shape)
            yield from _also(f, shape)


def _also(f: str, shape: _Shape) -> Iterator[Record]:
    for loss in LOSSES:
        if (shape[0], f, loss) in _ALSO_FLOAT64:
            yield _of_shape(FLOAT64, f, loss, shape)


def _of_shape(A: Arithmetic, f: str, loss: str, shape: _Shape) -> Record:
    family, note, sizes, n, scale, soft, difficulty, flags = shape
    name = f"{family}/{f}/{loss}"
    rng = rng_of(f"mlp/{name}")
    layers, x = layers_of(rng, sizes, scale), bell(rng, (n, sizes[0]))
    target = target_for(loss, rng, n, sizes[-1], soft)
    marks = ("SoftTarget",) if soft and loss != "squared_error" else ()
    return network(
        A, name, note, hidden(f, layers), layers, x, loss, target, difficulty,
        "FullPrecisionInput", *flags, *marks,
    )  # fmt: skip


def _outputs() -> Iterator[Record]:
    for f in ACTIVATIONS:
        for A in BOTH:
            name = f"output/{f}/squared_error"
            rng = rng_of(f"mlp/{name}")
            layers, x = layers_of(rng, (3, 4, 2)), bell(rng, (3, 3))
            yield network(
                A, name, "the output layer has an activation too", (f, f), layers, x,
                "squared_error", bell(rng, (3, 2)), 1, "FullPrecisionInput", "OddBatch",
                "OutputActivation",
            )  # fmt: skip
