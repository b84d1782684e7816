"""scikit-learn as a subject of the gate: the networks that it can be."""

from __future__ import annotations

import sys

import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from verified import failing, reports_of, require_verified

from mlp_ref.checks import InputError
from mlp_ref.gate.cases import build_cases
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.ledger import expectations_of
from mlp_ref.subjects import load

CASES = [case for case in build_cases() if case.operation == "mlp"]
LOSSES = {"cross_entropy", "binary_cross_entropy", "squared_error"}


def test_sklearn_over_the_whole_corpus() -> None:
    """All its networks in float32 and float64: exactly what the ledger names fails."""
    reports = reports_of(load("sklearn"), CASES)
    require_verified(reports)
    known = [entry.failing for entry in expectations_of("sklearn")]
    assert failing(reports) == {case: {*found} for part in known for case, found in part.items()}


def test_every_loss_and_activation_that_it_has_is_judged() -> None:
    """Networks of other functions are skipped; of the others hidden a, loss, dW and db count."""
    reports = reports_of(load("sklearn"), [case for case in CASES if not case.rejects])
    judged = [report for report in reports if report.verdict != Verdict.SKIP]
    parameters = [report.case.record.parameters for report in judged]
    assert {found["loss"] for found in parameters} == LOSSES
    hidden = {name for found in parameters for name in found["activations"][:-1]}
    assert hidden == {"identity", "sigmoid", "tanh", "relu"}
    for report in judged:
        found = {r.tensor for r in report.results if r.verdict in {Verdict.PASS, Verdict.FAIL}}
        last = len(report.case.record.parameters["activations"]) - 1
        regression = report.case.record.parameters["loss"] == "squared_error"
        unseen = {"g", "dx"} | {f"z{k}" for k in range(last)}
        unseen |= set() if regression else {f"z{last}", f"a{last}"}
        assert found == {*report.case.tensors} - unseen
    skipped = [report for report in reports if report.verdict == Verdict.SKIP]
    for report in skipped:
        *names, last = report.case.record.parameters["activations"]
        other = last != "identity" or len({*names}) > 1 or not {*names} <= hidden
        assert other or report.case.network.target.shape[-1] == 1


@pytest.mark.parametrize(
    ("estimator", "network"),
    [(MLPClassifier, "tanh/cross_entropy"), (MLPRegressor, "sigmoid/squared_error")],
)
def test_the_default_penalty_is_noticed(
    estimator: type, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With scikit-learn's own alpha the loss and every dW fail, and nothing else."""
    begin = estimator.__init__
    monkeypatch.setattr(estimator, "__init__", lambda net, alpha: begin(net))
    cases = [case for case in CASES if case.id == f"mlp/batch-7/{network}/float64"]
    assert failing(reports_of(load("sklearn"), cases)) == {cases[0].id: {"loss", "dW0", "dW1"}}


def test_without_sklearn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of a missing library is one line with its remedy."""
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(InputError) as caught:
        load("sklearn")
    assert str(caught.value) == (
        "the subject sklearn needs scikit-learn; got no module sklearn; "
        "pip install 'mlp-ref[sklearn]'"
    )


def test_a_variant_is_refused() -> None:
    """There is one solver-free scikit-learn."""
    with pytest.raises(InputError, match="the subject sklearn must stand without a variant"):
        load("sklearn:adam")
