"""The map of a report: every case of every subject is a tile, in families, by operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mlp_ref.gate.report_view import ABSENT, STATES, Column, families, ratio_of
from mlp_ref.gate.tally import digits, plural

__all__ = ["Cell", "Row", "Tile", "map_of"]

_IN_LINE, _PITCH = 20, 10
_WORDS = {
    "error": "error", "fail": "fail", "expected": "expected", "skip": "skipped",
    ABSENT: "not asked",
}  # fmt: skip
_BAD = ("error", "fail", "expected")


class Tile(NamedTuple):
    """A case; what is wrong with it, if something is."""

    state: str
    x: int
    y: int
    title: str


@dataclass(frozen=True)
class Cell:
    """Some cases of one subject: how many are in each state, and the largest error/bound."""

    tiles: Sequence[Tile]
    counts: Mapping[str, int]
    largest: float | None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the tiles, in pixels."""
        lines = -(-len(self.tiles) // _IN_LINE)
        return min(len(self.tiles), _IN_LINE) * _PITCH, lines * _PITCH

    @property
    def notes(self) -> Iterator[tuple[str, str]]:
        """State and words for all that is no pass."""
        for state, word in _WORDS.items():
            if n := self.counts.get(state):
                yield state, f"{n:,} {word}" if n < len(self.tiles) else f"all {word}"

    @property
    def ratio(self) -> str:
        """The largest error/bound in words, or nothing."""
        if self.largest is None:
            return ""
        return digits(self.largest) if self.largest else "exact"

    @property
    def label(self) -> str:
        """All of it in words."""
        passed = sum(n for state, n in self.counts.items() if state not in _WORDS)
        parts = [f"{passed:,} of {plural(len(self.tiles), 'case')} pass"]
        return ", ".join(parts + [text for _, text in self.notes])


@dataclass(frozen=True)
class Row:
    """An operation with its families, or a family without any. A cell for each subject."""

    name: str
    cells: Sequence[Cell]
    families: Sequence[Row] = ()

    @property
    def open(self) -> bool:
        """Whether something is wrong that nobody expects."""
        return any(cell.counts.get(state) for cell in self.cells for state in ("error", "fail"))


def map_of(shown: Sequence[Column]) -> list[Row]:
    """The operations that any of the reports has cases of."""
    return [
        Row(
            operation,
            [_cell(column, [c for cases in found.values() for c in cases]) for column in shown],
            [
                Row(family.partition("/")[2], [_cell(column, cases) for column in shown])
                for family, cases in found.items()
            ],
        )
        for operation, found in families(shown).items()
    ]


def _cell(column: Column, cases: Sequence[str]) -> Cell:
    states = {case: column.states.get(case, ABSENT) for case in cases}
    tiles = [
        Tile(
            state, k % _IN_LINE * _PITCH, k // _IN_LINE * _PITCH,
            f"{case}: {STATES[state]}" if state in _BAD else "",
        )
        for k, (case, state) in enumerate(states.items())
    ]  # fmt: skip
    lines = [line for case in cases for line in column.cases.get(case, ())]
    return Cell(tiles, Counter(states.values()), ratio_of(lines))
