"""Tables of numbers in CSV files: every cell is read or named in an error, no row is dropped."""

from __future__ import annotations

import csv
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
        """Name a cell in a message: file, line, column."""
        return _where(self.path, self.lines[row], column, self.header)

    def column(self, name: str | None) -> int:
        """The index of the column ``name``, the last one for None; `InputError` if there is none."""
        if name is None:
            return self.values.shape[1] - 1
        if name not in self.header:
            columns = ", ".join(self.header) or "no header"
            fail(
                f"{quote(self.path)} must have a column {name!r}", f"columns {columns}",
                "name one of the columns in the first line",
            )  # fmt: skip
        return self.header.index(name)


def read_csv(path: Path) -> Table:
    """Read a table of finite numbers from a UTF-8 file with commas, with or without a header.

    The first line is a header if no cell of it is a number. Blank lines may only end the file.
    Raises `InputError`, naming line and column, for a cell that is not a finite number, a row
    of another length, a header with a missing or repeated name, or a file without rows.
    """
    header: tuple[str, ...] = ()
    rows: list[Array] = []
    lines: list[int] = []
    width, blank = 0, 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True, skipinitialspace=True)
            for cells in reader:
                line = reader.line_num
                if not cells:
                    blank = blank or line
                    continue
                if blank:
                    fail(
                        f"{quote(path)} line {blank} must not be blank", "rows after it",
                        "delete the line",
                    )  # fmt: skip
                if not width:
                    width, header = len(cells), _header(path, line, cells)
                    if header:
                        continue
                if len(cells) != width:
                    fail(
                        f"{quote(path)} line {line} must have {width} columns as the first line",
                        f"{len(cells)}", "complete or correct the row",
                    )  # fmt: skip
                values = np.array([_number(cell) for cell in cells])
                for bad in np.flatnonzero(np.isnan(values))[:1]:
                    fail(
                        f"{_where(path, line, int(bad), header)} must be a finite number",
                        _cut(cells[bad]), "correct the cell or leave the column out",
                    )  # fmt: skip
                rows.append(values)
                lines.append(line)
    except (UnicodeDecodeError, csv.Error) as error:
        fail(
            f"{quote(path)} must be a CSV file in UTF-8", repr(str(error)),
            "export the table again as comma-separated UTF-8",
        )  # fmt: skip
    if not rows:
        held = "a header only" if header else "an empty file"
        fail(f"{quote(path)} must hold at least one row of numbers", held, "add rows")
    return Table(path, header, np.stack(rows), tuple(lines))


def _header(path: Path, line: int, cells: list[str]) -> tuple[str, ...]:
    """The names in the first row, or () if it holds a number and thus is data."""
    if any(_is_number(cell) for cell in cells):
        return ()
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
    """The finite number in a cell, NaN if it holds none; 1_000, which Python reads, is none."""
    try:
        value = float(cell)
    except ValueError:
        return np.nan
    return value if np.isfinite(value) and "_" not in cell else np.nan


def _where(path: Path, line: int, column: int, header: tuple[str, ...]) -> str:
    name = f" ({header[column]!r})" if header else ""
    return f"{quote(path)} line {line}, column {column + 1}{name},"


def _cut(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:37] + "...")
