"""The text of docs/detection.md: every number in it was measured in the same run."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from benchmarks.entries import Smallest
from benchmarks.inputs import SETS
from benchmarks.measure import ARITHMETICS, Key, Measured
from benchmarks.methods import OURS, TITLES
from benchmarks.tables import (
    Errors,
    blind_table,
    by_family,
    found_table,
    known_table,
    not_ours,
    only_ours,
    row,
    smallest_table,
)
from benchmarks.texts import LIMITS, METHODS
from mlp_ref.corpus import load
from mlp_ref.faults import FAULTS, VARIANTS

__all__ = ["counts", "page", "wrapped"]


def counts(cases: int, single: int) -> str:
    """What was measured: ``cases`` of the corpus in float64, and ``single`` of them in float32."""
    return (
        f"{len(FAULTS)} faults, {len(VARIANTS)} variants, corpus {load().version} with {cases} "
        f"cases in float64 and {single} in float32."
    )


def wrapped(text: str) -> str:
    """A paragraph in lines of at most 120 characters."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= 120:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return "\n".join(lines)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def page(measured: Measured, errors: Errors) -> str:
    """The page. With fewer faults or cases than all it is a sketch."""
    return "\n\n".join(_parts(measured, errors)) + "\n"


def _parts(m: Measured, errors: Errors) -> Iterator[str]:
    def finds(method: str, inputs: str = "corpus", arithmetic: str = "float64") -> int:
        return len(m.finds(Key(method, inputs, arithmetic)))

    others = [name for name in m.methods if name != OURS]
    best = max(others, key=lambda name: finds(name, "normal"))
    best_here = max(others, key=finds)
    total, right = len(m.found), len(m.alarms)
    ours: Smallest = errors[OURS, "float64"]
    alone = only_ours(m)
    missed = [name for name in m.found if name not in m.finds(Key(OURS, "normal", "float64"))]

    yield "# Detection: which method finds which mistake"
    yield "<!-- written by `python -m benchmarks.detection`: change that, not this -->"
    yield counts(*(m.cases["corpus", A] for A in ARITHMETICS))
    yield "![Faults found, and the smallest error of one entry](detection.svg)"
    yield wrapped(
        f"The same {total} wrong implementations ([mlp_ref/faults](../mlp_ref/faults)) and the "
        f"same {right} correct ones (the NumPy reference, its {len(VARIANTS)} variants, PyTorch "
        f"and JAX) are judged by {len(m.methods)} methods, on "
        f"the certified corpus and on {m.cases['normal', 'float64']} questions with N(0,1) "
        "inputs, in one run of one program. A fault is *found* if the method rejects it at a "
        "case at which it accepts every correct implementation: whoever gets a false alarm "
        "loosens the test or drops the case. An *alarm* is a correct implementation that is "
        "rejected at a case; what is known and explained in a ledger is none. Methods that do "
        "not come with numbers of their own get the certified ones, rounded to the dtype."
    )
    yield from _results(m)
    yield "## Inputs or tolerance?"
    inputs_worth = finds(best_here) - finds(best, "normal"), finds(OURS) - finds(OURS, "normal")
    worth = finds(OURS, "normal") - finds(best, "normal"), finds(OURS) - finds(best_here)
    single = {
        inputs: max((finds(name, inputs, "float32"), TITLES[name]) for name in others)
        for inputs in SETS
    }
    yield wrapped(
        f"On N(0,1) inputs ours finds {finds(OURS, 'normal')} faults of {total} in float64, and "
        f"the best other method, {TITLES[best]}, {finds(best, 'normal')}. On our inputs these "
        f"are {finds(OURS)} and, with {TITLES[best_here]}, {finds(best_here)}. So the inputs are "
        f"worth {inputs_worth[0]} faults to the best other method and {inputs_worth[1]} to ours; "
        f"the tolerance is worth {worth[0]} on N(0,1) inputs and {worth[1]} on ours. "
        f"**{'Most' if sum(inputs_worth) > sum(worth) else 'Less than half'} of what is gained "
        "comes from the inputs.** In float32 ours finds "
        f"{finds(OURS, 'normal', 'float32')} and {finds(OURS, 'corpus', 'float32')}, and the "
        f"best other methods {single['normal'][0]} ({single['normal'][1]}) and "
        f"{single['corpus'][0]} ({single['corpus'][1]})."
    )
    yield wrapped(
        "What the tolerance buys beside faults: no false alarm on hard inputs, where every "
        "fixed tolerance has some; one rule for float64 and float32, where a tolerance that "
        "fits one fits the other badly; and errors of single entries that are millions of "
        "times smaller (below)."
    )
    yield wrapped(
        f"Derived bounds do not help where the inputs show nothing: {len(missed)} faults pass "
        "every N(0,1) question under ours in float64. They need logits that overflow, kinks, "
        "zeros, tails, ties or unusual shapes."
    )
    yield "## By family"
    yield wrapped("Faults found in float64: on our inputs / on N(0,1) inputs.")
    yield "\n".join(by_family(m))
    yield "## The smallest error of one gradient entry"
    yield wrapped(
        "One entry of a gradient of the reference is multiplied by 1 + d, for every entry that "
        "is not 0 of the corpus' small cases (difficulty 1 and 2, at most 1,000 numbers, all "
        "finite). The smallest d that is rejected follows from the error that the entry has "
        "and from the tolerance; the method is then run with a little less, which it accepts, "
        "and a little more, which it rejects (ours and the tolerances: at every entry; the "
        "gradient checkers: at two dozen). For ours the median is "
        f"**{ours.quantile(0.5):.1e}** in float64, and {(ours.errors <= 1e-12).mean():.0%} of "
        "the entries are at 1e-12 or better. Cases in which a method rejects the reference as "
        "it is are left out for that method (*cases*)."
    )
    yield "\n".join(smallest_table(errors, m.methods))
    yield wrapped(
        "The columns 90 % are the d of the entry that nine of ten are below. A d above 1 is an "
        "entry that may double unseen: an absolute tolerance does not see small gradients at "
        "all."
    )
    yield f"## Found by ours alone: {sum(map(len, alone.values()))} faults"
    yield wrapped(
        "In float64, on our inputs, and by no other method on either set without a false alarm."
    )
    yield "\n".join(f"* {family}: {', '.join(names)}" for family, names in alone.items())
    yield from _others(m)
    yield from _checkers(m)
    yield from _limits()


