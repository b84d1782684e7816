"""No mistake, on no case, is given a cause that it does not have: unknown is an answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from math import erf
from typing import Any, NamedTuple

import numpy as np
import pytest
from wrong_networks import CASES, Run, after, derived, names_a_cause, network, only, times, wrong

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.gate import causes as causes_of
from mlp_ref.gate.cases import Case
from mlp_ref.gate.run import run_case
from mlp_ref.subjects import network_subject

Function = Callable[[Any], Any]


pytestmark = pytest.mark.slow


class Mistake(NamedTuple):
    """A wrong subject, a pattern that every cause given for it must match, and where it can err."""

    run: Run
    cause: str = "no cause is right"
    concerns: str = ""

    def asked(self, case: Case) -> bool:
        """Whether the case asks for what is wrong."""
        return self.concerns in ("", *case.id.split("/"))


def instead(name: str, f: Function) -> Run:
    """Another value of one activation, in the dtype of z; its slope stays right."""
    return wrong(value=lambda own, z: f(z).astype(z.dtype) if own.name == name else own.value(z))


def sloped(name: str, f: Callable[[Any, Any], Any]) -> Run:
    """Another slope of one activation."""
    return wrong(slope=lambda own, z, a: f(z, a) if own.name == name else own.slope(z, a))


def erf_of_five_terms(x: Any) -> Any:
    """Abramowitz and Stegun 7.1.26, with an error of 1.5e-7."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    terms = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
    return np.sign(x) * (1 - t * np.polyval(terms[::-1], t) * np.exp(-x * x))


