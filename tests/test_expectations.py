"""Expectations name what exists, give a measurement, and excuse nothing else."""

from __future__ import annotations

from math import inf, nan, nextafter

import numpy as np
import pytest
from networks import NETWORKS

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.bounds import Bounded
from mlp_ref.gate.cases import REJECTION, build_cases
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.ledger import known_expectations
from mlp_ref.gate.run import Summary, run_case
from mlp_ref.operations import OPERATIONS as REFERENCE
from mlp_ref.subjects import Subject, network_subject
from mlp_ref.subjects.numpy_subject import run as right

CASES = {case.id: case for case in NETWORKS}


(KNOWN,) = (known for known in known_expectations() if known.id == "torch-softplus-threshold")
NETWORK_FAILURES = {name: tensors for name, tensors in KNOWN.failing.items() if name in CASES}


def test_the_measured_value_of_softplus_is_that_of_the_reference() -> None:
    """softplus(20.1) is the number that the evidence states, 1.9e-9 above 20.1."""
    exact = float(ACTIVATIONS["softplus"].value(np.array(20.1)))
    assert f"{exact:.14f}" in KNOWN.evidence
    assert f"{exact - 20.1:.1e}".replace("e-09", "e-9") in KNOWN.evidence


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
    known = KNOWN
    subject = network_subject("torch", threshold_of_20, ("float64",), {})
    summary = Summary(1, (known,))
    for case in CASES.values():
        if "softplus" in case.id and case.arithmetic.name == "float64":
            report = run_case(subject, case, (known,))
            assert [r.tensor for r in report.unexpected] == []
            summary.add(report)
    assert summary.expected_cases == len(NETWORK_FAILURES) > 0
    assert summary.expected_tensors == sum(map(len, NETWORK_FAILURES.values()))
    assert (summary.status, summary.stale) == (0, {})


@pytest.mark.parametrize("name", NETWORK_FAILURES)
def test_the_largest_deviation_is_that_of_the_cause(name: str) -> None:
    """What is expected is what the threshold gives, rounded up to two digits and no further."""
    answer, expected = threshold_of_20(**CASES[name].keywords()), CASES[name].whole()
    for tensor, most in KNOWN.failing[name].items():
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
@pytest.mark.parametrize("name", NETWORK_FAILURES)
def test_an_expected_tensor_that_fails_otherwise_is_unexpected(name: str, how: str) -> None:
    """NaN, a larger error and what cannot be compared are not what was measured."""
    known, case = KNOWN, CASES[name]
    for tensor, most in known.failing[name].items():

        def run(broken: str = tensor, **question):
            answer = threshold_of_20(**question)
            return answer | {broken: BROKEN[how](np.asarray(answer[broken]))}

        report = run_case(network_subject("torch", run, ("float64",), {}), case, (known,))
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
    known = Expectation("known", ("mine",), "1", "1", ".", {case.id: {"db1": 1.0}})
    most = value + (1.0 + allowed)
    while abs(most - value) > 1.0 + allowed:  # the sum was rounded up
        most = nextafter(most, value)
    beyond = nextafter(most, inf)
    while abs(beyond - value) <= 1.0 + allowed:
        beyond = nextafter(beyond, inf)
    assert known.known(case, "db1", np.array([most]), expected).all()
    assert not known.known(case, "db1", np.array([beyond]), expected).all()
    assert not known.known(case, "dx", np.array([value]), expected).all()
    unbounded = expected._replace(bound=np.array([inf]))
    assert not known.known(case, "db1", np.array([inf]), unbounded).all()


def test_what_no_case_has_is_unknown() -> None:
    """An id or a tensor that does not exist would excuse nothing and never be noticed."""
    case = CASES["mlp/points-moderate/tanh/float64"]
    failing = {case.id: {"a0": 1.0, "z9": 1.0}, "mlp/points-moderate/cosine/float64": {"a0": 1.0}}
    known = Expectation("known", ("mine",), "1", "1", ".", failing)
    unknown = [f"{case.id} z9", "mlp/points-moderate/cosine/float64 a0"]
    assert known.unknown(CASES.values()) == unknown
    assert known.unknown([]) == [f"{case.id} a0", *unknown]


# ------------------------------------------------------------------------ NaN, infinities, refusals

