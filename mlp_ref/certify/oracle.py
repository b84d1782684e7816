"""The second oracle: it must confirm, by wholly different means, every word of a certified record.

Values come from textbook formulas in mpmath at two precisions, derivatives from central differences
of the same formulas in MPFR (`differences`). Nothing is shared with the first oracle: no formula,
no derivative, no number library. Neither library's global precision is touched.

A word pair is confirmed if hi is the float64 nearest to the oracle's number and low the nearest in
its last place (either of two at a tie), which is half the stored radius or half a unit of low,
whichever is more, and never more than the radius. To that the oracle's own error is added, which
must be far below what it judges: at most

    2^-8 radius or 2^-140 |value|, whichever is more;   2^-1082 max(1, |value|) if the radius is 0

Otherwise `Disagreement` is raised: an oracle that cannot see must not nod. Where ``sets`` allow
several numbers, hi must be the one of the LEFT derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import copysign, floor, ulp
from typing import Any, NoReturn

import numpy as np

from mlp_ref.certify.chain import forward, magnitude
from mlp_ref.certify.differences import TOTAL, derivatives
from mlp_ref.certify.naive import FLOOR_BITS, ZERO_AT_ZERO, mpmath_numbers, step
from mlp_ref.certify.questions import Question, Unasked, question
from mlp_ref.checks import InputError
from mlp_ref.corpus.records import Certified, Record, checksum_weights

__all__ = ["DIGITS", "Disagreement", "agree"]

Array = np.ndarray[Any, Any]
DIGITS = 32.0  # hi + low hold 106 bits; more agreement than that they cannot show
_LEAST_WHOLE = -968  # below 2^-968 hi + low hold less than 106 bits
_LEAST = 2.0**-1074
_BITS = 1240  # 2^-1082 of numbers near 1, and more than 100 bits to spare
_NEAR_TIE = 1 + 2.0**-30  # the first oracle may take a number this close to a tie for one
_MORE_BITS = 200  # of the second precision


class Disagreement(InputError):
    """The second oracle does not confirm a certified number, or cannot see it sharply enough."""


def agree(record: Record) -> dict[str, float]:
    """Agreed decimal digits of ``values`` and of ``derivatives``, each the least over its entries.

    The digits of an entry are -log10 of (difference + the oracle's error) / |hi + low|, at most 32,
    rounded down to tenths. NaN, infinities and numbers that are zero to within their radius are
    checked but show no digits; below 2^-968, where hi + low are coarser, |hi + low| counts as
    2^-968. A key is missing if the record has no such entries; both are if it must be rejected.

    Raises `Disagreement` for the first entry that is not confirmed.
    """
    import mpmath

    if not record.expected:
        return {}
    ctx = mpmath.MPContext()
    judge = _Judge(record, ctx)
    inputs = record.arrays()
    if record.operation == "optimizer":
        grads = np.array([(x, 0) for x in inputs["grads"].tolist()], object)
        _judge_step(judge, inputs, grads)
        return judge.digits
    try:
        asked = question(record, inputs)
    except Unasked as error:
        raise Disagreement(f"{record.id}: {error}") from None
    judge.rules = asked.rules
    _judge_values(judge, asked)
    if record.operation == "train_step":
        _judge_training(judge, asked, inputs)
    else:
        _judge_derivatives(judge, asked)
    return judge.digits


class _Judge:
    """Compares the oracle's numbers with those of one record."""

    def __init__(self, record: Record, ctx: Any) -> None:
        self.record, self.ctx, self.digits = record, ctx, dict[str, float]()
        self.rules: Mapping[str, Array] = {}

    def goals(self, name: str) -> dict[int, float]:
        """Flat index -> radius of what must be differenced; `TOTAL` -> 0 for a checksum."""
        certified = self.record.expected[name]
        rule = self.rules.get(name, np.zeros(certified.shape)).reshape(-1)
        goals = {k: r for k, _, _, r in _entries(certified) if np.isfinite(rule[k])}
        return goals | ({} if certified.checksum is None else {TOTAL: 0.0})

    def tensor(self, kind: str, name: str, numbers: Mapping[int, tuple[Any, Any]]) -> None:
        """Check one tensor: ``numbers`` holds value and error for every goal."""
        certified = self.record.expected[name]
        rule = self.rules.get(name, np.zeros(certified.shape)).reshape(-1)
        for k, hi, low, radius in _entries(certified):
            if not np.isfinite(rule[k]):
                if not (hi == rule[k] or (hi != hi and rule[k] != rule[k])):
                    self.refuse(name, k, hi, low, radius, str(rule[k]))
                self.digits.setdefault(kind, DIGITS)
                continue
            self.entry(kind, name, k, (hi, low, radius), *numbers[k])
            allowed = certified.sets.get(k, (hi,))
            if hi not in allowed:
                self.refuse(name, k, hi, low, radius, f"left of its set {allowed}")
        if certified.checksum is not None:
            self.entry(kind, name, TOTAL, (certified.checksum, 0.0, 0.0), *numbers[TOTAL])

    def entry(
        self, kind: str, name: str, k: int, word: tuple[float, float, float], value: Any, error: Any
    ) -> None:
        """Check one number."""
        ctx, (hi, low, radius) = self.ctx, word
        shown = f"{ctx.nstr(value, 40)} +- {ctx.nstr(error, 3)}"
        if not (np.isfinite(hi) and np.isfinite(low)) or not ctx.isfinite(value):
            same = not low and (hi == value or (hi != hi and value != value))
            beyond = ctx.isfinite(value) and abs(value) >= ctx.ldexp(2**54 - 1, 970)
            if not (same or (beyond and hi == copysign(np.inf, value))):
                self.refuse(name, k, hi, low, radius, shown)
            self.digits.setdefault(kind, DIGITS)
            return
        middle = ctx.mpf(hi) + ctx.mpf(low)
        gap = abs(value - middle)
        nearest = max(ctx.mpf(radius), ctx.mpf(ulp(low))) / 2 * _NEAR_TIE
        if not gap <= min(ctx.mpf(radius), nearest) + error + ctx.ldexp(1, -FLOOR_BITS):
            self.refuse(name, k, hi, low, radius, shown)
        if abs(low) > ulp(hi) / 2:
            self.refuse(name, k, hi, low, radius, f"{shown}, and hi is not the float nearest to it")
        if not _enough(value, error, radius, lambda n: ctx.ldexp(1, n)):
            self.refuse(name, k, hi, low, radius, f"no more than {shown}")
        if self.record.operation == "activation" and k != TOTAL and hi == 0:
            self.zero(name, k, hi, value)
        digits = DIGITS
        if abs(middle) > radius and gap + error:
            scale = max(abs(middle), ctx.ldexp(1, _LEAST_WHOLE))
            digits = min(DIGITS, floor(-10 * ctx.log10((gap + error) / scale)) / 10)
        self.digits[kind] = min(digits, self.digits.get(kind, DIGITS))

    def zero(self, name: str, k: int, hi: float, value: Any) -> None:
        """The sign of a zero y that counts: that of the exact number, or else of x."""
        certified, function = self.record.expected[name], self.record.parameters["function"]
        x = self.record.arrays()["x"].reshape(-1)[k]
        known = value != 0 or (function in ZERO_AT_ZERO and function != "relu")
        sign = value or x
        if (
            certified.signed_zeros
            and name == "y"
            and known
            and copysign(1, hi) != copysign(1, sign)
        ):
            self.refuse(name, k, hi, 0.0, 0.0, f"a zero of the sign of {sign}")

    def refuse(
        self, name: str, k: int, hi: float, low: float, radius: float, found: str
    ) -> NoReturn:
        """Raise."""
        shape = self.record.expected[name].shape
        place = [int(i) for i in np.unravel_index(k, shape)] if k != TOTAL else " checksum"
        raise Disagreement(
            f"{self.record.id}: {name}{place} must be confirmed by the second oracle; got "
            f"{hi!r} + {low!r} with radius {radius:.3g}, while the oracle finds {found}; find "
            "which of the two is wrong before writing the case"
        )


def _entries(certified: Certified) -> Iterator[tuple[int, float, float, float]]:
    """Flat index, hi, low and radius of every stored entry."""
    parts = [np.asarray(x).reshape(-1).tolist() for x in (certified.hi, certified.low)]
    flat = range(len(parts[0])) if certified.index is None else certified.index.tolist()
    return zip(flat, *parts, np.asarray(certified.radius).reshape(-1).tolist(), strict=True)


def _enough(value: Any, error: Any, radius: float, exp2: Callable[[int], Any]) -> bool:
    """Whether an error is far below what it judges; see the module."""
    if radius == 0:
        return bool(error <= exp2(-1082) * max(1, abs(value)))
    return bool(error <= exp2(-8) * radius or error <= exp2(-140) * abs(value))


def _with_total(numbers: dict[int, tuple[Any, Any]]) -> dict[int, tuple[Any, Any]]:
    """Every entry, and what a checksum must be."""
    weights = checksum_weights(len(numbers)).tolist()
    value, error = (sum(weights[k] * x[i] for k, x in numbers.items()) for i in (0, 1))
    return numbers | {TOTAL: (value, error)}


def _judge_values(judge: _Judge, asked: Question) -> None:
    """The tensors of the forward pass and the loss, at two precisions."""
    names = {
        name: inner
        for name, inner in asked.names.items()
        if name in judge.record.expected and (inner == "loss" or inner[0] in "za")
    }
    if not names:
        return
    ctx, m = judge.ctx, magnitude(asked.chain)
    passes = []
    for bits in (_BITS + m, _BITS + m + _MORE_BITS):
        ctx.prec = bits
        trace = forward(asked.chain, mpmath_numbers(ctx))
        found = {"loss": [trace.rows.sum() / asked.chain.count]}
        for k, (z, a) in enumerate(zip(trace.z, trace.a[1:], strict=True)):
            found |= {f"z{k}": z.reshape(-1).tolist(), f"a{k}": a.reshape(-1).tolist()}
        passes.append(found)
    blind = ctx.ldexp(1, -_BITS)
    for name, inner in names.items():
        coarse, fine = (found[inner] for found in passes)
        numbers = {
            k: (v, abs(v - u) + blind) for k, (u, v) in enumerate(zip(coarse, fine, strict=True))
        }
        judge.tensor("values", name, _with_total(numbers))


def _differences(
    judge: _Judge, asked: Question, wanted: Mapping[str, Mapping[int, float]]
) -> dict[str, dict[int, tuple[Any, Any]]]:
    """`derivatives` in the numbers of the judge."""
    import gmpy2

    ctx = judge.ctx
    ctx.prec = _BITS + _MORE_BITS

    def mpf(x: Any) -> Any:
        mantissa, exponent = x.as_mantissa_exp()
        return ctx.ldexp(int(mantissa), int(exponent))

    found = derivatives(asked.chain, wanted, lambda v, e, goal: _enough(v, e, goal, gmpy2.exp2))
    return {
        name: {k: (mpf(x.value), mpf(x.error)) for k, x in entries.items()}
        for name, entries in found.items()
    }


def _judge_derivatives(judge: _Judge, asked: Question) -> None:
    """Every stored entry of every gradient."""
    names = {
        name: inner
        for name, inner in asked.names.items()
        if name in judge.record.expected and inner[0] == "d"
    }
    found = _differences(judge, asked, {names[name]: judge.goals(name) for name in names})
    for name, inner in names.items():
        judge.tensor("derivatives", name, found[inner])


def _judge_training(judge: _Judge, asked: Question, inputs: Mapping[str, Array]) -> None:
    """All gradients of the flat vector, and the step that they lead to."""
    sizes = {
        f"{part}{k}": x.size
        for k, layer in enumerate(asked.chain.layers)
        for part, x in zip(("dW", "db"), layer, strict=True)
    }
    stored = judge.goals("grads") if "grads" in judge.record.expected else {}
    wanted, start = {}, 0
    for name, size in sizes.items():
        wanted[name] = {k: stored.get(start + k, _LEAST) for k in range(size)}
        start += size
    found = _differences(judge, asked, wanted)
    flat = [found[name][k] for name, size in sizes.items() for k in range(size)]
    numbers = dict(enumerate(flat))
    if stored:
        judge.tensor("derivatives", "grads", _with_total(numbers))
    _judge_step(judge, inputs, np.array(flat, object).reshape(-1, 2))


def _judge_step(judge: _Judge, inputs: Mapping[str, Array], grads: Array) -> None:
    """One step of an optimizer; grads (p, 2) are values and errors, which are carried through."""
    ctx, expected = judge.ctx, judge.record.expected
    state = [name for name in ("params", "m", "v") if name in inputs]
    parts = [inputs[name].reshape(-1).tolist() for name in state]
    out: dict[str, dict[int, tuple[Any, Any]]] = {name: {} for name in state}
    for k, (row, (g, g_error)) in enumerate(zip(zip(*parts, strict=True), grads, strict=True)):
        m = sum(2 * max(0, int(ctx.mag(x))) for x in (*row, g) if x and ctx.isfinite(x))
        runs = []
        for bits, shift in ((0, 0), (0, 1), (0, -1), (_MORE_BITS, 0)):
            ctx.prec = _BITS + m + bits
            exact = {name: ctx.mpf(x) for name, x in zip(state, row, strict=True)}
            moved = ctx.mpf(g) + shift * g_error
            numbers = mpmath_numbers(ctx)
            runs.append(step(judge.record.parameters, exact["params"], moved, exact, numbers))
        for name in runs[-1]:
            values = [run[name] for run in runs]
            error = max(abs(v - values[-1]) for v in values) + ctx.ldexp(1, -_BITS)
            out[name][k] = (values[-1], error)
    for name in state:
        if name in expected:
            judge.tensor("values", name, _with_total(out[name]))
