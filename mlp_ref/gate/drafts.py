"""The networks and data of the cases, in float64: real digits, and inputs at the edges.

Random data hide most mistakes, so few cases are typical. A number that is not exact on purpose has
all 53 bits, because inputs that fit float32 hide a cast to float32. Every case draws from its own
generator, seeded by its name, so that adding one changes no other.

The same bits come out on every machine: only random bits, and +, -, *, / and sqrt, which IEEE 754
rounds correctly. exp and log differ in the last bit from one CPU to the next, also within
`Generator.standard_normal`, and `Generator.uniform` may be compiled to a fused multiply-add.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import sqrt
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.random import Generator

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import Array
from mlp_ref.datasets import load_digits
from mlp_ref.losses import LOSSES

__all__ = ["Draft", "drafts"]

Layers = tuple[tuple[Array, Array], ...]


class Draft(NamedTuple):
    """A case before it is rounded to an arithmetic."""

    name: str
    note: str
    activations: tuple[str, ...]
    layers: Layers
    x: Array
    loss: str
    target: Array


def drafts() -> Iterator[Draft]:
    """Every draft, in order."""
    yield from _digits()
    yield from _small()
    yield from _points()
    yield from _logits()
    yield from _exact()
    yield from _kinks()


def _rng(name: str) -> Generator:
    return np.random.default_rng(crc32(name.encode()))


def _uniform(rng: Generator, shape: tuple[int, ...]) -> Array:
    """Uniform in [-1, 1)."""
    return 2 * rng.random(shape) - 1


def _bell(rng: Generator, shape: tuple[int, ...]) -> Array:
    """Three uniform numbers added: mean 0, variance 1, within [-3, 3)."""
    return _uniform(rng, shape) + _uniform(rng, shape) + _uniform(rng, shape)


def _layers(sizes: tuple[int, ...], rng: Generator, scale: float = 1.0) -> Layers:
    """Glorot weights times ``scale``, and small biases."""
    return tuple(
        (
            scale * sqrt(6 / (n_in + n_out)) * _uniform(rng, (n_in, n_out)),
            0.2 * _bell(rng, (n_out,)),
        )
        for n_in, n_out in pairwise(sizes)
    )


def _hidden(name: str, layers: Layers) -> tuple[str, ...]:
    """The same activation in every hidden layer, and logits at the end."""
    return (*([name] * (len(layers) - 1)), "identity")


def _target(loss: str, n: int, classes: int, rng: Generator, soft: bool) -> Array:
    """Labels, 0/1 and real numbers, or their soft forms with all 53 bits."""
    labels = rng.integers(0, classes, n)
    if loss == "cross_entropy":
        counts = rng.integers(1, 2**20, (n, classes))
        return counts / counts.sum(axis=1, keepdims=True) if soft else labels
    if loss == "binary_cross_entropy":
        return rng.random((n, classes)) if soft else np.eye(classes)[labels]
    return _bell(rng, (n, classes))


def _digits() -> Iterator[Draft]:
    """Real images, scaled to length 8 so that pixels need all their bits."""
    data = load_digits()
    images = 8 * data.x / np.linalg.norm(data.x, axis=1, keepdims=True)
    start = 0
    for f in ACTIVATIONS:
        for loss in LOSSES:
            for sizes in ((64, 12, 10), (64, 12, 8, 10)):
                name = f"digits-{'-'.join(map(str, sizes))}/{f}/{loss}"
                rng, rows = _rng(name), slice(start, start + 9)
                start += 9
                layers, deep = _layers(sizes, rng), len(sizes) > 3
                target = _target(loss, 9, 10, rng, soft=deep)
                if target.ndim == 1:
                    target = data.y[rows]
                note = f"9 real digits, {'two hidden layers' if deep else 'one hidden layer'}"
                yield Draft(name, note, _hidden(f, layers), layers, images[rows], loss, target)


def _small() -> Iterator[Draft]:
    """Networks so small that their bounds are tight, in shapes that hide no transposition."""
    shapes = (
        ("batch-1", "a single row", (5, 7, 4), 1, 1.0, False),
        ("batch-7", "an odd number of rows", (5, 7, 4), 7, 1.0, True),
        ("square", "square layers, batch = classes: transposes keep their shape",
         (4, 4, 4, 4), 4, 1.0, False),
        ("saturated", "large weights: most units are in a tail", (6, 8, 5), 5, 24.0, True),
    )  # fmt: skip
    for k, f in enumerate(ACTIVATIONS):
        for j, (family, note, sizes, n, scale, soft) in enumerate(shapes):
            loss = list(LOSSES)[(k + j) % 3]
            name = f"{family}/{f}/{loss}"
            rng = _rng(name)
            layers, x = _layers(sizes, rng, scale), _bell(rng, (n, sizes[0]))
            target = _target(loss, n, sizes[-1], rng, soft)
            yield Draft(name, note, _hidden(f, layers), layers, x, loss, target)
        name = f"output/{f}/squared_error"
        rng = _rng(name)
        layers, x = _layers((5, 6, 3), rng), _bell(rng, (3, 5))
        target = _bell(rng, (3, 3))
        note = "the output layer has an activation too"
        yield Draft(name, note, (f, f), layers, x, "squared_error", target)


_POINTS = {
    "moderate": (-3.7, -2.1, -1.3, -0.75, -0.4, -0.05, 0.03, 0.3, 0.9, 1.7, 2.9, 4.2),
    "tails": (-104.3, -90.7, -40.1, -17.3, 17.3, 40.1, 90.7, 104.3),
    "above-20": (20.1, 20.9, 22.3, 24.7, 27.1),
    "huge": (-2000.3, -1000.1, -700.7, 700.7, 1000.1, 2000.3),
    "tiny": (-1e-3, -1e-6, -1e-10, -1e-20, -1e-30, 1e-30, 1e-20, 1e-10, 1e-6, 1e-3),
}


def _points() -> Iterator[Draft]:
    """One row and one input of 1: z_0 is exactly the listed numbers, and dW_0 shows f' at each."""
    for f in ACTIVATIONS:
        for family, points in _POINTS.items():
            name = f"points-{family}/{f}"
            rng, z = _rng(name), np.array([points])
            shape = (len(points), 1)
            out = (0.5 + rng.random(shape)) * rng.choice([-1, 1], shape)
            layers = ((z, np.zeros(len(points))), (out, _bell(rng, (1,))))
            note = f"f and f' alone, at {family.replace('-', ' ')} z"
            yield Draft(
                name, note, (f, "identity"), layers, np.ones((1, 1)), "squared_error",
                np.array([[0.3]]),
            )  # fmt: skip


