"""``mlp-ref train``: fit a network to data, and go on later where it ended."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from mlp_ref.activations import ACTIVATIONS, IDENTITY
from mlp_ref.checks import fail, lookup
from mlp_ref.commands.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from mlp_ref.commands.data import DIGITS, add_target, digest, read
from mlp_ref.commands.terminal import INTERRUPTED, complain, progress
from mlp_ref.datasets import Dataset
from mlp_ref.files import quote, require_other, require_writable
from mlp_ref.losses import LOSSES
from mlp_ref.model import MLP
from mlp_ref.optimizers import OPTIMIZERS
from mlp_ref.parameters import INITIALIZERS, initialize
from mlp_ref.storage import save
from mlp_ref.training import Diverged, Record, Snapshot, epochs, minibatches, supervise

__all__ = ["add_arguments", "run"]

DESCRIPTION = """\
Train a network, on the digits of the package or on a CSV or NPZ file of your own.

MODEL is written every few seconds, at the end, and when you press Ctrl-C. Beside it a file with
the ending .checkpoint holds what --resume needs to go on, bit for bit as without the interruption.
The seed decides which rows are held out; they only choose an epoch, and only with --patience.

exit status: 0 trained, 1 the loss was no longer finite, 2 usage, 130 Ctrl-C; in any case MODEL
holds the last good epoch"""

DEFAULTS: dict[str, Any] = {
    "data": DIGITS,
    "target": None,
    "hidden": "128,64",
    "activation": "relu",
    "initializer": "he_uniform",
    "loss": "cross_entropy",
    "optimizer": "adam",
    "lr": 1e-3,
    "batch_size": 32,
    "dtype": "float64",
    "validation": 0.2,
    "patience": None,
    "seed": 0,
}
_DTYPES = {"float32": np.float32, "float64": np.float64}
_EPOCHS, _SECONDS_BETWEEN_WRITES = 60, 2.0
_CHECKPOINT = ".checkpoint"  # follows the whole name of the model, so that no two models share one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``train``; what was not given is None, so that --resume can tell."""
    add = parser.add_argument
    add("data", nargs="?", metavar="DATA", help="a .csv or .npz file (default: the digits)")
    add_target(parser)
    for name, what, kind, text in (
        ("hidden", "W,W,...", str, "widths of the hidden layers, or none"),
        ("activation", "NAME", str, f"of the hidden layers: {', '.join(ACTIVATIONS)}"),
        ("initializer", "NAME", str, f"of the weights: {', '.join(INITIALIZERS)}"),
        ("loss", "NAME", str, ", ".join(LOSSES)),
        ("optimizer", "NAME", str, ", ".join(OPTIMIZERS)),
        ("lr", "RATE", float, "learning rate"),
        ("batch-size", "ROWS", int, "rows of a minibatch"),
        ("dtype", "NAME", str, " or ".join(_DTYPES)),
        ("validation", "SHARE", float, "share of the rows to hold out, 0 for none"),
        ("seed", "N", int, "of the split, the initial weights and the order"),
    ):
        default = DEFAULTS[name.replace("-", "_")]
        add(f"--{name}", type=kind, metavar=what, help=f"{text} (default: {default})")
    add("--patience", type=int, metavar="N",
        help="keep the epoch of the lowest held-out loss, stop N epochs after it")  # fmt: skip
    add("--epochs", type=int, metavar="N", default=_EPOCHS,
        help=f"in total, those before --resume included (default: {_EPOCHS})")  # fmt: skip
    add("-o", "--output", metavar="MODEL",
        help="file to write (default: model.safetensors, or that of --resume)")  # fmt: skip
    add("--resume", metavar="FILE",
        help="a .checkpoint to go on from, with its settings; DATA, --epochs and --patience may "
        "change")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Train, write the model and its checkpoint, print what was reached; return the exit status."""
    task = _fresh(args) if args.resume is None else _resumed(args)
    start, output = task.start, task.output
    first = start.last.record.epoch if start else 0
    if args.epochs <= first:
        fail(
            f"--epochs must be more than the {first} that are done", str(args.epochs),
            "it counts all epochs of the run, those before --resume included",
        )  # fmt: skip
    require_writable(output)
    require_writable(task.checkpoint)
    snapshots = task.snapshots()
    sys.stdout.write(f"{task.introduction}\n")
    sys.stdout.flush()
    reached = (start.last, start.best) if start else None
    written, status, trouble = -_SECONDS_BETWEEN_WRITES, 0, ""
    try:
        with progress(args.epochs - first, "epoch") as advance:
            for reached in supervise(
                snapshots, epochs=args.epochs, patience=task.settings["patience"],
                best=start.best if start else None,
            ):  # fmt: skip
                advance(_sentence(reached[0].record))
                if monotonic() - written >= _SECONDS_BETWEEN_WRITES:
                    task.write(*reached)
                    written = monotonic()
    except KeyboardInterrupt:
        status, trouble = INTERRUPTED, "interrupted"
    except Diverged as error:
        status, trouble = 1, str(error)
    if reached is None:
        return complain(f"{trouble}; no epoch was completed, nothing was written", status)
    task.write(*reached)
    last, best = reached
    kept = f"{output} holds epoch {best.record.epoch}"
    total = args.epochs if status else last.record.epoch + _EPOCHS
    patience = task.settings["patience"]
    waited = not status and last.record.epoch < args.epochs  # it is the patience that has ended
    more = f"{kept}; go on with {task.resume(total, 2 * patience if waited else None)}"
    if status:
        return complain(f"{trouble}; {more if status == INTERRUPTED else kept}", status)
    sys.stdout.write(f"{_sentence(best.record)}\n{more}\n")
    return 0


@dataclass(frozen=True)
class _Task:
    """A run of training, ready to begin or to go on."""

    settings: dict[str, Any]
    data: Dataset
    model: MLP
    output: Path
    start: Checkpoint | None = None

    @property
    def checkpoint(self) -> Path:
        """Where the state stands, beside the model."""
        return self.output.with_name(f"{self.output.name}{_CHECKPOINT}")

    @property
    def introduction(self) -> str:
        """One line: the data and the network."""
        rest, held = self.split(np.random.default_rng(self.settings["seed"]))
        out = f", {len(held.x):,} held out" if held else ""
        sizes = "-".join(map(str, self.model.sizes))
        begin = f", on from epoch {self.start.last.record.epoch}" if self.start else ""
        return (
            f"{self.settings['data']}: {len(rest.x):,} rows to train on{out}; "
            f"network {sizes}, {self.settings['dtype']}{begin}"
        )

    def split(self, rng: np.random.Generator) -> tuple[Dataset, Dataset | None]:
        """The rows to train on and the rows held out, if any."""
        share = self.settings["validation"]
        return (self.data, None) if share == 0 else self.data.split(share, rng)

    def snapshots(self) -> Iterator[Snapshot]:
        """Training without end. One generator draws the split, the weights and every order."""
        s = self.settings
        rng = np.random.default_rng(s["seed"])
        rest, held = self.split(rng)
        initializer = lookup("--initializer", s["initializer"], INITIALIZERS)
        return epochs(
            self.model,
            initialize(self.model.sizes, initializer, rng=rng, dtype=_DTYPES[s["dtype"]]),
            minibatches(rest.x, rest.y, s["batch_size"]),
            loss=LOSSES[s["loss"]],
            optimizer=lookup("--optimizer", s["optimizer"], OPTIMIZERS)(s["lr"]),
            rng=rng,
            validation=(held.x, held.y) if held else None,
            start=self.start.last if self.start else None,
        )

    def write(self, last: Snapshot, best: Snapshot) -> None:
        """Write checkpoint and model; each replaces the old one as a whole."""
        found = Checkpoint(self.settings, digest(self.data), last, best)
        write_checkpoint(self.checkpoint, found)
        metadata = {**self.settings, "epoch": best.record.epoch}
        save(self.output, self.model, best.params, metadata)

    def resume(self, total: int, patience: int | None = None) -> str:
        """The command that goes on to so many epochs, with another patience if one is given."""
        words = ["mlp-ref", "train", "--resume", str(self.checkpoint), "--epochs", str(total)]
        return shlex.join(words + ([] if patience is None else ["--patience", str(patience)]))


def _fresh(args: argparse.Namespace) -> _Task:
    """A run with the options that were given, and defaults for the others."""
    given = {name: getattr(args, name) for name in DEFAULTS}
    settings = {name: DEFAULTS[name] if x is None else x for name, x in given.items()}
    return _build(settings, Path("model.safetensors" if args.output is None else args.output))


def _resumed(args: argparse.Namespace) -> _Task:
    """The run of a checkpoint; the place of the data and the patience may have changed."""
    for name in DEFAULTS:
        if name not in ("data", "patience") and getattr(args, name) is not None:
            fail(
                f"--{name.replace('_', '-')} must be left out with --resume",
                repr(getattr(args, name)), "the checkpoint holds the settings of its run",
            )  # fmt: skip
    start = read_checkpoint(args.resume)
    changed = {"data": args.data, "patience": args.patience}
    settings = {**start.settings, **{k: x for k, x in changed.items() if x is not None}}
    if args.output is None and not args.resume.endswith(_CHECKPOINT):
        fail(
            f"-o must name the model where --resume does not end in {_CHECKPOINT}",
            quote(args.resume), "add -o MODEL",
        )  # fmt: skip
    output = Path(args.resume.removesuffix(_CHECKPOINT) if args.output is None else args.output)
    task = _build(settings, output, start)
    if digest(task.data) != start.data:
        fail(
            f"the data must be those that {quote(args.resume)} was trained on", "other numbers",
            f"restore {settings['data']}, or start anew without --resume",
        )  # fmt: skip
    return task


def _build(settings: dict[str, Any], output: Path, start: Checkpoint | None = None) -> _Task:
    """Look every name up and check every number, before anything is computed."""
    loss = lookup("--loss", settings["loss"], LOSSES)
    f = lookup("--activation", settings["activation"], ACTIVATIONS)
    dtype = lookup("--dtype", settings["dtype"], _DTYPES)
    if settings["seed"] < 0:
        fail("--seed must be 0 or more", str(settings["seed"]), "choose such a number")
    if settings["patience"] is not None and (
        settings["patience"] < 1 or not settings["validation"]
    ):
        fail(
            "--patience must be 1 or more, with rows held out",
            f"{settings['patience']} with --validation {settings['validation']:g}",
            "hold out a share such as 0.2",
        )  # fmt: skip
    if not output.name or output.suffix == _CHECKPOINT:
        fail("-o must name a model file", quote(output), "choose a name such as a.safetensors")
    require_other(output, settings["data"])
    hidden = _widths(settings["hidden"])
    data = read(settings["data"], settings["target"], loss, dtype)
    rows, share = len(data.x), settings["validation"]
    if share and not (0 < share < 1 and 0 < round(share * rows) < rows):
        fail(
            f"--validation must leave rows of the {rows:,} on both sides", f"{share:g}",
            "choose another share, or 0 to hold out none",
        )  # fmt: skip
    model = MLP((data.x.shape[1], *hidden, data.outputs), (*[f] * len(hidden), IDENTITY))
    return _Task(settings, data, model, output, start)


def _widths(text: str) -> tuple[int, ...]:
    """Parse --hidden."""
    parts = [] if text == "none" else text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        fail("--hidden must be positive widths such as 32,16, or none", repr(text), "correct it")
    return tuple(map(int, parts))


def _sentence(record: Record) -> str:
    """What an epoch reached."""
    text = f"loss {record.loss:.4g}{_percent(record.accuracy)}"
    if not isnan(record.validation_loss):
        held = f"loss {record.validation_loss:.4g}{_percent(record.validation_accuracy)}"
        text += f"; held out: {held}"
    return text


def _percent(accuracy: float) -> str:
    return "" if isnan(accuracy) else f", accuracy {100 * accuracy:.1f} %"
