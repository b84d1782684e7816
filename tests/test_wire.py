"""Tensors on the wire: read back bit for bit, and never cast in silence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from wire_lines import SEQ, same

from mlp_ref.checks import InputError
from mlp_ref.subjects import Kind, Reply
from mlp_ref.subjects.messages import parse_reply, reply_line
from mlp_ref.subjects.wire import WIRE_DIGITS, decode, encode, narrowed, one_line

NAN, INF = float("nan"), float("inf")
EDGES = [0.0, -0.0, NAN, INF, -INF, 1 / 3, -65504.0, 2.0**-24]


@pytest.mark.parametrize("dtype", WIRE_DIGITS)
@pytest.mark.parametrize("shape", [(), (1,), (8,), (2, 4), (4, 2, 1), (0, 3)])
def test_a_tensor_is_read_back_bit_for_bit(dtype: str, shape: tuple[int, ...]) -> None:
    """Every dtype and shape; also from another byte order and from strides."""
    edges = [1, -1, 0, 2**62, -(2**62), 3, 4, 5] if dtype == "int64" else EDGES
    count = int(np.prod(shape))
    x = np.array(edges[:count], dtype).reshape(shape)
    assert same(decode(encode(x), "x"), x)
    assert same(decode(encode(x.astype(x.dtype.newbyteorder(">"))), "x"), x)
    assert same(decode(encode(x.T), "x"), np.ascontiguousarray(x.T).reshape(x.T.shape))
    assert len(encode(x)["words"]) == count * WIRE_DIGITS[dtype]


@pytest.mark.parametrize("word", ["fff8000000000000", "7ff0000000000001", "ffffffffffffffff"])
def test_every_word_of_a_nan_is_a_nan(word: str) -> None:
    """x86 makes a negative one of 0/0, which is no reason to refuse an answer."""
    x = decode({"shape": [1], "dtype": "float64", "words": word}, "x")
    assert np.isnan(x).all()


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        ("float64", '[1, 0.1, -0.0, -0, "nan", "inf", "-inf", 5e-324]',
         [1.0, 0.1, -0.0, -0.0, NAN, INF, -INF, 5e-324]),
        ("float32", "[0.1, 16777217, 3.4028235e38, 1e-45, 1e-300]",
         [0.1, 16777216, 3.4028235e38, 1e-45, 0]),
        ("float16", "[0.1, 65519, 6e-8]", [0.1, 65504, 6e-8]),
        ("int64", "[9223372036854775807, -9223372036854775808, 0]", [2**63 - 1, -(2**63), 0]),
        ("float64", "[]", []),
    ],
)  # fmt: skip
def test_values_are_rounded_to_the_dtype(dtype: str, values: str, expected: list[Any]) -> None:
    """Numbers may be written as decimals or integers; -0 keeps its sign; the rest are texts."""
    line = f'{{"seq":"{SEQ}","outputs":{{"y":{{"shape":[{len(expected)}],"dtype":"{dtype}",'
    _, reply = parse_reply(f'{line}"values":{values}}}}}}}'.encode())
    assert same(reply.tensors["y"], np.array(expected, dtype))


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("float32", "3.5e38"), ("float16", "65520"), ("float64", "1e400"), ("float64", "NaN"),
        ("float64", "1" + 400 * "0"), ("float64", "true"), ("float64", "null"), ("float64", '"1"'),
        ("float64", '"Infinity"'), ("float64", "[1]"), ("float64", "{}"), ("int64", "1.5"),
        ("int64", "9223372036854775808"), ("int64", '"nan"'), ("float64", "1" + 5000 * "0"),
        ("float64", "01"), ("float64", "0x10"), ("float64", "-Infinity"),
    ],
)  # fmt: skip
def test_a_value_that_is_no_number_of_the_dtype_is_refused(dtype: str, value: str) -> None:
    """An overflow has to be written as an infinity: it is never made one in silence."""
    line = f'{{"seq":"{SEQ}","outputs":{{"y":{{"shape":[1],"dtype":"{dtype}","values":[{value}]'
    with pytest.raises(InputError):
        parse_reply(f"{line}}}}}}}".encode())


@pytest.mark.parametrize(
    ("x", "text"),
    [
        ([1.0], "got list; convert it with np.asarray"),
        (3, "got int"), ("1", "got str"), (None, "got NoneType"), (True, "got bool"),
        (np.array([1j]), "got complex128"), (np.array([True]), "got bool"),
        (np.array(["a"]), "got str"), (np.array([None]), "got object"),
        (np.ones(1, np.int32), "got int32"), (np.ones(1, np.longdouble), "got "),
    ],
)  # fmt: skip
def test_what_is_no_tensor_is_not_sent(x: Any, text: str) -> None:
    """The reply is an error that names the output; nothing is cast."""
    with pytest.raises(InputError, match=text):
        encode(x)
    seq, reply = parse_reply(reply_line(SEQ, Reply(Kind.ANSWER, tensors={"y": x})))
    assert (seq, reply.kind) == (SEQ, Kind.ERROR)
    assert reply.reason.startswith("output 'y': a tensor must be ")


def test_a_scalar_may_be_a_float_of_python() -> None:
    """It arrives as one, and so may stand in any arithmetic; a float32 scalar stays an array."""
    tensors = {"loss": 0.1, "g": np.float32(0.1), "d": np.array(0.5)}
    _, reply = parse_reply(reply_line(SEQ, Reply(Kind.ANSWER, tensors=tensors)))
    assert type(reply.tensors["loss"]) is float
    assert reply.tensors["loss"] == 0.1
    assert same(reply.tensors["g"], np.float32(0.1))
    assert type(reply.tensors["d"]) is float


@pytest.mark.parametrize(
    ("numbers", "dtype"), [([0.1], "float32"), ([1e300], "float32"), ([2049], "float16")]
)
def test_a_number_of_another_dtype_is_never_narrowed(numbers: list[float], dtype: str) -> None:
    """NaN, infinities and numbers that fit are; others are refused."""
    assert same(narrowed(np.array(EDGES[:5]), dtype), np.array(EDGES[:5], dtype))
    with pytest.raises(InputError, match=f"every number must be one of {dtype}"):
        narrowed(np.array(numbers), dtype)


def test_one_line_of_a_huge_text_takes_no_time() -> None:
    """It looks at the beginning alone."""
    assert one_line(" " * 50_000_000) == "no reason given"
