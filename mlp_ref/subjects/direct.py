"""Asking a subject in this process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from traceback import extract_tb
from typing import Any

import numpy as np

from mlp_ref.subjects.protocol import Kind, Question, Reply, Subject

__all__ = ["ask"]


def ask(subject: Subject, question: Question) -> Reply:
    """The reply of a subject; whatever it raises, but Ctrl-C, is part of it.

    What it sets with `numpy.seterr` ends with the call. An answer is an error if the subject
    changed its inputs, or left the processor in a mode in which nothing can be judged.
    """
    untouched = {name: x.copy() for name, x in question.inputs.items()}
    try:
        with np.errstate():
            answer: Any = subject.run(question)
        answer = dict(answer) if isinstance(answer, Mapping) else answer
    except KeyboardInterrupt:
        raise
    except NotImplementedError as error:
        return Reply(Kind.SKIP, f"not implemented: {_one_line(error)}")
    except BaseException as error:  # pytest's outcomes are no Exception
        return Reply(Kind.REJECT, f"{type(error).__name__}: {_one_line(error)}{_place(error)}")
    wrong = _flushed() or _changed(question.inputs, untouched)
    if wrong:
        return Reply(Kind.ERROR, wrong)
    if not isinstance(answer, dict):
        got = type(answer).__name__
        return Reply(Kind.ERROR, f"a subject must return a mapping of tensors; got {got}")
    return Reply(Kind.ANSWER, tensors=answer)


def _one_line(error: BaseException) -> str:
    try:
        return " ".join(str(error).split()) or "no reason given"
    except Exception:
        return "a reason that cannot be shown"


def _place(error: BaseException) -> str:
    """The last line of the subject's own file that led to the error."""
    frames = [
        f for f in extract_tb(error.__traceback__)[1:] if _HERE not in Path(f.filename).parents
    ]
    own = [frame for frame in frames if frame.filename == frames[0].filename]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""


_HERE = Path(__file__).parent  # what adapts a subject is not the subject's own


def _flushed() -> str:
    least = np.full(1, 2.0**-1074)
    if (least * 1 > 0).all() and (least.astype(np.float32) == 0).all():
        return ""
    return (
        "the subject left subnormal numbers flushed to zero in this process, so that nothing can "
        "be judged; set it back before returning"
    )


def _changed(asked: Mapping[str, Any], untouched: Mapping[str, Any]) -> str:
    for name, x in untouched.items():
        if not _same(asked[name], x):
            return f"the subject changed its argument {name!r} in place; copy it first"
    return ""


def _same(asked: Any, untouched: Any) -> bool:
    """Bit for bit: 0 and -0 differ, NaN equals itself."""
    return (
        isinstance(asked, np.ndarray)
        and (asked.shape, asked.dtype) == (untouched.shape, untouched.dtype)
        and asked.tobytes() == untouched.tobytes()
    )
