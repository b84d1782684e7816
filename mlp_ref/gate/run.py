"""The runner: ask a subject every case, judge every tensor, count everything.

A case ends in exactly one verdict, and each of its tensors in exactly one, so that every
denominator is known before the subject is called.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from time import perf_counter
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.bounds import Bounded
from mlp_ref.checks import fail
from mlp_ref.corpus.names import REJECTS
from mlp_ref.gate.cases import REJECTION, Case
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.findings import Diagnosis
from mlp_ref.gate.hints import explain
from mlp_ref.gate.judge import Result, Verdict, judge_certified
from mlp_ref.subjects import Kind, Reply, Session

__all__ = ["CaseReport", "Summary", "run_case", "run_cases"]

_MOST_KEPT = 250_000  # numbers of an answer
_PROGRAMS = ("cmd:", "so:", "files:")


@dataclass(frozen=True)
class CaseReport:
    """The outcome of one case: the worst of its tensors' verdicts; skip if none was compared.

    ``expectations`` tensor -> id of the expectation that names it and, if it fails, excuses it
    ``hint``         what the numbers say about the first tensor that fails unexpectedly
    ``answer``       the tensors that were compared, in memory of their own; none if one of them
                     could not be compared, or if they are many
    """

    case: Case
    results: tuple[Result, ...]
    seconds: float = 0.0
    hint: str = ""
    expectations: Mapping[str, str] = field(default_factory=dict)
    answer: Mapping[str, Array] = field(default_factory=dict, repr=False, compare=False)

    @property
    def verdict(self) -> Verdict:
        """error before fail before pass before skip."""
        found = {result.verdict for result in self.results}
        order = (Verdict.ERROR, Verdict.FAIL, Verdict.PASS)
        return next((verdict for verdict in order if verdict in found), Verdict.SKIP)

    @property
    def failures(self) -> tuple[Result, ...]:
        """The failing tensors, in the order of computation."""
        return tuple(r for r in self.results if r.verdict == Verdict.FAIL)

    @property
    def unexpected(self) -> tuple[Result, ...]:
        """The failures that no expectation excuses."""
        return tuple(r for r in self.failures if r.tensor not in self.expectations)


def run_case(subject: Session, case: Case, expectations: Sequence[Expectation] = ()) -> CaseReport:
    """Ask one case, and judge every tensor of the answer."""
    begin = perf_counter()
    excuse = subject.excuse(case.rejects, case.flags)
    if excuse:
        return _all(case, Verdict.SKIP, excuse, begin)
    reply = subject.ask(case.question())
    if reply.kind == Kind.SKIP:
        return _all(case, Verdict.SKIP, reply.reason, begin)
    if case.rejects and reply.kind != Kind.ERROR:
        return _rejection(case, reply, expectations, begin)
    reason = _refused(subject, reply) or _unknown(reply.tensors, case)
    if reason:
        return _all(case, Verdict.ERROR, reason, begin)
    return _judged(case, reply.tensors, expectations, begin)


def run_cases(
    subject: Session, cases: Iterable[Case], expectations: Sequence[Expectation] = ()
) -> Generator[CaseReport, None, None]:
    """Ask the cases one after another."""
    for case in cases:
        yield run_case(subject, case, expectations)


def _judged(
    case: Case, answer: Mapping[str, Any], expectations: Sequence[Expectation], begin: float
) -> CaseReport:
    expected = case.expected()
    results = tuple(
        judge_certified(name, answer[name], expected[name], case.arithmetic)
        if name in answer
        else Result(name, Verdict.SKIP, "not returned by the subject")
        for name in case.tensors
    )
    kept = _kept(case, answer, results)
    if all(result.verdict != Verdict.FAIL for result in results):
        named = _named(case, results, answer, {}, expectations)
        return CaseReport(case, results, perf_counter() - begin, "", named, kept)
    whole = case.whole()
    named = _named(case, results, answer, whole, expectations)
    report = CaseReport(case, results, perf_counter() - begin, "", named, kept)
    if not report.unexpected:
        return report
    tensor, failed = report.unexpected[0].tensor, [result.tensor for result in report.failures]
    hint = explain(case, tensor, answer, whole, failed[: failed.index(tensor)])
    beyond = [known.beyond(case, tensor) for known in expectations]
    return replace(report, hint=" ".join(filter(None, (*beyond, hint))))


def _kept(case: Case, answer: Mapping[str, Any], results: Sequence[Result]) -> Mapping[str, Array]:
    """The answer in memory that no later call of the subject can change."""
    refused = [r for r in results if r.verdict == Verdict.FAIL and r.ratio != r.ratio]
    if refused or sum(result.entries for result in results) > _MOST_KEPT:
        return {}
    return {name: np.array(answer[name]) for name in case.tensors if name in answer}


def _named(
    case: Case,
    results: Sequence[Result],
    answer: Mapping[str, Any],
    whole: Mapping[str, Bounded],
    expectations: Sequence[Expectation],
) -> dict[str, str]:
    """Tensor -> id of the expectation that names it and, if it fails, excuses it.

    Several that name one tensor, each for a cause of its own, excuse it together.
    """
    found: dict[str, str] = {}
    for result in results:
        tensor = result.tensor
        naming = [known for known in expectations if known.names(case.id, tensor, result.verdict)]
        if naming and (
            result.verdict != Verdict.FAIL
            or np.logical_or.reduce(
                [each.known(case, tensor, answer[tensor], whole[tensor]) for each in naming]
            ).all()
        ):
            found[tensor] = naming[0].id
    return found


def _rejection(
    case: Case, reply: Reply, expectations: Sequence[Expectation], begin: float
) -> CaseReport:
    """Of inputs that must be refused."""
    if reply.kind == Kind.REJECT:
        result = Result(REJECTION, Verdict.PASS, entries=1)
    else:
        reason = f"answered instead of refused: {REJECTS[case.rejects]}"
        result = Result(REJECTION, Verdict.FAIL, reason, entries=1, failed=1)
    naming = [known.id for known in expectations if known.names(case.id, REJECTION, result.verdict)]
    named = {REJECTION: naming[0]} if naming else {}
    report = CaseReport(case, (result,), perf_counter() - begin, expectations=named)
    if not report.unexpected:
        return report
    return replace(report, hint=f"Leave {case.rejects!r} out of its checks if it claims none.")


def _all(case: Case, verdict: Verdict, reason: str, begin: float) -> CaseReport:
    results = tuple(Result(name, verdict, reason) for name in case.tensors)
    return CaseReport(case, results, perf_counter() - begin)


def _refused(subject: Session, reply: Reply) -> str:
    """Why there is no answer to valid inputs, or an empty string.

    A program refuses on purpose; in Python any exception does, and says what it is.
    """
    if reply.kind == Kind.ANSWER:
        return ""
    on_purpose = reply.kind == Kind.REJECT and subject.name.startswith(_PROGRAMS)
    return f"refused valid inputs: {reply.reason}" if on_purpose else reply.reason


def _unknown(answer: Mapping[Any, Any], case: Case) -> str:
    """The first name that is none of the case, or an empty string."""
    for name in answer:
        if name not in case.tensors:
            return f"there is no tensor {name!r} in this case; {_instead(str(name), case.tensors)}"
    return ""


def _instead(name: str, tensors: Sequence[str]) -> str:
    same = [tensor for tensor in tensors if tensor.lower() == name.lower()]
    for close in same or get_close_matches(name, tensors, 1):
        return f"did you mean {close!r}?"
    return f"there are {' '.join(tensors)}"


@dataclass
class Summary:
    """Counts over a run, and what they mean for a CI. Feed it every report with `add`.

    ``require``  how many cases must be judged, 1 or more: a run that judged nothing proves nothing
    ``unknown``  expectation id -> what it names and no case has, in the run of all cases
    ``stale``    expectation id -> what it names and passes
    ``diagnoses`` what explains the failures, that of the most cases first

    Raises `InputError` if no case is required.
    """

    require: int = 1
    expectations: Sequence[Expectation] = ()
    unknown: Mapping[str, Sequence[str]] = field(default_factory=dict)
    cases: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))
    tensors: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))
    entries: int = 0
    inconclusive: int = 0
    expected_tensors: int = 0
    expected_cases: int = 0
    seconds: float = 0.0
    stale: dict[str, list[str]] = field(default_factory=dict)
    diagnoses: Sequence[Diagnosis] = ()

    def __post_init__(self) -> None:
        if self.require < 1:
            fail(
                "--require must be 1 or more", repr(self.require),
                "a run that judged nothing proves nothing",
            )  # fmt: skip

    def add(self, report: CaseReport) -> None:
        """Count one case."""
        self.cases[report.verdict] += 1
        self.seconds += report.seconds
        for result in report.results:
            self.tensors[result.verdict] += 1
            self.entries += result.entries
            self.inconclusive += result.inconclusive
            known = report.expectations.get(result.tensor)
            if known and result.verdict == Verdict.FAIL:
                self.expected_tensors += 1
            elif known and result.verdict == Verdict.PASS:
                self.stale.setdefault(known, []).append(f"{report.case.id} {result.tensor}")
        self.expected_cases += bool(report.failures) and not report.unexpected

    @property
    def judged(self) -> int:
        """Cases in which at least one tensor was compared."""
        return self.cases[Verdict.PASS] + self.cases[Verdict.FAIL]

    @property
    def status(self) -> int:
        """0 conforms, 1 does not, 3 fewer cases were judged than required, 5 stale expectation.

        An expectation is stale if a tensor that it names passes or does not exist.
        """
        wrong = self.cases[Verdict.ERROR] + self.cases[Verdict.FAIL] - self.expected_cases
        if wrong:
            return 1
        if self.judged < self.require:
            return 3
        return 5 if self.stale or self.unknown else 0
