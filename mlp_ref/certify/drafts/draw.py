"""How drafts are drawn: the same bits on every machine, one generator for each name.

Only random bits, and +, -, *, / and sqrt, which IEEE 754 rounds correctly; decimal constants are
written out. exp, log and powers differ in the last bit from one CPU to the next, also within
`Generator.standard_normal`, and `Generator.uniform` may be compiled to a fused multiply-add. A
matrix product depends on the order of its sums, unless it is exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import sqrt
from typing import Any
from zlib import crc32

import numpy as np
from numpy.random import Generator

from mlp_ref.arithmetic import FLOAT32, FLOAT64, Arithmetic, Array
from mlp_ref.corpus.records import Generated, Record

__all__ = [
    "BOTH",
    "Inputs",
    "Layers",
    "ascending",
    "bell",
    "draft",
    "drafts_in_both",
    "integers",
    "layer_inputs",
    "layers_of",
    "near",
    "rng_of",
    "target_for",
    "uniform",
]

Inputs = Mapping[str, Array | Generated]
Layers = tuple[tuple[Array, Array], ...]

BOTH: tuple[Arithmetic, ...] = (FLOAT64, FLOAT32)


def rng_of(name: str) -> Generator:
    """A generator of its own, so that adding a draft changes no other."""
    return np.random.default_rng(crc32(name.encode()))


def uniform(rng: Generator, shape: tuple[int, ...]) -> Array:
    """Uniform in [-1, 1), of 53 bits."""
    return 2 * rng.random(shape) - 1


def bell(rng: Generator, shape: tuple[int, ...]) -> Array:
    """Three uniform numbers added: mean 0, variance 1, within [-3, 3)."""
    return uniform(rng, shape) + uniform(rng, shape) + uniform(rng, shape)


def integers(rng: Generator, high: int, shape: tuple[int, ...]) -> Array:
    """Integers from -high to high, as floats."""
    return rng.integers(-high, high + 1, shape).astype(np.float64)


def near(A: Arithmetic, *values: float) -> Array:
    """Each value in A, between its two neighbours in A."""
    x = A.quantize(np.array(values))
    below, above = np.nextafter(x, A.dtype.type(-np.inf)), np.nextafter(x, A.dtype.type(np.inf))
    return np.stack([below, x, above], axis=1).ravel().astype(np.float64)


def ascending(values: Array | tuple[float, ...]) -> Array:
    """The negatives of positive values, and the values, ascending."""
    values = np.asarray(values, np.float64)
    return np.sort(np.concatenate([-values, values]))


def layers_of(rng: Generator, sizes: tuple[int, ...], scale: float = 1.0) -> Layers:
    """Glorot weights times ``scale``, and small biases."""
    return tuple(
        (
            scale * sqrt(6 / (n_in + n_out)) * uniform(rng, (n_in, n_out)),
            0.2 * bell(rng, (n_out,)),
        )
        for n_in, n_out in pairwise(sizes)
    )


def layer_inputs(layers: Layers) -> dict[str, Array | Generated]:
    """W0, b0, W1, b1, ..."""
    return {
        f"{part}{k}": array
        for k, layer in enumerate(layers)
        for part, array in zip("Wb", layer, strict=True)
    }


def target_for(loss: str, rng: Generator, n: int, classes: int, soft: bool) -> Array:
    """Labels, 0/1 and real numbers, or their soft forms with all 53 bits."""
    labels = rng.integers(0, classes, n)
    if loss == "cross_entropy":
        counts = rng.integers(1, 2**20, (n, classes))
        return counts / counts.sum(axis=1, keepdims=True) if soft else labels
    if loss == "binary_cross_entropy":
        return rng.random((n, classes)) if soft else np.eye(classes)[labels]
    return bell(rng, (n, classes))


def draft(
    A: Arithmetic,
    name: str,
    note: str,
    inputs: Inputs,
    *,
    parameters: Mapping[str, Any] | None = None,
    difficulty: int = 1,
    flags: tuple[str, ...] = (),
) -> Record:
    """A draft whose real inputs are rounded to A; ``name`` is ``operation/family/detail...``.

    A float32 draft is judged in float64, too, where rounded probabilities would not sum to one.
    """
    inputs = dict(inputs)
    if A == FLOAT32 and "target" in inputs and (parameters or {}).get("loss") == "cross_entropy":
        inputs["target"] = _in_units(inputs["target"])
    return Record(
        id=f"{name}/{A.name}",
        operation=name.partition("/")[0],
        arithmetic=A.name,
        note=note,
        difficulty=difficulty,
        flags=tuple(sorted(flags)),
        parameters=dict(parameters or {}),
        inputs={key: _rounded(A, x) for key, x in inputs.items()},
    )


def _in_units(target: Array | Generated) -> Array | Generated:
    """Probabilities in multiples of 2^-20 that sum to exactly one; labels as they are."""
    if isinstance(target, Generated) or target.dtype.kind != "f":
        return target
    shares, rows = np.rint(target * 2.0**20) / 2.0**20, np.arange(len(target))
    top = shares.argmax(axis=1)
    shares[rows, top] += 1 - shares.sum(axis=1)
    return np.asarray(shares)


def _rounded(A: Arithmetic, x: Array | Generated) -> Array | Generated:
    if isinstance(x, Generated):
        return x
    return A.quantize(x) if x.dtype.kind == "f" else x.astype(np.int64)


def drafts_in_both(name: str, note: str, inputs: Inputs, **rest: Any) -> Iterator[Record]:
    """The same draft in float64 and in float32."""
    for A in BOTH:
        yield draft(A, name, note, inputs, **rest)
