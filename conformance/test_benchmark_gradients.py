"""The benchmark of gradient checks: its reference, its wrong entries, and the page's section."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.speed import gradients
from benchmarks.speed.gradient_peers import FACTORS, Torch
from benchmarks.speed.gradient_problem import naive_central, problem, reference
from mlp_ref import CROSS_ENTROPY
from mlp_ref.arithmetic import FLOAT64
from mlp_ref.bounds import derive

SMALL = (3, 4, 3)


@pytest.fixture(scope="module")
def found():
    """What measure finds of a small network; the section needs nothing more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gradients, "problem", lambda: problem((6, 8, 5, 3)))
        return gradients.measure(quick=True)


def test_both_gradients_are_within_the_derived_bounds_of_the_reference() -> None:
    """Extended precision, the reference of the project and autograd agree to rounding."""
    p = problem(SMALL)
    bounds = derive(*p.arguments, arithmetic=FLOAT64)
    names = [f"d{part}{k}" for k in range(2) for part in "Wb"]
    radius = np.concatenate([bounds[name].radius.ravel() for name in names])
    exact = reference(p)
    for got in (p.gradient()[0].flat, Torch(p).gradient()):
        assert (np.abs(got - exact) <= 2 * radius).all()


def test_naive_differences_approach_the_reference() -> None:
    """They show half of the digits of the largest entry."""
    p = problem(SMALL)
    exact = reference(p)
    off = naive_central(p, np.arange(exact.size)) - exact
    assert np.abs(off).max() <= FLOAT64.u**0.5 * np.abs(exact).max()


@pytest.mark.parametrize("fast", [False, True])
def test_a_wrong_entry_is_one_entry(fast) -> None:
    """gradcheck passes the right gradient, and rejects one entry that is wrong enough."""
    p = problem(SMALL)
    torch, entry = Torch(p), int(np.abs(reference(p)).argmax())
    assert torch.check(fast=fast)
    assert not torch.notices(entry, 0.0, fast)
    assert torch.notices(entry, FACTORS[-1], fast)
    assert FACTORS[0] < torch.smallest(entry, fast) < FACTORS[-1]


def test_the_slow_mode_judges_an_entry_as_it_does_among_all() -> None:
    """Its threshold is atol + rtol |g|, whether or not the other parameters are inputs."""
    p = problem(SMALL)
    torch, entry = Torch(p), 5
    size = abs(float(reference(p)[entry]))
    threshold = (1e-5 + 1e-3 * size) / size
    assert not torch.notices(entry, threshold / 2, fast=False)
    assert torch.notices(entry, threshold * 2, fast=False)


def test_measure_finds_every_mistake_of_1e_8(found) -> None:
    """On a small network no parameter times 1 + 1e-8 passes, and the right gradient does."""
    for title in ("check complex", "check observed"):
        by = found["ours"][title]
        assert by["passes right"]
        assert by["caught"] == by["tried"] > 0
        assert by["smallest"][-1] < gradients.RELATIVE
    assert found["zeros"] == 0
    assert found["errors"]["complex"] < found["errors"]["central"] < found["errors"]["naive"]
    assert set(found["times"]) == {
        "slow", "fast", "naive", "central", "complex",
        "check central", "check complex", "check observed",
    }  # fmt: skip


def test_the_section_shows_what_was_measured(found) -> None:
    """One row per method with its numbers, and the counts of what is caught."""
    heading, about, table, counts, peers = gradients.section(found)
    assert heading == "## Gradient check"
    assert f"{found['parameters']} parameters" in about
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert len({len(row) for row in rows}) == 1
    assert len(rows) == 2 + len(found["times"])
    by_title = {row[0]: row for row in rows}
    assert by_title["torch gradcheck"][2] == "1"
    complex_row = by_title["assembled, complex step"]
    assert complex_row[3] == f"{found['errors']['complex']:.1e}"
    caught = found["ours"]["check observed"]
    assert f"points=4: {caught['caught']} of {caught['tried']}" in counts
    assert "scaled up" in peers


def test_the_loss_of_the_problem_is_the_loss() -> None:
    """p.loss is the mean cross-entropy of p's own logits."""
    p = problem(SMALL)
    logits = p.model.predict(p.params, p.x)
    assert p.loss(p.params) == CROSS_ENTROPY.value(logits, p.labels)
