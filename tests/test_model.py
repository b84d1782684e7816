"""The MLP: worked by hand, number by number; against 60 digits; bad input."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from mlp_ref import CROSS_ENTROPY, IDENTITY, MLP, RELU, SOFTMAX, SQUARED_ERROR, TANH, Params
from mlp_ref.arithmetic import FLOAT64
from mlp_ref.bounds import derive
from mlp_ref.checks import InputError

MODEL = MLP((2, 2, 1), (RELU, IDENTITY))
PARAMS = Params.from_layers(
    [
        (np.array([[1.0, -1.0], [2.0, 0.5]]), np.array([0.5, -1.0])),
        (np.array([[2.0], [-3.0]]), np.array([0.25])),
    ]
)
X = np.array([[1.0, 2.0], [-1.0, 3.0]])
TARGET = np.array([[10.25], [8.75]])


def test_worked_by_hand() -> None:
    """Two samples through 2-2-1, relu, squared error; all numbers are short binary fractions.

    z_0 = x W_0 + b_0:  row 1: 1*1 + 2*2 + 0.5 = 5.5,      1*(-1) + 2*0.5 - 1 = -1
                        row 2: -1*1 + 3*2 + 0.5 = 5.5,     -1*(-1) + 3*0.5 - 1 = 1.5
    a_0 = relu(z_0):    5.5 0, 5.5 1.5
    z_1 = a_0 W_1 + b_1: 11 + 0.25 = 11.25,                 11 - 4.5 + 0.25 = 6.75
    loss = ((11.25 - 10.25)^2 + (6.75 - 8.75)^2) / 2 = (1 + 4) / 2 = 2.5
    g = 2 (z_1 - t) / 2 = 1, -2
    dW_1 = a_0^T g: 5.5*1 + 5.5*(-2) = -5.5,  0 + 1.5*(-2) = -3;   db_1 = -1
    da_0 = g W_1^T: 2 -3, -4 6;   dz_0 = da_0 * relu'(z_0): 2 0, -4 6
    dW_0 = x^T dz_0: 1*2 + (-1)(-4) = 6, -1*6 = -6;  2*2 + 3*(-4) = -8, 3*6 = 18;   db_0 = -2 6
    dx = dz_0 W_0^T: 2*1 = 2, 2*2 = 4;  -4*1 + 6*(-1) = -10, -4*2 + 6*0.5 = -5
    """
    output, trace = MODEL.forward(PARAMS, X)
    assert trace.z[0].tolist() == [[5.5, -1.0], [5.5, 1.5]]
    assert trace.a[0].tolist() == [[5.5, 0.0], [5.5, 1.5]]
    assert trace.z[1].tolist() == output.tolist() == [[11.25], [6.75]]
    loss, g = SQUARED_ERROR.value_and_grad(output, TARGET)
    assert loss == 2.5
    assert g.tolist() == [[1.0], [-2.0]]
    grads, dx = MODEL.backward(PARAMS, trace, g)
    assert grads.layers[1].W.tolist() == [[-5.5], [-3.0]]
    assert grads.layers[1].b.tolist() == [-1.0]
    assert grads.layers[0].W.tolist() == [[6.0, -6.0], [-8.0, 18.0]]
    assert grads.layers[0].b.tolist() == [-2.0, 6.0]
    assert dx.tolist() == [[2.0, 4.0], [-10.0, -5.0]]


def test_tanh_and_cross_entropy_against_60_digits() -> None:
    """One sample through 2-2-2 by textbook formulas in mpmath, within the derived bounds."""
    model = MLP((2, 2, 2), (TANH, IDENTITY))
    params = Params(
        np.array([0.3, -0.7, 0.2, 0.9, 0.1, -0.4, 1.1, -0.6, 0.8, 0.5, -0.2, 0.05]), (2, 2, 2)
    )
    x, y = np.array([[0.6, -1.3]]), np.array([1])
    bounds = derive(model, params, x, CROSS_ENTROPY, y, arithmetic=FLOAT64)
    with mpmath.workdps(60):
        (W0, b0), (W1, b1) = [[mpmath.matrix(p.tolist()) for p in layer] for layer in params.layers]
        xs = mpmath.matrix(x.tolist())
        z0 = xs * W0 + b0.T
        a0 = z0.apply(mpmath.tanh)
        z1 = a0 * W1 + b1.T
        e = z1.apply(mpmath.exp)
        p = e / (e[0] + e[1])
        g = mpmath.matrix([[p[0], p[1] - 1]])
        da0 = g * W1.T
        dz0 = mpmath.matrix([[da0[k] * (1 - a0[k] ** 2) for k in range(2)]])
        exact = {
            "z0": z0, "a0": a0, "z1": z1, "g": g, "da0": da0, "dz0": dz0, "dW1": a0.T * g,
            "db1": g, "dW0": xs.T * dz0, "db0": dz0, "dx": dz0 * W0.T,
            "loss": mpmath.matrix([[-mpmath.log(p[1])]]),
        }  # fmt: skip
        for name, expected in exact.items():
            got = np.ravel(bounds[name].value)
            allowed = np.ravel(bounds[name].bound)
            for k, q in enumerate(expected):
                assert abs(mpmath.mpf(float(got[k])) - q) <= float(allowed[k]), name


def test_forward_and_backward_leave_their_arguments_alone() -> None:
    """Nothing is stored on the model and nothing given is written to."""
    before = PARAMS.flat.copy(), X.copy()
    output, trace = MODEL.forward(PARAMS, X)
    g = np.ones_like(output)
    MODEL.backward(PARAMS, trace, g)
    assert np.array_equal(PARAMS.flat, before[0])
    assert np.array_equal(X, before[1])
    assert np.array_equal(g, np.ones_like(output))


def test_work_buffers_give_the_same_bits() -> None:
    """The same numbers, in memory that is used again."""
    work = MODEL.workspace(2)
    plain, traced = MODEL.forward(PARAMS, X), MODEL.forward(PARAMS, X, work)
    assert traced[0] is work.a[-1]
    assert np.array_equal(plain[0], traced[0])
    g = np.array([[1.0], [-2.0]])
    fresh = MODEL.backward(PARAMS, plain[1], g)
    reused = MODEL.backward(PARAMS, traced[1], g, work=work)
    assert reused[0] is work.grads
    assert np.array_equal(fresh[0].flat, reused[0].flat)
    assert np.array_equal(fresh[1], reused[1])


def test_the_input_gradient_can_be_declined() -> None:
    """Without it the first layer's product with W^T is not computed, and the rest is the same."""
    output, trace = MODEL.forward(PARAMS, X)
    grads, dx = MODEL.backward(PARAMS, trace, np.ones_like(output), input_gradient=False)
    assert dx is None
    assert np.array_equal(grads.flat, MODEL.backward(PARAMS, trace, np.ones_like(output))[0].flat)


