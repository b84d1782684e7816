"""Modules of a user: written into a folder, imported, forgotten."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from mlp_ref.checks import InputError
from mlp_ref.subjects import load

__all__ = ["folder", "message", "write"]


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
        load(spec)
    text = str(caught.value)
    assert "\n" not in text
    return text
