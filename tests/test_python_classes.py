"""Classes and factories with forward and backward, adapted to the operation mlp."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from networks import NETWORKS
from user_modules import folder, message, write
from user_networks import CLASSES, COLUMNS, LISTS, NUMBERED

from mlp_ref.gate.cases import Case
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.run import CaseReport, run_cases
from mlp_ref.subjects import load

__all__ = ["folder"]  # a fixture

FEW = [case for case in NETWORKS if case.id.startswith(("mlp/digits-16", "mlp/batch-7"))]


def reports(name: str, cases: Sequence[Case] = NETWORKS) -> list[CaseReport]:
    """What becomes of every network."""
    return list(run_cases(load(f"py:homework:{name}"), cases))


def compared(report: CaseReport) -> set[str]:
    """The tensors without their numbers."""
    return {r.tensor.rstrip("0123456789") for r in report.results if r.verdict == Verdict.PASS}


@pytest.mark.parametrize("kind", CLASSES)
def test_a_right_network_passes(folder: Path, kind: str) -> None:
    """Every case that it claims, in both arithmetics; how it is used is told."""
    source, name, adapted, tensors, least = CLASSES[kind]
    write(folder, source)
    subject = load(f"py:homework:{name}")
    assert (subject.operations, subject.versions) == (("mlp",), {"adapted": adapted})
    found = reports(name)
    passed = [report for report in found if report.verdict == Verdict.PASS]
    assert {report.verdict for report in found} == {Verdict.PASS, Verdict.SKIP}
    assert len(passed) >= least
    assert all(compared(report) == tensors for report in passed)


MISTAKES = {
    "lists": [
        ("self.a[k].T @ delta", "self.a[k].T @ delta * 2", "dW"),
        ("target.dtype.type(target.size)", "target.dtype.type(len(target))", "dW"),
        ("delta.sum(axis=0)", "delta.mean(axis=0)", "db"),
        ("@ W + b", "@ W", "a"),
        ("return np.mean((y_pred - y) ** 2)", "return np.sum((y_pred - y) ** 2)", "loss"),
        ("return delta", "return -delta", "dx"),
    ],
    "columns": [
        ("(self.A2 - Y) / m", "self.A2 - Y", "dW"),
        ("d1.sum(axis=1, keepdims=True)", "d1.mean(axis=1, keepdims=True)", "db"),
        ("-np.mean(np.sum(Y", "np.mean(np.sum(Y", "loss"),
    ],
    "layers": [
        ("g.T @ self.x", "-g.T @ self.x", "dW"),
        ("g * (1 - self.y**2)", "g * (1 - self.y)", "dW"),
        ("return g @ self.W", "return g @ self.W / 2", "dx"),
    ],
    "numbered": [
        ("d /= n", "pass", "dW"),
        ("* (self.h > 0)", "", "dW"),
        ("-np.mean(logp", "-np.sum(logp", "loss"),
    ],
}


@pytest.mark.parametrize(
    ("kind", "right", "wrong", "tensor"),
    [(kind, *mistake) for kind, mistakes in MISTAKES.items() for mistake in mistakes],
)
def test_a_mistake_fails(folder: Path, kind: str, right: str, wrong: str, tensor: str) -> None:
    """The adapter neither hides nor repairs it: the tensor fails, and nothing is refused."""
    source, name, *_ = CLASSES[kind]
    assert right in source
    write(folder, source.replace(right, wrong))
    failing = {
        r.tensor.rstrip("0123456789") for report in reports(name, FEW) for r in report.failures
    }
    assert tensor in failing


def test_labels_or_rows_are_told_by_what_runs(folder: Path) -> None:
    """Rows only: labels become one-hot rows. Labels only: probabilities are skipped."""
    rows = NUMBERED.replace("d[rows, labels] -= 1", "d -= labels")
    rows = rows.replace("logp[rows, labels]", "np.sum(labels * logp, axis=1)")
    write(folder, rows)
    assert "cross_entropy takes one_hot" in load("py:homework:TwoLayers").versions["adapted"]
    found = reports("TwoLayers")
    assert {report.verdict for report in found} == {Verdict.PASS, Verdict.SKIP}
    reasons = {result.reason for report in found for result in report.results}
    assert "not implemented: cross_entropy with probabilities; it takes labels" in reasons


def test_probabilities_are_asked_where_they_are_declared(folder: Path) -> None:
    """Soft targets as well as labels, as rows; under one_hot labels only."""
    for kind, ranks in (("probabilities", {1, 2}), ("one_hot", {1})):
        write(folder, COLUMNS.replace('"probabilities"', f'"{kind}"'), kind)
        found = run_cases(load(f"py:{kind}:Net"), NETWORKS)
        passed = [report.case.question() for report in found if report.verdict == Verdict.PASS]
        assert {question.inputs["target"].ndim for question in passed} == ranks


def test_parameters_are_copies(folder: Path) -> None:
    """A network that updates itself in backward, after its gradients, changes no question."""
    write(folder, LISTS.replace("return delta", "self.weights[0] -= 1\n            return delta"))
    assert {report.verdict for report in reports("MLP")} == {Verdict.PASS, Verdict.SKIP}


def test_the_declared_attributes_are_those_of_the_class(folder: Path) -> None:
    """Arithmetics, checks and conventions."""
    write(folder, LISTS.replace("class MLP:", 'class MLP:\n        arithmetics = ("float64",)'))
    assert load("py:homework:MLP").arithmetics == ("float64",)
    write(folder, LISTS.replace("class MLP:", 'class MLP:\n        checks = ("all",)'), "other")
    assert message("py:other:MLP").startswith("the checks of py:other:MLP must be among ")


RETURNED = ("return delta", "return self.dW.copy(), self.db.copy()")
VARIANTS = {
    "two lists": [RETURNED],
    "lists in a mapping": [("return delta", "return {'dW': self.dW, 'db': self.db}")],
    "the loss as an attribute": [
        ("def loss(self, y_pred, y):", "def error(self, y_pred, y):"),
        ("self.dW, self.db =", "self.loss = self.error(self.a[-1], target); self.dW, self.db ="),
    ],
    "further parameters": [("sizes, activations, loss)", "sizes, activations, loss, *_, rate=1)")],
    "one function for all hidden layers": [
        ("sizes, activations, loss)", "sizes, activation, output_activation, loss)"),
        ("= activations", "= [activation] * (len(sizes) - 2) + [output_activation]"),
    ],
    "a property that is not ready": [
        ("def loss(", "@property\n        def W(self): raise KeyError('W')\n\n        def loss("),
    ],
    "something that is no array": [
        ("self.functions =", "self.W1 = self.b1 = self.W2 = self.b2 = Odd(); self.functions ="),
        ("class MLP", "class Odd:\n        __array__ = lambda self: 1 / 0\n\n    class MLP"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", VARIANTS)
def test_a_variant_is_understood(folder: Path, kind: str) -> None:
    """Other ways to say the same pass as many cases, with the loss and the gradients."""
    source = LISTS
    for before, after in VARIANTS[kind]:
        assert before in source
        source = source.replace(before, after)
    write(folder, source)
    found = reports("MLP")
    assert {report.verdict for report in found} == {Verdict.PASS, Verdict.SKIP}
    passed = [compared(report) for report in found if report.verdict == Verdict.PASS]
    assert len(passed) >= 50
    assert all(names >= {"a", "loss", "dW", "db"} for names in passed)


def test_a_loss_that_cannot_be_called_is_not_compared(folder: Path) -> None:
    """The gradients are judged all the same, and the report says what is missing."""
    write(folder, LISTS.replace("def loss(self, y_pred, y)", "def loss(self, y_pred, y, scale)"))
    assert load("py:homework:MLP").versions["adapted"].endswith("; loss: not compared")
    passed = [report for report in reports("MLP") if report.verdict == Verdict.PASS]
    assert passed
    assert all(compared(report) == {"a", "dW", "db", "dx"} for report in passed)


def test_labels_without_a_class_have_no_row(folder: Path) -> None:
    """-1 would index the last column: the adapter skips what the class could never see."""
    write(folder, COLUMNS)
    subject = load("py:homework:Net")
    case = next(c for c in NETWORKS if c.id == "mlp/digits-16-6-10/tanh/cross_entropy/float32")
    question = case.question()
    question.inputs["target"][0] = -1
    reply = subject.ask(question)
    assert (reply.kind, reply.reason) == (
        "skip", "not implemented: labels without a class have no one-hot row",
    )  # fmt: skip


def test_gradients_that_are_missing_are_an_error(folder: Path) -> None:
    """A network that forgets them at one depth only is no skip."""
    forget = "if len(self.weights) == 3:\n                del self.dW\n            return delta"
    write(folder, LISTS.replace("return delta", forget))
    errors = [r.results[0].reason for r in reports("MLP") if r.verdict == Verdict.ERROR]
    assert errors
    assert all("ValueError: backward left no gradients in dW[k] and db[k]" in e for e in errors)
