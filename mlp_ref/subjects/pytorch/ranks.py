"""Processes of `torch.distributed` that act as one subject: rank 0 is asked, the others follow.

A question goes from rank 0 to all. Each answers it with its part, and rank 0 has the whole answer.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from importlib.util import find_spec

from mlp_ref.arithmetic import Array
from mlp_ref.checks import fail
from mlp_ref.subjects.protocol import Question, Subject
from mlp_ref.subjects.pytorch.messages import packed, receive, send, unpacked
from mlp_ref.subjects.pytorch.tensors import require_torch

__all__ = ["join", "torchrun"]

Answer = Callable[[Question], Mapping[str, Array]]


def torchrun(name: str, ranks: str) -> list[str]:
    """The command that starts a worker with the subject in each of 2 to 16 processes.

    Raises `InputError` if ``ranks`` is no such number, or PyTorch is not installed.
    """
    if ranks not in map(str, range(2, 17)):
        fail(f"{name} needs its number of processes, 2 to 16", repr(ranks), f"such as {name}:2")
    if find_spec("torch") is None:
        require_torch(name)
    here = [sys.executable, "-m", "mlp_ref.subjects.pytorch.torchrun", ranks]
    return [*here, "mlp_ref.subjects.worker", name]


def join(name: str, answer: Answer) -> Subject:
    """The subject at rank 0. At the others this follows rank 0, and ends the process with it.

    Raises `InputError` if PyTorch is not installed, or torchrun has not started this process.
    """
    torch = require_torch(name)
    if "RANK" not in os.environ:
        fail(f"{name} must be started by torchrun", "one process", f"ask for {name}:2")
    distributed = torch.distributed
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", timeout=timedelta(days=365))  # to wait for a question
    if distributed.get_rank():
        _follow(answer)
        sys.exit()
    atexit.register(send, b"")

    def run(question: Question) -> Mapping[str, Array]:
        send(packed(question))
        return answer(question)

    return Subject(
        f"{name}:{distributed.get_world_size()}", run, ("mlp",), ("float64", "float32"),
        {"torch": torch.__version__},
    )  # fmt: skip


def _follow(answer: Answer) -> None:
    while message := receive():
        with suppress(Exception):  # what is wrong, rank 0 says
            answer(unpacked(message))
