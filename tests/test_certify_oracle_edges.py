"""The second oracle at NaN, infinities and signed zeros, by rules of its own."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from closed_forms import CLOSED, ONE, X, activation, certified, changed, lift, mlp, record, rows

from mlp_ref.certify.oracle import Disagreement, agree
from mlp_ref.corpus.records import Certified


def test_a_number_beyond_the_largest_float_is_infinite() -> None:
    """1e400 rounds to inf; the largest float does not."""
    words = Certified((), np.array(inf), np.array(0.0), np.array(0.0))
    inputs = {"z": [[1e200]], "target": [[0.0]]}
    agree(record("loss", inputs, {"loss": words}, loss="squared_error"))
    with pytest.raises(Disagreement, match=r"loss\[\]"):
        agree(record("loss", {**inputs, "z": [[1e150]]}, {"loss": words}, loss="squared_error"))


@pytest.mark.parametrize("f", CLOSED)
def test_nan_and_the_limits_of_activations(f: str) -> None:
    """NaN stays NaN; at +-inf f and f' are the limits, and nothing else is confirmed."""
    y = {
        "sigmoid": [1, 0], "tanh": [1, -1], "elu": [inf, -1], "identity": [inf, -inf],
        "leaky_relu": [inf, -inf],
    }.get(f, [inf, 0])  # fmt: skip
    dx = {"sigmoid": [0, 0], "tanh": [0, 0], "identity": [1, 1]}.get(f, [1, 0])
    slope = certified(lift([[0, *dx, 0, 1.0]]))
    if f == "leaky_relu":
        slope = certified([[0 * ONE, ONE, ONE / 100, 0 * ONE, ONE]])
    known = activation(f, [1.5], [1.0]).expected
    expected = {}
    for name, words, last in (("y", certified(lift([[0, 0, 0, 0, 0]])), known["y"]),
                              ("dx", slope, known["dx"])):  # fmt: skip
        parts = {p: getattr(words, p).copy() for p in ("hi", "low", "radius")}
        for p, array in parts.items():
            array[0, 4] = getattr(last, p)[0, 0]
        parts["hi"][0, 0] = nan
        if name == "y":
            parts["hi"][0, 1:3] = y
            parts["hi"][0, 3] = known["y"].hi[0, 0]
            parts["low"][0, 3], parts["radius"][0, 3] = known["y"].low[0, 0], 2.0**-100
        else:
            parts["hi"][0, 3] = nan
        expected[name] = replace(words, **parts)
    x, g = [[nan, inf, -inf, 1.5, 1.5]], [[0.0, 1.0, 1.0, nan, 1.0]]
    case = record("activation", {"x": x, "g": g}, expected, function=f)
    agree(changed(case, "y", (0, 3), "radius", known["y"].radius[0, 0]))
    for name, k, wrong in (
        ("y", 0, 0.0),
        ("y", 1, -7.0),
        ("y", 2, nan),
        ("dx", 0, 0.0),
        ("dx", 2, 7),
    ):
        with pytest.raises(Disagreement, match=rf"{name}\[0, {k}\]"):
            agree(changed(case, name, (0, k), "hi", wrong))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_rows_that_are_nan(name: str) -> None:
    """NaN, +inf, or nothing but -inf spoils its own row and no other."""
    good = rows(name, [[0.5, -1.0]], [[1.0, 0.25]])
    bad = [[nan, 1.0], [inf, 0.0], [-inf, -inf]]
    inputs = {"x": [[0.5, -1.0], *bad], "g": [[1.0, 0.25]] * 4}
    expected = {}
    for key, words in good.expected.items():
        hi = np.vstack([words.hi, np.full((3, 2), nan)])
        zero = np.zeros((3, 2))
        low, radius = np.vstack([words.low, zero]), np.vstack([words.radius, zero])
        expected[key] = Certified((4, 2), hi, low, radius)
    case = record(name, inputs, expected)
    assert agree(case) == {"values": 32.0, "derivatives": 32.0}
    for row in (1, 2, 3):
        with pytest.raises(Disagreement, match=rf"dx\[{row}, 0\]"):
            agree(changed(case, "dx", (row, 0), "hi", 0.0))


