"""Building a corpus: certify every draft, go on with the chains, have the second oracle confirm."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context

from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.certify.certifier import certify
from mlp_ref.certify.drafts import CHAIN, drafts
from mlp_ref.certify.oracle import agree
from mlp_ref.corpus.records import Record

__all__ = ["VERSION", "build", "build_draft", "confirmed"]

VERSION = "2026.1"

Say = Callable[[str], None]


def build(
    *, extra_bits: int = 0, confirm: bool = True, workers: int = 2, say: Say = lambda text: None
) -> list[Record]:
    """Every record of the corpus, in order.

    Raises `Undecided` or `Disagreement` for the first case that cannot be certified.
    """
    questions = list(drafts())
    work = partial(build_draft, extra_bits=extra_bits, confirm=confirm)
    records: list[Record] = []
    # Forked workers would share the state of the C libraries.
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for found in pool.map(work, questions, chunksize=8):
            records += found
            say(found[-1].id)
    return records


def build_draft(draft: Record, *, extra_bits: int = 0, confirm: bool = True) -> list[Record]:
    """The record of a draft, or all steps of the chain that it begins."""
    found = []
    for question in _steps(draft, extra_bits):
        record = replace(question, since=draft.since or VERSION)
        found.append(confirmed(record) if confirm and not record.rejects else record)
    return found


def confirmed(record: Record) -> Record:
    """The record with the digits on which the second oracle agrees, in its provenance.

    Raises `Disagreement` if it does not.
    """
    return replace(record, provenance={**record.provenance, "agreed": agree(record)})


def _steps(draft: Record, extra_bits: int) -> Iterator[Record]:
    """Teacher-forced: each step starts from the certified state before it, rounded."""
    count = CHAIN.get(draft.id, 1)
    for k in range(1, count + 1):
        record = certify(draft, extra_bits=extra_bits)
        yield record
        if k < count:
            draft = _next(record, k)


def _next(record: Record, k: int) -> Record:
    A = ARITHMETICS[record.arithmetic]
    state = {name: A.quantize(record.expected[name].hi) for name in _state(record)}
    return replace(
        record,
        id=record.id.replace(f"/step-{k}/", f"/step-{k + 1}/"),
        note=f"step {k + 1} of a chain, from the rounded certified state before it",
        flags=tuple(flag for flag in record.flags if flag != "FirstStep"),
        parameters={**record.parameters, "t": record.parameters["t"] + 1},
        inputs={**record.inputs, **state},
        expected={}, provenance={},
    )  # fmt: skip


def _state(record: Record) -> Iterable[str]:
    return (name for name in ("params", "m", "v") if name in record.inputs)