def softmax(z: Any) -> Any:
    """Of each row."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def loss_of(name: str, f: Callable[[Any, Any], Any]) -> Run:
    """Another value of one loss, whose gradient stays right."""

    def grad(own: Any, z: Any, t: Any) -> Any:
        value, g = own.value_and_grad(z, t)
        return np.asarray(f(z, t) if own.name == name else value, z.dtype)[()], g

    return wrong(grad=grad)


def picked(f: Function) -> Callable[[Any, Any], Any]:
    """The mean of f at the probabilities of the labels, or weighted by soft ones."""

    def value(z: Any, t: Any) -> Any:
        p = softmax(z)
        return f(p[np.arange(len(z)), t]).mean() if t.ndim == 1 else (t * f(p)).sum() / len(z)

    return value


def binary(p: Any, t: Any) -> Any:
    """Binary cross-entropy of probabilities."""
    return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))


def without_last_row(**question: Any) -> Any:
    """The last row is left out of the sum, but counted in the mean."""
    answer = network(**question)
    rows = slice(0, max(1, len(question["x"]) - 1))
    short = question | {"x": question["x"][rows], "target": question["target"][rows]}
    share = answer["loss"].dtype.type(rows.stop / len(question["x"]))
    return answer | {"loss": network(**short)["loss"] * share}


def quiet(run: Run) -> Run:
    """Overflow is what some mistakes are about, not what NumPy says of it."""

    def silenced(**question: Any) -> Any:
        with np.errstate(all="ignore"):
            return run(**question)

    return silenced


OVERFLOW = r"^(NaN|inf): exp\(\|x\|\) overflows"
ROWS = r"the maximum of each ROW is subtracted"
HALF = r"is 1/2 times the reference: squared_error is \(z - t\)\^2, not half of it\.$"
SIGN = r"is -1 times the reference: the sign is reversed\.$"
SINGLE = "single precision"

MISTAKES = {
    # factors, before the loss, in it and after it
    "gelu without 1/2": Mistake(
        instead("gelu", lambda z: z * (1 + np.vectorize(erf)(z / np.sqrt(2)))), concerns="gelu"
    ),
    "sigmoid as tanh(z/2) + 1": Mistake(
        instead("sigmoid", lambda z: np.tanh(z / 2) + 1), concerns="sigmoid"
    ),
    "relu with dropout's 2": Mistake(
        instead("relu", lambda z: 2 * np.maximum(z, 0)), concerns="relu"
    ),
    "tanh with dropout's 2": Mistake(instead("tanh", lambda z: 2 * np.tanh(z)), concerns="tanh"),
    "identity halved": Mistake(instead("identity", lambda z: z / 2), concerns="identity"),
    "dW0 accumulated twice": Mistake(times(lambda q: 2, "dW0")),
    "gradients doubled after g": Mistake(times(lambda q: 2, "d")),
    "only gradients, doubled": Mistake(only(times(lambda q: 2, "d"), "d")),
    "only dW0, halved": Mistake(only(times(lambda q: 0.5, "d"), "dW0")),
    "the backward pass halved": Mistake(times(lambda q: 0.5, "g", "d"), HALF),
    "only gradients, halved": Mistake(only(times(lambda q: 0.5, "d"), "d"), HALF),
    "dx summed": Mistake(times(lambda q: len(q["x"]), "dx")),
    "dx divided by the outputs": Mistake(times(lambda q: 1 / q["weights"][-1].shape[1], "dx")),
    "z negated": Mistake(times(lambda q: -1, "z"), SIGN),
    "all times 5/4": Mistake(times(lambda q: 1.25, "a", "loss", "g", "d")),
    "gradients times 5/4": Mistake(times(lambda q: 1.25, "g", "d")),
    "the bias twice": Mistake(wrong(affine=lambda a, W, b: a @ W + b + b)),
    "the last row dropped": Mistake(without_last_row),
    # clipping, thresholds and approximations
    "hard tanh": Mistake(instead("tanh", lambda z: np.clip(z, -1, 1)), concerns="tanh"),
    "hard sigmoid": Mistake(
        instead("sigmoid", lambda z: np.clip(z / 6 + 0.5, 0, 1)), concerns="sigmoid"
    ),
    "sigmoid clipped": Mistake(
        instead("sigmoid", lambda z: 1 / (1 + np.exp(-np.clip(z, -20, 20)))), concerns="sigmoid"
    ),
    "sigmoid 1 above 20": Mistake(
        instead("sigmoid", lambda z: np.where(z > 20, 1, ACTIVATIONS["sigmoid"].value(z))),
        concerns="sigmoid",
    ),
    "relu6": Mistake(instead("relu", lambda z: np.clip(z, 0, 6)), concerns="relu"),
    "leaky 0.2": Mistake(
        instead("leaky_relu", lambda z: np.maximum(z, z / 5)), concerns="leaky_relu"
    ),
    "elu 0.5": Mistake(
        instead("elu", lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0)) / 2)),
        concerns="elu",
    ),
    "softplus of threshold 20": Mistake(
        instead("softplus", lambda z: np.where(z > 20, z, np.logaddexp(0, z))),
        concerns="softplus",
    ),
    "softplus of threshold 1": Mistake(
        instead("softplus", lambda z: np.where(z > 1, z, np.logaddexp(0, z))),
        concerns="softplus",
    ),
    "quick gelu": Mistake(
        instead("gelu", lambda z: z * ACTIVATIONS["sigmoid"].value(1.702 * z)), concerns="gelu"
    ),
    "gelu by five terms": Mistake(
        instead("gelu", lambda z: z / 2 * (1 + erf_of_five_terms(z / np.sqrt(2)))),
        concerns="gelu",
    ),
    "log(p + 1e-9)": Mistake(
        loss_of("cross_entropy", picked(lambda p: -np.log(p + 1e-9))), concerns="cross_entropy"
    ),
    "cross-entropy of clipped p": Mistake(
        loss_of("cross_entropy", picked(lambda p: -np.log(np.clip(p, 1e-7, 1 - 1e-7)))),
        concerns="cross_entropy",
    ),
    "binary cross-entropy of clipped p": Mistake(
        loss_of("binary_cross_entropy", lambda z, t: binary(
            np.clip(ACTIVATIONS["sigmoid"].value(z), 1e-6, 1 - 1e-6), t)),
        concerns="binary_cross_entropy",
    ),
    # slopes
    **{
        f"slope 1 of {name}": Mistake(sloped(name, lambda z, a: np.ones_like(z)), concerns=name)
        for name in ACTIVATIONS
        if name != "identity"
    },
    "slope 1 - a of tanh": Mistake(sloped("tanh", lambda z, a: 1 - a), concerns="tanh"),
    "slope a of sigmoid": Mistake(sloped("sigmoid", lambda z, a: a), concerns="sigmoid"),
    # layouts
    "z0 transposed": Mistake(
        after(lambda t, q: t.T if t.shape == t.T.shape else t, "z0"), "z0 is transposed: "
    ),
    "W transposed": Mistake(
        wrong(affine=lambda a, W, b: a @ (W.T if W.shape == W.T.shape else W) + b),
        "the product with W0 transposed: ",
    ),
    "dW transposed": Mistake(after(lambda t, q: t.T, "dW"), r"dW\d is transposed: "),
    "g transposed": Mistake(
        after(lambda t, q: t.T if t.shape == t.T.shape else t, "g"), "g is transposed: "
    ),
    "no bias": Mistake(wrong(affine=lambda a, W, b: a @ W), r"z\d holds a W\d without the bias\.$"),
    "rows reversed": Mistake(after(lambda t, q: t[::-1].copy(), "z", "a")),
    "zeros": Mistake(after(lambda t, q: t * 0, "z", "a", "loss", "g", "d")),
    # numbers that are not finite
    **{
        f"NaN in {name}": Mistake(after(lambda t, q: t * np.nan, name))
        for name in ("dW0", "db0", "dx")
    },
    "NaN in a0 of relu": Mistake(instead("relu", lambda z: z * np.nan), concerns="relu"),
    "naive sigmoid": Mistake(
        instead("sigmoid", lambda z: np.exp(z) / (1 + np.exp(z))), OVERFLOW, "sigmoid"
    ),
    "naive silu": Mistake(
        instead("silu", lambda z: z * np.exp(z) / (1 + np.exp(z))), OVERFLOW, "silu"
    ),
    "naive softplus": Mistake(
        instead("softplus", lambda z: np.log(1 + np.exp(z))), OVERFLOW, "softplus"
    ),
    "naive silu, only the loss": Mistake(
        only(instead("silu", lambda z: z * np.exp(z) / (1 + np.exp(z))), "loss"),
        concerns="silu",
    ),
    "naive softmax": Mistake(
        loss_of("cross_entropy", lambda z, t: np.mean(
            np.log(np.exp(z).sum(axis=1)) - (z[np.arange(len(z)), t] if t.ndim == 1
                                             else (t * z).sum(axis=1)))),
        ROWS, "cross_entropy",
    ),
    "log(p)": Mistake(
        loss_of("cross_entropy", picked(lambda p: -np.log(p))), ROWS, "cross_entropy"
    ),
    # single precision
    "z0 in float32": Mistake(after(lambda t, q: t.astype("f4").astype(t.dtype), "z0"), SINGLE),
    "x in float32": Mistake(
        lambda **q: network(**q | {"x": q["x"].astype("f4").astype(q["x"].dtype)}), SINGLE
    ),
    "weights in float32, only gradients": Mistake(
        only(lambda **q: network(**q | {
            name: [W.astype("f4").astype(W.dtype) for W in q[name]]
            for name in ("weights", "biases")}), "d"), SINGLE,
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _expected_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is expected, and would be by a cause, is worked out once, not once for every mistake."""
    monkeypatch.setattr(Case, "expected", EXPECTED)
    monkeypatch.setattr(Case, "whole", WHOLE)
    monkeypatch.setattr(causes_of, "derive", derived)


