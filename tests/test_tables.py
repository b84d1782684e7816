"""Tables of the user's own in CSV: every cell is read, or refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mlp_ref.checks import InputError
from mlp_ref.datasets import load_inputs, load_table

Write = Callable[[str | bytes], Path]


@pytest.fixture
def csv(tmp_path: Path) -> Write:
    """Write a CSV file."""

    def write(text: str | bytes) -> Path:
        path = tmp_path / "data.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def message(call: Callable[..., object], *args: object, **options: object) -> str:
    """The text of the InputError that a call raises, which must be one line."""
    with pytest.raises(InputError) as caught:
        call(*args, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_table_without_header(csv: Write) -> None:
    """The last column is the label; the others are inputs."""
    data = load_table(csv("1,2,0\n3,4,2\n"))
    np.testing.assert_array_equal(data.x, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(data.y, [0, 2])
    assert (data.x.dtype, data.y.dtype) == (np.float64, np.int64)
    assert data.classes == 3


@pytest.mark.parametrize(
    "text",
    [
        "a,b,kind\n1,2,0\n3,4,1\n",
        "\ufeffa,b,kind\r\n1,2,0\r\n3,4,1\r\n",  # as a spreadsheet writes it
        '"a", "b","kind"\n"1", 2 ,0.0\n3.0e0,+4,1\n\n\n',  # quotes, blanks, blank lines at the end
        "a,b,kind\n1,2,0\n3,4,1",
    ],
)
def test_a_table_with_header(csv: Write, text: str) -> None:
    """A first line without any number is a header, in any usual dialect with commas."""
    data = load_table(csv(text), dtype=np.float32)
    np.testing.assert_array_equal(data.x, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(data.y, [0, 1])
    assert data.x.dtype == np.float32


def test_the_target_column_can_be_named(csv: Write) -> None:
    """A column in the middle serves as the target, and the others keep their order."""
    data = load_table(csv("a,kind,b\n1,0,2\n3,1,4\n"), target="kind")
    np.testing.assert_array_equal(data.x, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(data.y, [0, 1])


def test_real_targets(csv: Write) -> None:
    """With labels=False the target is a matrix of one real column."""
    data = load_table(csv("1,2.5\n3,-4\n"), labels=False, dtype=np.float32)
    np.testing.assert_array_equal(data.y, np.array([[2.5], [-4]], np.float32))
    assert data.y.dtype == np.float32
    assert (data.classes, data.outputs) == (0, 1)


def test_inputs_alone(csv: Write) -> None:
    """load_inputs takes every column."""
    np.testing.assert_array_equal(load_inputs(csv("a,b\n1,2\n")), [[1, 2]])
    assert load_inputs(csv("1,2\n"), dtype=np.float32).dtype == np.float32


def test_decimals_are_rounded_once_to_the_dtype(csv: Write) -> None:
    """A decimal becomes the float64 nearest to it, and then the float32 nearest to that."""
    path = csv("0.1,1e-320,0\n")
    np.testing.assert_array_equal(load_table(path).x, [[0.1, 1e-320]])
    np.testing.assert_array_equal(load_table(path, dtype="f4").x, np.float32([[0.1, 0]]))


NUMBER, FIX = "must hold a finite number", "correct the cell or leave its column out"
HINT = f"{FIX}; a name in a header must not be a number"
LABEL = "must hold a whole number from 0"
CLASSES = "number the classes 0, 1, ..., or read real targets (labels=False, --loss squared_error)"
NAME, OWN = (
    "must name its column, and no other",
    "give every column of the header a name of its own",
)
ROW, COMPLETE = "must hold a row of numbers", "complete or correct the row"


@pytest.mark.parametrize(
    ("text", "invariant", "received", "remedy"),
    [
        ("1,2\n3,abc\n", f"line 2, column 2 {NUMBER}", "'abc'", FIX),
        ("a,b\n1,2\nx,4\n", f"line 3, column 1 ('a') {NUMBER}", "'x'", FIX),
        ("1,\n", f"line 1, column 2 {NUMBER}", "''", HINT),
        ("1,kind\n2,0\n", f"line 1, column 2 {NUMBER}", "'kind'", HINT),
        ("nan,0\n", f"line 1, column 1 {NUMBER}", "'nan'", HINT),
        ("1,0\n-inf,0\n", f"line 2, column 1 {NUMBER}", "'-inf'", FIX),
        ("1,0\n1e999,0\n", f"line 2, column 1 {NUMBER}", "'1e999'", FIX),
        ("1,0\n1_0,0\n", f"line 2, column 1 {NUMBER}", "'1_0'", FIX),
        ('1,0\n"2\n3",0\n', f"line 3, column 1 {NUMBER}", "'2\\n3'", FIX),
        ("1,2\n3,1e300\n", f"line 2, column 2 {LABEL}", "1e+300", CLASSES),
        ("a,b\n1,1\n1,1.5\n", f"line 3, column 2 ('b') {LABEL}", "1.5", CLASSES),
        ("1,-1\n", f"line 1, column 2 {LABEL}", "-1.0", CLASSES),
        ("1,2,0\n3,0\n", "line 2 must have 3 columns, as line 1 has", "2", COMPLETE),
        ("1,0\n3,0,0\n", "line 2 must have 2 columns, as line 1 has", "3", COMPLETE),
        ("1,0\n\n3,0\n", "line 2 must hold a row", "a blank line", "delete it"),
        ("\n1,0\n", "line 1 must hold a row", "a blank line", "delete it"),
        ("", ROW, "an empty file", "check the path"),
        ("\n\n", ROW, "an empty file", "check the path"),
        ("a,b\n", ROW, "a header only", "add rows"),
        (",b\n1,2\n", f"line 1, column 1 {NAME}", "''", OWN),
        ("b,b\n1,2\n", f"line 1, column 2 {NAME}", "'b'", OWN),
        ("1\n2\n", "must have inputs beside the target", "one column", "add columns"),
        ('1,0\n"2,0\n', "line 2 must be a row of a CSV file", "'unexpected end of data'",
         "correct the quotes"),
    ],
)  # fmt: skip
def test_a_bad_table_is_an_error_in_one_line(
    csv: Write, text: str, invariant: str, received: str, remedy: str
) -> None:
    """Every defect is named by line and column, with what was found and what to do."""
    path = csv(text)
    assert message(load_table, path) == f"'{path}' {invariant}; got {received}; {remedy}"


def test_another_encoding_is_an_error(csv: Write) -> None:
    """What is not UTF-8 is refused."""
    text = message(load_table, csv(b"1,0\n\xff,0\n"))
    assert " must be UTF-8 text; got " in text
    assert text.endswith("; export the table as UTF-8")


def test_a_long_cell_is_cut(csv: Write) -> None:
    """The error stays readable when a cell holds a whole document."""
    assert f"got '{'x' * 37}...'; " in message(load_table, csv("1,0\n" + "x" * 5000 + ",0\n"))


def test_a_number_beyond_float32_is_an_error(csv: Write) -> None:
    """Rounding to float32 must not make an infinity."""
    path = csv("a,b\n1e39,0\n")
    assert message(load_table, path, dtype=np.float32) == (
        f"'{path}' line 2, column 1 ('a') must hold a finite float32 number; got 1e+39; "
        "correct or remove it"
    )


@pytest.mark.parametrize(("text", "held"), [("a,b\n1,2\n", "columns a, b"), ("1,2\n", "no header")])
def test_an_unknown_target_column_is_an_error(csv: Write, text: str, held: str) -> None:
    """The error lists the columns that there are."""
    path = csv(text)
    assert message(load_table, path, target="kind") == (
        f"'{path}' must have a column 'kind'; got {held}; name a column of the first line"
    )


def test_digits_of_other_scripts_are_text(tmp_path: Path) -> None:
    """Python reads them as numbers; a table that holds them is refused with the cell."""
    path = tmp_path / "own.csv"
    path.write_text("1,2\n1,\u0662\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2, column 2 must hold a finite number"):
        load_inputs(path)
