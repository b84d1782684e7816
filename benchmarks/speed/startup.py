"""Start-up: how long an import and `mlp-ref --help` take, over the import of NumPy.

Each program runs in a process of its own, with cached bytecode as users have it. Its time is what
the system accounts to the process, user and system together.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.speed.child import main
from benchmarks.speed.clock import spread

__all__ = ["GOALS", "measure", "section"]

BASE = "import numpy"
CORE = "import mlp_ref; mlp_ref.MLP, mlp_ref.fit"
HELP = "mlp-ref --help"
# program -> at most so many times BASE
GOALS: Mapping[str, float] = {CORE: 1.3, HELP: 1.5}
_OTHERS = ("from mlp_ref import *", "mlp-ref --version", "mlp-ref train --help")
_PEERS = ("sklearn.neural_network", "jax", "torch")
_ROUNDS, _PEER_ROUNDS = 21, 5


def measure(quick: bool) -> dict[str, Any]:
    """CPU seconds of every program, and the ratio to BASE in the same round."""
    own = [BASE, *GOALS, *_OTHERS]
    peers = [] if quick else [f"import {name}" for name in _PEERS if _installed(name)]
    with TemporaryDirectory() as folder:
        times = _rounds(own, 5 if quick else _ROUNDS, {"PYTHONPYCACHEPREFIX": folder})
    # Their bytecode lies beside them since they were installed.
    others = _rounds([BASE, *peers], _PEER_ROUNDS, {}) if peers else {}
    programs = {
        name: {
            "seconds": median(seconds),
            "over": spread([a / b for a, b in zip(seconds, found[BASE], strict=True)])._asdict(),
            "rounds": len(seconds),
        }
        for found in (others, times)
        for name, seconds in found.items()
    }
    return {"programs": programs, "goals": dict(GOALS)}


def _installed(name: str) -> bool:
    return find_spec(name.partition(".")[0]) is not None


def _rounds(programs: Sequence[str], count: int, more: Mapping[str, str]) -> dict[str, list[float]]:
    """The times of all programs, one after the other in every round."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= more
    for program in programs:
        _seconds(program, environment)  # compiles, and warms the disk cache
    times: dict[str, list[float]] = {program: [] for program in programs}
    for _ in range(count):
        for program in programs:
            times[program].append(_seconds(program, environment))
    return times


def _seconds(program: str, environment: Mapping[str, str]) -> float:
    """CPU time of a process. Raises `RuntimeError` if it fails."""
    process = subprocess.Popen(
        _command(program), env=environment, cwd=Path(__file__).parents[2],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{program} ended with status {process.returncode}")
    return used.ru_utime + used.ru_stime


def _command(program: str) -> list[str]:
    if not program.startswith("mlp-ref "):
        return [sys.executable, "-c", program]
    script = Path(sys.executable).with_name("mlp-ref")
    start = [str(script)] if script.exists() else [sys.executable, "-m", "mlp_ref"]
    return [*start, *program.split()[1:]]


def section(found: dict[str, Any]) -> Iterator[str]:
    """The chapter of docs/performance.md."""
    programs, goals = found["programs"], found["goals"]
    yield "## Start-up"
    yield (
        "CPU time of a process of its own, and the ratio to `import numpy` in the same round: "
        "median and quartiles. Bytecode is cached, as it is after the first start."
    )
    yield "\n".join(_table(programs, goals))
    missed = [name for name, most in goals.items() if programs[name]["over"]["median"] > most]
    if missed:
        names = ", ".join(f"`{name}`" for name in missed)
        yield f"Not reached: {names}. `python -X importtime` tells which module it is."


def _table(programs: Mapping[str, Any], goals: Mapping[str, float]) -> Iterator[str]:
    yield "| program | ms | over `import numpy` | quartiles | goal |"
    yield "|---|---|---|---|---|"
    for name, of in sorted(programs.items(), key=lambda item: item[1]["over"]["median"]):
        over, goal = of["over"], goals.get(name)
        yield (
            f"| `{name}` | {of['seconds'] * 1e3:.0f} | {over['median']:.2f} | "
            f"{over['low']:.2f} to {over['high']:.2f} | {'' if goal is None else f'{goal:.1f}'} |"
        )


if __name__ == "__main__":
    sys.exit(main(measure))