def _results(m: Measured) -> Iterator[str]:
    yield "## Methods"
    yield "\n".join(map(row, METHODS))
    for arithmetic in ARITHMETICS:
        yield f"## Found, and false alarms: {arithmetic}"
        yield "\n".join(found_table(m, arithmetic))
    silent = [name for name in m.found if name not in m.finds(Key(OURS, "corpus", "float32"))]
    yield wrapped(
        f"*Alarms* counts pairs of a correct implementation and a case; *cases left* are those "
        "without any. gradcheck is not asked in float32: its documentation says that it is for "
        f"float64. The {len(silent)} faults that ours leaves in float32 are within rounding "
        f"there (`docs/make_kills.py` says why): {', '.join(silent)}."
    )
    yield "## Wrong numbers of released libraries"
    yield wrapped(
        "Cases of the corpus at which PyTorch or JAX are wrong, each measured and explained in "
        "a [ledger](../mlp_ref/gate/ledgers), and how many of them each method rejects. A "
        "gradient checker is asked finite inputs only."
    )
    yield "\n".join(known_table(m))


def _others(m: Measured) -> Iterator[str]:
    found = list(not_ours(m))
    yield "## Found by others and not by ours"
    yield "\n".join(found) or "Nothing, on either set of inputs, in either arithmetic."
    if found:
        yield wrapped(
            "What lies within the derived bound may be returned by a correct implementation, so "
            "that to reject it is luck: none of those that were tried happens to be rejected at "
            "that case, by a tolerance that is as narrow there as the rounding errors are, or by "
            "a finite difference whose noise is near its tolerance."
        )


def _checkers(m: Measured) -> Iterator[str]:
    yield "## Gradient checkers"
    yield wrapped(
        "They need no expected values. That is their strength: they find a wrong derivative of "
        "a function that nobody has certified, which no other method here can. And it is their "
        "limit: what they cannot see by construction is an error outside of the gradient (the "
        "step of an optimizer), and a wrong function whose gradient is right for it (labels "
        "shifted, a mean that is a sum in loss and gradient alike). The rest of what they miss "
        "is within their tolerance. On our inputs, in float64:"
    )
    yield "\n".join(blind_table(m))
    loud = {name: len(m.loud(Key(name, "corpus", "float64"))) for name in m.methods}
    yield wrapped(
        "Their false alarms on our inputs come from kinks, where a central difference is the "
        "mean of two slopes, and from numbers so large or so curved that the step is wrong: "
        f"{loud.get('gradcheck', 0)} cases for gradcheck, {loud.get('check_grads', 0)} for "
        "check_grads in float64. check_grads looks along one random direction: an error in one "
        "entry is diluted by all others, but a check costs two evaluations, not two per entry."
    )


def _limits() -> Iterator[str]:
    yield "## Limits"
    yield "\n".join(wrapped(f"* {text}") for text in LIMITS)
    names = ", ".join(f"{name} {_version(name)}" for name in ("numpy", "torch", "jax"))
    yield wrapped(f"Python {platform.python_version()}, {names}; {platform.machine()}.")
