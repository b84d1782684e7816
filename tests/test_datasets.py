"""The digits, and tables of the user's own: read whole, or refused in one line."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import DTypeLike

from mlp_ref.checks import InputError
from mlp_ref.datasets import Dataset, load_digits, load_inputs, load_table


def message(call: Callable[..., object], *args: object, **options: object) -> str:
    """The text of the InputError that a call raises, which must be one line."""
    with pytest.raises(InputError) as caught:
        call(*args, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


# ---------------------------------------------------------------------------------------- digits


def test_the_digits_are_those_of_the_uci_set() -> None:
    """1,797 images and the class counts that the UCI documentation states."""
    digits = load_digits()
    assert digits.x.shape == (1797, 64)
    assert digits.y.shape == (1797,)
    assert digits.classes == digits.outputs == 10
    counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    np.testing.assert_array_equal(np.bincount(digits.y), counts)


def test_the_digits_are_unchanged() -> None:
    """The SHA-256 of the pixels and labels; conformance/ compares them with scikit-learn's."""
    digits = load_digits()
    content = (digits.x * 16).astype(np.uint8).tobytes() + digits.y.astype(np.uint8).tobytes()
    assert hashlib.sha256(content).hexdigest() == DIGEST


DIGEST = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_pixels_are_exact_sixteenths(dtype: DTypeLike) -> None:
    """Dividing by 16 is exact in both dtypes: sixteen times a pixel is a whole number, 0 to 16."""
    digits = load_digits(dtype)
    assert digits.x.dtype == dtype
    assert digits.y.dtype == np.int64
    ink = digits.x * 16
    np.testing.assert_array_equal(ink, np.rint(ink))
    assert (ink.min(), ink.max()) == (0, 16)


def test_the_digits_have_a_dtype_of_the_library() -> None:
    """float16 is refused."""
    assert message(load_digits, np.float16) == (
        "dtype must be float32 or float64; got float16; choose one of them"
    )


# ----------------------------------------------------------------------------- Dataset and split


def test_a_split_uses_every_row_once() -> None:
    """The two parts together are a permutation of the rows; the held-out part has round(f n)."""
    data = Dataset(np.arange(10.0)[:, None], np.arange(10), 10)
    rest, held = data.split(0.25, np.random.default_rng(0))
    assert (len(rest.x), len(held.x)) == (8, 2)
    joined = np.concatenate([rest.y, held.y])
    np.testing.assert_array_equal(np.sort(joined), np.arange(10))
    np.testing.assert_array_equal(np.concatenate([rest.x, held.x])[:, 0], joined)
    assert rest.classes == held.classes == 10
    assert not np.array_equal(joined, np.arange(10))


def test_a_split_is_repeated_by_its_seed() -> None:
    """Equal generators give equal parts."""
    one, two = (load_digits().split(0.2, np.random.default_rng(3))[1] for _ in range(2))
    assert len(one.x) == 359
    np.testing.assert_array_equal(one.x, two.x)


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 2, float("nan"), 0.01, 0.99])
def test_a_split_leaves_rows_on_both_sides(fraction: float) -> None:
    """A fraction that leaves one part empty is refused."""
    data = Dataset(np.ones((10, 1)), np.zeros(10, np.int64), 1)
    assert message(data.split, fraction, np.random.default_rng(0)) == (
        f"fraction must leave rows of the 10 on both sides; got {fraction!r}; "
        "choose a number between 0 and 1, such as 0.2"
    )


def test_a_split_takes_a_generator() -> None:
    """A seed is no generator: there is no hidden source of randomness."""
    data = Dataset(np.ones((10, 1)), np.zeros(10, np.int64), 1)
    assert message(data.split, 0.5, 3) == (
        "rng must be a numpy.random.Generator; got int 3; pass default_rng(seed)"
    )


