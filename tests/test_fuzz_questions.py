"""What `mlp-ref fuzz` asks: valid questions of every kind, with bounds that the reference keeps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from random import Random
from typing import Any

import numpy as np
import pytest

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import ARITHMETICS, BFLOAT16, FLOAT32, FLOAT64, Arithmetic
from mlp_ref.checks import InputError
from mlp_ref.corpus import load as load_corpus
from mlp_ref.corpus import write
from mlp_ref.corpus.decoding import read_cases
from mlp_ref.corpus.encoding import file_text
from mlp_ref.corpus.records import Record
from mlp_ref.fuzz.cases import IN_PIECES, fuzz_case, stored
from mlp_ref.fuzz.choices import Simplest
from mlp_ref.fuzz.numbers import KINDS, PAGES, grid, table
from mlp_ref.fuzz.questions import MANNERS, ingredients, make, record_of
from mlp_ref.fuzz.smaller import smaller
from mlp_ref.gate.judge import judge_certified
from mlp_ref.gate.run import run_case
from mlp_ref.subjects import load

pytestmark = pytest.mark.once

OPERATIONS = tuple(MANNERS)


class Chance:
    """Choices at random, without Hypothesis."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def one(self, options: Sequence[Any]) -> Any:
        """Any of them."""
        return options[self._random.randrange(len(options))]

    def codes(self) -> bytes:
        """Any bytes."""
        return self._random.randbytes(36)


def drawn(operation: str, A: Arithmetic, count: int) -> list[Record]:
    """So many questions, manner by manner."""
    manners = MANNERS[operation]
    return [make(operation, manners[7 * k % len(manners)], A, Chance(k)) for k in range(count)]


@pytest.mark.parametrize("A", ARITHMETICS.values(), ids=lambda A: A.name)
@pytest.mark.parametrize("kind", KINDS)
def test_tables_hold_numbers_of_the_arithmetic(kind: str, A: Arithmetic) -> None:
    """256 finite numbers that the arithmetic holds, simple ones first, on every page others."""
    pages = [table(kind, A, page) for page in range(PAGES)]
    for numbers in pages:
        assert numbers.shape == (256,)
        assert np.isfinite(numbers).all()
        assert np.array_equal(A.quantize(numbers), numbers)
        assert numbers[:2].tolist() == [0.0, 1.0]
    assert kind == "integers" or not np.array_equal(pages[0], pages[1])


def test_a_smaller_array_is_a_part_of_a_larger_one() -> None:
    """Leaving out a row or a column changes no other number."""
    codes, numbers = bytes(range(36)), table("dull", FLOAT64)
    whole = grid(codes, (6, 6), numbers)
    assert np.unique(whole).size > 30
    for n, m in ((1, 1), (2, 5), (5, 2)):
        assert np.array_equal(grid(codes, (n, m), numbers), whole[:n, :m])
    assert grid(bytes(36), (2, 2), numbers, factor=True).tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("A", ARITHMETICS.values(), ids=lambda A: A.name)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_reference_passes(operation: str, A: Arithmetic) -> None:
    """Every question keeps the rules, and raises no alarm; most are judged, in narrow ones some."""
    subject, cases = load("numpy"), [fuzz_case(record, A) for record in drawn(operation, A, 12)]
    judged = [case for case in cases if case is not None]
    assert len(judged) >= (8 if A in (FLOAT32, FLOAT64) else 3)
    for case in judged if A in (FLOAT32, FLOAT64) else ():
        report = run_case(subject, case)
        assert report.verdict == "pass", (case.id, report.failures)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_questions_are_kept_as_they_are(operation: str) -> None:
    """A vector file gives back the same question, with bounds and values to judge by."""
    for record in (*drawn(operation, FLOAT32, 2), *drawn(operation, FLOAT64, 2)):
        if fuzz_case(record, ARITHMETICS[record.arithmetic]) is None:
            continue
        kept = stored(record)
        version, (found,) = read_cases(file_text(operation, "own", [kept]), "x")
        assert (version, found.id, found.flags) == ("own", record.id, record.flags)
        for name, x in record.arrays().items():
            assert np.array_equal(found.arrays()[name], x, equal_nan=True)
        for name, q in kept.expected.items():
            assert np.array_equal(found.expected[name].hi, q.hi, equal_nan=True)
            assert {record.arithmetic, "float64"} == {*found.expected[name].bounds}


