"""The pictures of the HTML report: every mark where it belongs, in colours that differ."""

from __future__ import annotations

import re
from importlib.resources import files
from math import inf, nan
from xml.etree import ElementTree as ET

import pytest

from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.gate.judge import Result, Verdict
from mlp_ref.gate.report_pictures import draw_digits, draw_ratios, scale_of
from mlp_ref.gate.report_svg import COLOURS, Canvas, drawing
from mlp_ref.gate.results import Line

CSS = files("mlp_ref.gate").joinpath("templates", "report.css").read_text("utf-8")
JUST_ABOVE = 1 + 2.0**-52


def line(
    ratio: float, *, operation: str = "dense", tensor: str = "z", digits: float = 15.0,
    expectation: str | None = None, case: int = 0,
) -> Line:  # fmt: skip
    """A tensor with that error/bound; NaN if it was not compared."""
    passes = ratio <= 1 or (ratio != ratio and tensor == "rejection")
    verdict = Verdict.PASS if passes else Verdict.FAIL
    result = Result(tensor, verdict, "", (0,), ratio=ratio, digits=digits, entries=1)
    return Line(f"{operation}/family/{case}/float64", result, expectation, "{}")


def unjudged(verdict: Verdict) -> Line:
    """A skip or an error."""
    return Line("dense/family/0/float64", Result("z", verdict, "why"), None, "{}")


def drawn(*lines: Line) -> ET.Element:
    """The picture of error against bound."""
    return ET.fromstring(draw_ratios("p", lines, scale_of(lines)))


def marks(picture: ET.Element) -> dict[str, list[float]]:
    """Colour -> where the marks stand, from left to right."""
    found: dict[str, list[float]] = {}
    for element in picture.iter():
        colour = re.findall(r"(?:fill|stroke):var\(--(\w+)\)", element.get("style", ""))
        uses = [float(use.get("x", nan)) for use in element if use.tag == "use"]
        dots = [float(x) for x in re.findall(r"M([\d.]+) [\d.]+h0", element.get("d", ""))]
        if uses or dots:
            found.setdefault(colour[0], []).extend(uses + dots)
    return {colour: sorted(places) for colour, places in found.items()}


def edges(picture: ET.Element) -> tuple[float, float, float]:
    """The bound, the end of the scale, and the begin of what lies beyond."""
    zones = [e.get("d", "") for e in picture.iter() if "--zone" in e.get("style", "")]
    (bound, end), (beyond, _) = (
        (min(xs), max(xs)) for zone in zones if (xs := [float(x) for x in zone.split()[1:14:3]])
    )
    return bound, end, beyond


@pytest.mark.parametrize("ratio", [5e-324, 1e-300, 1e-4, 0.003, 0.5, 1 - 2.0**-53, 1.0])
def test_a_pass_stands_left_of_the_line(ratio: float) -> None:
    """The bound itself is a pass, however near to it the result comes."""
    picture = drawn(line(ratio), line(2.0, case=1))
    (dot,), (bound, _, _) = marks(picture)["pass"], edges(picture)
    assert 0 < dot < bound


@pytest.mark.parametrize("ratio", [JUST_ABOVE, 1.01, 3.0, 99.0, 1e4])
def test_a_failure_stands_right_of_the_line(ratio: float) -> None:
    """However little it exceeds the bound, as a cross, ringed as the worst of its row."""
    picture = drawn(line(ratio), line(0.5, case=1))
    found, (bound, end, _) = marks(picture), edges(picture)
    assert bound < found["fail"][0] <= end + 2
    assert found["ink"] == found["fail"]


@pytest.mark.parametrize("ratio", [1.1e4, 1e300, inf, nan])
def test_what_is_beyond_the_scale_stands_at_the_edge(ratio: float) -> None:
    """Large, infinite, NaN, and what cannot be compared at all."""
    picture = drawn(line(ratio), line(1e4, case=1))
    found, (_, _, beyond) = marks(picture), edges(picture)
    assert found["fail"][1] > beyond > found["fail"][0]


def test_exact_results_stand_apart() -> None:
    """Error 0 and a rightful refusal stand left of the smallest error; neither is a worst entry."""
    picture = drawn(line(0.0), line(nan, tensor="rejection"), line(5e-324, case=1))
    exact, refused, smallest = marks(picture)["pass"]
    assert exact == refused < smallest - 10
    assert len(marks(picture)["ink"]) == 1


def test_order_on_the_picture_is_the_order_of_the_numbers() -> None:
    """A larger ratio never stands further left."""
    ratios = [10.0 ** (k / 10) for k in range(-45, 60)]
    places = marks(drawn(*(line(ratio, case=k) for k, ratio in enumerate(ratios))))
    assert len(places["pass"]) == sum(ratio <= 1 for ratio in ratios)
    assert len(places["fail"]) == sum(ratio > 1 for ratio in ratios)
    assert places["pass"][-1] < places["fail"][0]


