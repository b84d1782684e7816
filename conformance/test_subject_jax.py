"""JAX as a subject of the gate: every operation that it has, compiled by XLA."""

from __future__ import annotations

import sys

import jax
import numpy as np
import pytest
from verified import failing, reports_of, require_verified

from mlp_ref.checks import InputError
from mlp_ref.gate.cases import Case, build_cases
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.ledger import expectations_of
from mlp_ref.subjects import Question, load

OPERATIONS = ("activation", "dense", "softmax", "log_softmax", "loss", "mlp")
CASES = [case for case in build_cases() if case.operation in OPERATIONS]
# Parts of about the same time: networks compile slowly, and the workers share the parts.
NETWORKS = {
    f"networks {number} {name}": [
        case for case in CASES if case.operation == "mlp" and case.arithmetic.name == name
    ][number::2]
    for name in ("float64", "float32") for number in (0, 1)
}  # fmt: skip
PARTS: dict[str, list[Case]] = NETWORKS | {
    f"others {name}": [
        case for case in CASES if case.operation != "mlp" and case.arithmetic.name == name
    ]
    for name in ("float64", "float32")
}


def named(cases: list[Case]) -> dict[str, set[str]]:
    """What the ledger says of these cases."""
    ids = {case.id for case in cases}
    known = [entry.failing for entry in expectations_of("jax")]
    return {case: {*found} for part in known for case, found in part.items() if case in ids}


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_jax_over_the_whole_corpus(part: str) -> None:
    """All cases in float32 and float64: exactly what the ledger names fails.

    Only wrong inputs are skipped, which JAX does not claim to refuse.
    """
    cases = PARTS[part]
    reports = reports_of(load("jax"), cases)
    require_verified(reports)
    assert len(reports) == len(cases) > 50
    assert failing(reports) == named(cases)
    for report in reports:
        assert (report.verdict == Verdict.SKIP) == bool(report.case.rejects)
        assert {result.reason for result in report.results if result.verdict == Verdict.SKIP} <= {
            "inputs that are wrong in a way that the subject does not claim to check"
        }


def test_the_parts_are_the_corpus() -> None:
    """No case is left out, and none is asked twice."""
    ids = [case.id for cases in PARTS.values() for case in cases]
    assert sorted(ids) == sorted(case.id for case in CASES)


def test_the_configuration_is_left_as_it_is() -> None:
    """float64 is enabled for a question, and not for what comes after it."""
    x = np.ones((1, 1))
    before = jax.config.values.copy()
    found = load("jax").run(
        Question("activation", "float64", {"function": "tanh"}, {"x": x, "g": x})
    )
    assert found["y"].dtype == np.float64
    assert jax.config.values == before
    assert jax.numpy.ones(1).dtype == np.float32


@pytest.mark.parametrize("wrong", [jax.nn.hard_sigmoid, lambda x: 0.5 + x / 4])
def test_another_sigmoid_is_rejected(wrong: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The subject calls what `jax.nn` holds, and the gate notices what that is."""
    monkeypatch.setattr(jax.nn, "sigmoid", wrong)
    cases = [case for case in CASES if case.id == "activation/moderate/sigmoid/float64"]
    assert failing(reports_of(load("jax"), cases)) == {cases[0].id: {"y", "dx"}}


def test_without_jax_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of a missing library is one line with its remedy."""
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(InputError) as caught:
        load("jax")
    assert str(caught.value) == (
        "the subject jax needs JAX; got no module jax; pip install 'mlp-ref[jax]'"
    )


def test_a_variant_is_refused() -> None:
    """There is one JAX, the compiled one."""
    with pytest.raises(InputError, match="the subject jax must stand without a variant"):
        load("jax:jit")
