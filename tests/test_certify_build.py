"""Building: chains go on from certified states, and nothing is written that is not confirmed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from mlp_ref.activations import TANH
from mlp_ref.arithmetic import FLOAT32
from mlp_ref.certify.balls import elementwise, in_pieces
from mlp_ref.certify.build import VERSION, build, build_draft, confirmed
from mlp_ref.certify.certifier import certify
from mlp_ref.certify.drafts import CHAIN, drafts
from mlp_ref.certify.jets import Undecided, working_precision
from mlp_ref.certify.oracle import Disagreement
from mlp_ref.corpus import load
from mlp_ref.corpus.records import Record

DRAFTS = {draft.id: draft for draft in drafts()}
ADAM = "train_step/adam/silu-cross_entropy/step-1/float32"


def test_a_chain_goes_on_from_the_rounded_certified_state() -> None:
    """Step k + 1 starts from params, m and v after step k, rounded to float32, at t = k."""
    steps = build_draft(DRAFTS[ADAM], confirm=False)
    assert len(steps) == CHAIN[ADAM] > 1
    for k, (before, after) in enumerate(pairwise(steps), 1):
        assert after.id == ADAM.replace("step-1", f"step-{k + 1}")
        assert after.parameters["t"] == k
        assert "FirstStep" not in after.flags
        for name in ("params", "m", "v"):
            given = after.inputs[name]
            assert isinstance(given, np.ndarray)
            assert np.array_equal(given, FLOAT32.quantize(before.expected[name].hi))
        assert after.inputs["x"] is before.inputs["x"]


def test_the_corpus_is_what_is_built() -> None:
    """A few drafts of every operation, built again, are the records of the corpus."""
    corpus = {record.id: record for record in load().records}
    for draft in list(DRAFTS.values())[::97]:
        for record in build_draft(draft):
            stored = corpus[record.id]
            assert record.since == stored.since == VERSION
            assert record.provenance == stored.provenance
            for name, q in record.expected.items():
                assert q.hi.tobytes() == stored.expected[name].hi.tobytes()
                assert q.low.tobytes() == stored.expected[name].low.tobytes()


def test_workers_build_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes give what one gives, in the order of the drafts, and say what is done."""
    few = [DRAFTS[name] for name in (ADAM, *list(DRAFTS)[:9])]
    monkeypatch.setattr("mlp_ref.certify.build.drafts", lambda: iter(few))
    said: list[str] = []
    found = build(confirm=False, say=said.append)
    assert [record.id for record in found][4:] == list(DRAFTS)[:9]
    assert said[0] == ADAM.replace("step-1", "step-4")
    assert len(said) == len(few)


def test_a_wrong_word_is_not_confirmed() -> None:
    """One unit of the last place of lo is enough."""
    record = certify(DRAFTS["activation/moderate/gelu/float64"])
    assert confirmed(record).provenance["agreed"]["values"] == 32
    y = record.expected["y"]
    wrong = replace(y, low=y.low + np.where(np.arange(y.hi.size) == 3, 4 * y.radius, 0))
    with pytest.raises(Disagreement, match=r"y\[0, 3\] must be confirmed by the second oracle"):
        confirmed(replace(record, expected={**record.expected, "y": wrong}))


def test_a_limit_that_is_open_is_refused() -> None:
    """A definition that reads inf / inf at infinity has no limit, and none is invented."""
    naive = replace(TANH, definition=lambda x, m: m.exp(x) / (m.exp(x) + 1), name="naive")
    x = np.full((1, 1), np.inf, object)
    with working_precision(192), pytest.raises(Undecided, match=r"the limit of naive is open at"):
        elementwise(naive, x)


def test_pieces() -> None:
    """Linear functions and those with a branch are made of pieces."""
    from mlp_ref.activations import ACTIVATIONS

    with working_precision(192):
        found = {name for name, f in ACTIVATIONS.items() if in_pieces(f)}
    assert found == {"identity", "relu", "leaky_relu", "elu"}


def test_a_piece_of_a_derivative_may_be_no_nan() -> None:
    """At NaN the derivative of relu may be NaN, 0 or 1; that of tanh is NaN."""
    for name, numbers in (("relu", {0.0, 1.0}), ("identity", {1.0}), ("tanh", None)):
        dx = certify(DRAFTS[f"activation/not-finite/{name}/float64"]).expected["dx"]
        k = int(np.flatnonzero(np.isnan(dx.hi))[0])
        if numbers is None:
            assert not dx.sets
        else:
            first, *rest = dx.sets[k]
            assert np.isnan(first)
            assert set(rest) == numbers


@pytest.mark.parametrize("name", ["identity", "relu", "leaky_relu", "elu", "tanh", "gelu"])
def test_a_subnormal_number_may_be_read_as_zero(name: str) -> None:
    """f(0) and f'(0) are within the bounds of every x below the smallest normal number."""
    record = certify(DRAFTS[f"activation/edges-subnormal/{name}/float32"])
    x = record.arrays()["x"].astype(float)
    zero = replace_x(record, np.zeros_like(x))
    small = np.abs(x) < FLOAT32.tiny
    assert small.any()
    for tensor, q in record.expected.items():
        gap = np.abs(zero.expected[tensor].hi - q.hi)
        assert (gap <= q.bounds["float32"] + q.radius)[small].all()


def replace_x(record: Record, x: np.ndarray) -> Record:
    """The same question at another x."""
    return certify(replace(record, inputs={**record.inputs, "x": x.astype(np.float32)}))
