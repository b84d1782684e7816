"""How fast a training step is beside others, and what else is fast: write docs/performance.*.

    python -m benchmarks.step            three runs, all workloads: half an hour on two cores
    python -m benchmarks.step --quick    one short run; prints the page: less than two minutes
    python -m benchmarks.step --only X   one topic of the page anew, on the same machine

The dependency group ``bench`` has the other libraries; what is not installed is left out by name.
docs/performance.json has every number of the page, for comparison with later ones.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.speed.curves import curves
from benchmarks.speed.goals import combined
from benchmarks.speed.page import TOPICS, page
from benchmarks.speed.picture import picture
from benchmarks.speed.rounds import OURS, ROOT, environment, processes, side_by_side
from benchmarks.speed.worker import LIBRARIES
from benchmarks.speed.workloads import OPTIMIZERS, WORKLOADS
from mlp_ref.files import atomic_path

__all__ = ["PAGE", "main"]

PAGE = ROOT / "docs" / "performance.md"
RUNS, ROUNDS = 3, 9
QUICK = ("tiny", "small", "mnist")
PACKAGES = ["numpy", "scikit-learn", "numpy-ml", "autograd", "torch", "jax"]


def _said(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _run(workloads: Sequence[str], rounds: int) -> dict[str, Any]:
    """Every workload and optimizer, side by side."""
    with processes(list(LIBRARIES)) as running:
        return {
            workload: {
                optimizer: side_by_side(running, workload, optimizer, rounds, _said)._asdict()
                for optimizer in OPTIMIZERS
            }
            for workload in workloads
        }


def _topic(name: str, quick: bool) -> dict[str, Any]:
    """What one module measures, in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.speed.{name}", *(["--quick"] if quick else [])]
    done = subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout))


def _processor() -> str:
    """Its name, as the system gives it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def measure(quick: bool) -> dict[str, Any]:
    """All that the page needs, as it goes into the JSON."""
    with processes([OURS]) as (ours,):
        about = ours.ask(about=PACKAGES)
    found = {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "versions": {"Python": platform.python_version(), **about["versions"]},
        "blas": about["blas"],
        "runs": [
            _run(QUICK if quick else list(WORKLOADS), 2 if quick else ROUNDS)
            for _ in range(1 if quick else RUNS)
        ],
    }
    for name in TOPICS:
        found[name] = _topic(name, quick)
        _said(f"{name} measured")
    return dict(json.loads(json.dumps(found)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write or print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.step", description=__doc__)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", help="a small part, printed only")
    how.add_argument(
        "--again", action="store_true", help="write the page of docs/performance.json again"
    )
    how.add_argument("--only", choices=TOPICS, help="measure this again, and keep the rest")
    options = parser.parse_args(arguments)
    data = PAGE.with_suffix(".json")
    if options.again or options.only:
        found = json.loads(data.read_text("utf-8"))
    else:
        found = measure(options.quick)
    if options.only:
        found[options.only] = _topic(options.only, quick=False)
    if options.quick:
        print(page(found))
        return 0
    written = {
        data: json.dumps(found, indent=1) + "\n",
        PAGE: page(found),
        PAGE.with_suffix(".svg"): picture(combined(found["runs"])),
        PAGE.with_name("performance-scaling.svg"): curves(found["scaling"]["series"]),
    }
    for path, text in written.items():
        with atomic_path(path) as temporary:
            temporary.write_text(text, "utf-8")
        print(f"{path.name}: {len(text):,} characters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
