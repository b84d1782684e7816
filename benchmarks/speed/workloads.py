"""The networks, batches and optimizers of the benchmark: the same numbers for every library."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlp_ref import INITIALIZERS, Params, initialize

__all__ = ["OPTIMIZERS", "RATE", "WORKLOADS", "Problem", "Workload", "problem"]

OPTIMIZERS = ("sgd", "adam")
RATE = MappingProxyType({"sgd": 1e-2, "adam": 1e-3})


class Workload(NamedTuple):
    """Layer widths, rows of a batch, and the dtype of everything."""

    sizes: tuple[int, ...]
    rows: int
    dtype: str

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.sizes))}, batch {self.rows}, {self.dtype}"


WORKLOADS: Mapping[str, Workload] = MappingProxyType(
    {
        "tiny": Workload((4, 16, 3), 32, "float64"),
        "small": Workload((64, 128, 64, 10), 32, "float64"),
        "mnist": Workload((784, 128, 10), 64, "float32"),
        "medium": Workload((784, 512, 512, 10), 256, "float32"),
        "large": Workload((1024, 4096, 1024, 10), 512, "float32"),
    }
)


class Problem(NamedTuple):
    """relu between the layers, logits at the end, mean cross-entropy of labels y (n,)."""

    workload: Workload
    optimizer: str
    params: Params
    x: NDArray[Any]  # (n, n_0)
    y: NDArray[np.int64]  # (n,)

    @property
    def rate(self) -> float:
        """The learning rate."""
        return RATE[self.optimizer]

    def layers(self) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        """Copies of W (n_in, n_out) and b (n_out,) of each layer."""
        return [(layer.W.copy(), layer.b.copy()) for layer in self.params.layers]


def problem(name: str, optimizer: str) -> Problem:
    """He's initial weights, normal rows, and labels that a linear map of them decides."""
    workload, rng = WORKLOADS[name], np.random.default_rng(0)
    dtype = np.dtype(workload.dtype)
    params = initialize(workload.sizes, INITIALIZERS["he_normal"], rng=rng, dtype=dtype)
    x = rng.standard_normal((workload.rows, workload.sizes[0])).astype(dtype)
    y = (x @ rng.standard_normal((workload.sizes[0], workload.sizes[-1]))).argmax(axis=1)
    return Problem(workload, optimizer, params, x, y)
