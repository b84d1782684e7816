"""Which method finds which fault, in one run: write docs/detection.md and docs/detection.svg.

    python -m benchmarks.detection            all of it: minutes on two cores
    python -m benchmarks.detection --quick    some faults and cases, not JAX; prints the page
    python -m benchmarks.detection --numpy    without PyTorch and JAX, for --quick

Needs PyTorch and JAX (dependency group ``bench``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.entries import Smallest, smallest_errors
from benchmarks.implementations import names
from benchmarks.measure import ALL, ARITHMETICS, NUMPY, measure
from benchmarks.page import page
from benchmarks.picture import picture
from mlp_ref.faults import FAULTS
from mlp_ref.files import atomic_path

__all__ = ["PAGE", "PICTURE", "main"]

PAGE = Path(__file__).parents[1] / "docs" / "detection.md"
PICTURE = PAGE.with_suffix(".svg")
FAULT_OF, CASE_OF = 10, 20  # a quick run takes every so-many-th


def _smallest(methods: Sequence[str], every: int, real: bool) -> dict[tuple[str, str], Smallest]:
    return {
        (method, arithmetic): smallest_errors(method, arithmetic, every, real)
        for method in methods
        for arithmetic in ARITHMETICS
        if (method, arithmetic) != ("gradcheck", "float32")
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write or print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small part, printed only")
    parser.add_argument("--numpy", action="store_true", help="without PyTorch and JAX")
    parser.add_argument("--workers", type=int, default=2, help="processes; 0 for this one alone")
    options = parser.parse_args(arguments)
    if options.numpy and not options.quick:
        parser.error("--numpy leaves methods out, and the page has all: add --quick")
    every = CASE_OF if options.quick else 1
    methods, faults = NUMPY if options.numpy else ALL, list(FAULTS)
    faults = faults[::FAULT_OF] if options.quick else faults
    right = names(libraries=not options.numpy)
    if options.quick:
        right = [name for name in [right[0], *right[1::5], "torch"] if name in right]
    measured = measure(
        methods, dict.fromkeys(right), faults, every, options.workers, not options.numpy,
        lambda line: print(line, file=sys.stderr),
    )  # fmt: skip
    errors = _smallest(methods, every, not options.numpy)
    text, drawn = page(measured, errors), picture(measured, errors)
    if options.quick:
        print(text)
        return 0
    for path, content in ((PAGE, text), (PICTURE, drawn)):
        with atomic_path(path) as temporary:
            temporary.write_text(content, "utf-8")
        print(f"{path.name}: {len(content):,} characters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
