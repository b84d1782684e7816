"""The smallest relative error of a single gradient entry that a method rejects.

An entry of the reference's gradient is multiplied by 1 + d, and all else left as it is. For every
entry the smallest d > 0 is solved for that leaves the tolerance t, e = got - right being the error
that the entry has already:

    |got (1 + d) - right| = t,  so that  d = (t - sign(got) e) / |got|

Then the method itself is run: it must accept a little less and reject a little more. Asked are
small cases: of difficulty 1 or 2, with at most 1,000 numbers, all finite. A d below the spacing of
the dtype is no error, and counts as that spacing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.differences import DIFFERENCES, Subject, projected_parts
from benchmarks.judging import Known, known_cases, reference
from benchmarks.methods import OURS, TOLERANCES
from benchmarks.real import REAL
from benchmarks.views import Answers, View
from mlp_ref.arithmetic import Array
from mlp_ref.gate.judge import Verdict, judge_certified

__all__ = ["Smallest", "smallest_errors"]

MARGIN = 2.0**-7  # how much less is accepted, and more rejected, beside a few roundings
SAMPLED = 24  # entries at which the gradient checkers themselves are run


class Entry(NamedTuple):
    """A gradient entry of a case, by its flat place in a tensor."""

    known: Known
    tensor: str
    place: int


class Smallest(NamedTuple):
    """The smallest d of every entry; ``quiet`` cases of ``cases`` accept the reference as it is."""

    errors: Array
    quiet: int
    cases: int

    def quantile(self, share: float) -> float:
        """That of the entries."""
        return float(np.quantile(self.errors, share, method="inverted_cdf"))


def small_cases(arithmetic: str, every: int = 1) -> list[Known]:
    """The small cases with gradients, or every so-many-th of them."""
    found = known_cases("corpus", arithmetic).values()
    return [known for known in found if known.view and known.case.record.difficulty <= 2][::every]


def smallest_errors(method: str, arithmetic: str, every: int = 1, real: bool = True) -> Smallest:
    """The smallest d of every gradient entry that is not 0, in the cases that a method can use.

    Raises `AssertionError` if the method itself does not accept less and reject more.
    """
    cases = small_cases(arithmetic, every)
    errors, entries, quiet = [], [], 0
    for known in cases:
        found = [*_solved(method, known)]
        if all(d >= 0 for _, d in found):  # else it rejects the reference
            quiet += 1
            errors += [max(d, _spacing(entry)) for entry, d in found]
            entries += [entry for entry, _ in found]
    if real or method not in REAL:
        _confirm(method, entries, errors)
    return Smallest(np.array(errors), quiet, len(cases))


def _spacing(entry: Entry) -> float:
    """The spacing of the dtype at an entry, relative to it; wide among subnormal numbers."""
    x = np.abs(entry.known.answer[entry.tensor].flat[entry.place])
    return max(float(np.spacing(x) / x), float(np.finfo(x.dtype).eps))


def _underflow(entry: Entry) -> float:
    """What rounding a tolerance to a subnormal number may change, relative to an entry."""
    x = np.abs(entry.known.answer[entry.tensor].flat[entry.place])
    return float(np.finfo(x.dtype).smallest_subnormal / x)


# -------------------------------------------------------------------------------- solved for


def _least(got: Array, error: Array, tolerance: Array) -> Array:
    """The smallest d; -1 where the tolerance is left already."""
    with np.errstate(divide="ignore", invalid="ignore"):
        least = (tolerance - np.sign(got) * error) / np.abs(got)
    return np.where(np.abs(error) <= tolerance, np.where(got == 0, np.inf, least), -1.0)


def _solved(method: str, known: Known) -> Iterator[tuple[Entry, float]]:
    view = known.view
    assert view is not None
    solve = (
        _by_difference if method in DIFFERENCES else _by_bound if method == OURS else _by_tolerance
    )
    for tensor, found in zip(view.gradients, solve(method, known, view), strict=True):
        answer, sets = known.answer[tensor].ravel(), known.expected[tensor].sets
        for k in np.flatnonzero(answer):
            if k not in sets:  # where several derivatives are right, none is
                yield Entry(known, tensor, int(k)), float(found[k])


def _by_bound(method: str, known: Known, view: View) -> Iterator[Array]:
    """The derived bound and the radius; the error is that of the certified words."""
    for tensor in view.gradients:
        q, got = known.expected[tensor], known.answer[tensor].astype(np.float64).ravel()
        allowed = (q.bounds[known.case.arithmetic.name] + q.radius).ravel()
        yield _least(got, got - q.hi.ravel() - q.low.ravel(), allowed)


def _by_tolerance(method: str, known: Known, view: View) -> Iterator[Array]:
    dtype, rule = known.case.arithmetic.name, TOLERANCES[method]
    relative, absolute = rule.relative(dtype, "gradient"), rule.absolute(dtype, "gradient")
    for tensor in view.gradients:
        got = known.answer[tensor].astype(np.float64).ravel()
        right = known.numbers[tensor].astype(np.float64).ravel()
        yield _least(got, got - right, absolute + relative * np.abs(right))


def _by_difference(method: str, known: Known, view: View) -> Iterator[Array]:
    """What the entry adds to what is compared: its row of the Jacobian, or its part of a sum."""
    A, rule, subject = known.case.arithmetic.name, DIFFERENCES[method], reference().subject
    relative, absolute = rule.tolerance(A)
    analytic = rule.analytic(subject.answers, view).astype(np.float64)
    numeric = rule.numeric(subject.value, view).astype(np.float64)
    tolerance = absolute + relative * np.abs(numeric)
    if method == "gradcheck":
        analytic = analytic[:, :-1]
        every = _least(analytic, analytic - numeric, tolerance).min(axis=1)
    else:
        part = projected_parts(subject.answers, view)
        every = _least(part, analytic - numeric, tolerance)
    sizes = [known.answer[tensor].size for tensor in view.gradients]
    yield from np.split(every, np.cumsum(sizes)[:-1])


# ------------------------------------------------------------------------------- and confirmed


def _confirm(method: str, entries: Sequence[Entry], errors: Sequence[float]) -> None:
    step = max(1, len(entries) // SAMPLED) if method in DIFFERENCES else 1
    outside: Callable[[Entry, float], bool] = (
        _checked(method) if method in DIFFERENCES else _judged(method)
    )
    for entry, error in list(zip(entries, errors, strict=True))[::step]:
        room = error * MARGIN + 2 * _spacing(entry) + _underflow(entry)
        less, more = error - room, error + room
        wrong = (less > 0 and outside(entry, less)) or not outside(entry, more)
        assert not wrong, f"{method} at {entry.known.case.id} {entry.tensor} {entry.place}: {error}"


def _scaled(entry: Entry, tensor: Any, error: float) -> Array:
    out = np.array(tensor)
    with np.errstate(over="ignore"):
        out.flat[entry.place] *= 1 + error
    return out


def _judged(method: str) -> Callable[[Entry, float], bool]:
    def outside(entry: Entry, error: float) -> bool:
        known, tensor = entry.known, entry.tensor
        got = _scaled(entry, known.answer[tensor], error)
        if method == OURS:
            found = judge_certified(tensor, got, known.expected[tensor], known.case.arithmetic)
            return found.verdict == Verdict.FAIL
        k = slice(entry.place, entry.place + 1)  # entries are compared one by one
        right = known.numbers[tensor].ravel()[k]
        return TOLERANCES[method].rejects(got.ravel()[k], right, "gradient")

    return outside


def _checked(method: str) -> Callable[[Entry, float], bool]:
    right = reference().subject

    def outside(entry: Entry, error: float) -> bool:
        def answers(case: Any, inputs: Mapping[str, Array]) -> Mapping[str, Any]:
            found = right.answers(case, inputs)
            return {**found, entry.tensor: _scaled(entry, found[entry.tensor], error)}

        wrong: Answers = answers
        view: Any = entry.known.view
        return REAL[method](Subject(wrong, right.value), view)

    return outside
