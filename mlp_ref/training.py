"""Training: minibatches, epochs, early stopping, and the history of it all.

`epochs` is the engine: an endless generator that yields a `Snapshot` after every epoch, from which
training can be resumed bit for bit. `supervise` ends it, and `fit` runs both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf, isfinite, isnan, nan
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.batches import Numbered, Source, minibatches, repeatable, require_count
from mlp_ref.checks import describe, fail, require_generator, require_matrix
from mlp_ref.losses import Loss
from mlp_ref.model import MLP, Workspace
from mlp_ref.optimizers import Optimizer, State
from mlp_ref.parameters import Params

if TYPE_CHECKING:  # importing numpy.random takes a tenth of the time of numpy
    from numpy.random import Generator

__all__ = [
    "Diverged",
    "History",
    "Record",
    "Snapshot",
    "epochs",
    "evaluate",
    "fit",
    "minibatches",
    "supervise",
    "train_step",
]


_WORKSPACES = 4  # batches of so many lengths have their memory at a time


class Diverged(ArithmeticError):
    """The training loss is no longer finite. The last good snapshot was the one yielded before."""


class Record(NamedTuple):
    """One epoch. Loss and accuracy are means over rows, each taken before its minibatch's step."""

    epoch: int
    step: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float


@dataclass(frozen=True)
class History:
    """The records of a run, oldest first."""

    records: tuple[Record, ...] = ()

    def column(self, name: str) -> tuple[Any, ...]:
        """One field of every record, such as ``history.column("loss")``."""
        if name not in Record._fields:
            fail(f"a column must be one of {', '.join(Record._fields)}", repr(name), "rename it")
        return tuple(getattr(record, name) for record in self.records)


class Snapshot(NamedTuple):
    """All that training needs to go on after an epoch."""

    params: Params
    state: State
    record: Record
    rng_state: Any  # of rng.bit_generator


def train_step(
    model: MLP,
    params: Params,
    state: State,
    x: Array,
    target: Array,
    *,
    loss: Loss,
    optimizer: Optimizer,
    work: Workspace,
    scratch: Array,
    lr: float | None = None,
) -> tuple[Any, State]:
    """One step in place: the mean loss before it, and the state after it.

    The parameters, the moments and all memory of ``work`` and ``scratch`` are overwritten. Every
    bit is that of `MLP.forward`, `Loss.value_and_grad`, `MLP.backward` and `Optimizer.step`: these
    are the same functions, given memory. The output is in ``work.a[-1]``. Overflow, and the NaN of
    infinite logits, are for the caller to ignore.
    """
    z, trace = model.forward(params, x, work)
    loss.check(z, target)
    value, g = loss.descent(z, target, work.loss)
    grads, _ = model.backward(params, trace, g, input_gradient=False, work=work)
    return value, optimizer.update(params, grads, state, scratch, lr)


def evaluate(model: MLP, params: Params, x: Array, y: Array, loss: Loss) -> tuple[float, float]:
    """The mean loss over the rows of x and the accuracy."""
    with np.errstate(over="ignore", invalid="ignore"):
        z = model.predict(params, x)
        return float(loss.value(z, y)), loss.accuracy(z, y)


def epochs(
    model: MLP,
    params: Params,
    batches: Source,
    *,
    loss: Loss,
    optimizer: Optimizer,
    rng: Generator,
    schedule: Callable[[int], float] | None = None,
    validation: tuple[Array, Array] | None = None,
    start: Snapshot | None = None,
) -> Iterator[Snapshot]:
    """Train without end and yield a snapshot after every epoch.

    ``batches``         a function of ``rng`` such as `minibatches` returns, or any iterable of
                        pairs (x, y); it is called, or iterated over, once per epoch
    ``schedule(step)``  learning rate of the step-th step, counted from 0 over all epochs
    ``validation``      (x, y), evaluated after every epoch
    ``start``           resume after this snapshot: its parameters, state and generator count

    The arguments are not changed, except that ``rng`` advances. Raises `Diverged` when the loss
    of an epoch is not finite, and `InputError` for a bad minibatch, with its number.
    """
    source = repeatable(batches)
    theta, state = params.copy(), optimizer.init(params)
    epoch, step = 0, 0
    if start is not None:
        theta = start.params.copy()
        state = State(start.state.t, tuple(m.copy() for m in start.state.moments))
        epoch, step = start.record.epoch, start.record.step
        rng.bit_generator.state = start.rng_state
    grads, scratch = theta.like(np.empty_like(theta.flat)), optimizer.scratch(theta)
    work: dict[int, Workspace] = {}
    while True:
        begin, total, right, seen = perf_counter(), 0.0, 0.0, 0
        pairs = Numbered(source(rng), epoch + 1)
        with pairs, np.errstate(over="ignore", invalid="ignore"):  # a loss not finite tells
            for x, y in pairs:
                n = len(x)
                if n not in work:
                    if len(work) == _WORKSPACES:
                        work.clear()
                    work[n] = model.workspace(n, theta.dtype, grads)
                rate = None if schedule is None else _rate(schedule, step)
                value, state = train_step(
                    model, theta, state, x, y, loss=loss, optimizer=optimizer, work=work[n],
                    scratch=scratch, lr=rate,
                )  # fmt: skip
                right += float(loss.hits(work[n].a[-1], y).mean()) * n
                total, seen, step = total + float(value) * n, seen + n, step + 1
        epoch += 1
        if not seen:
            fail(
                "an epoch must hold at least one minibatch", f"none in epoch {epoch}",
                "pass rows to train on, anew in every epoch",
            )  # fmt: skip
        if not (isfinite(total) and np.isfinite(theta.flat).all()):
            raise Diverged(
                f"the training loss must stay finite; got {total / seen} in epoch {epoch}; "
                "lower the learning rate, or clean the data"
            )
        held = (nan, nan) if validation is None else evaluate(model, theta, *validation, loss)
        record = Record(
            epoch, step, total / seen, right / seen, *held, seconds=perf_counter() - begin
        )
        yield Snapshot(
            theta.copy(),
            State(state.t, tuple(m.copy() for m in state.moments)),
            record,
            rng.bit_generator.state,
        )


