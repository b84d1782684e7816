"""Expectations name what exists, give a measurement, and excuse nothing else."""

from __future__ import annotations

from math import inf, nan, nextafter

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
        assert set(tensors) <= set(CASES[name].tensors)
        assert all(0 < most < inf for most in tensors.values())
    assert known.unknown(CASES.values()) == []


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


def threshold_of_20(**question):
    """A softplus that returns x, with slope 1, above 20."""
    softplus = ACTIVATIONS["softplus"]
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


def test_a_threshold_of_20_fails_exactly_where_it_is_expected() -> None:
    """A softplus that returns x above 20 fails the named tensors and no other."""
    (known,) = expectations_of("torch")
    subject = Subject("torch", threshold_of_20, ("float64",), {})
    summary = Summary(1, (known,))
    for case in CASES.values():
        if "softplus" in case.id and case.arithmetic.name == "float64":
            report = run_case(subject, case, (known,))
            assert [r.tensor for r in report.unexpected] == []
            summary.add(report)
    assert summary.expected_cases == len(known.failing)
    assert summary.expected_tensors == sum(map(len, known.failing.values()))
    assert (summary.status, summary.stale) == (0, {})


@pytest.mark.parametrize("name", expectations_of("torch")[0].failing)
def test_the_largest_deviation_is_that_of_the_cause(name: str) -> None:
    """What is expected is what the threshold gives, rounded up to two digits and no further."""
    (known,) = expectations_of("torch")
    answer, expected = threshold_of_20(**CASES[name].question()), CASES[name].whole()
    for tensor, most in known.failing[name].items():
        error = np.abs(answer[tensor] - expected[tensor].value).max()
        digit = 10.0 ** (np.floor(np.log10(error)) - 1)
        assert error <= most < error + digit + expected[tensor].allowed.max()


BROKEN = {
    "NaN": lambda tensor: np.full_like(tensor, nan),
    "one NaN": lambda tensor: np.where(np.arange(tensor.size) == 0, nan, tensor.ravel()).reshape(
        tensor.shape
    ),
    "inf": lambda tensor: np.full_like(tensor, inf),
    "huge": lambda tensor: tensor + 1e300,
    "twice": lambda tensor: 2 * tensor,
    "another shape": lambda tensor: np.asarray(tensor)[..., None],
    "another dtype": lambda tensor: np.asarray(tensor).astype(np.float32),
    "a list": lambda tensor: np.asarray(tensor).tolist() if np.ndim(tensor) else [float(tensor)],
}


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("name", expectations_of("torch")[0].failing)
def test_an_expected_tensor_that_fails_otherwise_is_unexpected(name: str, how: str) -> None:
    """NaN, a larger error and what cannot be compared are not what was measured."""
    (known,), case = expectations_of("torch"), CASES[name]
    for tensor, most in known.failing[name].items():

        def run(broken: str = tensor, **question):
            answer = threshold_of_20(**question)
            return answer | {broken: BROKEN[how](np.asarray(answer[broken]))}

        report = run_case(Subject("torch", run, ("float64",), {}), case, (known,))
        assert [result.tensor for result in report.unexpected] == [tensor]
        assert f"{known.id} explains an error of {most:.1e}, not this one. " in report.hint
        summary = Summary(1, (known,))
        summary.add(report)
        assert (summary.status, summary.expected_cases) == (1, 0)
        assert summary.expected_tensors == len(known.failing[name]) - 1


def test_the_largest_expected_error_is_excused_and_the_next_number_is_not() -> None:
    """The deviation plus the bound of rounding, and not one unit in the last place more."""
    case = CASES["mlp/points-moderate/tanh/float64"]
    expected = case.whole()["db1"]
    value, allowed = float(expected.value[0]), float(expected.allowed[0])
    known = Expectation("known", "mine", "1", "1", ".", {case.id: {"db1": 1.0}})
    most = value + (1.0 + allowed)
    while abs(most - value) > 1.0 + allowed:  # the sum was rounded up
        most = nextafter(most, value)
    beyond = nextafter(most, inf)
    while abs(beyond - value) <= 1.0 + allowed:
        beyond = nextafter(beyond, inf)
    assert known.excuses(case, "db1", np.array([most]), expected)
    assert not known.excuses(case, "db1", np.array([beyond]), expected)
    assert not known.excuses(case, "dx", np.array([value]), expected)
    unbounded = expected._replace(bound=np.array([inf]))
    assert not known.excuses(case, "db1", np.array([inf]), unbounded)


def test_what_no_case_has_is_unknown() -> None:
    """An id or a tensor that does not exist would excuse nothing and never be noticed."""
    case = CASES["mlp/points-moderate/tanh/float64"]
    failing = {case.id: {"a0": 1.0, "z9": 1.0}, "mlp/points-moderate/cosine/float64": {"a0": 1.0}}
    known = Expectation("known", "mine", "1", "1", ".", failing)
    unknown = [f"{case.id} z9", "mlp/points-moderate/cosine/float64 a0"]
    assert known.unknown(CASES.values()) == unknown
    assert known.unknown([]) == [f"{case.id} a0", *unknown]
