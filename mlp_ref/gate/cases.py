"""Cases: the records of the certified corpus as questions, each in one arithmetic."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from mlp_ref.allowances import ALLOWANCES, room_for_sets
from mlp_ref.arithmetic import ARITHMETICS, FLOAT32, FLOAT64, Arithmetic, Array
from mlp_ref.bounds import Bounded, derive
from mlp_ref.checks import InputError, fail, lookup
from mlp_ref.corpus import load
from mlp_ref.corpus.library import layers_of, model_of
from mlp_ref.corpus.names import tensors_of
from mlp_ref.corpus.records import Certified, Record
from mlp_ref.gate.kinks import meets_kink
from mlp_ref.losses import LOSSES, Loss
from mlp_ref.model import MLP
from mlp_ref.operations import OPERATIONS as REFERENCE
from mlp_ref.parameters import Params
from mlp_ref.subjects import Question
from mlp_ref.subjects.networks import keywords_of

__all__ = [
    "CASE_ARITHMETICS", "REJECTION", "Case", "Network", "build_cases", "case_of", "choose_cases",
    "network_case",
]  # fmt: skip

CASE_ARITHMETICS: tuple[Arithmetic, ...] = (FLOAT32, FLOAT64)
REJECTION = "rejection"  # what is judged of inputs that must be refused


class Network(NamedTuple):
    """A question of the operation mlp in the terms of the library."""

    model: MLP
    params: Params
    x: Array
    loss: Loss
    target: Array


@dataclass(frozen=True, eq=False)
class Case:
    """A question for a subject.

    ``id``         that of the record, whose last part is the arithmetic
    ``record``     its inputs are numbers of the arithmetic, in float64 or float32; without
                   certified words the float64 reference serves
    ``arithmetic`` in which it is asked and judged
    """

    id: str
    record: Record
    arithmetic: Arithmetic

    @property
    def note(self) -> str:
        """Why the case exists, in one line."""
        return self.record.note

    @property
    def operation(self) -> str:
        """The operation of the record."""
        return self.record.operation

    @property
    def rejects(self) -> str:
        """What is wrong with the inputs, which must be refused; empty if they are valid."""
        return self.record.rejects

    @cached_property
    def flags(self) -> tuple[str, ...]:
        """Those of the record; and LeftDerivative wherever the convention at a kink shows."""
        own = self.record.flags
        if "LeftDerivative" in own or self.rejects or not meets_kink(self.record):
            return own
        return (*own, "LeftDerivative")

    @property
    def tensors(self) -> tuple[str, ...]:
        """The tensors that are judged, in the order in which they are computed."""
        if self.rejects:
            return (REJECTION,)
        names = tensors_of(self.operation, self.record.parameters).expected
        if self.operation != "mlp":
            return names
        depth = len(self.record.parameters["activations"])
        forward = names[: names.index("g") + 1]
        backward = [f"{part}{k}" for k in reversed(range(depth)) for part in ("dW", "db")]
        return (*forward, *backward, "dx")

    @cached_property
    def inputs(self) -> dict[str, Array]:
        """The inputs as arrays, which nobody may change."""
        return self.record.arrays()

    @cached_property
    def network(self) -> Network:
        """Of the operation mlp, where the inputs are valid."""
        params, parameters = layers_of(self.inputs), self.record.parameters
        model, loss = model_of(params.sizes, parameters), LOSSES[parameters["loss"]]
        return Network(model, params, self.inputs["x"], loss, self.inputs["target"])

    def question(self) -> Question:
        """The question, in new memory."""
        dtype = None if self.rejects else self.arithmetic.dtype
        arrays = {
            name: x.astype(dtype) if dtype is not None and x.dtype.kind == "f" else x.copy()
            for name, x in self.inputs.items()
        }
        parameters = {
            name: list(value) if isinstance(value, list | tuple) else value
            for name, value in self.record.parameters.items()
        }
        return Question(self.operation, self.arithmetic.name, parameters, arrays)

    def keywords(self) -> dict[str, Any]:
        """The question of a network as keywords: weights, biases, x, target, activations, loss."""
        return keywords_of(self.question())

    def expected(self, arithmetic: Arithmetic | None = None) -> dict[str, Certified]:
        """Every judged tensor with its bound, in the case's arithmetic or another.

        What is not certified, and a bound that is not stored, is derived. So is a tensor of which
        only a part is stored, in an arithmetic that may round the entries of its checksum.
        """
        A, known = arithmetic or self.arithmetic, self.record.expected
        if set(self.tensors) <= {name for name, q in known.items() if A.name in q.bounds}:
            return {name: known[name] for name in self.tensors}
        entire = {name: q for name, q in known.items() if q.index is None}
        if set(self.tensors) <= set(entire) and self.operation != "mlp":
            exact = {name: q.hi for name, q in entire.items()}
            allowed = ALLOWANCES[self.operation](A, self.record.parameters, self.inputs, exact)
            return {name: _with_bound(entire[name], A, allowed[name]) for name in self.tensors}
        derived = self._derived(A)
        return {
            name: known[name] if name in known and A.name in known[name].bounds else
            _with_bound(entire[name], A, derived[name].bound) if name in entire else
            _uncertified(derived[name], A)
            for name in self.tensors
        }  # fmt: skip

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

    def _derived(self, A: Arithmetic) -> dict[str, Bounded]:
        """From the float64 reference.

        Raises `InputError` if the inputs are no numbers of the arithmetic.
        """
        if self.operation == "mlp":
            model, params, x, loss, target = self.network
            return derive(model, params, x, loss, target, arithmetic=A)
        parameters, inputs = self.record.parameters, self.inputs
        wide = {k: x.astype(np.float64) if x.dtype.kind == "f" else x for k, x in inputs.items()}
        value = {k: np.asarray(q) for k, q in REFERENCE[self.operation](parameters, wide).items()}
        radius, bound = (
            ALLOWANCES[self.operation](B, parameters, inputs, value) for B in (FLOAT64, A)
        )
        return {name: Bounded(q, radius[name], bound[name]) for name, q in value.items()}


def _with_bound(q: Certified, arithmetic: Arithmetic, bound: Array) -> Certified:
    own = np.where(np.isfinite(q.hi), bound, 0.0)  # what is not finite has a class, no distance
    own = room_for_sets(arithmetic, own, q.sets) if q.index is None else own
    return replace(q, bounds={**q.bounds, arithmetic.name: own})


def _uncertified(q: Bounded, arithmetic: Arithmetic) -> Certified:
    value, bounds = np.asarray(q.value), {arithmetic.name: np.asarray(q.bound)}
    return Certified(value.shape, value, np.zeros_like(value), np.asarray(q.radius), bounds)


def network_case(
    name: str,
    note: str,
    arithmetic: Arithmetic,
    model: MLP,
    params: Params,
    x: Array,
    loss: Loss,
    target: Array,
) -> Case:
    """A network of one's own as a case, judged by the float64 reference.

    Parameters, x and real targets are numbers of the arithmetic.
    """
    parameters = {"activations": [f.name for f in model.activations], "loss": loss.name}
    layers = {
        f"{part}{k}": array
        for k, layer in enumerate(params.layers)
        for part, array in zip("Wb", layer, strict=True)
    }
    record = Record(
        name, "mlp", arithmetic.name, note, 1, (), parameters, {**layers, "x": x, "target": target}
    )
    return Case(name, record, arithmetic)


def case_of(record: Record, arithmetic: Arithmetic | None = None) -> Case:
    """The question of a record, in its arithmetic or in a narrower one.

    TF32, bfloat16 and float16 ask the records of float32. Numbers that the arithmetic does not hold
    are rounded first, and then the float64 reference serves instead of the certified words.

    Raises `InputError` if the record has no question in the arithmetic: the rounded inputs break a
    rule, or are not finite.
    """
    A = arithmetic or ARITHMETICS[record.arithmetic]
    if A.name == record.arithmetic:
        return Case(record.id, record, A)
    name = f"{record.id.removesuffix(record.arithmetic)}{A.name}"
    arrays = record.arrays()
    rounded = {
        k: A.quantize(x).astype(x.dtype) if x.dtype.kind == "f" else x for k, x in arrays.items()
    }
    if all(np.array_equal(x, rounded[k], equal_nan=True) for k, x in arrays.items()):
        return Case(name, record, A)
    if not all(np.isfinite(x).all() for x in rounded.values()):
        fail(f"the inputs of {name} must be finite", "NaN or infinities", "leave it out")
    case = Case(name, replace(record, inputs=rounded, expected={}), A)
    case.expected()  # whether they keep the rules of the operation
    return case


def build_cases(
    arithmetics: Iterable[Arithmetic] = CASE_ARITHMETICS,
    records: Iterable[Record] | None = None,
    operations: Collection[str] | None = None,
) -> Iterator[Case]:
    """Every record of the corpus that has a question in these arithmetics, always in one order.

    ``operations``  those that are asked; all by default

    Raises `CorpusError` if the corpus is damaged.
    """
    chosen = list(arithmetics)
    for record in load().records if records is None else records:
        if operations is not None and record.operation not in operations:
            continue
        for A in chosen:
            if record.arithmetic == A.name:
                yield case_of(record)
            elif A not in CASE_ARITHMETICS and record.arithmetic == FLOAT32.name:
                with suppress(InputError):
                    yield from [] if record.rejects else [case_of(record, A)]


def choose_cases(
    cases: Sequence[Case], pattern: str, arithmetics: Collection[str], prefix: str
) -> list[Case]:
    """The cases whose id matches, in these arithmetics; an empty choice stands for all.

    Raises `InputError` if there are none. ``prefix`` comes before the words only and arithmetic in
    the message, as in ``--only``.
    """
    known: Mapping[str, Case] = {case.arithmetic.name: case for case in cases}
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
