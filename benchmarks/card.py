"""A drawing as a picture of its own, in the reader's colours, light or dark."""

from __future__ import annotations

from importlib.resources import files

__all__ = ["card"]

_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans','DejaVu Sans',sans-serif"


def card(drawn: str, width: float, height: float, label: str) -> str:
    """The SVG of a `Canvas` with a background, the colours of the reports, and a label."""
    css = files("mlp_ref.gate").joinpath("templates", "report.css").read_text("utf-8")
    colours = " ".join(css.partition("* {")[0].split())
    inner = drawn.removeprefix("<svg").partition(">")[2]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{label}">\n'
        f"<style>{colours} text{{font-family:{_FONT}}}</style>\n"
        f'<rect width="{width}" height="{height}" rx="10" style="fill:var(--card)"/>\n{inner}\n'
    )