def test_predict_and_classify() -> None:
    """predict is the output alone; classify the index of its largest entry, the first of equals."""
    assert np.array_equal(MODEL.predict(PARAMS, X), MODEL.forward(PARAMS, X)[0])
    softmax = MLP((2, 3), (SOFTMAX,))
    params = Params.from_layers([(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 5.0]]), np.zeros(3))])
    assert softmax.classify(params, np.array([[1.0, 0.0], [0.0, 1.0]])).tolist() == [0, 2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(dtype) -> None:
    """Everything that comes back has the dtype that went in."""
    output, trace = MODEL.forward(PARAMS.astype(dtype), X.astype(dtype))
    grads, dx = MODEL.backward(PARAMS.astype(dtype), trace, output)
    assert {output.dtype, trace.z[0].dtype, grads.dtype, dx.dtype} == {np.dtype(dtype)}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: MLP((2,), ()), "sizes must be at least two positive integers"),
        (lambda: MLP((2, 0, 1), (RELU, RELU)), "sizes must be at least two positive integers"),
        (
            lambda: MLP((2, 1), (RELU, RELU)),
            "sizes (2, 1) need 1 activations, one per layer; got 2",
        ),
        (lambda: MLP((2, 1), ("relu",)), "an activation must be a record; got str 'relu'"),
        (lambda: MODEL.forward(PARAMS, X[:, :1]), "x must have shape (n, 2); got float64 array"),
        (lambda: MODEL.forward(PARAMS, X[:0]), "x must have at least one row"),
        (lambda: MODEL.forward(PARAMS, X.astype("f4")), "x must be float64; got float32 array"),
        (lambda: MODEL.forward(PARAMS, X.astype(int)), "x must be float64; got int64 array"),
        (
            lambda: MODEL.forward(Params.zeros((2, 1)), X),
            "parameters must have the sizes (2, 2, 1) of the model; got sizes (2, 1)",
        ),
        (
            lambda: MODEL.backward(PARAMS, MODEL.forward(PARAMS, X)[1], np.ones(2)),
            "g must have the shape (2, 1) of the output",
        ),
        (
            lambda: MODEL.backward(PARAMS, MODEL.forward(PARAMS, X)[1], np.ones((2, 1), "f4")),
            "g must be float64; got float32",
        ),
    ],
)
def test_bad_input_is_one_clear_line(call, text) -> None:
    """Invariant, what arrived, remedy."""
    with pytest.raises(InputError) as caught:
        call()
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