def _rate(schedule: Callable[[int], float], step: int) -> float:
    rate = schedule(step)
    if not 0 <= rate < inf:
        fail(f"schedule({step}) must be finite and at least 0", repr(rate), "correct the schedule")
    return rate


def supervise(
    run: Iterator[Snapshot],
    *,
    epochs: int,
    patience: int | None = None,
    best: Snapshot | None = None,
) -> Iterator[tuple[Snapshot, Snapshot]]:
    """Yield (last, best) after every epoch of a run, and end it with epoch number ``epochs``.

    Without ``patience`` the best snapshot is the last. With it, the best has the lowest validation
    loss, and the run ends after that many epochs in a row without a better one. ``best`` is that of
    a run that is resumed.
    """
    for last in run:
        if patience is None or best is None or _loss(last) < _loss(best):
            best = last
        yield last, best
        waited = last.record.epoch - best.record.epoch
        if last.record.epoch >= epochs or (patience is not None and waited >= patience):
            return


def _loss(snapshot: Snapshot) -> float:
    loss = snapshot.record.validation_loss
    return inf if isnan(loss) else loss


def fit(
    model: MLP,
    params: Params,
    x: Array | Source,
    y: Array | None = None,
    *,
    loss: Loss,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int | None = None,
    rng: Generator,
    schedule: Callable[[int], float] | None = None,
    validation: tuple[Array, Array] | None = None,
    patience: int | None = None,
    progress: Callable[[Record], None] | None = None,
) -> tuple[Params, History]:
    """Minimise the mean loss over the rows of x (n, n_0) and y; return parameters and history.

    ``fit(model, params, x, y, batch_size=32, ...)`` shuffles arrays, also memory-mapped ones that
    do not fit in memory, as `minibatches` does. ``fit(model, params, batches, ...)`` takes any
    other source: a function ``batches(rng)`` that returns the pairs (x, y) of one epoch, or an
    iterable of them such as a list or a data loader. One that can be used once serves one epoch.

    ``patience`` stops after that many epochs in a row without a lower validation loss, and returns
    the parameters of the best epoch. ``progress`` is called with the record of every epoch.
    Raises `InputError` for bad arguments and `Diverged` when the loss is no longer finite.
    """
    require_count("epochs", epochs)
    require_generator(rng)
    if not isinstance(loss, Loss):
        fail("loss must be a record", describe(loss), "use LOSSES[name]")
    if not isinstance(optimizer, Optimizer):
        fail("optimizer must be a record", describe(optimizer), "use OPTIMIZERS[name](lr)")
    if validation is not None and not (isinstance(validation, tuple) and len(validation) == 2):
        fail("validation must be a pair", describe(validation), "pass validation=(x, y)")
    if patience is not None and (validation is None or patience < 1):
        fail(
            "patience needs validation data and at least one epoch",
            f"patience {patience} and {'no' if validation is None else 'some'} validation data",
            "pass validation=(x, y)",
        )
    run = _epochs(
        model, params, _source(model, params, x, y, batch_size, epochs), loss=loss,
        optimizer=optimizer, rng=rng, schedule=schedule, validation=validation,
    )  # fmt: skip
    records: list[Record] = []
    for last, best in supervise(run, epochs=epochs, patience=patience):
        params = best.params
        records.append(last.record)
        if progress is not None:
            progress(last.record)
    return params, History(tuple(records))


def _source(
    model: MLP, params: Params, x: Any, y: Array | None, batch_size: int | None, epochs: int
) -> Source:
    """The minibatches that the arguments of `fit` mean."""
    if isinstance(x, np.ndarray) or (y is not None and not callable(x)):
        require_matrix("x", x, model.sizes[0], params.dtype)
        if y is None or batch_size is None:
            missing = "y" if y is None else "batch_size"
            fail("x must come with y and batch_size", f"no {missing}", f"pass {missing}=...")
        return minibatches(x, y, batch_size)
    if y is not None or batch_size is not None:
        fail(
            "minibatches must come without y and batch_size", describe(x),
            "leave them out: each minibatch is a pair (x, y)",
        )  # fmt: skip
    return repeatable(x, epochs)


_epochs = epochs
