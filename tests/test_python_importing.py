"""Modules of the user that cannot be imported: each reason is told, with a remedy of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from user_modules import folder, message, write

from mlp_ref.subjects import load

__all__ = ["folder"]  # a fixture


# ---------------------------------------------------------------------------------------- no module


def test_a_module_that_there_is_not(folder: Path) -> None:
    """The remedy is where to run."""
    assert message("py:homework:run") == (
        "module 'homework' must exist; got no module 'homework' in this folder or on the path; run "
        "from the folder that holds it, or put that folder on PYTHONPATH"
    )
    write(folder, "")
    text = message("py:homework.part:run")  # which is no package
    assert text.startswith("module 'homework.part' must exist; got no module 'homework.part' in ")


def test_a_misspelt_module(folder: Path) -> None:
    """A file beside it that looks alike is named."""
    write(folder, "def run(**question): ...\n")
    assert "; did you mean 'homework', which is here? Else run from" in message("py:homewrok:run")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("homework.py", "homework"), ("./homework.py", "homework"), (".homework", "homework"),
        ("own/homework", "own.homework"),
        ("own/homework.py", "own.homework"), ("../homework.py", "homework"),
    ],
)  # fmt: skip
def test_a_file_in_place_of_a_module(folder: Path, name: str, meant: str) -> None:
    """How the module is named."""
    write(folder, "def run(**question): ...\n")
    assert message(f"py:{name}:run").endswith(f"; name a module, not a file: py:{meant}:...")


def test_a_module_that_is_missing_in_another(folder: Path) -> None:
    """That one is named, with the line that imports it; the module itself is there."""
    write(folder, "import numpy\nimport no_such_package.part\n")
    assert message("py:homework:run") == (
        "module 'homework' must find the modules that it imports; got no module 'no_such_package' "
        "(homework.py, line 2); install what has it, such as by pip install no_such_package, or "
        "put its folder on PYTHONPATH if it is your own"
    )
    write(folder, "\n\nimport homework\n", "other")
    assert "got no module 'no_such_package' (homework.py, line 2)" in message("py:other:run")


# ------------------------------------------------------------------------------- no valid module


@pytest.mark.parametrize(
    ("source", "received"),
    [
        ("x = 1\ndef run(:\n", "SyntaxError: invalid syntax (homework.py, line 2): def run(:"),
        ("def run():\npass", "IndentationError: expected an indented block after function def"),
        ("print 'hello'", "SyntaxError: Missing parentheses in call to 'print'. Did you mean"),
    ],
)
def test_a_module_that_is_not_valid(folder: Path, source: str, received: str) -> None:
    """File, line and code."""
    (folder / "homework.py").write_text(source)
    text = message("py:homework:run")
    assert text.startswith(f"module 'homework' must be valid Python; got {received}")
    assert "(homework.py, line " in text
    assert text.endswith("; correct that line, or the one before it")


@pytest.mark.parametrize(
    ("source", "received"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero (homework.py, line 1)"),
        ("class Outcome(BaseException): ...\nraise Outcome('skipped')",
         "Outcome: skipped (homework.py, line 2)"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines (homework.py, line 1)"),
        ("from numpy import arrray", "ImportError: cannot import name 'arrray' from 'numpy'"),
        ("import numpy\ndef data():\n    return numpy.loadtxt('none.csv')\ndata()",
         "FileNotFoundError: none.csv not found. (homework.py, line 3)"),
        ("eval('1 +')", "SyntaxError: invalid syntax (<string>, line 1) (homework.py, line 1)"),
    ],
)  # fmt: skip
def test_a_module_that_raises(folder: Path, source: str, received: str) -> None:
    """Type, text, and the line of the user's that led to it, not one of a library."""
    write(folder, source)
    text = message("py:homework:run")
    assert text.startswith(f"module 'homework' must be importable; got {received}")
    assert "(homework.py, line " in text
    assert text.endswith(
        "; all code outside functions and classes runs when the module is imported"
    )


def test_a_module_that_raises_in_another_of_the_user(folder: Path) -> None:
    """The line that raised is named, not the one that imports it."""
    write(folder, "import helper\n")
    write(folder, "\n\n1 / 0\n", "helper")
    assert "ZeroDivisionError: division by zero (helper.py, line 3); " in message("py:homework:run")


def test_a_program(folder: Path) -> None:
    """One that exits when it is imported."""
    write(folder, "import sys\nsys.exit(2)\n")
    assert message("py:homework:run") == (
        "module 'homework' must be importable; got SystemExit: 2 (homework.py, line 2); put what "
        'is not to run when it is imported under if __name__ == "__main__":'
    )


# --------------------------------------------------------------------------------------- no object


def test_a_missing_object(folder: Path) -> None:
    """What it may be called, and which file was imported: it may be another than was meant."""
    write(folder, "import math\nclass MyMLP: ...\ndef run(**question): ...\n_hidden = run\n")
    start = "module 'homework' must have an object {!r}; got no such name; "
    text = message("py:homework:rnu")
    assert text.startswith(start.format("rnu") + "did you mean 'run'?; ")
    assert text.endswith("homework.py was imported")
    assert "; did you mean 'MyMLP'?; " in message("py:homework:mymlp")
    assert "; it has MyMLP, run; " in message("py:homework:Perceptron")
    assert message("py:homework:run.step").startswith(start.format("run.step"))


def test_an_object_of_an_empty_module(folder: Path) -> None:
    """It has none; of many, some are shown."""
    write(folder, "import math\nfrom math import sin\n")
    assert "; it has none of its own; " in message("py:homework:run")
    write(folder, "\n".join(f"def part{k}(): ..." for k in range(10)), "many")
    assert (
        "; it has part0, part1, part2, part3, part4, part5, part6, part7 and 2 more; "
        in message("py:many:run")
    )


def test_a_part_of_a_package_that_cannot_be_imported(folder: Path) -> None:
    """It is there, and what is wrong in it is said."""
    (folder / "course").mkdir()
    write(folder, "", "course/__init__")
    write(folder, "def run(:\n", "course/week1")
    assert message("py:course:week1.run").startswith("module 'course.week1' must be valid Python; ")
    write(folder, "def run(**question):\n    return {}\n", "course/week2")
    assert load("py:course:week2.run").name == "py:course:week2.run"
