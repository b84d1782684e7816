"""Write docs/diagnosis.md: how often the diagnosis is right on networks that it was not made for.

    python docs/make_diagnosis.py

It takes some minutes. Every mutant of tests/mutants is judged on all cases in float64 and float32
and diagnosed; the first sentence is held against what is wrong. It stops at a wrong cause.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mlp_ref.corpus import load
from mlp_ref.faults import FAULTS
from mlp_ref.files import atomic_path
from mlp_ref.gate.cases import Case, build_cases
from mlp_ref.gate.diagnosis import Diagnosis, diagnose
from mlp_ref.gate.run import run_cases

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "diagnosis.md"
_UNKNOWN = "No known mistake"
MEANS = {
    "named": "the mistake is named, as in the catalogue",
    "among others": "it is named beside others that return the same in every case that fails",
    "described": "the numbers are described truly, such as a factor or the place of wrong entries",
    "located": "no cause is named; the place is right",
    "no cause": "no cause is named, and nothing that tells the place from others",
    "wrong": "a wrong cause is named",
}


class Row(NamedTuple):
    """One mutant, and what is said of it."""

    id: str
    what: str
    verdict: str
    failing: int
    sentence: str


def mutants() -> Any:
    """tests/mutants."""
    sys.path.insert(0, str(ROOT / "tests"))
    from mutants import MUTANTS

    return MUTANTS


def verdict(mutant: Any, found: Sequence[Diagnosis]) -> str:
    """Whether the first sentence is right."""
    first, right = found[0], {*mutant.right, *mutant.second}
    true = any(re.search(words, first.sentence) for words in mutant.words)
    if first.faults:
        if not right.intersection(first.faults):
            return "wrong"
        return "named" if len(first.faults) == 1 else "among others"
    if first.sentence.startswith(_UNKNOWN):
        return "located" if true else "no cause"
    return "described" if true else "wrong"


def judged(mutant: Any, cases: Sequence[Case]) -> Row:
    """Run and diagnose one mutant."""
    subject = mutant.subject()
    own = [case for case in cases if case.operation in subject.operations and not case.rejects]
    with np.errstate(all="ignore"):
        reports = list(run_cases(subject, own))
    found = diagnose(reports)
    failing = sum(bool(report.failures) for report in reports)
    return Row(mutant.id, mutant.what, verdict(mutant, found), failing, found[0].sentence)


def page(rows: Sequence[Row]) -> Iterator[str]:
    """The lines of the page."""
    counts = Counter(row.verdict for row in rows)
    right = len(rows) - counts["no cause"] - counts["wrong"]
    yield "# How often the diagnosis is right\n"
    yield (
        "`mlp-ref verify` ends with a diagnosis: it searches the catalogue of "
        f"{len(FAULTS)} mistakes, also with other constants, two at a time and one on top of "
        "another, for what returns the subject's numbers; where nothing does, it says what the "
        "wrong numbers have in common. Cases that pass refute: a mistake that would have failed "
        "one of them is not named.\n"
    )
    yield (
        f"It was measured on {len(rows)} wrong implementations that share no code with the "
        "catalogue ([tests/mutants](../tests/mutants)): loops, columns for rows, layers with "
        "state, PyTorch with and without autograd, plain Python. Their authors wrote down what is "
        "wrong before the diagnosis was run. It is no blind test, for the search was improved, and "
        "got some of their constants, while they were looked at; no mutant was changed. Made by "
        "`python docs/make_diagnosis.py` on corpus "
        f"{load().version}.\n"
    )
    yield "| the first sentence | mutants | means |\n|---|---:|---|"
    yield from (f"| {name} | {counts[name]} | {text} |" for name, text in MEANS.items())
    yield ""
    named = counts["named"] + counts["among others"]
    known = sum(1 for row in rows if row.verdict in ("named", "among others", "wrong"))
    yield (
        f"The first sentence is right in {right} of {len(rows)} ({100 * right / len(rows):.0f} %). "
        f"A mistake is named in {named}, of which {counts['wrong']} wrongly: precision "
        f"{named}/{known}.\n"
        if known
        else ""
    )
    yield "| mutant | what is wrong with it | failing cases | verdict | the first sentence |"
    yield "|---|---|---:|---|---|"
    for row in rows:
        sentence = row.sentence.replace("|", "\\|")
        what = row.what.replace("|", "\\|")
        yield f"| {row.id} | {what} | {row.failing} | {row.verdict} | {sentence} |"


def main() -> None:
    """Judge all, and write the page."""
    cases = list(build_cases())
    rows = []
    for mutant in mutants().values():
        rows.append(judged(mutant, cases))
        print(*rows[-1][:1], rows[-1].verdict, rows[-1].sentence[:90], sep="  ", flush=True)
    wrong = [row for row in rows if row.verdict == "wrong"]
    assert not wrong, f"a wrong cause: {wrong}"
    with atomic_path(PAGE) as temporary:
        temporary.write_text("\n".join(page(rows)) + "\n", "utf-8")


if __name__ == "__main__":
    main()
