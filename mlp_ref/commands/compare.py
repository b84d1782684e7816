"""``mlp-ref compare``: hold a report against a baseline."""

from __future__ import annotations

import argparse
import sys

from mlp_ref.files import atomic_path
from mlp_ref.gate.compare import compare
from mlp_ref.gate.compare_text import render_comparison
from mlp_ref.gate.results import read_report

__all__ = ["add_arguments", "run"]

DESCRIPTION = """\
Compare two reports of verify --jsonl, such as one that is committed as the baseline and one of now,
tensor by tensor.

Worse is what newly fails, ends in an error, is skipped or is missing, and an error/bound that has
grown by more than the factor --max-growth and one unit in the last place. The baseline never moves
by itself: --update replaces it.

exit status: 0 nothing is worse, 1 something is, also if --update accepts it, 2 usage or a report
that is damaged"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``compare``."""
    parser.add_argument("base", metavar="BASE", help="report of before: the baseline")
    parser.add_argument("head", metavar="HEAD", help="report of now")
    parser.add_argument(
        "--max-growth", type=float, default=1.25, metavar="FACTOR",
        help="growth of error/bound that is still accepted (default: 1.25)",
    )  # fmt: skip
    parser.add_argument(
        "--no-new-skip", action="store_true",
        help="also refuse a skip where nothing was compared before: in a new case, or in place of "
        "an error",
    )  # fmt: skip
    parser.add_argument(
        "--allow-other-corpus", action="store_true",
        help="compare although the corpora differ; what the head has not is still worse",
    )  # fmt: skip
    parser.add_argument(
        "--update", action="store_true",
        help="replace BASE by HEAD after the comparison, also if it is worse",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Compare, print, move the baseline if asked, and return the exit status."""
    base, head = read_report(args.base), read_report(args.head)
    comparison = compare(
        base, head, max_growth=args.max_growth, no_new_skip=args.no_new_skip,
        other_corpus=args.allow_other_corpus,
    )  # fmt: skip
    sys.stdout.writelines(f"{line}\n" for line in render_comparison(base, head, comparison))
    worse = len(comparison.worse)
    if args.update:
        with atomic_path(args.base) as temporary:
            temporary.write_bytes(head.content)  # what was compared, whatever HEAD holds by now
        although = f", although {worse:,} of its tensors are worse" if worse else ""
        sys.stdout.write(f"\n{args.base} is now a copy of {args.head}{although}\n")
    return 1 if worse else 0
