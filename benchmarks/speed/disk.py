"""Training from a memory-mapped file that is larger than the memory it takes.

A process of its own opens the file and trains for an epoch. What counts is the largest resident
memory that Linux saw, over that before training: pages of the file included.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.speed.child import main

__all__ = ["GOAL", "measure", "section"]

GOAL = 300 << 20  # bytes beyond the model
COLUMNS, CLASSES = 784, 10
_FILLED = 1 << 17  # rows; the others are a hole in the file, which reads as zeros
_SIZE, _QUICK_SIZE = 4 << 30, 1 << 28

PROGRAM = """
import json, sys
from pathlib import Path
from time import process_time
import numpy as np
import mlp_ref as m

def memory(name):
    status = Path("/proc/self/status").read_text("utf-8")
    return int(status.split(name + ":")[1].split()[0]) << 10

x, y = (np.load(Path(sys.argv[1]) / name, mmap_mode="r") for name in ("x.npy", "y.npy"))
model, rng = m.MLP((784, 128, 10), (m.RELU, m.IDENTITY)), np.random.default_rng(0)
params = m.initialize(model.sizes, m.INITIALIZERS["he_uniform"], rng=rng, dtype=np.float32)
before, start = memory("VmRSS"), process_time()
params, history = m.fit(model, params, x, y, loss=m.CROSS_ENTROPY, optimizer=m.SGD(0.01),
                        epochs=1, batch_size=64, rng=rng)
print(json.dumps({"before": before, "peak": memory("VmHWM"), "seconds": process_time() - start,
                  "steps": history.records[-1].step, "model": params.flat.nbytes}))
"""


def measure(quick: bool) -> dict[str, Any]:
    """Bytes and seconds of an epoch; why not, where there is no space or no Linux."""
    size = _QUICK_SIZE if quick else _SIZE
    if not Path("/proc/self/status").exists():
        return {"left": "only Linux tells the largest resident memory"}
    with TemporaryDirectory() as folder:
        if shutil.disk_usage(folder).free < 2 * size:
            return {"left": f"{folder} has no space for {2 * size >> 30} GB"}
        rows = -(-size // (4 * COLUMNS))
        _write(Path(folder), rows)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, folder], cwd=Path(__file__).parents[2], check=True,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return json.loads(done.stdout) | {"file": (Path(folder) / "x.npy").stat().st_size}


def _write(folder: Path, rows: int) -> None:
    """x.npy, of which some rows are numbers, and labels y.npy."""
    rng = np.random.default_rng(0)
    with (folder / "x.npy").open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (rows, COLUMNS)}
        np.lib.format.write_array_header_1_0(file, header)
        end = file.tell() + 4 * COLUMNS * rows
        for _ in range(0, min(_FILLED, rows), 1 << 12):
            file.write(rng.standard_normal((1 << 12, COLUMNS), np.float32).tobytes())
        file.truncate(end)
    np.save(folder / "y.npy", rng.integers(0, CLASSES, rows))


def section(found: dict[str, Any]) -> Iterator[str]:
    """The chapter of docs/performance.md."""
    yield "## Training from disk"
    if "left" in found:
        yield f"Not measured: {found['left']}."
        return
    beyond = found["peak"] - found["before"]
    yield (
        f"An epoch of 784-128-10, batch 64, float32, over a memory-mapped `.npy` of "
        f"{found['file'] / 2**30:.2f} GiB takes {found['seconds']:.0f} s of CPU time for "
        f"{found['steps']:,} steps. The largest resident memory is {_mib(found['peak'])}, which is "
        f"{_mib(beyond)} more than before training, with Python, NumPy and the model of "
        f"{found['model'] / 1024:.0f} KiB loaded. The goal is at most {_mib(GOAL)}: "
        f"{'reached' if beyond <= GOAL else 'not reached'}."
    )


def _mib(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"


if __name__ == "__main__":
    sys.exit(main(measure))
