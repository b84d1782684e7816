"""The second oracle confirms numbers found by closed forms, and those of the first oracle."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import inf
from typing import Any

import gmpy2
import mpmath
import numpy as np
import pytest
from closed_forms import (
    CLOSED,
    CTX,
    LAYERS,
    ONE,
    T,
    X,
    activation,
    by_hand,
    certified,
    changed,
    lift,
    loss_case,
    mlp,
    record,
    rows,
)

from mlp_ref.certify.certifier import certify
from mlp_ref.certify.drafts import drafts
from mlp_ref.certify.oracle import Disagreement, agree
from mlp_ref.corpus.records import checksum_weights

POINTS = {
    "moderate": (-3.7, -1.3, -0.4, 0.0, 0.03, 0.9, 2.9),
    "tails": (-745.2, -708.4, -104.3, -38.5, -37.5, -17.3, 17.3, 37.5, 104.3, 709.8),
    "tiny": (-1e-3, -1e-30, -2.2250738585072014e-308, -5e-324, 5e-324, 1e-300, 1e-10),
    "huge": (-3.4028234663852886e38, -1e5, -2000.3, 2000.3, 1e5, 3.4028234663852886e38),
}


@pytest.mark.parametrize("family", POINTS)
@pytest.mark.parametrize("function", CLOSED)
def test_activations_in_closed_form(function: str, family: str) -> None:
    """f and g f' agree to all digits that words show, at every edge of the exponentials."""
    points = POINTS[family]
    g = [(-1.7, 0.3, 1.0)[k % 3] for k in range(len(points))]
    assert agree(activation(function, points, g)) == {"values": 32.0, "derivatives": 32.0}


@pytest.mark.parametrize("function", ["sigmoid", "elu", "softplus", "silu", "gelu", "gelu_tanh"])
def test_the_largest_floats(function: str) -> None:
    """+-1e300 and +-1.797e308 are arguments like any other."""
    largest = 1.7976931348623157e308
    x = [-largest, -1e300, 1e300, largest]
    limits = [0, 0, 1, 1]
    y = {"sigmoid": limits, "elu": [-1, -1, *x[2:]]}.get(function, [0, 0, *x[2:]])
    zero = np.array([[2.0**-1074, 2.0**-1074, 2.0**-1074, 2.0**-1074]])
    expected = {
        "y": replace(certified(lift([y])), radius=zero),
        "dx": replace(certified(lift([[0] * 4 if function == "sigmoid" else limits])), radius=zero),
    }
    case = record("activation", {"x": [x], "g": [[1.0] * 4]}, expected, function=function)
    assert agree(case) == {"values": 32.0, "derivatives": 32.0}


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_rows_in_closed_form(name: str) -> None:
    """Saturated, far and masked rows; p of e^-2000 is 0 as far as words go."""
    z = [[1.5, -inf, 0.25, -inf], [1000.0, -1000.0, 998.5, 0.0], [0.5, 0.5, 0.5, -700.0]]
    g = [[0.3, -1.1, 0.7, 2.0], [1.0, 0.1, -0.2, 0.4], [0.6, -0.9, 1.3, 0.8]]
    assert agree(rows(name, z, g)) == {"values": 32.0, "derivatives": 32.0}


LOSS_CASES = {
    "labels": ("cross_entropy", [[0.3, -1.2, 2.5], [800.0, -800.0, 0.0]], [2, 1]),
    "shares": ("cross_entropy", [[0.3, -1.2, 2.5], [7.0, -8.0, 0.1]], [[0.1, 0.2, 0.7]] * 2),
    "bits": ("binary_cross_entropy", [[0.3, -40.0], [800.0, -800.0]], [[1, 0.25], [0, 0]]),
    "square": ("squared_error", [[0.1, -1e150], [3.0, 1e-200]], [[0.3, 1e150], [3, 0]]),
}


@pytest.mark.parametrize("kind", LOSS_CASES)
def test_losses_in_closed_form(kind: str) -> None:
    """Means over rows for cross-entropy, over all entries for the others."""
    case = loss_case(*LOSS_CASES[kind])
    assert agree(case) == {"values": 32.0, "derivatives": 32.0}


@pytest.mark.parametrize("f", CLOSED)
def test_a_network_by_the_chain_rule(f: str) -> None:
    """Every gradient, those of the inner z and a too."""
    assert agree(mlp(f)) == {"values": 32.0, "derivatives": 32.0}


def test_a_dense_layer_with_a_checksum() -> None:
    """z, dW, db and dx; a tensor stored in part is checked through its checksum."""
    x, W, b, g = (np.rint(4 * v) for v in (X, LAYERS[0][0], LAYERS[0][1], X @ LAYERS[0][0]))
    exact = {"z": x @ W + b, "dW": x.T @ g, "db": g.sum(axis=0), "dx": g @ W.T}
    expected = {name: certified(lift(v)) for name, v in exact.items()}
    index = np.array([1, 6])
    for name in ("z", "dW"):
        parts = {p: getattr(expected[name], p).reshape(-1)[index] for p in ("hi", "low", "radius")}
        total = float(checksum_weights(exact[name].size) @ exact[name].reshape(-1))
        expected[name] = replace(expected[name], index=index, checksum=total, **parts)
    case = record("dense", {"x": x, "W": W, "b": b, "g": g}, expected)
    assert agree(case) == {"values": 32.0, "derivatives": 32.0}
    for name in ("z", "dW"):
        wrong = replace(expected[name], checksum=expected[name].checksum + 1)
        with pytest.raises(Disagreement, match=rf"{name} checksum must be confirmed"):
            agree(replace(case, expected={**expected, name: wrong}))


