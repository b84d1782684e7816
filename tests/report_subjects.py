"""What the tests of the reports share: subjects that are wrong in all ways, and their runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from networks import NETWORKS

from mlp_ref.corpus import Corpus
from mlp_ref.gate.cases import Case
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.run import CaseReport, Summary, run_cases
from mlp_ref.gate.tally import Tally
from mlp_ref.subjects import Subject, network_subject
from mlp_ref.subjects.numpy_subject import run as right

Run = Callable[..., Any]

CORPUS = Corpus("2026.1", "0123456789abcdef" * 4, (), Path())
CASES = [case for case in NETWORKS if case.id.startswith("mlp/batch-7/")]
CASE = CASES[0]
HOSTILE = (
    "]]>",
    "<script>alert(1)</script>",
    "a\0b\x1b[31m\x7f",
    "\N{PILE OF POO}\udcff\ufffe",
    "x" * 10_000,
    "| a | `b` | **c** _d_ [e](https://f) @everyone #1 ![g](h) <!-- i",
    "&amp; \"'",
    "<code>" * 2000,
)


def doubled(*names: str) -> Run:
    """A subject that returns twice what it should."""

    def run(**question: Any) -> Any:
        answer = dict(right(**question))
        return answer | {name: 2 * answer[name] for name in names if name in answer}

    return run


def raises(error: BaseException) -> Run:
    """A subject that always raises."""

    def run(**question: Any) -> Any:
        raise error

    return run


def mixed(**question: Any) -> Any:
    """A pass, failures with and without numbers, an error, a skip, and half an answer."""
    name = question["activations"][0]
    if name == "gelu":
        raise RuntimeError("no such kernel")
    if name == "silu":
        raise NotImplementedError("no silu")
    answer = dict(right(**question))
    if name == "tanh":
        answer["loss"] = answer["loss"] * np.nan
    elif name == "relu":
        answer["dW0"] = answer["dW0"].tolist()
    elif name == "sigmoid":
        del answer["dx"], answer["g"]
    elif name == "elu":
        answer["db0"] = answer["db0"] * np.inf
    return answer


def expects(failing: dict[str, dict[str, float]]) -> tuple[Expectation, ...]:
    """An expectation of these failures."""
    return (Expectation("known", ("mine",), "mine 1.2", "measured", "It is known.", failing),)


@dataclass
class Outcome:
    """A run, and what the reports are made of."""

    subject: Subject
    summary: Summary
    reports: list[CaseReport] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


def judged(
    run: Run,
    cases: Sequence[Case] = CASES,
    expectations: tuple[Expectation, ...] = (),
    *,
    name: str = "mine",
    require: int = 1,
    unknown: dict[str, list[str]] | None = None,
) -> Outcome:
    """The run of a subject."""
    subject = network_subject(name, run, ("float32", "float64"), {name: "1.2"})
    done = Outcome(subject, Summary(require, expectations, unknown or {}))
    for report in run_cases(subject, cases, expectations):
        done.summary.add(report)
        done.tally.add(report)
        done.reports.append(report)
    return done


def many(n: int) -> list[Case]:
    """The same case under n names."""
    return [replace(CASE, id=f"mlp/copy-{k}/float64") for k in range(n)]


LOSS = {CASE.id: {"loss": 100.0}}
OUTCOMES: dict[str, Outcome] = {
    "right": judged(right),
    "mixed": judged(mixed),
    "doubled": judged(doubled("a0", "loss")),
    "raises": judged(raises(ValueError("bad"))),
    "skips": judged(raises(NotImplementedError("later"))),
    "nothing": judged(right, []),
    "too few": judged(right, require=1000),
    "too few and wrong": judged(doubled("loss"), require=1000),
    "expected": judged(doubled("loss"), [CASE], expects(LOSS)),
    "expected and not": judged(doubled("loss", "g"), [CASE], expects(LOSS)),
    "stale": judged(right, [CASE], expects(LOSS)),
    "unknown": judged(right, [CASE], expects({}), unknown={"known": ["no-case g"]}),
    "stale and wrong": judged(doubled("g"), [CASE], expects(LOSS)),
}
