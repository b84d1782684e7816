"""What is drawn: floats of every size, logits, networks with data and a loss, optimizer steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlp_ref import (
    ACTIVATIONS,
    BINARY_CROSS_ENTROPY,
    CROSS_ENTROPY,
    IDENTITY,
    LOG_SOFTMAX,
    LOSSES,
    MLP,
    OPTIMIZERS,
    RELU,
    SOFTMAX,
    SQUARED_ERROR,
    Params,
)
from mlp_ref.arithmetic import FLOAT32, FLOAT64, Arithmetic, Array
from mlp_ref.losses import Loss
from mlp_ref.optimizers import Optimizer, State

ARITHMETICS = (FLOAT32, FLOAT64)
arithmetics = st.sampled_from(ARITHMETICS)
EVERY = tuple(ACTIVATIONS.values())
OUTPUTS = (*EVERY, SOFTMAX, LOG_SOFTMAX)


def landmarks(A: Arithmetic) -> list[float]:
    """Zeros, the ends of the range, one and where exp, erf and tanh saturate or underflow."""
    info = np.finfo(A.dtype)
    sizes = [0.0, float(info.smallest_subnormal), A.tiny, A.largest, A.largest / 2, 1.0]
    sizes += [float(A.dtype.type(s)) for s in (0.1, 8.7, 17.3, 20.0, 37.7, 40.0, 88.7, 104.0)]
    sizes += [709.75, 745.125] if A is FLOAT64 else []
    return [sign * size for size in sizes for sign in (1, -1)]


def arithmetic_of(x: Array) -> Arithmetic:
    """The arithmetic whose dtype x has."""
    return FLOAT32 if x.dtype == np.float32 else FLOAT64


def floats(A: Arithmetic, size: float | None = None) -> st.SearchStrategy[float]:
    """Finite floats of A: all, from subnormals to the largest, or those up to ``size``."""
    limits: dict[str, Any] = {} if size is None else {"min_value": -size, "max_value": size}
    width = 8 * A.dtype.itemsize
    drawn = st.floats(width=width, allow_nan=False, allow_infinity=False, **limits)
    known = [x for x in landmarks(A) if size is None or abs(x) <= size]
    middle = min(size or 64, 64)  # where the functions bend
    grid = st.integers(-(2**16), 2**16).map(lambda k: k * 2.0**-16)
    near, far = (grid.map(lambda x, top=top: x * top) for top in (min(middle, 4), middle))
    return st.one_of(drawn, near, far, st.sampled_from(known))


def vectors(
    A: Arithmetic, size: float | None = None, length: int = 12
) -> st.SearchStrategy[np.ndarray]:
    """Vectors (1..length,) of `floats`."""
    return hnp.arrays(A.dtype, st.integers(1, length), elements=floats(A, size))


def matrices(
    A: Arithmetic, n: int, columns: int, size: float | None = None
) -> st.SearchStrategy[np.ndarray]:
    """Matrices (n, columns) of `floats`."""
    return hnp.arrays(A.dtype, (n, columns), elements=floats(A, size))


def dyadic(A: Arithmetic, shape: int | tuple[int, ...], top: int = 64, step: float = 1 / 16) -> Any:
    """Arrays of multiples of ``step``, at most ``top`` of them: their sums and products fit."""
    numbers = st.integers(-top, top).map(lambda k: k * step)
    return hnp.arrays(A.dtype, shape, elements=numbers)


shapes = st.tuples(st.integers(1, 4), st.integers(1, 5))


@st.composite
def logits(draw: st.DrawFn, A: Arithmetic, size: float | None = None) -> Array:
    """Logits (1..4, 1..5): of every size, at both ends, and rows that share a large offset."""
    n, classes = draw(shapes)
    z = draw(matrices(A, n, classes, size))
    if size is None and draw(st.booleans()):
        z = draw(hnp.arrays(A.dtype, z.shape, elements=st.sampled_from(landmarks(A)[4:10])))
    offset = draw(st.sampled_from([0.0, 0.0, 1e3, -1e4]))
    return z + A.dtype.type(offset) if size and abs(offset) + size < A.largest else z


@st.composite
def labels(draw: st.DrawFn, n: int, classes: int) -> Array:
    """Class indices (n,)."""
    return draw(hnp.arrays(np.int64, n, elements=st.integers(0, classes - 1)))


@st.composite
def probabilities(draw: st.DrawFn, A: Arithmetic, n: int, classes: int) -> Array:
    """Rows (n, classes) that sum to one up to rounding; some are one-hot."""
    weights = draw(hnp.arrays(np.int64, (n, classes), elements=st.integers(0, 9)))
    weights[weights.sum(axis=1) == 0, 0] = 1
    return (weights / weights.sum(axis=1, keepdims=True)).astype(A.dtype)


def targets(A: Arithmetic, loss: Loss, n: int, k: int, size: float = 8.0) -> Any:
    """Targets of an output (n, k), hard and soft."""
    if loss is CROSS_ENTROPY:
        return st.one_of(labels(n, k), probabilities(A, n, k))
    if loss is BINARY_CROSS_ENTROPY:
        unit = st.floats(0, 1, width=8 * A.dtype.itemsize)
        return hnp.arrays(A.dtype, (n, k), elements=st.one_of(unit, st.sampled_from([0.0, 1.0])))
    return matrices(A, n, k, size)


@dataclass(frozen=True)
class Problem:
    """A network, its parameters, a batch, and a loss with its target."""

    A: Arithmetic
    model: MLP
    params: Params
    x: Array
    loss: Loss
    target: Array


widths = st.integers(1, 4)


@st.composite
def models(draw: st.DrawFn, hidden: Iterable[Any] = EVERY, outputs: Iterable[Any] = OUTPUTS) -> MLP:
    """One to three layers of one to four units; half of the outputs are the identity."""
    sizes = draw(st.lists(widths, min_size=2, max_size=4))
    inner = [draw(st.sampled_from(list(hidden))) for _ in sizes[2:]]
    last = draw(st.one_of(st.just(IDENTITY), st.sampled_from(list(outputs))))
    return MLP(tuple(sizes), (*inner, last))


@st.composite
def problems(
    draw: st.DrawFn,
    A: Arithmetic,
    hidden: Iterable[Any] = EVERY,
    outputs: Iterable[Any] = OUTPUTS,
    size: float | None = 2.0,
    losses: Iterable[Loss] = tuple(LOSSES.values()),
) -> Problem:
    """A network with parameters and inputs up to ``size`` (None: the whole range of floats)."""
    model, n = draw(models(hidden, outputs)), draw(widths)
    loss = draw(st.sampled_from(list(losses)))
    count = Params.count(model.sizes)
    flat = draw(hnp.arrays(A.dtype, count, elements=floats(A, size), fill=st.nothing()))
    x = draw(matrices(A, n, model.sizes[0], size))
    target = draw(targets(A, loss, n, model.sizes[-1], size or A.largest))
    return Problem(A, model, Params(flat, model.sizes), x, loss, target)


@st.composite
def exact_problems(draw: st.DrawFn, A: Arithmetic) -> Problem:
    """Small integers through identity and relu: nothing is rounded, in any order of summation.

    The squared error is a mean over a power of two of entries.
    """
    inner = draw(st.lists(widths, min_size=1, max_size=3))
    sizes = (*inner, draw(st.sampled_from([1, 2, 4])))
    pool = st.sampled_from([IDENTITY, RELU])
    model = MLP(sizes, tuple(draw(pool) for _ in sizes[1:]))
    n = draw(st.sampled_from([2, 4]))
    params = Params(draw(dyadic(A, Params.count(sizes), top=4, step=1.0)), sizes)
    x = draw(dyadic(A, (n, sizes[0]), top=4, step=1.0))
    return Problem(A, model, params, x, SQUARED_ERROR, draw(dyadic(A, (n, sizes[-1]), 8, 1.0)))


@dataclass(frozen=True)
class Step:
    """An optimizer and all that one of its steps takes."""

    A: Arithmetic
    rule: Optimizer
    params: Params
    grads: Params
    state: State


@st.composite
def steps(
    draw: st.DrawFn,
    A: Arithmetic,
    names: Iterable[str] = tuple(OPTIMIZERS),
    size: float | None = 1e3,
) -> Step:
    """A step from any state: fresh or after many steps, with and without weight decay."""
    decay, lr = draw(st.sampled_from([0.0, 0.01, 0.5])), draw(st.sampled_from([1e-3, 0.1, 1.0]))
    rule = OPTIMIZERS[draw(st.sampled_from(list(names)))](lr, weight_decay=decay)
    vector = hnp.arrays(A.dtype, 4, elements=floats(A, size), fill=st.nothing())
    params, grads = (Params(draw(vector), (1, 2)) for _ in range(2))
    state = rule.init(params)
    if draw(st.booleans()):
        moments = [m.like(draw(vector)) for m in state.moments]
        if len(moments) == 2:  # the second moment is a mean of squares
            moments[1] = moments[1].like(np.abs(moments[1].flat))
        state = State(draw(st.integers(1, 2000)), tuple(moments))
    return Step(A, rule, params, grads, state)
