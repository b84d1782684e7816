"""Questions and answers as tokens, for programs without a JSON parser.

The tokens are those of `mlp_ref.corpus.lines`: every word has 16 digits, a narrower number stands
as the float64 of the same value. conformance/PROTOCOL.md describes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import prod
from typing import Any

from mlp_ref.arithmetic import Array
from mlp_ref.checks import InputError, fail
from mlp_ref.corpus.lines import given_lines
from mlp_ref.subjects import Kind, Question, Reply, Subject
from mlp_ref.subjects.messages import described
from mlp_ref.subjects.wire import WIRE_DIGITS, from_words, narrowed, one_line, shape_of

__all__ = ["TOKENS", "blocks", "header_line", "header_of", "question_lines", "reply_of"]

TOKENS = 1
_DIGITS = WIRE_DIGITS["float64"]
_LISTS = ("operations", "arithmetics", "checks", "conventions", "versions")
_STARTS = ("answer", "skip", "reject", "error")
_REMEDY = "see PROTOCOL.md, of which mlp-ref questions --protocol knows the place"


def header_line(count: int) -> str:
    """The header of questions.txt."""
    return f"mlp_ref-questions {TOKENS} {count}"


def question_lines(seq: str, question: Question) -> Iterator[str]:
    """One question."""
    yield f"question {seq} {question.operation} {question.arithmetic}"
    yield from given_lines(question.parameters, question.inputs, question.arithmetic)
    yield "end"


def blocks(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The header, then every answer: its first line's number and its lines."""
    number, block = 1, list[str]()
    for k, line in enumerate(lines, 1):
        if line.split(maxsplit=1)[:1] and line.split(maxsplit=1)[0] in _STARTS:
            yield number, block
            number, block = k, []
        block.append(line)
    yield number, block


def header_of(lines: list[str], name: str) -> Subject:
    """The subject of the first lines of answers.txt; raises `InputError` for anything else."""
    rows = [line.split() for line in lines if line.strip()]
    if not rows or rows[0] != ["mlp_ref-answers", str(TOKENS)]:
        got = repr(" ".join(rows[0])[:60]) if rows else "an empty file"
        fail(f"answers.txt must begin with mlp_ref-answers {TOKENS}", got, _REMEDY)
    found: dict[str, list[str]] = {}
    for key, *values in rows[1:]:
        if key not in ("subject", *_LISTS) or key in found:
            fail("the header must have each of its entries once", repr(key[:40]), _REMEDY)
        found[key] = values if key == "subject" else _counted(key, values)
    for key in ("subject", "operations", "arithmetics"):
        if key not in found:
            fail(f"the header must have the entry {key}", "none", _REMEDY)
    versions = dict(
        zip(found.get("versions", [])[::2], found.get("versions", [])[1::2], strict=True)
    )
    return described(name, " ".join(found["subject"]), versions, found)


def _counted(key: str, values: list[str]) -> list[str]:
    each = 2 if key == "versions" else 1
    if not values or values[0] != str((len(values) - 1) // each) or (len(values) - 1) % each:
        fail(f"{key} must be followed by a count, and as many names", repr(values[:1]), _REMEDY)
    return values[1:]


def reply_of(lines: list[str]) -> Reply:
    """The reply of one block; raises `InputError` for anything that is none."""
    start, *rest = lines[0].split(maxsplit=2)
    if start != "answer":
        if any(line.strip() for line in lines[1:]):
            fail(f"{start} must be one line", repr(lines[1].strip()[:40]), _REMEDY)
        return Reply(Kind(start), one_line(rest[1] if len(rest) > 1 else ""))
    tokens = iter([*"".join(rest[1:]).split(), *(t for line in lines[1:] for t in line.split())])
    tensors: dict[str, Any] = {}
    for token in tokens:
        if token == "end":
            if (odd := next(tokens, None)) is not None:
                fail("nothing may follow end", repr(odd[:40]), _REMEDY)
            return Reply(Kind.ANSWER, tensors=tensors)
        if token != "output":
            fail("an answer must hold outputs, then end", repr(token[:40]), _REMEDY)
        name, x = _output(lambda: next(tokens, ""))
        if name in tensors:
            fail(f"output {name} must be there once", "two", _REMEDY)
        tensors[name] = float(x) if x.shape == () and x.dtype.name == "float64" else x
    fail("an answer must end with end", "the end of the file, or another answer", "send it whole")


def _output(take: Callable[[], str]) -> tuple[str, Array]:
    name, dtype = take(), take()
    what = f"output {name[:40]}"
    if not (name.isascii() and name.isidentifier() and len(name) <= len(what) - len("output ")):
        fail("an output must have a name such as dW0", repr(name[:40]), _REMEDY)
    if dtype not in WIRE_DIGITS:
        fail(f"the dtype of {what} must be {', '.join(WIRE_DIGITS)}", repr(dtype[:40]), _REMEDY)
    sizes = [_count(take(), what) for _ in range(min(_count(take(), what), 9))]
    shape = shape_of(sizes, what)
    words = [take() for _ in range(prod(shape))]
    if any(len(word) != _DIGITS for word in words):
        odd = next(word for word in words if len(word) != _DIGITS)
        fail(f"{what} must have {len(words)} words of {_DIGITS} digits", repr(odd[:40]), _REMEDY)
    try:
        numbers = from_words("".join(words), "int64" if dtype == "int64" else "float64")
        exact = numbers if dtype in ("int64", "float64") else narrowed(numbers, dtype)
    except InputError as error:
        raise InputError(f"{what}: {error}") from None
    return name, exact.reshape(shape)


def _count(token: str, what: str) -> int:
    if not (token.isascii() and token.isdigit() and len(token) <= 9):
        fail(f"rank and sizes of {what} must be counts", repr(token[:40]), _REMEDY)
    return int(token)
