"""The lint of the corpus: what must hold of every case, whoever wrote it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import ARITHMETICS, Arithmetic, Array
from mlp_ref.bounds import derive
from mlp_ref.corpus import load
from mlp_ref.corpus.encoding import file_text
from mlp_ref.corpus.history import check_history
from mlp_ref.corpus.library import layers_of, model_of
from mlp_ref.corpus.records import FLAGS, OPERATIONS, Record
from mlp_ref.losses import LOSSES
from mlp_ref.parameters import Params

ROOT = Path(__file__).parent
CORPUS = load(folder=ROOT / "vectors")
RECORDS = CORPUS.records
VALID = [record for record in RECORDS if not record.rejects]
MEGABYTES = 5
_SMALL = 2.0**-10  # beside which a 0 is told from what is not


def of(operation: str) -> list[Record]:
    """The cases of one operation whose inputs are valid."""
    return [record for record in VALID if record.operation == operation]


def test_there_are_as_many_cases_as_promised() -> None:
    """At least 600 cases over all operations, in at most 5 MB."""
    counts = Counter(record.operation for record in RECORDS)
    assert len(RECORDS) >= 600
    assert set(counts) == set(OPERATIONS)
    assert min(counts.values()) >= 40
    size = sum(file.stat().st_size for file in (ROOT / "vectors").iterdir())
    assert size <= MEGABYTES * 1_000_000


def test_ids_are_unique_and_name_operation_and_arithmetic() -> None:
    """operation/family/.../arithmetic."""
    assert len({record.id for record in RECORDS}) == len(RECORDS)
    for record in RECORDS:
        first, *middle, last = record.id.split("/")
        assert (first, last) == (record.operation, record.arithmetic)
        assert middle


def test_no_id_was_reused_and_no_value_changed_without_an_erratum() -> None:
    """ids.txt holds every case ever published, and errata.json every change."""
    lines = (ROOT / "ids.txt").read_text("ascii").splitlines()
    errata = json.loads((ROOT / "errata.json").read_text("utf-8"))["errata"]
    assert check_history(lines, RECORDS, errata) == []


def test_every_flag_is_explained_and_used() -> None:
    """No flag without an explanation, none that nobody bears."""
    used = {flag for record in RECORDS for flag in record.flags}
    assert used == set(FLAGS)
    assert all(text.endswith(".") for text in FLAGS.values())


def test_the_files_are_as_the_encoder_writes_them() -> None:
    """Byte for byte: nothing was written by hand."""
    for operation in OPERATIONS:
        own = [record for record in RECORDS if record.operation == operation]
        text = (ROOT / "vectors" / f"{operation}.json").read_text("ascii")
        assert text == file_text(operation, CORPUS.version, own)


def test_every_activation_meets_every_loss_in_both_arithmetics() -> None:
    """30 pairs, twice."""
    seen = {
        (f, record.parameters["loss"], record.arithmetic)
        for record in of("mlp")
        for f in record.parameters["activations"]
    }
    assert {
        (f, loss, A) for f in ACTIVATIONS for loss in LOSSES for A in ("float64", "float32")
    } <= seen


def bounds_of(record: Record) -> Iterator[tuple[str, Array, Array, Array]]:
    """Arithmetic, |hi|, radius and bound of every tensor."""
    for q in record.expected.values():
        for name, bound in q.bounds.items():
            yield name, np.abs(q.hi), q.radius, bound


def test_every_bound_is_finite_and_at_least_the_radius() -> None:
    """A bound below the radius would judge more sharply than what is proven."""
    for record in VALID:
        for _, _, radius, bound in bounds_of(record):
            assert np.isfinite(bound).all(), record.id
            assert (bound >= radius).all(), record.id


def test_no_case_is_mostly_inconclusive() -> None:
    """In its own arithmetic most entries have a bound below their size.

    Where 0 is right, in itself or by underflow, the bound must be small beside the largest entry of
    the tensor: then it proves a 0 among numbers that are none.
    """
    for record in VALID:
        entries = weak = 0
        for name, size, _, bound in bounds_of(record):
            if name == record.arithmetic:
                entries += size.size
                zero = size < ARITHMETICS[name].tiny
                scale = np.max(size, initial=0, where=np.isfinite(size)) or 1.0
                weak += np.count_nonzero(np.where(zero, bound > scale * _SMALL, bound >= size))
        assert 2 * weak < entries, f"{record.id}: {weak} of {entries} prove nothing"


def networks() -> Iterator[tuple[Record, Params, Array]]:
    """The parameters and the batch of every network."""
    for record in (*of("mlp"), *of("train_step")):
        inputs = record.arrays()
        if record.operation == "mlp":
            yield record, layers_of(inputs), inputs["x"]
        else:
            yield record, Params(inputs["params"], tuple(record.parameters["sizes"])), inputs["x"]


def open_kinks(record: Record, params: Params, x: Array, A: Arithmetic) -> list[str]:
    """Entries of z that may lie on either side of a kink."""
    model = model_of(params.sizes, record.parameters)
    found = derive(model, params, x, arithmetic=A)
    return [
        f"z{k}"
        for k, f in enumerate(model.activations)
        for kink in getattr(f, "kinks", ())
        for z in [found[f"z{k}"]]
        if (~z.known & z.interval.contains(kink)).any()
    ]


def test_no_decision_lies_within_its_bound() -> None:
    """Every z before a kink is exact, or farther from it than its bound, in every arithmetic."""
    for record, params, x in networks():
        for name in ("float64", "float32"):
            if name in next(iter(record.expected.values())).bounds:
                assert open_kinks(record, params, x, ARITHMETICS[name]) == [], record.id


def test_kinks_are_sets_only_where_they_are_declared() -> None:
    """Sets stand where a case bears the flag Kink, with the left derivative, or expects NaN."""
    for record in VALID:
        sets = [(q, k) for q in record.expected.values() for k in q.sets]
        assert not sets or {"Kink", "NotFinite"} & set(record.flags)
        assert sets or "Kink" not in record.flags
        for q, k in sets:
            assert any(x == q.hi.flat[k] or (x != x and np.isnan(q.hi.flat[k])) for x in q.sets[k])
            assert len(q.sets[k]) == 3 or "NotFinite" in record.flags


def test_the_second_oracle_agreed_on_every_case() -> None:
    """At least 30 decimal digits, values and derivatives, wherever there is a number to compare."""
    for record in VALID:
        assert set(record.provenance) == {"bits", "agreed"}
        agreed = record.provenance["agreed"]
        assert all(digits >= 30 for digits in agreed.values()), record.id
        assert "values" in agreed or "NotFinite" in record.flags or not any(
            q.hi.any() for q in record.expected.values()
        ), record.id  # fmt: skip


@pytest.mark.parametrize(
    "record", [r for r in VALID if "ExactIntegers" in r.flags], ids=lambda r: r.id
)
def test_exact_cases_are_exact(record: Record) -> None:
    """Integers leave no radius; in networks no bound either, and the whole tensor is checked."""
    for name, q in record.expected.items():
        assert not q.radius.any()
        if record.operation == "mlp":
            assert not any(bound.any() for bound in q.bounds.values()), name
            assert q.index is None or q.checksum is not None
