"""One tensor of one case against its bound, for tests that people write themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mlp_ref.arithmetic import ARITHMETICS, Arithmetic
from mlp_ref.checks import fail, lookup
from mlp_ref.corpus.records import Record
from mlp_ref.gate.cases import Case, case_of
from mlp_ref.gate.causes import proven_causes
from mlp_ref.gate.hints import explain
from mlp_ref.gate.judge import Result, Verdict, judge_certified, refusal
from mlp_ref.gate.outcomes import failure_text

__all__ = ["assert_within_bound"]


def assert_within_bound(
    got: object, case: Case | Record, tensor: str, *, arithmetic: Arithmetic | str | None = None
) -> Result:
    """Compare a tensor with its certified values, entry by entry, and return the comparison.

    ``case``        a network, as the fixture ``mlp_ref_case`` gives it, or any record of the
                    corpus: ``mlp_ref.corpus.load().record(id)``
    ``arithmetic``  that of ``got``, if it is not that of the case: a record holds the bounds of
                    some, those of a network are derived

    Raises `AssertionError`, which shows the worst entry, if an entry lies outside its bound or
    ``got`` cannot be compared; `InputError` if the case has no such tensor or no such bound.
    """
    __tracebackhide__ = True  # pytest shows the line of the test instead
    if isinstance(case, Record):
        case = case_of(case)
    if case.rejects:
        fail(
            f"{case.id} must be refused by an implementation", f"its tensor {tensor!r}",
            f"expect an error, for its {case.rejects} is wrong",
        )  # fmt: skip
    case = _in_arithmetic(case, arithmetic)
    lookup(f"a tensor of {case.id}", tensor, dict.fromkeys(case.tensors))
    result = judge_certified(tensor, got, case.expected()[tensor], case.arithmetic)
    if result.verdict == Verdict.FAIL:
        hint = _hint(got, case, tensor)
        raise AssertionError(f"{case.id}\n{failure_text(result, case.note, hint=hint)}")
    return result


def _named(arithmetic: Arithmetic | str) -> Arithmetic:
    if isinstance(arithmetic, Arithmetic):
        return arithmetic
    return lookup("arithmetic", arithmetic, ARITHMETICS)


def _in_arithmetic(case: Case, arithmetic: Arithmetic | str | None) -> Case:
    """The same question in another arithmetic, of which its numbers must be."""
    A = _named(arithmetic or case.arithmetic)
    if case.arithmetic == A:
        return case
    real = [x for x in case.inputs.values() if x.dtype.kind == "f"]
    if not all(np.array_equal(A.quantize(x), x, equal_nan=True) for x in real):
        fail(
            f"the inputs of {case.id} must be numbers of the arithmetic", A.name,
            f"choose a case that ends in {A.name}, or one of few bits",
        )  # fmt: skip
    return replace(case, arithmetic=A)


def _hint(got: object, case: Case, tensor: str) -> str:
    """What this tensor alone proves: of those before it nothing is known."""
    if case.operation != "mlp":
        return ""
    whole = case.whole()
    if tensor == case.tensors[0] or refusal(got, whole[tensor], case.arithmetic):
        return explain(case, tensor, {tensor: got}, whole)
    if not np.isfinite(np.asarray(got, np.float64)).all():
        return ""
    causes = proven_causes(case, tensor, {tensor: got}, whole)
    return ". Or ".join(cause.text for cause in causes) + "." if causes else ""
