"""Negative controls: the corpus rejects every fault. Positive controls: it rejects no variant."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import make_kills
import numpy as np
import pytest

from mlp_ref.corpus import load
from mlp_ref.corpus.kills import alone, kills
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.faults import FAULTS, RIGHT, VARIANTS, operations_of
from mlp_ref.faults.making import both, on_tensors
from mlp_ref.gate.judge import Verdict

pytestmark = pytest.mark.once

KILLS: dict[str, Any] = json.loads(make_kills.PAGE.read_text("utf-8"))


def named(fault: str, arithmetic: str) -> list[str]:
    """The cases that the file names."""
    found: list[str] = KILLS["faults"][fault][arithmetic]["such as"]
    return found


def test_the_file_is_about_this_catalogue_and_this_corpus() -> None:
    """conformance/kills.json lists every fault and case, in order, and is of this corpus."""
    corpus = load()
    assert list(KILLS["faults"]) == list(FAULTS)
    assert (KILLS["corpus"], KILLS["sha256"]) == (corpus.version, corpus.sha256)
    assert list(KILLS["kills"]) == [record.id for record in corpus.records]


def test_the_parts_of_the_file_agree() -> None:
    """Counts, lone cases and idle ones are those that follow from what each case kills."""
    killers = {fault: [case for case, faults in kills().items() if fault in faults]
               for fault in FAULTS}  # fmt: skip
    lone: dict[str, set[str]] = {}
    for fault, entry in KILLS["faults"].items():
        for arithmetic in make_kills.NAMES:
            own = [case for case in killers[fault] if case.endswith(f"/{arithmetic}")]
            assert len(own) == entry[arithmetic]["cases"]
            assert set(entry[arithmetic]["such as"]) <= set(own)
            if len(own) == 1:
                lone.setdefault(own[0], set()).add(fault)
    assert lone == alone()
    assert KILLS["idle"] == [case for case in make_kills.known_cases() if not kills()[case]]
    assert not any(kills()[record.id] for record in load().records if record.rejects)


@pytest.mark.parametrize("arithmetic", make_kills.NAMES)
def test_every_fault_is_rejected_or_is_none(arithmetic: str) -> None:
    """A case rejects it in this arithmetic, unless it is a no-op in float32 for a stated reason."""
    passing = {name for name in FAULTS if not named(name, arithmetic)}
    assert passing == (set(make_kills.NO_OPS) if arithmetic == "float32" else set())


@pytest.mark.parametrize("fault", FAULTS)
def test_the_named_cases_reject_it(fault: str) -> None:
    """The file says so, and it is true; what is wrong is a number, not a shape or a dtype."""
    cases = [name for arithmetic in make_kills.NAMES for name in named(fault, arithmetic)]
    kills = make_kills.kills_of(FAULTS[fault].parts, cases)
    assert [kill.case.id for kill in kills] == cases
    assert not [kill for kill in kills if kill.result.reason.startswith("must")]


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_case_rejects_a_variant(variant: str) -> None:
    """It passes every case with valid inputs, in both arithmetics, and is not the reference."""
    assert not make_kills.kills_of(VARIANTS[variant].parts)
    assert any(
        np.asarray(got[tensor]).tobytes() != np.asarray(right[tensor]).tobytes()
        for case, _, right in make_kills.known_cases().values()
        for q in (case.question(),)
        for got in (operations_of(VARIANTS[variant].parts)[case.operation](q.parameters, q.inputs),)
        for tensor in case.tensors
    )


def test_one_entry_in_1e12_is_seen() -> None:
    """One weight gradient that is off by 1e-12 fails in 19 of 20 cases where one off by 1e-3 does.

    It is the entry of median size, so that its bound is below a trillionth of it.
    """
    found = KILLS["faults"]
    least = 0.95 * found["entry-relative-1e-3"]["float64"]["cases"]
    assert found["entry-relative-1e-12"]["float64"]["cases"] >= least


def test_a_catalogue_that_passes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script stops at a fault that is none, at a rejected variant, and at a false no-op."""
    fault = FAULTS["softmax-wrong-axis"]
    monkeypatch.setattr(make_kills, "VARIANTS", {})
    monkeypatch.setattr(make_kills, "FAULTS", {"right": fault.__class__(*["x"] * 6, RIGHT)})
    with pytest.raises(AssertionError, match="right in float32: 0 kills"):
        make_kills.changed_by_fault()
    monkeypatch.setattr(make_kills, "VARIANTS", {"x": fault})
    with pytest.raises(AssertionError, match="softmax-wrong-axis is rejected by softmax/"):
        make_kills.changed_by_fault()
    monkeypatch.setattr(make_kills, "VARIANTS", {})
    monkeypatch.setattr(make_kills, "FAULTS", {"right": fault})
    monkeypatch.setattr(make_kills, "NO_OPS", {"right": "it is not"})
    with pytest.raises(AssertionError, match="right in float32"):
        make_kills.changed_by_fault()


