"""Subjects: the built-in ones, and a user's own function by its name."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import mlp_ref.subjects
from mlp_ref.checks import InputError
from mlp_ref.gate.cases import build_cases
from mlp_ref.gate.run import Summary, run_cases
from mlp_ref.subjects import SUBJECTS, load_python, numpy_subject

CASES = list(build_cases())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory of a user, whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return tmp_path


def write(folder: Path, source: str, name: str = "homework") -> None:
    """A module of the user."""
    (folder / f"{name}.py").write_text(textwrap.dedent(source))


def message(spec: str) -> str:
    """The one line that refuses a name."""
    with pytest.raises(InputError) as caught:
        load_python(spec)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_the_built_in_subjects() -> None:
    """numpy and torch can be asked for by name; the table cannot be changed."""
    assert list(SUBJECTS) == ["numpy", "torch"]
    with pytest.raises(TypeError, match="does not support item assignment"):
        SUBJECTS["mine"] = numpy_subject.load  # type: ignore[index]


def test_the_reference_passes_every_case() -> None:
    """All cases in float32 and float64, all tensors: nothing fails, nothing is skipped."""
    subject, summary = SUBJECTS["numpy"](), Summary()
    assert (subject.name, subject.arithmetics) == ("numpy", ("float32", "float64"))
    assert subject.versions == {"numpy": np.__version__}
    for report in run_cases(subject, CASES):
        summary.add(report)
    assert summary.cases == {"pass": len(CASES), "fail": 0, "error": 0, "skip": 0}
    assert summary.tensors["pass"] == sum(len(case.tensors) for case in CASES)


def test_torch_is_missed_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyTorch the error says what to install."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError) as caught:
        SUBJECTS["torch"]()
    assert str(caught.value) == (
        "the subject torch needs PyTorch; got no module torch; pip install 'mlp-ref[torch]'"
    )


def test_the_example_of_the_documentation_works_as_written(folder: Path) -> None:
    """The function in the package's docstring answers linear networks and skips the rest."""
    document = mlp_ref.subjects.__doc__
    assert document is not None
    example = textwrap.dedent(document[document.index("    def run") :])
    write(folder, "import numpy as np\n" + example)
    summary = Summary()
    for report in run_cases(load_python("py:homework:run"), CASES):
        summary.add(report)
    linear = [
        case for case in CASES
        if case.loss.name == "squared_error"
        and {f.name for f in case.model.activations} == {"identity"}
    ]  # fmt: skip
    assert len(linear) > 10
    assert summary.cases == {
        "pass": len(linear), "fail": 0, "error": 0, "skip": len(CASES) - len(linear),
    }  # fmt: skip


def test_a_function_from_the_current_directory(folder: Path) -> None:
    """py:module:object imports the module beside the user, under the name that was typed."""
    write(folder, "def run(**question):\n    return {'loss': 1.5}\n")
    subject = load_python("py:homework:run")
    assert (subject.name, subject.arithmetics) == ("py:homework:run", ("float32", "float64"))
    assert subject.run(x=1) == {"loss": 1.5}
    assert subject.versions == {}


def test_the_current_directory_comes_first_and_stays_last(folder: Path) -> None:
    """A user's module hides one of the library, and may import its neighbours when it runs."""
    write(folder, "def run():\n    import neighbour\n    return neighbour.answer\n", "this")
    write(folder, "answer = {'loss': 2.0}\n", "neighbour")
    before = list(sys.path)
    assert load_python("py:this:run").run() == {"loss": 2.0}
    load_python("py:this:run")
    assert sys.path == [*before, ""]


def test_a_dotted_object(folder: Path) -> None:
    """A method of an object in a module."""
    write(folder, "class Net:\n    @staticmethod\n    def run(**question):\n        return {}\n")
    assert load_python("py:homework:Net.run").run() == {}


def test_a_module_in_a_package(folder: Path) -> None:
    """The module may be dotted too."""
    (folder / "week").mkdir()
    write(folder / "week", "def run(**question):\n    return {}\n", "three")
    assert load_python("py:week.three:run").run() == {}


def test_declared_arithmetics_limit_the_run(folder: Path) -> None:
    """The attribute of the function says what it computes in."""
    write(folder, "def run(**question): ...\nrun.arithmetics = ['float64']\n")
    assert load_python("py:homework:run").arithmetics == ("float64",)


@pytest.mark.parametrize("value", ["'float64'", "()", "('float46',)", "([],)", "None", "64"])
def test_undeclarable_arithmetics_are_an_error(folder: Path, value: str) -> None:
    """A text, nothing, and names that do not exist are refused with an example."""
    write(folder, f"def run(**question): ...\nrun.arithmetics = {value}\n")
    text = message("py:homework:run")
    assert text.startswith("the arithmetics of py:homework:run must be among float64, float32,")
    assert text.endswith('; declare, for instance, run.arithmetics = ("float64",)')


@pytest.mark.parametrize("spec", ["py:homework", "py:", "py:a:b:c", "py::run", "py:homework:", ""])
def test_bad_spellings(spec: str) -> None:
    """Exactly three parts, none of them empty."""
    assert message(spec) == (
        f"a Python subject must read py:module:object; got {spec!r}; such as py:homework:run"
    )


def test_a_missing_module(folder: Path) -> None:
    """The error is that of the import, with what to do."""
    assert message("py:homewrok:run") == (
        "module 'homewrok' must be importable; got ModuleNotFoundError: No module named "
        "'homewrok'; name a module, not a file, and run from its folder or set PYTHONPATH"
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("raise SystemExit(2)", "SystemExit: 2"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("class Outcome(BaseException): ...\nraise Outcome('skipped')", "Outcome: skipped"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"),
        ("def run(:", "SyntaxError: "),
    ],
)
def test_a_module_that_raises_at_import(folder: Path, source: str, text: str) -> None:
    """Whatever the module raises is one line, and leaves the search path as it was extended."""
    write(folder, source)
    assert message("py:homework:run").startswith(
        f"module 'homework' must be importable; got {text}"
    )


def test_a_missing_object(folder: Path) -> None:
    """The file that was imported is named, because it may be another than was meant."""
    write(folder, "def run(**question): ...\n")
    text = message("py:homework:rnu")
    assert text.startswith("module 'homework' must have an object 'rnu'; got no such name; ")
    assert text.endswith("homework.py' was imported")
    assert "no such name" in message("py:homework:run.step")


def test_an_object_that_cannot_be_called(folder: Path) -> None:
    """A number is no function."""
    write(folder, "run = 3\n")
    assert message("py:homework:run") == (
        "homework:run must be callable; got int 3; name a function"
    )
