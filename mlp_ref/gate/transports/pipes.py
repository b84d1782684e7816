"""Pipes to a program that may write too much, too little or nothing, and may not read at all.

Nothing here waits longer than it is told, or keeps more than it is told.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from time import monotonic

from mlp_ref.subjects.wire import one_line

__all__ = ["FLUSH", "Broken", "Program"]

# What a program of the user's that stays silent has most often forgotten.
FLUSH = "is its output flushed after every line, as by fflush(stdout) or print(..., flush=True)?"
_CHUNK = 1 << 18
_LOOK = 0.05  # seconds after which a program that ended is noticed though its pipes are still open
_KEPT = 4096  # bytes of standard error
_LAST = 64  # chunks
_QUOTED, _LINES = 300, 3


class Broken(Exception):
    """The program can be asked no more; the message says why."""


class Program:
    """A running program, in a process group of its own.

    ``silent``  what may be the reason if it writes nothing

    Raises `OSError` if it cannot be started.
    """

    def __init__(self, argv: Sequence[str], silent: str = FLUSH) -> None:
        self._silent = silent
        self._process = subprocess.Popen(
            argv, bufsize=0, start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        streams = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._stdin, self._stdout, self._stderr = (s.fileno() for s in streams if s is not None)
        for end in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(end, False)
        self._selector = selectors.DefaultSelector()
        for end in (self._stdout, self._stderr):
            self._selector.register(end, selectors.EVENT_READ)
        self._got, self._words, self._line = bytearray(), bytearray(), False

    def exchange(
        self, message: bytes, most: int, seconds: float, *,
        patience: float = inf, remark: Callable[[], object] = bool,
    ) -> bytes:  # fmt: skip
        """Write a message and read the line that answers it, of at most so many bytes.

        ``remark`` is called once, after ``patience`` seconds without an answer.

        Raises `Broken` if there is none in time, or something else instead.
        """
        self._require_silence()
        begin, left = monotonic(), memoryview(message)
        deadline = begin + seconds
        self._selector.register(self._stdin, selectors.EVENT_WRITE)
        try:
            while not self._line:
                self._require_progress(most, deadline, seconds, len(left))
                if monotonic() - begin > patience:
                    patience = inf
                    remark()
                ended = self._process.poll() is not None
                moved = False
                for key, _ in self._selector.select(min(_LOOK, max(0, deadline - monotonic()))):
                    if key.fd == self._stdin:
                        left = self._write(left)
                    else:
                        moved |= self._read(key.fd)
                if ended and not moved:
                    raise Broken(f"the subject {self._end()} {self._when()}")
        finally:
            with suppress(KeyError):
                self._selector.unregister(self._stdin)
        line, _, rest = self._got.partition(b"\n")
        self._got, self._line = rest, False
        if len(line) > most:
            raise Broken(_flood(most))
        self._read(self._stdout)
        if self._got:
            both = f"{_quoted(line)}, then {_quoted(self._got)}"
            raise Broken(f"the subject wrote more than one line in answer: {both}")
        return bytes(line)

    def _require_silence(self) -> None:
        """Nothing may have arrived since the answer before."""
        self._read(self._stdout)
        if self._got:
            raise Broken(
                "before this question was asked, the subject had written something that nobody "
                f"asked for, after its answer to the one before: {_quoted(self._got)}"
            )
        if self._process.poll() is not None:
            raise Broken(
                f"the subject {self._end()} after its answer to the question before, and before "
                "this one was asked"
            )

    def _require_progress(self, most: int, deadline: float, seconds: float, left: int) -> None:
        if len(self._got) > most:
            raise Broken(_flood(most))
        if self._stdout not in self._selector.get_map():
            end = self._end() if self._ended(_LOOK) else "closed its standard output"
            raise Broken(f"the subject {end} {self._when()}")
        if monotonic() >= deadline:
            why = (
                f"it has not read {left:,} bytes of the question" if left else
                f"half a line is there, {_quoted(self._got)}" if self._got else
                self._silent
            )  # fmt: skip
            raise Broken(f"the subject did not answer within {seconds:g} s; {why}")

    def _write(self, left: memoryview) -> memoryview:
        try:
            left = left[os.write(self._stdin, left[:_CHUNK]) :]
        except BlockingIOError:
            return left
        except OSError:  # nobody reads: the answer, or the end, will tell more
            left = left[:0]
        if not left:
            self._selector.unregister(self._stdin)
        return left

    def _read(self, end: int) -> bool:
        """Take what is there, a chunk at most; whether there was something."""
        if end not in self._selector.get_map():
            return False
        try:
            chunk = os.read(end, _CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            chunk = b""
        if not chunk:
            self._selector.unregister(end)
        elif end == self._stdout:
            self._got += chunk
            self._line |= b"\n" in chunk
        else:
            self._words = (self._words + chunk)[-_KEPT:]
        return bool(chunk)

    def _ended(self, seconds: float) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.returncode is not None

    def _when(self) -> str:
        return (
            f"in the middle of a line, {_quoted(self._got)}" if self._got else "before it answered"
        )

    def _end(self) -> str:
        status = self._process.returncode
        if status >= 0:
            return f"exited with status {status}"
        with suppress(ValueError):
            return f"was ended by signal {-status} ({signal.Signals(-status).name})"
        return f"was ended by signal {-status}"

    def stop(self, message: bytes, seconds: float) -> None:
        """Say goodbye, wait so long for the end, then `kill`."""
        with suppress(OSError):
            os.write(self._stdin, message)
        with suppress(OSError):
            self._process.stdin.close()  # type: ignore[union-attr]
        deadline = monotonic() + seconds
        while self._process.poll() is None and monotonic() < deadline:
            for key, _ in self._selector.select(_LOOK):
                self._read(key.fd)
            self._got.clear()
            if not self._selector.get_map():
                self._ended(max(0, deadline - monotonic()))
        self.kill()

    def kill(self) -> str:
        """End the whole process group; returns the last words on standard error, or nothing."""
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for _ in range(_LAST):  # what it left in the pipe; others may still write into it
            if not self._read(self._stderr):
                break
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        lines = [line for line in self._words.decode(errors="replace").splitlines() if line.strip()]
        return one_line(" | ".join(lines[-_LINES:])[-_QUOTED:]) if lines else ""

    def signal_group(self) -> None:
        """End the process group, from any thread; `kill` must follow in the one that asks."""
        if self._process.returncode is None:
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)


def _quoted(line: bytes | bytearray) -> str:
    return repr(bytes(line[:60]).decode(errors="replace"))


def _flood(most: int) -> str:
    return f"the subject wrote a line of more than {most:,} bytes, more than any right answer needs"
