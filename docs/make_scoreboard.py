"""Write the tables of docs/scoreboard.md: libraries against the whole corpus.

    python docs/make_scoreboard.py [SUBJECT ...]

Needs the libraries. Every subject must conform: what deviates stands in a ledger, or the script
stops. With names, only these are measured, and nothing is written.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from pathlib import Path
from statistics import median
from typing import NamedTuple

from mlp_ref.corpus import load
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.files import atomic_path
from mlp_ref.gate.cases import REJECTION, build_cases
from mlp_ref.gate.judge import Verdict
from mlp_ref.gate.ledger import expectations_of, known_expectations
from mlp_ref.gate.run import Summary, run_cases
from mlp_ref.gate.sessions import open_sessions

PAGE = Path(__file__).with_name("scoreboard.md")
BEGIN, END = "<!-- written by docs/make_scoreboard.py -->", "<!-- until here -->"
SUBJECTS = (
    "numpy", "torch", "torch_ddp:2", "torch_ddp:3", "torch_tp:2", "jax", "onnxruntime",
    "sklearn",
)  # fmt: skip
ARITHMETICS = ("float64", "float32")


class Cell(NamedTuple):
    """One operation of one subject in one arithmetic.

    ``ratios``, ``digits``  of the worst entry of every tensor that passes
    ``known``   tensors that fail as a ledger says, out of ``judged``
    """

    ratios: list[float]
    digits: list[float]
    known: int
    judged: int

    def __str__(self) -> str:
        """The largest error/bound, the median of the digits, and how much fails as is known."""
        if not self.judged:
            return ""
        worst = "none passes"
        if self.ratios:
            worst = f"{max(self.ratios):.2f}, {median(self.digits):.1f}"
        return worst + (f", {self.known} of {self.judged} known to fail" if self.known else "")


class Score(NamedTuple):
    """A subject: its library's version, and a cell for every operation and arithmetic."""

    title: str
    cells: Mapping[tuple[str, str], Cell]


def measure(name: str, only: Iterable[str] = OPERATIONS) -> Score:
    """Judge one subject. Raises `AssertionError` if it does not conform."""
    corpus, chosen = load(), set(only)
    (session,) = open_sessions(name, corpus, timeout=300)
    cells: dict[tuple[str, str], Cell] = defaultdict(lambda: Cell([], [], 0, 0))
    summary = Summary(1, expectations_of(name))
    try:
        cases = [
            case
            for case in build_cases(records=corpus.records)
            if case.operation in chosen.intersection(session.operations)
            and case.arithmetic.name in session.arithmetics
        ]
        for report in run_cases(session, cases, summary.expectations):
            summary.add(report)
            key = report.case.operation, report.case.arithmetic.name
            for result in report.results:
                if result.verdict == Verdict.SKIP or result.tensor == REJECTION:
                    continue
                cell = cells[key]
                failed = result.verdict == Verdict.FAIL
                cells[key] = cell._replace(known=cell.known + failed, judged=cell.judged + 1)
                if not failed and isfinite(result.digits):
                    cell.ratios.append(result.ratio)
                    cell.digits.append(result.digits)
    finally:
        session.close()
    if summary.status:
        raise AssertionError(f"{name} does not conform: {summary.cases}, stale {summary.stale}")
    versions = ", ".join(f"{library} {v}" for library, v in session.versions.items())
    return Score(f"`{name}` ({versions})", dict(cells))


def table(scores: Iterable[Score], arithmetic: str) -> Iterator[str]:
    """One row per subject, one column per operation."""
    yield "| subject | " + " | ".join(OPERATIONS) + " |"
    yield "|---" * (len(OPERATIONS) + 1) + "|"
    for title, cells in scores:
        found = [str(cells.get((name, arithmetic), "")) for name in OPERATIONS]
        if any(found):
            yield f"| {title} | " + " | ".join(found) + " |"


def machine() -> str:
    """The processor, as far as the system tells."""
    cpu = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.+)", cpu.read_text("utf-8")) if cpu.is_file() else []
    return ", ".join([*names[:1], f"{os.cpu_count()} cores", platform.machine()])


def deviations() -> Iterator[str]:
    """What the ledgers say, an entry after another."""
    for known in known_expectations():
        names = ", ".join(f"`{name}`" for name in known.subjects)
        yield f"**{known.id}** ({names}; {known.versions}). {known.evidence} *Why:* {known.why}"


def filled(text: str, scores: list[Score]) -> str:
    """The page with what stands between its two marks written again."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    parts = [f"Corpus {load().version}; Python {platform.python_version()}; {machine()}."]
    parts += [f"## {name}\n\n" + "\n".join(table(scores, name)) for name in ARITHMETICS]
    parts += ["## Known deviations", *deviations()]
    return f"{before}{BEGIN}\n" + "\n\n".join(parts) + f"\n{END}{after}"


if __name__ == "__main__":
    scores = []
    for name in sys.argv[1:] or SUBJECTS:
        scores.append(measure(name))
        print(f"{name}: {sum(cell.judged for cell in scores[-1].cells.values()):,} tensors")
    text = filled(PAGE.read_text("utf-8"), scores)
    if sys.argv[1:]:
        print(text)
    else:
        with atomic_path(PAGE) as temporary:
            temporary.write_text(text, "utf-8")
