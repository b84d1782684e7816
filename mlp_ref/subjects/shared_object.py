"""A library with the C interface of ``conformance/mlp_ref.h`` as a subject: ``so:path``.

It runs in this process, which its crash ends: the gate loads it in a child.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from mlp_ref.arithmetic import ARITHMETICS, Array
from mlp_ref.checks import InputError, describe, fail
from mlp_ref.subjects.messages import PROTOCOL, parse_description
from mlp_ref.subjects.protocol import Kind, Question, Reply, Subject
from mlp_ref.subjects.shapes import output_shapes
from mlp_ref.subjects.wire import read_json, require_keys

__all__ = ["ABI", "SharedObjectError", "load"]

ABI = 1  # MLP_REF_ABI of the header
_ANSWER, _SKIP, _REJECT, _ERROR = range(4)
_ALIGNMENT = 64
_GUARD = 1024  # bytes on either side of every buffer that must stay as they are
_PATTERN = 0xA5
_MESSAGE = 1024
_HEADER = "see mlp_ref.h, of which mlp-ref questions --protocol knows the place"


class SharedObjectError(RuntimeError):
    """The library reported an error, or broke the rules of the interface."""


@dataclass(frozen=True)
class _Library(Subject):
    """A subject that can tell an error from a refusal. It may leave the processor flushing."""

    def ask(self, question: Question) -> Reply:
        try:
            return Reply(Kind.ANSWER, tensors=self.run(question))
        except NotImplementedError as skip:
            return Reply(Kind.SKIP, str(skip))
        except ValueError as refusal:
            return Reply(Kind.REJECT, str(refusal))
        except SharedObjectError as error:
            return Reply(Kind.ERROR, str(error))


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("dtype", ctypes.c_char_p),
        ("rank", ctypes.c_int32),
        ("shape", ctypes.c_int64 * 2),
        ("data", ctypes.c_void_p),
        ("given", ctypes.c_int32),
    )


class _Parameter(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("count", ctypes.c_int32),
        ("values", ctypes.POINTER(ctypes.c_char_p)),
    )


class _Question(ctypes.Structure):
    _fields_ = (
        ("abi", ctypes.c_int32),
        ("operation", ctypes.c_char_p),
        ("arithmetic", ctypes.c_char_p),
        ("parameters", ctypes.c_int32),
        ("inputs", ctypes.c_int32),
        ("outputs", ctypes.c_int32),
        ("parameter", ctypes.POINTER(_Parameter)),
        ("input", ctypes.POINTER(_Tensor)),
        ("output", ctypes.POINTER(_Tensor)),
        ("message", ctypes.c_void_p),
        ("message_size", ctypes.c_int32),
    )


class _Room:
    """An array for the library, aligned, between guards that show what is written beside it."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        size = prod(shape) * dtype.itemsize
        self._bytes = np.full(size + 2 * _GUARD + _ALIGNMENT, _PATTERN, np.uint8)
        self._begin = _GUARD + -(self._bytes.ctypes.data + _GUARD) % _ALIGNMENT
        self._end = self._begin + size
        self.address = self._bytes.ctypes.data + self._begin
        self.array: Array = self._bytes[self._begin : self._end].view(dtype).reshape(shape)

    def intact(self) -> bool:
        """Whether the guards are."""
        around = np.concatenate([self._bytes[: self._begin], self._bytes[self._end :]])
        return bool((around == _PATTERN).all())

    def tensor(self, name: str) -> _Tensor:
        """The description of the array."""
        shape = (*self.array.shape, 1, 1)[: max(2, self.array.ndim)]
        if len(shape) != 2:
            raise NotImplementedError(f"{name} has more than the two dimensions of mlp_ref.h")
        dtype = str(self.array.dtype).encode()
        return _Tensor(name.encode(), dtype, self.array.ndim, shape, self.address, 0)


def load(spec: str) -> Subject:
    """Load ``so:path``, a path from the current directory, and ask it what it implements.

    Raises `InputError` if there is no such file, it cannot be loaded, a function is missing, or
    what it says of itself breaks the contract.
    """
    path = Path(spec.removeprefix("so:"))
    if not path.is_file():
        fail(f"{spec} must name a shared library", "no such file", "such as so:./libmine.so")
    try:
        library = ctypes.CDLL(str(path.resolve()))
    except OSError as error:
        text = " ".join(str(error).split())
        fail(f"{spec} must be a library for this machine", text, "compile it with -shared -fPIC")
    run = _function(library, spec, "mlp_ref_run", ctypes.c_int32, ctypes.POINTER(_Question))
    about = _function(library, spec, "mlp_ref_describe", ctypes.c_char_p)()
    told = _described(spec, about)
    return _Library(
        spec, lambda question: _ask(run, question), told.operations, told.arithmetics,
        told.versions, told.checks, told.conventions,
    )  # fmt: skip


