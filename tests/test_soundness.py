"""The NumPy reference against every certified case, and the page that records it."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import make_soundness
import numpy as np
import pytest

from mlp_ref import operations
from mlp_ref.corpus.records import OPERATIONS

PAGE = (Path(make_soundness.__file__).with_name("soundness.md")).read_text("utf-8")


@pytest.mark.parametrize("name", ["float64", "float32"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_reference_meets_every_case(operation: str, name: str) -> None:
    """No stored entry is farther off than its bound, and what must be rejected is.

    The page tells as many cases and entries.
    """
    cases, entries, found = make_soundness.measure(operation, name)
    assert 0 < max(found) <= 1
    assert f"| {operation} | {name} | {cases:,} | {entries:,} |" in PAGE


def test_a_violation_stops_the_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference whose softmax is shifted by the global maximum, or that rejects nothing."""

    def shifted(parameters, inputs):  # type: ignore[no-untyped-def]
        e = np.exp(inputs["x"] - inputs["x"].max())
        with np.errstate(all="ignore"):
            y = e / e.sum(axis=1, keepdims=True)
        return {"y": y, "dx": y * (inputs["g"] - (y * inputs["g"]).sum(axis=1, keepdims=True))}

    wrong = {**operations.OPERATIONS, "softmax": shifted}
    monkeypatch.setattr(operations, "OPERATIONS", MappingProxyType(wrong))
    with pytest.raises(AssertionError, match=r"softmax/.* in float64"), np.errstate(all="ignore"):
        make_soundness.measure("softmax", "float64")
    accepts = {**operations.OPERATIONS, "dense": lambda parameters, inputs: {}}
    monkeypatch.setattr(operations, "OPERATIONS", MappingProxyType(accepts))
    rejected = next(r for r in make_soundness.load("dense").records if r.rejects)
    with pytest.raises(AssertionError, match=f"{rejected.id} is accepted"):
        make_soundness.require_rejected(rejected)


def test_the_table_is_written_between_its_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands before and after is kept, also when it is written again."""
    monkeypatch.setattr(make_soundness, "rows", lambda: iter(["| a |"]))
    before, after = "text\n", "\nmore\n"
    page = f"{before}{make_soundness.BEGIN}\nold\n{make_soundness.END}{after}"
    once = make_soundness.filled(page)
    assert once.startswith(before)
    assert once.endswith(f"| a |\n{make_soundness.END}{after}")
    assert "old" not in once
    assert make_soundness.filled(once) == once
