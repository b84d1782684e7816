"""The second oracle confirms no number that is wrong anywhere, and none that it cannot see."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest
from closed_forms import (
    CLOSED,
    CTX,
    ONE,
    X,
    activation,
    by_hand,
    certified,
    changed,
    mlp,
    record,
    sigmoid,
)

from mlp_ref.certify import differences
from mlp_ref.certify.oracle import Disagreement, agree


@pytest.mark.parametrize("f", ["tanh", "gelu", "leaky_relu"])
@pytest.mark.parametrize("name", sorted(by_hand("tanh")))
def test_one_wrong_word_is_noticed(name: str, f: str) -> None:
    """The last place of low, one unit of hi, a sign, NaN or infinity, in entries of any tensor."""
    case = mlp(f)
    tensor = case.expected[name]
    for at in list(np.ndindex(tensor.shape))[::5]:
        if not tensor.radius[at]:
            continue  # exact zeros, which other tests judge
        hi, low, radius = tensor.hi[at], tensor.low[at], tensor.radius[at]
        for part, value in (
            ("low", low + radius), ("low", low - radius), ("low", -low), ("hi", -hi),
            ("hi", np.nextafter(hi, inf)), ("hi", np.nextafter(hi, -inf)), ("hi", nan), ("hi", inf),
        ):  # fmt: skip
            with pytest.raises(Disagreement, match=rf"mlp: {name}\["):
                agree(changed(case, name, at, part, value))


def test_gradients_averaged_twice_are_noticed() -> None:
    """dW of the mean loss, divided by n once more."""
    case = mlp("tanh")
    wrong = certified(by_hand("tanh")["dW0"] / len(X))
    with pytest.raises(Disagreement, match=r"dW0\[0, 0\] .* while the oracle finds"):
        agree(replace(case, expected={**case.expected, "dW0": wrong}))


def test_the_other_gelu_is_noticed() -> None:
    """tanh-GELU for GELU, and GELU from the five-term erf of Abramowitz and Stegun, 7.1.26."""
    x = [0.7, -1.3]
    right, other = (activation(f, x, [1.0, 1.0]) for f in ("gelu", "gelu_tanh"))
    with pytest.raises(Disagreement, match=r"y\[0, 0\]"):
        agree(replace(other, parameters=right.parameters))
    with pytest.raises(Disagreement, match=r"dx\[0, 0\]"):
        agree(replace(right, expected={**right.expected, "dx": other.expected["dx"]}))
    u = CTX.mpf(0.7) / CTX.sqrt(2)
    s = 1 / (1 + CTX.mpf("0.3275911") * u)
    c = ("0.254829592", "-0.284496736", "1.421413741", "-1.453152027", "1.061405429")
    erf = 1 - sum(CTX.mpf(a) * s ** (k + 1) for k, a in enumerate(c)) * CTX.exp(-u * u)
    assert abs(erf - CTX.erf(u)) < 1.5e-7  # the accuracy it is known for
    short = certified([[CTX.mpf(0.7) * (1 + erf) / 2, -ONE]])
    with pytest.raises(Disagreement, match=r"y\[0, 0\]"):
        agree(replace(right, expected={**right.expected, "y": short}))


@pytest.mark.parametrize("f", ["relu", "leaky_relu"])
def test_at_a_kink_the_derivative_is_the_left_one(f: str) -> None:
    """relu'(0) = 0 and leaky_relu'(0) = 0.01 are confirmed, also in a set; 1 is not."""
    case = activation(f, [0.0, -0.0], [1.0, 1.0])
    left = float(case.expected["dx"].hi[0, 0])
    for allowed in ((left, 1.0), (1.0, left)):
        marked = replace(case.expected["dx"], sets={0: allowed, 1: allowed})
        agree(replace(case, expected={"dx": marked}))
    wrong = replace(case.expected["dx"], hi=np.ones((1, 2)), low=np.zeros((1, 2)))
    for sets in ({}, {0: (left, 1.0)}):
        with pytest.raises(Disagreement, match=r"dx\[0, 0\]"):
            agree(replace(case, expected={"dx": replace(wrong, sets=sets)}))
    with pytest.raises(Disagreement, match="left of its set"):
        agree(replace(case, expected={"dx": replace(case.expected["dx"], sets={0: (1.0, 0.5)})}))


def test_a_claim_of_exactness_is_judged_to_the_last_bit() -> None:
    """A radius of 0 is no excuse: 1/4 + 2^-1074 is not sigmoid'(0)."""
    case = activation("sigmoid", [0.0], [1.0])
    assert case.expected["dx"].radius[0, 0] == 0
    agree(case)
    for name in ("y", "dx"):
        with pytest.raises(Disagreement):
            agree(changed(case, name, (0, 0), "low", 5e-324))


def test_an_oracle_that_cannot_see_does_not_nod(monkeypatch: pytest.MonkeyPatch) -> None:
    """With too few bits to resolve e^-80 it raises, though e^-80 lies within its own error."""
    case = activation("sigmoid", [-80.0], [1.0])
    agree(case)
    monkeypatch.setattr(differences, "_STEPS", (30,))
    with pytest.raises(Disagreement, match=r"dx\[0, 0\] .* finds no more than .* \+- "):
        agree(case)


def test_a_number_rounded_to_zero_is_no_zero() -> None:
    """1 + tanh(q) is 0 in 420 bits; the weight behind it has a gradient of 1e-168 all the same."""
    z = -17.3
    a = CLOSED["gelu_tanh"][0](CTX.mpf(z))
    inputs = {"x": [[1.0]], "W0": [[z]], "b0": [0.0], "W1": [[2.0]], "b1": [0.5], "target": [[0.0]]}
    g = 2 * (2 * a + ONE / 2)
    case = record(
        "mlp", inputs, {"dW1": certified([[a * g]])}, activations=["gelu_tanh", "identity"],
        loss="squared_error",
    )  # fmt: skip
    assert agree(case) == {"derivatives": 32.0}
    with pytest.raises(Disagreement):
        agree(replace(case, expected={"dW1": certified([[0 * ONE]])}))


@pytest.mark.parametrize("gap", [5e-324, -5e-324])
def test_a_kink_hidden_by_rounding_is_found_by_more_bits(gap: float) -> None:
    """z_1 = sigmoid(-799.75) 2^-1074 +- 2^-1074: the sign of the second term, as more bits show."""
    inputs = {
        "x": [[1.0]], "W0": [[-800.0]], "b0": [0.25], "W1": [[5e-324]], "b1": [gap],
        "target": [[1.0]],
    }  # fmt: skip
    z1 = sigmoid(CTX.mpf(-799.75)) * CTX.mpf(5e-324) + CTX.mpf(gap)
    alive, dead = certified([2 * (z1 - 1)]), certified([0 * ONE])
    right, wrong = (alive, dead) if gap > 0 else (dead, alive)
    case = record(
        "mlp", inputs, {"db1": right}, activations=["sigmoid", "relu"], loss="squared_error"
    )
    assert agree(case) == {"derivatives": 32.0}
    with pytest.raises(Disagreement):
        agree(replace(case, expected={"db1": wrong}))
