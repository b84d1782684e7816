"""Write docs/soundness.md: the NumPy reference against every case of the corpus.

Run from the root of the repository: python docs/make_soundness.py
"""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np

from mlp_ref.arithmetic import ARITHMETICS, Arithmetic, Array
from mlp_ref.checks import InputError
from mlp_ref.corpus import load
from mlp_ref.corpus.records import OPERATIONS, Certified, Record
from mlp_ref.files import atomic_path
from mlp_ref.gate.judge import Verdict, judge_certified
from mlp_ref.subjects import numpy_subject

PAGE = Path(__file__).with_name("soundness.md")


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
    A, answer = ARITHMETICS[name], numpy_subject.OPERATIONS[operation]
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
        numpy_subject.OPERATIONS[record.operation](record.parameters, record.arrays())
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


def page() -> str:
    """The whole page."""
    corpus = load()
    return f"""# Bounds against the truth

Written by `python docs/make_soundness.py`: the NumPy reference on every case of the corpus {corpus.version}, judged by the
stored bounds against the certified values. Cases whose inputs fit float32 are run in float64 as well. An error/bound above 1
would be a violation; the script stops at the first.

NumPy {np.__version__}, Python {platform.python_version()}, {platform.machine()}.

| operation | arithmetic | cases | entries | median error/bound | largest error/bound |
|---|---|---|---|---|---|
{chr(10).join(rows())}

The median is over all stored entries with a finite bound above 0. Bounds hold for *any* order of summation, any usual formula
and any elementary function within its allowance; one library on one machine uses little of that. The largest ratios come
from dense layers and optimizer steps, of few operations each, where the bound is nearly attained.

## What the bounds assume

Every certified value is proven ([certification.md](certification.md)); a bound is derived ([theory.md](theory.md)). The derivation rests on
assumptions that an implementation may break, and that no measurement can prove:

1. **Rounding.** Every operation rounds to nearest, fl(x op y) = (x op y)(1 + d) + e, |d| ≤ u, |e| ≤ the smallest normal number (so that
   flushing subnormals to zero is allowed). Directed or stochastic rounding, and accumulators that truncate, need another arithmetic (`tf32` has twice the u).
2. **Elementary functions** err by at most K = 8 units of u. The largest that was measured is 6.92, over glibc, NumPy, PyTorch and XLA in the range that
   an MLP uses. A library beyond it fails, and should.
3. **Products** are sums of n products in any order, with or without fused multiply-add. Strassen's and Winograd's algorithms are not covered.
4. **Formulas.** Each activation, loss and step is computed by one of the formulas that theory.md lists. Another formula may be correct and less accurate
   than the bound: that is what the gate is for.
5. **Inputs arrive unchanged.** Weights and data are numbers of the arithmetic, and no decimal text or cast stands between.
6. **The evaluation of a bound** in float64 loses less than the factor 1 + 2^-20 by which it is inflated, and stored bounds are rounded up.
7. **Second order.** Where theory.md uses a supremum over an interval, the interval holds every computed number; where it linearises, the remainder is
   bounded. The terms that no attack of the simulator reaches are listed in `tests/test_blocks_attack.py` and `tests/test_steps_attack.py`.
"""


if __name__ == "__main__":
    text = page()
    with atomic_path(PAGE) as temporary:
        temporary.write_text(text, "utf-8")
    print(f"{PAGE.name} is written")
