"""The tables of docs/detection.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from benchmarks.differences import DIFFERENCES
from benchmarks.entries import Smallest
from benchmarks.implementations import LIBRARIES
from benchmarks.inputs import SETS
from benchmarks.inputs import TITLES as INPUTS
from benchmarks.measure import ARITHMETICS, BLIND, Key, Measured
from benchmarks.methods import OURS, TITLES
from mlp_ref.faults import FAULTS

__all__ = [
    "Errors", "blind_table", "by_family", "families", "found_table", "known_table", "not_ours",
    "number", "only_ours", "row", "smallest_table",
]  # fmt: skip

Errors = Mapping[tuple[str, str], Smallest]


def row(cells: Iterable[object]) -> str:
    """A row of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def _head(cells: Iterable[object]) -> Iterator[str]:
    names = list(cells)
    yield row(names)
    yield "|---" * len(names) + "|"


def found_table(measured: Measured, arithmetic: str) -> Iterator[str]:
    """What every method finds, and its false alarms, for both sets of inputs."""
    heads = [text for name in SETS for text in (f"found, {INPUTS[name]}", "alarms", "cases left")]
    yield from _head(["method", *heads])
    for method in measured.methods:
        cells: list[object] = [TITLES[method]]
        for inputs in SETS:
            key = Key(method, inputs, arithmetic)
            asked = max(by[key].asked for by in measured.alarms.values())
            if not asked:
                cells += ["not asked", "", ""]
                continue
            alarms = sum(len(by[key].cases) for by in measured.alarms.values())
            left = asked - len(measured.loud(key))
            found = f"{len(measured.finds(key))} of {len(measured.found)}"
            cells += [f"**{found}**" if method == OURS else found, f"{alarms:,}"]
            cells += [f"{left} of {asked}"]
        yield row(cells)


def known_table(measured: Measured) -> Iterator[str]:
    """The cases at which a library is known to be wrong, and who sees it."""
    libraries = [name for name in LIBRARIES if name in measured.alarms]
    columns = [(name, arithmetic) for name in libraries for arithmetic in ARITHMETICS]
    yield from _head(["method", *(f"{name}, {arithmetic}" for name, arithmetic in columns)])
    for method in measured.methods:
        cells = [TITLES[method]]
        for name, arithmetic in columns:
            found = measured.alarms[name][Key(method, "corpus", arithmetic)]
            total = measured.known[name, arithmetic]
            cells.append(f"{len(found.known)} of {total}" if found.asked else "not asked")
        yield row(cells)


def families(measured: Measured) -> dict[str, list[str]]:
    """The faults that were tried, by family."""
    found: dict[str, list[str]] = {}
    for name in measured.found:
        found.setdefault(FAULTS[name].family, []).append(name)
    return found


def by_family(measured: Measured) -> Iterator[str]:
    """What is found in float64 on our inputs / on N(0,1) inputs, by family."""
    yield from _head(["family", "faults", *(TITLES[name] for name in measured.methods)])
    for family, faults in families(measured).items():
        cells = [
            " / ".join(
                str(len({*measured.finds(Key(method, inputs, "float64"))}.intersection(faults)))
                for inputs in SETS
            )
            for method in measured.methods
        ]
        yield row([family, len(faults), *cells])


def number(x: float) -> str:
    """Two digits."""
    return f"{x:.1e}" if x < 0.01 or x >= 1000 else f"{x:.2g}"


def smallest_table(errors: Errors, methods: Iterable[str]) -> Iterator[str]:
    """The median and the worst tenth of the smallest relative error that is rejected."""
    heads = [text for A in ARITHMETICS for text in (f"{A}: median", "90 %", "entries", "cases")]
    yield from _head(["method", *heads])
    for method in methods:
        cells = [TITLES[method]]
        for arithmetic in ARITHMETICS:
            found = errors.get((method, arithmetic))
            if found is None:
                cells += ["not asked", "", "", ""]
                continue
            cells += [number(found.quantile(share)) for share in (0.5, 0.9)]
            cells += [f"{len(found.errors):,}", f"{found.quiet} of {found.cases}"]
        yield row(cells)


def only_ours(measured: Measured) -> dict[str, list[str]]:
    """Family -> the faults that ours finds in float64 on our inputs, and no other on any."""
    others = {
        fault
        for method in measured.methods
        for inputs in SETS
        if method != OURS
        for fault in measured.finds(Key(method, inputs, "float64"))
    }
    own = set(measured.finds(Key(OURS, "corpus", "float64"))) - others
    found = {
        family: [name for name in faults if name in own]
        for family, faults in families(measured).items()
    }
    return {family: faults for family, faults in found.items() if faults}


def not_ours(measured: Measured) -> Iterator[str]:
    """What another method finds, and ours does not, an item for each method and set of inputs."""
    for inputs in SETS:
        for arithmetic in ARITHMETICS:
            own = set(measured.finds(Key(OURS, inputs, arithmetic)))
            for method in measured.methods:
                found = measured.finds(Key(method, inputs, arithmetic))
                if names := [name for name in found if name not in own]:
                    where = f"{INPUTS[inputs]}, {arithmetic}, {TITLES[method]}"
                    yield f"* {where}: {', '.join(names)}"


def blind_table(measured: Measured) -> Iterator[str]:
    """Why gradient checkers do not find what they do not find, on our inputs in float64."""
    heads = [
        "method",
        "found",
        "no gradient is wrong",
        "value and gradient agree",
        "within the tolerance",
    ]
    yield from _head(heads)
    for method in measured.methods:
        if method in DIFFERENCES:
            blind = [f.blind[method] for f in measured.found.values() if method in f.blind]
            found = len(measured.finds(Key(method, "corpus", "float64")))
            yield row([TITLES[method], found, *(blind.count(why) for why in (*BLIND, ""))])
