"""One wrong entry of a weight gradient, and nothing else: what tolerances do not see."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.parts import RIGHT, Parts

__all__ = ["ENTRIES"]

FAMILY = "entry"


def _in_middle(change: Callable[[Array], Array]) -> Parts:
    """dW with a change of its entry of median size."""

    def weight_gradient(x: Array, dz: Array) -> Array:
        dW = x.T @ dz
        middle = np.argsort(np.abs(dW), axis=None)[dW.size // 2]
        dW.flat[middle] = change(dW.flat[middle])
        return np.asarray(dW)

    return RIGHT._replace(weight_gradient=weight_gradient)


def _off_by(relative: float) -> Parts:
    return _in_middle(lambda entry: entry * (1 + relative))


def _last_column(x: Array, dz: Array) -> Array:
    """x^T dz with 0 in the last column."""
    dW = x.T @ dz
    dW[:, -1] = 0
    return np.asarray(dW)


def _exchanged(x: Array, dz: Array) -> Array:
    """x^T dz with its first two rows exchanged."""
    dW = x.T @ dz
    dW[:2] = dW[1::-1]
    return np.asarray(dW)


ENTRIES: tuple[Fault, ...] = (
    Fault(
        "entry-relative-1e-3", FAMILY,
        "One weight gradient is off by 0.1 %.",
        "dW_ij (1 + 1e-3) in place of dW_ij, for one entry",
        "A race, a flipped bit, or a boundary of a tile; a network trains all the same.",
        "Compare entry by entry, each under its own bound.",
        _off_by(1e-3),
    ),
    Fault(
        "entry-relative-1e-6", FAMILY,
        "One weight gradient is off by one millionth.",
        "dW_ij (1 + 1e-6) in place of dW_ij, for one entry",
        "A constant in float32, or an approximation at one point; gradient checks do not see it.",
        "Compare entry by entry, each under its own bound.",
        _off_by(1e-6),
    ),
    Fault(
        "entry-relative-1e-9", FAMILY,
        "One float64 weight gradient is off by one billionth.",
        "dW_ij (1 + 1e-9) in place of dW_ij, for one entry",
        "An approximation that is nearly good enough, or a finite difference.",
        "Compare entry by entry, each under its own bound.",
        _off_by(1e-9),
    ),
    Fault(
        "entry-relative-1e-12", FAMILY,
        "One float64 weight gradient is off by one trillionth.",
        "dW_ij (1 + 1e-12) in place of dW_ij, for one entry",
        "A few thousand roundings too many at one place.",
        "Compare entry by entry, each under its own bound.",
        _off_by(1e-12),
    ),
    Fault(
        "entry-zero", FAMILY,
        "One weight gradient is 0.",
        "0 in place of dW_ij, for one entry",
        "A thread returns early, or a mask is off by one.",
        "Compare entry by entry, each under its own bound.",
        _in_middle(np.zeros_like),
    ),
    Fault(
        "entry-sign", FAMILY,
        "One weight gradient has the wrong sign.",
        "-dW_ij in place of dW_ij, for one entry",
        "A norm of the difference hardly sees it, a norm of the gradient not at all.",
        "Compare entry by entry, each under its own bound.",
        _in_middle(np.negative),
    ),
    Fault(
        "entry-last-column", FAMILY,
        "The weights of the last output never move.",
        "0 in place of the last column of dW",
        "A loop ends one too early, and the memory was zeroed before.",
        "Let the loop run to n_out.",
        RIGHT._replace(weight_gradient=_last_column),
    ),
    Fault(
        "entry-rows-exchanged", FAMILY,
        "Two inputs have each other's weight gradients.",
        "rows 1 and 2 of dW exchanged",
        "Features are in another order in the backward pass; every sum and norm stays the same.",
        "Compare entry by entry, each under its own bound.",
        RIGHT._replace(weight_gradient=_exchanged),
    ),
)  # fmt: skip
