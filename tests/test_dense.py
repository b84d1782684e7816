"""The affine map and its gradient, on numbers that are exact."""

from __future__ import annotations

import numpy as np

from mlp_ref.dense import Layer, affine, affine_grad, affine_vjp

LAYER = Layer(np.array([[1.0, 2.0, 0.5], [-1.0, 4.0, 0.0]]), np.array([1.0, -2.0, 0.25]))
X = np.array([[2.0, 1.0], [0.0, -3.0]])
G = np.array([[1.0, 0.0, 2.0], [-1.0, 0.5, 4.0]])


def test_affine_by_hand() -> None:
    """z = x W + b: the first entry is 2*1 + 1*(-1) + 1 = 2."""
    expected = [[2.0, 6.0, 1.25], [4.0, -14.0, 0.25]]
    assert affine(LAYER, X).tolist() == expected


def test_gradient_by_hand() -> None:
    """dW = x^T g and db = the sum of the rows of g: no average."""
    grad = affine_grad(X, G)
    assert grad.W.tolist() == [[2.0, 0.0, 4.0], [4.0, -1.5, -10.0]]
    assert grad.b.tolist() == [0.0, 0.5, 6.0]


def test_vjp_by_hand() -> None:
    """dx = g W^T: the first entry is 1*1 + 0*2 + 2*0.5 = 2."""
    assert affine_vjp(LAYER, G).tolist() == [[2.0, -1.0], [2.0, 3.0]]


def test_results_can_be_written_into_given_memory() -> None:
    """out= receives the same bits and is what is returned."""
    z, dx = np.empty((2, 3)), np.empty((2, 2))
    out = Layer(np.empty((2, 3)), np.empty(3))
    assert affine(LAYER, X, z) is z
    assert affine_vjp(LAYER, G, dx) is dx
    grad = affine_grad(X, G, out)
    assert grad.W is out.W
    assert grad.b is out.b
    assert np.array_equal(z, affine(LAYER, X))
    assert np.array_equal(out.W, affine_grad(X, G).W)
