"""A subject in a process of its own: ``python -m mlp_ref.subjects.worker SPEC``.

It serves the wire protocol on the standard input and output that it is started with. Whatever the
subject itself prints, in C too, goes to standard error, and it finds an empty standard input. The
process ends with the last line of its input, and when its parent does.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from mlp_ref.checks import InputError
from mlp_ref.subjects import load
from mlp_ref.subjects.messages import (
    description_line,
    parse_command,
    refusal_line,
    reply_line,
    seq_of,
)
from mlp_ref.subjects.protocol import Kind, Reply, Subject
from mlp_ref.subjects.wire import one_line, read_json

__all__ = ["main", "serve"]

_WATCH = 0.5  # seconds between two looks at the parent
_GROUPS = ("torch_ddp", "torch_tp")  # subjects of several processes, which torchrun starts


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the subject until the input ends; 0, or 2 if it cannot be loaded or asked.

    Of the processes that torchrun starts, the first speaks the protocol. The others load the
    subject, too, and end when `load` returns: it must not return while it is needed.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    if len(arguments) != 1:
        return _complain("a worker must be called with one subject")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    follows = arguments[0].startswith(_GROUPS) and os.environ.get("RANK", "0") != "0"
    source, sink = _private_ends(speaks=not follows)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        with source, sink:
            if follows:
                load(arguments[0])
                return 0
            return _begin(arguments[0], source, sink)
    except BrokenPipeError:  # nobody listens any more
        return 0
    except InputError as error:
        return _complain(str(error))


def _begin(spec: str, source: BinaryIO, sink: BinaryIO) -> int:
    """Answer the first message with what the subject is, or why there is none."""
    first = source.readline()
    if not first:
        return 0
    parse_command(first)
    try:
        subject = load(spec)
    except InputError as error:
        return _refuse(sink, str(error))
    except BaseException as error:  # a library may end in any way while it is imported
        return _refuse(sink, f"{spec} must be importable; got {type(error).__name__}: {error}")
    _send(sink, description_line(subject))
    serve(subject, source, sink)
    return 0


def serve(subject: Subject, source: BinaryIO, sink: BinaryIO) -> None:
    """Answer every question, one after another, until the input ends or the gate says stop.

    Raises `InputError` for a line that is neither a question nor stop.
    """
    for line in _lines(source):
        try:
            cmd, seq, question = parse_command(line)
        except InputError as error:
            seq = seq_of(read_json(line))
            if not seq:
                raise
            _send(sink, reply_line(seq, Reply(Kind.ERROR, str(error))))
            continue
        if cmd == "stop":
            return
        if question is not None:
            _send(sink, reply_line(seq, subject.ask(question)))


def _lines(source: BinaryIO) -> Iterator[bytes]:
    while line := source.readline():
        yield line


def _send(sink: BinaryIO, line: bytes) -> None:
    sink.write(line)
    sink.flush()


def _private_ends(speaks: bool) -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the gate, which neither the subject nor what it starts can find any more."""
    sys.stdout.flush()
    empty = os.open(os.devnull, os.O_RDWR)
    source, sink = os.dup(0 if speaks else empty), os.dup(1 if speaks else empty)
    os.dup2(empty, 0)
    os.dup2(2, 1)
    os.close(empty)
    return os.fdopen(source, "rb"), os.fdopen(sink, "wb")


def _end_with(parent: int) -> None:
    """End this process when it is orphaned, also while the subject computes."""
    while os.getppid() == parent:
        time.sleep(_WATCH)
    os._exit(1)


def _refuse(sink: BinaryIO, reason: str) -> int:
    _send(sink, refusal_line(reason))
    return _complain(reason)


def _complain(reason: str) -> int:
    sys.stderr.write(f"mlp-ref worker: error: {one_line(reason)}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
