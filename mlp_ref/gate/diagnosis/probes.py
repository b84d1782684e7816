"""Structural probes: what the wrong numbers have in common where no mistake of the catalogue fits.

Cases are taken together that may share one cause: an operation, with its function or method. Only
what every case of them shows is said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mlp_ref.gate.diagnosis.coarse import bits_of
from mlp_ref.gate.diagnosis.conditions import condition
from mlp_ref.gate.diagnosis.factors import factor_of
from mlp_ref.gate.diagnosis.places import moved, region, wrong_entries
from mlp_ref.gate.diagnosis.ranges import range_of
from mlp_ref.gate.diagnosis.samples import Sample
from mlp_ref.gate.findings import Diagnosis
from mlp_ref.gate.tally import plural

__all__ = ["probe"]

_ELEMENTARY = ("activation", "softmax", "log_softmax", "dense", "loss", "optimizer")
_SHOWN, _NAMED = 4, 3  # diagnoses, tensors
_HINTS = 3  # cases that say the same
_NUMBER = re.compile(r"\d+")
_CAUSE = re.compile("holds|pass as|times the reference: |transposed: ")
_NOT_FINITE = ("NaN: ", "inf: ")


def probe(left: Sequence[Sample], samples: Sequence[Sample]) -> list[Diagnosis]:
    """What may be said of the cases that are left over, the operations of one step first.

    Networks and training steps are made of these, and fail with them: they are looked at only
    where nothing smaller fails.
    """
    families: dict[tuple[str, str], list[Sample]] = {}
    for sample in left:
        families.setdefault((_family(sample), _kind(sample.wrong[0])), []).append(sample)
    small = {key: own for key, own in families.items() if own[0].case.operation in _ELEMENTARY}
    found = [_common(*key, own, samples) for key, own in (small or families).items()]
    return sorted(found, key=lambda diagnosis: -diagnosis.cases)[:_SHOWN]


def _family(sample: Sample) -> str:
    p = sample.case.record.parameters
    own = p.get("function") or p.get("method") or (p.get("loss") if "activations" not in p else "")
    return f"{sample.case.operation} {own}".strip() if own else sample.case.operation


def _kind(tensor: str) -> str:
    """dW of dW0 and dW1."""
    return tensor.rstrip("0123456789")


def _common(name: str, kind: str, own: Sequence[Sample], samples: Sequence[Sample]) -> Diagnosis:
    """What the failing cases of a family have in common, in which the same goes wrong first."""
    what, hint = _what(kind, name, own), _hint(own)
    text = next(_texts(kind, own, samples), "")
    if hint.startswith(_NOT_FINITE):
        sentence = f"{what} is {hint}"
    elif text and (_elementary(own[0]) or not _CAUSE.search(hint)):
        sentence = f"{what} {text}."
    elif _CAUSE.search(hint):
        sentence = f"{name}: {hint}"
    else:
        sentence = f"No known mistake: {what} goes wrong first. {hint}".strip()
    if sentence.startswith("the "):
        sentence = f"T{sentence[1:]}"
    only = condition(own, samples)
    common = f" All of them are cases {only}, and no case that passes is." if only else ""
    evidence = f"So it is in {plural(len(own), 'failing case')}, such as {own[0].case.id}.{common}"
    return Diagnosis(sentence, evidence, _look(kind, name, own), (), len(own))


def _elementary(sample: Sample) -> bool:
    return sample.case.operation == "activation"


def _what(kind: str, name: str, first: Sequence[Sample]) -> str:
    """The first wrong tensors, in the words of the operation."""
    if _elementary(first[0]):
        return f"the {'value' if kind == 'y' else 'derivative'} of {name.rsplit(maxsplit=1)[-1]}"
    return f"{_tensors(first)} of {name}"


def _tensors(samples: Sequence[Sample]) -> str:
    """The first wrong tensors, such as db0 and db1."""
    names = sorted({sample.wrong[0] for sample in samples})
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])}, ..."
    return " or ".join(names)


def _hint(own: Sequence[Sample]) -> str:
    """What is said of most of the cases one by one, but for the numbers of layers."""
    hints = Counter(_NUMBER.sub("#", s.hint) for s in own if s.hint)
    if not hints:
        return ""
    usual, n = hints.most_common(1)[0]
    if (
        n < _HINTS
        or usual.startswith("To see")
        or 2 * n <= len(own)
        or ("pass as" in usual and 5 * n < 4 * len(own))
    ):
        return ""
    return next(s.hint for s in own if _NUMBER.sub("#", s.hint) == usual)


def _texts(tensor: str, first: Sequence[Sample], samples: Sequence[Sample]) -> Iterator[str]:
    """What holds of the first wrong tensor of every case, the most telling first."""
    finite = all(np.isfinite(sample.answer[sample.wrong[0]]).all() for sample in first)
    if finite and (factor := factor_of(first)):
        yield f"is {factor}"
    if finite and (order := moved(first)):
        yield order
    if bits := bits_of(first):
        yield bits
    if _elementary(first[0]):
        family = _family(first[0])
        others = [s for s in samples if _family(s) == family and s not in first]
        if where := range_of(first, others, tensor):
            yield f"is wrong {where}, and right elsewhere"
    if place := region(first):
        yield f"is wrong in {place} only"
    if not finite and (classes := _classes(first)):
        yield f"is {classes} where a number is expected"


def _classes(samples: Sequence[Sample]) -> str:
    """NaN or inf, if the first wrong tensors hold nothing else that is wrong."""
    wrong = np.concatenate(
        [
            np.asarray(s.answer[s.wrong[0]], np.float64)[wrong_entries(s, s.wrong[0])]
            for s in samples
        ]
    )
    if np.isnan(wrong).all():
        return "NaN"
    return "infinite" if np.isinf(wrong).all() else ""


_BEFORE: Mapping[str, str] = {
    "z": "the product x W + b", "a": "the value of the activation", "loss": "the value of the loss",
    "g": "the gradient of the loss", "dW": "x^T dz, and what dz is made of",
    "db": "the sum of dz over the rows", "dx": "dz W^T, or the derivative",
    "y": "the value of the function", "params": "the step", "grads": "the gradient of the network",
    "m": "the first moment", "v": "the velocity, or the second moment",
}  # fmt: skip


def _look(kind: str, name: str, own: Sequence[Sample]) -> str:
    """Where to look. What comes before it is known to be right only if it was returned."""
    before = [(s, s.case.tensors[: s.case.tensors.index(s.wrong[0])]) for s in own]
    missing = any(tensor not in s.answer for s, names in before for tensor in names)
    then = "; what comes before it is right" if any(names for _, names in before) else ""
    then = "; not all that comes before it was returned" if missing else then
    return f"Look at {_BEFORE.get(kind, kind)} in {name}{then}."
