"""The picture of the README: small, well-formed, about the subjects that it names."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from make_report_picture import PICTURE, picture
from report_pages import saved
from report_subjects import OUTCOMES

MOST = 150_000  # bytes, so that a README loads at once


def require_picture(text: str, *names: str) -> None:
    """Well-formed, with a name, within the size, without a reference to elsewhere."""
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert all(name in root.attrib["aria-label"] for name in names)
    assert len(text.encode()) < MOST
    ids = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
    assert len(ids) == len(set(ids))
    assert {e.attrib["href"][1:] for e in root.iter() if "href" in e.attrib} <= set(ids)
    assert text.count("http") == 1


def test_the_picture_in_docs() -> None:
    """It can be shown as it is."""
    require_picture(PICTURE.read_text("utf-8"), "numpy", "torch")


@pytest.mark.parametrize("name", ["mixed", "raises", "skips"])
def test_a_picture_of_other_runs(name: str, tmp_path: Path) -> None:
    """Also of runs in which things fail."""
    reports = [saved(OUTCOMES[key], tmp_path / f"{key}.jsonl") for key in ("right", name)]
    require_picture(picture(reports), "mine 1.2")