def test_an_expected_failure_is_another_mark() -> None:
    """Of another shape and colour, outside all the same."""
    picture = drawn(line(30.0, expectation="known"), line(30.0, case=1))
    found, (bound, _, _) = marks(picture), edges(picture)
    assert len(found["expected"]) == len(found["fail"]) == 1
    assert found["expected"][0] > bound
    shapes = {path.get("d") for path in picture.iter("path") if path.get("id")}
    assert len(shapes) == 3


@pytest.mark.parametrize("ratio", [0.0, 0.5, 7.0, inf])
def test_thousands_of_equal_results_leave_room_for_the_worst(ratio: float) -> None:
    """Marks are dropped where they have no room; the worst of a row, and its ring, are not."""
    many = [line(ratio, case=k) for k in range(3000)]
    found = marks(drawn(*many, line(1e3, case=3000)))
    assert len(found["pass" if ratio <= 1 else "fail"]) < 200
    assert len(found["ink"]) == 1
    assert found["fail"]


def test_counts_stand_in_the_row() -> None:
    """Passed of all that were judged; errors count as judged, skips do not."""
    lines = [line(0.5), line(0.2, case=1), unjudged(Verdict.ERROR), unjudged(Verdict.SKIP)]
    assert "2/3" in texts(drawn(*lines))
    scale = scale_of([*lines, line(0.5, operation="loss")])
    picture = ET.fromstring(draw_ratios("p", [unjudged(Verdict.SKIP)], scale))
    assert {"skipped", "not asked"} <= texts(picture)


def texts(picture: ET.Element) -> set[str]:
    """What is written on it."""
    return {"".join(text.itertext()) for text in picture.iter("text")}


def test_rows_are_the_operations_in_their_order() -> None:
    """Networks have a row for each kind of tensor; unknown operations and refusals come last."""
    lines = [line(0.5, operation=name) for name in reversed((*OPERATIONS, "$x^2$", "a\0"))]
    lines += [line(0.5, operation="mlp", tensor=name) for name in ("dx", "dW12", "a0", "loss")]
    lines += [line(nan, operation="loss", tensor="rejection")]
    scale = scale_of(lines)
    assert scale.rows == (
        "activation", "dense", "softmax", "log_softmax", "loss", "mlp z", "mlp a", "mlp loss",
        "mlp dW", "mlp dx", "optimizer", "train_step", "other", "refusals",
    )  # fmt: skip
    assert set(scale.rows) <= texts(drawn(*lines))


def test_digits_are_shown_with_their_median() -> None:
    """And with all that the arithmetic can hold; a row without digits says why."""
    lines = [line(0.5, digits=digits, case=k) for k, digits in enumerate((3.0, 11.0, 15.0))]
    picture = ET.fromstring(draw_digits("p", lines, scale_of(lines), "float64"))
    assert {"11.0", "16.0", "dense"} <= texts(picture)
    lines = [unjudged(Verdict.SKIP)]
    picture = ET.fromstring(draw_digits("p", lines, scale_of(lines), "float32"))
    assert {"skipped", "7.2"} <= texts(picture)


@pytest.mark.parametrize("text", ["$", "$\\frac{1}{", "\N{PILE OF POO}\n", "a\0b<&>\"'"])
def test_any_text_can_be_drawn(text: str) -> None:
    """It is neither a formula nor markup; what is not ASCII is a question mark."""

    @drawing
    def draw() -> str:
        canvas = Canvas("p", 100, 50)
        canvas.text(0, 10, text)
        return canvas.svg()

    assert ET.fromstring(draw()).tag == "svg"


# --------------------------------------------------------------------------------------- colours


def palettes() -> list[dict[str, str]]:
    """The colours of a light and of a dark page."""
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    return [dict(re.findall(r"--(\w+): (#\w{6});", block)) for block in blocks]


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    shares = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_both_palettes_define_every_colour() -> None:
    """What one of them lacks would be drawn black."""
    light, dark = palettes()
    template = files("mlp_ref.gate").joinpath("templates", "report.html.j2").read_text("utf-8")
    used = {*COLOURS, *re.findall(r"var\(--(\w+)\)", CSS + template)} - {"tone"}
    assert used == set(light) == set(dark)


@pytest.mark.parametrize("k", [0, 1])
def test_text_and_marks_have_contrast(k: int) -> None:
    """WCAG 2, level AA: 4.5 for text, on every ground on which it stands; 3 for marks."""
    palette = palettes()[k]
    for text in ("ink", "muted", "pass", "fail", "expected"):
        for ground in ("page", "card", "band"):
            assert contrast(palette[text], palette[ground]) >= 4.5, (text, ground)
    for mark in ("fail", "expected", "ink"):
        assert contrast(palette[mark], palette["zone"]) >= 3, mark
    steps = [luminance(palette[name]) for name in ("exact", "tenth", "half", "near")]
    assert steps in (sorted(steps), sorted(steps, reverse=True))
