"""Negative controls: the corpus rejects every fault. Positive controls: it rejects no variant."""

from __future__ import annotations

import json
from typing import Any

import make_kills
import numpy as np
import pytest

from mlp_ref.corpus import load
from mlp_ref.faults import FAULTS, RIGHT, VARIANTS, operations_of

KILLS: dict[str, Any] = json.loads(make_kills.PAGE.read_text("utf-8"))


def named(fault: str, arithmetic: str) -> list[str]:
    """The cases that the file names."""
    found: list[str] = KILLS["faults"][fault][arithmetic]["such as"]
    return found


def test_the_file_is_about_this_catalogue_and_this_corpus() -> None:
    """conformance/kills.json lists every fault, in order, and was made for this corpus."""
    assert list(KILLS["faults"]) == list(FAULTS)
    assert KILLS["corpus"] == load().version
    assert set(KILLS["idle"]) | set(KILLS["alone"]) <= set(make_kills.known_cases())


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
        make_kills.kills_by_fault()
    monkeypatch.setattr(make_kills, "VARIANTS", {"x": fault})
    with pytest.raises(AssertionError, match="softmax-wrong-axis is rejected by softmax/"):
        make_kills.kills_by_fault()
    monkeypatch.setattr(make_kills, "VARIANTS", {})
    monkeypatch.setattr(make_kills, "FAULTS", {"right": fault})
    monkeypatch.setattr(make_kills, "NO_OPS", {"right": "it is not"})
    with pytest.raises(AssertionError, match="right in float32"):
        make_kills.kills_by_fault()


def test_the_shown_cases_are_of_many_operations() -> None:
    """Up to five, and of five operations if there are as many."""
    kills = make_kills.kills_of(FAULTS["activation-slope-forgotten"].parts)
    names = make_kills.shown([kill for kill in kills if kill.case.arithmetic.name == "float64"])
    assert len(names) == make_kills.SHOWN
    assert {name.split("/")[0] for name in names} == {kill.case.operation for kill in kills}


@pytest.mark.slow
def test_the_file_is_what_the_script_writes() -> None:
    """Of all cases: the named ones reject the fault, and nothing else rejects what it should not.

    The counts may differ by a few where a fault errs by about its bound, as libraries of exp do.
    """
    found = make_kills.kills_by_fault()
    made = make_kills.document(found)
    assert made["corpus"] == KILLS["corpus"]
    for fault, kills in found.items():
        ids = {kill.case.id for kill in kills}
        for arithmetic in make_kills.NAMES:
            assert set(named(fault, arithmetic)) <= ids
    assert json.loads(make_kills.text_of(made)) == made
