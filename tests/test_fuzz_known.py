"""Deviations that a ledger knows, met at numbers that it does not name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from mlp_ref.arithmetic import FLOAT64
from mlp_ref.fuzz import Known, Search
from mlp_ref.gate.ledger import expectations_of
from mlp_ref.operations import OPERATIONS
from mlp_ref.subjects import Question, Subject

pytestmark = pytest.mark.once


def softplus(x: Any, threshold: float, miss: float) -> tuple[Any, Any]:
    """As PyTorch has it: x itself above a threshold, with the derivative 1; ``miss`` is added."""
    linear = x > threshold
    with np.errstate(all="ignore"):
        y = np.where(linear, x + miss, np.logaddexp(0, x))
        return y, np.where(linear, 1.0, 1 / (1 + np.exp(-x)))


def torch_like(threshold: float = 20.0, miss: float = 0.0, mistake: str = "") -> Subject:
    """A subject of PyTorch's name with its softplus, or with a worse one; networks have it, too."""

    def network(q: Question) -> Mapping[str, Any]:
        """Networks of one softplus at the end, and whatever the reference answers to others."""
        found = OPERATIONS["mlp"](q.parameters, q.inputs)
        if q.parameters["activations"] != ["softplus"]:
            return found
        z = found["z0"]
        y, slope = softplus(z, threshold, miss)
        g = 2 * (y - q.inputs["target"]) / y.size
        dz = g * slope
        return {
            "z0": z, "a0": y, "loss": np.mean((y - q.inputs["target"]) ** 2), "g": g,
            "dW0": q.inputs["x"].T @ dz, "db0": dz.sum(axis=0), "dx": dz @ q.inputs["W0"].T,
        }  # fmt: skip

    def answer(q: Question) -> Mapping[str, Any]:
        with np.errstate(all="ignore"):
            if q.operation == "mlp":
                found = dict(network(q))
                return found | ({"dx": found["dx"] + 1} if mistake == "dx" else {})
            if q.parameters["function"] != "softplus":
                return OPERATIONS[q.operation](q.parameters, q.inputs)
            y, slope = softplus(q.inputs["x"], threshold, miss)
            return {"y": y, "dx": q.inputs["g"] * slope}

    def asked(q: Question) -> Mapping[str, Any]:
        names = {q.parameters.get("function"), *q.parameters.get("activations", ())} - {None}
        if names - {"softplus"} or q.parameters.get("loss", "squared_error") != "squared_error":
            raise NotImplementedError("softplus and squared_error")
        return answer(q)

    return Subject("torch", asked, ("activation", "mlp"), ("float64",))


def findings(subject: Subject, operation: str) -> list[tuple[str, str]]:
    """What is found: the id of the entry that knows it, and the first wrong tensor."""
    known = Known(subject, expectations_of(subject.name))
    search = Search(subject, known, (operation,), (FLOAT64,), 60, 3)
    return [(found.known, found.report.failures[0].tensor) for found in search.findings()]


KNOWN = "torch-softplus-threshold"


def test_what_the_ledger_knows_is_known_elsewhere() -> None:
    """The threshold of 20, at other x and with other g; found once, and the search goes on."""
    assert findings(torch_like(), "activation") == [(KNOWN, "y")]


@pytest.mark.parametrize("options", [{"threshold": 15.0}, {"miss": 1e-6}])
def test_what_is_worse_is_not_known(options: Mapping[str, float]) -> None:
    """A lower threshold, or a larger error, is a failure."""
    assert ("", "y") in findings(torch_like(**options), "activation")


def test_a_network_is_known_by_its_parts() -> None:
    """However the weights enlarge the error of the softplus within it."""
    assert [known for known, _ in findings(torch_like(), "mlp")] == [KNOWN]


def test_a_network_that_is_wrong_otherwise_is_not() -> None:
    """A wrong dx fails wherever the softplus is right."""
    assert ("", "dx") in findings(torch_like(mistake="dx"), "mlp")


def test_nothing_is_known_of_others() -> None:
    """The same subject of another name fails, and so does it in an arithmetic that no entry has."""
    other = Subject("mine", torch_like().run, ("activation",), ("float64",))
    assert findings(other, "activation") == [("", "y")]
