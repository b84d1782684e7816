"""Shuffling what does not fit in memory: windows of rows, and memory-mapped files."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from mlp_ref import CROSS_ENTROPY, IDENTITY, MLP, SGD, TANH, Params
from mlp_ref.batches import minibatches
from mlp_ref.training import epochs

RNG = np.random.default_rng(0)


def order(batches, seed=0):
    """The targets of one epoch, batch by batch."""
    return [y.tolist() for _, y in batches(np.random.default_rng(seed))]


@pytest.mark.parametrize(
    ("rows", "batch_size", "window"),
    [
        (1000, 7, 100), (1000, 7, 999), (1000, 7, 1), (1000, 1, 1), (1001, 10, 130), (130, 64, 65),
        (1000, 64, 640), (641, 64, 640), (5, 9, 2),
    ],
)  # fmt: skip
def test_every_row_is_used_once_per_epoch(rows: int, batch_size: int, window: int) -> None:
    """Whatever the window: all batches are full but the last, x and y stay together."""
    x, y = np.arange(3.0 * rows).reshape(rows, 3), np.arange(rows)
    batches = minibatches(x, y, batch_size, window=window)
    found = [(a.copy(), b) for a, b in batches(np.random.default_rng(0))]
    sizes = [len(a) for a, _ in found]
    assert sizes == [
        *[batch_size] * (rows // batch_size),
        *[rows % batch_size] * (rows % batch_size > 0),
    ]
    labels = np.concatenate([b for _, b in found])
    assert sorted(labels) == list(range(rows))
    assert np.array_equal(np.concatenate([a for a, _ in found]), x[labels])


def test_a_window_mixes_runs_from_everywhere() -> None:
    """100 of 6,400 sorted rows come from many places, in an order that only the seed decides."""
    y = np.arange(6400)
    batches = minibatches(y[:, None] * 1.0, y, 10, window=640)
    first = np.concatenate(order(batches)[:10])
    assert len(set(first // 640)) == 10
    assert len(set(first // 10)) >= 30
    assert order(batches) == order(batches) != order(batches, seed=1)


def test_a_window_of_all_rows_is_no_window() -> None:
    """The order is that without one."""
    x = np.zeros((11, 3))
    assert order(minibatches(x, np.arange(11), 4, window=12)) == order(
        minibatches(x, np.arange(11), 4)
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A .npy of 500 rows, each of which holds its number three times."""
    np.save(tmp_path / "x.npy", np.repeat(np.arange(500.0), 3).reshape(500, 3))
    return tmp_path / "x.npy"


@pytest.mark.parametrize("part", [slice(None), slice(100, 400), slice(None, None, 2)])
@pytest.mark.parametrize("window", [None, 64])
def test_a_file_is_shuffled_as_an_array_is(file: Path, part: slice, window: int | None) -> None:
    """Mapped or loaded, whole or in part, x or y: the same batches, also in the second epoch."""
    mapped, loaded = np.load(file, mmap_mode="r")[part], np.load(file)[part]
    sources = (
        minibatches(mapped, mapped, 8, window=window),
        minibatches(loaded, loaded, 8, window=window),
    )
    rngs = [np.random.default_rng(0) for _ in sources]
    for _ in range(2):
        for (x, y), (a, b) in zip(*(s(r) for s, r in zip(sources, rngs, strict=True)), strict=True):
            assert np.array_equal(x, a)
            assert np.array_equal(y, b)
            assert np.array_equal(x, y)
            assert type(x) is type(y) is np.ndarray


def test_columns_are_shuffled_as_rows_are(tmp_path: Path) -> None:
    """A file in Fortran's order, and a part of the columns, give the same batches."""
    x = np.asfortranarray(np.arange(1500.0).reshape(500, 3))
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    for a in (x, mapped, np.hstack([x, x])[:, :3]):
        for window in (None, 50):
            for rows, labels in minibatches(a, np.arange(500), 8, window=window)(RNG):
                assert np.array_equal(rows, x[labels])


def test_a_part_of_the_columns_is_copied_once() -> None:
    """Not for every minibatch: those take memory for themselves only."""
    x = np.zeros((1000, 200))[:, ::2]
    batches = minibatches(x, np.arange(1000), 10)(RNG)
    next(batches)
    tracemalloc.start()
    try:
        assert len(list(batches)) == 99
        assert tracemalloc.get_traced_memory()[1] < x.nbytes / 10
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("mode", ["c", "r+"])
def test_changes_of_a_mapped_array_are_kept(file: Path, mode: str) -> None:
    """Pages that were written are not lost when those that were read leave memory."""
    x = np.load(file, mmap_mode=mode)
    x[:, 1] = -7
    for rows, labels in minibatches(np.asarray(x), np.arange(500), 8, window=64)(RNG):
        assert (rows[:, 1] == -7).all()
        assert np.array_equal(rows[:, 0], labels)
    assert (x[:, 1] == -7).all()


def test_resuming_is_exact_with_a_window(file: Path) -> None:
    """One epoch and two more end in the bits of three."""
    model = MLP((3, 5, 2), (TANH, IDENTITY))
    x = np.load(file, mmap_mode="r")
    batches = minibatches(x, (x[:, 0] > 250).astype(np.int64), 8, window=64)
    options = {"loss": CROSS_ENTROPY, "optimizer": SGD(1e-6)}
    start = Params(np.random.default_rng(1).standard_normal(32), model.sizes)
    first, _, third = islice(
        epochs(model, start, batches, rng=np.random.default_rng(0), **options), 3
    )
    again = epochs(model, start, batches, rng=np.random.default_rng(9), start=first, **options)
    *_, last = islice(again, 2)
    assert np.array_equal(last.params.flat, third.params.flat)
    assert last.rng_state == third.rng_state


TRAIN = """
import sys
from pathlib import Path
import numpy as np
import mlp_ref as m

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10

x, y = np.load(sys.argv[1], mmap_mode="r"), np.zeros({rows}, np.int64)
model = m.MLP((1024, 2), (m.IDENTITY,))
before = peak()
m.fit(model, m.Params.zeros(model.sizes, np.float32), x, y, loss=m.CROSS_ENTROPY,
      optimizer=m.SGD(0.1), epochs=2, batch_size=1024, rng=np.random.default_rng(0))
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak")
def test_a_file_does_not_stay_in_memory(tmp_path: Path) -> None:
    """Two epochs over 256 MB of a sparse file need the window of 64 MB, and little more.

    A page that was read counts as memory of the process until it is dropped: without that it would
    be 320 MB.
    """
    rows = 1 << 16
    np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (rows, 1024))
    command = [sys.executable, "-c", TRAIN.format(rows=rows), str(tmp_path / "x.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 96 << 20
