"""``mlp-ref predict``: the outputs of a stored network for new samples, as CSV."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator

import numpy as np

from mlp_ref.activations import SIGMOID
from mlp_ref.arithmetic import Array
from mlp_ref.checks import fail, lookup
from mlp_ref.commands.data import DIGITS
from mlp_ref.datasets import load_digits, load_inputs
from mlp_ref.files import atomic_path, quote, require_other
from mlp_ref.losses import LOSSES
from mlp_ref.softmax import SOFTMAX
from mlp_ref.storage import Stored, load

__all__ = ["add_arguments", "add_model", "load_model", "run"]

DESCRIPTION = """\
Write what a network predicts, one line per sample.

After training with cross_entropy: the label and the probability of each class. After
binary_cross_entropy: a probability per output. Otherwise, and with --raw: the outputs."""

# loss -> from its logits to probabilities
_PROBABILITIES: dict[str, Callable[[Array], Array]] = {
    "cross_entropy": SOFTMAX.value,
    "binary_cross_entropy": SIGMOID.value,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``predict``."""
    add_model(parser)
    parser.add_argument(
        "data", metavar="DATA", help="samples: all columns of a .csv, array x of an .npz, or digits"
    )
    parser.add_argument("--raw", action="store_true", help="the outputs, not probabilities")
    parser.add_argument("-o", "--output", metavar="FILE", help="CSV to write (default: the screen)")


def add_model(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    """MODEL, and what a file that mlp-ref has not written does not say."""
    parser.add_argument("model", nargs=nargs, metavar="MODEL", help="a .safetensors file")
    parser.add_argument(
        "--activations", metavar="NAME,...",
        help="one per layer, for a state_dict of PyTorch, such as relu,identity",
    )  # fmt: skip
    parser.add_argument(
        "--loss", metavar="NAME", help="what the network was trained with, where MODEL does not say"
    )


def load_model(args: argparse.Namespace) -> tuple[Stored, str | None]:
    """The network, and the name of its loss if it is known."""
    names = None if args.activations is None else args.activations.split(",")
    stored = load(args.model, names)
    recorded = stored.metadata.get("loss")
    known = recorded if recorded in LOSSES else None
    if args.loss is not None:
        lookup("--loss", args.loss, LOSSES)
    return stored, args.loss or known


def run(args: argparse.Namespace) -> int:
    """Predict, write the lines and return 0."""
    if args.output is not None:
        require_other(args.output, args.model, args.data)
    (model, params, _), loss = load_model(args)
    if args.data == DIGITS:
        x = load_digits(params.dtype).x
    else:
        x = load_inputs(args.data, dtype=params.dtype)
    if x.shape[1] != model.sizes[0]:
        fail(
            f"{quote(args.data)} must have {model.sizes[0]} columns, as the network has inputs",
            str(x.shape[1]), "leave out the column of targets, if there is one",
        )  # fmt: skip
    with np.errstate(over="ignore", invalid="ignore"):
        z = model.predict(params, x)
    for row, k in np.argwhere(~np.isfinite(z))[:1]:
        fail(
            "every output must be finite", f"{z[row, k]} from sample {row} of {quote(args.data)}",
            "scale the samples as those that the network was trained on",
        )  # fmt: skip
    lines = _lines(z, None if args.raw else loss)
    if args.output is None:
        sys.stdout.writelines(lines)
        return 0
    with atomic_path(args.output) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(lines)
    return 0


def _lines(z: Array, loss: str | None) -> Iterator[str]:
    """CSV: a header, then every sample; numbers read back to the same float."""
    probabilities = _PROBABILITIES.get(loss or "")
    letter, numbers = ("p", probabilities(z)) if probabilities else ("y", z)
    names = [f"{letter}{k}" for k in range(z.shape[1])]
    labelled = loss == "cross_entropy"
    yield ",".join(["label", *names] if labelled else names) + "\n"
    for row, label in zip(numbers, np.argmax(z, axis=1), strict=True):
        cells = [str(x) for x in row]
        yield ",".join([str(label), *cells] if labelled else cells) + "\n"
