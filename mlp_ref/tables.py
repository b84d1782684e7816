"""Tables of numbers in CSV files: every cell is read or named in an error, no row is dropped."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from math import isfinite, nan
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.checks import fail
from mlp_ref.files import quote

__all__ = ["Table", "read_csv"]


class Table(NamedTuple):
    """The cells of a CSV file, and where each row was found."""

    path: Path
    header: tuple[str, ...]  # column names, () without a header
    values: Array  # (n, d) float64, finite
    lines: tuple[int, ...]  # (n,)  line number in the file, from 1

    def where(self, row: int, column: int) -> str:
        """Name a cell in a message: file, line and column."""
        return _where(self.path, self.lines[row], column, self.header)

    def column(self, name: str | None) -> int:
        """The index of column ``name``, of the last one for None; `InputError` without it."""
        if name is None:
            return int(self.values.shape[1]) - 1
        if name not in self.header:
            fail(
                f"{quote(self.path)} must have a column {name!r}",
                f"columns {', '.join(self.header)}" if self.header else "no header",
                "name a column of the first line",
            )  # fmt: skip
        return self.header.index(name)


def read_csv(path: Path) -> Table:
    """Read a table of finite numbers: UTF-8, cells separated by commas, with or without a header.

    The first line is a header if no cell of it is a number. Blank lines may only end the file.
    Raises `InputError`, naming line and column, for a cell that is not a finite number, a row
    of another length, a header with a missing or repeated name, or a file without rows.
    """
    rows = _rows(path)
    first, cells = next(rows, (0, []))
    if not cells:
        fail(f"{quote(path)} must hold a row of numbers", "an empty file", "check the path")
    header = () if any(map(_is_number, cells)) else _header(path, first, cells)
    lines, values = [], []
    for line, row in rows if header else chain([(first, cells)], rows):
        if len(row) != len(cells):
            fail(
                f"{quote(path)} line {line} must have {len(cells)} columns, as line {first} has",
                f"{len(row)}", "complete or correct the row",
            )  # fmt: skip
        numbers = np.array([_number(cell) for cell in row])
        for bad in np.flatnonzero(np.isnan(numbers))[:1]:
            hint = "" if line > first else "; a name in a header must not be a number"
            fail(
                f"{_where(path, line, bad, header)} must hold a finite number", _cut(row[bad]),
                f"correct the cell or leave its column out{hint}",
            )  # fmt: skip
        lines.append(line)
        values.append(numbers)
    if not lines:
        fail(f"{quote(path)} must hold a row of numbers", "a header only", "add rows")
    return Table(path, header, np.stack(values), tuple(lines))


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of every row."""
    blank = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True, skipinitialspace=True)
            for cells in reader:
                if cells and blank:
                    fail(f"{quote(path)} line {blank} must hold a row", "a blank line", "delete it")
                if cells:
                    yield reader.line_num, cells
                blank = blank or (0 if cells else reader.line_num)
    except UnicodeDecodeError as error:
        fail(f"{quote(path)} must be UTF-8 text", repr(str(error)), "export the table as UTF-8")
    except csv.Error as error:
        where = f"{quote(path)} line {reader.line_num}"
        fail(f"{where} must be a row of a CSV file", repr(str(error)), "correct the quotes")


def _header(path: Path, line: int, cells: list[str]) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in cells)
    for k, name in enumerate(names):
        if not name or name in names[:k]:
            fail(
                f"{_where(path, line, k, ())} must name its column, and no other", _cut(cells[k]),
                "give every column of the header a name of its own",
            )  # fmt: skip
    return names


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str) -> float:
    """The finite number in a cell, or NaN if there is none.

    1_000 and digits of other scripts, which Python reads, are none.
    """
    value = float(cell) if _is_number(cell) and "_" not in cell and cell.isascii() else nan
    return value if isfinite(value) else nan


def _where(path: Path, line: int, column: int, header: tuple[str, ...]) -> str:
    name = f" ({header[column]!r})" if header else ""
    return f"{quote(path)} line {line}, column {column + 1}{name}"


def _cut(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:37] + "...")
