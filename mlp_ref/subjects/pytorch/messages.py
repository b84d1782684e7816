"""What the processes of `torch.distributed` tell one another: questions, and rows of tensors.

No pickle: a question is a NumPy archive of its arrays, and of the rest as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np

from mlp_ref.subjects.protocol import Question
from mlp_ref.subjects.pytorch.tensors import Tensor

__all__ = ["gather_rows", "packed", "receive", "send", "unpacked"]


def packed(question: Question) -> bytes:
    """A question as bytes."""
    head = json.dumps([question.operation, question.arithmetic, dict(question.parameters)])
    file = BytesIO()
    arrays = dict(question.inputs, head=np.frombuffer(head.encode(), np.uint8))
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def unpacked(message: bytes) -> Question:
    """The inverse of `packed`."""
    with np.load(BytesIO(message)) as file:
        arrays = dict(file)
    operation, arithmetic, parameters = json.loads(arrays.pop("head").tobytes())
    return Question(operation, arithmetic, parameters, arrays)


def send(message: bytes) -> None:
    """Broadcast the length and the bytes of a message from rank 0."""
    import torch

    torch.distributed.broadcast(torch.tensor(len(message)), 0)
    if message:
        torch.distributed.broadcast(torch.frombuffer(bytearray(message), dtype=torch.uint8), 0)


def receive() -> bytes:
    """The message that rank 0 sends."""
    import torch

    size = torch.tensor(0)
    torch.distributed.broadcast(size, 0)
    message = torch.empty(int(size), dtype=torch.uint8)
    if len(message):
        torch.distributed.broadcast(message, 0)
    return bytes(message.numpy())


def gather_rows(parts: Mapping[str, Tensor], rows: Sequence[slice]) -> dict[str, Tensor]:
    """All rows of matrices (n, k), of which rank r has ``rows[r]``.

    They travel side by side, padded to the most rows: gloo gathers equal shapes only.
    """
    import torch

    numbers = [own.stop - own.start for own in rows]
    side_by_side = torch.cat([part.detach() for part in parts.values()], dim=1)
    own = side_by_side.new_zeros(max(numbers), side_by_side.shape[1])
    own[: len(side_by_side)] = side_by_side
    gathered = [torch.empty_like(own) for _ in rows]
    torch.distributed.all_gather(gathered, own)
    whole = torch.cat([part[:n] for part, n in zip(gathered, numbers, strict=True)])
    widths = [part.shape[1] for part in parts.values()]
    return dict(zip(parts, whole.split(widths, dim=1), strict=True))
