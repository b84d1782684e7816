"""The search of the catalogue: which mistakes, alone or together, return what a subject did.

The most telling mistake is taken first: the one that reproduces the most cases. What it leaves
unexplained is searched for a further one, alone or on top of those found. A mistake that would
have failed a case that passes is none of the subject's in that group of cases; nor is one that
reproduces fewer cases than those in which it would show, and the subject does something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from math import comb, log2

from mlp_ref.gate.diagnosis.match import made_by, tensor_proof
from mlp_ref.gate.diagnosis.memory import MISTAKES, Memory, fault_of
from mlp_ref.gate.diagnosis.samples import Sample
from mlp_ref.gate.proof import BITS_OF_PROOF

__all__ = ["Found", "search"]

_PER_GROUP, _LOOKED_AT = 4, 80  # failing cases that are searched; what is found is tried on all
_ON_TOP = 30  # of these where mistakes are searched for on top of others
_TRIED = 16  # mistakes that are tried on all cases
_PARTNERS, _PAIRED = 8, 2  # mistakes that are tried in pairs, on so many cases
_SHOWN = 4  # of so many cases that it explains on top of others, it must show alone in one
_BITS_OF_MORE = 18  # of a further mistake, for what is left over may be anything
_MOST_OF_SILENCE = 14.0  # bits, for the cases are no independent ones


@dataclass(frozen=True)
class Found:
    """Mistakes that return the same in these cases.

    ``names``   of one mistake, or of several that the cases do not tell apart
    ``cases``   the failing cases that it explains, alone or with those found before
    ``beside``  those with which together it explains them
    """

    names: tuple[str, ...]
    cases: tuple[Sample, ...]
    beside: tuple[str, ...] = ()


def search(samples: Sequence[Sample]) -> tuple[list[Found], list[Sample]]:
    """The mistakes that explain failing cases, the most telling first, and what they leave over."""
    memory, barred = Memory(samples), set[str]()
    failing = [sample for sample in samples if sample.wrong]
    while True:
        found = _greedy(memory, failing, barred)
        wrong = [f.names[0] for f in found if _against(memory, f, found, failing) > len(f.cases)]
        if not wrong:
            return found, _left(memory, found, failing)
        barred.add(wrong[-1])


def _greedy(memory: Memory, failing: Sequence[Sample], barred: set[str]) -> list[Found]:
    found, left = list[Found](), list(failing)
    while left:
        known = {name for f in found for name in f.names} | barred
        before = tuple(f.names[0] for f in found)
        best = (
            _best(memory, left, (), known, more=bool(found))
            or (_best(memory, left, before, known, more=True) if before else None)
            or _pair(memory, left, known)
        )
        if best is None:
            break
        found += best
        left = _left(memory, found, failing)
    return found


def _left(memory: Memory, found: Sequence[Found], failing: Sequence[Sample]) -> list[Sample]:
    """What is explained neither by a mistake that was found nor by all together."""
    explained = {id(sample) for f in found for sample in f.cases}
    together = tuple(f.names[0] for f in found)
    return [
        sample for sample in failing
        if id(sample) not in explained
        and not (together and memory.proof(together, sample) is not None)
    ]  # fmt: skip


def _against(memory: Memory, f: Found, found: Sequence[Found], failing: Sequence[Sample]) -> int:
    """How many failing cases would show a mistake, and do not, with any other.

    They are of the operations of which it explains some.
    """
    name = f.names[0]
    operations = {sample.case.operation for sample in f.cases}
    own = {id(sample) for sample in f.cases}
    names = tuple(other.names[0] for other in found)
    before = names[: names.index(name)]
    orders = {(name,), (*before, name), (name, *before), names}
    return sum(
        all(memory.proof(order, sample) is None for order in orders)
        for sample in failing
        if sample.case.operation in operations
        and id(sample) not in own
        and memory.shows(name, sample)
    )


# ------------------------------------------------------------------------------- one more mistake


def _best(
    memory: Memory,
    left: Sequence[Sample],
    before: tuple[str, ...],
    known: set[str],
    *,
    more: bool,
) -> list[Found] | None:
    """The mistake that explains most of what is left, alone or on top of those before."""
    looked_at = _spread(left)[: _ON_TOP if before else _LOOKED_AT]
    quick = {
        name: sum(_bits(memory, name, before, sample) is not None for sample in looked_at)
        for name in MISTAKES
        if name not in known
    }
    most = _each_once(sorted((name for name, n in quick.items() if n), key=lambda n: -quick[n]))
    results = {name: _explained(memory, name, before, left) for name in most[:_TRIED]}
    needed, fewest = (_BITS_OF_MORE, 2) if more else (BITS_OF_PROOF, 1)
    results = {
        name: cases
        for name, cases in results.items()
        if sum(bits for _, bits in cases) + _silence(memory, name, cases) >= needed
        and len(cases) >= fewest
        and _SHOWN * sum(memory.shows(name, sample) for sample, _ in cases) >= len(cases)
    }
    if not results:
        return None

    def rank(name: str) -> tuple[float, ...]:
        own = results[name]
        return len(own), -memory.spared(name), sum(bits for _, bits in own)

    best = max(results, key=rank)
    cases = tuple(sample for sample, _ in results[best])
    own = {id(sample) for sample in cases}
    same = [
        name for name, other in results.items()
        if fault_of(name)[0] != fault_of(best)[0] and {id(sample) for sample, _ in other} == own
        and memory.spared(name) <= memory.spared(best)
    ]  # fmt: skip
    return [Found((best, *same), cases, before)]


def _each_once(names: Iterable[str]) -> list[str]:
    """Of each mistake the first constant; its own comes first among equals, as in `MISTAKES`."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(fault_of(name)[0], name)
    return list(first.values())


