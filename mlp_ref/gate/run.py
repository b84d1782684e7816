"""The runner: ask a subject every case, judge every tensor, count everything.

A case ends in exactly one verdict, and each of its tensors in exactly one, so that every
denominator is known before the subject is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from time import perf_counter
from traceback import extract_tb
from typing import Any

import numpy as np

from mlp_ref.checks import fail
from mlp_ref.gate.cases import Case
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.hints import explain
from mlp_ref.gate.judge import Result, Verdict, judge_certified
from mlp_ref.subjects import Subject

__all__ = ["CaseReport", "Summary", "run_case", "run_cases"]


@dataclass(frozen=True)
class CaseReport:
    """The outcome of one case: the worst of its tensors' verdicts; skip if none was compared.

    ``expectations`` tensor -> id of the expectation that names it and, if it fails, excuses it
    ``hint``         what the numbers say about the first tensor that fails unexpectedly
    """

    case: Case
    results: tuple[Result, ...]
    seconds: float = 0.0
    hint: str = ""
    expectations: Mapping[str, str] = field(default_factory=dict)

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


def run_case(subject: Subject, case: Case, expectations: Sequence[Expectation] = ()) -> CaseReport:
    """Ask one case. Whatever the subject raises, but Ctrl-C, is an error of this case.

    What it sets with `numpy.seterr` ends with the call.
    """
    begin = perf_counter()
    expected, question = case.expected(), case.question()
    try:
        with np.errstate():  # what the subject sets ends with it
            answer: Any = subject.run(**question)
        answer = dict(answer) if isinstance(answer, Mapping) else answer
    except KeyboardInterrupt:
        raise
    except NotImplementedError as error:
        return _all(case, Verdict.SKIP, f"not implemented: {_one_line(error)}", begin)
    except BaseException as error:  # pytest's outcomes are no Exception
        reason = f"{type(error).__name__}: {_one_line(error)}{_place(error)}"
        return _all(case, Verdict.ERROR, reason, begin)
    reason = _flushed() or _protocol_error(answer, case, question)
    if reason:
        return _all(case, Verdict.ERROR, reason, begin)
    results = tuple(
        judge_certified(name, answer[name], expected[name], case.arithmetic)
        if name in answer
        else Result(name, Verdict.SKIP, "not returned by the subject")
        for name in case.tensors
    )
    whole = case.whole() if any(result.verdict == Verdict.FAIL for result in results) else {}
    named = {
        result.tensor: known.id
        for known in expectations
        for result in results
        if result.tensor in known.failing.get(case.id, ())
        and (
            result.verdict != Verdict.FAIL
            or known.excuses(case, result.tensor, answer[result.tensor], whole[result.tensor])
        )
    }
    report = CaseReport(case, results, perf_counter() - begin, expectations=named)
    if not report.unexpected:
        return report
    tensor, failed = report.unexpected[0].tensor, [result.tensor for result in report.failures]
    hint = explain(case, tensor, answer, whole, failed[: failed.index(tensor)])
    beyond = [known.beyond(case, tensor) for known in expectations]
    return replace(report, hint=" ".join(filter(None, (*beyond, hint))))


def run_cases(
    subject: Subject, cases: Iterable[Case], expectations: Sequence[Expectation] = ()
) -> Iterator[CaseReport]:
    """Ask the cases one after another."""
    for case in cases:
        yield run_case(subject, case, expectations)


def _one_line(error: BaseException) -> str:
    try:
        return " ".join(str(error).split()) or "no reason given"
    except Exception:
        return "a reason that cannot be shown"


def _place(error: BaseException) -> str:
    """The last line of the subject's own file that led to the error."""
    frames = extract_tb(error.__traceback__)[1:]  # without the call of the subject
    own = [frame for frame in frames if frame.filename == frames[0].filename]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""


def _all(case: Case, verdict: Verdict, reason: str, begin: float) -> CaseReport:
    results = tuple(Result(name, verdict, reason) for name in case.tensors)
    return CaseReport(case, results, perf_counter() - begin)


def _flushed() -> str:
    """Whether the call left the processor in a mode in which nothing can be judged."""
    least = np.full(1, 2.0**-1074)
    if (least * 1 > 0).all() and (least.astype(np.float32) == 0).all():
        return ""
    return (
        "the subject left subnormal numbers flushed to zero in this process, so that nothing can "
        "be judged; set it back before returning"
    )


def _protocol_error(answer: Any, case: Case, question: Mapping[str, Any]) -> str:
    """What is wrong with an answer as a whole, or an empty string."""
    if not isinstance(answer, dict):
        return f"a subject must return a mapping of tensors; got {type(answer).__name__}"
    for name in answer:
        if name not in case.tensors:
            return f"there is no tensor {name!r} in this case; {_instead(str(name), case.tensors)}"
    for name, untouched in case.question().items():
        if not _same(question[name], untouched):
            return f"the subject changed its argument {name!r} in place; copy it first"
    return ""


def _instead(name: str, tensors: Sequence[str]) -> str:
    same = [tensor for tensor in tensors if tensor.lower() == name.lower()]
    for close in same or get_close_matches(name, tensors, 1):
        return f"did you mean {close!r}?"
    return f"there are {' '.join(tensors)}"


def _same(asked: Any, untouched: Any) -> bool:
    """Bit for bit: 0 and -0 differ, NaN equals itself."""
    if isinstance(untouched, np.ndarray):
        return (
            isinstance(asked, np.ndarray)
            and (asked.shape, asked.dtype) == (untouched.shape, untouched.dtype)
            and asked.tobytes() == untouched.tobytes()
        )
    if isinstance(untouched, list):
        return len(asked) == len(untouched) and all(map(_same, asked, untouched))
    return isinstance(asked, str) and asked == untouched


@dataclass
class Summary:
    """Counts over a run, and what they mean for a CI. Feed it every report with `add`.

    ``require``  how many cases must be judged, 1 or more: a run that judged nothing proves nothing
    ``unknown``  expectation id -> what it names and no case has, in the run of all cases
    ``stale``    expectation id -> what it names and passes

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
