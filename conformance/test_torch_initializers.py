"""The initializers draw from the distributions of torch.nn.Linear and torch.nn.init."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mlp_ref import INITIALIZERS, initialize
from mlp_ref.arithmetic import FLOAT64

WIDTHS = [(1, 1), (2, 3), (3, 2), (64, 33), (784, 128), (1023, 1)]
sizes = pytest.mark.parametrize("widths", WIDTHS, ids=str)

# Either side computes its scale in at most eight rounded operations from small integers.
AGREEMENT = FLOAT64.gamma(16)


class Scales(np.random.Generator):
    """A generator that answers with the scale that it is asked for."""

    def uniform(self, low: float, high: float, shape: tuple[int, ...]) -> np.ndarray:
        """The limit of a symmetric uniform distribution."""
        assert low == -high
        return np.full(shape, high)

    def standard_normal(self, shape: tuple[int, ...]) -> np.ndarray:
        """One standard deviation."""
        return np.ones(shape)


def scales_here(name: str, widths: tuple[int, int]) -> tuple[float, float]:
    """Limit, or standard deviation, of W and b."""
    rng: Any = Scales(np.random.PCG64(0))
    W, b = initialize(widths, INITIALIZERS[name], rng=rng).layers[0]
    return float(W[0, 0]), float(b[0])


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """What PyTorch asks its generator for: distribution and scale, in order."""
    calls: list[tuple[str, float]] = []

    def uniform(tensor: torch.Tensor, low: float = 0, high: float = 1, **_: Any) -> torch.Tensor:
        assert low == -high
        calls.append(("uniform", high))
        return tensor

    def normal(tensor: torch.Tensor, mean: float = 0, std: float = 1, **_: Any) -> torch.Tensor:
        assert mean == 0
        calls.append(("normal", std))
        return tensor

    monkeypatch.setattr(torch.Tensor, "uniform_", uniform)
    monkeypatch.setattr(torch.Tensor, "normal_", normal)
    return calls


def agree(one: float, other: float) -> bool:
    """Whether two computations of the same scale are within their roundings."""
    return abs(one - other) <= AGREEMENT * other


@sizes
def test_torch_linear_draws_like_linear(
    widths: tuple[int, int], drawn: list[tuple[str, float]]
) -> None:
    """Weights and biases are uniform up to 1 / sqrt(n_in), the bias limit bit by bit."""
    nn.Linear(*widths, dtype=torch.float64)
    (kind_W, limit_W), (kind_b, limit_b) = drawn
    assert kind_W == kind_b == "uniform"
    W, b = scales_here("torch_linear", widths)
    assert W == b == limit_b == 1 / sqrt(widths[0])
    assert agree(W, limit_W)


PEERS: dict[str, tuple[str, Callable[[torch.Tensor], Any]]] = {
    "glorot_uniform": ("uniform", nn.init.xavier_uniform_),
    "glorot_normal": ("normal", nn.init.xavier_normal_),
    "he_uniform": ("uniform", lambda W: nn.init.kaiming_uniform_(W, nonlinearity="relu")),
    "he_normal": ("normal", lambda W: nn.init.kaiming_normal_(W, nonlinearity="relu")),
    "standard_normal": ("normal", nn.init.normal_),
}


@sizes
@pytest.mark.parametrize("name", PEERS)
def test_the_scale_is_that_of_torch_init(
    name: str, widths: tuple[int, int], drawn: list[tuple[str, float]]
) -> None:
    """Limit or deviation of the weights is the same function of n_in and n_out; biases are zero."""
    kind, peer = PEERS[name]
    weight = torch.empty(widths[::-1], dtype=torch.float64)  # (n_out, n_in)
    peer(weight)
    ((found, scale),) = drawn
    W, b = scales_here(name, widths)
    assert (found, b) == (kind, 0)
    assert agree(W, scale)


def test_every_initializer_has_a_peer() -> None:
    """None is left out but zeros."""
    assert set(INITIALIZERS) == {*PEERS, "torch_linear", "zeros"}


@pytest.mark.parametrize("widths", [(64, 33), (33, 64)], ids=str)
def test_draws_fill_the_same_interval(widths: tuple[int, int]) -> None:
    """Drawn for real, both stay within the limit, and both reach beyond nine tenths of it.

    One of 2,112 draws misses the last twentieth on its side 0.95^2112 of the times: never.
    """
    limit = 1 / sqrt(widths[0])
    torch.manual_seed(0)
    theirs = nn.Linear(*widths, dtype=torch.float64).weight.detach().numpy()
    rng = np.random.default_rng(0)
    ours = initialize(widths, INITIALIZERS["torch_linear"], rng=rng).layers[0].W
    for draws in (theirs, ours):
        assert 0.9 * limit < draws.max() <= limit * (1 + AGREEMENT)
        assert 0.9 * limit < -draws.min() <= limit * (1 + AGREEMENT)
