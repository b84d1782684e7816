"""The drafts of the corpus: complete, small, in the numbers of their arithmetic, and conclusive."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.allowances import ALLOWANCES
from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.certify.drafts import CHAIN, drafts
from mlp_ref.checks import InputError
from mlp_ref.corpus.records import FLAGS, OPERATIONS, Generated, Record
from mlp_ref.losses import LOSSES
from mlp_ref.operations import OPERATIONS as REFERENCE

DRAFTS = list(drafts())
BY_ID = {record.id: record for record in DRAFTS}
VALID = [record for record in DRAFTS if not record.rejects]
REJECTED = [record for record in DRAFTS if record.rejects]


def flagged(*flags: str) -> list[Record]:
    """The valid drafts with any of some flags, of which there must be at least one."""
    found = [record for record in VALID if set(flags) & set(record.flags)]
    assert found
    return found


@cache
def reference(name: str) -> dict[str, Any]:
    """The answer of the NumPy reference in float64 to a draft."""
    record = BY_ID[name]
    inputs = {
        key: x.astype(np.float64) if x.dtype.kind == "f" else x
        for key, x in record.arrays().items()
    }
    if record.parameters.get("loss") == "cross_entropy" and inputs["target"].dtype.kind == "f":
        inputs["target"] /= inputs["target"].sum(axis=1, keepdims=True)
    return REFERENCE[record.operation](record.parameters, inputs)


@cache
def allowed(name: str) -> dict[str, Any]:
    """The bounds of a draft in its own arithmetic."""
    record = BY_ID[name]
    rule = ALLOWANCES[record.operation]
    with np.errstate(all="ignore"):
        found = rule(
            ARITHMETICS[record.arithmetic], record.parameters, record.arrays(), reference(name)
        )
    return {key: np.asarray(found[key]) for key in reference(name)}


# ----------------------------------------------------------------------------- names and counts


def test_ids_are_unique_and_say_operation_family_and_arithmetic() -> None:
    """operation/family/detail.../arithmetic, in lower case."""
    assert len(BY_ID) == len(DRAFTS)
    for record in DRAFTS:
        assert re.fullmatch(r"[a-z_]+(/[a-z0-9][a-z0-9_-]*)+/float(32|64)", record.id)
        assert record.id.startswith(f"{record.operation}/")
        assert record.id.endswith(f"/{record.arithmetic}")


def test_there_are_enough_cases_of_every_operation() -> None:
    """At least 640 in all; each operation has its share."""
    counts = Counter(record.operation for record in DRAFTS)
    least = {
        "activation": 200, "dense": 80, "softmax": 30, "log_softmax": 30, "loss": 100, "mlp": 250,
        "optimizer": 60, "train_step": 20,
    }  # fmt: skip
    assert set(counts) == set(OPERATIONS)
    assert all(counts[name] >= n for name, n in least.items())
    assert len(DRAFTS) >= 640
    assert len(REJECTED) >= 60
    assert {record.difficulty for record in DRAFTS} == {1, 2, 3, 4}


def test_a_draft_expects_nothing_yet() -> None:
    """Values, provenance and version are filled in later; notes are one line."""
    for record in DRAFTS:
        assert not record.expected
        assert not record.provenance
        assert not record.since
        assert 0 < len(record.note) <= 100
        assert "\n" not in record.note
        json.dumps(record.parameters)


def test_every_flag_is_explained_and_used() -> None:
    """No flag without an explanation, and no explanation without a case."""
    assert {flag for record in DRAFTS for flag in record.flags} == set(FLAGS)
    for record in DRAFTS:
        assert record.flags == tuple(sorted(set(record.flags)))
    for name, text in FLAGS.items():
        assert re.fullmatch(r"([A-Z][a-z]+[0-9]*)+", name)
        assert text.endswith(".")


@pytest.mark.parametrize("arithmetic", ["float64", "float32"])
def test_every_activation_meets_every_loss(arithmetic: str) -> None:
    """All thirty pairs, on real digits, in both arithmetics."""
    seen = {
        (record.parameters["activations"][0], record.parameters["loss"])
        for record in flagged("RealDigits")
        if record.arithmetic == arithmetic
    }
    assert seen == set(product(ACTIVATIONS, LOSSES))


def test_the_corpus_stays_small() -> None:
    """From the shapes, about 80 bytes a tensor and 300 a case: at most 4.9 MB in all."""
    total: Counter[str] = Counter()
    for record in DRAFTS:
        narrow = record.arithmetic == "float32"
        size = 300 + len(json.dumps([record.id, record.note, record.flags, record.parameters]))
        for x in record.inputs.values():
            word = 8 if narrow and not (isinstance(x, np.ndarray) and x.dtype.kind == "i") else 16
            size += 60 + (80 if isinstance(x, Generated) else word * x.size)
        for value in {} if record.rejects else reference(record.id).values():
            entries = np.size(value) if np.size(value) <= 512 else 24
            size += (96 if narrow else 80) + (44 if narrow else 40) * entries
        total[record.operation] += size * CHAIN.get(record.id, 1)
    assert total.total() <= 4.9e6, {name: f"{size / 1e6:.2f} MB" for name, size in total.items()}


# ---------------------------------------------------------------------------------- the numbers


def test_inputs_are_numbers_of_the_arithmetic() -> None:
    """Reals have its dtype and labels are int64; what is not finite is flagged."""
    for record in VALID:
        for x in record.arrays().values():
            assert x.dtype in (np.dtype(record.arithmetic), np.int64)
            assert x.dtype.kind == "f" or record.parameters["loss"] == "cross_entropy"
            assert np.isfinite(x).all() or "NotFinite" in record.flags


def test_generated_inputs_have_seeds_of_their_own() -> None:
    """No two tensors of one draft are the same sequence."""
    for record in flagged("Wide"):
        recipes = [x for x in record.inputs.values() if isinstance(x, Generated)]
        assert len({recipe.seed for recipe in recipes}) == len(recipes) == len(record.inputs)
        assert max(prod(recipe.shape) for recipe in recipes) > 1000


# Printed on Linux x86-64 by the program below.
DIGEST = "77727a44e452cddfaacdb26143e95c0bb339db88bba97e3cbb0ae01a81387c99"
PROGRAM = """
from hashlib import sha256
from mlp_ref.certify.drafts import drafts

