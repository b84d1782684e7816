"""Whole networks at the edges: listed z, extreme logits, exact integers, kinks and zeros."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np
from numpy.random import Generator

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import FLOAT64, Array
from mlp_ref.certify.drafts.draw import (
    BOTH,
    Layers,
    bell,
    draft,
    integers,
    rng_of,
    target_for,
)
from mlp_ref.certify.drafts.mlp import hidden, network
from mlp_ref.certify.drafts.softmax import logit_families
from mlp_ref.corpus.records import Generated, Record

__all__ = ["mlp_edge_drafts"]


def mlp_edge_drafts() -> Iterator[Record]:
    """Points, logits, exact networks, kinks and zeros."""
    yield from _points()
    yield from _logits()
    yield from _exact()
    yield from _exact_wide()
    yield from _kinks()


_EVERY = tuple(ACTIVATIONS)
_Points = tuple[tuple[float, ...], tuple[str, ...], int, tuple[str, ...]]
_POINTS: dict[str, _Points] = {
    "moderate": ((-3.7, -1.3, -0.4, 0.03, 0.9, 2.9), _EVERY, 1, ()),
    "tails": ((-2000.3, -40.1, -17.3, 17.3, 40.1, 2000.3), _EVERY, 3, ("HugeInput", "Saturated")),
    "above-20": ((20.1, 20.9, 22.3, 24.7, 27.1), ("softplus", "silu"), 2, ("Threshold",)),
    "tiny": (
        (-1e-3, -1e-10, -1e-30, 1e-30, 1e-10, 1e-3), ("tanh", "elu", "silu", "gelu", "gelu_tanh"),
        2, ("TinyInput",),
    ),
}  # fmt: skip


def _points() -> Iterator[Record]:
    """One row and one input of 1: z_0 is exactly the listed numbers, and dW_0 shows f' at each."""
    for family, (points, functions, difficulty, flags) in _POINTS.items():
        for f in functions:
            name = f"points-{family}/{f}"
            rng, z = rng_of(f"mlp/{name}"), np.array([points])
            if (family, f) == ("tails", "gelu_tanh"):
                z = z / 4  # farther out u x^3 leaves no digit in float32
            shape = (len(points), 1)
            out = (0.5 + rng.random(shape)) * rng.choice([-1, 1], shape)
            layers = ((z, np.zeros(len(points))), (out, bell(rng, (1,))))
            note = f"f and f' alone, at {family.replace('-', ' ')} z"
            for A in BOTH:
                yield network(
                    A, name, note, (f, "identity"), layers, np.ones((1, 1)), "squared_error",
                    np.array([[0.3]]), difficulty, "SingleRow", *flags,
                )  # fmt: skip


def _logits() -> Iterator[Record]:
    """One layer and x = 1: the weights are the logits, row by row."""
    for family, note, z, difficulty, flags in logit_families("mlp"):
        for loss in ("cross_entropy", "binary_cross_entropy"):
            for A, soft in product(BOTH, (False, True)):
                if loss != "cross_entropy" and soft != (A == FLOAT64):
                    continue
                name = f"logits-{family}/{loss}/{'soft' if soft else 'hard'}"
                target = target_for(loss, rng_of(f"mlp/{name}"), len(z), z.shape[1], soft)
                layers = ((z, np.zeros(z.shape[1])),)
                marks = ("SoftTarget",) if soft else ()
                yield network(
                    A, name, note, ("identity",), layers, np.eye(len(z)), loss, target, difficulty,
                    *flags, *marks,
                )  # fmt: skip


_EXACT_NOTE = "integers: every order of summation gives the same, exact numbers"


