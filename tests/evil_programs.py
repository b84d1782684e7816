"""Small programs that speak the wire protocol, and then misbehave in one way each."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlp_ref.gate.transports.child import Child
from mlp_ref.subjects import Kind, Reply

__all__ = ["PATIENCE", "PROLOGUE", "Start", "ends", "is_right", "program", "runs", "starter"]

PATIENCE = 0.6  # seconds; the programs take a twentieth of it to start
Start = Callable[..., Child]

# What they share: describe() answers start, ask() reads a question, answer(q) is right for dense.
PROLOGUE = """\
import json, os, signal, sys, time

out = sys.stdout.buffer


def line():
    text = sys.stdin.buffer.readline()
    if not text:
        sys.exit(0)
    return json.loads(text)


def say(x, end=b"\\n"):
    out.write(x if isinstance(x, bytes) else json.dumps(x).encode())
    out.write(end)
    out.flush()


def describe(**more):
    line()
    say({"protocol": 1, "operations": ["dense"], "arithmetics": ["float32"], **more})


def ask():
    q = line()
    if q["cmd"] == "stop":
        sys.exit(0)
    return q


def answer(q, values=(1, 2, 3)):
    z = {"shape": [3, 1], "dtype": "float32", "values": list(values)}
    return {"seq": q["seq"], "outputs": {"z": z}}


"""


def program(folder: Path, body: str, prologue: str = PROLOGUE) -> list[str]:
    """The command of a program: ``body`` after the prologue."""
    path = folder / "program.py"
    path.write_text(f"{prologue}{body}\n", "utf-8")
    return [sys.executable, "-I", "-S", str(path)]


@contextmanager
def starter(folder: Path) -> Iterator[Start]:
    """Yield a function that starts a program, which is closed in the end."""
    children: list[Child] = []

    def start(body: str, timeout: float = PATIENCE, within: float = 10.0) -> Child:
        command = program(folder, body)
        children.append(Child(command, "cmd:program", timeout=timeout, start=within))
        return children[-1]

    yield start
    for child in children:
        child.close()


def is_right(reply: Reply) -> bool:
    """Whether it is the answer of the programs."""
    return reply.kind == Kind.ANSWER and reply.tensors["z"].tolist() == [[1], [2], [3]]


def runs(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def ends(pid: int, seconds: float = 5.0) -> bool:
    """Whether the process ends in that time."""
    deadline = time.monotonic() + seconds
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not runs(pid)
