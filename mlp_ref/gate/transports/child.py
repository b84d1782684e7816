"""A subject in a child process: whatever it does ends one case at most, never the run."""

from __future__ import annotations

import os
import secrets
import sys
import weakref
from collections.abc import Sequence
from math import inf
from types import TracebackType
from typing import NoReturn

from mlp_ref.checks import InputError, fail
from mlp_ref.gate.transports.pipes import FLUSH, Broken, Program
from mlp_ref.subjects import Kind, Question, Reply, Subject
from mlp_ref.subjects.messages import (
    STOP,
    parse_description,
    parse_reply,
    question_body,
    room,
    run_line,
    start_line,
)

__all__ = ["Child"]

_DESCRIPTION = 1 << 16  # bytes
_STARTS = 3  # failed ones in a row, after which no other is tried
_GOODBYE = 2.0  # seconds that a program has to end by itself
_PATIENCE, _OURS = 5.0, 15.0  # seconds after which a start is remarked on; ours import libraries
_LONGER = "give it more time with --timeout"


class Child:
    """A program that speaks the wire protocol, as a `mlp_ref.subjects.Session`.

    ``argv``      the program and its arguments
    ``name``      as the user typed it
    ``timeout``   seconds for an answer, ``start``: for the description
    ``ours``      it is a worker of ours, which flushes its output: why it cannot start is all that
                  there is to say
    ``subject``   what it says about itself

    It is started at once, in a process group of its own, and again for the next question whenever
    it has broken the protocol, crashed or taken too long. A first start that takes long is remarked
    on, on standard error. One thread at a time may ask; `abort` may be called by any.

    Raises `InputError` if the program cannot be started or does not say what it is.
    """

    def __init__(
        self, argv: Sequence[str], name: str, *, timeout: float = 60.0, start: float = 120.0,
        ours: bool = False,
    ) -> None:  # fmt: skip
        if os.name != "posix":
            fail("a subject in a process needs POSIX", os.name, "use files:FOLDER there")
        if not argv:
            fail("a program must be named", "none", "such as cmd:./mine")
        self._argv, self._timeout, self._start_within = list(argv), timeout, start
        self._ours = ours
        self._program: Program | None = None
        self._failed_starts, self._closed, self._why = 0, False, ""
        self.name = name
        self.subject: Subject | None = None
        try:
            described = self._start()
        except Broken as broken:
            raise InputError(str(broken)) from None
        except BaseException:  # Ctrl-C
            self._kill()
            raise
        self.subject = described
        self.operations, self.arithmetics = described.operations, described.arithmetics
        self.checks, self.conventions = described.checks, described.conventions
        self.versions, self.excuse = described.versions, described.excuse

    def ask(self, question: Question) -> Reply:
        """The reply, or what went wrong instead; the latter ends the process."""
        if self._closed:
            return Reply(Kind.ERROR, "the subject was closed")
        if self._failed_starts >= _STARTS:
            why = f"not started again after {_STARTS} failed starts in a row: {self._why}"
            return Reply(Kind.ERROR, why)
        try:
            if self._program is None:
                self._start()
            return self._ask(question)
        except Broken as broken:
            return Reply(Kind.ERROR, str(broken))
        except BaseException:  # Ctrl-C: half a question may be under way
            self._kill()
            raise

    def _ask(self, question: Question) -> Reply:
        seq = secrets.token_hex(8)
        line = self._exchange(run_line(seq, question_body(question)), room(question), self._timeout)
        try:
            answered, reply = parse_reply(line)
        except InputError as error:
            self._give_up(f"the subject broke the protocol: {error}")
        if answered != seq:
            self._give_up(f"the subject answered another question: seq {answered}, not {seq}")
        return reply

    def _start(self) -> Subject:
        """Start the program and let it say what it is, which must be what it said before."""
        self._failed_starts += 1
        try:
            self._program = Program(self._argv, _LONGER if self._ours else FLUSH)
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            self._why = f"{self.name} must be a program that can be started; got {error}"
            raise Broken(self._why) from None
        self._at_exit = weakref.finalize(self, _end, self._program)
        try:
            line = self._exchange(start_line(), _DESCRIPTION, self._start_within, remark=True)
            try:
                subject = parse_description(line, self.name)
            except InputError as error:
                if self._ours:
                    self._kill()
                    raise Broken(str(error)) from None
                self._give_up(f"{self.name} did not start: {error}")
            if self.subject is not None and _told(subject) != _told(self.subject):
                self._give_up(f"{self.name} describes itself otherwise than at its first start")
        except Broken as broken:
            self._why = str(broken)
            raise
        self._failed_starts = 0
        return subject

    def _exchange(self, message: bytes, most: int, seconds: float, remark: bool = False) -> bytes:
        if self._program is None or self._closed:
            self._give_up("the subject was closed")
        patience = (_OURS if self._ours else _PATIENCE) if remark else inf
        try:
            return self._program.exchange(
                message, most, seconds, patience=patience, remark=self._remark
            )
        except Broken as broken:
            self._give_up(str(broken))

    def _remark(self) -> None:
        """Say that it is waited for: a terminal would look dead."""
        if self.subject is not None or sys.stderr is None:
            return
        what = f"waiting for {self.name} to start" if self._ours else (
            f"waiting for the start reply of {self.name}; does it flush its output?"
        )  # fmt: skip
        sys.stderr.write(f"mlp-ref: {what} (for {self._start_within:g} s at most)\n")

    def _give_up(self, reason: str) -> NoReturn:
        words = self._kill()
        raise Broken(f"{reason}; its last words: {words}" if words else reason)

    def _kill(self) -> str:
        program = self._taken()
        return program.kill() if program is not None else ""

    def _taken(self) -> Program | None:
        """The program, which is this child's no more."""
        program, self._program = self._program, None
        if program is not None:
            self._at_exit.detach()
        return program

    def close(self) -> None:
        """End the program: it is asked to stop, and killed if it does not."""
        self._closed = True
        program = self._taken()
        if program is not None:
            program.stop(STOP, min(_GOODBYE, self._timeout))

    def abort(self) -> None:
        """End the program at once, from any thread; the one that asks gets an error."""
        self._closed = True
        program = self._program
        if program is not None:
            program.signal_group()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        where: TracebackType | None,
    ) -> None:  # fmt: skip
        if kind is None:
            self.close()
        self._closed = True
        self._kill()


def _told(subject: Subject) -> tuple[object, ...]:
    return (
        subject.operations, subject.arithmetics, subject.checks, subject.conventions,
        dict(subject.versions),
    )  # fmt: skip


def _end(program: Program) -> None:
    """Where a gate forgets to close, no program outlives it."""
    program.kill()
