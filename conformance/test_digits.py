"""The digits in the package are those that scikit-learn distributes."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits as sklearn_digits

from mlp_ref.datasets import load_digits

ROOT = Path(__file__).parents[1]


def test_the_digits_equal_scikit_learns() -> None:
    """Every pixel, sixteen times over, and every label are equal, in the same order."""
    theirs, ours = sklearn_digits(), load_digits()
    np.testing.assert_array_equal(ours.x * 16, theirs.data)
    np.testing.assert_array_equal(ours.y, theirs.target)


def test_the_script_reproduces_the_file() -> None:
    """docs/make_digits.py makes exactly the arrays that mlp_ref/data/digits.npz holds."""
    made = runpy.run_path(str(ROOT / "docs" / "make_digits.py"))["arrays"]()
    with np.load(ROOT / "mlp_ref" / "data" / "digits.npz", allow_pickle=False) as held:
        assert sorted(held.files) == sorted(made)
        for name, array in made.items():
            np.testing.assert_array_equal(held[name], array, strict=True)
