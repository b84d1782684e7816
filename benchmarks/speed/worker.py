"""One library in a process of its own: python -m benchmarks.speed.worker LIBRARY.

Reads a JSON line per turn and answers with one; between them it waits and takes no time.

    {"prepare": ["tiny", "sgd"]} -> {"losses": [...], "count": steps per part of a block}
    {"turn": count}              -> {"seconds": CPU seconds per step}
    {"about": [packages]}        -> {"versions": {...}, "blas": [...]}
    anything that fails          -> {"error": "..."}
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from benchmarks.speed import compiled_libraries, numpy_libraries
from benchmarks.speed.clock import block, repeats
from benchmarks.speed.workloads import Problem, problem

__all__ = ["LIBRARIES", "STEPS", "main"]

STEPS = 4  # losses that are compared before anything is measured

LIBRARIES: Mapping[str, Callable[[Problem], Callable[[], Any]]] = {
    "limit": numpy_libraries.limit,
    "mlp_ref": numpy_libraries.ours,
    "walkthrough": numpy_libraries.walkthrough,
    "scikit-learn": numpy_libraries.scikit_learn,
    "numpy-ml": numpy_libraries.numpy_ml,
    "autograd": numpy_libraries.autograd,
    "torch eager": compiled_libraries.torch_eager,
    "torch fused": compiled_libraries.torch_fused,
    "JAX jit": compiled_libraries.jax_jit,
}


def _finished(step: Callable[[], Any]) -> Callable[[], None]:
    """A step that is not over before its loss is there."""

    def run() -> None:
        loss = step()
        if hasattr(loss, "block_until_ready"):
            loss.block_until_ready()

    return run


def _about(packages: list[str]) -> dict[str, Any]:
    """Versions, None for what is not installed, and the libraries of linear algebra in use."""
    from threadpoolctl import threadpool_info

    versions: dict[str, str | None] = {}
    for name in packages:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    fields = ("internal_api", "version", "architecture", "num_threads")
    return {
        "versions": versions,
        "blas": [{k: i.get(k) for k in fields} for i in threadpool_info()],
    }


def _answer(make: Callable[[Problem], Callable[[], Any]], state: dict[str, Any], line: Any) -> Any:
    if "about" in line:
        return _about(line["about"])
    if "prepare" in line:
        step = make(problem(*line["prepare"]))
        first = [step() for _ in range(STEPS)]
        losses = [] if first[0] is None else [float(loss) for loss in first]
        state["step"] = _finished(step)
        return {"losses": losses, "count": repeats(state["step"])}
    return {"seconds": block(state["step"], line["turn"])}


def main(name: str) -> int:
    """Serve one library until the input ends."""
    answers, state = sys.stdout, dict[str, Any]()
    with redirect_stdout(sys.stderr), np.errstate(over="ignore", invalid="ignore"):
        for text in sys.stdin:
            try:
                answer = _answer(LIBRARIES[name], state, json.loads(text))
            except Exception as error:  # what does not run is a row of the table, not the end
                answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
            print(json.dumps(answer), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
