"""The distribution: one version, the right files in wheel and sdist, no pickle."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest

import mlp_ref
from mlp_ref.cli import main
from mlp_ref.commands.questions import CONTRACT, contract

ROOT = Path(__file__).parents[1]
VERSION = re.escape(mlp_ref.__version__)


def read(name: str) -> str:
    """The text of a file of the repository."""
    return (ROOT / name).read_text("utf-8")


def test_the_version_is_stated_once() -> None:
    """pyproject.toml takes the version from mlp_ref/__init__.py; citation and changelog agree."""
    project = tomllib.loads(read("pyproject.toml"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "mlp_ref/__init__.py"
    assert re.search(rf"^version: {VERSION}$", read("CITATION.cff"), re.MULTILINE)
    newest = re.search(r"^## \[(.+?)\]", read("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == mlp_ref.__version__


def test_base_dependencies_are_numpy_and_safetensors() -> None:
    """Nothing else is needed to use the library."""
    needs = tomllib.loads(read("pyproject.toml"))["project"]["dependencies"]
    assert [re.split("[<>=~! ]", need)[0] for need in needs] == ["numpy", "safetensors"]


def test_the_conformance_pins_one_pytorch() -> None:
    """Conformance names a version, so the tests run against exactly that one."""
    assert (
        "torch==2.13.0" in tomllib.loads(read("pyproject.toml"))["dependency-groups"]["conformance"]
    )


def test_the_digits_need_no_pickle() -> None:
    """The archive in the package holds two arrays of bytes."""
    with np.load(Path(mlp_ref.__file__).parent / "data" / "digits.npz", allow_pickle=False) as held:
        kinds = {name: (held[name].shape, held[name].dtype) for name in held.files}
    assert kinds == {"images": ((1797, 64), np.uint8), "labels": ((1797,), np.uint8)}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    """Every module, py.typed, data and vectors are in the wheel; tests and caches are not."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
        licenses = [n for n in archive.namelist() if n.endswith(".dist-info/licenses/LICENSE")]
        (record,) = (n for n in archive.namelist() if n.endswith("METADATA"))
        metadata = archive.read(record).decode()
    package = ROOT / "mlp_ref"
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    vectors = ROOT / "conformance" / "vectors"
    expected |= {f"mlp_ref/vectors/{path.name}" for path in vectors.iterdir()}
    expected |= {f"mlp_ref/contract/{path.name}" for path in contract()} | {"mlp_ref/kills.json"}
    assert names == expected
    assert "mlp_ref/vectors/MANIFEST.json" in names
    assert {"mlp_ref/py.typed", "mlp_ref/data/digits.npz", "mlp_ref/data/README.md"} <= names
    assert len(licenses) == 1
    assert re.search(rf"^Version: {VERSION}$", metadata, re.MULTILINE)
    assert "License-Expression: BSD-3-Clause" in metadata


def test_the_contract_is_found_in_a_checkout(capsys: pytest.CaptureFixture[str]) -> None:
    """The protocol, the contract, the C header and the schema: their places, one a line."""
    assert main(["questions", "--protocol"]) == 0
    paths = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert [path.name for path in paths] == list(CONTRACT)
    assert all(path.is_file() and path.is_relative_to(ROOT / "conformance") for path in paths)


def test_the_sdist_can_be_tested(built: Path) -> None:
    """The source distribution holds the tests, their configuration and the documents."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"LICENSE", "README.md", "CHANGELOG.md", "CITATION.cff", "tox.ini", "pyproject.toml"}
    wanted |= {"mlp_ref/__init__.py", "tests/test_package.py", ".ci/run"}
    wanted |= {f"conformance/{name}" for name in ("README.md", "ids.txt", "vectors/MANIFEST.json")}
    assert wanted <= names
    assert not any("__pycache__" in name or name.startswith(".tox") for name in names)


def test_the_corpus_is_cited_with_its_own_version_and_licence() -> None:
    """CITATION.cff names the corpus that is in the repository, under CC0-1.0."""
    manifest = json.loads(read("conformance/vectors/MANIFEST.json"))
    (entry,) = re.findall(r"certified values.*?(?=\n  - )", read("CITATION.cff"), re.DOTALL)
    assert f'version: "{manifest["corpus"]}"' in entry
    assert f"license: {manifest['licence']}\n" in entry


@pytest.mark.slow
def test_an_installed_wheel_finds_its_vectors(built: Path, tmp_path: Path) -> None:
    """Far from the repository, the corpus in the wheel is found, whole, and cited."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    program = (
        "from mlp_ref.corpus import find, load; print(find()); print(len(load().records))\n"
        "from mlp_ref.corpus.kills import kills; print(len(kills()))\n"
        "from mlp_ref.commands.questions import contract; print(*contract())\n"
        "from mlp_ref.cli import main; raise SystemExit(main(['cite']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], cwd=tmp_path, env=environment, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    folder, cases, killers, files, *cited = done.stdout.splitlines()
    assert Path(folder) == tmp_path / "site" / "mlp_ref" / "vectors"
    assert int(killers) == int(cases)
    assert int(cases) == json.loads(read("conformance/vectors/MANIFEST.json"))["cases"]
    assert [Path(name).read_bytes() for name in files.split()] == [
        path.read_bytes() for path in contract()
    ]
    assert "@software{mlp_ref," in cited
