"""A module in several processes.

    python -m mlp_ref.subjects.pytorch.torchrun RANKS MODULE ARGUMENT...

All of them are on this machine and meet at its loopback interface; no name is resolved.
"""

from __future__ import annotations

import os
import socket
import sys

__all__ = ["main"]

_MEET = ("--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1")


def main() -> None:
    """Become torchrun; standard input and output of the process are those of rank 0."""
    ranks, *module = sys.argv[1:]
    torchrun = [sys.executable, "-m", "torch.distributed.run", *_MEET, f"--nproc-per-node={ranks}"]
    loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    quietly = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": loopback}
    os.execve(sys.executable, [*torchrun, "-m", *module], os.environ | quietly)


if __name__ == "__main__":
    main()
