"""Gradient descent: SGD with momentum and Nesterov's form, Adam, AdamW.

An optimizer is a frozen record of hyperparameters. Its state holds the step count t and as many
vectors of the shape of the parameters as the method has moments. `step` is pure; `update`, the same
arithmetic in place, is what training runs. It walks through the vectors in blocks: all that is done
to an entry needs nothing of the others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import isfinite, sqrt
from numbers import Real
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.checks import fail
from mlp_ref.parameters import Params

__all__ = ["OPTIMIZERS", "SGD", "Adam", "AdamW", "Optimizer", "State"]


class State(NamedTuple):
    """Steps taken, and the moments: () for SGD, (v,) with momentum, (m, v) for Adam and AdamW."""

    t: int
    moments: tuple[Params, ...]


def _require(name: str, value: float, low: float, high: float, text: str) -> None:
    if not (isinstance(value, Real) and isfinite(value) and low <= value < high):
        fail(f"{name} must be {text}", repr(value), "choose a value in that range")


class Optimizer(ABC):
    """What all methods share; a subclass states its recurrence in `advance`."""

    lr: float
    moments: ClassVar[int]

    def init(self, params: Params) -> State:
        """t = 0 and zero moments."""
        return State(0, tuple(params.like(np.zeros_like(params.flat)) for _ in range(self._slots)))

    @property
    def _slots(self) -> int:
        return self.moments

    def step(
        self, params: Params, grads: Params, state: State, lr: float | None = None
    ) -> tuple[Params, State]:
        """Return new parameters and a new state; the arguments are left alone.

        ``lr`` replaces the record's learning rate for this step (schedules use it). Raises
        `InputError` if parameters, gradients and state differ in sizes or dtype.
        """
        for name, other in (("gradients", grads), *(("moments", m) for m in state.moments)):
            if other.sizes != params.sizes or other.dtype != params.dtype:
                fail(
                    f"{name} must have the sizes {params.sizes} and dtype {params.dtype}",
                    f"sizes {other.sizes} and dtype {other.dtype}", "start from optimizer.init",
                )  # fmt: skip
        if len(state.moments) != self._slots:
            fail(
                f"the state of {type(self).__name__} must hold {self._slots} moments",
                str(len(state.moments)), "start from optimizer.init",
            )  # fmt: skip
        if lr is not None:
            _require("lr", lr, 0, float("inf"), "finite and at least 0")
        new = params.copy()
        own = State(state.t, tuple(m.copy() for m in state.moments))
        return new, self.update(new, grads.copy(), own, self.scratch(params), lr)

    @property
    def _scratches(self) -> bool:
        return True

    def scratch(self, params: Params) -> Array:
        """Memory that `update` needs, for a block of the vectors."""
        return np.empty(_block(params.flat) if self._scratches else 0, params.dtype)

    def update(
        self, params: Params, grads: Params, state: State, scratch: Array, lr: float | None = None
    ) -> State:
        """Advance ``params`` and the moments in place; overwrite ``grads`` and ``scratch``."""
        t, rate = state.t + 1, self.lr if lr is None else lr
        vectors = [params.flat, grads.flat, *[moment.flat for moment in state.moments]]
        if params.flat.size <= _UNDIVIDED:
            self.advance(t, rate, scratch, *vectors)
        else:
            block = _block(params.flat)
            for start in range(0, params.flat.size, block):
                parts = [vector[start : start + block] for vector in vectors]
                self.advance(t, rate, scratch[: len(parts[0])], *parts)
        return State(t, state.moments)

    @abstractmethod
    def advance(
        self, t: int, lr: float, scratch: Array, theta: Array, g: Array, *moments: Array
    ) -> None:
        """The recurrence of step t = 1, 2, ... on vectors; theta and the moments are changed."""


_UNDIVIDED = 1 << 12  # entries
_CACHED = 1 << 20  # bytes


def _block(flat: Array) -> int:
    """How many entries are advanced at once: at most half, so that scratch memory is small.

    Of vectors beyond the cache, a block of each stays in it from one pass to the next.
    """
    half = max(_UNDIVIDED, -(-flat.size // 2))
    return int(min(flat.size, half, _CACHED // flat.itemsize))


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent with momentum mu, in PyTorch's form.

        g <- g + weight_decay theta,   v <- mu v + g  (v = g at the first step),
        theta <- theta - lr v,         Nesterov: theta <- theta - lr (g + mu v)

    Keras scales the velocity by lr instead, v <- mu v - lr g, which differs once lr changes.
    Raises `InputError` for lr <= 0, mu outside [0, 1), a negative decay, or Nesterov's form without
    momentum.
    """

    lr: float
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    moments: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _require_common(self.lr, self.weight_decay)
        _require("momentum", self.momentum, 0, 1, "in [0, 1)")
        if self.nesterov and not self.momentum:
            fail("nesterov needs a momentum above 0", "momentum 0", "set momentum, such as 0.9")

    @property
    def _slots(self) -> int:
        return 1 if self.momentum else 0

    @property
    def _scratches(self) -> bool:
        return bool(self.nesterov or self.weight_decay)

    def advance(
        self, t: int, lr: float, scratch: Array, theta: Array, g: Array, *moments: Array
    ) -> None:
        """One step in place; see the class for the recurrence."""
        if self.weight_decay:
            g += np.multiply(theta, self.weight_decay, out=scratch)
        direction = g
        if self.momentum:
            (v,) = moments
            v *= self.momentum
            v += g
            if self.nesterov:
                g += np.multiply(v, self.momentum, out=scratch)
            else:
                direction = v
        theta -= np.multiply(direction, lr, out=g)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma and Ba, arXiv:1412.6980, algorithm 1), with PyTorch's placement of eps.

        g <- g + weight_decay theta,   m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2,
        theta <- theta - lr m_hat / (sqrt(v_hat) + eps),   m_hat = m / (1 - b1^t),  v_hat likewise

    t counts steps from 1. TensorFlow's older form adds eps before the bias correction of v.
    Raises `InputError` for lr or eps <= 0, a beta outside [0, 1) or a negative decay.
    """

    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled: ClassVar[bool] = False
    moments: ClassVar[int] = 2

    def __post_init__(self) -> None:
        _require_common(self.lr, self.weight_decay)
        _require("beta1", self.beta1, 0, 1, "in [0, 1)")
        _require("beta2", self.beta2, 0, 1, "in [0, 1)")
        _require("eps", self.eps, 5e-324, float("inf"), "positive")

    def advance(
        self, t: int, lr: float, scratch: Array, theta: Array, g: Array, *moments: Array
    ) -> None:
        """One step in place; see the class for the recurrence."""
        m, v = moments
        if not theta.dtype.type(self.eps):
            fail(f"eps must not underflow in {theta.dtype}", repr(self.eps), "choose a larger one")
        if self.weight_decay and self.decoupled:
            theta *= 1 - lr * self.weight_decay
        elif self.weight_decay:
            g += np.multiply(theta, self.weight_decay, out=scratch)
        m *= self.beta1
        m += np.multiply(g, 1 - self.beta1, out=scratch)
        v *= self.beta2
        g *= g
        v += np.multiply(g, 1 - self.beta2, out=scratch)
        root = np.sqrt(v, out=scratch)
        root /= sqrt(1 - self.beta2**t)
        root += self.eps
        update = np.divide(m, root, out=scratch)
        update *= lr / (1 - self.beta1**t)
        theta -= update


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled decay (Loshchilov and Hutter, arXiv:1711.05101): the decay comes first.

    theta <- (1 - lr weight_decay) theta, then Adam's step without decay in g
    """

    weight_decay: float = 0.01
    decoupled: ClassVar[bool] = True


def _require_common(lr: float, weight_decay: float) -> None:
    _require("lr", lr, 5e-324, float("inf"), "positive and finite")
    _require("weight_decay", weight_decay, 0, float("inf"), "zero or positive")


OPTIMIZERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "sgd": SGD,
        "momentum": partial(SGD, momentum=0.9),
        "nesterov": partial(SGD, momentum=0.9, nesterov=True),
        "adam": Adam,
        "adamw": AdamW,
    }
)
