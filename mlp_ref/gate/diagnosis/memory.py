"""What a search knows: which mistakes there are, where they show, and what each returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache, reduce
from types import MappingProxyType

from mlp_ref.checks import InputError
from mlp_ref.corpus import CorpusError
from mlp_ref.corpus.kills import kills
from mlp_ref.faults import FAULTS, RELATIVES, Parts
from mlp_ref.faults.making import both
from mlp_ref.gate.diagnosis.match import contradicts, made_by, proof
from mlp_ref.gate.diagnosis.samples import Sample

__all__ = ["MISTAKES", "Memory", "fault_of"]

_OTHER = "@"  # between a fault and the constant that it has here

MISTAKES: Mapping[str, Parts] = MappingProxyType(
    {name: fault.parts for name, fault in FAULTS.items() if fault.family != "walkthrough"}
    | {
        f"{name}{_OTHER}{constant}": parts
        for name, others in RELATIVES.items()
        for constant, parts in others.items()
    }
)
"""Every single mistake, also with other constants."""


def fault_of(name: str) -> tuple[str, str]:
    """The id of a mistake in the catalogue, and the constant if it is another."""
    fault, _, constant = name.partition(_OTHER)
    return fault, constant


@cache
def _together(names: tuple[str, ...]) -> Parts:
    return reduce(both, (MISTAKES[name] for name in names))


class Memory:
    """Every implementation is asked once per case."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples
        self.passing: dict[str, list[Sample]] = {}
        for sample in samples:
            if not sample.wrong:
                self.passing.setdefault(sample.group, []).append(sample)
        self._killed = _kills()
        self._groups: dict[str, set[str]] = {}
        for sample in samples:
            for fault in self._killed.get(sample.case.id, ()):
                self._groups.setdefault(fault, set()).add(sample.group)
        self._proofs: dict[tuple[str, ...], dict[int, float | None]] = {}
        self._alike: list[str] | None = None
        self._refuted: dict[tuple[str, str], bool] = {}

    def shows(self, name: str, sample: Sample) -> bool:
        """Whether a mistake alone may show in a case: known for the corpus, possible for others.

        With another constant it may show wherever `concerns` says so.
        """
        known = self._killed.get(sample.case.id)
        fault, constant = fault_of(name)
        if known is None or fault in known:
            return True
        return bool(constant) and self.concerns(name, sample)

    def concerns(self, name: str, sample: Sample) -> bool:
        """Whether it may show together with others: in a group in which it does alone."""
        known = sample.case.id in self._killed
        return not known or sample.group in self._groups.get(fault_of(name)[0], ())

    def spared(self, name: str) -> int:
        """In how many cases that pass, of any group, the mistake shows with its own constant."""
        fault, _ = fault_of(name)
        return sum(
            fault in self._killed.get(sample.case.id, ())
            for group in self.passing.values()
            for sample in group
        )

    def alike(self, failing: int) -> list[str]:
        """The mistakes that show in all cases that fail, so many, and in no other."""
        if self._alike is None:
            shown = Counter(f for s in self.samples for f in self._killed.get(s.case.id, ()))
            self._alike = [
                name for name, n in shown.items() if n == failing and not self.spared(name)
            ]
        return self._alike

    def proof(self, names: tuple[str, ...], sample: Sample) -> float | None:
        """Bits that prove that these mistakes returned the answer of a sample, if they did."""
        known = self._proofs.setdefault(names, {})
        if id(sample) not in known:
            known[id(sample)] = proof(made_by(_together(names), sample), sample)
        return known[id(sample)]

    def refuted(self, name: str, group: str) -> bool:
        """Whether a case of the group passes that the mistake would fail."""
        if (name, group) not in self._refuted:
            self._refuted[name, group] = any(
                contradicts(made_by(MISTAKES[name], sample), sample)
                for sample in self.passing.get(group, ())
                if self.shows(name, sample)
            )
        return self._refuted[name, group]


def _kills() -> Mapping[str, frozenset[str]]:
    try:
        return kills()
    except (CorpusError, InputError):  # the search takes longer without
        return {}
