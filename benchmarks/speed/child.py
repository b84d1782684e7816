"""The command line of a module that is measured in a process of its own."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["main"]


def main(measure: Callable[[bool], dict[str, Any]], arguments: Sequence[str] | None = None) -> int:
    """Measure, and print what was found as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a small part")
    print(json.dumps(measure(parser.parse_args(arguments).quick)))
    return 0
