"""Parameters: one contiguous vector, its views per layer, and the initializers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from mlp_ref.arithmetic import Array
from mlp_ref.checks import describe, fail, require_generator
from mlp_ref.dense import Layer

if TYPE_CHECKING:  # importing numpy.random takes a tenth of the time of numpy
    from numpy.random import Generator

__all__ = ["INITIALIZERS", "Initializer", "Params", "initialize", "require_sizes"]


def require_sizes(sizes: Iterable[int]) -> tuple[int, ...]:
    """Return layer widths (n_0, ..., n_L) as a tuple; each is a positive integer, and L >= 1."""
    widths = tuple(sizes)
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in widths)
    if len(widths) < 2 or not whole or min(widths) < 1:
        fail(
            "sizes must be at least two positive integers",
            describe(widths),
            "list every width from input to output, such as (64, 32, 10)",
        )
    return tuple(int(n) for n in widths)


@dataclass(frozen=True, eq=False)
class Params:
    """The parameters of an MLP, or anything of their shape: gradients, velocities, moments.

    ``flat``   (p,) float32 or float64, contiguous: W_0, b_0, W_1, b_1, ..., each in C order
    ``sizes``  layer widths (n_0, ..., n_L)
    ``layers`` views of ``flat``: W_l (n_l, n_{l+1}) and b_l (n_{l+1},)

    Raises `InputError` if the length does not fit the sizes or the vector is not float32 or float64
    (complex64 and complex128 serve the complex step).
    """

    flat: Array
    sizes: tuple[int, ...]
    layers: tuple[Layer, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", require_sizes(self.sizes))
        count = self.count(self.sizes)
        if not isinstance(self.flat, np.ndarray) or self.flat.shape != (count,):
            fail(
                f"parameters of sizes {self.sizes} must have shape ({count},)",
                describe(self.flat), "check the sizes, or build with Params.from_layers",
            )  # fmt: skip
        native = self.flat.dtype.char in "fdFD" and self.flat.dtype.isnative
        if not native or not self.flat.flags.c_contiguous:
            fail(
                "parameters must be a contiguous float32 or float64 vector in native byte order",
                describe(self.flat), "cast with numpy.ascontiguousarray(flat, dtype=...)",
            )  # fmt: skip
        layers, start = [], 0
        for n_in, n_out in pairwise(self.sizes):
            middle, end = start + n_in * n_out, start + (n_in + 1) * n_out
            layers.append(
                Layer(self.flat[start:middle].reshape(n_in, n_out), self.flat[middle:end])
            )
            start = end
        object.__setattr__(self, "layers", tuple(layers))

    @staticmethod
    def count(sizes: tuple[int, ...]) -> int:
        """p = sum_l (n_l + 1) n_{l+1}, the number of parameters."""
        return sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))

    @classmethod
    def zeros(cls, sizes: Iterable[int], dtype: DTypeLike = np.float64) -> Params:
        """All parameters zero."""
        widths = require_sizes(sizes)
        count = cls.count(widths)
        if count > sys.maxsize // 16:
            fail(f"{count:,} parameters must fit into memory", f"sizes {widths}", "shrink a layer")
        return cls(np.zeros(count, dtype), widths)

    @classmethod
    def from_layers(cls, layers: Iterable[tuple[Array, Array]]) -> Params:
        """Copy W_l (n_l, n_{l+1}) and b_l (n_{l+1},) of every layer into one vector."""
        pairs = [Layer(np.asarray(W), np.asarray(b)) for W, b in layers]
        for k, (W, b) in enumerate(pairs):
            if W.ndim != 2 or b.shape != W.shape[1:] or W.dtype != b.dtype:
                fail(
                    f"layer {k} must have W (n_in, n_out) and b (n_out,) of one dtype",
                    f"W {describe(W)} and b {describe(b)}", "transpose W or reshape b",
                )  # fmt: skip
            if k and (W.shape[0] != pairs[k - 1].W.shape[1] or W.dtype != pairs[0].W.dtype):
                fail(
                    f"layer {k} must take the {pairs[k - 1].W.shape[1]} outputs of layer {k - 1}",
                    f"W {describe(W)}", "check the order and the dtypes of the layers",
                )  # fmt: skip
        if not pairs:
            fail("layers must hold at least one layer", "none", "pass a list of (W, b)")
        sizes = (pairs[0].W.shape[0], *(b.shape[0] for _, b in pairs))
        return cls(np.concatenate([part.ravel() for layer in pairs for part in layer]), sizes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of every weight and bias."""
        return self.flat.dtype

    def like(self, flat: Array) -> Params:
        """Another vector with the same sizes."""
        return Params(flat, self.sizes)

    def copy(self) -> Params:
        """The same numbers in new memory."""
        return self.like(self.flat.copy())

    def astype(self, dtype: DTypeLike) -> Params:
        """Cast explicitly; nothing else in the library changes a dtype."""
        return self.like(self.flat.astype(dtype))


def _zero_bias(n_in: int, n_out: int, rng: Generator, shape: tuple[int, ...]) -> Array:
    return np.zeros(shape)


@dataclass(frozen=True)
class Initializer:
    """How to draw W (n_in, n_out) and b (n_out,): each from (n_in, n_out, rng, shape)."""

    name: str
    weight: Callable[[int, int, Generator, tuple[int, ...]], Array]
    bias: Callable[[int, int, Generator, tuple[int, ...]], Array] = _zero_bias


def _uniform(limit: Callable[[int, int], float]) -> Callable[..., Array]:
    return lambda n_in, n_out, rng, shape: rng.uniform(
        -limit(n_in, n_out), limit(n_in, n_out), shape
    )


def _normal(deviation: Callable[[int, int], float]) -> Callable[..., Array]:
    return lambda n_in, n_out, rng, shape: deviation(n_in, n_out) * rng.standard_normal(shape)


_TORCH = _uniform(lambda n_in, n_out: 1 / sqrt(n_in))

# Glorot and Bengio, AISTATS 2010; He et al., ICCV 2015 (fan-in, gain sqrt 2); torch_linear is what
# torch.nn.Linear draws, bias included; standard_normal is what many from-scratch programs draw.
INITIALIZERS: Mapping[str, Initializer] = MappingProxyType(
    {
        i.name: i
        for i in (
            Initializer("glorot_uniform", _uniform(lambda n_in, n_out: sqrt(6 / (n_in + n_out)))),
            Initializer("glorot_normal", _normal(lambda n_in, n_out: sqrt(2 / (n_in + n_out)))),
            Initializer("he_uniform", _uniform(lambda n_in, n_out: sqrt(6 / n_in))),
            Initializer("he_normal", _normal(lambda n_in, n_out: sqrt(2 / n_in))),
            Initializer("torch_linear", _TORCH, _TORCH),
            Initializer("standard_normal", _normal(lambda n_in, n_out: 1.0)),
            Initializer("zeros", _normal(lambda n_in, n_out: 0.0)),
        )
    }
)


def initialize(
    sizes: Iterable[int],
    initializer: Initializer,
    *,
    rng: Generator,
    dtype: DTypeLike = np.float64,
) -> Params:
    """Draw the parameters of an MLP of widths ``sizes`` layer by layer, in ``dtype``.

    The numbers are drawn in float64 and rounded once, so that float32 and float64 start alike.
    """
    require_generator(rng)
    params = Params.zeros(sizes, dtype)
    for layer in params.layers:
        n_in, n_out = layer.W.shape
        layer.W[...] = initializer.weight(n_in, n_out, rng, (n_in, n_out))
        layer.b[...] = initializer.bias(n_in, n_out, rng, (n_out,))
    return params
