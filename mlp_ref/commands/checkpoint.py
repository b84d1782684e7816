"""Checkpoints: all that ``mlp-ref train`` needs to go on, bit for bit, in one safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlp_ref.checks import fail
from mlp_ref.files import PathName, quote
from mlp_ref.optimizers import State
from mlp_ref.parameters import Params
from mlp_ref.tensors import read_tensors, seal, unseal, write_tensors
from mlp_ref.training import Record, Snapshot

__all__ = ["Checkpoint", "read_checkpoint", "write_checkpoint"]

_KEY, _FORMAT = "mlp_ref_checkpoint", 1
_KINDS = {
    "settings": dict, "data": str, "sizes": list, "t": int, "rng_state": dict, "last": list,
    "best": list,
}  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """A run of training after an epoch.

    ``settings``  the options of the run, as JSON keeps them
    ``data``      digest of the dataset
    ``last``      what training goes on from
    ``best``      what the model file holds; its state and generator are those of ``last``
    """

    settings: Mapping[str, Any]
    data: str
    last: Snapshot
    best: Snapshot


def write_checkpoint(path: PathName, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, atomically."""
    last, best = checkpoint.last, checkpoint.best
    tensors = {"last": last.params.flat, "best": best.params.flat}
    tensors |= {f"moment{k}": m.flat for k, m in enumerate(last.state.moments)}
    entry = {
        "settings": dict(checkpoint.settings),
        "data": checkpoint.data,
        "sizes": list(last.params.sizes),
        "t": last.state.t,
        "rng_state": last.rng_state,
        "last": _texts(last.record),
        "best": _texts(best.record),
    }
    write_tensors(path, tensors, {_KEY: seal(entry, _FORMAT, tensors)})


def read_checkpoint(path: PathName) -> Checkpoint:
    """Read a checkpoint; `InputError` if it is missing, damaged, or another kind of file."""
    tensors, header = read_tensors(path)
    if _KEY not in header:
        fail(
            f"{quote(path)} must be a checkpoint of mlp-ref train", "another safetensors file",
            "name the .checkpoint file that stands beside the model",
        )  # fmt: skip
    entry = unseal(path, header[_KEY], _FORMAT, tensors, _KINDS)
    sizes = entry["sizes"]
    moments = tuple(
        Params(tensors[f"moment{k}"], sizes) for k in range(len(tensors) - len(("last", "best")))
    )
    state, rng_state = State(entry["t"], moments), entry["rng_state"]
    last, best = (
        Snapshot(Params(tensors[name], sizes), state, _record(entry[name]), rng_state)
        for name in ("last", "best")
    )
    return Checkpoint(entry["settings"], entry["data"], last, best)


def _texts(record: Record) -> list[str]:
    """As texts, because JSON has no NaN."""
    return [repr(x) for x in record]


def _record(texts: list[str]) -> Record:
    epoch, step, *numbers = texts
    return Record(int(epoch), int(step), *map(float, numbers))
