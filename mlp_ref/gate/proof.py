"""How much wrong numbers prove about their cause."""

from __future__ import annotations

import numpy as np

from mlp_ref.arithmetic import Array, trailing_unit

__all__ = ["BITS_OF_PROOF", "bits_of_proof"]

BITS_OF_PROOF = 12
"""What is named would fit by chance once in 2^12 times: a loss in float32 has that many bits."""


def bits_of_proof(made: Array, right: Array, room: Array, entries: int) -> Array:
    """By how many bits each number of a cause differs from the right one.

    As many as lie between their distance and what is blurred: by the ``room`` that rounding has, or
    because a short number such as 3, or 3 divided by the ``entries`` of a mean, is met by chance. A
    0 proves one: it is there or not.
    """
    grain = np.maximum(trailing_unit(made), trailing_unit(made * entries) / entries)
    sharpness = np.abs(made - right) / np.maximum(room, grain)
    return np.where(made == 0, 1.0, np.log2(1 + sharpness))
