"""The search: questions that Hypothesis draws, until one fails, and smaller ones that still fail.

An operation is searched in rounds. What the smallest failure of a round cannot do without, a
function, a loss or a rule, is left out of the rounds after it, so that one mistake does not hide
another. A network that fails with the simplest parts ends the search of its operation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from time import perf_counter
from types import MappingProxyType
from typing import Any, NamedTuple
from zlib import crc32

from mlp_ref.arithmetic import Arithmetic
from mlp_ref.checks import InputError
from mlp_ref.corpus.records import Record
from mlp_ref.fuzz.cases import fuzz_case
from mlp_ref.fuzz.choices import Drawn, Simplest
from mlp_ref.fuzz.known import Known
from mlp_ref.fuzz.questions import DEPTHS, MANNERS, Manner, ingredients, make
from mlp_ref.fuzz.smaller import smaller
from mlp_ref.gate.cases import Case, case_of
from mlp_ref.gate.judge import Result, Verdict, judge_certified
from mlp_ref.gate.run import CaseReport, run_case
from mlp_ref.subjects import Kind, Session

__all__ = ["SHARES", "Finding", "Search"]

# How many of the examples an operation gets, of all that are asked, in this order.
SHARES: Mapping[str, int] = MappingProxyType(
    {
        "activation": 6, "softmax": 2, "log_softmax": 2, "loss": 7, "dense": 3, "optimizer": 5,
        "mlp": 4, "train_step": 2,
    }
)  # fmt: skip
# In which order the parts of a manner are chosen: loss, rule, hidden function, last function.
_ORDER = {"mlp": (2, 0, 1), "train_step": (2, 3, 0, 1)}
_SMALLER = 3000  # questions on the way to the smallest, per failure
_BROKEN, _SLOW = 40, 5  # of them, those that crash the subject, and those for which it is waited
_WAIT = 1.0  # seconds
_AGAIN = "It passed when it was asked once more: the subject does not always answer the same."


class Finding(NamedTuple):
    """The smallest failure of a round.

    ``report``  what became of it, with its hint
    ``known``   id of the entry of a ledger that explains it, or an empty string
    ``example`` the number of the example of this operation that failed first
    """

    report: CaseReport
    known: str
    example: int

    @property
    def parts(self) -> frozenset[str]:
        """The functions, the loss and the rule that it needs."""
        record = self.report.case.record
        return ingredients(record.operation, record.parameters)


@dataclass
class Search:
    """One run. Iterate over `findings`; ``counts`` are complete afterwards.

    ``examples``  how many are drawn at most, in all operations together
    ``say``       is told of every example
    ``made``      what makes a case of a question; for whoever asks the same of many subjects
    ``counts``    operation -> drawn, judged, skipped, open (nothing can be said), shrinking
    """

    session: Session
    known: Known
    operations: Sequence[str]
    arithmetics: Sequence[Arithmetic]
    examples: int
    seed: int
    say: Callable[[str], None] = lambda text: None
    made: Callable[[Record, Arithmetic], Case | None] = fuzz_case
    counts: dict[str, Counter[str]] = field(default_factory=dict)

    def findings(self) -> Iterator[Finding]:
        """Every failure, the smallest of its kind; those that are known, too."""
        asked = [name for name in SHARES if name in self.operations]
        left = self.examples
        for number, operation in enumerate(asked):
            shares = [SHARES[name] for name in asked[number:]]
            count = self.counts[operation] = Counter()
            yield from self._operation(operation, -(-left * shares[0] // sum(shares)))
            left -= count["drawn"]

    def _operation(self, operation: str, budget: int) -> Iterator[Finding]:
        manners, shown, count = self._answered(operation), set[str](), self.counts[operation]
        while manners and count["drawn"] < budget:
            found = _Round(self, operation, manners, shown).find(budget - count["drawn"])
            if found is None:
                return
            yield found
            if found.known:
                shown.add(found.known)
                continue
            if not found.parts:
                return
            manners = [each for each in manners if not found.parts <= {*each}]

    def _answered(self, operation: str) -> list[Manner]:
        """The manners in which the subject can be asked: not those that it skips altogether."""
        found, hidden = list[Manner](), Simplest(DEPTHS)  # with a hidden layer
        for number, manner in enumerate(MANNERS[operation]):
            replies = []
            for A in self.arithmetics:
                case = case_of(make(operation, manner, A, hidden), A)
                replies.append(self.session.ask(case.question()).kind)
                if replies[-1] != Kind.SKIP:
                    break
            if Kind.ERROR in replies:  # each may take as long as it is given
                return found + list(MANNERS[operation][number:])
            if {*replies} != {Kind.SKIP}:
                found.append(manner)
        return found


@dataclass
class _Round:
    """The search for one failure of an operation."""

    search: Search
    operation: str
    manners: Sequence[Manner]
    shown: set[str]
    memory: dict[str, bool] = field(default_factory=dict)
    failed: dict[str, tuple[CaseReport, str]] = field(default_factory=dict)
    first: int = 0
    smaller: int = 0
    broken: int = 0
    slow: int = 0

    def find(self, budget: int) -> Finding | None:
        """The smallest failure, if there is one among so many examples."""
        from hypothesis import HealthCheck, Phase, errors, find, settings

        chosen = settings(
            max_examples=budget, database=None, deadline=None, derandomize=False,
            phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        label = f"{self.operation} {' '.join('-'.join(manner) for manner in self.manners)}"
        random = Random(self.search.seed << 32 | crc32(f"{label} {sorted(self.shown)}".encode()))
        try:
            record, A = find(self._strategy(), self._fails, settings=chosen, random=random)
        except errors.NoSuchExample:
            return None
        record = self._smallest(record, A)
        report, known = self.failed[_key(record, A)]
        return Finding(self._explained(report, known), known, self.first)

    def _smallest(self, record: Record, A: Arithmetic) -> Record:
        """As small as it gets by steps of `mlp_ref.fuzz.smaller`."""
        while True:
            found = next((each for each in smaller(record) if self._fails((each, A))), None)
            if found is None:
                return record
            record = found

    def _strategy(self) -> Any:
        """Questions, of which each part of the manner is chosen by itself."""
        arithmetics = tuple(self.search.arithmetics)
        order = _ORDER.get(self.operation, range(len(self.manners[0])))
        choices = _tree([tuple(manner[k] for k in order) for manner in self.manners])

        def question(drawn: bytes) -> tuple[Record, Arithmetic]:
            choose = Drawn(drawn)
            A, manner, left = choose.one(arithmetics), [""] * len(order), choices
            for k in order:
                manner[k] = choose.one(tuple(left))
                left = left[manner[k]]
            return make(self.operation, tuple(manner), A, choose), A

        return Drawn.strategy().map(question)

    def _fails(self, question: tuple[Record, Arithmetic]) -> bool:
        """Whether a question fails: the same answer whenever it is asked."""
        record, A = question
        key, count = _key(record, A), self.search.counts[self.operation]
        if not self.failed:
            count["drawn"] += 1
            self.search.say(self.operation)
        if key not in self.memory:
            enough = self.smaller >= _SMALLER or self.broken >= _BROKEN or self.slow >= _SLOW
            if self.failed and enough:
                return False
            self.smaller += bool(self.failed)
            self.memory[key] = self._asked(key, record, A, count)
        return self.memory[key]

    def _asked(self, key: str, record: Record, A: Arithmetic, count: Counter[str]) -> bool:
        kind = "shrinking" if self.failed else ""
        try:
            case = self.search.made(record, A)
        except InputError:  # a smaller one that breaks a rule
            case = None
        if case is None:
            count[kind or "open"] += 1
            return False
        begin = perf_counter()
        report, broken = _judged(self.search.session, case)
        self.broken += broken
        self.slow += broken and perf_counter() - begin > _WAIT
        wrong = report.verdict in (Verdict.FAIL, Verdict.ERROR)
        count[kind or ("skipped" if report.verdict == Verdict.SKIP else "judged")] += 1
        if not wrong:
            return False
        known = self.search.known.explains(case) if report.verdict == Verdict.FAIL else ""
        if known in self.shown:
            return False
        self.first = self.first or count["drawn"]
        self.failed[key] = report, known
        return True

    def _explained(self, report: CaseReport, known: str) -> CaseReport:
        """Asked once more, for the hint; unless that may take long, or ends the subject."""
        if self.broken:
            return report
        covering = self.search.known.expectations(report.case) if known else ()
        again = run_case(self.search.session, report.case, covering)
        if again.verdict == report.verdict:
            return again
        return replace(report, hint=_AGAIN)


def _tree(manners: Iterable[Manner]) -> dict[str, Any]:
    """The parts of manners, one after another, so that each can become simpler by itself."""
    found: dict[str, Any] = {}
    for manner in manners:
        left = found
        for part in manner:
            left = left.setdefault(part, {})
    return found


def _key(record: Record, A: Arithmetic) -> str:
    return f"{record.id} {A.name}"


def _judged(session: Session, case: Case) -> tuple[CaseReport, bool]:
    """As `mlp_ref.gate.run.run_case`, without a hint; and whether the subject crashed or hung."""
    if session.excuse(case.rejects, case.flags):
        return CaseReport(case, ()), False
    reply = session.ask(case.question())
    if reply.kind == Kind.SKIP:
        return CaseReport(case, ()), False
    if reply.kind != Kind.ANSWER or not {*reply.tensors} <= {*case.tensors}:
        reason = reply.reason or "it returns a tensor that the case does not have"
        wrong = tuple(Result(name, Verdict.ERROR, reason) for name in case.tensors)
        return CaseReport(case, wrong), reply.kind == Kind.ERROR
    expected = case.expected()
    return CaseReport(case, tuple(
        judge_certified(name, reply.tensors[name], expected[name], case.arithmetic)
        for name in case.tensors if name in reply.tensors
    )), False  # fmt: skip
