"""Dense layers: shapes, exact sums, cancellation, and arithmetics that only look like float32."""

from __future__ import annotations

from collections.abc import Iterator
from math import fsum

import numpy as np
from numpy.random import Generator

from mlp_ref.arithmetic import FLOAT32, FLOAT64, Arithmetic, Array
from mlp_ref.certify.drafts.draw import (
    BOTH,
    Inputs,
    bell,
    draft,
    drafts_in_both,
    integers,
    rng_of,
    uniform,
)
from mlp_ref.corpus.records import Generated, Record

__all__ = ["dense_drafts"]


def dense_drafts() -> Iterator[Record]:
    """Every draft of a dense layer."""
    yield from _shapes()
    yield from _narrow()
    yield from _exact()
    yield from _cancellation()
    yield from _exact_cancellation()
    yield from _discriminators()
    yield from _magnitudes()
    yield from _zeros()


def _inputs(x: Array, W: Array, b: Array, g: Array) -> Inputs:
    return {"x": x, "W": W, "b": b, "g": g}


def _bells(rng: Generator, n: int, i: int, o: int) -> Inputs:
    return _inputs(bell(rng, (n, i)), bell(rng, (i, o)), bell(rng, (o,)), bell(rng, (n, o)))


def _shapes() -> Iterator[Record]:
    for shape, name, note, flags in (
        ((1, 1, 1), "1-1-1", "one number in, one number out", ("SingleRow",)),
        ((3, 5, 7), "odd", "odd sizes: no vector unit is filled", ("OddBatch", "Ragged")),
        ((2, 9, 3), "ragged", "many inputs, few outputs", ("Ragged",)),
        ((2, 3, 9), "wide-out", "few inputs, many outputs", ("Ragged",)),
        ((4, 4, 4), "square", "batch = inputs = outputs: transposes keep their shape", ("Square",)),
        ((1, 6, 5), "single-row", "a single row", ("SingleRow",)),
        ((5, 6, 1), "single-column", "a single output", ("OddBatch", "Ragged")),
        ((5, 1, 4), "single-input", "a single input: an outer product", ("OddBatch", "Ragged")),
        ((7, 4, 2), "tall", "more rows than features", ("OddBatch", "Ragged")),
    ):
        inputs = _bells(rng_of(f"dense/shape/{name}"), *shape)
        yield from drafts_in_both(
            f"dense/shape-{name}", note, inputs, flags=("FullPrecisionInput", *flags)
        )


def _narrow() -> Iterator[Record]:
    """float64 alone: the same layer with inputs of 24 bits, and of 53."""
    for name, shape in (("odd", (3, 5, 3)), ("square", (4, 4, 4))):
        inputs = _bells(rng_of(f"dense/narrow/{name}"), *shape)
        fits = {key: FLOAT32.quantize(np.asarray(x)).astype(float) for key, x in inputs.items()}
        yield draft(
            FLOAT64, f"dense/fits-float32/{name}",
            "inputs fit float32: only sums in float32 show, not a cast of the inputs",
            fits, flags=("NarrowInput",), difficulty=4,
        )  # fmt: skip
        yield draft(
            FLOAT64, f"dense/full-precision/{name}",
            "inputs have 53 bits: a cast of any of them to float32 shows",
            inputs, flags=("FullPrecisionInput",), difficulty=4,
        )  # fmt: skip


def _exact() -> Iterator[Record]:
    """Integers whose sums are exact in any order; the wide ones come from the generator."""
    note = "integers: every order of summation gives the same, exact numbers"
    for n, i, o in ((3, 7, 5), (5, 13, 2)):
        name = f"dense/exact/{n}-{i}-{o}"
        rng = rng_of(name)
        inputs = _inputs(*(integers(rng, 9, s) for s in ((n, i), (i, o), (o,), (n, o))))
        yield from drafts_in_both(name, note, inputs, flags=("ExactIntegers",))
    for seed, (n, i, o) in enumerate(((4, 784, 16), (3, 1030, 33), (5, 37, 129), (33, 65, 8)), 1):
        shapes = {"x": (n, i), "W": (i, o), "b": (o,), "g": (n, o)}
        recipe = {
            key: Generated(shape, 16 * seed + k, 7, -3, 1.0)
            for k, (key, shape) in enumerate(shapes.items())
        }
        yield from drafts_in_both(
            f"dense/exact-wide/{n}-{i}-{o}", note, recipe, flags=("ExactIntegers", "Wide")
        )


