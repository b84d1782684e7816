"""Data: the handwritten digits that come with the package, and tables of the user's own.

Rows are samples. A file is read whole or refused in one line; nothing is dropped, guessed or filled.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from mlp_ref.arithmetic import Array
from mlp_ref.checks import describe, fail, require_matrix
from mlp_ref.files import PathName, quote, require_file
from mlp_ref.tables import read_csv

__all__ = ["Dataset", "load_digits", "load_inputs", "load_table"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples and their targets.

    ``x``        (n, d) float32 or float64
    ``y``        (n,) int64 labels 0 ... classes - 1, or (n, k) real targets of the dtype of x
    ``classes``  number of classes, 0 for real targets

    Raises `InputError` if shapes or dtypes differ from these.
    """

    x: Array
    y: Array
    classes: int

    def __post_init__(self) -> None:
        require_matrix("x", self.x)
        dtype = np.dtype(np.int64) if self.classes else self.x.dtype
        shape = (len(self.x),) if self.classes else (len(self.x), *np.shape(self.y)[1:2])
        if np.shape(self.y) != shape or np.ndim(self.y) + bool(self.classes) != 2:
            text = f"({len(self.x)},)" if self.classes else f"({len(self.x)}, k)"
            fail(f"y must have shape {text}", describe(self.y), "pass one target per row of x")
        if self.y.dtype != dtype:
            fail(f"y must be {dtype}", describe(self.y), f"cast it with y.astype(np.{dtype})")

    @property
    def outputs(self) -> int:
        """How many outputs a network needs: one per class, or one per real target."""
        return self.classes or int(self.y.shape[1])

    def split(self, fraction: float, rng: Generator) -> tuple[Dataset, Dataset]:
        """Shuffle the rows and split them into (rest, held-out part of round(fraction n) rows).

        Every row is in exactly one part. Raises `InputError` unless both parts get a row, or if
        ``rng`` is not a generator: the global seed of NumPy is never used.
        """
        if not isinstance(rng, Generator):
            fail("rng must be a numpy.random.Generator", describe(rng), "pass default_rng(seed)")
        n = len(self.x)
        held = round(fraction * n) if 0 < fraction < 1 else 0
        if not 0 < held < n:
            fail(
                f"fraction must leave rows of the {n} on both sides", repr(fraction),
                "choose a number between 0 and 1, such as 0.2",
            )  # fmt: skip
        order = rng.permutation(n)
        return self._take(order[held:]), self._take(order[:held])

    def _take(self, rows: Array) -> Dataset:
        return Dataset(self.x[rows], self.y[rows], self.classes)


def load_digits(dtype: DTypeLike = np.float64) -> Dataset:
    """The 1,797 handwritten digits: x (1797, 64), 8 by 8 pixels row by row, and y (1797,) in 0 ... 9.

    A pixel counts the ink in a block of 4 by 4, 0 to 16; x is that count / 16, exact in float32
    and float64. This is the test part of the UCI set, in the order that scikit-learn gives it.

    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998, doi:10.24432/C50P49, licence CC BY 4.0.

    Raises `InputError` for a dtype other than float32 and float64.
    """
    kind = _require_dtype(dtype)
    with (
        files("mlp_ref").joinpath("data", "digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        return Dataset(arrays["images"].astype(kind) / 16, arrays["labels"].astype(np.int64), 10)


def load_table(
    path: PathName,
    *,
    target: str | None = None,
    labels: bool = True,
    dtype: DTypeLike = np.float64,
) -> Dataset:
    """Read samples and targets from a CSV or NPZ file of the user's own.

    CSV  a header is optional; the target is the last column, or the one named ``target``
    NPZ  array x (n, d), and the target in array y, or in the one named ``target``; no pickles

    With ``labels`` the targets are classes 0, 1, ... as (n,) int64, and ``classes`` is the largest
    label plus one. Otherwise they are real numbers: (n, k) of ``dtype``, k = 1 for a vector.
    Numbers are rounded once, to ``dtype``.

    Raises `InputError`, naming file, line and column or array and index, for anything that is not a
    finite number, a label that is not a whole number from 0, rows of different lengths, a missing
    column or array, or a file that is damaged, empty or of another kind.
    """
    kind = _require_dtype(dtype)
    if _suffix(path) == ".npz":
        named = target or "y"
        x, y = _read_npz(path, ("x", named))
        here, there = _indexed(path, "x"), _indexed(path, named)
        if y.ndim == 1 and not labels:
            y = y[:, None]
        if x.ndim != 2 or 0 in x.shape or y.ndim != 2 - labels or len(y) != len(x) or 0 in y.shape:
            shape = "(n,)" if labels else "(n,) or (n, k)"
            fail(
                f"{quote(path)} must hold x of shape (n, d) and {named} of shape {shape}, "
                "none of them empty",
                f"shapes {x.shape} and {y.shape}", "reshape the arrays, one sample per row",
            )  # fmt: skip
    else:
        table = read_csv(require_file(path))
        column = table.column(target)
        kept = [k for k in range(table.values.shape[1]) if k != column]
        if not kept:
            fail(f"{quote(path)} must have inputs beside its target", "one column", "add columns")
        x, y = table.values[:, kept], table.values[:, column if labels else [column]]

        def here(row: int, k: int) -> str:
            return table.where(row, kept[k])

        def there(row: int, k: int = 0) -> str:
            return table.where(row, column)

    rows = _finite(x, kind, here)
    if not labels:
        return Dataset(rows, _finite(y, kind, there), 0)
    classes = _whole(y, there)
    return Dataset(rows, classes, int(classes.max()) + 1)


def load_inputs(path: PathName, *, dtype: DTypeLike = np.float64) -> Array:
    """Read samples without targets: every column of a CSV file, or array x of an NPZ file.

    Returns x (n, d) of ``dtype``. Raises `InputError` as `load_table` does.
    """
    kind = _require_dtype(dtype)
    if _suffix(path) == ".npz":
        (x,) = _read_npz(path, ("x",))
        if x.ndim != 2 or 0 in x.shape:
            fail(f"{quote(path)} must hold x of shape (n, d)", f"shape {x.shape}", "reshape it")
        return _finite(x, kind, _indexed(path, "x"))
    table = read_csv(require_file(path))
    return _finite(table.values, kind, table.where)


def _require_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        fail("dtype must be float32 or float64", str(kind), "choose one of them")
    return kind


def _suffix(path: PathName) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in (".csv", ".npz"):
        fail(f"{quote(path)} must end in .csv or .npz", repr(suffix), "convert the table to one")
    return suffix


def _read_npz(path: PathName, names: tuple[str, ...]) -> list[Array]:
    """The real arrays of these names in an NPZ file."""
    remedy = "save it again with numpy.savez"
    try:
        with np.load(require_file(path), allow_pickle=False) as held:
            arrays = [held[name] for name in names if name in held.files]
            present = ", ".join(held.files) or "none"
    except (ArithmeticError,) as error:
        raise error
    return arrays