digest = sha256()
for record in drafts():
    digest.update(record.id.encode())
    for name, array in record.arrays().items():
        digest.update(name.encode())
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
print(digest.hexdigest())
"""


@pytest.mark.parametrize("features", ["all", "none"])
def test_every_machine_draws_the_same_bits(features: str) -> None:
    """The same bits with and without the extensions of the CPU, in another process."""
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    off = {"NPY_DISABLE_CPU_FEATURES": " ".join(found)} if features == "none" else {}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | off, check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.stdout.strip() == DIGEST


@pytest.mark.parametrize("record", REJECTED, ids=lambda record: record.id)
def test_the_library_rejects_what_must_be_rejected(record: Record) -> None:
    """The NumPy reference raises `InputError` in one line."""
    with pytest.raises(InputError) as caught:
        REFERENCE[record.operation](record.parameters, record.arrays())
    assert "\n" not in str(caught.value)
    assert record.rejects in {"shape", "dtype", "labels", "broadcast", "range", "sum"}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_library_answers_everything_else(operation: str) -> None:
    """In the arithmetic of the case; NaN and infinities only where the inputs have them."""
    for record in (record for record in VALID if record.operation == operation):
        answer = REFERENCE[operation](record.parameters, record.arrays())
        for name, value in answer.items():
            assert np.asarray(value).dtype == record.arithmetic, f"{record.id}: {name}"
            finite = np.isfinite(value).all() and np.isfinite(reference(record.id)[name]).all()
            assert finite or "NotFinite" in record.flags, f"{record.id}: {name}"
            largest = ARITHMETICS[record.arithmetic].largest
            exact = np.asarray(reference(record.id)[name])
            assert not (np.abs(exact[np.isfinite(exact)]) > largest).any(), record.id


@pytest.mark.parametrize("operation", OPERATIONS)
def test_most_entries_prove_something(operation: str) -> None:
    """In no case half of the entries have a bound as large as their value, or an infinite one."""
    for record in (record for record in VALID if record.operation == operation):
        proven = []
        for name, bound in allowed(record.id).items():
            size = np.abs(reference(record.id)[name])
            vague = (bound > 0) & (size > 0) & (bound >= size) & np.isfinite(size)
            proven.append(~(vague | np.isinf(bound)).ravel())
        assert np.concatenate(proven).mean() > 0.5, record.id


def test_exact_drafts_have_no_tolerance() -> None:
    """Integers are bounded by zero in every tensor, in float64 and in float32."""
    for record in flagged("ExactIntegers"):
        assert all(not bound.any() for bound in allowed(record.id).values()), record.id
        assert all(np.any(value) for value in reference(record.id).values()), record.id


def test_no_branch_is_near_by_accident() -> None:
    """Every z is a thousand bounds away from a branch of its function, or exact."""
    for record in VALID:
        for k, name in enumerate(record.parameters.get("activations", ())):
            if record.operation == "mlp" and name in ("relu", "leaky_relu", "elu"):
                z, bound = np.abs(reference(record.id)[f"z{k}"]), allowed(record.id)[f"z{k}"]
                assert ((bound == 0) | (z > 1000 * bound)).all(), record.id