def fraction(q: Fraction) -> Any:
    """An exact quotient as an mpf number."""
    return CTX.mpf(q.numerator) / q.denominator


def test_sgd_takes_the_float_nearest_to_a_decimal() -> None:
    """lr = 0.1 means the float64 0.1, and the numbers of the paper are exact otherwise."""
    lr, mu, decay = (Fraction(v) for v in (0.1, 0.9, 0.01))
    theta, g, v = (Fraction(w) for w in (1.5, -0.3, 0.7))
    for nesterov in (False, True):
        h = g + decay * theta
        v1 = mu * v + h
        new = theta - lr * (h + mu * v1 if nesterov else v1)
        expected = {"params": certified([fraction(new)]), "v": certified([fraction(v1)])}
        case = record(
            "optimizer", {"params": [1.5], "grads": [-0.3], "v": [0.7]}, expected, method="sgd",
            lr=0.1, weight_decay=0.01, momentum=0.9, nesterov=nesterov, t=3,
        )  # fmt: skip
        assert agree(case) == {"values": 32.0}
        with pytest.raises(Disagreement, match=r"params\[0\]"):
            agree(replace(case, parameters={**case.parameters, "nesterov": not nesterov}))


def adam_step(method: str, theta: Any, g: Any, m: Any, v: Any, t: int) -> dict[str, Any]:
    """Adam with dyadic hyperparameters; b1 = 7/8, b2 = 1 - 2^-10, lr = 2^-7, eps = 2^-20."""
    lr, decay, b1, b2, eps = ONE / 128, ONE / 64, ONE * 7 / 8, 1 - ONE / 1024, ONE / 2**20
    if method == "adam":
        g = g + decay * theta
    m, v = b1 * m + g / 8, b2 * v + g * g / 1024
    update = m / (1 - b1 ** (t + 1)) / (CTX.sqrt(v / (1 - b2 ** (t + 1))) + eps)
    shrink = 1 - lr * decay if method == "adamw" else 1
    return {"params": shrink * theta - lr * update, "m": m, "v": v}


DYADIC = {
    "lr": 2.0**-7, "weight_decay": 2.0**-6, "beta1": 0.875, "beta2": 1 - 2.0**-10, "eps": 2.0**-20,
}  # fmt: skip


@pytest.mark.parametrize("method", ["adam", "adamw"])
def test_adam_and_adamw(method: str) -> None:
    """Moments and parameters, at the first step and later, with gradients of all sizes."""
    for t in (0, 999):
        theta, g, m, v = [0.3, -2.5, 1e-3], [0.0, 1e3, 1e-160], [0.0, 0.1, -0.2], [0.0, 0.5, 1e-9]
        steps = [
            adam_step(method, *row, t) for row in zip(*map(lift, (theta, g, m, v)), strict=True)
        ]
        expected = {k: certified([step[k] for step in steps]) for k in ("params", "m", "v")}
        inputs = {"params": theta, "grads": g, "m": m, "v": v}
        case = record("optimizer", inputs, expected, method=method, t=t, **DYADIC)
        assert agree(case) == {"values": 32.0}
        with pytest.raises(Disagreement, match=r"params\["):  # t counts from 1
            agree(replace(case, parameters={**case.parameters, "t": t + 1}))


def test_a_training_step() -> None:
    """The gradients are differences, and the step follows from them."""
    found = by_hand("tanh")
    grads = np.concatenate([found[k].ravel() for k in ("dW0", "db0", "dW1", "db1")])
    params = np.concatenate([part.ravel() for layer in LAYERS for part in layer])
    m, v = np.linspace(-1, 1, params.size), np.linspace(0, 1, params.size)
    steps = [
        adam_step("adam", *row, 4)
        for row in zip(lift(params), grads, lift(m), lift(v), strict=True)
    ]
    expected = {k: certified([step[k] for step in steps]) for k in ("params", "m", "v")}
    expected |= {"loss": certified(found["loss"]), "grads": certified(grads)}
    case = record(
        "train_step", {"params": params, "m": m, "v": v, "x": X, "target": T}, expected, t=4,
        sizes=[2, 4, 2], activations=["tanh", "identity"], loss="squared_error", method="adam",
        **DYADIC,
    )  # fmt: skip
    assert agree(case) == {"values": 32.0, "derivatives": 32.0}
    for name in expected:
        low = case.expected[name].low + case.expected[name].radius
        wrong = {**expected, name: replace(case.expected[name], low=low)}
        with pytest.raises(Disagreement, match=f"{name}\\["):
            agree(replace(case, expected=wrong))


def test_nothing_global_changes() -> None:
    """Neither mpmath's nor gmpy2's precision, nor gmpy2's flags, also when the oracle disagrees."""
    before = (mpmath.mp.prec, gmpy2.get_context().precision, gmpy2.get_context().inexact)
    case = activation("gelu", [0.7], [1.0])
    agree(case)
    with pytest.raises(Disagreement):
        agree(changed(case, "dx", (0, 0), "hi", 1.0))
    assert (mpmath.mp.prec, gmpy2.get_context().precision, gmpy2.get_context().inexact) == before


def test_a_record_that_must_be_rejected_has_nothing_to_confirm() -> None:
    """No expected values, no digits."""
    assert agree(replace(mlp("relu"), expected={}, rejects="shape")) == {}


def test_the_first_oracle_is_confirmed() -> None:
    """One draft of every 40, with the words that balls decided."""
    kinds = set()
    for draft in list(drafts())[::40]:
        digits = agree(certify(draft))
        kinds |= {(draft.operation, kind) for kind in digits}
        assert all(value >= 30 for value in digits.values()), draft.id
    assert len(kinds) >= 8
