"""Programs that a test starts are traced for coverage, too; some must not be."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that this test starts open no file and write no line on account of coverage."""
    for name in os.environ:
        if name.startswith(("COV_", "COVERAGE_")):
            monkeypatch.delenv(name)
