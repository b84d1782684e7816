"""The losses of PyTorch and their gradients at logits of every size, infinite ones included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from peers import CRITERIA, DTYPES, LOGITS, numpy_of, require, rng_of, target_of

from mlp_ref import LOSSES
from mlp_ref.arithmetic import ARITHMETICS, Arithmetic, Array
from mlp_ref.bounds import Bounded, carry, exactly, gradient_error, loss_error
from mlp_ref.gate.judge import judge

dtypes = pytest.mark.parametrize("dtype", DTYPES)
losses = pytest.mark.parametrize("loss", LOSSES)
Tensors = dict[str, Array]


def torch_of(loss: str, z: Array, target: Array) -> Tensors:
    """The mean loss and its gradient by autograd."""
    logits = torch.tensor(z, requires_grad=True)
    value = CRITERIA[loss](logits, torch.tensor(target))
    value.backward()
    return {"loss": numpy_of(value), "g": numpy_of(logits.grad)}


def ours_of(loss: str, z: Array, target: Array) -> Tensors:
    """The same by `Loss.value_and_grad`."""
    value, g = LOSSES[loss].value_and_grad(z, target)
    return {"loss": value, "g": g}


def bounds_of(A: Arithmetic, loss: str, z: Array, target: Array) -> dict[str, Bounded]:
    """Both with their bounds, for exact logits."""
    record = LOSSES[loss]
    wide, logits = target.astype(np.float64 if target.ndim == 2 else int), exactly(z)
    with np.errstate(over="ignore"):
        terms, count, grad = record.parts(logits.value, wide)
        value, g = terms.sum() / count, grad() / count
    return {
        "loss": carry(A, value, lambda A, z: loss_error(A, record, z, wide), logits),
        "g": carry(A, g, lambda A, z: gradient_error(A, record, z, wide), logits),
    }


@dtypes
@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
@losses
@pytest.mark.parametrize("family", LOGITS)
def test_finite_logits_of_any_size(family: str, loss: str, soft: bool, dtype: str) -> None:
    """PyTorch's loss and gradient, and ours, are within bound + radius."""
    A, z = ARITHMETICS[dtype], LOGITS[family]
    target = target_of(loss, *z.shape, rng_of(f"{family}/{loss}"), soft=soft)
    z, target = A.quantize(z), A.quantize(target) if target.ndim == 2 else target
    bounds = bounds_of(A, loss, z, target)
    for run in (torch_of, ours_of):
        found = run(loss, z, target)
        require([judge(name, found[name], q, A) for name, q in bounds.items()], run.__name__)


def infinite_logits(dtype: str) -> Array:
    """One logit of three is -inf, or inf, per row."""
    z = np.linspace(-2, 2, 12).reshape(4, 3).astype(dtype)
    z[[0, 1, 2], [0, 1, 2]] = -np.inf
    return z


def as_finite(z: Array) -> Array:
    """Logits so large that sigmoid and softmax are 0 or 1, as they are at infinity."""
    return np.clip(z, -100_000, 100_000)


@dtypes
def test_cross_entropy_of_an_absent_class(dtype: str) -> None:
    """A logit of -inf off the label costs nothing; loss and gradient are those of the rest."""
    A, z, y = ARITHMETICS[dtype], infinite_logits(dtype), np.array([1, 2, 0, 1])
    bounds = bounds_of(A, "cross_entropy", as_finite(z), y)
    for run in (torch_of, ours_of):
        found = run("cross_entropy", z, y)
        require([judge(name, found[name], q, A) for name, q in bounds.items()], run.__name__)
        assert (found["g"][np.isinf(z)] == 0).all()


@dtypes
def test_cross_entropy_of_an_impossible_label(dtype: str) -> None:
    """A logit of -inf at the label makes the loss inf, here and there, and its gradient -1/n."""
    z, y = infinite_logits(dtype), np.array([0, 2, 0, 1])
    for run in (torch_of, ours_of):
        found = run("cross_entropy", z, y)
        assert found["loss"] == np.inf
        assert found["g"][0, 0] == -1 / 4


def require_nan_loss_alone(loss: str, z: Array, target: Array, A: Arithmetic) -> None:
    """PyTorch's loss is NaN, ours is right, and both gradients are within their bounds."""
    theirs, ours = torch_of(loss, z, target), ours_of(loss, z, target)
    bounds = bounds_of(A, loss, as_finite(z), target)
    assert np.isnan(theirs["loss"])
    require([judge("loss", ours["loss"], bounds["loss"], A)], "ours")
    for found in (theirs, ours):
        require([judge("g", found["g"], bounds["g"], A)], loss)


@dtypes
def test_pytorch_multiplies_an_infinite_logit_by_a_zero_target(dtype: str) -> None:
    """Probabilities that give an absent class 0: NaN from F.cross_entropy, finite here."""
    A, z = ARITHMETICS[dtype], infinite_logits(dtype)
    target = np.where(np.isinf(z), 0, 1 / 2).astype(dtype)
    target[3] = [0, 1 / 2, 1 / 2]
    require_nan_loss_alone("cross_entropy", z, target, A)


@dtypes
@pytest.mark.parametrize("sign", [-1, 1])
def test_pytorch_subtracts_infinities_in_binary_cross_entropy(sign: int, dtype: str) -> None:
    """A certain and right answer, logit inf for 1 or -inf for 0: NaN from PyTorch, 0 here."""
    A, z = ARITHMETICS[dtype], -sign * infinite_logits(dtype)
    target = (z > 0).astype(dtype)
    require_nan_loss_alone("binary_cross_entropy", z, target, A)


@dtypes
@losses
def test_nan_makes_the_loss_nan(loss: str, dtype: str) -> None:
    """One NaN logit: the loss is NaN, and the same entries of the gradient, here and there."""
    z = np.linspace(-2, 2, 12).reshape(4, 3).astype(dtype)
    z[2, 1] = np.nan
    target = target_of(loss, 4, 3, rng_of(loss), soft=False)
    target = target.astype(dtype) if target.ndim == 2 else target
    theirs, ours = torch_of(loss, z, target), ours_of(loss, z, target)
    assert np.isnan(theirs["loss"])
    assert np.isnan(ours["loss"])
    np.testing.assert_array_equal(np.isnan(theirs["g"]), np.isnan(ours["g"]))
    assert not np.isnan(theirs["g"][[0, 1, 3]]).any()
