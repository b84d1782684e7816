"""Subjects: the built-in ones, and a user's own function by its name."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from networks import NETWORKS
from user_modules import folder, message, write

import mlp_ref.subjects
from mlp_ref.checks import InputError
from mlp_ref.gate.run import Summary, run_cases
from mlp_ref.subjects import SUBJECTS, Question, command_of, load

__all__ = ["folder"]  # a fixture

CASES = NETWORKS


def question_of() -> Question:
    """A linear network."""
    inputs = {"W0": np.eye(1), "b0": np.zeros(1), "x": np.ones((1, 1)), "target": np.ones((1, 1))}
    parameters = {"activations": ["identity"], "loss": "squared_error"}
    return Question("mlp", "float64", parameters, inputs)


def test_a_name_that_is_none() -> None:
    """The built-in subjects are listed, and so are the other ways to name one."""
    assert SUBJECTS[0] == "numpy"
    with pytest.raises(InputError) as caught:
        load("nunpy")
    text = str(caught.value)
    assert text.startswith("a subject other than py:module:object, so:library, cmd:program and ")
    assert "must be one of numpy, torch, " in text
    assert "; got 'nunpy'; " in text


def test_the_reference_passes_every_network() -> None:
    """All networks in float32 and float64, all tensors: nothing fails, nothing is skipped."""
    subject, summary = load("numpy"), Summary()
    assert (subject.name, subject.arithmetics) == ("numpy", ("float32", "float64"))
    assert subject.versions == {"numpy": np.__version__}
    for report in run_cases(subject, CASES):
        summary.add(report)
    assert summary.cases == {"pass": len(CASES), "fail": 0, "error": 0, "skip": 0}
    assert summary.tensors["pass"] == sum(len(case.tensors) for case in CASES)


@pytest.mark.parametrize(
    ("module", "spec", "needs", "extra"),
    [
        ("torch", "torch", "torch needs PyTorch", "torch"),
        ("torch", "torch:cuda", "torch needs PyTorch", "torch"),
        ("torch", "torch_ddp:2", "torch_ddp needs PyTorch", "torch"),
        ("torch", "torch_tp:2", "torch_tp needs PyTorch", "torch"),
        ("jax", "jax", "jax needs JAX", "jax"),
        ("onnxruntime", "onnxruntime", "onnxruntime needs ONNX Runtime and ONNX", "onnxruntime"),
        ("onnx", "onnxruntime", "onnxruntime needs ONNX Runtime and ONNX", "onnxruntime"),
        ("sklearn", "sklearn", "sklearn needs scikit-learn", "sklearn"),
    ],
)
def test_a_library_is_missed_in_one_line(
    module: str, spec: str, needs: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names it, and says what to install."""
    for name in ("onnx", "onnxruntime"):  # whether they are installed or not
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError) as caught:
        command_of(spec) if spec.startswith("torch_") else load(spec)
    assert str(caught.value) == (
        f"the subject {needs}; got no module {module}; pip install 'mlp-ref[{extra}]'"
    )


def test_the_example_of_the_documentation_works_as_written(folder: Path) -> None:
    """The function in the package's docstring answers linear networks and skips the rest."""
    document = mlp_ref.subjects.__doc__
    assert document is not None
    example = textwrap.dedent(document[document.index("    def run") :])
    write(folder, "import numpy as np\n" + example)
    summary = Summary()
    for report in run_cases(load("py:homework:run"), CASES):
        summary.add(report)
    linear = [
        case for case in CASES
        if case.network.loss.name == "squared_error"
        and {f.name for f in case.network.model.activations} == {"identity"}
    ]  # fmt: skip
    assert len(linear) > 10
    assert summary.cases == {
        "pass": len(linear), "fail": 0, "error": 0, "skip": len(CASES) - len(linear),
    }  # fmt: skip


def test_a_function_from_the_current_directory(folder: Path) -> None:
    """py:module:object imports the module beside the user, under the name that was typed."""
    write(folder, "def run(**question):\n    return question\n")
    subject = load("py:homework:run")
    assert (subject.name, subject.arithmetics) == ("py:homework:run", ("float32", "float64"))
    assert (subject.operations, subject.checks, subject.conventions) == (("mlp",), (), ())
    assert subject.versions == {}
    keywords = ["weights", "biases", "x", "target", "activations", "loss"]
    assert [*subject.run(question_of())] == keywords


def test_the_current_directory_comes_first_and_stays_last(folder: Path) -> None:
    """A user's module hides one of the library, and may import its neighbours when it runs."""
    write(folder, "def run(**_):\n    import neighbour\n    return neighbour.answer\n", "this")
    write(folder, "answer = {'loss': 2.0}\n", "neighbour")
    before = list(sys.path)
    assert load("py:this:run").run(question_of()) == {"loss": 2.0}
    load("py:this:run")
    assert sys.path == [*before, ""]


