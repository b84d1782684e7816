"""``mlp-ref gradcheck``: compare gradients with differences."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from mlp_ref.activations import ACTIVATIONS, IDENTITY
from mlp_ref.arithmetic import Array
from mlp_ref.checks import fail
from mlp_ref.commands.data import DIGITS, add_target, read
from mlp_ref.commands.predict import add_model, load_model
from mlp_ref.commands.terminal import output, progress
from mlp_ref.gradcheck import (
    NetworkReport,
    Report,
    Verdict,
    central_differences,
    check_network,
    complex_step,
)
from mlp_ref.losses import LOSSES, Loss
from mlp_ref.model import MLP
from mlp_ref.parameters import INITIALIZERS, Params, initialize

__all__ = ["add_arguments", "run"]

DESCRIPTION = """\
Check the gradient of every parameter and input against differences through the forward pass:
complex steps, or central differences, which show about half of the digits.

With a MODEL, its own network and loss; without, one network per activation and loss. The tolerances
are derived from rounding-error analysis. "resolved" counts the derivatives whose tolerance is below
their size, or below that of the largest: the others prove nothing. "directions" are derivatives
along random directions through all parameters at once.

exit status: 0 no gradient is wrong, 1 one is, 2 usage"""

_METHODS = {"complex": complex_step, "central": central_differences}
_STYLE = {Verdict.PASS: "", Verdict.FAIL: "bold red", Verdict.INCONCLUSIVE: "yellow"}


class _Question(NamedTuple):
    """One network to check."""

    name: str
    model: MLP
    params: Params
    loss: Loss
    x: Array
    target: Array


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``gradcheck``."""
    add_model(parser, nargs="?")
    parser.add_argument(
        "--data", metavar="DATA", default=DIGITS, help="a .csv or .npz file (default: the digits)"
    )
    add_target(parser)
    parser.add_argument(
        "--rows", type=int, default=32, metavar="N", help="check on the first N rows (default: 32)"
    )
    parser.add_argument(
        "--method", choices=_METHODS, default="complex", help="of differences (default: complex)"
    )
    parser.add_argument(
        "--points", type=int, default=0, metavar="N", help="also observe the rounding noise at N "
        "points nearby, such as 4: smaller mistakes show, for N times the time (default: 0)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Check, print a table, and return the exit status."""
    if args.rows < 1:
        fail("--rows must be 1 or more", str(args.rows), "choose such a number")
    if args.model is None and (args.activations or args.loss):
        fail("--activations and --loss must come with a MODEL", "none", "name the model file")
    console = output()
    questions = list(_of_all(args) if args.model is None else _of_model(args))
    reports: dict[str, NetworkReport] = {}
    with progress(len(questions), "gradcheck") as advance:
        for q in questions:
            reports[q.name] = check_network(
                q.model, q.params, q.x, q.loss, q.target, method=_METHODS[args.method],
                points=args.points,
            )  # fmt: skip
            advance(q.name)
    console.print(_table(reports, each_tensor=args.model is not None))
    for name, report in reports.items():
        for tensor, found in report.reports.items():
            if found.verdict != Verdict.PASS:
                console.print(f"{name} {tensor}: {found}", style=_STYLE[found.verdict])
        if report.kinks:
            shown = ", ".join(report.kinks[:4]) + (", ..." if report.kinks[4:] else "")
            console.print(f"{name}: at a kink, or within rounding error of one: {shown}")
    return _conclude(console, reports)


def _of_model(args: argparse.Namespace) -> Iterator[_Question]:
    (model, params, _), name = load_model(args)
    if name is None:
        fail(f"{args.model!r} must say what it was trained with", "no loss", "add --loss NAME")
    loss = LOSSES[name]
    x, target, _ = _rows(args, loss, params.dtype)
    yield _Question(args.model, model, params, loss, x, target)


def _of_all(args: argparse.Namespace) -> Iterator[_Question]:
    """Two hidden layers of every activation, under every loss."""
    for loss in LOSSES.values():
        x, target, outputs = _rows(args, loss, np.dtype(np.float64))
        for f in ACTIVATIONS.values():
            sizes = (x.shape[1], 32, 16, outputs)
            rng = np.random.default_rng(0)
            params = initialize(sizes, INITIALIZERS["glorot_normal"], rng=rng)
            yield _Question(
                f"{f.name} {loss.name}", MLP(sizes, (f, f, IDENTITY)), params, loss, x, target
            )


def _rows(args: argparse.Namespace, loss: Loss, dtype: Any) -> tuple[Array, Array, int]:
    """The first rows, their targets, and the number of outputs that all of the data needs."""
    data = read(args.data, args.target, loss, dtype)
    return data.x[: args.rows], data.y[: args.rows], data.outputs


def _table(reports: dict[str, NetworkReport], each_tensor: bool) -> Any:
    """A row per tensor of a model, or the worst tensor of each network."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    numbers = ("resolved", "error") if each_tensor else ()
    for name in ("tensor", "verdict") if each_tensor else ("network", "worst", "verdict"):
        table.add_column(name, no_wrap=True)
    for name in (*numbers, "tolerance", "ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, report in reports.items():
        rows = report.reports
        worst = max(rows, key=lambda tensor: _severity(rows[tensor]))
        for tensor, found in rows.items() if each_tensor else [(worst, rows[worst])]:
            own = [f"{found.resolved}/{found.entries}", f"{found.error:.1e}"]
            table.add_row(
                *([] if each_tensor else [name]), tensor, str(found.verdict),
                *(own if each_tensor else []), f"{found.tolerance:.1e}", f"{found.ratio:.2g}",
                style=_STYLE[found.verdict],
            )  # fmt: skip
    return table


def _severity(report: Report) -> tuple[int, float]:
    order = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL)
    return order.index(report.verdict), report.ratio


def _conclude(console: Any, reports: dict[str, NetworkReport]) -> int:
    verdicts = [report.verdict for report in reports.values()]
    counts = {verdict: verdicts.count(verdict) for verdict in Verdict}
    entries = sum(r.entries for report in reports.values() for r in report.reports.values())
    failed = counts[Verdict.FAIL] > 0
    word = "FAIL" if failed else "INCONCLUSIVE" if counts[Verdict.INCONCLUSIVE] else "PASS"
    networks = ", ".join(f"{verdict} {n}" for verdict, n in counts.items() if n)
    console.print(f"{word}  networks: {networks}; {entries:,} derivatives", style="bold")
    return int(failed)
