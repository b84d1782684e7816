"""Known deviations of a subject, found again at numbers that no ledger names.

A ledger names cases of the corpus; a drawn question is none of them. It is covered by an entry that
names a case of the same operation and arithmetic with the same functions, loss or rule, and its
error may not be larger than the largest that the entry states for the tensor (times the largest |g|
where a derivative is multiplied by it). NaN and infinities are covered only where the inputs are
not finite, as in the cases that name them.

Inside a network an error grows with the weights. So a network is covered where one of its functions
or its loss, asked alone at the same numbers, deviates as known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np

from mlp_ref.arithmetic import ARITHMETICS, Array
from mlp_ref.corpus import load
from mlp_ref.corpus.library import layers_of, model_of
from mlp_ref.corpus.records import Record
from mlp_ref.fuzz.cases import fuzz_case
from mlp_ref.fuzz.questions import ingredients
from mlp_ref.gate.cases import REJECTION, Case
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.run import run_case
from mlp_ref.parameters import Params
from mlp_ref.subjects import Session

__all__ = ["Known"]

_DIGITS = "0123456789"


class _Row(NamedTuple):
    """What an entry says of one tensor of one case."""

    entry: Expectation
    operation: str
    arithmetic: str
    parts: frozenset[str]
    tensor: str
    most: float


class Known:
    """What the ledgers say of one subject."""

    def __init__(self, session: Session, entries: Sequence[Expectation]) -> None:
        self._session = session
        self._rows = list(_rows(entries)) if entries else []

    def expectations(self, case: Case) -> tuple[Expectation, ...]:
        """The entries that cover a question, as if they named it."""
        return tuple(self._covering(case, case.operation))

    def explains(self, case: Case) -> str:
        """The id of the entry that explains all that is wrong, or an empty string."""
        if not self._rows:
            return ""
        return self._of(case, self.expectations(case)) or self._by_parts(case)

    def _of(self, case: Case, covering: Sequence[Expectation]) -> str:
        if not covering:
            return ""
        report = run_case(self._session, case, covering)
        if report.verdict != Verdict.FAIL or report.unexpected:
            return ""
        return report.expectations[report.failures[0].tensor]

    def _by_parts(self, case: Case) -> str:
        if case.operation not in ("mlp", "train_step"):
            return ""
        for record in _parts(case):
            covering: tuple[Expectation, ...] = ()
            part = fuzz_case(record, case.arithmetic)
            if part is not None and record.operation in self._session.operations:
                covering = tuple(self._covering(part, ""))
            found = self._of(part, covering) if part is not None else ""
            if found:
                return found
        return ""

    def _covering(self, case: Case, operation: str) -> Iterator[Expectation]:
        """One for each entry and kind of deviation; of any operation if it is empty."""
        own = ingredients(case.operation, case.record.parameters)
        scale = max(1.0, float(np.abs(case.inputs["g"]).max())) if "g" in case.inputs else 1.0
        found: dict[tuple[str, str], tuple[Expectation, dict[str, float]]] = {}
        for row in self._rows:
            other = row.operation != operation if operation else not row.parts
            if other or not row.parts <= own or row.arithmetic != case.arithmetic.name:
                continue
            if not isfinite(row.most) and "NotFinite" not in case.flags:
                continue
            kind = str(row.most) if not isfinite(row.most) else ""
            sizes = found.setdefault((row.entry.id, kind), (row.entry, {}))[1]
            for name in case.tensors:
                if not operation or name.rstrip(_DIGITS) == row.tensor:
                    most = row.most * scale if name == "dx" and not kind else row.most
                    sizes[name] = max(most, sizes.get(name, 0.0)) if not kind else most
        for entry, sizes in found.values():
            yield Expectation(
                entry.id, entry.subjects, entry.versions, entry.evidence, entry.why,
                {case.id: sizes},
            )  # fmt: skip


def _rows(entries: Iterable[Expectation]) -> Iterator[_Row]:
    records = {record.id.rpartition("/")[0]: record for record in load().records}
    for entry in entries:
        for name, tensors in entry.failing.items():
            stem, _, arithmetic = name.rpartition("/")
            if stem not in records:  # of a corpus of the user's own
                continue
            record = records[stem]
            parts = ingredients(record.operation, record.parameters)
            for tensor, most in tensors.items():
                if tensor != REJECTION:
                    yield _Row(
                        entry, record.operation, arithmetic, parts, tensor.rstrip(_DIGITS), most
                    )


def _parts(case: Case) -> Iterator[Record]:
    """Every function of a network at its z, and the loss at the last a, as questions."""
    inputs, parameters, A = case.inputs, case.record.parameters, case.arithmetic
    params = (
        layers_of(inputs) if case.operation == "mlp"
        else Params(inputs["params"], tuple(parameters["sizes"]))
    )  # fmt: skip
    model = model_of(params.sizes, parameters)
    with np.errstate(all="ignore"):
        output, trace = model.forward(params.astype(np.float64), inputs["x"].astype(np.float64))

    def part(operation: str, own: dict[str, str], arrays: dict[str, Array]) -> Record:
        held = {k: _held(case, x) if x.dtype.kind == "f" else x for k, x in arrays.items()}
        name = f"{operation}/fuzz/part/{case.record.arithmetic}"
        return Record(name, operation, case.record.arithmetic, "a part", 1, (), own, held)

    for f, z in zip(parameters["activations"], trace.z, strict=True):
        near = np.concatenate([z * (1 + k * A.u) for k in (-4, 0, 4)])  # as computed z may be
        rowwise = f in ("softmax", "log_softmax")
        yield part(
            f if rowwise else "activation", {} if rowwise else {"function": f},
            {"x": near, "g": np.ones_like(near)},
        )  # fmt: skip
    yield part("loss", {"loss": parameters["loss"]}, {"z": output, "target": inputs["target"]})


def _held(case: Case, x: Array) -> Array:
    wide = ARITHMETICS[case.record.arithmetic].dtype
    return np.asarray(case.arithmetic.quantize(x)).astype(wide)