VALUE = Bounded(np.array([1.0, nan, inf, -inf, 2.0]), np.zeros(5), np.array([0.5, 0, 0, 0, 0.5]))
RIGHT = (1.25, nan, inf, -inf, 1.75)
ANNOUNCED = {
    "nan": (nan, [(nan, nan, inf, -inf, nan), (1.0, 0.0, nan, -inf, nan)]),
    "inf": (inf, [(inf, nan, inf, -inf, -inf), (1.0, inf, inf, -inf, 2.0)]),
    "a number": (1.0, [(2.5, nan, inf, -inf, 0.5), (-0.5, nan, inf, -inf, 2.0)]),
}
# what is wrong -> the wrong entries that none of the others announces
WRONG = {
    "nan": [(nan, nan, inf, -inf, 2.0), (1.0, nan, nan, -inf, 2.0)],
    "inf": [(inf, nan, inf, -inf, 2.0), (1.0, nan, -inf, -inf, 2.0), (1.0, nan, inf, inf, -inf)],
    "a number": [(2.25, nan, inf, -inf, 2.0), (1.0, nan, inf, -inf, 0.75)],
    "a larger number": [(3.0, nan, inf, -inf, 2.0)],
    "a number for inf": [(1.0, nan, 1e308, -inf, 2.0)],
    "a number for NaN": [(1.0, 0.0, inf, -inf, 2.0)],
    "an infinity and a number": [(inf, nan, inf, -inf, 0.5)],
    "NaN and a number": [(nan, nan, inf, -inf, 0.5)],
    "NaN and an infinity": [(nan, nan, inf, -inf, inf)],
}
SAME = {"a number for NaN": "nan"}  # the other way round


def excused(most: float, got: tuple[float, ...]) -> bool:
    """Whether an expectation of that deviation excuses these numbers."""
    case = CASES["mlp/points-moderate/tanh/float64"]
    known = Expectation("known", ("mine",), "1", "1", ".", {case.id: {"a0": most}})
    return bool(known.known(case, "a0", np.array(got), VALUE).all())


@pytest.mark.parametrize("kind", ANNOUNCED)
def test_what_is_announced_is_excused(kind: str) -> None:
    """NaN where NaN is announced, infinities where they are, and what is right besides."""
    most, answers = ANNOUNCED[kind]
    for got in (RIGHT, *answers):
        assert excused(most, got), got


@pytest.mark.parametrize("kind", ANNOUNCED)
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_not_announced_is_not_excused(kind: str, wrong: str) -> None:
    """A wrong number beside NaN, an infinity instead of it, NaN instead of a wrong number."""
    for got in WRONG[wrong]:
        assert excused(ANNOUNCED[kind][0], got) == (kind == SAME.get(wrong, wrong)), got


@pytest.mark.parametrize(
    ("got", "together"),
    [((nan, 1.5, 3.0), True), ((nan, inf, 3.0), False), ((nan, 1.5, 9.0), False)],
)
def test_two_causes_in_one_tensor(got: tuple[float, ...], together: bool) -> None:
    """Two expectations excuse together what neither excuses alone, and nothing else."""
    case = next(
        case for case in build_cases(operations=["activation"]) if case.inputs["x"].size > 2
    )
    right = REFERENCE["activation"](case.record.parameters, case.inputs)
    y = np.array(right["y"])
    y.flat[:3] += np.array(got) - 1.5

    def run(question):
        return right | {"y": y}

    known = [
        Expectation(f"known-{most}", ("mine",), "1", "1", ".", {case.id: {"y": most}})
        for most in (nan, 1.5)
    ]
    subject = Subject("mine", run, ("activation",), ("float64",))
    for expectations, excused in ((known, together), (known[:1], False), (known[1:], False)):
        report = run_case(subject, case, expectations)
        assert (report.unexpected == ()) == excused
        assert [r.tensor for r in report.failures] == ["y"]


@pytest.mark.parametrize(("may_pass", "stale"), [(True, False), (False, True)])
def test_what_may_pass_is_not_stale(may_pass: bool, stale: bool) -> None:
    """Where the error is near the bound, another machine may be right; a failure is expected."""
    case = CASES["mlp/points-moderate/tanh/float64"]
    excepted = (case.id,) if may_pass else ()
    known = Expectation("known", ("mine",), "1", "1", ".", {case.id: {"loss": 9.0}}, excepted)

    def wrong(**question):
        return {"loss": right(**question)["loss"] + 1}

    summary = Summary(1, (known,))
    summary.add(run_case(network_subject("mine", wrong), case, (known,)))
    assert (summary.expected_cases, summary.status, summary.stale) == (1, 0, {})
    summary.add(run_case(network_subject("mine", right), case, (known,)))
    assert bool(summary.stale) == stale
    assert summary.status == (5 if stale else 0)


def test_an_answer_to_wrong_inputs_can_be_expected() -> None:
    """It fails as expected; where the inputs are refused, the expectation is stale."""
    case = next(case for case in build_cases(operations=["dense"]) if case.rejects)
    known = Expectation("known", ("mine",), "1", "1", ".", {case.id: {REJECTION: inf}})

    def refuse(question):
        raise ValueError("no")

    for run, expected, stale in ((lambda question: {}, 1, {}), (refuse, 0, [case.id])):
        subject = Subject("mine", run, ("dense",), ("float64",), checks=(case.rejects,))
        summary = Summary(1, (known,))
        summary.add(run_case(subject, case, (known,)))
        assert (summary.expected_cases, summary.expected_tensors) == (expected, expected)
        assert summary.stale == ({"known": [f"{case.id} {REJECTION}"]} if stale else {})
        assert summary.status == (5 if stale else 0)
    assert known.unknown([case]) == []
