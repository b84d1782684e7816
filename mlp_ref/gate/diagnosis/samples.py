"""Samples: what a subject returned in one case, and which of its tensors are wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from mlp_ref.arithmetic import Array
from mlp_ref.bounds import Bounded
from mlp_ref.gate.cases import Case
from mlp_ref.gate.run import CaseReport
from mlp_ref.subjects import Question

__all__ = ["Sample", "samples_of"]


@dataclass(frozen=True, eq=False)
class Sample:
    """One case that was judged.

    ``answer``  what the subject returned; every tensor has the right shape and dtype
    ``wrong``   the tensors that fail, in the order of computation; none if the case passes
    ``hint``    what the numbers of this case alone say
    """

    case: Case
    answer: Mapping[str, Array]
    wrong: tuple[str, ...]
    hint: str = ""

    @property
    def group(self) -> str:
        """What else would be wrong by the same mistake: the operation, with its function or rule.

        A mistake that is refuted by one case of a group is none of the whole group.
        """
        p, operation = self.case.record.parameters, self.case.operation
        names = [p.get("function"), p.get("method"), *p.get("activations", ()), p.get("loss")]
        return " ".join(dict.fromkeys(filter(None, (operation, *names))))

    @cached_property
    def question(self) -> Question:
        """The question, which nobody may change."""
        return self.case.question()

    @cached_property
    def expected(self) -> Mapping[str, Bounded]:
        """What a correct implementation returns, and within which bound."""
        return self.case.whole()

    @property
    def rows(self) -> int:
        """Rows of the batch; 1 where there is none."""
        return len(self._batch) if self._batch is not None else 1

    @property
    def outputs(self) -> int:
        """Columns of the outputs; 1 where there are none."""
        if self.case.operation == "mlp":
            return self.case.network.model.sizes[-1]
        if self.case.operation == "train_step":
            return int(self.case.record.parameters["sizes"][-1])
        if self.case.operation == "dense":
            return int(self.case.inputs["W"].shape[1])
        return int(self._batch.shape[-1]) if self._batch is not None else 1

    @property
    def _batch(self) -> Array | None:
        inputs = self.case.inputs
        return inputs.get("x", inputs.get("z"))


def samples_of(reports: Iterable[CaseReport]) -> Iterator[Sample]:
    """The cases of a run of which the answers are at hand, but those that fail as expected."""
    for report in reports:
        if report.answer and report.failures == report.unexpected:
            wrong = tuple(result.tensor for result in report.failures)
            yield Sample(report.case, report.answer, wrong, report.hint)
