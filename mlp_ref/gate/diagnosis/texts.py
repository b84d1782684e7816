"""The words of a diagnosis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from mlp_ref.faults import FAULTS
from mlp_ref.gate.diagnosis.memory import fault_of
from mlp_ref.gate.diagnosis.samples import Sample
from mlp_ref.gate.diagnosis.search import Found
from mlp_ref.gate.findings import Diagnosis
from mlp_ref.gate.run import CaseReport
from mlp_ref.gate.tally import plural

__all__ = ["earlier", "of_catalogue", "operations", "remaining"]

_NAMED = 3  # mistakes that are named where the cases do not tell them apart


def operations(samples: Iterable[Sample]) -> str:
    """The operations of some cases, the most frequent first."""
    return ", ".join(name for name, _ in Counter(s.case.operation for s in samples).most_common())


def of_catalogue(found: Found, failing: int) -> Diagnosis:
    """One mistake that is proven, or a few that the cases do not tell apart."""
    named = [_named(*fault_of(name)) for name in found.names]
    ids = tuple(dict.fromkeys(fault_of(name)[0] for name in found.names))
    if len(named) > 1:
        more = len(named) - _NAMED
        rest = f" Or one of {more} others." if more > 0 else ""
        sentence = f"One of these, which look the same here. {' Or '.join(named[:_NAMED])}{rest}"
    else:
        sentence = named[0]
    wrong = sum(s.answer[tensor].size for s in found.cases for tensor in s.wrong)
    *others, last = ["", *(fault_of(name)[0] for name in found.beside)]
    beside = " and ".join(filter(None, (", ".join(filter(None, others)), last)))
    alone = f", together with {beside}" if beside else ""
    explained = f"{len(found.cases):,} of {plural(failing, 'failing case')}"
    evidence = (
        f"This mistake returns what the subject does in {explained} ({operations(found.cases)}), "
        f"all {plural(wrong, 'number')} of the wrong tensors{alone}; no case that passes there "
        "speaks against it."
    )
    fixes = dict.fromkeys(FAULTS[name].fix for name in ids[:_NAMED])
    return Diagnosis(sentence, evidence, " Or: ".join(fixes), ids, len(found.cases))


def earlier(reports: Sequence[CaseReport]) -> tuple[Diagnosis, ...]:
    """What cannot be diagnosed: answers that were compared, and are not at hand any more."""
    lost = [
        report for report in reports
        if not report.answer and any(result.ratio == result.ratio for result in report.unexpected)
    ]  # fmt: skip
    if not lost:
        return ()
    return (
        Diagnosis(
            f"{plural(len(lost), 'failing case')} took no part in the diagnosis.",
            f"Their answers are not at hand, such as that of {lost[0].case.id}: they were judged "
            "before the run was resumed, or are very long.",
            "Run again without --resume.", (), len(lost),
        ),
    )  # fmt: skip


def remaining(left: Sequence[Sample], failing: int) -> Diagnosis:
    """A few cases that the mistakes found do not explain to the last number."""
    return Diagnosis(
        f"Unexplained: {plural(len(left), 'failing case')} of {failing:,}.",
        f"Together, the mistakes above return something else there, such as in {left[0].case.id}.",
        "Mend those first, and judge again.", (), len(left),
    )  # fmt: skip


def _named(fault: str, constant: str) -> str:
    """A mistake in a sentence or two."""
    known = FAULTS[fault]
    usual = f" Here it is with {constant}." if constant else ""
    return f"{fault}: {known.symptom} It computes {known.formula}.{usual}"
