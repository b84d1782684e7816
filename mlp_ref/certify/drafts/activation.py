"""Elementwise functions and their derivatives, at points where formulas differ."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import FLOAT32, FLOAT64, Arithmetic, Array
from mlp_ref.certify.drafts.draw import BOTH, ascending, bell, draft, near, rng_of
from mlp_ref.corpus.records import Record

__all__ = ["activation_drafts"]

_MODERATE = (-3.7, -2.1, -1.3, -0.75, -0.4, -0.05, 0.03, 0.3, 0.9, 1.7, 2.9, 4.2)

# Where exp overflows, leaves the normal numbers, and leaves the subnormal ones.
_EXP = {
    "float64": (709.782712893384, -708.3964185322641, -744.4400719213812),
    "float32": (88.72283905206835, -87.3365447505531, -103.27892990343184),
}
# Where tanh and sigmoid round to 1, and where erfc(x / sqrt 2) and 1 + tanh(q(x)) of the GELUs
# leave the normal numbers.
_SATURATION = {
    "float64": {
        "tanh": 19.06154746539849, "sigmoid": 36.7368005696771, "gelu": -37.5377,
        "gelu_tanh": -21.3,
    },
    "float32": {
        "tanh": 9.010913347279289, "sigmoid": 16.635532333438686, "gelu": -13.0025,
        "gelu_tanh": -10.4,
    },
}  # fmt: skip
_PIECEWISE = ("identity", "relu", "leaky_relu")
# Where tails are small but not yet lost. Of the GELUs the left one is lost soon: 1 + erf cancels.
_MIDDLE_RIGHT = (4.6, 5.1, 5.7, 6.7, 7.3, 8.2, 9.4, 10.6, 13.1, 15.9)
_MIDDLE = (
    -30.6, -25.3, -20.4, -15.9, -14.7, -13.1, -11.8, -10.6, -9.4, -8.2, -7.3, -6.7, -6.1, -5.7,
    -5.1, -4.6,
)  # fmt: skip
_MIDDLE_OF_GELU = {
    "float64": (
        -13.1, -10.6, -8.2, -7.9, -7.3, -6.7, -6.4, -6.1, -5.9, -5.7, -5.3, -5.1, -4.9, -4.6, -4.3,
        -4.1,
    ),
    "float32": (-13.1, -8.2, -6.1, -5.3, -5.1, -4.9, -4.6, -4.4, -4.3, -4.1, -3.9, -3.5, -3.3),
}  # fmt: skip


def activation_drafts() -> Iterator[Record]:
    """Every function at every family of points, in both arithmetics."""
    for f in ACTIVATIONS:
        for A in BOTH:
            for family, points, note, difficulty, flags in _families(f, A):
                x = np.asarray(points, np.float64)[None]
                yield _draft(A, family, f, note, x, np.ones_like(x), difficulty, flags)
            yield _with_gradient(A, f)
            yield from _special(A, f)


def _draft(
    A: Arithmetic, family: str, f: str, note: str, x: Array, g: Array, difficulty: int,
    flags: tuple[str, ...],
) -> Record:  # fmt: skip
    return draft(
        A, f"activation/{family}/{f}", note, {"x": x, "g": g}, parameters={"function": f},
        difficulty=difficulty, flags=flags,
    )  # fmt: skip


_Family = tuple[str, Array | tuple[float, ...], str, int, tuple[str, ...]]


def _families(f: str, A: Arithmetic) -> Iterator[_Family]:
    """Name, points, note, difficulty and flags."""
    wide = A == FLOAT64
    yield "moderate", _MODERATE, "f and f' at moderate x", 1, ("FullPrecisionInput",)
    yield (
        "tails", ascending((3.7, 17.3, 40.1, 90.7, 104.3)),
        "far tails: 1 - tanh(x)^2 and 1 + erf(x) have no digits left", 2, ("Saturated",),
    )  # fmt: skip
    huge = (2000.3, 1e5, 1e30, 1e300) if wide else (2000.3, 1e5, 1e18, 1e38)
    if f in ("silu", "gelu", "gelu_tanh"):  # beyond, 1 - s times x may be off by all of u x
        huge = (40.3, 2000.3, 1e5, 1e9) if wide else (40.3, 300.3, 2000.3, 1e4)
    if f == "gelu_tanh":  # and so may x^3
        huge = (40.3, 300.3, 2000.3, 1e4) if wide else (11.3, 17.3, 25.3, 40.3)
    yield "huge", ascending(huge), "huge x: exp overflows, and so does x^2", 3, ("HugeInput",)
    yield (
        "tiny", ascending((1e-3, 1e-6, 1e-16, 1e-100, 1e-300) if wide else
                          (1e-3, 1e-5, 1e-10, 1e-20, 1e-36)),
        "x near 0: exp(x) - 1 loses every digit", 2, ("TinyInput",),
    )  # fmt: skip
    yield "edges-subnormal", _subnormal(A), "subnormal x, beside the least normal ones", 3, (
        "Subnormal", "TinyInput",
    )  # fmt: skip
    if f not in ("silu", "gelu", "gelu_tanh"):
        yield "edges-largest", _largest(A, f), "up to the largest finite numbers", 3, (
            "HugeInput", "LargestFinite",
        )  # fmt: skip
    yield "edges-one", ascending(near(A, 0.5, 1.0)), (
        "1 and 1/2, and the numbers next to them"
    ), 2, ("NeighbouringNumbers",)  # fmt: skip
    if f in _PIECEWISE:
        return
    left = _MIDDLE_OF_GELU[A.name] if f in ("gelu", "gelu_tanh") else _MIDDLE
    yield "middle-tails", FLOAT32.quantize(np.array((*left, *_MIDDLE_RIGHT))), (
        "where tails are small but not lost: a cut-off at 5 or 8 shows"
    ), 2, ("Saturated",)  # fmt: skip
    yield "edges-exp", _exp_edges(A), "where exp overflows and underflows, to an ulp", 3, (
        "Saturated", "Threshold",
    )  # fmt: skip
    yield "edges-saturation", _saturation(A), (
        "where tanh and sigmoid round to 1 and erfc underflows, to an ulp"
    ), 3, ("Saturated", "Threshold")  # fmt: skip
    if f in ("softplus", "silu"):
        yield "above-20", (*near(A, 20.0).tolist(), 20.9, 22.3, 24.7, 27.1), (
            "above 20: a softplus that returns x there is off by 1e-9"
        ), 2, ("Threshold",)  # fmt: skip


def _subnormal(A: Arithmetic) -> Array:
    least = float(np.finfo(A.dtype).smallest_subnormal)
    return ascending((least, A.tiny - least, A.tiny, 64 * A.tiny, 1024 * A.tiny, 2.0**20 * A.tiny))


def _largest(A: Arithmetic, f: str) -> Array:
    """The largest itself only where no rounding can exceed it."""
    most = 2.0**-6 if f == "softplus" else 1.0
    powers = (2.0**-100, 2.0**-20, most / 4, most)
    return ascending((1.5, *(power * A.largest for power in powers)))


def _exp_edges(A: Arithmetic) -> Array:
    over, normal, least = _EXP[A.name]
    inner = (normal / 2, normal / 4, normal / 8, -5.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5)
    return np.sort(np.concatenate([near(A, over, normal, least), [-over], inner]))


def _saturation(A: Arithmetic) -> Array:
    edges = _SATURATION[A.name]
    negative = (-edges["tanh"], -edges["sigmoid"], -2.5, -1.5, -0.5, 0.5, 1.5, 2.5)
    return np.sort(np.concatenate([near(A, *edges.values()), negative]))


def _with_gradient(A: Arithmetic, f: str) -> Record:
    """g of both signs: dx = g f'(x), and not f'(x)."""
    rng = rng_of(f"activation/gradient/{f}")
    x, g = bell(rng, (3, 3)), bell(rng, (3, 3))
    return _draft(
        A, "gradient", f, "g of both signs with all its bits", x, g, 1, ("FullPrecisionInput",)
    )


def _special(A: Arithmetic, f: str) -> Iterator[Record]:
    x = np.array([[np.nan, np.inf, -np.inf, 1.5]])
    yield _draft(
        A, "not-finite", f, "NaN stays NaN; at +-inf f and f' are their limits", x,
        np.ones_like(x), 3, ("NotFinite",),
    )  # fmt: skip
    zeros = np.array([[0.0, -0.0, 0.25, -0.25]])
    if f in ("relu", "leaky_relu"):
        yield _draft(
            A, "kink", f, "x = 0: every one-sided derivative is accepted here", zeros,
            np.ones_like(zeros), 1, ("Kink",),
        )  # fmt: skip
        return
    flags = ("SignedZero",) if f == "identity" else ()
    yield _draft(A, "zeros", f, "zeros of both signs", zeros, np.ones_like(zeros), 1, flags)