def _exact() -> Iterator[Record]:
    """Integers small enough that no sum is ever rounded, in any order: zero tolerance.

    With n C a power of two the gradients are exact too. The targets are the outputs plus a small
    integer, so that the squares stay small.
    """
    for f in ("relu", "identity"):
        for sizes in ((13, 7, 4), (9, 5, 8)):
            name = f"exact-{'-'.join(map(str, sizes))}/{f}"
            rng = rng_of(f"mlp/{name}")
            layers = _integer_layers(rng, sizes)
            x = a = integers(rng, 2, (4, sizes[0]))
            for k, (W, b) in enumerate(layers):
                z = a @ W + b
                a = np.maximum(z, 0) if f == "relu" and k < len(layers) - 1 else z
            target = a - integers(rng, 3, a.shape)
            for A in BOTH:
                yield network(
                    A, name, _EXACT_NOTE, hidden(f, layers), layers, x, "squared_error", target, 4,
                    "ExactIntegers", "Ragged",
                )  # fmt: skip


def _integer_layers(rng: Generator, sizes: tuple[int, ...]) -> Layers:
    return tuple(
        (integers(rng, 1, (n_in, n_out)), integers(rng, 2, (n_out,)))
        for n_in, n_out in pairwise(sizes)
    )


def _exact_wide() -> Iterator[Record]:
    """The same at real widths, from the generator; the target is arbitrary."""
    shapes = ((784, 128, 16), (1030, 33, 4), (37, 129, 65, 8))
    for number, sizes in enumerate(shapes, 1):
        recipe: dict[str, Array | Generated] = {}
        seed = 1000 * number
        for k, (n_in, n_out) in enumerate(pairwise(sizes)):
            recipe[f"W{k}"] = Generated((n_in, n_out), seed + 2 * k, 3, -1, 1.0)
            recipe[f"b{k}"] = Generated((n_out,), seed + 2 * k + 1, 5, -2, 1.0)
        small = 3 if len(sizes) > 3 else 5
        recipe["x"] = Generated((4, sizes[0]), seed + 100, small, -(small // 2), 1.0)
        recipe["target"] = Generated((4, sizes[-1]), seed + 101, 129, -64, 1.0)
        depth = len(sizes) - 1
        for f in ("relu", "identity") if number == 2 else ("relu",):
            for A in BOTH:
                yield draft(
                    A, f"mlp/exact-{'-'.join(map(str, sizes))}/{f}", _EXACT_NOTE, recipe,
                    parameters={
                        "activations": [f] * (depth - 1) + ["identity"], "loss": "squared_error",
                    },
                    difficulty=4, flags=("ExactIntegers", "Ragged", "Wide"),
                )  # fmt: skip


def _kinks() -> Iterator[Record]:
    """z = 0 exactly, and zeros of both signs; in both arithmetics where f has branches."""
    for f in ACTIVATIONS:
        branches = f in ("relu", "leaky_relu", "elu")
        name = f"zero/{f}"
        rng = rng_of(f"mlp/{name}")
        layers: Layers = tuple(
            (integers(rng, 1, shape), np.zeros(shape[1])) for shape in ((3, 4), (4, 2))
        )
        layers[0][0][:, 0] = (1, -1, 0)
        x, target = integers(rng, 1, (3, 3)), integers(rng, 3, (3, 2))
        x[0] = (1, 1, 0)
        flags = ("LeftDerivative",) if f in ("relu", "leaky_relu") else ("Zeros",)
        for A in BOTH if branches else BOTH[:1]:
            yield network(
                A, name, "z = 0 exactly: at a kink the derivative is the left one",
                hidden(f, layers), layers, x, "squared_error", target, 1, *flags,
            )  # fmt: skip
        name = f"negative-zero/{f}"
        rng = rng_of(f"mlp/{name}")
        layers = (
            (integers(rng, 1, (3, 4)), np.full(4, -0.0)),
            (bell(rng, (4, 2)), np.zeros(2)),
        )
        x = np.array([[-0.0, 0.0, -0.0], [-0.0, 1.0, -0.0]])
        target = bell(rng, (2, 2))
        for A in BOTH if branches else BOTH[1:]:
            yield network(
                A, name, "zeros of both signs in x and b", hidden(f, layers), layers, x,
                "squared_error", target, 1, "Zeros",
            )  # fmt: skip