@pytest.mark.parametrize(
    ("loss", "z", "t", "value", "g"),
    [
        ("cross_entropy", [[nan, 1.0]], [[0.0, 1.0]], nan, [nan, nan]),
        ("cross_entropy", [[-inf, 1.0]], [[0.0, 1.0]], 0.0, [0.0, 0.0]),
        ("cross_entropy", [[-inf, 1.0]], [[1.0, 0.0]], inf, [-1.0, 1.0]),
        ("cross_entropy", [[inf, 1.0]], [[0.0, 1.0]], nan, [nan, nan]),
        ("binary_cross_entropy", [[nan, inf]], [[0.0, 1.0]], nan, [nan, 0.0]),
        ("binary_cross_entropy", [[-inf, inf]], [[0.0, 1.0]], 0.0, [0.0, 0.0]),
        ("binary_cross_entropy", [[-inf, inf]], [[0.0, 0.0]], inf, [0.0, 0.5]),
        ("squared_error", [[inf, 1.0]], [[0.0, 0.0]], inf, [inf, 1.0]),
        ("squared_error", [[inf, 1.0]], [[inf, 0.0]], nan, [nan, 1.0]),
    ],
)
def test_losses_of_infinite_and_nan_logits(loss: str, z: Any, t: Any, value: float, g: Any) -> None:
    """A masked class costs nothing unless it is the label; a loss that needs log 0 is infinite."""
    radius = np.full((1, 2), 2.0**-1074)
    expected = {
        "loss": Certified((), np.array(value), np.array(0.0), np.array(2.0**-1074)),
        "g": Certified((1, 2), np.array([g]), np.zeros((1, 2)), radius),
    }
    case = record("loss", {"z": z, "target": t}, expected, loss=loss)
    agree(case)
    with pytest.raises(Disagreement, match=r"loss: loss\[\]"):
        agree(changed(case, "loss", (), "hi", 1.0))


def test_nan_in_one_row_of_a_network() -> None:
    """It spoils that row, the loss, and the gradients of all parameters; other rows live."""
    case = mlp("relu")
    x = X.copy()
    x[1, 0] = nan
    expected = {}
    for name, words in case.expected.items():
        hi = words.hi.copy()
        hi[1 if name in ("z0", "a0", "z1", "a1", "dx", "g", "da0", "dz0") else ...] = nan
        expected[name] = replace(words, hi=hi, low=np.where(np.isnan(hi), 0, words.low))
    case = replace(case, inputs={**case.inputs, "x": x}, expected=expected)
    assert agree(case) == {"values": 32.0, "derivatives": 32.0}
    with pytest.raises(Disagreement, match=r"dW1\[2, 1\]"):
        agree(changed(case, "dW1", (2, 1), "hi", 0.0))


def test_infinite_parameters_have_no_rule() -> None:
    """What the oracle has no rule for it does not confirm."""
    case = mlp("relu")
    with pytest.raises(
        Disagreement, match=r"mlp: the second oracle needs finite W0; got .*; leave"
    ):
        agree(replace(case, inputs={**case.inputs, "W0": np.full((2, 4), inf)}))


def test_an_optimizer_carries_nan_and_infinity() -> None:
    """They touch their own entry only."""
    nan_word = Certified((2,), np.array([nan, 0.5]), np.zeros(2), np.zeros(2))
    inputs = {"params": [1.0, 1.0], "grads": [nan, 0.5]}
    case = record("optimizer", inputs, {"params": nan_word}, method="sgd", lr=1.0, t=0)
    assert agree(case) == {"values": 32.0}
    with pytest.raises(Disagreement, match=r"params\[0\]"):
        agree(changed(case, "params", 0, "hi", 1.0))


@pytest.mark.parametrize(
    "f", ["identity", "tanh", "leaky_relu", "elu", "silu", "gelu", "gelu_tanh"]
)
def test_the_sign_of_zero(f: str) -> None:
    """Where it counts, f(-0) is -0."""
    case = activation(f, [0.0, -0.0], [1.0, 1.0])
    right = replace(case.expected["y"], hi=np.array([[0.0, -0.0]]), signed_zeros=True)
    agree(replace(case, expected={"y": right}))
    for hi in ([0.0, 0.0], [-0.0, -0.0]):
        with pytest.raises(Disagreement, match="a zero of the sign of"):
            agree(replace(case, expected={"y": replace(right, hi=np.array([hi]))}))
        agree(replace(case, expected={"y": replace(right, hi=np.array([hi]), signed_zeros=False)}))
