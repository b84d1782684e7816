"""Comparing two reports, tensor by tensor: what became worse, better, or is new.

Verdicts come first. A tensor that did not fail and fails now is worse, whatever it was before and
also if the base does not have it; so are one that ends in an error now, one that was compared and
is skipped, and one that the head no longer has.

Where both were compared, error/bound decides. Let r and r' be the ratios of the base and the head,
and s' what one unit in the last place of the head's number is worth against its bound. The head is
worse if

    r' > F (r + s'),    F = max_growth >= 1.

Without s' a ratio of 0, or of a fraction of one rounding, could not grow at all, although its size
is luck: rounded the other way, the same sum errs by up to one unit more. So s' is no choice: where
every number of the head is that of the base, or the next one above or below, no ratio has grown,
for any F. The head's worst entry then has an error e' <= e + one unit, hence r' <= e / bound + s',
which is at most r + s' because r is the largest ratio of its tensor. By the same rule, seen from
the other side, r > F (r' + s) is better.

A failure without numbers, such as a wrong shape, ranks as infinite, as NaN does. Reordered sums,
and hence other machines and numbers of threads, may move a ratio by more than F = 1.25.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import frexp, inf, isfinite, isnan, ldexp

from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.checks import fail
from mlp_ref.files import quote
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.results import Line, Report

__all__ = ["WORSE", "Change", "Comparison", "Difference", "compare", "last_place"]


class Change(StrEnum):
    """What happened to a tensor between base and head."""

    ERROR = "newly error"
    FAIL = "newly failing"
    UNEXPECTED = "no longer expected to fail"
    MORE = "more entries failing"
    GROWN = "error/bound grown"
    SKIP = "newly skipped"
    GONE = "vanished"
    PASS = "newly passing"
    FEWER = "fewer entries failing"
    SMALLER = "error/bound smaller"
    ENDED = "error no more"
    NEW = "new"
    MOVED = "moved within the factor"


WORSE = frozenset(
    {
        Change.ERROR, Change.FAIL, Change.UNEXPECTED, Change.MORE, Change.GROWN, Change.SKIP,
        Change.GONE,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """One tensor that changed; None stands for the side that does not have it."""

    change: Change
    before: Line | None
    after: Line | None

    @property
    def case(self) -> str:
        """The id of its case."""
        line = self.after or self.before
        return line.case if line else ""


@dataclass(frozen=True)
class Comparison:
    """All differences, out of ``tensors`` in ``cases``, those of the base and new ones together."""

    differences: tuple[Difference, ...]
    tensors: int
    cases: int

    @property
    def worse(self) -> tuple[Difference, ...]:
        """What became worse."""
        return tuple(d for d in self.differences if d.change in WORSE)

    def count(self, change: Change) -> int:
        """How many tensors changed in that way."""
        return sum(d.change == change for d in self.differences)


def compare(
    base: Report,
    head: Report,
    *,
    max_growth: float = 1.25,
    no_new_skip: bool = False,
    other_corpus: bool = False,
) -> Comparison:
    """Compare two complete reports over one corpus.

    ``no_new_skip``   a skip is also worse where nothing was compared before: in a new case, and in
                      place of an error
    ``other_corpus``  the corpora may differ; what the base has and the head has not is still worse

    Raises `InputError` if max_growth is below 1, if a report was cut short, or if the two are about
    different corpora or different shards.
    """
    if not 1 <= max_growth < inf:
        fail("--max-growth must be a number, 1 or more", repr(max_growth), "1.25 allows a quarter")
    for report in (base, head):
        if report.summary is None:
            fail(
                f"{quote(report.path)} must end with its summary",
                f"a run that was cut short after {len(report.cases)} cases",
                "run mlp-ref verify again",
            )  # fmt: skip
    one, other = base.header, head.header
    if one.corpus_sha256 != other.corpus_sha256 and not other_corpus:
        fail(
            f"{quote(head.path)} must be about the corpus of {quote(base.path)}",
            f"{other.corpus} ({other.corpus_sha256[:12]}) where that has {one.corpus} "
            f"({one.corpus_sha256[:12]})",
            "judge both by one corpus, or compare what they share with --allow-other-corpus",
        )  # fmt: skip
    if (one.shard, one.shard and one.total) != (other.shard, other.shard and other.total):
        fail(
            f"{quote(head.path)} must be about the cases of {quote(base.path)}",
            f"{_part(other.shard)} where that has {_part(one.shard)}",
            "join the shards with mlp-ref merge first",
        )  # fmt: skip
    return Comparison(
        tuple(_differences(base, head, max_growth, no_new_skip)),
        len({*base.results, *head.results}),
        len({*base.cases, *head.cases}),
    )


def _part(shard: tuple[int, int] | None) -> str:
    return f"shard {shard[0]}/{shard[1]}" if shard else "all cases"


def _differences(base: Report, head: Report, factor: float, strict: bool) -> Iterator[Difference]:
    for key in {**base.results, **head.results}:
        before, after = base.results.get(key), head.results.get(key)
        change = _change(before, after, factor, strict)
        if change:
            yield Difference(change, before, after)


def _change(before: Line | None, after: Line | None, factor: float, strict: bool) -> Change | None:
    """What happened; None if nothing did."""
    if after is None:
        return Change.GONE
    was, now = before and before.result.verdict, after.result.verdict
    if now == Verdict.SKIP and was != Verdict.SKIP:
        if strict or was in (Verdict.PASS, Verdict.FAIL):
            return Change.SKIP
        return Change.ENDED if before else Change.NEW
    if now != was:
        if now in (Verdict.FAIL, Verdict.ERROR):
            return Change.FAIL if now == Verdict.FAIL else Change.ERROR
        return Change.PASS if before else Change.NEW
    if before is None or now in (Verdict.ERROR, Verdict.SKIP):
        return None
    return _growth(before, after, factor)


def _growth(before: Line, after: Line, factor: float) -> Change | None:
    """Of a tensor that was compared twice, with the same verdict."""
    r, grown = _ratio(before), _ratio(after)
    if before.expectation and not after.expectation:
        return Change.UNEXPECTED
    if after.result.failed > before.result.failed:
        return Change.MORE
    if _exceeds(after, before, factor):
        return Change.GROWN
    if after.result.failed < before.result.failed:
        return Change.FEWER
    if _exceeds(before, after, factor):
        return Change.SMALLER
    return Change.MOVED if r != grown else None


def _ratio(line: Line) -> float:
    return inf if isnan(line.result.ratio) else line.result.ratio


def _exceeds(one: Line, other: Line, factor: float) -> bool:
    """Whether the ratio of ``one`` is the larger by more than the factor and one rounding.

    The ratios are themselves rounded, a few times each: 8 u of float64 is more than all of it.
    """
    most = factor * (_ratio(other) + last_place(one)) * (1 + 2**-50)
    return _ratio(one) > most or (_ratio(one) == inf and _ratio(other) < inf)


def last_place(line: Line) -> float:
    """What one unit in the last place of the number returned is worth, against its bound."""
    got, bound = line.result.got, line.result.bound
    if not (isfinite(got) and bound > 0):
        return 0.0
    arithmetic = ARITHMETICS[line.case.rpartition("/")[2]]
    exponent = frexp(max(abs(got), arithmetic.tiny_store or arithmetic.tiny))[1]
    return ldexp(1.0, exponent - arithmetic.precision) / bound
