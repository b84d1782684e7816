"""All methods on all implementations: false alarms first, then what is found without one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from multiprocessing import get_context
from typing import Any, NamedTuple

from benchmarks.differences import DIFFERENCES, within
from benchmarks.implementations import implementation, made_of
from benchmarks.inputs import SETS
from benchmarks.judging import Judged, known_cases
from benchmarks.methods import OURS, TITLES
from benchmarks.real import REAL
from mlp_ref.faults import FAULTS

__all__ = [
    "ALL", "ARITHMETICS", "BLIND", "NUMPY", "Alarms", "Found", "Key", "Measured", "alarms_of",
    "found_of", "measure",
]  # fmt: skip

ARITHMETICS = ("float64", "float32")
BLIND = ("no gradient", "consistent")


class Key(NamedTuple):
    """What is counted together."""

    method: str
    inputs: str
    arithmetic: str


class Alarms(NamedTuple):
    """A correct implementation under one key.

    ``cases``  at which it is rejected, but for those at which it is known to be wrong
    ``known``  of the latter, those at which it is rejected
    ``asked``  number of cases
    """

    cases: tuple[str, ...]
    known: tuple[str, ...]
    asked: int


class Found(NamedTuple):
    """A fault: the first case that rejects it, by key, and the checkers that are blind to it."""

    by: Mapping[Key, str]
    blind: Mapping[str, str]


@dataclass(frozen=True)
class Measured:
    """Everything that the page tells.

    ``alarms``  implementation -> key -> what is rejected
    ``found``   fault -> where it is found
    ``cases``   inputs and arithmetic -> number of cases
    ``known``   implementation -> inputs and arithmetic -> cases at which it is known to be wrong
    """

    methods: tuple[str, ...]
    alarms: Mapping[str, Mapping[Key, Alarms]]
    found: Mapping[str, Found]
    cases: Mapping[tuple[str, str], int] = field(default_factory=dict)
    known: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def loud(self, key: Key) -> frozenset[str]:
        """The cases at which a method rejects a correct implementation."""
        return frozenset(name for by in self.alarms.values() for name in by[key].cases)

    def finds(self, key: Key) -> list[str]:
        """The faults that it finds at other cases, in order."""
        return [fault for fault, found in self.found.items() if key in found.by]


def chosen(inputs: str, arithmetic: str, every: int) -> list[str]:
    """Every so-many-th case of every operation."""
    groups: dict[str, list[str]] = {}
    for name, known in known_cases(inputs, arithmetic).items():
        groups.setdefault(known.case.operation, []).append(name)
    return [name for group in groups.values() for name in group[::every]]


def alarms_of(
    name: str, methods: Collection[str], every: int,
    among: Iterable[tuple[str, str]] = tuple(product(SETS, ARITHMETICS)),
) -> dict[Key, Alarms]:  # fmt: skip
    """Where the methods reject a correct implementation, among inputs and arithmetics."""
    who, found = implementation(name), {}
    for inputs, arithmetic in among:
        judged = Judged(who, inputs, arithmetic, chosen(inputs, arithmetic, every))
        for method in methods:
            asked = judged.asked(method)
            cases = judged.rejecting(method, asked)
            known = tuple(case for case in cases if who.known(case))
            right = tuple(case for case in cases if not who.known(case))
            found[Key(method, inputs, arithmetic)] = Alarms(right, known, len(asked))
    return found


def _part_of(part: tuple[str, str, str], methods: Collection[str], every: int) -> Any:
    name, *among = part
    return alarms_of(name, methods, every, [(among[0], among[1])])


def found_of(
    name: str, methods: Collection[str], every: int, loud: Mapping[Key, Collection[str]],
    real: bool = True,
) -> Found:  # fmt: skip
    """Where the methods find a fault, at cases that are not loud.

    ``real``  confirm what the rules of the gradient checkers reject by the checkers themselves

    Raises `AssertionError` if they do not.
    """
    who, by, blind = made_of(name, FAULTS[name].parts), {}, {}
    for inputs, arithmetic in product(SETS, ARITHMETICS):
        judged = Judged(who, inputs, arithmetic, chosen(inputs, arithmetic, every))
        for method in methods:
            key = Key(method, inputs, arithmetic)
            quiet = [case for case in judged.asked(method) if case not in loud[key]]
            if method in DIFFERENCES:
                traces = (case for case in quiet if not judged.traceless(method, case))
                case = next((case for case in traces if judged.difference(method, case)), None)
                if case is not None and real:
                    _confirm(judged, case, method)
                if (inputs, arithmetic) == ("corpus", "float64") and case is None:
                    blind[method] = _blindness(judged, method, quiet)
            else:
                case = judged.first(method, quiet)
            if case is not None:
                by[key] = case
    return Found(by, blind)


def _confirm(judged: Judged, case: str, method: str) -> None:
    view: Any = judged.known[case].view
    if not REAL[method](judged.who.subject, view):
        raise AssertionError(f"{method} itself accepts {judged.who.name} at {case}")


def _blindness(judged: Judged, method: str, cases: Iterable[str]) -> str:
    """Why a gradient checker cannot see a fault, or an empty string if it is too small for it.

    No gradient: it gets the numbers of the reference. Consistent: it gets others, by more than it
    tolerates, but value and gradient belong together.
    """
    traces = [case for case in cases if not judged.traceless(method, case)]
    if not traces:
        return BLIND[0]
    relative, absolute = DIFFERENCES[method].tolerance(judged.arithmetic)
    for case in traces:
        key = (method, judged.inputs, judged.arithmetic, case)
        if not within(judged.numeric(*key), judged.right(*key), relative, absolute).all():
            return BLIND[1]
    return ""


def measure(
    methods: Collection[str], implementations: Iterable[str], faults: Iterable[str],
    every: int = 1, workers: int = 2, real: bool = True,
    said: Callable[[str], object] = lambda line: None,
) -> Measured:  # fmt: skip
    """Everything, in so many processes; none but this one if that is 0."""
    names, faults = list(implementations), list(faults)
    slow_first = sorted(names, key=lambda name: (name != "jax", name != "torch"))
    parts = list(product(slow_first, SETS, ARITHMETICS))
    alarms_for = partial(_part_of, methods=methods, every=every)
    with _pool(workers) as run:
        alarms: dict[str, dict[Key, Alarms]] = {name: {} for name in names}
        for (name, *_), found_there in zip(parts, run(alarms_for, parts), strict=True):
            alarms[name] |= found_there
        said(f"false alarms of {len(names)} correct implementations counted")
        cases = {
            (inputs, arithmetic): len(chosen(inputs, arithmetic, every))
            for inputs, arithmetic in product(SETS, ARITHMETICS)
        }
        keys = [Key(*key) for key in product(methods, SETS, ARITHMETICS)]
        loud = {key: {case for by in alarms.values() for case in by[key].cases} for key in keys}
        found_for = partial(found_of, methods=methods, every=every, loud=loud, real=real)
        found = dict(zip(faults, run(found_for, faults), strict=True))
        said(f"{len(faults)} faults judged")
    known = {
        (name, arithmetic): sum(
            implementation(name).known(case) for case in chosen("corpus", arithmetic, every)
        )
        for name in names
        for arithmetic in ARITHMETICS
    }
    return Measured(tuple(methods), alarms, found, cases, known)


class _pool:
    """A map over processes that end with it."""

    def __init__(self, workers: int) -> None:
        self.pool = ProcessPoolExecutor(workers, get_context("spawn")) if workers else None

    def __enter__(self) -> Callable[..., Iterable[Any]]:
        return map if self.pool is None else self.pool.map

    def __exit__(self, *error: object) -> None:
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)


ALL: tuple[str, ...] = tuple(TITLES)
NUMPY: tuple[str, ...] = (OURS, "allclose", "onnx", "llm.c", "gradcheck", "check_grads")
"""The methods whose rules need NumPy alone."""