_LADDER = {1: 1e-1, 2: 1e-2, 3: 1e-3, 4: 1e-4, 5: 1e-5, 6: 1e-6, 7: 1e-7, 8: 1e-8}


def _cancellation() -> Iterator[Record]:
    """|x| |W| / |x W| is about 10^j: pairs of terms that nearly cancel, in mixed order."""
    steps = {
        "float64": {4: (2, 5, 8), 12: tuple(range(1, 9)), 32: (2, 5, 8)},
        "float32": {4: (1, 3, 5), 12: (1, 2, 3, 4, 5), 32: (2, 4)},
    }
    for A in BOTH:
        for length, exponents in steps[A.name].items():
            for j in exponents:
                name = f"dense/cancellation-1e{j}/{length}"
                rng = rng_of(name)
                half, order = length // 2, rng.permutation(length)
                p, q = 0.5 + rng.random((1, half)), 0.5 + rng.random((half, 2))
                q = A.quantize(q).astype(float)
                x = np.concatenate([p, -p], axis=1)[:, order]
                W = np.concatenate([q, q * (1 - 2 * _LADDER[j])])[order]
                note = f"terms cancel: the sum of their sizes is 1e{j} times the result"
                yield draft(
                    A, name, note, _inputs(x, W, np.zeros(2), bell(rng, (1, 2))),
                    difficulty=min(4, 1 + (j + 1) // 2), flags=("Cancellation",),
                )  # fmt: skip
    for A, delta in ((FLOAT64, 1e-8), (FLOAT32, 1e-4)):
        name = "dense/cancellation-bias"
        rng = rng_of(name)
        x, W = uniform(rng, (1, 6)), uniform(rng, (6, 3))
        exact = np.array([fsum(column) for column in (x[0][:, None] * W).T])
        yield draft(
            A, name, "the bias cancels the product: it must be added in full precision",
            _inputs(x, W, -exact * (1 - delta), bell(rng, (1, 3))),
            difficulty=3, flags=("Cancellation",),
        )  # fmt: skip


def _exact_cancellation() -> Iterator[Record]:
    """Integers of a sum near 2^p that leave a small rest: exact, however much cancels."""
    for A, high, name in ((FLOAT32, 1000, "1e6"), (FLOAT64, 2**23, "1e14")):
        rng = rng_of(f"dense/exact-cancellation/{name}")
        half = 6
        p, q = rng.integers(high // 2, high, (1, half)), rng.integers(high // 2, high, (half, 2))
        x = np.concatenate([p, -p, [[1]]], axis=1).astype(float)
        W = np.concatenate([q, q, [[5, -5]]]).astype(float)
        yield draft(
            A, f"dense/exact-cancellation-{name}",
            f"integers: terms {name} times larger than the result cancel exactly",
            _inputs(x, W, np.array([2.0, 4.0]), np.array([[1.0, -2.0]])),
            difficulty=4, flags=("Cancellation", "ExactIntegers"),
        )  # fmt: skip


def _odd(rng: Generator, bits: int, shape: tuple[int, ...]) -> Array:
    """Odd integers of exactly ``bits`` bits and both signs."""
    k = rng.integers(2 ** (bits - 2), 2 ** (bits - 1), shape)
    return np.asarray((2 * k + 1) * rng.choice([-1.0, 1.0], shape))


def _discriminators() -> Iterator[Record]:
    """Sums that are exact in float32, of operands that a narrower format rounds."""
    small = {"W": (5, 3), "b": (3,), "g": (3, 3), "x": (3, 5)}
    for name, bits, wide, format_, flag in (
        ("tf32-x", 13, "x", "TF32", "Tf32"),
        ("tf32-weights", 13, "W", "TF32", "Tf32"),
        ("tf32-gradient", 13, "g", "TF32", "Tf32"),
        ("bfloat16-x", 9, "x", "bfloat16", "Bfloat16"),
        ("bfloat16-weights", 9, "W", "bfloat16", "Bfloat16"),
        ("bfloat16-gradient", 9, "g", "bfloat16", "Bfloat16"),
        ("float16-x", 12, "x", "float16", "Float16"),
        ("float16-weights", 12, "W", "float16", "Float16"),
    ):
        rng = rng_of(f"dense/{name}")
        inputs = {
            key: _odd(rng, bits, shape) if key == wide else integers(rng, 9, shape)
            for key, shape in small.items()
        }
        note = f"{wide} has {bits} bits: exact in float32, rounded in {format_}"
        ordered = {key: inputs[key] for key in ("x", "W", "b", "g")}
        yield from drafts_in_both(
            f"dense/{name}", note, ordered, difficulty=4, flags=("ExactIntegers", flag)
        )
    rng = rng_of("dense/float16-range")
    scale = 2.0**20
    yield from drafts_in_both(
        "dense/float16-range", "exact numbers beyond the range of float16",
        _inputs(scale * integers(rng, 9, (3, 4)), integers(rng, 9, (4, 3)),
                scale * integers(rng, 9, (3,)), integers(rng, 9, (3, 3)) / scale),
        difficulty=4, flags=("ExactIntegers", "Float16"),
    )  # fmt: skip
    for A, top, bits in ((FLOAT32, 2.0**13, 11), (FLOAT64, 2.0**30, 24)):
        x = np.array([[top, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, top]])
        W = np.ones((7, 2))
        W[:, 1] = (1, -1, 1, -1, 1, 1, 1)
        yield draft(
            A, f"dense/accumulator-{bits}",
            f"a sum of one large and many small terms: an accumulator of {bits} bits drops them",
            _inputs(x, W, np.array([1.0, 0.0]), np.array([[1.0, 1.0], [1.0, -1.0]])),
            difficulty=4, flags=("Accumulator", "ExactIntegers"),
        )  # fmt: skip


def _magnitudes() -> Iterator[Record]:
    scales: dict[str, tuple[Arithmetic, tuple[float, float, float]]] = {
        "large-small": (FLOAT64, (1e150, 1e-150, 1.0)),
        "large-large": (FLOAT64, (1e150, 1e150, 1e-150)),
        "small-small": (FLOAT64, (1e-150, 1e-150, 1e150)),
    }
    scales |= {f"{key}-32": (FLOAT32, s) for key, s in zip(
        tuple(scales), ((1e18, 1e-18, 1.0), (1e18, 1e18, 1e-18), (1e-17, 1e-17, 1e17)), strict=True
    )}  # fmt: skip
    for key, (A, (s_x, s_w, s_g)) in scales.items():
        name = f"dense/magnitude-{key.removesuffix('-32')}"
        rng = rng_of(name)
        yield draft(
            A, name, f"x near {s_x:.0e}, W near {s_w:.0e}: nothing overflows or underflows",
            _inputs(s_x * bell(rng, (2, 5)), s_w * bell(rng, (5, 3)),
                    s_x * s_w * bell(rng, (3,)), s_g * bell(rng, (2, 3))),
            difficulty=3, flags=("ExtremeMagnitude",),
        )  # fmt: skip


def _zeros() -> Iterator[Record]:
    rng = rng_of("dense/zeros")
    b, g = bell(rng, (3,)), bell(rng, (3, 3))
    signed = np.array([[0.0, -0.0, 0.0, -0.0], [-0.0, 1.5, -0.0, 0.0], [0.0, 0.0, 0.0, -2.5]])
    yield from drafts_in_both(
        "dense/bias-only", "W = 0: every row is the bias",
        _inputs(bell(rng, (3, 4)), np.zeros((4, 3)), b, g), flags=("BiasOnly",),
    )  # fmt: skip
    yield from drafts_in_both(
        "dense/zeros", "zeros of both signs in x, W and b",
        _inputs(signed, signed.T.copy(), np.array([-0.0, 0.0, -0.0]), g), flags=("Zeros",),
    )  # fmt: skip
    yield from drafts_in_both(
        "dense/no-bias", "b = 0: the product alone",
        _inputs(bell(rng, (3, 4)), bell(rng, (4, 3)), np.zeros(3), g),
        flags=("FullPrecisionInput", "OddBatch"),
    )  # fmt: skip
