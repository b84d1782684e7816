"""Data: the handwritten digits that come with the package, and tables of the user's own.

Rows are samples. A file is read whole or refused in one line: nothing is dropped or filled in.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from mlp_ref.arithmetic import Array
from mlp_ref.checks import describe, fail, require_generator, require_matrix
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
        require_generator(rng)
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
    """The 1,797 handwritten digits: x (1797, 64), 8 by 8 pixels row by row, and y (1797,), 0 to 9.

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

    With ``labels`` the target is a class 0, 1, ... per row: y is (n,) int64, and ``classes`` is the
    largest label plus one. Otherwise it is real: y is (n, k) of ``dtype``, k = 1 for a vector.
    Numbers are read in float64 and rounded to ``dtype``.

    Raises `InputError`, naming file, line and column or array and index, for anything that is not a
    finite number, a label that is not a whole number from 0, rows of different lengths, a missing
    column or array, or a file that is damaged, empty or of another kind.
    """
    kind = _require_dtype(dtype)
    x, y = (_csv_parts if _suffix(path) == ".csv" else _npz_parts)(path, target)
    if not labels:
        return Dataset(x.rounded(kind), y.rounded(kind), 0)
    rows, classes = x.rounded(kind), y.whole()
    return Dataset(rows, classes, int(classes.max()) + 1)


def load_inputs(path: PathName, *, dtype: DTypeLike = np.float64) -> Array:
    """Read samples without targets: every column of a CSV file, or array x of an NPZ file.

    Returns x (n, d) of ``dtype``. Raises `InputError` as `load_table` does.
    """
    kind = _require_dtype(dtype)
    if _suffix(path) == ".npz":
        return _npz_part(path, "x").rounded(kind)
    table = read_csv(require_file(path))
    return _Part(table.values, table.where).rounded(kind)


class _Part(NamedTuple):
    """Numbers read from a file, and the words for where each of them stands."""

    values: Array  # (n, k)
    where: Callable[[int, int], str]

    def rounded(self, dtype: np.dtype[Any]) -> Array:
        """The numbers in ``dtype``, all finite."""
        with np.errstate(over="ignore"):
            values = self.values.astype(dtype)
        self._require(np.isfinite(values), f"a finite {dtype} number", "correct or remove it")
        return values

    def whole(self) -> Array:
        """Labels (n,) int64 from one column of whole numbers, each from 0 to 2^53 - 1."""
        if self.values.shape[1] != 1:
            fail(
                f"{self.where(0, 0)} must hold the one label of its row",
                f"{self.values.shape[1]} numbers",
                "pass class numbers, or read real targets (labels=False, --loss squared_error)",
            )  # fmt: skip
        v = self.values.astype(np.float64)
        self._require(
            (v >= 0) & (v < 2**53) & (v == np.floor(v)), "a whole number from 0",
            "number the classes 0, 1, ..., or read real targets (labels=False, --loss "
            "squared_error)",
        )  # fmt: skip
        return v[:, 0].astype(np.int64)

    def _require(self, good: Array, what: str, remedy: str) -> None:
        for row, k in np.argwhere(~good)[:1]:
            fail(f"{self.where(row, k)} must hold {what}", str(self.values[row, k]), remedy)


def _csv_parts(path: PathName, target: str | None) -> tuple[_Part, _Part]:
    table = read_csv(require_file(path))
    chosen, width = table.column(target), table.values.shape[1]
    if width == 1:
        fail(f"{quote(path)} must have inputs beside the target", "one column", "add columns")
    kept = [k for k in range(width) if k != chosen]
    return (
        _Part(table.values[:, kept], lambda row, k: table.where(row, kept[k])),
        _Part(table.values[:, [chosen]], lambda row, k: table.where(row, chosen)),
    )


def _npz_parts(path: PathName, target: str | None) -> tuple[_Part, _Part]:
    x, y = _npz_part(path, "x"), _npz_part(path, "y" if target is None else target, vector=True)
    if len(x.values) != len(y.values):
        fail(
            f"{quote(path)} must hold as many targets as samples",
            f"{len(x.values)} samples and {len(y.values)} targets", "complete the arrays",
        )  # fmt: skip
    return x, y


def _npz_part(path: PathName, name: str, vector: bool = False) -> _Part:
    """Array ``name`` (n, k) of an NPZ file; (n,) is taken as (n, 1) if it may be a ``vector``."""
    array = _npz_array(path, name)
    what = f"{quote(path)} array {name!r}"
    shape = "(n,) or (n, k)" if vector else "(n, k)"
    flat = vector and array.ndim == 1
    if array.ndim != 2 - flat or array.size == 0:
        fail(f"{what} must be {shape}, not empty", describe(array), "save one sample per row")
    if array.dtype.kind not in "biuf":
        fail(f"{what} must hold real numbers", describe(array), "convert it before saving")
    if flat:
        return _Part(array[:, None], lambda row, k: f"{what} at [{row}]")
    return _Part(array, lambda row, k: f"{what} at [{row}, {k}]")


def _npz_array(path: PathName, name: str) -> Array:
    source = require_file(path)
    try:
        with source.open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            if isinstance(arrays, np.ndarray):
                raise TypeError("one array")
            if name in arrays:
                return np.asarray(arrays[name])
            held = ", ".join(arrays) or "no array"
    except _DAMAGE as error:
        text = " ".join(str(error).split())
        fail(
            f"{quote(path)} must be an NPZ file of numbers", repr(text or type(error).__name__),
            "write it with numpy.savez, without objects",
        )  # fmt: skip
    fail(f"{quote(path)} must hold an array {name!r}", held, "save it under that name")


# What NumPy and zipfile raise on files that are truncated, damaged, encrypted or no archive at all.
_DAMAGE = (
    OSError, ValueError, TypeError, EOFError, KeyError, MemoryError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def _suffix(path: PathName) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in (".csv", ".npz"):
        fail(f"{quote(path)} must end in .csv or .npz", repr(suffix), "convert the table to one")
    return suffix


def _require_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        fail("dtype must be float32 or float64", str(kind), "choose one of them")
    return kind
