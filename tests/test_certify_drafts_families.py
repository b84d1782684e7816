"""What each family of drafts promises: real digits, cancellation, narrow formats, kinks, chains."""

from __future__ import annotations

import re
from math import fsum

import numpy as np
import pytest
from test_certify_drafts import BY_ID, VALID, flagged, reference

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import BFLOAT16, FLOAT16, FLOAT64, representable
from mlp_ref.certify.drafts import CHAIN
from mlp_ref.certify.drafts.mlp import pooled_digits
from mlp_ref.datasets import load_digits
from mlp_ref.operations import OPERATIONS as REFERENCE


def test_pooled_digits_are_exact_sums_of_real_pixels() -> None:
    """Sixteen sums of four pixels, each row of length 8."""
    images, labels = pooled_digits()
    data = load_digits()
    blocks = [data.x[:, [16 * i + 2 * j + k for k in (0, 1, 8, 9)]].sum(axis=1)
              for i in range(4) for j in range(4)]  # fmt: skip
    exact = np.stack(blocks, axis=1)
    assert np.array_equal(images / images.max(axis=1, keepdims=True) > 0, exact > 0)
    assert np.allclose(np.linalg.norm(images, axis=1), 8, rtol=8 * FLOAT64.u, atol=0)
    assert np.array_equal(labels, data.y)


def test_full_precision_means_that_a_cast_shows() -> None:
    """With that flag some float64 input is changed by float32, and some float32 by bfloat16."""
    for record in flagged("FullPrecisionInput"):
        bits = 24 if record.arithmetic == "float64" else 16
        reals = [x for x in record.arrays().values() if x.dtype.kind == "f"]
        assert any(not representable(x, bits).all() for x in reals), record.id


def test_ladders_cancel_as_much_as_they_say() -> None:
    """|x| |W| / |x W| is 10^j to within a factor of two."""
    for record in VALID:
        found = re.match(r"dense/(?:exact-)?cancellation-1e(\d+)/", record.id)
        if found:
            x, W = (record.arrays()[name].astype(float) for name in ("x", "W"))
            for column in W.T:
                terms = x[0] * column
                ratio = fsum(np.abs(terms)) / abs(fsum(terms))
                assert 0.5 < ratio / float(f"1e{found[1]}") < 2, record.id


@pytest.mark.parametrize(("flag", "bits"), [("Tf32", 11), ("Bfloat16", 8), ("Float16", 11)])
def test_a_narrower_format_changes_exact_results(flag: str, bits: int) -> None:
    """With the operands rounded to it, some result differs."""
    for record in flagged(flag):
        A = {"Bfloat16": BFLOAT16, "Float16": FLOAT16}.get(flag)
        inputs = {key: x.astype(np.float64) for key, x in record.arrays().items()}
        for key, x in inputs.items():
            if A is None:  # 11 bits, in the range of float32
                unit = np.ldexp(1.0, np.frexp(x)[1] - bits)
                inputs[key] = np.rint(x / unit) * unit
            else:
                inputs[key] = A.quantize(x).astype(np.float64)
        with np.errstate(invalid="ignore"):
            other = REFERENCE["dense"](record.parameters, inputs)
        same = [np.array_equal(other[key], value) for key, value in reference(record.id).items()]
        assert not all(same), record.id


def test_kinks_and_zeros_are_at_zero() -> None:
    """A kink is met exactly, from inputs that are zeros of both signs."""
    for record in flagged("Kink"):
        x = record.arrays()["x"]
        assert set(np.signbit(x[x == 0])) == {True, False}
        assert ACTIVATIONS[record.parameters["function"]].kinks == (0.0,)
    for record in flagged("LeftDerivative"):
        assert (reference(record.id)["z0"] == 0).any()


def test_chains_start_at_the_beginning() -> None:
    """Every chain is a draft with zero moments and t = 0, one for each method and arithmetic."""
    assert len(CHAIN) == 10
    for name, steps in CHAIN.items():
        record = BY_ID[name]
        assert steps > 1
        assert "/step-1/" in name
        assert record.parameters["t"] == 0
        assert all(not record.arrays()[key].any() for key in ("m", "v") if key in record.inputs)
    methods = {record.id.split("/")[1] for record in VALID if record.operation == "train_step"}
    assert methods == {"sgd", "momentum", "nesterov", "adam", "adamw"}
