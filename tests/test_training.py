"""Training: order, resumption, early stopping, schedules, memory."""

from __future__ import annotations

import tracemalloc
from itertools import islice
from unittest import mock

import numpy as np
import pytest

from mlp_ref import (
    CROSS_ENTROPY,
    IDENTITY,
    MLP,
    SGD,
    SQUARED_ERROR,
    TANH,
    Adam,
    Params,
    fit,
    training,
)
from mlp_ref.checks import InputError
from mlp_ref.training import Diverged, History, epochs, evaluate, minibatches

MODEL = MLP((3, 5, 2), (TANH, IDENTITY))


def data(n=11, dtype=np.float64):
    """Rows that two classes separate."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 3)).astype(dtype)
    return x, (x[:, 0] > 0).astype(np.int64)


def start(dtype=np.float64):
    """Fixed small parameters."""
    rng = np.random.default_rng(1)
    return Params(rng.standard_normal(Params.count(MODEL.sizes)).astype(dtype) / 4, MODEL.sizes)


def run(n_epochs, *, seed=2, **options):
    """A short training run."""
    x, y = data()
    options = {"loss": CROSS_ENTROPY, "optimizer": Adam(0.05), "batch_size": 4} | options
    return fit(MODEL, start(), x, y, epochs=n_epochs, rng=np.random.default_rng(seed), **options)


def test_every_row_is_used_once_per_epoch_and_the_last_batch_is_short() -> None:
    """Eleven rows in batches of four: sizes 4, 4, 3, every row once, in a new order every epoch."""
    x, y = np.arange(33.0).reshape(11, 3), np.arange(11)
    rng, orders = np.random.default_rng(0), []
    for _ in range(2):
        batches = [(rows.copy(), labels) for rows, labels in minibatches(x, y, 4)(rng)]
        assert [len(rows) for rows, _ in batches] == [4, 4, 3]
        labels = np.concatenate([labels for _, labels in batches])
        assert sorted(labels) == list(range(11))
        assert np.array_equal(np.concatenate([rows for rows, _ in batches]), x[labels])
        orders.append(labels.tolist())
    assert orders[0] != orders[1]


def test_one_epoch_is_the_sequence_of_single_steps() -> None:
    """fit does what forward, value_and_grad, backward and step do in turn, bit for bit."""
    x, y = data()
    theta, rule, losses = start(), Adam(0.05), []
    state = rule.init(theta)
    for rows, labels in minibatches(x, y, 4)(np.random.default_rng(2)):
        output, trace = MODEL.forward(theta, rows)
        value, g = CROSS_ENTROPY.value_and_grad(output, labels)
        losses.append(value * len(rows))
        theta, state = rule.step(theta, MODEL.backward(theta, trace, g)[0], state)
    params, history = run(1)
    assert np.array_equal(params.flat, theta.flat)
    assert history.records[0].loss == sum(losses) / 11
    assert history.records[0].step == 3


def test_training_learns_and_the_seed_decides() -> None:
    """The loss falls, the accuracy rises to 1, and an equal seed repeats every bit."""
    params, history = run(60)
    loss = history.column("loss")
    assert loss[-1] < loss[0] / 10
    assert history.column("accuracy")[-1] == 1
    assert history.column("epoch") == tuple(range(1, 61))
    assert np.array_equal(params.flat, run(60)[0].flat)
    assert not np.array_equal(params.flat, run(60, seed=3)[0].flat)


def test_resuming_is_exact() -> None:
    """Two epochs, a snapshot, three more: the same bits as five epochs."""
    x, y = data()
    options = {"loss": CROSS_ENTROPY, "optimizer": Adam(0.05)}
    batches = minibatches(x, y, 4)
    whole = list(
        islice(epochs(MODEL, start(), batches, rng=np.random.default_rng(2), **options), 5)
    )
    resumed = epochs(
        MODEL, start(), batches, rng=np.random.default_rng(99), start=whole[1], **options
    )
    for expected, got in zip(whole[2:], resumed, strict=False):
        assert np.array_equal(got.params.flat, expected.params.flat)
        assert got.record[:4] == expected.record[:4]
        assert got.state.t == expected.state.t


def test_the_arguments_are_not_changed() -> None:
    """Parameters and data are left alone."""
    x, y = data()
    params = start()
    before = params.flat.copy(), x.copy(), y.copy()
    fit(MODEL, params, x, y, loss=CROSS_ENTROPY, optimizer=SGD(0.1), epochs=2, batch_size=3,
        rng=np.random.default_rng(0))  # fmt: skip
    assert np.array_equal(params.flat, before[0])
    assert np.array_equal(x, before[1])
    assert np.array_equal(y, before[2])


def test_the_schedule_is_called_with_every_step() -> None:
    """Steps count from 0 over all epochs, and a rate of zero moves nothing."""
    seen = []
    params, _ = run(2, schedule=lambda step: seen.append(step) or 0.0)
    assert seen == list(range(6))
    assert np.array_equal(params.flat, start().flat)


def test_validation_and_progress() -> None:
    """Each record holds the validation loss after the epoch; progress receives the records."""
    x, y = data(7)
    seen = []
    params, history = run(3, validation=(x, y), progress=seen.append)
    assert tuple(seen) == history.records
    loss, accuracy = evaluate(MODEL, params, x, y, CROSS_ENTROPY)
    assert history.records[-1].validation_loss == loss
    assert history.records[-1].validation_accuracy == accuracy
    assert np.isnan(run(1)[1].records[0].validation_loss)


def test_early_stopping_returns_the_best_parameters() -> None:
    """It stops after `patience` epochs without a lower validation loss, back at the best."""
    x, y = data(9)
    wrong = 1 - y  # training away from it: the first epoch is the best one
    params, history = run(50, validation=(x, wrong), patience=3)
    assert len(history.records) == 4
    assert np.array_equal(params.flat, run(1)[0].flat)


def test_divergence_is_an_error_after_the_last_good_snapshot() -> None:
    """A huge learning rate overflows: `Diverged` names the epoch; finite snapshots came before."""
    x = data()[0]
    snapshots = epochs(
        MLP((3, 3), (IDENTITY,)), Params.zeros((3, 3)), minibatches(x, x, 4),
        loss=SQUARED_ERROR, optimizer=SGD(1e10), rng=np.random.default_rng(0),
    )  # fmt: skip
    good = []
    with (
        np.errstate(all="ignore"),
        pytest.raises(Diverged, match=r"must stay finite; got .* in epoch \d+; lower the learning"),
    ):
        good.extend(snapshots)
    assert all(np.isfinite(snapshot.params.flat).all() for snapshot in good)


def test_the_input_gradient_is_not_computed() -> None:
    """Training declines dL/dx of the first layer: one product with W^T per step fewer."""
    with mock.patch(
        "mlp_ref.model.affine_vjp", wraps=training.MLP.backward.__globals__["affine_vjp"]
    ) as vjp:
        run(1)
    assert vjp.call_count == 3  # three steps, two layers: once each


@pytest.mark.parametrize("optimizer", [SGD(0.1), SGD(0.1, momentum=0.9, nesterov=True), Adam()])
def test_a_step_allocates_next_to_nothing(optimizer) -> None:
    """In a warm epoch transient memory stays well below one gradient of the parameters.

    A batch of 8 through 64-512-10: the parameters take 38,410 numbers, a hidden activation 4,096.
    Kernels may use a few temporaries of the size of an activation, none of the parameters'.
    """
    model = MLP((64, 512, 10), (TANH, IDENTITY))
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((64, 64)), rng.integers(0, 10, 64)
    peaks = []

    def batches(generator):
        for batch in minibatches(x, y, 8)(generator):
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.reset_peak()
            base.append(tracemalloc.get_traced_memory()[0])
            yield batch

    base: list[int] = []
    params = Params.zeros(model.sizes)
    run_ = epochs(model, params, batches, loss=CROSS_ENTROPY, optimizer=optimizer, rng=rng)
    tracemalloc.start()
    try:
        next(run_)
        next(run_)
        transient = max(p - b for p, b in zip(peaks[-6:], base[-7:-1], strict=True))
    finally:
        tracemalloc.stop()
    activation = 8 * 512 * 8
    assert transient < 5 * activation < params.flat.nbytes


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n_epochs": 0}, "epochs must be a positive integer; got int 0"),
        ({"n_epochs": 1, "batch_size": 0}, "batch_size must be a positive integer; got int 0"),
        ({"n_epochs": 1, "batch_size": 2.5}, "batch_size must be a positive integer"),
        ({"n_epochs": 1, "patience": 3}, "patience needs validation data; got patience 3"),
        ({"n_epochs": 1, "patience": 0, "validation": data()}, "at least one epoch"),
    ],
)
def test_bad_arguments(options, text) -> None:
    """Counts are positive integers, and patience needs something to watch."""
    with pytest.raises(InputError) as caught:
        run(**options)
    assert text.split(";")[0] in str(caught.value)


def test_bad_data() -> None:
    """Rows must pair up, an epoch must hold a batch, and a column must exist."""
    x, y = data()
    with pytest.raises(InputError, match="y must have 11 rows, as x has; got int64 array"):
        minibatches(x, y[:-1], 4)
    nothing = epochs(
        MODEL, start(), lambda rng: iter(()), loss=CROSS_ENTROPY, optimizer=SGD(0.1),
        rng=np.random.default_rng(0),
    )  # fmt: skip
    with pytest.raises(InputError, match="an epoch must hold at least one minibatch"):
        next(nothing)
    with pytest.raises(InputError, match="a column must be one of epoch, step, loss"):
        History().column("lose")


def test_the_rows_of_a_batch_live_in_one_buffer() -> None:
    """As documented: a batch is overwritten by the next; its targets are not."""
    x, y = np.arange(6.0).reshape(6, 1), np.arange(6)
    kept = [
        (rows.copy(), labels) for rows, labels in minibatches(x, y, 2)(np.random.default_rng(0))
    ]
    assert all((rows[:, 0] == labels).all() for rows, labels in kept)
    first, second = islice(minibatches(x, y, 2)(np.random.default_rng(0)), 2)
    assert np.shares_memory(first[0], second[0])


@pytest.mark.parametrize("rate", [np.nan, np.inf, -0.1])
def test_a_schedule_must_return_a_rate(rate: float) -> None:
    """NaN, infinity and a negative rate are refused at the step that asks for them."""
    model = MLP((1, 1), (IDENTITY,))
    x = np.ones((2, 1))
    with pytest.raises(InputError, match=r"schedule\(0\) must be finite and at least 0; got"):
        fit(
            model, Params.zeros((1, 1)), x, x, loss=SQUARED_ERROR, optimizer=SGD(0.1), epochs=1,
            batch_size=2, rng=np.random.default_rng(0), schedule=lambda step: rate,
        )  # fmt: skip


@pytest.mark.parametrize("name", ["epochs", "batch_size"])
def test_true_is_no_count(name: str) -> None:
    """bool is an int in Python, and a mistake here."""
    x = np.ones((2, 1))
    options = {"epochs": 1, "batch_size": 2, name: True}
    with pytest.raises(InputError, match=f"{name} must be a positive integer; got bool True"):
        fit(
            MLP((1, 1), (IDENTITY,)), Params.zeros((1, 1)), x, x, loss=SQUARED_ERROR,
            optimizer=SGD(0.1), rng=np.random.default_rng(0), **options,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"loss": "cross_entropy"}, "loss must be a record; got str 'cross_entropy'; use LOSSES"),
        ({"optimizer": "adam"}, "optimizer must be a record; got str 'adam'; use OPTIMIZERS"),
        ({"validation": np.ones(3)}, "validation must be a pair; got float64 array of shape (3,)"),
        ({"rng": 0}, "rng must be a numpy.random.Generator; got int 0; pass default_rng(seed)"),
    ],
)
def test_fit_names_what_it_needs(options, text) -> None:
    """Names, arrays and seeds in the place of records, pairs and generators."""
    x = np.ones((2, 1))
    valid = {"loss": SQUARED_ERROR, "optimizer": SGD(0.1), "rng": np.random.default_rng(0)}
    with pytest.raises(InputError) as caught:
        fit(
            MLP((1, 1), (IDENTITY,)), Params.zeros((1, 1)), x, x, epochs=1, batch_size=2,
            **(valid | options),
        )  # fmt: skip
    assert str(caught.value).startswith(text)
