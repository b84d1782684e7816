"""``mlp-ref certify``: certified vectors for a network, or for questions, of the user's own."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mlp_ref.checks import InputError, fail
from mlp_ref.commands.data import add_target, read
from mlp_ref.commands.predict import add_model, load_model
from mlp_ref.commands.terminal import output, progress, status_line
from mlp_ref.corpus import load, write
from mlp_ref.corpus.folder import MANIFEST
from mlp_ref.corpus.records import Certified, Record
from mlp_ref.files import quote
from mlp_ref.gate.tally import plural
from mlp_ref.losses import LOSSES
from mlp_ref.model import MLP
from mlp_ref.storage import Stored

__all__ = ["add_arguments", "run"]

DESCRIPTION = """\
Certify what a network of your own computes on a batch. Every intermediate, the loss and every
gradient become exact numbers with a proven radius, and the bounds of a correct implementation.

DIR then holds one case in the format of the corpus, which mlp-ref vectors and mlp-ref verify read
with --vectors DIR. Ball arithmetic proves the values; a second oracle confirms all of them, and a
sample of each gradient by differences. What cannot be decided, such as the side of a kink, is
refused by name.

With --promote it certifies the questions of vectors that exist, in place of MODEL and --batch:
those that mlp-ref fuzz saved, whose values are so far the reference's own."""

_SAMPLE = 3  # entries of each gradient that the second oracle differences
_VERSION = "own"


