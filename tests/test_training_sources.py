"""Training from any source of minibatches: functions, lists, loaders, iterators."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from mlp_ref import CROSS_ENTROPY, IDENTITY, MLP, SGD, TANH, Params, fit, training
from mlp_ref.batches import minibatches
from mlp_ref.checks import InputError
from mlp_ref.training import epochs

MODEL = MLP((3, 5, 2), (TANH, IDENTITY))
RNG = np.random.default_rng(0)
X = RNG.standard_normal((11, 3))
Y = (X[:, 0] > 0).astype(np.int64)
PAIRS = [(X[k : k + 4], Y[k : k + 4]) for k in (0, 4, 8)]


class Loader:
    """What data loaders are: an object that can be iterated over again and again."""

    def __iter__(self) -> Iterator[list[np.ndarray]]:
        """Pairs may be lists."""
        return ([x, y] for x, y in PAIRS)


def trained(*data, n_epochs=3, **options):
    """The parameters and the history after training from a source."""
    start = Params(np.random.default_rng(1).standard_normal(32) / 4, MODEL.sizes)
    known = {"loss": CROSS_ENTROPY, "optimizer": SGD(0.1), "epochs": n_epochs}
    rng = np.random.default_rng(2)
    return fit(MODEL, start, *data, **{"rng": rng} | known | options)


def test_a_function_of_the_generator_is_what_arrays_become() -> None:
    """fit(x, y, batch_size=4) and fit(minibatches(x, y, 4)) end in the same bits."""
    ours, records = trained(X, Y, batch_size=4)
    theirs, others = trained(minibatches(X, Y, 4))
    assert np.array_equal(ours.flat, theirs.flat)
    assert ours.flat.any()
    assert records.column("loss") == others.column("loss")


@pytest.mark.parametrize("source", [PAIRS, tuple(PAIRS), Loader(), lambda rng: iter(PAIRS)])
def test_iterables_are_used_in_their_own_order(source) -> None:
    """A list, a tuple, a loader and a function give the same bits, three steps an epoch."""
    params, history = trained(source)
    assert np.array_equal(params.flat, trained(lambda rng: PAIRS)[0].flat)
    assert history.column("step") == (3, 6, 9)


def test_an_iterator_serves_one_epoch() -> None:
    """It can be used once: one epoch is trained with it, more are refused before the first."""
    assert np.array_equal(
        trained(iter(PAIRS), n_epochs=1)[0].flat, trained(PAIRS, n_epochs=1)[0].flat
    )
    untouched = (pair for pair in PAIRS)
    with pytest.raises(
        InputError,
        match=r"minibatches must come anew in every epoch; got generator <.*, which can be used "
        r"once; pass a list, or a function of rng that returns them",
    ):
        trained(untouched, n_epochs=2)
    assert len(list(untouched)) == 3


def test_the_engine_refuses_an_iterator_at_its_second_epoch() -> None:
    """`epochs` has no end, so it finds out when it needs the second pass."""
    start = Params.zeros(MODEL.sizes)
    run = epochs(
        MODEL, start, iter(PAIRS), loss=CROSS_ENTROPY, optimizer=SGD(0.1), rng=RNG
    )  # fmt: skip
    assert next(run).record.step == 3
    with pytest.raises(InputError, match="must come anew in every epoch; got list_iterator <"):
        next(run)


def test_a_function_that_returns_what_is_used_up_is_refused() -> None:
    """The second epoch has no minibatch, and that is said."""
    used = iter(PAIRS)
    with pytest.raises(
        InputError, match="at least one minibatch; got none in epoch 2; pass rows to train on, anew"
    ):
        trained(lambda rng: used)


@pytest.mark.parametrize(
    ("batch", "text"),
    [
        (X[:2], "it must be a pair (x, y); got float64 array of shape (2, 3); pass pairs"),
        ((X, Y, Y), "it must be a pair (x, y); got tuple"),
        (
            ([[1.0, 2.0, 3.0]], Y[:1]),
            "x and y must be NumPy arrays with one sample per row; got list",
        ),
        ((X[:1], 1), "x and y must be NumPy arrays with one sample per row; got int 1; convert"),
        (
            (np.array(1.0), Y[:1]),
            "x and y must be NumPy arrays with one sample per row; got float64",
        ),
        ((X[:0], Y[:0]), "x must have at least one row; got float64 array of shape (0, 3)"),
        ((X[0], Y[:3]), "x must have shape (n, 3); got float64 array of shape (3,)"),
        ((X[:, :2], Y), "x must have shape (n, 3); got float64 array of shape (11, 2)"),
        ((X.astype(np.float32), Y), "x must be float64; got float32 array of shape (11, 3); cast"),
        ((X[:4], Y[:3]), "labels must have shape (4,); got int64 array of shape (3,)"),
        ((X[:1], Y[:1] + 2), "labels must lie in 0..1; got labels from"),
        ((X[:2], X[:2, :2].astype(np.float32)), "the target must have the dtype float64"),
    ],
)
def test_an_error_says_which_minibatch(batch, text) -> None:
    """Shape, dtype and labels of each minibatch are checked, and the bad one is counted from 1."""
    with pytest.raises(InputError) as caught:
        trained([PAIRS[0], PAIRS[1], batch])
    assert str(caught.value).startswith(f"minibatch 3 of epoch 1: {text}")


def test_an_error_of_the_source_is_its_own() -> None:
    """What a function of the user raises arrives as it is; an `InputError` names what was made."""

    def broken(error):
        yield PAIRS[0]
        raise error

    with pytest.raises(OSError, match=r"^the disk is gone$"):
        trained(lambda rng: broken(OSError("the disk is gone")))
    with pytest.raises(InputError, match=r"^minibatch 2 of epoch 1: a column is missing$"):
        trained(lambda rng: broken(InputError("a column is missing")))


@pytest.mark.parametrize(
    ("data", "options", "text"),
    [
        ((X,), {"batch_size": 4}, "x must come with y and batch_size; got no y; pass y=..."),
        ((X, Y), {}, "x must come with y and batch_size; got no batch_size; pass batch_size=..."),
        ((X.tolist(), Y), {"batch_size": 4}, "x must be a NumPy array; got list"),
        ((X[:, :2], Y), {"batch_size": 4}, "x must have shape (n, 3); got float64 array"),
        ((PAIRS,), {"batch_size": 4}, "minibatches must come without y and batch_size; got list"),
        ((lambda rng: PAIRS, Y), {}, "minibatches must come without y and batch_size; got func"),
        ((7,), {}, "minibatches must come from arrays x and y, a function of rng, or an"),
        ((lambda rng: None,), {}, "minibatch 1 of epoch 1: a function of rng must return minibat"),
        ((X[:, 0] > 0, Y), {"batch_size": 4}, "x must have shape (n, 3); got bool array"),
    ],
)  # fmt: skip
def test_fit_says_what_a_source_is(data, options, text) -> None:
    """Arrays need both y and batch_size, other sources neither."""
    with pytest.raises(InputError) as caught:
        trained(*data, **options)
    assert str(caught.value).startswith(text)


def test_minibatches_need_rows() -> None:
    """Rows must exist and pair up, and a window is a count."""
    with pytest.raises(InputError, match="x must be an array with at least one row; got float64"):
        minibatches(X[:0], Y[:0], 4)
    with pytest.raises(InputError, match="y must have 11 rows, as x has; got int64 array of shape"):
        minibatches(X, np.array(1), 4)
    with pytest.raises(InputError, match=r"window must be a positive integer; got float 2\.5"):
        minibatches(X, Y, 4, window=2.5)


def test_integers_on_disk_may_be_scaled_on_the_way() -> None:
    """Batches of any dtype and shape can be made: here bytes, which a function turns to floats."""
    images, labels = RNG.integers(0, 256, (20, 3, 1), np.uint8), RNG.integers(0, 2, 20)

    def batches(rng):
        for x, y in minibatches(images, labels, 4)(rng):
            yield x.reshape(-1, 3) / 255, y

    expected = trained(images.reshape(-1, 3) / 255, labels, batch_size=4)[0]
    assert np.array_equal(trained(batches)[0].flat, expected.flat)


@pytest.mark.parametrize(("kept", "made"), [(1, [3, 4, 3, 4]), (2, [3, 4])])
def test_memory_is_kept_for_a_few_lengths_of_batches(monkeypatch, kept, made) -> None:
    """Batches of ever new lengths do not pile up memory, and take the same steps."""
    batches = [PAIRS[k] for k in (2, 0, 2, 0)]  # of 3, 4, 3 and 4 rows
    expected = trained(batches, n_epochs=1)[0]
    lengths, workspace = [], MLP.workspace

    def counted(self, n, *arguments):
        lengths.append(n)
        return workspace(self, n, *arguments)

    monkeypatch.setattr(training, "_WORKSPACES", kept)
    monkeypatch.setattr(MLP, "workspace", counted)
    assert np.array_equal(trained(batches, n_epochs=1)[0].flat, expected.flat)
    assert lengths == made
