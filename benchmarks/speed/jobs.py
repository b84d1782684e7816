"""What is measured against width, depth and batch: four jobs, and how many operations each takes.

All on networks of L layers of w units, tanh within, squared error, on n rows. A multiply-add of a
product is one operation, and so is an entry of an array in a pass over it; how many passes there
are was counted by reading the code. Constants do not change an exponent, as long as one term
dominates: the ranges are chosen so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlp_ref import IDENTITY, INITIALIZERS, MLP, SGD, SQUARED_ERROR, TANH, Params, initialize
from mlp_ref.arithmetic import FLOAT32
from mlp_ref.bounds import derive
from mlp_ref.gate.cases import Case, network_case
from mlp_ref.gate.run import run_case
from mlp_ref.subjects import load
from mlp_ref.training import train_step

__all__ = ["JOBS", "Job", "Size"]

Array = NDArray[np.float32]


class Size(NamedTuple):
    """Width w, depth L and batch n."""

    width: int
    depth: int
    batch: int


class Job(NamedTuple):
    """A job at one size, ready to be called again and again; its operations; and its ranges.

    ``ranges``  what grows -> the sizes, of which the last ones are fitted, and what is fixed
    """

    build: Callable[[Size], Callable[[], object]]
    operations: Callable[[Size], int]
    ranges: Mapping[str, tuple[Size, tuple[int, ...]]]


def _network(size: Size) -> tuple[MLP, Params, Array, Array]:
    rng = np.random.default_rng(0)
    sizes = (size.width,) * (size.depth + 1)
    model = MLP(sizes, (*(TANH,) * (size.depth - 1), IDENTITY))
    params = initialize(sizes, INITIALIZERS["glorot_uniform"], rng=rng, dtype=np.float32)
    x, target = rng.standard_normal((2, size.batch, size.width)).astype(np.float32)
    return model, params, x, target


def _case(size: Size) -> Case:
    model, params, x, target = _network(size)
    return network_case("scaling", "", FLOAT32, model, params, x, SQUARED_ERROR, target)


def _step(size: Size) -> Callable[[], object]:
    model, params, x, target = _network(size)
    rule, work = SGD(1e-3), model.workspace(size.batch, params.dtype)
    state, scratch = rule.init(params), rule.scratch(params)
    given: dict[str, Any] = {"loss": SQUARED_ERROR, "optimizer": rule}
    return lambda: train_step(model, params, state, x, target, work=work, scratch=scratch, **given)


def _step_operations(size: Size) -> int:
    w, depth, n = size  # the first layer has no dL/dx; bias, f, f', their product, db; g, theta
    return (3 * depth - 1) * n * w**2 + 5 * depth * n * w + 2 * depth * (w + 1) * w


def _bound(size: Size) -> Callable[[], object]:
    model, params, x, target = _network(size)
    return lambda: derive(model, params, x, SQUARED_ERROR, target, arithmetic=FLOAT32)


def _bound_operations(size: Size) -> int:
    """Three products a layer, each with three more in two arithmetics.

    Some thirty passes over each of W, W^T and dW, and over each of six tensors of a layer.
    """
    w, depth, n = size
    return depth * (21 * n * w**2 + 30 * (3 * w**2 + 6 * n * w))


def _verification(size: Size) -> Callable[[], object]:
    case, subject = _case(size), load("numpy")
    return lambda: run_case(subject, case)


def _verification_operations(size: Size) -> int:
    """The answer, the bound, and some twenty passes to copy and to judge each tensor."""
    w, depth, n = size
    judged = 20 * depth * (2 * w**2 + 3 * n * w)
    return 3 * depth * n * w**2 + _bound_operations(size) + judged


def _certification(size: Size) -> Callable[[], object]:
    from mlp_ref.certify.certifier import certify

    record = _case(size).record
    return lambda: certify(record, whole=True)


def _certification_operations(size: Size) -> int:
    """Multiply-adds of balls, and some sixty operations with integers for each word.

    A word is rounded for every entry of z, a, dL/dz, dL/da, dW and db.
    """
    w, depth, n = size
    return 3 * depth * n * w**2 + 60 * depth * (4 * n * w + (w + 1) * w)


_BOUND_RANGES = {
    "width": (Size(0, 2, 8), (64, 128, 256, 512, 1024)),
    "depth": (Size(64, 0, 64), (2, 4, 8, 16)),
    "batch": (Size(32, 2, 0), (256, 512, 1024, 2048, 4096)),
}
JOBS: Mapping[str, Job] = {
    "step": Job(
        _step,
        _step_operations,
        {
            "width": (Size(0, 3, 128), (64, 128, 256, 512, 1024)),
            "depth": (Size(256, 0, 128), (2, 4, 8, 16)),
            "batch": (Size(128, 4, 0), (64, 128, 256, 512, 1024)),
        },
    ),
    "bound": Job(_bound, _bound_operations, _BOUND_RANGES),
    "verification": Job(_verification, _verification_operations, _BOUND_RANGES),
    "certification": Job(
        _certification,
        _certification_operations,
        {
            "width": (Size(0, 2, 2), (4, 8, 16, 32, 64)),
            "depth": (Size(6, 0, 4), (2, 4, 8, 16)),
            "batch": (Size(4, 2, 0), (8, 16, 32, 64, 128)),
        },
    ),
}