def _logits() -> Iterator[Draft]:
    """One layer and x = 1: the weights are the logits, row by row."""
    offsets = np.array([-1000.0, -500.0, 0.0, 500.0, 1000.0])
    pattern = np.array([0.0, -1.5, 2.25, -3.125, 0.5])
    rng = _rng("logits")
    families = {
        "row-maxima": ("row maxima from -1000 to 1000 in one batch", offsets[:, None] + pattern),
        "extreme": ("logits from -1000 to 1000 in one row", 1e3 * _uniform(rng, (5, 5))),
        "close": ("nearly equal logits", 0.1 * _bell(rng, (5, 5))),
        "equal": ("equal logits", np.full((5, 5), 3.0)),
    }
    for family, (note, z) in families.items():
        for loss in ("cross_entropy", "binary_cross_entropy"):
            for soft in (False, True):
                name = f"logits-{family}/{loss}/{'soft' if soft else 'hard'}"
                target = _target(loss, 5, 5, _rng(name), soft)
                layers = ((z, np.zeros(5)),)
                yield Draft(name, note, ("identity",), layers, np.eye(5), loss, target)


def _integers(rng: Generator, high: int, shape: tuple[int, ...]) -> Array:
    return rng.integers(-high, high + 1, shape).astype(np.float64)


def _exact() -> Iterator[Draft]:
    """Integers small enough that no sum is ever rounded, in any order: zero tolerance.

    With n C a power of two the gradients are exact too. The targets are the outputs plus a small
    integer, so that the squares stay small.
    """
    shapes = ((64, 37, 10), (64, 37, 16), (37, 129, 65, 8), (130, 33, 4))
    for f in ("relu", "identity"):
        for sizes in shapes:
            name = f"exact-{'-'.join(map(str, sizes))}/{f}"
            rng = _rng(name)
            layers = tuple(
                (_integers(rng, 1, (n_in, n_out)), _integers(rng, 2, (n_out,)))
                for n_in, n_out in pairwise(sizes)
            )
            x = a = _integers(rng, 2, (4, sizes[0]))
            for k, (W, b) in enumerate(layers):
                z = a @ W + b
                a = np.maximum(z, 0) if f == "relu" and k < len(layers) - 1 else z
            target = a - _integers(rng, 3, a.shape)
            note = "integers: every order of summation gives the same, exact numbers"
            yield Draft(name, note, _hidden(f, layers), layers, x, "squared_error", target)


def _kinks() -> Iterator[Draft]:
    """z = 0 exactly, and zeros of both signs."""
    for f in ACTIVATIONS:
        name = f"zero/{f}"
        rng = _rng(name)
        layers = tuple(
            (_integers(rng, 1, (n_in, n_out)), np.zeros(n_out)) for n_in, n_out in ((4, 8), (8, 2))
        )
        x, target = _integers(rng, 1, (4, 4)), _integers(rng, 3, (4, 2))
        note = "z = 0 exactly: at a kink the derivative is the left one"
        yield Draft(name, note, _hidden(f, layers), layers, x, "squared_error", target)
        name = f"negative-zero/{f}"
        rng = _rng(name)
        layers = (
            (_integers(rng, 1, (3, 5)), np.full(5, -0.0)),
            (_bell(rng, (5, 2)), np.zeros(2)),
        )
        x = np.array([[-0.0, 0.0, -0.0], [-0.0, 1.0, -0.0]])
        note = "zeros of both signs in x and b"
        target = _bell(rng, (2, 2))
        yield Draft(name, note, _hidden(f, layers), layers, x, "squared_error", target)
