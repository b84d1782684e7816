"""Draw docs/report.svg, the picture of the README: error against bound of NumPy and PyTorch.

    python docs/make_report_picture.py

The colours follow the reader's system, light or dark.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from html import escape
from importlib.resources import files
from pathlib import Path

from mlp_ref.files import atomic_path
from mlp_ref.gate.report_pictures import WIDTH, draw_ratios, scale_of
from mlp_ref.gate.results import Report, read_report

PICTURE = Path(__file__).with_name("report.svg")
SUBJECTS = ("numpy", "torch")
EDGE, HEAD = 16, 46
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans','DejaVu Sans',sans-serif"


def judged(subject: str, folder: Path) -> Report:
    """The report of a run over the whole corpus."""
    path = folder / f"{subject}.jsonl"
    command = [sys.executable, "-m", "mlp_ref", "verify", subject, "--jsonl", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return read_report(path)


def picture(reports: list[Report]) -> str:
    """The pictures side by side, on a card of their own."""
    scale = scale_of(line for report in reports for line in report.results.values())
    width = len(reports) * (WIDTH + EDGE) + EDGE
    height = HEAD + scale.height + EDGE
    css = files("mlp_ref.gate").joinpath("templates", "report.css").read_text("utf-8")
    colours = css.partition("* {")[0]
    names = escape(" and ".join(report.header.named for report in reports))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
        f'width="{width}" height="{height}" role="img" aria-label="Error against bound: {names}">',
        f"<style>{' '.join(colours.split())} text{{font-family:{FONT}}}</style>",
        f'<rect width="{width}" height="{height}" rx="10" style="fill:var(--card)"/>',
    ]
    for k, report in enumerate(reports):
        left = EDGE + k * (WIDTH + EDGE)
        says = f"{len(report.results):,} tensors in {len(report.cases):,} cases"
        own = draw_ratios(f"p{k}", list(report.results.values()), scale)
        name = escape(report.header.named)
        place = f'<svg x="{left}" y="{HEAD}" width="{WIDTH}" height="{scale.height}"'
        parts += [
            f'<text x="{left}" y="24" style="font-size:15px;fill:var(--ink)">{name}</text>',
            f'<text x="{left}" y="41" style="font-size:12px;fill:var(--muted)">{says}</text>',
            own.replace("<svg", place, 1),
        ]
    return "\n".join([*parts, "</svg>\n"])


def main() -> None:
    """Judge, draw, write."""
    with tempfile.TemporaryDirectory() as folder:
        reports = [judged(subject, Path(folder)) for subject in SUBJECTS]
    with atomic_path(PICTURE) as path:
        path.write_text(picture(reports), "utf-8")
    print(f"{PICTURE.name}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
