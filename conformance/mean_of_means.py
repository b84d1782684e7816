"""The classic mistake of data-parallel training: each process takes the mean over its own rows.

    python -m mlp_ref.subjects.pytorch.torchrun 2 mean_of_means

It is `mlp_ref.subjects.pytorch.ddp` but for the mean, and gradients that are averaged as
`DistributedDataParallel` does by itself: right if all shards are equal, and only then.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import torch

from mlp_ref.subjects import worker
from mlp_ref.subjects.pytorch import ddp
from mlp_ref.subjects.pytorch.functions import loss_of


def mean_of_shard(loss: str, output: torch.Tensor, target: torch.Tensor, rows: int) -> Any:
    """The mean over the rows of one process, whatever there is elsewhere."""
    return loss_of(loss, output, target)


def average(tensor: torch.Tensor) -> Any:
    """The mean of the means of all processes."""
    return ddp.add(tensor / torch.distributed.get_world_size())


if __name__ == "__main__":
    ddp.answer = partial(ddp.answer, share=mean_of_shard, combine=average)
    sys.exit(worker.main(["torch_ddp"]))
