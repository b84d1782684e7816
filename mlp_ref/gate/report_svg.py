"""Drawing on a canvas of pixels with matplotlib, and SVG that follows the colours of the page.

Every colour is drawn as a stand-in and written as a CSS variable, so that one picture serves light
and dark pages. What is written depends on nothing but what was drawn: no date, no settings of the
user, no name of an element that another picture may have too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import wraps
from io import BytesIO
from typing import Any, ParamSpec
from xml.etree import ElementTree as ET

__all__ = ["COLOURS", "Canvas", "drawing"]

P = ParamSpec("P")

# Names of CSS variables, each with its stand-in.
COLOURS = {
    name: f"#0000{k:02x}"
    for k, name in enumerate(
        ("ink", "muted", "grid", "band", "zone", "pass", "soft", "fail", "expected", "card"), 1
    )
}
_NAMES = {value: f"var(--{name})" for name, value in COLOURS.items()}
_NAME = re.compile(r"(?<=#)[\w.-]+")
_DOT = re.compile(r"M (\S+ \S+) L \1(?!\S)")  # a line that ends where it begins
_DROPPED = {"font-family", "font-weight", "stroke-miterlimit", "clip-path", "opacity"}


def drawing(draw: Callable[P, str]) -> Callable[P, str]:
    """Let a function draw as if the user had set nothing; text stays text."""

    @wraps(draw)
    def plain(*args: P.args, **options: P.kwargs) -> str:
        from matplotlib.style import context

        with context(["default", {"svg.fonttype": "none", "svg.hashsalt": "mlp_ref"}]):
            return draw(*args, **options)

    return plain


class Canvas:
    """A picture of so many pixels; x grows to the right, y downwards. ``name`` begins all ids.

    To be used in a function that is marked as `drawing`.
    """

    def __init__(self, name: str, width: float, height: float) -> None:
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        self.name, self.width, self.height = name, width, height
        self._figure = Figure((width / 72, height / 72), facecolor="none")
        FigureCanvasSVG(self._figure)
        self._axes: Any = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set(xlim=(0, width), ylim=(height, 0))
        self._axes.axis("off")

    def text(
        self, x: float, y: float, text: str, colour: str = "ink", *, size: float = 11.5,
        align: str = "left",
    ) -> None:  # fmt: skip
        """ASCII text whose baseline stands at y."""
        self._axes.text(
            x, y, re.sub("[^ -~]", "?", text), color=COLOURS[colour], fontsize=size,
            ha=align, va="baseline", parse_math=False,
        )  # fmt: skip

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle."""
        from matplotlib.patches import Rectangle

        box = Rectangle((x, y), width, height, facecolor=COLOURS[colour], edgecolor="none")
        self._axes.add_patch(box)

    def line(
        self, x: tuple[float, float], y: tuple[float, float], colour: str, width: float = 1.0,
        dashes: Sequence[float] = (),
    ) -> None:  # fmt: skip
        """A straight line."""
        style: Any = (0, tuple(dashes)) if dashes else "solid"
        self._axes.plot(
            x, y, color=COLOURS[colour], linewidth=width, linestyle=style, clip_on=False,
            solid_capstyle="butt", scalex=False, scaley=False,
        )  # fmt: skip

    def marks(
        self, points: Sequence[tuple[float, float]], mark: str, colour: str, size: float,
        edge: str | None = None, width: float = 0.0,
    ) -> None:  # fmt: skip
        """Equal marks: one of matplotlib's."""
        if points:
            hollow = edge is not None
            self._axes.plot(
                *zip(*points, strict=True), mark, markersize=size, linestyle="none",
                markerfacecolor="none" if hollow else COLOURS[colour],
                markeredgecolor=COLOURS[edge or colour], markeredgewidth=width, clip_on=False,
                scalex=False, scaley=False,
            )  # fmt: skip

    def dots(self, points: Sequence[tuple[float, float]], colour: str, size: float) -> None:
        """Many filled circles in one path: lines of length 0 with round ends."""
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        if points:
            path = Path(
                [p for point in points for p in (point, point)],
                [Path.MOVETO, Path.LINETO] * len(points),
            )
            path.should_simplify = False
            patch = PathPatch(
                path, fill=False, edgecolor=COLOURS[colour], linewidth=size, capstyle="round",
                clip_on=False,
            )  # fmt: skip
            self._axes.add_patch(patch)

    def svg(self) -> str:
        """The picture as an element of a page."""
        file = BytesIO()
        self._figure.savefig(file, format="svg", metadata={"Date": None})
        root = ET.fromstring(file.getvalue())
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
            element.text = element.text if (element.text or "").strip() else None
            element.tail = None
        for extra in [*root.iterfind("metadata"), *root.iterfind("defs")]:
            root.remove(extra)
        used = {name for e in root.iter() for v in e.attrib.values() for name in _NAME.findall(v)}
        for element in root.iter():
            element.attrib = _tidy(element, self.name, used)
        _flatten(root)
        root.attrib = {"viewBox": f"0 0 {self.width:g} {self.height:g}"}
        return ET.tostring(root, encoding="unicode", short_empty_elements=True)


def _tidy(element: ET.Element, name: str, used: set[str]) -> dict[str, str]:
    """The attributes with names of their own, variables for colours, and a tenth of a pixel."""
    found = {}
    for qualified, value in element.attrib.items():
        key = qualified.rpartition("}")[2]
        if key == "id":
            if value in used:
                found["id"] = f"{name}-{value}"
        elif key == "href":
            found["href"] = f"#{name}-{value[1:]}"
        elif key == "style":
            if style := _style(value):
                found["style"] = style
        elif key == "transform" and value.startswith("rotate(-0"):
            continue
        elif key in ("x", "y", "d", "transform"):
            plain = re.sub(r"\s+", " ", re.sub(r"-?\d+\.\d+", _tenth, value)).strip()
            found[key] = _DOT.sub(r"M\1h0", plain).replace("h0 M", "h0M")
    return found


def _style(text: str) -> str:
    """The declarations that matter; the font is that of the page."""
    pairs = [part.partition(":")[::2] for part in text.split(";") if part.strip()]
    kept = {key.strip(): value.strip() for key, value in pairs if key.strip() not in _DROPPED}
    return ";".join(f"{key}:{_NAMES.get(value, value)}" for key, value in kept.items())


def _tenth(number: re.Match[str]) -> str:
    return f"{round(float(number[0]), 1):g}"


def _flatten(parent: ET.Element) -> None:
    """Say once what all marks of a group say, and drop groups that say nothing."""
    for child in list(parent):
        _flatten(child)
    styles = {child.get("style") for child in parent}
    if len(styles) == 1 and all(child.tag == "use" for child in parent):
        (style,) = styles
        if style and "style" not in parent.attrib:
            parent.set("style", style)
            for child in parent:
                del child.attrib["style"]
    flat: list[ET.Element] = []
    for child in parent:
        bare = child.tag == "g" and not child.attrib
        flat += list(child) if bare else [child]
    parent[:] = flat
