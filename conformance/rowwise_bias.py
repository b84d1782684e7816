"""Tensor-parallel PyTorch whose bias is where `RowwiseParallel` has it: b / n in each process.

    python -m mlp_ref.subjects.pytorch.torchrun 3 rowwise_bias

The sum of three fl(b / 3) is not b. PyTorch says so in the comments of its distributed tensors.
"""

from __future__ import annotations

import sys
from functools import partial

from torch.nn import Linear

from mlp_ref.subjects import worker
from mlp_ref.subjects.pytorch import tp

if __name__ == "__main__":
    tp.answer = partial(tp.answer, row_parallel=lambda: Linear)
    sys.exit(worker.main(["torch_tp"]))
