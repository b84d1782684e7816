"""Forward, loss and every gradient of PyTorch, eager, within the derived bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from peers import DTYPES, network_case, report_of, require, require_pass, rng_of, run_modules

from mlp_ref import ACTIVATIONS, LOSSES
from mlp_ref.arithmetic import ARITHMETICS, Arithmetic, Array
from mlp_ref.bounds import Bounded
from mlp_ref.datasets import load_digits
from mlp_ref.gate.cases import Case
from mlp_ref.gate.judge import judge
from mlp_ref.subjects import numpy_subject

every = pytest.mark.parametrize(
    ("activation", "loss", "dtype"),
    [(f, loss, dtype) for f in ACTIVATIONS for loss in LOSSES for dtype in DTYPES],
)


def odd(rng: np.random.Generator, count: int) -> tuple[int, ...]:
    """Odd widths from 1 to 13."""
    return tuple(int(2 * k + 1) for k in rng.integers(0, 7, count))


def random_cases(activation: str, loss: str, A: Arithmetic) -> Iterator[Case]:
    """Depths 1 to 4, a single row and an odd batch, hard and soft targets, f in every place."""
    for depth in range(1, 5):
        for rows in (1, 7):
            name = f"random/{activation}/{loss}/{depth}/{rows}"
            rng = rng_of(f"shape of {name}")
            last = activation if depth == 1 or rng.random() < 1 / 2 else "identity"
            layers = (*([activation] * (depth - 1)), last)
            soft = (depth + rows) % 4 < 2
            yield network_case(name, layers, odd(rng, depth + 1), loss, A, soft=soft, rows=rows)


def mixed_case(k: int, A: Arithmetic) -> Case:
    """Another activation in every layer, a random one."""
    rng = rng_of(f"shape of mixed/{k}")
    depth = 2 + k % 3
    layers = tuple(str(f) for f in rng.choice(list(ACTIVATIONS), depth))
    loss = list(LOSSES)[k % 3]
    return network_case(
        f"mixed/{k}", layers, odd(rng, depth + 1), loss, A, soft=k % 2 == 0, rows=2 * (k % 4) + 1
    )


def digits_case(activation: str, loss: str, A: Arithmetic, rows: slice) -> Case:
    """Two hidden layers on real images."""
    name, data = f"digits/{activation}/{loss}", load_digits()
    case = network_case(
        name, (activation, activation, "identity"), (64, 21, 15, 10), loss, A,
        soft=loss != "cross_entropy", x=data.x[rows],
    )  # fmt: skip
    if loss != "cross_entropy":
        return case
    inputs = {**case.record.inputs, "target": data.y[rows]}
    return replace(case, record=replace(case.record, inputs=inputs))


def test_the_pinned_version_is_under_test() -> None:
    """The suite names PyTorch 2.13.0, in full float32 precision; another one needs a review."""
    assert torch.__version__.split("+")[0] == "2.13.0"
    assert torch.get_float32_matmul_precision() == "highest"


@every
def test_random_architectures(activation: str, loss: str, dtype: str) -> None:
    """Every z, a, the loss, g, every dW and db, and dx are within bound + radius."""
    for case in random_cases(activation, loss, ARITHMETICS[dtype]):
        require_pass(case)


@pytest.mark.parametrize("dtype", DTYPES)
def test_mixed_activations(dtype: str) -> None:
    """The bounds pass from one activation to another: 60 networks of random layers."""
    for k in range(60):
        require_pass(mixed_case(k, ARITHMETICS[dtype]))


@every
def test_real_digits(activation: str, loss: str, dtype: str) -> None:
    """The same on 33 real images, through 64-21-15-10."""
    require_pass(digits_case(activation, loss, ARITHMETICS[dtype], slice(33)))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", DTYPES)
def test_all_digits_in_one_batch(dtype: str, threads: int) -> None:
    """1,797 rows: sums over the batch as long as the data set, on one thread or two."""
    case = digits_case("gelu", "cross_entropy", ARITHMETICS[dtype], slice(None))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        require_pass(case)
    finally:
        torch.set_num_threads(before)


def require_direct(case: Case) -> None:
    """Our result and PyTorch's, in the same dtype, differ by at most the sum of their bounds."""
    ours, theirs = (run(**case.keywords()) for run in (numpy_subject.run, run_modules))
    results = []
    for name, q in case.whole().items():
        allowed = Bounded(np.asarray(ours[name], np.float64), q.bound, q.bound)
        results.append(judge(name, theirs[name], allowed, case.arithmetic))
    require(results, case.id)


@every
def test_our_implementation_directly(activation: str, loss: str, dtype: str) -> None:
    """NumPy and PyTorch in one dtype, without a third party, on random and on real data."""
    A = ARITHMETICS[dtype]
    for case in (*random_cases(activation, loss, A), digits_case(activation, loss, A, slice(33))):
        require_direct(case)


@every
def test_the_bounds_are_not_vacuous(activation: str, loss: str, dtype: str) -> None:
    """On the digits a zero would be rejected in most entries of every tensor."""
    case = digits_case(activation, loss, ARITHMETICS[dtype], slice(33))
    for result in report_of(run_modules, case).results:
        assert 2 * result.inconclusive < result.entries, result.tensor


def nan_masks(answer: dict[str, Array]) -> dict[str, Array]:
    """Where each tensor is NaN."""
    return {name: np.isnan(tensor) for name, tensor in answer.items()}


@every
def test_one_nan_spreads_alike(activation: str, loss: str, dtype: str) -> None:
    """A NaN in one image makes the same entries NaN here and there, in every tensor; no others."""
    question = digits_case(activation, loss, ARITHMETICS[dtype], slice(5)).keywords()
    question["x"][2, 7] = np.nan
    ours, theirs = (nan_masks(run(**question)) for run in (numpy_subject.run, run_modules))
    assert sorted(ours) == sorted(theirs)
    for name, mask in ours.items():
        np.testing.assert_array_equal(mask, theirs[name], err_msg=name)
    assert theirs["loss"]
    assert theirs["a2"].all(axis=1).tolist() == [False, False, True, False, False]
