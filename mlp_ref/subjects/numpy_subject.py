"""The NumPy reference itself as a subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.checks import fail
from mlp_ref.corpus.names import REJECTS
from mlp_ref.operations import OPERATIONS
from mlp_ref.subjects.protocol import Question, Subject

__all__ = ["load", "run"]


def load(variant: str = "") -> Subject:
    """The subject ``numpy``, which checks everything. Raises `InputError` for a variant."""
    if variant:
        fail("the subject numpy has no variants", repr(variant), "write numpy")
    return Subject(
        "numpy", _answer, tuple(OPERATIONS), ("float32", "float64"), {"numpy": np.__version__},
        tuple(REJECTS),
    )  # fmt: skip


def _answer(question: Question) -> Mapping[str, Any]:
    with np.errstate(all="ignore"):  # the judge looks at the numbers
        return OPERATIONS[question.operation](question.parameters, question.inputs)


def run(
    *,
    weights: Sequence[Array],
    biases: Sequence[Array],
    x: Array,
    target: Array,
    activations: Sequence[str],
    loss: str,
) -> Mapping[str, Any]:
    """A network as a function called with keywords, for subjects that change one thing of it."""
    layers = {
        f"{part}{k}": array
        for part, arrays in (("W", weights), ("b", biases))
        for k, array in enumerate(arrays)
    }
    parameters = {"activations": list(activations), "loss": loss}
    with np.errstate(all="ignore"):
        return OPERATIONS["mlp"](parameters, {**layers, "x": x, "target": target})
