"""Write conformance/kills.json: which cases of the corpus reject which faults of the catalogue.

    python docs/make_kills.py

It holds, for every fault and arithmetic, how many cases reject it and up to five of them, of as
many operations as possible; the cases that alone reject a fault; those that reject none; and for
every case the numbers of the faults that it rejects. It stops at a variant that is rejected, and at
a fault that is not, unless `NO_OPS` says why. `differences` compares with another run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from mlp_ref.corpus import load
from mlp_ref.corpus.records import OPERATIONS, Certified
from mlp_ref.faults import FAULTS, RIGHT, VARIANTS, Parts, operations_of
from mlp_ref.files import atomic_path
from mlp_ref.gate.cases import CASE_ARITHMETICS, Case, build_cases
from mlp_ref.gate.judge import Result, Verdict, judge_certified

PAGE = Path(__file__).parents[1] / "conformance" / "kills.json"
NAMES = tuple(A.name for A in CASE_ARITHMETICS)
SHOWN = 5
CLEAR = 2.0  # error/bound beyond which another library of exp and log would not save it

_NARROW = "float32 numbers are rounded to float32 anyway"
NO_OPS: Mapping[str, str] = MappingProxyType(
    {
        "activation-gelu-erf-five-terms": "(1 + erf) / 2 in float32 may lose as much",
        "activation-softplus-threshold": "beyond 20 the difference is below half a float32 unit",
        "entry-relative-1e-9": "1 + 1e-9 is 1 in float32",
        "entry-relative-1e-12": "1 + 1e-12 is 1 in float32",
        "precision-float32-accumulator": _NARROW,
        "precision-float32-activations": _NARROW,
        "precision-float32-constant": _NARROW,
        "precision-float32-exp": _NARROW,
        "precision-float32-gradient": _NARROW,
        "precision-float32-leaky-constant": _NARROW,
        "precision-float32-loss": _NARROW,
        "precision-float32-moments": _NARROW,
        "precision-float32-product": _NARROW,
        "precision-float32-weights": _NARROW,
    }
)
"""Faults that are none in float32, and why."""


class Known(NamedTuple):
    """A case whose inputs are valid, with what is expected and what the reference returns."""

    case: Case
    expected: Mapping[str, Certified]
    right: Mapping[str, Any]


class Kill(NamedTuple):
    """A case that a fault does not leave as it was, and the worst tensor there."""

    case: Case
    result: Result


@cache
def known_cases() -> Mapping[str, Known]:
    """Case id -> what is known about it."""
    operations = operations_of(RIGHT)
    cases = [case for case in build_cases() if not case.rejects]
    return MappingProxyType(
        {
            case.id: Known(
                case, case.expected(), operations[case.operation](q.parameters, q.inputs)
            )
            for case in cases
            for q in (case.question(),)
        }
    )


def _same(got: object, right: object) -> bool:
    x, y = np.asarray(got), np.asarray(right)
    return x.shape == y.shape and x.dtype == y.dtype and x.tobytes() == y.tobytes()


def changed_by(parts: Parts, cases: Iterable[str] | None = None) -> list[Kill]:
    """The cases in which a bit changes, of all or of those with the given ids.

    A tensor that is bit for bit that of the reference passes, and is not judged again; one that is
    clearly wrong is enough.
    """
    operations, known, found = operations_of(parts), known_cases(), []
    for name in known if cases is None else cases:
        case, expected, right = known[name]
        question, worst = case.question(), None
        answer = operations[case.operation](question.parameters, question.inputs)
        for tensor in case.tensors:
            if _same(answer[tensor], right[tensor]):
                continue
            result = judge_certified(tensor, answer[tensor], expected[tensor], case.arithmetic)
            if worst is None or not _rank(result) <= _rank(worst):
                worst = result
            if _rank(result) > CLEAR:
                break
        if worst is not None:
            found.append(Kill(case, worst))
    return found


def _rank(result: Result) -> float:
    """error/bound, above 1 if and only if the tensor is wrong."""
    wrong = result.verdict == Verdict.FAIL
    if np.isnan(result.ratio):
        return np.inf if wrong else 0.0
    return result.ratio


def is_close(kill: Kill) -> bool:
    """Whether the error is within a factor of 2 of its bound, so that another exp may decide."""
    return 1 / CLEAR <= _rank(kill.result) <= CLEAR


def kills_of(parts: Parts, cases: Iterable[str] | None = None) -> list[Kill]:
    """The cases that reject these parts, of all or of those with the given ids."""
    return rejected(changed_by(parts, cases))


def rejected(changed: Iterable[Kill]) -> list[Kill]:
    """Those of them that fail."""
    return [kill for kill in changed if kill.result.verdict == Verdict.FAIL]


def shown(kills: list[Kill]) -> list[str]:
    """The ids of up to five, the clear ones first, and one of each operation in turn."""
    clear = [kill for kill in kills if not is_close(kill)]
    ids = [
        [kill.case.id for kill in clear or kills if kill.case.operation == operation]
        for operation in OPERATIONS
    ]
    in_turn = [name for row in zip_longest(*ids) for name in row if name is not None]
    return in_turn[:SHOWN]


def changed_by_fault() -> dict[str, list[Kill]]:
    """Fault id -> all cases in which it changes a bit.

    Raises `AssertionError` if a variant is rejected, or a fault is not.
    """
    for variant in VARIANTS.values():
        wrong = kills_of(variant.parts)
        assert not wrong, f"{variant.id} is rejected by {wrong[0].case.id}: {wrong[0].result}"
    found = {name: changed_by(fault.parts) for name, fault in FAULTS.items()}
    for fault, changed in found.items():
        kills = rejected(changed)
        for arithmetic in NAMES:
            seen = any(kill.case.arithmetic.name == arithmetic for kill in kills)
            no_op = arithmetic == "float32" and fault in NO_OPS
            assert seen != no_op, f"{fault} in {arithmetic}: {len(kills)} kills"
    return found


def document(found: Mapping[str, list[Kill]]) -> dict[str, Any]:
    """What the file holds."""
    faults: dict[str, Any] = {}
    killers: dict[str, list[int]] = {case.id: [] for case in build_cases()}
    alone: dict[str, list[str]] = {}
    for number, (fault, changed) in enumerate(found.items()):
        faults[fault] = {"number": number}
        for arithmetic in NAMES:
            own = [k for k in rejected(changed) if k.case.arithmetic.name == arithmetic]
            faults[fault][arithmetic] = {"cases": len(own), "such as": shown(own)}
            for kill in own:
                killers[kill.case.id].append(number)
            if len(own) == 1:
                alone.setdefault(own[0].case.id, []).append(fault)
    idle = [name for name in known_cases() if not killers[name]]
    corpus = load()
    return {
        "corpus": corpus.version, "sha256": corpus.sha256, "faults": faults, "alone": alone,
        "idle": idle, "kills": killers,
    }  # fmt: skip


def differences(
    listed: Mapping[str, frozenset[str]], found: Mapping[str, list[Kill]]
) -> list[tuple[str, str]]:
    """Pairs of a case and a fault on which a file and a run differ, by more than another exp.

    ``listed`` has the faults that the cases reject, and ``found`` what every fault changes there.
    """
    wrong = []
    for fault, changed in found.items():
        close = {kill.case.id for kill in changed if is_close(kill)}
        now = {kill.case.id for kill in rejected(changed)}
        told = {case for case, faults in listed.items() if fault in faults}
        wrong += [(case, fault) for case in sorted((now ^ told) - close)]
    return wrong


def text_of(made: Mapping[str, Any]) -> str:
    """JSON with one line per fault and per case."""

    def lines(items: Iterable[str], ends: str) -> str:
        return ends[0] + "\n" + ",\n".join(f"  {item}" for item in items) + "\n " + ends[1]

    def entries(table: Mapping[str, Any]) -> str:
        return lines((f"{json.dumps(k)}: {json.dumps(v)}" for k, v in table.items()), "{}")

    idle = lines((json.dumps(name) for name in made["idle"]), "[]")
    return (
        f'{{\n "corpus": {json.dumps(made["corpus"])},\n "sha256": {json.dumps(made["sha256"])},\n'
        f' "faults": {entries(made["faults"])},\n "alone": {entries(made["alone"])},\n'
        f' "idle": {idle},\n "kills": {entries(made["kills"])}\n}}\n'
    )


if __name__ == "__main__":
    text = text_of(document(changed_by_fault()))
    with atomic_path(PAGE) as temporary:
        temporary.write_text(text, "utf-8")
