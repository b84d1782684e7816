"""The search of `mlp-ref fuzz`: what it finds, how small it makes it, and that it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlp_ref.arithmetic import FLOAT32, FLOAT64
from mlp_ref.corpus.records import OPERATIONS as EVERY
from mlp_ref.fuzz import Finding, Known, Search, program
from mlp_ref.operations import OPERATIONS
from mlp_ref.subjects import Kind, Question, Reply, Subject, load

pytestmark = pytest.mark.once

Answer = Callable[[Question], Mapping[str, Any]]


def right(q: Question) -> dict[str, Any]:
    """What the reference answers."""
    with np.errstate(all="ignore"):
        return OPERATIONS[q.operation](q.parameters, q.inputs)


def subject(answer: Answer, *operations: str) -> Subject:
    """A subject of these operations, or of all."""
    return Subject("own", answer, operations or EVERY, ("float64",))


def search(session: Any, *operations: str, examples: int = 60, seed: int = 1) -> Search:
    """A search in float64 and float32, as far as they are declared."""
    asked = [A for A in (FLOAT64, FLOAT32) if A.name in session.arithmetics]
    return Search(
        session, Known(session, ()), operations or session.operations, asked, examples, seed
    )


def size(found: Finding) -> int:
    """How many numbers the question has."""
    return sum(x.size for x in found.report.case.inputs.values())


def test_the_reference_has_no_failure() -> None:
    """Of all operations something is judged, and the counts are those of the examples."""
    one = search(load("numpy"), examples=90)
    assert list(one.findings()) == []
    assert {*one.counts} == {*EVERY}
    assert sum(count["drawn"] for count in one.counts.values()) == 90
    assert all(count["judged"] > 0 and not count["shrinking"] for count in one.counts.values())


SMALL = [
    ("reduction-gradient-summed", "loss", "cross_entropy", (2, 2), 6),
    ("softmax-global-maximum", "softmax", "", (2, 1), 4),
    ("dense-transposed-square", "dense", "", (1, 2), 10),
    ("optimizer-adam-no-correction", "optimizer", "adam", (2,), 8),
]


@pytest.mark.parametrize(("fault", "operation", "part", "shape", "most"), SMALL)
def test_failures_shrink(
    fault: str, operation: str, part: str, shape: tuple[int, ...], most: int
) -> None:
    """The smallest question that shows the mistake: 2 samples where it takes 2, not 1, not 5."""
    found = [
        each for each in search(load(f"fault:{fault}"), operation, examples=60).findings()
        if part in each.parts or not part
    ]  # fmt: skip
    first = found[0]
    name = {"loss": "z", "optimizer": "params"}.get(operation, "x")
    assert first.report.verdict == "fail"
    assert first.report.case.inputs[name].shape == shape
    assert size(first) <= most


def test_one_failure_of_each_operation_and_part() -> None:
    """A wrong loss does not hide a wrong function, nor tanh the sigmoid; relu is right."""

    def answer(q: Question) -> Mapping[str, Any]:
        found = right(q)
        if q.parameters.get("function") in ("tanh", "sigmoid"):
            found["dx"] = 2 * found["dx"]
        if q.parameters.get("loss") == "squared_error":
            found["loss"] = found["loss"] + 1
        return found

    wanted = ["activation sigmoid", "activation tanh", "loss squared_error"]
    found = list(search(subject(answer, "activation", "loss"), examples=100).findings())
    assert sorted(f"{f.report.case.operation} {' '.join(f.parts)}" for f in found) == wanted
    assert [result.tensor for result in found[-1].report.failures] == ["loss"]


def test_networks_are_searched_on_without_what_failed() -> None:
    """A network that fails by its tanh, and one by its loss; what needs neither ends the search."""

    def by_parts(q: Question) -> Mapping[str, Any]:
        wrong = "tanh" in q.parameters["activations"] or q.parameters["loss"] == "cross_entropy"
        return right(q) | ({"dx": right(q)["dx"] + 1} if wrong else {})

    found = list(search(subject(by_parts, "mlp"), examples=70).findings())
    assert sorted(map(sorted, (f.parts for f in found))) == [["cross_entropy"], ["tanh"]]
    always = search(subject(lambda q: right(q) | {"dx": right(q)["dx"] + 1}, "mlp"), examples=300)
    (only,) = always.findings()
    assert only.parts == frozenset()
    assert always.counts["mlp"]["drawn"] < 10


def test_the_same_seed_finds_the_same() -> None:
    """Question by question."""
    session = load("fault:softmax-no-shift")
    runs = [
        [(f.report.case.id, f.example) for f in search(session, "softmax", seed=seed).findings()]
        for seed in (5, 5)
    ]
    assert runs[0] == runs[1]
    assert runs[0]


def test_an_exception_is_shrunk_and_the_run_goes_on() -> None:
    """Batches of three or more raise: three rows of one class are left, and dense is judged."""

    def answer(q: Question) -> Mapping[str, Any]:
        if q.operation == "softmax" and len(q.inputs["x"]) > 2:
            raise ValueError("too many rows")
        return right(q)

    one = search(subject(answer, "softmax", "dense"))
    (found,) = one.findings()
    assert found.report.verdict == "error"
    assert "ValueError: too many rows" in found.report.results[0].reason
    assert found.report.case.inputs["x"].shape == (3, 1)
    assert one.counts["dense"]["judged"] > 10


class Broken:
    """A session whose process ends at each question of a loss."""

    def __init__(self) -> None:
        self.asked, self._right = 0, subject(right, "loss")
        self.name, self.operations = "broken", ("loss",)
        self.arithmetics, self.versions = ("float64",), {}

    def excuse(self, rejects: str, flags: tuple[str, ...]) -> str:
        """Nothing is excused."""
        return ""

    def ask(self, question: Question) -> Reply:
        """An error."""
        self.asked += 1
        return Reply(Kind.ERROR, "it ended by signal 11")


def test_a_subject_that_ends_is_not_asked_for_ever() -> None:
    """Each start takes time: it is made smaller for so many questions, and reported."""
    session = Broken()
    found = list(search(session).findings())
    assert found[0].report.results[0].reason == "it ended by signal 11"
    assert [*found[0].parts] == ["squared_error"]
    assert session.asked <= 3 * 60


def test_a_subject_that_answers_one_by_chance_says_so() -> None:
    """What passes when it is asked again is no less a failure, but another one."""
    seen = set[bytes]()

    def answer(q: Question) -> Mapping[str, Any]:
        key = b"".join(x.tobytes() for x in q.inputs.values())
        wrong = key not in seen
        seen.add(key)
        return right(q) | ({"z": right(q)["z"] + 1} if wrong else {})

    (found,) = search(subject(answer, "dense")).findings()
    assert "does not always answer the same" in found.report.hint


def test_what_a_subject_never_answers_is_not_drawn() -> None:
    """Only the networks that it has: most of the examples are judged, not one in sixty."""

    def answer(q: Question) -> Mapping[str, Any]:
        if {*q.parameters["activations"], q.parameters["loss"]} != {"identity", "squared_error"}:
            raise NotImplementedError("linear layers and squared_error only")
        return right(q)

    one = search(subject(answer, "mlp"))
    assert list(one.findings()) == []
    assert one.counts["mlp"]["skipped"] == 0
    assert one.counts["mlp"]["judged"] > 50


def test_what_is_missing_or_misnamed() -> None:
    """A tensor that is left out is not judged; one that does not exist is an error."""
    part = search(subject(lambda q: {"z": right(q)["z"]}, "dense"))
    assert list(part.findings()) == []
    (found,) = search(subject(lambda q: right(q) | {"dw": 0}, "dense")).findings()
    assert found.report.verdict == "error"


@pytest.mark.parametrize("fault", ["reduction-gradient-summed", "softmax-global-maximum"])
def test_the_program_shows_the_failure(fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Pasted into Python, it prints the numbers of the report."""
    found = next(search(load(f"fault:{fault}")).findings())
    text = program(f"fault:{fault}", found.report)
    exec(compile(text, "pasted", "exec"), {})  # noqa: S102 (what a user does)
    first = found.report.failures[0]
    expected, got = capsys.readouterr().out.split("got")
    assert np.format_float_positional(first.expected, precision=4, trim="-")[:6] in expected
    assert expected.strip() != got.strip()


def test_the_program_holds_every_number_exactly() -> None:
    """Subnormals, NaN, infinities, -0 and float32 come back bit by bit; so do labels."""
    x = np.array([[1e-45, np.nan, -np.inf, -0.0, 0.1, 1e30, 123456789.125, 1e-7]])
    found = next(search(load("fault:walkthrough"), "loss").findings())
    for dtype in (np.float64, np.float32):
        inputs = {"z": x.astype(dtype), "target": np.array([3])}
        record = replace(found.report.case.record, inputs=inputs, arithmetic=np.dtype(dtype).name)
        case = replace(found.report.case, record=record, arithmetic=(
            FLOAT64 if dtype is np.float64 else FLOAT32
        ))  # fmt: skip
        lines = program("cmd:x", replace(found.report, case=case)).splitlines()
        names: dict[str, Any] = {}
        exec("\n".join(lines[: lines.index("}") + 1]), names)  # noqa: S102
        for name, array in inputs.items():
            assert names["inputs"][name].tobytes() == array.tobytes()
            assert names["inputs"][name].dtype == array.dtype
