"""One case in words and numbers, 80 columns wide."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Context, Decimal
from math import prod
from textwrap import wrap

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.corpus.hexwords import to_hex
from mlp_ref.corpus.kills import alone, fault_ids, kills_of_case
from mlp_ref.corpus.names import REJECTS
from mlp_ref.corpus.records import FLAGS, Certified, Generated, Record

__all__ = ["decimal", "killed", "shown"]

_WIDTH = 80
_EXACT = Context(prec=3000, Emin=-9999, Emax=9999)  # holds every sum of two float64 numbers
_DIGITS = Context(prec=32, Emin=-9999, Emax=9999)


def shown(record: Record, entries: int | None = None) -> Iterator[str]:
    """The lines; of every tensor the first ``entries`` numbers, or all."""
    yield record.id
    yield from _wrapped(record.note)
    yield f"  level {record.difficulty}, {record.arithmetic}, since {record.since}"
    if record.provenance:
        yield from _wrapped(_provenance(record))
    for flag in record.flags:
        yield from _wrapped(f"{flag}: {FLAGS[flag]}")
    if record.parameters:
        yield ""
        yield "parameters"
        for name, value in record.parameters.items():
            text = value if isinstance(value, str) else json.dumps(value)
            yield from _wrapped(f"{name}  {text}")
    yield ""
    yield "inputs"
    for name, x in record.inputs.items():
        yield from _input(name, x, record.arithmetic, entries)
    yield ""
    if record.rejects:
        yield "expected: an error, and no numbers"
        yield from _wrapped(f"{record.rejects}: {REJECTS[record.rejects]}")
        return
    yield "expected, to 32 digits; right is what is within bound + radius of hi + lo"
    for name, q in record.expected.items():
        yield from _expected(name, q, entries)


def killed(name: str, most: int | None = None) -> Iterator[str]:
    """Which faults of the catalogue a case of our corpus rejects: the first ``most``, or all.

    Those come first that no other case of its arithmetic rejects. Raises as `kills_of_case` does.
    """
    faults, lone = kills_of_case(name), alone().get(name, frozenset())
    yield ""
    yield f"kills {len(faults):,} of the {len(fault_ids()):,} faults of the catalogue"
    ordered = sorted(fault_ids(), key=lambda fault: fault not in lone)
    found = [fault for fault in ordered if fault in faults]
    count = _count(len(found), most)
    for fault in found[:count]:
        yield f"  {fault}{', alone in this arithmetic' * (fault in lone)}"
    yield from _rest(len(found), count)
    if found:
        yield f"  see mlp-ref verify fault:{found[0]}"


def decimal(hi: float, low: float) -> str:
    """hi + low in decimal, rounded to 32 digits."""
    if not np.isfinite(hi) or hi == 0 == low:
        return str(hi)
    exact = _EXACT.add(Decimal(hi), Decimal(low))
    rounded = _DIGITS.plus(exact).normalize(_DIGITS)
    return f"{rounded:f}" if -5 <= rounded.adjusted() < 16 else f"{rounded:e}"


def _wrapped(text: str) -> list[str]:
    return wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="    ")


def _provenance(record: Record) -> str:
    text = f"certified with {record.provenance.get('bits')} bits"
    agreed = record.provenance.get("agreed") or {}
    if agreed:
        found = ", ".join(f"{what} to {digits:.0f} digits" for what, digits in agreed.items())
        text += f"; a second oracle agrees: {found}"
    return text


def _input(name: str, x: Array | Generated, arithmetic: str, entries: int | None) -> Iterator[str]:
    if isinstance(x, Generated):
        yield f"  {name} {x.shape} {arithmetic}, generated from"
        yield f"    seed {x.seed:016x}  modulus {x.modulus}  offset {x.offset}  scale {x.scale!r}"
        x = x.array(np.dtype(arithmetic))
    else:
        yield f"  {name} {x.shape} {x.dtype}"
    for k in range(_count(x.size, entries)):
        value = x.reshape(-1)[k]
        yield f"    {_place(k, x.shape):9} {value!s:>25}  {to_hex(value)}".rstrip()
    yield from _rest(x.size, entries)


def _expected(name: str, q: Certified, entries: int | None) -> Iterator[str]:
    kinds = " and ".join(q.bounds)
    yield f"  {name} {q.shape}, bounds for {kinds}"
    parts = [part.reshape(-1) for part in (q.hi, q.low, q.radius, *q.bounds.values())]
    for k in range(_count(q.hi.size, entries)):
        hi, low, radius, *bounds = (part[k] for part in parts)
        flat = k if q.index is None else int(q.index[k])
        allowed = " ".join(f"{bound:.1e}" for bound in bounds)
        yield f"    {_place(flat, q.shape):9} {decimal(hi, low):40}  bound {allowed}"
        yield f"    {'':9} hi {to_hex(hi)}  lo {to_hex(low)}  radius {radius:.1e}"
        if flat in q.sets:
            yield f"    {'':9} one of a set: {', '.join(map(str, q.sets[flat]))} are right"
    yield from _rest(q.hi.size, entries)
    if q.index is not None:
        yield f"    {q.hi.size:,} of {prod(q.shape):,} entries are stored"
    if q.checksum is not None:
        yield f"    checksum {q.checksum!r} of all"
    if q.signed_zeros:
        yield "    the sign of a zero counts"


def _count(size: int, entries: int | None) -> int:
    return size if entries is None else min(entries, size)


def _rest(size: int, entries: int | None) -> Iterator[str]:
    if left := size - _count(size, entries):
        yield f"    ... and {left:,} more, with --all"


def _place(flat: int, shape: tuple[int, ...]) -> str:
    return str([int(k) for k in np.unravel_index(flat, shape)]) if shape else ""
