"""Cases: the networks of the certified corpus, with their data and loss, in one arithmetic."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from mlp_ref.arithmetic import ARITHMETICS, FLOAT32, FLOAT64, Arithmetic, Array
from mlp_ref.bounds import Bounded, derive
from mlp_ref.checks import fail, lookup
from mlp_ref.corpus import load
from mlp_ref.corpus.library import layers_of, model_of
from mlp_ref.corpus.records import Certified, Record
from mlp_ref.losses import LOSSES, Loss
from mlp_ref.model import MLP
from mlp_ref.parameters import Params

__all__ = ["CASE_ARITHMETICS", "Case", "build_cases", "case_of", "choose_cases"]

CASE_ARITHMETICS: tuple[Arithmetic, ...] = (FLOAT32, FLOAT64)


@dataclass(frozen=True, eq=False)
class Case:
    """A question for a subject. Parameters, x and real targets are numbers of the arithmetic.

    ``id``        ``mlp/family/detail.../arithmetic``, stable
    ``note``      why the case exists, in one line
    ``certified`` the certified words of each tensor; without them the float64 reference serves
    """

    id: str
    note: str
    arithmetic: Arithmetic
    model: MLP
    params: Params
    x: Array
    loss: Loss
    target: Array
    certified: Mapping[str, Certified] = field(default_factory=dict)

    @property
    def tensors(self) -> tuple[str, ...]:
        """The tensors that are judged, in the order in which they are computed."""
        depth = len(self.model.activations)
        forward = [f"{part}{k}" for k in range(depth) for part in "za"]
        backward = [f"{part}{k}" for k in reversed(range(depth)) for part in ("dW", "db")]
        return (*forward, "loss", "g", *backward, "dx")

    def expected(self, arithmetic: Arithmetic | None = None) -> dict[str, Certified]:
        """Every judged tensor with its bound, in the case's arithmetic or another.

        What is not certified, and a bound that is not stored, is derived from the float64
        reference.
        """
        A = arithmetic or self.arithmetic
        known = self.certified
        if set(self.tensors) <= {name for name, q in known.items() if A.name in q.bounds}:
            return {name: known[name] for name in self.tensors}
        derived = self._derived(A)
        return {
            name: _with_bound(known[name], A, derived[name].bound)
            if name in known
            else _uncertified(derived[name], A)
            for name in self.tensors
        }

    def whole(self, arithmetic: Arithmetic | None = None) -> dict[str, Bounded]:
        """`expected`, rounded to float64; a tensor that is stored in part is derived instead."""
        A, expected = arithmetic or self.arithmetic, self.expected(arithmetic)
        parts = [name for name, q in expected.items() if q.index is not None]
        derived = self._derived(A) if parts else {}
        return {
            name: derived[name] if name in parts else
            Bounded(q.hi, np.abs(q.low) + q.radius, q.bounds[A.name])
            for name, q in expected.items()
        }  # fmt: skip

    def _derived(self, arithmetic: Arithmetic) -> dict[str, Bounded]:
        return derive(
            self.model, self.params, self.x, self.loss, self.target, arithmetic=arithmetic
        )

    def question(self) -> dict[str, Any]:
        """The keywords of the subject's function, in new memory."""
        return {
            "weights": [layer.W.copy() for layer in self.params.layers],
            "biases": [layer.b.copy() for layer in self.params.layers],
            "x": self.x.copy(),
            "target": self.target.copy(),
            "activations": [f.name for f in self.model.activations],
            "loss": self.loss.name,
        }


def _with_bound(q: Certified, arithmetic: Arithmetic, bound: Array) -> Certified:
    stored = bound if q.index is None else bound.reshape(-1)[q.index]
    return replace(q, bounds={**q.bounds, arithmetic.name: stored})


def _uncertified(q: Bounded, arithmetic: Arithmetic) -> Certified:
    value, bounds = np.asarray(q.value), {arithmetic.name: np.asarray(q.bound)}
    return Certified(value.shape, value, np.zeros_like(value), np.asarray(q.radius), bounds)


def case_of(record: Record) -> Case:
    """The question of a record of the operation mlp that is not an error case."""
    inputs = record.arrays()
    params = layers_of(inputs)
    return Case(
        record.id,
        record.note,
        ARITHMETICS[record.arithmetic],
        model_of(params.sizes, record.parameters),
        params,
        inputs["x"],
        LOSSES[record.parameters["loss"]],
        inputs["target"],
        record.expected,
    )


def build_cases(
    arithmetics: Iterable[Arithmetic] = CASE_ARITHMETICS, records: Iterable[Record] | None = None
) -> Iterator[Case]:
    """Every network of the corpus in its arithmetic, always in the same order.

    Raises `CorpusError` if the corpus is damaged.
    """
    names = {A.name for A in arithmetics}
    for record in load("mlp").records if records is None else records:
        if record.arithmetic in names and not record.rejects:
            yield case_of(record)


def choose_cases(
    cases: Sequence[Case], pattern: str, arithmetics: Collection[str], prefix: str
) -> list[Case]:
    """The cases whose id matches, in these arithmetics; an empty choice stands for all.

    Raises `InputError` if there are none. ``prefix`` comes before the words only and arithmetic in
    the message, as in ``--only``.
    """
    known = {case.arithmetic.name: case for case in cases}
    for name in arithmetics:
        lookup(f"{prefix}arithmetic", name, known)
    asked = arithmetics or known
    found = [
        case
        for case in cases
        if case.arithmetic.name in asked and fnmatchcase(case.id, pattern or "*")
    ]
    if not found:
        fail(
            f"{prefix}only must match the id of a case, such as {cases[0].id}", repr(pattern),
            "see mlp-ref verify --list",
        )  # fmt: skip
    return found
