"""A chain of layers over any number library: the one shape that every operation takes here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mlp_ref.certify.naive import ZERO_AT_ZERO, Numbers, activate, mpfr_numbers, terms

__all__ = ["Chain", "Trace", "forward", "magnitude", "mpfr_context"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Chain:
    """x -> W_0, b_0 -> f_0 -> W_1, b_1 -> ... -> loss, in floats that stand for themselves.

    Without layers ``x`` is z_0 itself. ``loss`` is one of `naive.terms`; ``count`` divides the sum.
    """

    x: Array
    layers: tuple[tuple[Array, Array], ...]
    functions: tuple[str, ...]
    loss: str
    target: Array
    count: int


class Trace(NamedTuple):
    """Everything between x and the loss: ``a[k]`` is the input of layer k, ``a[-1]`` the output.

    ``zero_a``, ``zero_z`` tell the entries that are 0 exactly, not by rounding.
    """

    a: list[Array]
    z: list[Array]
    layers: list[tuple[Array, Array]]
    target: Array
    rows: Array  # (n,) the loss of each row, times count
    zero_a: list[Array]
    zero_z: list[Array]
    exact: list[bool]  # whether no operation up to z[k] rounded


def forward(chain: Chain, m: Numbers) -> Trace:
    """One pass over the chain, at the precision in force."""
    layers = [(m.lift(W), m.lift(b)) for W, b in chain.layers]
    x, target = m.lift(chain.x), m.lift(chain.target)
    a, z, exact = [x], [], []
    zero_a, zero_z = [x == 0], list[Array]()
    for k, name in enumerate(chain.functions):
        z.append(m.matmul(a[k], layers[k][0]) + layers[k][1] if layers else x)
        exact.append(not m.rounded())
        nought = z[k] == 0
        if layers and not exact[k]:  # then only a sum of zeros is 0 for certain
            nought = ~(~zero_a[k] @ (layers[k][0] != 0)) & (layers[k][1] == 0)
        a.append(activate(name, z[k], z[k] > 0, m))
        zero_z.append(nought)
        zero_a.append((z[k] <= 0 if name == "relu" else nought) & (name in ZERO_AT_ZERO))
    rows = terms(chain.loss, a[-1], target, m)
    return Trace(a, z, layers, target, rows, zero_a, zero_z, exact)


@contextmanager
def mpfr_context(bits: int) -> Iterator[Any]:
    """An MPFR context of so many bits and the widest exponents; then the one before is back.

    gmpy2's own ``with`` brings it back from version 2.2 on only.
    """
    import gmpy2

    before = gmpy2.get_context()
    widest = {"emax": gmpy2.get_emax_max(), "emin": gmpy2.get_emin_min()}
    gmpy2.set_context(gmpy2.context(precision=bits, **widest))
    try:
        yield gmpy2.get_context()
    finally:
        gmpy2.set_context(before)


def magnitude(chain: Chain) -> int:
    """m: the largest |number| of every layer, multiplied together, is below 2^m."""
    import gmpy2

    def bits(*arrays: Array) -> int:
        return max([0, *(int(gmpy2.get_exp(v)) for x in arrays for v in x.flat if v)])

    with mpfr_context(64):
        trace = forward(chain, mpfr_numbers())
        width = max([1, *(z.shape[1] for z in trace.z), trace.a[0].shape[1]]).bit_length()
        total = bits(trace.a[0]) + 2 * (bits(trace.a[-1], trace.target) + width) + width
        for k, (z, a) in enumerate(zip(trace.z, trace.a, strict=False)):
            W, b = trace.layers[k] if trace.layers else (z, z)
            total += max(bits(W) + bits(a) + width, bits(b), bits(z))
    return int(total)