# last activations that these losses apply themselves
_TWICE = {
    ("softmax", "cross_entropy"), ("log_softmax", "cross_entropy"),
    ("sigmoid", "binary_cross_entropy"),
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``certify``."""
    add_model(parser, "?")
    parser.add_argument(
        "--batch", metavar="DATA",
        help="samples and targets: a .npz with arrays x and y, a .csv, or digits",
    )  # fmt: skip
    add_target(parser)
    parser.add_argument("--rows", type=int, metavar="N", help="certify the first N rows only")
    parser.add_argument(
        "--promote", metavar="DIR", help="certify every question of these vectors instead"
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="folder to write the vectors into"
    )


def run(args: argparse.Namespace) -> int:
    """Certify, confirm, write, and return 0."""
    if args.promote:
        return _promote(args)
    for what, given in (("MODEL", args.model), ("--batch", args.batch)):
        if given is None:
            fail(f"{what} must be given, or --promote", "neither", "see mlp-ref certify --help")
    stored, name = load_model(args)
    if name is None:
        fail(f"{quote(args.model)} must say its loss", "none", "add --loss NAME")
    record = _question(args, stored, name)
    folder = _folder(args.output, {record.operation})
    certify, confirmed = _oracles()
    console = output()
    with status_line() as say:
        found = certify(record, whole=True, say=say)
        say("the second oracle")
        sample = _sampled(found)
        agreed = confirmed(sample).provenance
    found = replace(found, provenance=agreed, since=_VERSION)
    folder.mkdir(parents=True, exist_ok=True)
    write(folder, _VERSION, [found], licence="none")
    console.print(_table(found))
    console.print(
        f"{args.output} holds {found.id}: {_size(found.expected):,} numbers, certified to 107 bits"
    )
    console.print(
        f"the second oracle confirms {_size(sample.expected):,} of them, every value and some of "
        f"each gradient, to {min(agreed['agreed'].values()):.0f} digits"
    )
    last = _names(stored.model)[-1]
    if (last, name) in _TWICE:
        console.print(
            f"note: {name} takes logits and applies {last} itself: this is the second one; if the "
            "network has it for predictions alone, certify it with identity last"
        )
    console.print(
        f"judge an implementation: mlp-ref verify py:module:object --vectors {args.output}"
    )
    return 0


def _oracles() -> tuple[Callable[..., Record], Callable[[Record], Record]]:
    """What certifies, and what confirms."""
    try:
        from mlp_ref.certify.build import confirmed
        from mlp_ref.certify.certifier import certify
    except ImportError as error:
        fail(
            "certify needs python-flint, mpmath and gmpy2",
            str(error),
            "pip install 'mlp-ref[certify]'",
        )
    return certify, confirmed


def _promote(args: argparse.Namespace) -> int:
    """Certify every question of a corpus, confirm every number, write, and return 0."""
    for option in ("model", "batch", "target", "rows", "activations", "loss"):
        if getattr(args, option) is not None:
            fail(
                "--promote must stand without what describes a network",
                "MODEL" if option == "model" else f"--{option}", "leave it out",
            )  # fmt: skip
    records = load(folder=args.promote).records
    if not records:
        fail(f"{quote(args.promote)} must hold cases", "none", "see mlp-ref fuzz --save")
    folder = _folder(args.output, {record.operation for record in records})
    certify, confirmed = _oracles()
    found = list[Record]()
    with progress(len(records), "certify") as advance:
        for record in records:
            try:
                found.append(confirmed(certify(replace(record, expected={}), whole=True)))
            except InputError as error:
                raise InputError(f"{record.id}: {error}") from None
            advance(record.id)
    found = [replace(record, since=_VERSION) for record in found]
    folder.mkdir(parents=True, exist_ok=True)
    write(folder, _VERSION, found, licence="none")
    console, count = output(), sum(_size(record.expected) for record in found)
    console.print(
        f"{args.output} holds {plural(len(found), 'case')}: {count:,} numbers, certified to 107 "
        "bits, and confirmed by the second oracle"
    )
    console.print(
        f"judge an implementation: mlp-ref verify py:module:object --vectors {args.output}"
    )
    return 0


def _question(args: argparse.Namespace, stored: Stored, name: str) -> Record:
    model, params = stored.model, stored.params
    data = read(args.batch, args.target, LOSSES[name], params.dtype)
    if args.rows is not None and args.rows < 1:
        fail("--rows must be 1 or more", str(args.rows), "choose such a number")
    x, target = data.x[: args.rows], data.y[: args.rows]
    if x.shape[1] != model.sizes[0]:
        fail(
            f"{quote(args.batch)} must have {model.sizes[0]} inputs, as the network",
            str(x.shape[1]), "choose the data that the network was made for",
        )  # fmt: skip
    LOSSES[name].check(np.zeros((len(x), model.sizes[-1]), x.dtype), target)
    own = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(args.model).stem) or "network"
    inputs: dict[str, Any] = {}
    for k, layer in enumerate(params.layers):
        inputs |= {f"W{k}": layer.W, f"b{k}": layer.b}
    return Record(
        id=f"mlp/{own}/{params.dtype.name}",
        operation="mlp",
        arithmetic=params.dtype.name,
        note=f"{'-'.join(map(str, model.sizes))} of the user, {len(x)} rows",
        difficulty=1,
        flags=(),
        parameters={"activations": _names(model), "loss": name},
        inputs=inputs | {"x": x, "target": target},
    )


def _names(model: MLP) -> list[str]:
    return [f.name for f in model.activations]


def _folder(name: str, operations: Collection[str]) -> Path:
    """The folder, which must not hold other JSON files: a corpus lists all of its files."""
    folder = Path(name)
    if folder.exists() and not folder.is_dir():
        fail("-o must name a folder", f"the file {quote(name)}", "choose another name")
    ours = {MANIFEST, *(f"{operation}.json" for operation in operations)}
    others = {file.name for file in folder.glob("*.json")} - ours
    if others:
        fail("-o must name a folder of its own", f"{min(others)} in it", "choose another")
    return folder


def _sampled(record: Record) -> Record:
    """The record with all values, and with a few entries of each gradient."""
    return replace(
        record,
        expected={
            name: _part(q) if name[0] == "d" and q.hi.size > _SAMPLE else q
            for name, q in record.expected.items()
        },
    )


def _part(q: Certified) -> Certified:
    """The largest entry, and others spread over the tensor."""
    spread = np.linspace(0, q.hi.size - 1, _SAMPLE).astype(np.int64)[1:]
    index = np.unique(np.append(spread, np.abs(q.hi).argmax()))
    hi, low, radius = (part.reshape(-1)[index] for part in (q.hi, q.low, q.radius))
    return Certified(q.shape, hi, low, radius, index=index)


def _size(expected: Mapping[str, Certified]) -> int:
    return sum(q.hi.size for q in expected.values())


def _table(record: Record) -> Any:
    """How sharply each tensor can judge."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    table.add_column("tensor", no_wrap=True)
    for column in ("entries", "largest", "median bound/|value|", "inconclusive"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, q in record.expected.items():
        size, bound = np.abs(q.hi), q.bounds[record.arithmetic]
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = bound[size > 0] / size[size > 0]
        weak = int(np.count_nonzero((bound > 0) & (bound >= size)))
        middle = f"{np.median(relative):.1e}" if relative.size else "-"
        table.add_row(name, f"{size.size:,}", f"{size.max():.1e}", middle, f"{weak:,}")
    return table
