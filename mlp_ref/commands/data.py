"""The data of the commands: the digits of the package, or a CSV or NPZ file of the user's own."""

from __future__ import annotations

import argparse
from hashlib import sha256

import numpy as np
from numpy.typing import DTypeLike

from mlp_ref.checks import fail
from mlp_ref.datasets import Dataset, load_digits, load_table
from mlp_ref.losses import CROSS_ENTROPY, Loss

__all__ = ["DIGITS", "add_target", "digest", "read"]

DIGITS = "digits"


def add_target(parser: argparse.ArgumentParser) -> None:
    """The option that names the target within DATA."""
    parser.add_argument(
        "--target", metavar="NAME",
        help="column of a CSV file, or array of an NPZ file, that holds the target "
        "(default: the last column, or array y)",
    )  # fmt: skip


def read(data: str, target: str | None, loss: Loss, dtype: DTypeLike) -> Dataset:
    """Samples and targets as ``loss`` takes them: labels for cross_entropy, else real targets.

    The labels of the digits become rows of 0 and 1 where real targets are needed. Raises
    `InputError` as `load_table` does, and for targets outside of what the loss allows.
    """
    labels = loss == CROSS_ENTROPY
    if data != DIGITS:
        found = load_table(data, target=target, labels=labels, dtype=dtype)
    elif target is not None:
        fail("--target must be left out for the digits", repr(target), "leave it out")
    else:
        found = load_digits(dtype)
        if not labels:
            found = Dataset(found.x, np.eye(10, dtype=found.x.dtype)[found.y], 0)
    loss.check(np.zeros((len(found.x), found.outputs), found.x.dtype), found.y)
    return found


def digest(data: Dataset) -> str:
    """What tells one dataset from another: SHA-256 of its numbers."""
    return sha256(data.x.tobytes() + data.y.tobytes()).hexdigest()
