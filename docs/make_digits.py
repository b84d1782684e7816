"""Make mlp_ref/data/digits.npz from the digits that scikit-learn distributes.

Run `python docs/make_digits.py` with scikit-learn installed. The counts of ink are whole numbers
from 0 to 16, so a byte holds them exactly; conformance/test_digits.py repeats the comparison.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TARGET = Path(__file__).parents[1] / "mlp_ref" / "data" / "digits.npz"


def arrays() -> dict[str, np.ndarray]:
    """Images (1797, 64) and labels (1797,) as bytes, nothing lost."""
    digits = load_digits()
    images, labels = digits.data.astype(np.uint8), digits.target.astype(np.uint8)
    if not (np.array_equal(images, digits.data) and np.array_equal(labels, digits.target)):
        raise ValueError("a pixel or a label does not fit into a byte")
    return {"images": images, "labels": labels}


if __name__ == "__main__":
    np.savez_compressed(TARGET, **arrays())