@pytest.mark.parametrize(
    ("y", "classes", "text"),
    [
        (np.zeros(3, np.int64), 2, "y must have shape (4,); got int64 array of shape (3,)"),
        (np.zeros((4, 1), np.int64), 2, "y must have shape (4,); got int64 array of shape (4, 1)"),
        (np.zeros(4), 2, "y must be int64; got float64 array of shape (4,)"),
        (np.zeros(4), 0, "y must have shape (4, k); got float64 array of shape (4,)"),
        (np.zeros((4, 1), "f"), 0, "y must be float64; got float32 array of shape (4, 1)"),
    ],
)
def test_targets_fit_their_samples(y: np.ndarray, classes: int, text: str) -> None:
    """A dataset never holds targets of another length, rank or dtype."""
    assert message(Dataset, np.ones((4, 2)), y, classes).startswith(text + "; ")


# ------------------------------------------------------------------------------------------- NPZ


@pytest.fixture
def npz(tmp_path: Path) -> Callable[..., Path]:
    """Write an NPZ file."""

    def write(**arrays: object) -> Path:
        np.savez_compressed(tmp_path / "data.npz", **arrays)
        return tmp_path / "data.npz"

    return write


@pytest.mark.parametrize("kind", ["?", "u1", "i2", "f2", "f4", ">f8", "g"])
def test_arrays_of_any_real_dtype(npz: Callable[..., Path], kind: str) -> None:
    """x and y are read from every real dtype, whatever the order of its bytes."""
    data = load_table(npz(x=np.array([[0, 1], [1, 1]], kind), y=np.array([1, 0], kind)))
    np.testing.assert_array_equal(data.x, [[0, 1], [1, 1]])
    np.testing.assert_array_equal(data.y, [1, 0])
    assert (data.x.dtype, data.y.dtype) == (np.dtype("=f8"), np.int64)


def test_arrays_of_real_targets(npz: Callable[..., Path]) -> None:
    """With labels=False a vector becomes a column and a matrix stays one."""
    x = np.ones((3, 2))
    vector = load_table(npz(x=x, y=np.arange(3.0)), labels=False)
    matrix = load_table(npz(x=x, t=np.eye(3)), labels=False, target="t", dtype=np.float32)
    np.testing.assert_array_equal(vector.y, [[0], [1], [2]])
    np.testing.assert_array_equal(matrix.y, np.eye(3, dtype=np.float32))
    assert matrix.y.dtype == np.float32
    assert matrix.outputs == 3


def test_arrays_without_targets(npz: Callable[..., Path]) -> None:
    """load_inputs needs no y."""
    np.testing.assert_array_equal(load_inputs(npz(x=np.eye(2))), np.eye(2))


SAVE = "write it with numpy.savez, without objects"
LABEL = "must hold a whole number from 0"
CLASSES = "number the classes 0, 1, ..., or read real targets (labels=False, --loss squared_error)"
ROWS, REAL = "save one sample per row", "must hold real numbers"
TWO = np.ones((2, 2))


