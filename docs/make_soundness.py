"""Write the table of docs/soundness.md: the NumPy reference against every case of the corpus.

    python docs/make_soundness.py

It stops at the first violation.
"""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from mlp_ref import operations
from mlp_ref.arithmetic import ARITHMETICS, Arithmetic, Array
from mlp_ref.checks import InputError
from mlp_ref.corpus import load
from mlp_ref.corpus.records import OPERATIONS, Certified, Record
from mlp_ref.files import atomic_path
from mlp_ref.gate.judge import Verdict, judge_certified

PAGE = Path(__file__).with_name("soundness.md")
BEGIN, END = "<!-- written by docs/make_soundness.py -->", "<!-- until here -->"
HEAD = """\
| operation | arithmetic | cases | entries | median error/bound | largest error/bound |
|---|---|---|---|---|---|"""


def inputs_in(record: Record, arithmetic: Arithmetic) -> dict[str, Array]:
    """The inputs in another dtype, which holds them exactly."""
    arrays = record.arrays()
    return {
        name: x.astype(arithmetic.dtype) if x.dtype.kind == "f" else x for name, x in arrays.items()
    }


def ratios(q: Certified, got: Array, name: str) -> Array:
    """error / bound of every stored entry that has a finite bound above 0."""
    numbers = np.asarray(got, np.float64).reshape(-1)
    stored = numbers if q.index is None else numbers[q.index]
    bound = (q.bounds[name] + q.radius).reshape(-1)
    measured = np.isfinite(bound) & (bound > 0)
    hi, low = q.hi.reshape(-1)[measured], q.low.reshape(-1)[measured]
    return np.abs(stored[measured] - hi - low) / bound[measured]


def measure(operation: str, name: str) -> tuple[int, int, list[float]]:
    """Cases, entries and error/bound of one operation in one arithmetic.

    Raises `AssertionError` if the reference violates a bound, or accepts what must be rejected.
    """
    A, answer = ARITHMETICS[name], operations.OPERATIONS[operation]
    cases, entries, found = 0, 0, list[float]()
    for record in load(operation).records:
        if record.rejects:
            if record.arithmetic == name:
                cases += 1
                require_rejected(record)
            continue
        if any(name not in q.bounds for q in record.expected.values()):
            continue
        cases += 1
        got = answer(record.parameters, inputs_in(record, A))
        for tensor, q in record.expected.items():
            result = judge_certified(tensor, np.asarray(got[tensor]), q, A)
            if result.verdict != Verdict.PASS:
                raise AssertionError(f"{record.id} in {name}: {result}")
            entries += result.entries
            found += ratios(q, got[tensor], name).tolist()
    return cases, entries, found


def require_rejected(record: Record) -> None:
    """The reference must refuse the inputs of an error case."""
    try:
        operations.OPERATIONS[record.operation](record.parameters, record.arrays())
    except InputError:
        return
    raise AssertionError(f"{record.id} is accepted")


def rows() -> Iterator[str]:
    """The table, one line per operation and arithmetic, and one for all."""
    everything: dict[str, list[float]] = defaultdict(list)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for operation in OPERATIONS:
        for name in ("float64", "float32"):
            cases, entries, found = measure(operation, name)
            everything[name] += found
            counts[name][0] += cases
            counts[name][1] += entries
            yield row(operation, name, cases, entries, found)
    for name, found in everything.items():
        yield row("all", name, *counts[name], found)


def row(operation: str, name: str, cases: int, entries: int, found: list[float]) -> str:
    """One line of the table."""
    largest, middle = max(found), median(found)
    return f"| {operation} | {name} | {cases:,} | {entries:,} | {middle:.1e} | {largest:.3f} |"


def filled(text: str) -> str:
    """The page with what stands between its two marks written again."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    machine = f"NumPy {np.__version__}, Python {platform.python_version()}, {platform.machine()}"
    table = "\n".join((HEAD, *rows()))
    made = f"Corpus {load().version}; {machine}.\n\n{table}"
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


if __name__ == "__main__":
    text = filled(PAGE.read_text("utf-8"))
    with atomic_path(PAGE) as temporary:
        temporary.write_text(text, "utf-8")
    print(f"{PAGE.name} is written")
