"""The HTML report in a headless Chromium: no complaint, no request, no scroll to the side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import headless
import pytest
from report_pages import saved
from report_subjects import OUTCOMES

from mlp_ref.gate.report_html import render

CHROMIUM = headless.find()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium or Chrome is installed here"),
]
RUNS = ("mixed", "doubled", "raises", "skips", "expected and not")
WIDTHS, SCHEMES = (400, 1280), ("light", "dark")


@dataclass
class Shown:
    """A browser, and the folder of the pages that it shows."""

    browser: headless.Browser
    folder: Path

    def visit(self, width: int, scheme: str, name: str = "report.html") -> None:
        """Show a page with everything unfolded."""
        self.browser.visit(self.folder / name, width, scheme)
        self.browser.ask("for (const d of document.querySelectorAll('details')) d.open = true")

    def complaints(self) -> list[Any]:
        """What the console says, and every request but that for the page itself."""
        found = []
        for event in self.browser.events:
            method, params = event.get("method", ""), event.get("params", {})
            if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                found.append(params)
            if method == "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.endswith(".html") and not url.startswith("data:"):
                    found.append(url)
        return found

    def overhang(self, width: int) -> int:
        """By how many pixels the page is wider than its window, which a telephone would widen."""
        sizes = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        whole, seen = self.browser.ask(sizes)
        return int(whole - min(seen, width))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A browser, a page about five subjects, and one with every fault that is looked for."""
    folder = tmp_path_factory.mktemp("pages")
    reports = [saved(OUTCOMES[name], folder / f"{name}.jsonl") for name in RUNS]
    page = render(reports)
    (folder / "report.html").write_text(page, "utf-8")
    faults = "<script>console.log(1)</script><img src=none.png><div style='width:2000px'>wide</div>"
    policy = page.index("<meta http-equiv")
    (folder / "faulty.html").write_text(page[:policy] + faults + page[policy:], "utf-8")
    assert CHROMIUM is not None
    with headless.browser(CHROMIUM, tmp_path_factory.mktemp("profile")) as browser:
        yield Shown(browser, folder)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_a_reader_sees_it_whole(width: int, scheme: str, shown: Shown) -> None:
    """On a telephone and on a desk, light and dark, with everything unfolded."""
    shown.visit(width, scheme)
    assert shown.complaints() == []
    assert shown.overhang(width) == 0
    assert shown.browser.ask("document.querySelectorAll('figure svg').length") > 0
    assert shown.browser.ask("document.body.innerText.includes('Does not conform')")


@pytest.mark.parametrize("width", WIDTHS)
def test_every_picture_fits_its_frame(width: int, shown: Shown) -> None:
    """No text of a picture is cut off at its edge, and none stands on another of its line."""
    shown.visit(width, "light")
    cut = """[...document.querySelectorAll('figure svg text')].filter(t => {
        const a = t.getBoundingClientRect(), b = t.closest('svg').getBoundingClientRect();
        return a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1;
    }).map(t => t.textContent)"""
    assert shown.browser.ask(cut) == []
    over = """[...document.querySelectorAll('figure svg')].flatMap(s => {
        const found = [...s.querySelectorAll('text')].map(t => [t, t.getBoundingClientRect()]);
        return found.flatMap(([t, a]) => found.filter(([u, b]) => u !== t && a.left < b.left &&
            b.left < a.right - 1 && Math.abs(a.bottom - b.bottom) < 2).map(([u, b]) =>
            t.textContent + ' / ' + u.textContent));
    })"""
    assert shown.browser.ask(over) == []


def test_dark_is_another_picture(shown: Shown) -> None:
    """The ground is dark, and marks and text are light on it, also in the pictures."""
    seen = {}
    for scheme in SCHEMES:
        shown.visit(1280, scheme)
        style = "getComputedStyle(document.querySelector('{}')).{}"
        seen[scheme] = [
            sum(map(int, str(shown.browser.ask(style.format(*what)))[4:-1].split(", ")))
            for what in (
                ("body", "backgroundColor"), ("body", "color"), ("figure svg text", "fill"),
                ("figure", "backgroundColor"),
            )
        ]  # fmt: skip
    light, dark = seen["light"], seen["dark"]
    assert light[0] > light[1]
    assert light[3] > light[2]
    assert dark[0] < dark[1]
    assert dark[3] < dark[2]


def test_every_part_can_be_reached_by_keyboard(shown: Shown) -> None:
    """What scrolls in a box of its own takes the focus."""
    shown.visit(400, "light")
    boxes = """[...document.querySelectorAll('.scroll')].filter(
        e => e.scrollWidth > e.clientWidth && e.tabIndex !== 0).length"""
    assert shown.browser.ask(boxes) == 0


def test_the_look_notices_faults(shown: Shown) -> None:
    """A message on the console, a request and a page that is too wide are each reported."""
    shown.visit(400, "light", "faulty.html")
    found = shown.complaints()
    assert any("none.png" in str(what) for what in found if isinstance(what, str))
    assert any(what.get("type") == "log" for what in found if isinstance(what, dict))
    assert shown.overhang(400) > 1000
