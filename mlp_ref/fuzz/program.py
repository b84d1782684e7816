"""A failure as a program: plain NumPy arrays, what is right, and what the subject answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.run import CaseReport

__all__ = ["program"]

_ELSEWHERE = ("cmd:", "torch_ddp:", "torch_tp:")  # no object of this process


def program(spec: str, report: CaseReport) -> str:
    """Lines of Python that show the first wrong tensor, expected and got, or the error."""
    return "\n".join(_lines(spec, report))


def _lines(spec: str, report: CaseReport) -> Iterator[str]:
    case, here = report.case, not spec.startswith(_ELSEWHERE)
    question = case.question()
    yield "import numpy as np"
    yield "from mlp_ref.operations import OPERATIONS"
    if here:
        yield "from mlp_ref.subjects import Question, load"
    yield f"parameters = {dict(question.parameters)!r}"
    yield "inputs = {"
    for name, x in question.inputs.items():
        yield f"    {name!r}: {_array(x)},"
    yield "}"
    exact = "inputs"
    if question.arithmetic != "float64":
        exact = "exact"
        yield "wide = {'f': np.float64, 'i': np.int64}"
        yield "exact = {name: x.astype(wide[x.dtype.kind]) for name, x in inputs.items()}"
    tensor = (report.failures or report.results)[0].tensor
    yield f"right = OPERATIONS[{question.operation!r}](parameters, {exact})"
    yield f"print('expected', right[{tensor!r}])"
    if not here:
        return
    asked = f"Question({question.operation!r}, {question.arithmetic!r}, parameters, inputs)"
    yield f"reply = load({spec!r}).ask({asked})"
    if report.verdict == Verdict.ERROR:
        yield "print('got     ', reply.kind, reply.reason)"
    else:
        yield f"print('got     ', reply.tensors[{tensor!r}])"


def _array(x: Array) -> str:
    kind = "" if x.dtype in (np.float64, np.int64) else f", np.{x.dtype.name}"
    return f"np.array({_numbers(x)}{kind})"


def _numbers(x: Array) -> str:
    """Nested lists, every number with all its digits."""
    if x.ndim:
        return f"[{', '.join(_numbers(row) for row in x)}]"
    number: Any = x[()]
    if x.dtype.kind == "i":
        return str(int(number))
    if not np.isfinite(number):
        return "np.nan" if np.isnan(number) else "np.inf" if number > 0 else "-np.inf"
    if number == 0 or 1e-4 <= abs(number) < 1e6:
        return np.format_float_positional(number, trim="0")
    return np.format_float_scientific(number)