EXPECTED, WHOLE = cache(Case.expected), cache(Case.whole)


def causes(mistake: Mistake) -> Counter[str]:
    """How many cases failed with the right cause, with none, and the hints with a wrong one."""
    found: Counter[str] = Counter()
    for case in filter(mistake.asked, CASES.values()):
        report = run_case(network_subject("mine", quiet(mistake.run)), case)
        assert report.verdict in ("pass", "fail"), report.results[0].reason
        if names_a_cause(report.hint):
            right = re.search(mistake.cause, report.hint)
            found["right" if right else f"{case.id}: {report.hint}"] += 1
        elif report.verdict == "fail":
            found["unknown"] += 1
    return found


@pytest.mark.parametrize("name", MISTAKES)
def test_no_wrong_cause_is_named(name: str) -> None:
    """A factor, a threshold, a clip, a cast, a layout or NaN: its own cause, or none."""
    mistake = MISTAKES[name]
    found = causes(mistake)
    assert set(found) <= {"right", "unknown"}
    assert found.total() > 0
    assert ("right" in found) == (mistake.cause != "no cause is right")


@pytest.mark.parametrize("right", ACTIVATIONS)
def test_an_activation_is_taken_for_no_other(right: str) -> None:
    """Each of the others in its place is named where z shows which it is, and nowhere misnamed."""
    for other in set(ACTIVATIONS) - {right}:
        run = instead(right, ACTIVATIONS[other].value)
        found = causes(Mistake(run, rf"^a\d holds {other}, not {right}\.$", right))
        assert set(found) <= {"right", "unknown"}
        assert found["right"] > 0, other
