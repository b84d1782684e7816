"""Derivatives of a network's loss by central differences in MPFR, entry by entry.

No derivative of any function is written here. For one entry of a gradient the input of the layer
behind it is moved by +-h and by +-2h, which for a weight is z_rj +- h a_ri, and the rest of the
network is evaluated again, with the pieces of relu, leaky_relu and elu that the unmoved z is on:
at a kink that measures the LEFT derivative.

``k`` sets everything: h = 2^-k, in a unit in which the largest move of z is about 1, and 3 k bits,
plus the bits m that the magnitudes of all layers can cost. The difference with h, in 64 bits more,
is the result; that with 2h is its witness. The error is taken to be

    |D(h) - D(2h)| + 2^(-2k) / unit

The first term is three times the truncation, and the rounding of the coarser run; the second
covers what both runs are blind to, such as 1 + e^-400: 2^(-3k - 64) / h = 2^(-2k - 64). An entry
whose error is too large for its radius is measured again with twice the k.

The error is 0 where no operation rounded (MPFR's inexact flag) and D(h) = D(2h), and where no path
leads from the entry to the loss: a factor on the way is 0, or relu is on its zero side. A number
that may be 0 by rounding alone counts as no such factor, and while the sign of a z at a kink is
hidden by rounding, so is every derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from mlp_ref.certify.chain import Chain, Trace, forward, magnitude, mpfr_context
from mlp_ref.certify.naive import KINKED, Numbers, activate, mpfr_numbers, terms
from mlp_ref.corpus.records import checksum_weights

__all__ = ["TOTAL", "Estimate", "derivatives"]

Array = np.ndarray[Any, Any]
TOTAL = -1  # in place of a flat index: the checksum of dL/dq_k over all k
_STEPS = (140, 280, 560, 1120, 2240, 4480)
_GUARD = 64


class Estimate(NamedTuple):
    """A derivative and how far it may be off, in MPFR numbers."""

    value: Any
    error: Any


class _Moves(NamedTuple):
    """For entry ``entry[i]``, row ``row[i]`` of the input of a stage moves by ``delta[i]``."""

    entry: Array  # (R,)
    row: Array  # (R,)
    delta: Array  # (R, width)
    path: Array  # (R, width)  where delta is not exactly 0
    layer: int  # z of this layer moves; beyond the last layer, the output


def derivatives(
    chain: Chain, wanted: Mapping[str, Mapping[int, Any]], enough: Callable[[Any, Any, Any], bool]
) -> dict[str, dict[int, Estimate]]:
    """dL/d(entry) for each name, such as ``dW0``, and each flat index or `TOTAL`.

    ``enough(value, error, goal)`` judges an estimate, where goal is the number in ``wanted``. An
    entry that no step satisfies keeps its last estimate.
    """
    found: dict[str, dict[int, Estimate]] = {name: {} for name in wanted}
    open_ = {name: dict(goals) for name, goals in wanted.items() if goals}
    m = magnitude(chain) if open_ else 0
    for k in _STEPS:
        if not open_:
            break
        coarse, *_ = _measure(chain, open_, 3 * k + m, k - 1)
        fine, exact, hidden = _measure(chain, open_, 3 * k + m + _GUARD, k)
        left: dict[str, dict[int, Any]] = {}
        with mpfr_context(3 * k + m + _GUARD):
            for name, goals in open_.items():
                for flat, goal in goals.items():
                    value, scale = fine[name][flat]
                    error = abs(value - coarse[name][flat][0])
                    if error or not exact:
                        error = error + scale / 2 ** (2 * k)
                    if hidden:
                        error = error + abs(value) + 1
                    found[name][flat] = Estimate(value, error)
                    if not enough(value, error, goal):
                        left.setdefault(name, {})[flat] = goal
        open_ = left
    return found


_Measured = dict[str, dict[int, tuple[Any, Any]]]


def _measure(
    chain: Chain, wanted: Mapping[str, Mapping[int, Any]], bits: int, k: int
) -> tuple[_Measured, bool, bool]:
    """The differences with step 2^-k, each with 1 / unit (0: no path); exact; hidden.

    ``exact``   no operation rounded
    ``hidden``  rounding hides on which side of a kink some z is
    """
    import gmpy2

    out: _Measured = {}
    with mpfr_context(bits) as context:
        m = mpfr_numbers()
        trace = forward(chain, m)
        near = gmpy2.exp2(-2 * k)
        hidden = any(
            not trace.exact[layer] and ((abs(z) < near) & ~trace.zero_z[layer]).any()
            for layer, z in enumerate(trace.z)
            if chain.functions[layer] in KINKED
        )
        sums = {name: _differences(chain, trace, name, list(wanted[name]), k, m) for name in wanted}
        exact = not context.inexact
        half = gmpy2.exp2(k - 1)
        for name, parts in sums.items():
            out[name] = {
                flat: (difference * half / chain.count, scale)
                for flat, (difference, scale) in zip(wanted[name], parts, strict=True)
            }
    return out, exact, hidden


def _differences(
    chain: Chain, trace: Trace, name: str, flats: list[int], k: int, m: Numbers
) -> list[tuple[Any, Any]]:
    """For each entry the sum over its rows of (L(+h) - L(-h)) / unit, and 1 / unit, or 0."""
    import gmpy2

    moves = _alive(chain, trace, _moves(trace, name, flats))
    top: dict[int, int] = {}
    for e, delta in zip(moves.entry, moves.delta, strict=True):
        exponents = [gmpy2.get_exp(d) for d in delta if d]
        top[e] = max([*exponents, *([top[e]] if e in top else [])], default=0)
    scales = {e: gmpy2.exp2(exponent) for e, exponent in top.items()}
    unit = np.array([1 / scales[e] for e in moves.entry], object).reshape(-1, 1)
    step = moves.delta * unit * gmpy2.exp2(-k)
    difference = _rows(chain, trace, moves, step, m) - _rows(chain, trace, moves, -step, m)
    totals = [m.real(0)] * len(flats)
    for e, d in zip(moves.entry, difference, strict=True):
        totals[e] += d
    # An a_ri that was rounded to within 2^-3k moves z by as much too little or too much.
    blur = 0 if name in ("dW0", "dx") or name[:2] != "dW" else gmpy2.exp2(-k)
    return [
        (total * scales[e], scales[e] + blur) if e in scales else (m.real(0), m.real(0))
        for e, total in enumerate(totals)
    ]


def _rows(chain: Chain, trace: Trace, moves: _Moves, step: Array, m: Numbers) -> Array:
    """The loss of each moved row."""
    row, first = moves.row, moves.layer
    a = trace.a[-1][row] + step if first == len(trace.z) else step
    for k in range(first, len(trace.z)):
        z = trace.z[k][row] + step if k == first else a @ trace.layers[k][0] + trace.layers[k][1]
        name, right = chain.functions[k], trace.z[k][row] > 0
        if k > first or "softmax" in name:
            a = activate(name, z, right, m)
        else:  # what has not moved need not be computed again
            a, moved = trace.a[k + 1][row], step != 0
            a[moved] = activate(name, z[moved], right[moved], m)
    return terms(chain.loss, a, trace.target[row], m)


def _alive(chain: Chain, trace: Trace, moves: _Moves) -> _Moves:
    """Without the moves that no path leads from to the loss."""
    path = moves.path
    for k in range(moves.layer, len(trace.z)):
        if k > moves.layer:
            path = path @ (trace.layers[k][0] != 0)
        if chain.functions[k] == "relu":
            path = path & (trace.z[k][moves.row] > 0)
        elif "softmax" in chain.functions[k]:
            path = path | path.any(axis=1, keepdims=True)
    if chain.loss == "weights":
        path = path & (trace.target[moves.row] != 0)
    alive = path.any(axis=1)
    return _Moves(
        moves.entry[alive], moves.row[alive], moves.delta[alive], moves.path[alive], moves.layer
    )


def _moves(trace: Trace, name: str, flats: list[int]) -> _Moves:
    """Which rows of which layer's input an entry moves, and by what, when the entry moves by 1."""
    kind, layer = (name, 0) if name == "dx" else (name[:2], int(name[2:]))
    if kind == "dW":
        shape = trace.layers[layer][0].shape
    elif kind == "db":
        shape = trace.layers[layer][1].shape
    else:
        shape = {"dz": trace.z, "da": trace.a[1:], "dx": trace.a}[kind][layer].shape
    entries, rows, deltas, paths = [], [], [], []
    for e, flat in enumerate(flats):
        index = np.arange(np.prod(shape)) if flat == TOTAL else np.array([flat])
        weight = checksum_weights(index.size) if flat == TOTAL else np.ones(1, int)
        for row, delta in _moved_rows(trace, kind, layer, shape, index, weight).items():
            entries.append(e)
            rows.append(row)
            deltas.append(delta)
            path = delta != 0
            if kind == "dW":
                path[index % shape[1]] |= ~trace.zero_a[layer][row, index // shape[1]]
            paths.append(path)
    stage = layer + (kind == "da")
    width = (trace.z + trace.a[-1:])[stage].shape[1]
    delta = np.array(deltas, object).reshape(-1, width)
    path = np.array(paths, bool).reshape(-1, width)
    return _Moves(np.array(entries, int), np.array(rows, int), delta, path, stage)


def _moved_rows(
    trace: Trace, kind: str, layer: int, shape: tuple[int, ...], index: Array, weight: Array
) -> dict[int, Array]:
    """Row -> how it moves when entry index[i] of a tensor moves by weight[i]."""
    a, n = trace.a[layer], len(trace.a[0])
    zero = trace.a[0].flat[0] * 0
    if kind == "db":
        move = np.full(shape, zero)
        move[index] += weight
        return dict.fromkeys(range(n), move)
    i, j = np.unravel_index(index, shape)
    if kind == "dW":
        move = np.full((n, shape[1]), zero)
        for p, q, w in zip(i, j, weight.tolist(), strict=True):
            move[:, q] += a[:, p] * w
        return dict(enumerate(move))
    after = len(trace.layers) if kind == "dz" else layer + 1 if kind == "da" else 0
    through = after < len(trace.layers)  # the move of an input goes through the next layer
    width = trace.layers[after][0].shape[1] if through else shape[1]
    out: dict[int, Array] = {}
    for r, c, w in zip(i, j, weight.tolist(), strict=True):
        row = out.setdefault(int(r), np.full(width, zero))
        if through:
            row += trace.layers[after][0][c] * w
        else:
            row[c] += w
    return out