def _silence(memory: Memory, name: str, cases: Sequence[tuple[Sample, float]]) -> float:
    """What it proves that exactly those cases fail in which this mistake shows, and no other."""
    failing = sum(bool(sample.wrong) for sample in memory.samples)
    if len(cases) < failing or memory.alike(failing) != [name]:
        return 0.0
    return min(_MOST_OF_SILENCE, log2(comb(len(memory.samples), failing)))


def _bits(memory: Memory, name: str, before: tuple[str, ...], sample: Sample) -> float | None:
    """Of a mistake, on top of those before if there are some, where it may show."""
    may = memory.concerns(name, sample) if before else memory.shows(name, sample)
    return memory.proof((*before, name), sample) if may else None


def _explained(
    memory: Memory, name: str, before: tuple[str, ...], left: Sequence[Sample]
) -> list[tuple[Sample, float]]:
    """The cases that the mistake explains, in groups that do not refute it."""
    found = [(sample, _bits(memory, name, before, sample)) for sample in left]
    return [
        (sample, bits) for sample, bits in found
        if bits is not None and not memory.refuted(name, sample.group)
    ]  # fmt: skip


def _spread(samples: Iterable[Sample]) -> list[Sample]:
    """A few of each group, the small ones first, at most `_LOOKED_AT` in all."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(f"{sample.group} {sample.case.arithmetic.name}", []).append(sample)
    chosen = [sorted(group, key=_size)[:_PER_GROUP] for group in groups.values()]
    in_turn = [sample for row in zip_longest(*chosen) for sample in row if sample is not None]
    return in_turn[:_LOOKED_AT]


def _size(sample: Sample) -> int:
    return sum(x.size for x in sample.answer.values())


# ------------------------------------------------------------------------------------ two at once


def _pair(memory: Memory, left: Sequence[Sample], known: set[str]) -> list[Found] | None:
    """Two mistakes that explain together what neither does alone.

    One of them must return one of the wrong tensors.
    """
    usual = [name for name in MISTAKES if name not in known and name == fault_of(name)[0]]
    for sample in _spread(left)[:_PAIRED]:
        shown = [name for name in usual if memory.shows(name, sample)]
        for first in islice(_partial(memory, sample, shown), _PARTNERS):
            for second in shown:
                for names in ((first, second), (second, first)):
                    if second != first and _proves(memory, names, sample):
                        found = _both(memory, names, left)
                        if found:
                            return found
    return None


def _proves(memory: Memory, names: tuple[str, ...], sample: Sample) -> bool:
    return (memory.proof(names, sample) or 0.0) >= BITS_OF_PROOF


def _both(memory: Memory, names: tuple[str, str], left: Sequence[Sample]) -> list[Found] | None:
    """Two mistakes with all cases that they explain together: more than one."""
    cases = tuple(
        s for s in left
        if memory.proof(names, s) is not None
        and not any(memory.refuted(name, s.group) for name in names)
        and all(memory.shows(name, s) for name in names)
    )  # fmt: skip
    if len(cases) < 2:
        return None
    return [Found((name,), cases, (other,)) for name, other in (names, names[::-1])]


def _partial(memory: Memory, sample: Sample, names: Sequence[str]) -> Iterator[str]:
    """Mistakes that return one of the wrong tensors of a case."""
    for name in names:
        made = made_by(MISTAKES[name], sample)
        for tensor in sample.wrong:
            got, right = sample.answer[tensor], sample.expected[tensor]
            bits = tensor_proof(made.get(tensor), got, right, sample)
            if bits is not None and bits >= BITS_OF_PROOF:
                yield name
                break