@pytest.mark.parametrize(
    ("x", "y", "invariant", "received", "remedy"),
    [
        (np.ones(3), [0], "array 'x' must be (n, k), not empty",
         "float64 array of shape (3,)", ROWS),
        (np.ones((0, 3)), [0], "array 'x' must be (n, k), not empty",
         "float64 array of shape (0, 3)", ROWS),
        (TWO, np.zeros((2, 1, 1)), "array 'y' must be (n,) or (n, k), not empty",
         "float64 array of shape (2, 1, 1)", ROWS),
        (TWO * 1j, [0, 1], f"array 'x' {REAL}",
         "complex128 array of shape (2, 2)", "convert it before saving"),
        (TWO, ["a", "b"], f"array 'y' {REAL}",
         "<U1 array of shape (2,)", "convert it before saving"),
        (TWO, np.array([None, {}]), "must be an NPZ file of numbers",
         "'Object arrays cannot be loaded when allow_pickle=False'", SAVE),
        (TWO, [0, 1, 2], "must hold as many targets as samples",
         "2 samples and 3 targets", "complete the arrays"),
        ([[1, 2], [3, np.nan]], [0, 1], "array 'x' at [1, 1] must hold a finite float64 number",
         "nan", "correct or remove it"),
        (TWO, [0, 0.5], f"array 'y' at [1] {LABEL}", "0.5", CLASSES),
        (TWO, [[0], [-1]], f"array 'y' at [1, 0] {LABEL}", "-1", CLASSES),
        (TWO, np.array([0, 2**63], "u8"), f"array 'y' at [1] {LABEL}", f"{2**63}", CLASSES),
        (TWO, np.eye(2), "array 'y' at [0, 0] must hold the one label of its row", "2 numbers",
         "pass class numbers, or read real targets (labels=False, --loss squared_error)"),
    ],
)  # fmt: skip
def test_bad_arrays_are_an_error_in_one_line(
    npz: Callable[..., Path], x: object, y: object, invariant: str, received: str, remedy: str
) -> None:
    """Every defect is named by array and index, with what was found and what to do."""
    path = npz(x=x, y=y)
    assert message(load_table, path) == f"'{path}' {invariant}; got {received}; {remedy}"


def test_a_missing_array_is_an_error(npz: Callable[..., Path]) -> None:
    """The error lists the arrays that there are."""
    path = npz(x=np.eye(2), z=np.eye(2))
    assert message(load_table, path) == (
        f"'{path}' must hold an array 'y'; got x, z; save it under that name"
    )
    assert "; got no array; " in message(load_inputs, npz())


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"PK\x03\x04" + bytes(60), b"1,2\n", b"\x80\x04.", b"\x93NUMPY\x01\x00"],
)
def test_what_is_no_archive_is_an_error(tmp_path: Path, content: bytes) -> None:
    """An empty file, a fragment, text, a pickle and a fragment of .npy are refused in one line."""
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    text = message(load_table, path)
    assert text.startswith(f"'{path}' must be an NPZ file of numbers; got ")
    assert text.endswith(f"; {SAVE}")


def test_a_lone_array_is_no_archive(tmp_path: Path) -> None:
    """An .npy file under the name of an archive is refused."""
    with (tmp_path / "data.npz").open("wb") as file:
        np.save(file, np.eye(2))
    assert f"must be an NPZ file of numbers; got 'one array'; {SAVE}" in message(
        load_table, tmp_path / "data.npz"
    )


def test_a_damaged_archive_is_an_error_or_harmless(npz: Callable[..., Path]) -> None:
    """Cut anywhere, or with any byte changed, a file is refused in one line or read as it was."""
    path = npz(x=np.arange(6.0).reshape(3, 2), y=np.arange(3))
    whole = path.read_bytes()
    damaged = [whole[:k] for k in range(0, len(whole), 7)]
    damaged += [whole[:k] + bytes([whole[k] ^ 0x55]) + whole[k + 1 :] for k in range(len(whole))]
    refused = []
    for content in damaged:
        path.write_bytes(content)
        try:
            data = load_table(path)
        except InputError as error:
            refused.append(str(error))
        else:
            np.testing.assert_array_equal(data.x, np.arange(6.0).reshape(3, 2))
            np.testing.assert_array_equal(data.y, np.arange(3))
    assert len(refused) > len(damaged) // 2
    assert not any("\n" in text for text in refused)


@pytest.mark.parametrize("read", [load_table, load_inputs])
def test_files_of_another_kind_are_refused(tmp_path: Path, read: Callable[[Path], object]) -> None:
    """A missing file and an unknown suffix are errors in one line."""
    assert message(read, tmp_path / "x.csv") == (
        f"'{tmp_path}/x.csv' must be a file that can be read; got 'No such file or directory'; "
        "check the path"
    )
    assert message(read, tmp_path / "x.xlsx") == (
        f"'{tmp_path}/x.xlsx' must end in .csv or .npz; got '.xlsx'; convert the table to one"
    )
