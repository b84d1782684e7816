"""What must be accepted: the reference, its variants, PyTorch and JAX."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.differences import Subject
from benchmarks.views import View, answers_of, value_of
from mlp_ref.faults import RIGHT, VARIANTS, Parts
from mlp_ref.gate.cases import Case
from mlp_ref.gate.ledger import expectations_of
from mlp_ref.subjects import Question, load

__all__ = ["LIBRARIES", "Implementation", "implementation", "names"]

LIBRARIES = ("torch", "jax")


@dataclass(frozen=True)
class Implementation:
    """An implementation to be judged.

    ``parts``       of the catalogue's engine, if it is made of them
    ``operations``  those that it implements
    ``known``       case id -> whether it is known, measured and explained that it fails there
    """

    name: str
    subject: Subject
    parts: Parts | None
    operations: tuple[str, ...]
    known: Callable[[str], bool] = lambda case: False


def names(*, libraries: bool = True) -> list[str]:
    """The reference, every variant, and the libraries."""
    return ["reference", *VARIANTS, *(LIBRARIES if libraries else ())]


def made_of(name: str, parts: Parts) -> Implementation:
    """An implementation that is put together from parts."""
    return Implementation(name, Subject(answers_of(parts), value_of(parts)), parts, _ALL)


def implementation(name: str) -> Implementation:
    """The correct implementation of that name."""
    if name not in LIBRARIES:
        return made_of(name, RIGHT if name == "reference" else VARIANTS[name].parts)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    if name == "torch":
        import torch

        torch.set_num_threads(1)  # so that sums have one order
    subject, expectations = load(name), expectations_of(name)
    failing = {case for known in expectations for case in known.failing}

    def answers(case: Case, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        own = {k: np.array(x) for k, x in inputs.items()}  # what it may keep or change
        question = Question(case.operation, case.arithmetic.name, case.record.parameters, own)
        return subject.run(question)

    def value(view: View, arrays: Any) -> Any:
        return np.asarray(answers(view.case, view.inputs(arrays))[view.output])

    own = Subject(answers, value)
    return Implementation(name, own, None, subject.operations, failing.__contains__)


_ALL = (
    "activation", "dense", "softmax", "log_softmax", "loss", "mlp", "optimizer", "train_step",
)  # fmt: skip