def _function(library: ctypes.CDLL, spec: str, name: str, result: Any, *arguments: Any) -> Any:
    try:
        function = library[name]
    except AttributeError:
        fail(f"{spec} must export {name}", "no such symbol", f'{_HEADER}; in C++, extern "C"')
    function.restype, function.argtypes = result, arguments
    return function


def _described(spec: str, text: bytes | None) -> Subject:
    """What ``mlp_ref_describe`` returned: the answer to start, with abi in place of protocol."""
    what = "the description"
    try:
        found = read_json(text or b"")
        own = set(found) - {"protocol"} if isinstance(found, dict) else set()
        require_keys(found, what, {"abi"}, own)
        abi = found.pop("abi")
        if type(abi) is not int or abi != ABI:
            fail(f"abi must be {ABI}", describe(abi), f"compile it anew; {_HEADER}")
        return parse_description(json.dumps({"protocol": PROTOCOL, **found}).encode(), spec)
    except InputError as error:
        raise InputError(f"mlp_ref_describe of {spec}: {error}") from None


def _ask(run: Any, question: Question) -> Mapping[str, Any]:
    """Call the library on copies of the inputs, and look at everything that it may have touched."""
    dtype = np.dtype(ARITHMETICS[question.arithmetic].dtype)
    inputs = {name: _Room(x.shape, x.dtype) for name, x in question.inputs.items()}
    outputs = {name: _Room(shape, dtype) for name, shape in output_shapes(question).items()}
    message = _Room((_MESSAGE,), np.dtype(np.uint8))
    for name, room in inputs.items():
        room.array[...] = question.inputs[name]
    for room in outputs.values():
        room.array.fill(np.nan)
    message.array.fill(0)
    given, asked, wanted = _parameters(question.parameters), _tensors(inputs), _tensors(outputs)
    kind = run(
        _Question(
            ABI, question.operation.encode(), question.arithmetic.encode(),
            len(given), len(asked), len(wanted), given, asked, wanted, message.address, _MESSAGE,
        )
    )  # fmt: skip
    for name, room in {**inputs, **outputs, "message": message}.items():
        if not room.intact():
            raise SharedObjectError(f"the library wrote outside of the buffer of {name!r}")
    for name, x in question.inputs.items():
        if inputs[name].array.tobytes() != x.tobytes():
            raise SharedObjectError(f"the library changed its input {name!r}; copy it first")
    reason = message.array.tobytes().split(b"\0")[0].decode(errors="replace").strip()
    if kind != _ANSWER:
        _refuse(kind, reason or "no reason given")
    return _answer(outputs, wanted)


def _refuse(kind: int, reason: str) -> NoReturn:
    if kind == _SKIP:
        raise NotImplementedError(reason)
    if kind == _REJECT:
        raise ValueError(reason)
    if kind == _ERROR:
        raise SharedObjectError(reason)
    raise SharedObjectError(f"mlp_ref_run must return 0, 1, 2 or 3; got {kind}")


def _answer(outputs: Mapping[str, _Room], wanted: Sequence[_Tensor]) -> dict[str, Array]:
    """What is marked as given."""
    answer = {}
    for tensor, (name, room) in zip(wanted, outputs.items(), strict=True):
        if tensor.data != room.address:
            raise SharedObjectError(f"the library moved {name!r}; fill the buffer that is there")
        if tensor.given not in (0, 1):
            raise SharedObjectError(f"given of {name!r} must be 0 or 1; got {tensor.given}")
        if tensor.given:
            answer[name] = room.array
    if not answer:
        raise SharedObjectError("the library answered without an output; set given = 1")
    return answer


def _tensors(rooms: Mapping[str, _Room]) -> Any:
    return (_Tensor * len(rooms))(*(room.tensor(name) for name, room in rooms.items()))


def _parameters(parameters: Mapping[str, Any]) -> Any:
    found = []
    for name, value in parameters.items():
        items = value if isinstance(value, list | tuple) else [value]
        texts = [x if isinstance(x, str) else json.dumps(x) for x in items]
        values = (ctypes.c_char_p * len(texts))(*(text.encode() for text in texts))
        found.append(_Parameter(name.encode(), len(texts), values))
    return (_Parameter * len(found))(*found)
