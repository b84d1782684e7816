"""Expectations name what exists, give a measurement, and excuse nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.gate.cases import build_cases
from mlp_ref.gate.expectations import EXPECTATIONS, Expectation, expectations_of
from mlp_ref.gate.run import Summary, run_case
from mlp_ref.subjects import SUBJECTS, Subject
from mlp_ref.subjects.numpy_subject import run as right

CASES = {case.id: case for case in build_cases()}


@pytest.mark.parametrize("known", EXPECTATIONS, ids=lambda known: known.id)
def test_an_expectation_names_existing_cases_and_tensors(known: Expectation) -> None:
    """A misspelt id or tensor would excuse nothing and never become stale."""
    assert known.subject in SUBJECTS
    assert known.failing
    for name, tensors in known.failing.items():
        assert tensors
        assert len(set(tensors)) == len(tensors)
        assert set(tensors) <= set(CASES[name].tensors)


@pytest.mark.parametrize("known", EXPECTATIONS, ids=lambda known: known.id)
def test_an_expectation_says_where_what_and_why(known: Expectation) -> None:
    """Versions, a measurement and a cause are given, each with a number in what was measured."""
    assert known.subject in known.versions
    assert any(character.isdigit() for character in known.versions)
    assert any(character.isdigit() for character in known.evidence)
    assert known.why.endswith(".")


def test_ids_are_unique() -> None:
    """One name, one deviation."""
    assert len({known.id for known in EXPECTATIONS}) == len(EXPECTATIONS)


def test_a_subject_gets_its_own_expectations_only() -> None:
    """What is known of torch excuses nobody else."""
    assert [known.id for known in expectations_of("torch")] == ["torch-softplus-threshold"]
    assert expectations_of("numpy") == expectations_of("py:torch:run") == ()


def test_the_measured_value_of_softplus_is_that_of_the_reference() -> None:
    """softplus(20.1) is the number that the evidence states, 1.9e-9 above 20.1."""
    (known,) = expectations_of("torch")
    exact = float(ACTIVATIONS["softplus"].value(np.array(20.1)))
    assert f"{exact:.14f}" in known.evidence
    assert f"{exact - 20.1:.1e}".replace("e-09", "e-9") in known.evidence


def test_a_threshold_of_20_fails_exactly_where_it_is_expected() -> None:
    """A softplus that returns x above 20 fails the named tensors and no other."""
    (known,) = expectations_of("torch")
    softplus = ACTIVATIONS["softplus"]

    def run(**question):
        weights, names = question["weights"], question["activations"]
        tensors = dict(right(**question))
        if "softplus" not in names or len(weights) != 2 or names[1] != "identity":
            return tensors
        a, z = question["x"], question["x"] @ weights[0] + question["biases"][0]
        hidden = np.where(z > 20, z, softplus.value(z))
        slope = np.where(z > 20, 1, softplus.slope(z, hidden))
        rest = {
            "weights": weights[1:], "biases": question["biases"][1:], "x": hidden,
            "activations": names[1:], "target": question["target"], "loss": question["loss"],
        }  # fmt: skip
        after = right(**rest)
        delta = after["dx"] * slope
        return tensors | {
            "z0": z, "a0": hidden, "z1": after["z0"], "a1": after["a0"], "loss": after["loss"],
            "g": after["g"], "dW1": after["dW0"], "db1": after["db0"], "dW0": a.T @ delta,
            "db0": delta.sum(axis=0), "dx": delta @ weights[0].T,
        }  # fmt: skip

    subject, summary = Subject("torch", run, ("float64",), {}), Summary(1, (known,))
    for case in CASES.values():
        if "softplus" in case.id and case.arithmetic.name == "float64":
            report = run_case(subject, case, (known,))
            assert [r.tensor for r in report.unexpected] == []
            summary.add(report)
    assert summary.expected_cases == len(known.failing)
    assert summary.expected_tensors == sum(map(len, known.failing.values()))
    assert (summary.status, summary.stale) == (0, {})
