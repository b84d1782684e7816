"""One implementation, one set of inputs, one arithmetic: which method rejects it at which cases."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache, cached_property
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from benchmarks.differences import DIFFERENCES
from benchmarks.implementations import Implementation, made_of
from benchmarks.inputs import cases_of
from benchmarks.methods import OURS, TOLERANCES, kind_of
from benchmarks.views import (
    View,
    anything_changed,
    forward_changed,
    gradient_changed,
    view_of,
)
from mlp_ref.arithmetic import Array
from mlp_ref.corpus.records import Certified
from mlp_ref.faults import RIGHT
from mlp_ref.gate.cases import Case
from mlp_ref.gate.judge import Verdict, judge_certified

__all__ = ["Judged", "Known", "known_cases", "reference"]

Pair = tuple[Array, Array, str]


class Known(NamedTuple):
    """A case with what is expected, and what the reference answers.

    ``numbers``  what is right, every entry, rounded to the dtype
    """

    case: Case
    expected: Mapping[str, Certified]
    numbers: Mapping[str, Array]
    answer: Mapping[str, Array]
    view: View | None


@cache
def reference() -> Implementation:
    """The reference."""
    return made_of("reference", RIGHT)


@cache
def known_cases(inputs: str, arithmetic: str) -> Mapping[str, Known]:
    """Case id -> what is known about it."""
    answers, found = reference().subject.answers, {}
    for case in cases_of(inputs, arithmetic):
        for x in case.inputs.values():
            x.flags.writeable = False  # a fault that writes into its inputs must not reach the next
        expected = case.expected()
        parts = [name for name, q in expected.items() if q.index is not None]
        whole = case.whole() if parts else {}
        with np.errstate(over="ignore"):
            numbers = {
                name: np.asarray(whole[name].value if name in parts else q.hi).astype(arithmetic)
                for name, q in expected.items()
            }
        answer = {k: np.asarray(x) for k, x in answers(case, case.inputs).items()}
        found[case.id] = Known(case, expected, numbers, answer, view_of(case, expected))
    return MappingProxyType(found)


@cache
def _numeric_right(method: str, inputs: str, arithmetic: str, name: str) -> Array:
    view = known_cases(inputs, arithmetic)[name].view
    assert view is not None
    return DIFFERENCES[method].numeric(reference().subject.value, view)


@cache
def _analytic_right(method: str, inputs: str, arithmetic: str, name: str) -> Array:
    view = known_cases(inputs, arithmetic)[name].view
    assert view is not None
    return DIFFERENCES[method].analytic(reference().subject.answers, view)


class Judged:
    """An implementation on a set of inputs, in an arithmetic; ``only`` these cases, if given."""

    def __init__(
        self, who: Implementation, inputs: str, arithmetic: str,
        only: Collection[str] | None = None,
    ) -> None:  # fmt: skip
        self.who, self.inputs, self.arithmetic = who, inputs, arithmetic
        self.known = {
            name: known
            for name, known in known_cases(inputs, arithmetic).items()
            if known.case.operation in who.operations and (only is None or name in only)
        }

    @cached_property
    def answers(self) -> dict[str, dict[str, Array]]:
        """Case id -> the tensors that are not bit for bit those of the reference; all of its own.

        Raises `AssertionError` if a shape or a dtype is wrong: only numbers are compared here.
        """
        own = self.who.name == "reference"
        found: dict[str, dict[str, Array]] = {}
        for name, (case, _, numbers, right, _) in self.known.items():
            parts = self.who.parts
            if not own and parts is not None and not anything_changed(parts, case):
                found[name] = {}
                continue
            copies = {k: x.copy() for k, x in case.inputs.items()}
            answer = self.who.subject.answers(case, copies)
            found[name] = {}
            for tensor in case.tensors:
                got = np.asarray(answer[tensor])
                got = got.astype(numbers[tensor].dtype) if got.ndim == 0 else got
                assert got.shape == numbers[tensor].shape, (self.who.name, name, tensor)
                assert got.dtype == numbers[tensor].dtype, (self.who.name, name, tensor)
                if own or got.tobytes() != right[tensor].tobytes():
                    found[name][tensor] = got
        return found

    def asked(self, method: str) -> list[str]:
        """The cases that a method can be asked, those of few numbers first."""
        if method not in DIFFERENCES:
            return list(self.known)
        if self.arithmetic not in DIFFERENCES[method].arithmetics:
            return []
        views = {name: known.view for name, known in self.known.items() if known.view}
        return sorted(views, key=lambda name: sum(x.size for x in views[name].point()))

    def rejecting(self, method: str, among: Iterable[str]) -> list[str]:
        """All cases among these at which the method rejects the implementation."""
        names = [name for name in among if name in self.known]
        if method in TOLERANCES:
            return self._halved(method, names)
        return [name for name in names if self._rejects(method, name)]

    def first(self, method: str, among: Iterable[str]) -> str | None:
        """A case among these at which the method rejects it."""
        names = [name for name in among if name in self.known]
        if method not in TOLERANCES:
            return next((name for name in names if self._rejects(method, name)), None)
        if not self._apart(method, names):
            return None
        while len(names) > 1:
            half = names[: len(names) // 2]
            names = half if self._apart(method, half) else names[len(half) :]
        return names[0]

    def _rejects(self, method: str, name: str) -> bool:
        return self._outside(name) if method == OURS else self.difference(method, name)

    def _outside(self, name: str) -> bool:
        """Ours: the derived bounds and the certified words."""
        case, expected = self.known[name].case, self.known[name].expected
        return any(
            judge_certified(tensor, got, expected[tensor], case.arithmetic).verdict == Verdict.FAIL
            for tensor, got in self.answers[name].items()
        )

    def _pairs(self, names: Sequence[str]) -> list[Pair]:
        """Everything of these cases as one array of each kind, with what is right."""
        pairs: dict[str, list[tuple[Array, Array]]] = {}
        for name in names:
            for tensor, got in self.answers[name].items():
                right = self.known[name].numbers[tensor]
                pairs.setdefault(kind_of(tensor), []).append((got.ravel(), right.ravel()))
        return [
            (*(np.concatenate(side) for side in zip(*found, strict=True)), kind)  # type: ignore[misc]
            for kind, found in pairs.items()
        ]

    def _apart(self, method: str, names: Sequence[str]) -> bool:
        """Whether a tolerance rejects something; entries are compared one by one, so at once."""
        compare = TOLERANCES[method].rejects
        return any(compare(got, right, kind) for got, right, kind in self._pairs(names))

    def _halved(self, method: str, names: list[str]) -> list[str]:
        if not names or not self._apart(method, names):
            return []
        if len(names) == 1:
            return names
        half = len(names) // 2
        return [*self._halved(method, names[:half]), *self._halved(method, names[half:])]

    def difference(self, method: str, name: str) -> bool:
        """A gradient checker at one case."""
        rule, key = DIFFERENCES[method], (method, self.inputs, self.arithmetic, name)
        return rule.rejects(self.analytic(*key), self.numeric(*key), self.arithmetic)

    def analytic(self, method: str, inputs: str, arithmetic: str, name: str) -> Array:
        """What a gradient checker gets by pulling back."""
        view = self.known[name].view
        assert view is not None
        return DIFFERENCES[method].analytic(self.who.subject.answers, view)

    def numeric(self, method: str, inputs: str, arithmetic: str, name: str) -> Array:
        """What it gets from differences; where only the backward pass is other, once for all."""
        known, parts = self.known[name], self.who.parts
        if method == "gradcheck" and parts is None:  # a library, called for every entry: too slow
            return _numeric_right(method, inputs, arithmetic, name)
        if parts is not None and not forward_changed(parts, known.case):
            return _numeric_right(method, inputs, arithmetic, name)
        assert known.view is not None
        return DIFFERENCES[method].numeric(self.who.subject.value, known.view)

    def right(self, method: str, inputs: str, arithmetic: str, name: str) -> Array:
        """What it gets from differences of the reference."""
        return _numeric_right(method, inputs, arithmetic, name)

    def traceless(self, method: str, name: str) -> bool:
        """Whether a gradient checker gets from it what it gets from the reference, to the bit."""
        key = (method, self.inputs, self.arithmetic, name)
        parts, case = self.who.parts, self.known[name].case
        if parts is None or forward_changed(parts, case):
            return False
        if not gradient_changed(parts, case):
            return True
        return self.analytic(*key).tobytes() == _analytic_right(*key).tobytes()