def test_equal_questions_have_equal_ids() -> None:
    """And others have others."""
    first, again, other = (make("dense", (), FLOAT64, Chance(k)) for k in (1, 1, 2))
    assert first.id == again.id != other.id


@pytest.mark.parametrize("operation", OPERATIONS)
def test_smaller_questions_are_smaller(operation: str) -> None:
    """Each step leaves out numbers or makes one of them 0, 1 or whole; the rest still are valid."""
    for record in drawn(operation, FLOAT64, 3):
        size = sum(x.size for x in record.arrays().values())
        valid = 0
        for each in islice(smaller(record), 25):
            arrays = each.arrays()
            assert each.id != record.id
            assert sum(x.size for x in arrays.values()) <= size
            try:
                fuzz_case(each, FLOAT64)
                valid += 1
            except InputError:
                assert "target" in arrays or "v" in arrays  # labels, shares of one, moments
        assert valid


def test_the_simplest_network_is_the_smallest() -> None:
    """Nothing is left to take away."""
    for operation in ("mlp", "train_step"):
        record = make(operation, MANNERS[operation][0], FLOAT64, Simplest())
        assert list(smaller(record)) == []
        assert ingredients(operation, record.parameters) == frozenset()


# ------------------------------------------------------------------------------- what is right


def question(f: str, x: list[float], g: float = 3.0) -> Record:
    """An activation at these numbers."""
    inputs = {"x": np.array([x]), "g": np.full((1, len(x)), g)}
    return record_of("activation", {"function": f}, inputs, "float64")


@pytest.mark.parametrize("f", ["relu", "leaky_relu"])
def test_every_derivative_at_a_kink_is_right(f: str) -> None:
    """The left one, the right one and their mean; no other."""
    case = fuzz_case(question(f, [0.0, 2.0]), FLOAT64)
    assert case is not None
    assert "Kink" in case.flags
    left = 0.01 if f == "leaky_relu" else 0.0
    for slope in (left, (left + 1) / 2, 1.0, 0.75, -1.0):
        result = judge_certified("dx", np.array([[3 * slope, 3.0]]), case.expected()["dx"], FLOAT64)
        assert (result.verdict == "pass") == (slope not in (0.75, -1.0))


@pytest.mark.once
def test_what_is_made_of_pieces_is_what_certify_says() -> None:
    """The functions whose derivative at NaN may be a constant are those of the certified corpus."""
    from mlp_ref.certify.balls import in_pieces
    from mlp_ref.certify.jets import working_precision

    with working_precision(192):
        assert {name for name, f in ACTIVATIONS.items() if in_pieces(f)} == {*IN_PIECES}


def test_what_may_overflow_is_not_asked() -> None:
    """A bound that leaves an entry open decides nothing."""
    inputs = {"z": np.array([[1e200]]), "target": np.array([[-1e200]])}
    record = record_of("loss", {"loss": "squared_error"}, inputs, "float64")
    assert fuzz_case(record, FLOAT64) is None
    wide = {name: x.astype(np.float32) for name, x in {"z": np.array([[1.0]])}.items()}
    wide["target"] = np.array([[0.0]], np.float32)
    assert fuzz_case(record_of("loss", {"loss": "squared_error"}, wide, "float32"), BFLOAT16)


@pytest.mark.parametrize("z", [np.nan, -np.inf])
def test_a_single_class_without_a_probability_is_nan(z: float) -> None:
    """The loss and the gradient of its row; fuzzing found -0 there."""
    from mlp_ref import CROSS_ENTROPY

    with np.errstate(invalid="ignore"):
        value, g = CROSS_ENTROPY.value_and_grad(np.array([[z], [0.5]]), np.array([0, 0]))
    assert np.isnan(value)
    assert np.isnan(g[0, 0])
    assert g[1, 0] == 0


def test_saved_questions_are_a_corpus(tmp_path: Any) -> None:
    """The folder can be read whole, as the one that mlp_ref brings."""
    records = [stored(make(name, MANNERS[name][0], FLOAT64, Chance(3))) for name in OPERATIONS]
    write(tmp_path, "own", records, licence="none")
    found = load_corpus(folder=tmp_path).records
    assert sorted(record.id for record in found) == sorted(record.id for record in records)