def test_a_dotted_object(folder: Path) -> None:
    """A method of an object in a module."""
    write(folder, "class Net:\n    @staticmethod\n    def run(**question):\n        return {}\n")
    assert load("py:homework:Net.run").run(question_of()) == {}


def test_a_module_in_a_package(folder: Path) -> None:
    """The module may be dotted too."""
    (folder / "week").mkdir()
    write(folder / "week", "def run(**question):\n    return {}\n", "three")
    assert load("py:week.three:run").run(question_of()) == {}


def test_a_partial_function_and_a_callable_object(folder: Path) -> None:
    """Both take the place of a function."""
    write(
        folder,
        """
        from functools import partial

        class Net:
            def __call__(self, **question):
                return {"loss": 3.0}

        def general(scale, **question):
            return {"loss": scale}

        net, run = Net(), partial(general, 4.0)
        """,
    )
    assert load("py:homework:net").run(question_of()) == {"loss": 3.0}
    assert load("py:homework:run").run(question_of()) == {"loss": 4.0}


def test_declared_arithmetics_limit_the_run(folder: Path) -> None:
    """The attribute of the function says what it computes in."""
    write(folder, "def run(**question): ...\nrun.arithmetics = ['float64']\n")
    assert load("py:homework:run").arithmetics == ("float64",)


def test_declared_checks_and_conventions(folder: Path) -> None:
    """What a function refuses, and where it deviates on purpose."""
    write(
        folder,
        """
        def run(**question): ...
        run.checks = ["shape"]
        run.conventions = ("right-derivative",)
        """,
    )
    subject = load("py:homework:run")
    assert (subject.checks, subject.conventions) == (("shape",), ("right-derivative",))


def test_a_narrow_arithmetic_is_told(folder: Path) -> None:
    """The dtype of the arrays does not tell bfloat16: the function gets its name."""
    write(folder, "def run(**all):\n    return all\nrun.arithmetics = ('float32', 'bfloat16')\n")
    asked = question_of()._replace(arithmetic="bfloat16")
    assert load("py:homework:run").run(asked)["arithmetic"] == "bfloat16"


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("arithmetics", "'float64'"), ("arithmetics", "()"), ("arithmetics", "('float46',)"),
        ("arithmetics", "([],)"), ("arithmetics", "None"), ("arithmetics", "64"),
        ("checks", "'shape'"), ("checks", "['shapes']"), ("conventions", "['left']"),
    ],
)  # fmt: skip
def test_undeclarable_attributes_are_an_error(folder: Path, what: str, value: str) -> None:
    """A text, nothing, and names that do not exist are refused with an example."""
    write(folder, f"def run(**question): ...\nrun.{what} = {value}\n")
    text = message("py:homework:run")
    assert text.startswith(f"the {what} of py:homework:run must be among ")
    assert f"; declare, for instance, {what} = (" in text


@pytest.mark.parametrize("spec", ["py:homework", "py:", "py:a:b:c", "py::run", "py:homework:"])
def test_bad_spellings(spec: str) -> None:
    """Exactly three parts, none of them empty."""
    assert message(spec) == (
        f"a Python subject must read py:module:object; got {spec!r}; such as py:homework:run"
    )


@pytest.mark.parametrize(
    ("source", "received"),
    [
        ("def run(weights, biases, x, target): ...", "(weights, biases, x, target) (got an unexpe"),
        ("def run(*, loss, rate, **_): ...", "(*, loss, rate, **_) (missing a required argument: "),
        ("def run(): ...", "() (got an unexpected keyword argument 'weights')"),
        ("run = lambda W, b, x, y: 0", "(W, b, x, y) (missing a required argument: 'W')"),
    ],
)
def test_a_function_of_other_keywords(folder: Path, source: str, received: str) -> None:
    """It is refused once, before the first case, and its signature shown."""
    write(folder, source)
    text = message("py:homework:run")
    wanted = "homework:run must take the keywords weights, biases, x, target, activations, loss; "
    assert text.startswith(f"{wanted}got {received}")
    assert text.endswith("; name them so; a class or factory of networks takes sizes")


def test_an_object_that_is_no_subject(folder: Path) -> None:
    """A number is no function; a network that is made already has one size."""
    write(folder, "run = 3\nclass Net:\n    def forward(s, x): ...\n    def backward(s, t): ...\n")
    (folder / "homework.py").write_text((folder / "homework.py").read_text() + "net = Net()\n")
    assert message("py:homework:run") == (
        "homework:run must be callable, or have functions named after operations; got int 3; name "
        "a function, a class, or an object with any of activation, dense, softmax, log_softmax, "
        "loss, mlp, optimizer, train_step"
    )
    text = message("py:homework:net")
    assert text.startswith("homework:net must be a class, or a factory, so that networks of all ")
    assert text.endswith("; name the class")
