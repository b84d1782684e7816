"""Modules import from lower levels only; `__all__` is complete; importing mlp_ref stays cheap."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

import mlp_ref

ROOT = Path(mlp_ref.__file__).parent

# Each line may import from the lines above it. A package is one entry, free within itself.
LEVELS = (
    ("arithmetic", "checks"),
    ("batches", "files", "special"),
    ("rounding", "tables", "tensors"),
    ("activations", "dense", "softmax"),
    ("losses", "parameters"),
    ("model", "optimizers"),
    ("bounds", "corpus", "datasets", "storage", "training"),
    ("__init__", "allowances", "gradcheck", "operations"),
    ("certify", "faults"),
    ("subjects",),
    ("gate",),
    ("fuzz",),
    ("commands",),
    ("cli", "pytest_plugin"),
    ("__main__",),
)
LEVEL = {name: number for number, names in enumerate(LEVELS, 1) for name in names}
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


def imported(source: str, file: str) -> set[str]:
    """The entries of LEVEL that a module imports anywhere, also within functions."""
    found = set()
    for node in ast.walk(ast.parse(source, file)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: import by the full name, not a relative one"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "mlp_ref":
                entry = rest.partition(".")[0]
                found.add(entry if entry in LEVEL else "__init__")
    return found


def violations(source: str, file: str) -> list[str]:
    """What the rule forbids in one module."""
    own = file.removesuffix(".py").partition("/")[0]
    if own not in LEVEL:
        return [f"{file} has no level: give it one in LEVELS"]
    return [
        f"{file} (level {LEVEL[own]}) imports {name} (level {LEVEL[name]})"
        for name in sorted(imported(source, file))
        if LEVEL[name] >= LEVEL[own] and not (name == own and "/" in file)
    ]


@pytest.mark.parametrize("file", MODULES)
def test_a_module_imports_from_lower_levels_only(file: str) -> None:
    """No module imports a sibling or a higher level; only packages import within themselves."""
    assert violations((ROOT / file).read_text("utf-8"), file) == []


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("import mlp_ref.losses", "activations.py"),
        ("from mlp_ref import losses", "activations.py"),
        ("from mlp_ref.softmax import SOFTMAX", "activations.py"),  # a sibling
        ("from mlp_ref.dense import Layer", "dense.py"),  # itself
        ("from mlp_ref import MLP", "model.py"),  # the package as a whole
        ("def f():\n    import mlp_ref.cli", "model.py"),
        ("from mlp_ref.gate.judge import x", "subjects/pytorch/subject.py"),
        ("", "new_module.py"),
    ],
)
def test_the_rule_notices(source: str, file: str) -> None:
    """The checker itself rejects each kind of forbidden import."""
    assert len(violations(source, file)) == 1


def test_the_rule_allows() -> None:
    """Lower levels, siblings within a package, and anything from elsewhere are fine."""
    source = "import os\nfrom mlp_ref import checks\nfrom mlp_ref.bounds.product import x"
    assert violations(source, "bounds/network.py") == []


# ------------------------------------------------------------------------------------ public names


def public(tree: ast.Module) -> set[str]:
    """The functions and classes that a module defines without a leading underscore."""
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    }


@pytest.mark.parametrize("file", MODULES)
def test_all_lists_the_public_names(file: str) -> None:
    """`__all__` names every public function and class once, and nothing that does not exist."""
    name = "mlp_ref." + file.removesuffix(".py").replace("/", ".")
    defined = public(ast.parse((ROOT / file).read_text("utf-8")))
    if file.endswith("__main__.py"):
        assert not defined
        return
    module = importlib.import_module(name.removesuffix(".__init__"))
    names = getattr(module, "__all__", [])
    assert len(set(names)) == len(names)
    assert [n for n in names if not hasattr(module, n)] == []
    assert not any(n.startswith("_") for n in names)
    assert sorted(defined - set(names)) == []


def test_public_names_are_those_that_type_checkers_see() -> None:
    """What is imported lazily has the names, and the levels, of the imports that never run."""
    tree = ast.parse((ROOT / "__init__.py").read_text("utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imports = {
        alias.name: node.module for node in found for alias in node.names if node.module != "typing"
    }
    assert imports.pop("import_module") == "importlib"
    assert sorted(imports) == sorted(mlp_ref.__all__)
    for name, module in imports.items():
        assert getattr(mlp_ref, name) is getattr(importlib.import_module(module), name)
    assert {module.partition(".")[2] for module in imports.values()} <= set(mlp_ref._MODULES)
    assert all(LEVEL[name] < LEVEL["__init__"] for name in mlp_ref._MODULES)


def test_names_and_modules_are_attributes_of_the_package() -> None:
    """dir() lists them, and each can be used after a plain import; others do not exist."""
    program = "import mlp_ref as m\nprint(m.arithmetic.FLOAT32.name, m.MLP.__name__)"
    assert run(program) == "float32 MLP\n"
    assert {*mlp_ref.__all__, *mlp_ref._MODULES, "__version__"} <= set(dir(mlp_ref))
    with pytest.raises(AttributeError, match="module 'mlp_ref' has no attribute 'nothing'"):
        _ = mlp_ref.nothing


# ----------------------------------------------------------------------------------- import cost


def run(program: str) -> str:
    """What a program prints in an interpreter of its own, with one thread and cached bytecode."""
    dropped = ("COV_", "COVERAGE_", "PYTHONDONTWRITEBYTECODE")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout


def new(statement: str) -> set[str]:
    """The modules that a statement loads."""
    before, after = (
        set(run(f"import sys\n{code}\nprint(*sys.modules)").split()) for code in ("", statement)
    )
    return after - before


def test_the_package_alone_loads_nothing() -> None:
    """pytest imports it at every start, for its plugin, and must not wait for NumPy."""
    found = new("import mlp_ref")
    assert found - set(new("import typing")) == {"mlp_ref"}


def test_import_needs_numpy_and_nothing_else() -> None:
    """With all public names there is nothing loaded beside NumPy and the standard library."""
    found = {name.partition(".")[0] for name in new("from mlp_ref import *")}
    assert found - set(sys.stdlib_module_names) == {"mlp_ref", "numpy"}


HELP = """
from contextlib import redirect_stdout
from io import StringIO
from mlp_ref.cli import main
with redirect_stdout(StringIO()):
    main(["--help"])
"""


def test_help_imports_no_command() -> None:
    """It names all, and imports none of them, nor the corpus."""
    found = {name for name in new(HELP) if name.startswith("mlp_ref.")}
    assert found == {
        "mlp_ref.checks", "mlp_ref.cli", "mlp_ref.commands", "mlp_ref.commands.terminal"
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("code", "most"), [("from mlp_ref import *", 1.3), (HELP, 1.5)])
def test_start_up_takes_at_most_so_many_times_numpy(code: str, most: float) -> None:
    """The median over interleaved pairs of the ratio of CPU times, all of mlp_ref to NumPy.

    The only numbers here that are no bounds but the project's promise; as ratios of neighbours in
    time they do not depend on the machine or its load.
    """
    clock = "import time\nt = time.process_time()\n{}\nprint(time.process_time() - t)"
    programs = [clock.format(statement) for statement in (code, "import numpy")]
    for program in programs:
        run(program)  # compiles, and warms the disk cache
    ratios = []
    for _ in range(15):
        ours, numpys = (float(run(program)) for program in programs)
        ratios.append(ours / numpys)
    assert median(ratios) <= most, f"sorted ratios: {sorted(ratios)}"
