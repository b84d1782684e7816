"""Finite differences as gradcheck and check_grads take them, and compare them, at their defaults.

Both rules are written out here so that what faults have in common is computed once. Every rejection
that counts is confirmed by the real functions (`real`), and a test holds both against each other.

gradcheck   n = (f(x + h e_i) - f(x - h e_i)) / 2h for every entry, h = 1e-6;
            |a - n| <= 1e-5 + 1e-3 |n| for every entry of the Jacobian; pulling back 0 gives 0
check_grads n = <(f(x + h t) - f(x - h t)) / 2h, c> for one random direction t and cotangent c,
            h = 1e-4; |a - n| <= 1e-5 + 1e-5 |n| for a = <t, J^T c>; 2e-3 in float32
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from benchmarks.views import Answers, View
from mlp_ref.arithmetic import Array

__all__ = ["DIFFERENCES", "Difference", "Subject", "projected_parts", "rejects", "within"]

Value = Callable[[View, Sequence[Array]], Array]
STEP, ATOL, RTOL = 1e-6, 1e-5, 1e-3  # torch.autograd.gradcheck
JAX_STEP = 1e-4
JAX_TOLERANCE: Mapping[str, float] = {"float64": 1e-5, "float32": 2e-3}  # both rtol and atol


class Subject(NamedTuple):
    """What computes: whole answers, and outputs alone."""

    answers: Answers
    value: Value


class Difference(NamedTuple):
    """A way to check a gradient.

    ``numeric``   from finite differences of the output
    ``analytic``  the same from the gradients that are computed
    ``rejects``   of analytic and numeric
    ``tolerance`` relative and absolute, by arithmetic
    """

    arithmetics: tuple[str, ...]
    numeric: Callable[[Value, View], Array]
    analytic: Callable[[Answers, View], Array]
    rejects: Callable[[Array, Array, str], bool]
    tolerance: Callable[[str], tuple[float, float]]


def within(got: Array, right: Array, relative: float, absolute: float) -> Array:
    """Entry by entry |got - right| <= absolute + relative |right|, and equal infinities."""
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(got - right) <= absolute + relative * np.abs(right)
    return np.asarray((near & np.isfinite(right)) | (got == right))


# ------------------------------------------------------------------------------------- gradcheck


def _jacobian(value: Value, view: View) -> Array:
    """(entries of all arguments, entries of the output), by central differences."""
    rows, arrays = [], view.point()
    for x in arrays:
        for k in range(x.size):
            kept = x.flat[k]
            x.flat[k] = kept - STEP
            below = value(view, arrays)
            x.flat[k] = kept + STEP
            above = value(view, arrays)
            x.flat[k] = kept
            with np.errstate(invalid="ignore", over="ignore"):
                rows.append(((above - below) / (2 * STEP)).ravel())
    return np.stack(rows)


def _pulled(answers: Answers, view: View) -> Array:
    """(entries of all arguments, entries of the output), and what becomes of 0, by pulling back."""
    arrays = view.point()
    shape = () if view.scalar else view.case.inputs["g"].shape
    size = int(np.prod(shape))
    columns = []
    for unit in np.eye(size + 1, size):  # the last row is 0
        found = view.pull(answers, arrays, unit.reshape(shape))
        columns.append(np.concatenate([x.ravel() for x in found]))
    return np.stack(columns, axis=1)


def _jacobians_differ(analytic: Array, numeric: Array, arithmetic: str) -> bool:
    right = within(analytic[:, :-1], numeric, RTOL, ATOL)
    return not (right.all() and (analytic[:, -1] == 0).all())


# ----------------------------------------------------------------------------------- check_grads


@cache
def _directions(view: View) -> tuple[list[Array], Array]:
    """The tangents and the cotangent that check_grads draws, always the same."""
    rng = np.random.RandomState(0)  # as it does
    dtype = view.case.arithmetic.dtype
    tangents = [np.asarray(rng.randn(*x.shape), dtype) for x in view.point()]
    shape = () if view.scalar else view.case.inputs["g"].shape
    return tangents, np.asarray(rng.randn(*shape), dtype)


def _inner(xs: Sequence[Array], ys: Sequence[Array]) -> Array:
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.dot(xs[0].reshape(-1), ys[0].reshape(-1))
        for x, y in zip(xs[1:], ys[1:], strict=True):
            total = np.add(total, np.dot(x.reshape(-1), y.reshape(-1)))
    return np.asarray(total)


def _along(value: Value, view: View) -> Array:
    tangents, cotangent = _directions(view)
    dtype, arrays = view.case.arithmetic.dtype, view.point()
    steps = [np.multiply(t, np.array(JAX_STEP, dtype), dtype=dtype) for t in tangents]
    above = value(view, [x + step for x, step in zip(arrays, steps, strict=True)])
    below = value(view, [x - step for x, step in zip(arrays, steps, strict=True)])
    with np.errstate(invalid="ignore", over="ignore"):
        change = np.where(above == below, np.array(0, dtype), np.subtract(above, below))
        slope = np.multiply(change, np.array(0.5 / JAX_STEP, dtype), dtype=dtype)
    return _inner([slope], [cotangent])


def _projected(answers: Answers, view: View) -> Array:
    tangents, cotangent = _directions(view)
    return _inner(tangents, view.pull(answers, view.point(), cotangent))


def projected_parts(answers: Answers, view: View) -> Array:
    """What every gradient entry adds to the inner product that check_grads compares."""
    tangents, cotangent = _directions(view)
    found = view.pull(answers, view.point(), cotangent)
    parts = [(t * g).ravel() for t, g in zip(tangents, found, strict=True)]
    return np.concatenate(parts).astype(np.float64)


def _projections_differ(analytic: Array, numeric: Array, arithmetic: str) -> bool:
    """As assert_allclose: NaN equals NaN."""
    tolerance = JAX_TOLERANCE[arithmetic]
    both = np.isnan(analytic) & np.isnan(numeric)
    return not (within(analytic, numeric, tolerance, tolerance) | both).all()


DIFFERENCES: Mapping[str, Difference] = MappingProxyType(
    {
        "gradcheck": Difference(
            ("float64",), _jacobian, _pulled, _jacobians_differ, lambda A: (RTOL, ATOL)
        ),
        "check_grads": Difference(
            ("float64", "float32"),
            _along,
            _projected,
            _projections_differ,
            lambda A: (JAX_TOLERANCE[A], JAX_TOLERANCE[A]),
        ),
    }
)


def rejects(name: str, subject: Subject, view: View) -> bool:
    """Whether the method rejects a subject at the point of a case."""
    method: Any = DIFFERENCES[name]
    found = method.analytic(subject.answers, view), method.numeric(subject.value, view)
    return bool(method.rejects(*found, view.case.arithmetic.name))
