"""``mlp-ref report``: show one or several reports on one page."""

from __future__ import annotations

import argparse
import sys

from mlp_ref.files import atomic_path, require_other, require_writable
from mlp_ref.gate.report_html import render
from mlp_ref.gate.results import read_report
from mlp_ref.gate.tally import plural

__all__ = ["add_arguments", "run"]

DESCRIPTION = """\
Show reports of verify --jsonl on one page, subject beside subject: verdicts, error against bound of
every tensor, proven digits, a map of all cases, the worst entries with their values.

The page is one HTML file, light or dark as the reader's system is. It holds no script and fetches
nothing, so that it can be mailed, kept, and read without a connection. All reports must be about
the same corpus.

exit status: 0 the page is written, whatever the reports say, 2 usage or a report that is damaged"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``report``."""
    parser.add_argument(
        "reports", nargs="+", metavar="REPORT", help="report of verify --jsonl or of merge"
    )
    parser.add_argument("--html", required=True, metavar="FILE", help="page to write")


def run(args: argparse.Namespace) -> int:
    """Read, draw, write, and say what the page shows."""
    require_other(args.html, *args.reports, option="--html")
    require_writable(args.html)
    page = render([read_report(path) for path in args.reports])
    with atomic_path(args.html) as temporary:
        temporary.write_text(page, "utf-8", newline="\n")
    sys.stdout.write(f"{args.html} shows {plural(len(args.reports), 'report')}\n")
    return 0
