"""PyTorch runs on one thread here: a second one spins while others use its core."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
