"""Subjects that are objects with functions named after operations."""

from __future__ import annotations

from pathlib import Path

import pytest
from user_modules import folder, message, write

from mlp_ref.gate.cases import build_cases
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.run import run_cases
from mlp_ref.operations import OPERATIONS
from mlp_ref.subjects import load

__all__ = ["folder"]  # a fixture

REFERENCE = """
    from mlp_ref.operations import OPERATIONS

    PARAMETERS = ("function", "loss", "activations", "method", "lr", "weight_decay", "t",
                  "momentum", "nesterov", "beta1", "beta2", "eps", "sizes")

    def answered(operation):
        def run(**given):
            parameters = {name: given.pop(name) for name in PARAMETERS if name in given}
            if operation == "mlp":
                weights, biases = given.pop("weights"), given.pop("biases")
                for k, (W, b) in enumerate(zip(weights, biases)):
                    given |= {f"W{k}": W, f"b{k}": b}
            return OPERATIONS[operation](parameters, given)
        return run

    class Mine:
        checks = ("shape", "broadcast", "dtype", "labels", "range", "sum")

    for name in OPERATIONS:
        setattr(Mine, name, staticmethod(answered(name)))
    mine = Mine()
    """
DENSE = """
    class Mine:
        @staticmethod
        def dense(*, x, W, b, g):
            return {"z": x @ W + b, "dW": x.T @ g, "db": g.sum(axis=0), "dx": g @ W.T}
    """


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_asked_with_its_keywords(folder: Path, operation: str) -> None:
    """Parameters and inputs arrive under their names: the reference passes every case this way."""
    write(folder, REFERENCE)
    subject = load("py:homework:mine")
    assert {*subject.operations} == {*OPERATIONS}
    reports = list(run_cases(subject, build_cases(operations=[operation])))
    assert len(reports) > 40
    assert {report.verdict for report in reports} == {Verdict.PASS}


def test_its_operations_are_those_that_it_has(folder: Path) -> None:
    """A class with static functions will do; helpers of other names are its own."""
    write(folder, DENSE + "\n        def sigmoid(x): ...\n")
    subject = load("py:homework:Mine")
    assert subject.operations == ("dense",)
    reports = list(run_cases(subject, build_cases(operations=["dense"])))
    assert {report.verdict for report in reports} == {Verdict.PASS, Verdict.SKIP}


def test_a_module_of_a_package(folder: Path) -> None:
    """The object may be a module, imported when it is named."""
    (folder / "mine").mkdir()
    write(folder / "mine", "def softmax(*, x, g): ...\n", "rows")
    assert load("py:mine:rows").operations == ("softmax",)
    assert "must have an object 'columns'; got no such name" in message("py:mine:columns")


def test_declared_operations_leave_the_others_out(folder: Path) -> None:
    """A helper that happens to have the name of an operation is none."""
    source = DENSE + "\n        def softmax(z): ...\n"
    write(folder, source)
    text = message("py:homework:Mine")
    assert text == (
        "the operation softmax of py:homework:Mine must take the keywords x, g; got (z) (missing "
        "a required argument: 'z'); take **others too and raise NotImplementedError for what it "
        'skips; if it is no operation, declare operations = ("dense",)'
    )
    write(folder, source + '\n        operations = ("dense",)\n', "again")
    assert load("py:again:Mine").operations == ("dense",)


def test_a_declared_operation_must_exist(folder: Path) -> None:
    """As a function, and in the corpus."""
    write(folder, DENSE + '\n        operations = ("dense", "loss")\n')
    assert message("py:homework:Mine") == (
        "py:homework:Mine declares the operation loss and must have a function of that name; got "
        "NoneType None; write it, or leave it out of operations"
    )
    write(folder, DENSE + '\n        operations = ("conv",)\n', "again")
    assert message("py:again:Mine").startswith("the operations of py:again:Mine must be among ")


@pytest.mark.parametrize(
    ("signature", "word"),
    [
        ("method, lr, weight_decay, t, params, grads", "(for sgd); got "),
        ("method, lr, weight_decay, t, momentum, nesterov, params, grads", "(for sgd with mom"),
        ("momentum, nesterov=0, v=0, **others", "(for adam); got "),
    ],
)
def test_an_optimizer_takes_every_method(folder: Path, signature: str, word: str) -> None:
    """Whether one method is skipped is said by the answer, not by a missing keyword."""
    write(folder, f"class Mine:\n    def optimizer(*, {signature}): ...\n")
    text = message("py:homework:Mine")
    assert word in text
    assert "take **others too and raise NotImplementedError" in text


def test_a_narrow_arithmetic_is_told(folder: Path) -> None:
    """A function that does not take its name is refused."""
    write(folder, DENSE + "\n        arithmetics = ('bfloat16',)\n")
    assert "must take the keywords x, W, b, g and arithmetic; got" in message("py:homework:Mine")
