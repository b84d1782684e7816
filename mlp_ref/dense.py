"""The dense layer z = x W + b and its gradient.

Axes: n samples, n_in inputs, n_out outputs. Rows are samples; PyTorch stores W transposed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mlp_ref.arithmetic import Array

__all__ = ["Layer", "affine", "affine_grad", "affine_vjp"]


class Layer(NamedTuple):
    """Weights and bias of one dense layer, or the gradient, velocity or moment of one."""

    W: Array  # (n_in, n_out)
    b: Array  # (n_out,)


def affine(layer: Layer, x: Array, out: Array | None = None) -> Array:
    """z = x W + b for rows x (n, n_in)."""
    z = np.dot(x, layer.W, out=out)  # (n, n_out)
    z += layer.b
    return z


def affine_grad(x: Array, g: Array, out: Layer | None = None, ones: Array | None = None) -> Layer:
    """dL/dW = x^T g and dL/db = 1^T g, the sum over rows, for g = dL/dz (n, n_out).

    ``ones`` (n,) is that vector of ones, if it is at hand.
    """
    dW, db = (None, None) if out is None else out
    ones = np.ones(len(g), g.dtype) if ones is None else ones
    # as fast as np.dot or faster where the result is as large as W, and slower for anything smaller
    return Layer(np.matmul(x.T, g, out=dW), np.dot(ones, g, out=db))


def affine_vjp(layer: Layer, g: Array, out: Array | None = None) -> Array:
    """dL/dx = g W^T for g = dL/dz (n, n_out)."""
    return np.dot(g, layer.W.T, out=out)  # (n, n_in)