def test_the_shown_cases_are_of_many_operations() -> None:
    """Up to five, and of five operations if there are as many."""
    kills = make_kills.kills_of(FAULTS["activation-slope-forgotten"].parts)
    names = make_kills.shown([kill for kill in kills if kill.case.arithmetic.name == "float64"])
    assert len(names) == make_kills.SHOWN
    assert {name.split("/")[0] for name in names} == {kill.case.operation for kill in kills}


SAMPLE = list(make_kills.known_cases())[7::25]  # all operations, both arithmetics


def changed_in_the_sample() -> dict[str, list[make_kills.Kill]]:
    """What every fault changes in some cases."""
    return {name: make_kills.changed_by(fault.parts, SAMPLE) for name, fault in FAULTS.items()}


def test_some_cases_reject_what_the_file_says_and_nothing_else() -> None:
    """Every 25th case, with all faults: those that it lists fail there, and all others pass.

    Only where an error is within a factor of 2 of its bound may another library of exp decide.
    """
    listed, found = {name: kills()[name] for name in SAMPLE}, changed_in_the_sample()
    assert {name.split("/")[0] for name in SAMPLE} == set(OPERATIONS)
    assert make_kills.differences(listed, found) == []
    assert sum(len(faults) for faults in listed.values()) > 1000


def test_one_wrong_entry_of_the_file_is_noticed() -> None:
    """A kill that is left out, and one that is none, unless the error is near the bound."""
    case, fault = "mlp/square/sigmoid/cross_entropy/float64", "softmax-wrong-axis"
    found = {fault: make_kills.changed_by(FAULTS[fault].parts, [case])}
    (kill,) = found[fault]
    assert make_kills.differences({case: frozenset([fault])}, found) == []
    assert make_kills.differences({case: frozenset()}, found) == [(case, fault)]
    other = {case: frozenset([fault]), "mlp/square/tanh/squared_error/float32": frozenset([fault])}
    assert make_kills.differences(other, found) == [(list(other)[1], fault)]
    for ratio, close in {0.4: False, 0.6: True, 1.9: True, 2.1: False, np.nan: False}.items():
        verdict = Verdict.PASS if ratio < 1 else Verdict.FAIL
        near = kill._replace(result=replace(kill.result, ratio=ratio, verdict=verdict))
        assert make_kills.is_close(near) is close
        told = frozenset() if verdict == Verdict.FAIL else frozenset([fault])
        wrong = make_kills.differences({case: told}, {fault: [near]})
        assert wrong == ([] if close else [(case, fault)])


def test_the_worst_tensor_counts() -> None:
    """Of a case that fails in one tensor by little and in another by much, the latter is kept."""
    case = "mlp/square/sigmoid/cross_entropy/float64"
    tiny = on_tensors(["dW"], lambda x: x * (1 + 2.0**-52))
    huge = both(tiny, on_tensors(["db"], np.negative))
    ratios = [make_kills.changed_by(parts, [case])[0].result.ratio for parts in (tiny, huge)]
    assert ratios[0] < 1 < make_kills.CLEAR < ratios[1]


@pytest.mark.slow
def test_the_file_is_what_the_script_writes() -> None:
    """All cases, all faults, as in the sample; the script stops where a fault is none."""
    found = make_kills.changed_by_fault()
    assert make_kills.differences(kills(), found) == []
    made = make_kills.document(found)
    assert {key: made[key] for key in ("corpus", "sha256")} == {
        key: KILLS[key] for key in ("corpus", "sha256")
    }
    assert json.loads(make_kills.text_of(made)) == made
