"""Faults of sums and means: over samples, over outputs, over shards of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.making import for_losses, reduced
from mlp_ref.faults.parts import RIGHT, Parts

__all__ = ["REDUCTION_FAULTS", "fixed_batch", "mean_of_means"]

_CROSS_ENTROPY = "cross_entropy"
_SHARD = 2  # rows of a shard; the last one has what remains
_BATCH = 32  # the batch size of a configuration


def _shards(x: Array, size: int) -> list[Array]:
    return [x[k : k + size] for k in range(0, len(x), size)]


def _means_of_shards(g: Array, count: int, size: int = _SHARD) -> Array:
    """The gradient of each shard's own mean."""
    entries = count // len(g)
    return np.concatenate([shard / (len(shard) * entries) for shard in _shards(g, size)])


def mean_of_means(size: int) -> Parts:
    """The mean over shards of the mean of each, and its gradient."""

    def value(x: Array, count: int) -> Any:
        means = [shard.sum() / (len(shard) * (count // len(x))) for shard in _shards(x, size)]
        return np.mean(means, dtype=x.dtype)

    def gradient(g: Array, count: int) -> Array:
        return _means_of_shards(g, count, size) / len(_shards(g, size))

    return reduced(value, gradient)


def _of_first_shard(x: Array, count: int) -> Any:
    shard = x[: (len(x) + 1) // 2]
    return shard.sum() / (len(shard) * (count // len(x)))


def _running(x: Array, count: int) -> Any:
    """m = (m + l_i) / 2 over the rows, m = l_0 first."""
    rows = x.reshape(len(x), -1).mean(axis=1)
    mean = rows[0]
    for row in rows[1:]:
        mean = (mean + row) / 2
    return mean


def _without_last(x: Array, count: int) -> Array:
    """A row of zeros for the last one of several, and the mean over the others."""
    if len(x) == 1:
        return x / count
    kept = x / (count // len(x) * (len(x) - 1))
    kept[-1] = 0
    return kept


def _pairs_only(x: Array, count: int) -> Array:
    """A row of zeros for the last one of an odd number."""
    kept = x / count
    kept[len(x) // 2 * 2 :] = 0
    return kept


def _per_row(x: Array, count: int) -> Any:
    return x.sum() / len(x)


def _over_classes() -> Parts:
    """Cross-entropy, divided by n C for n."""
    return for_losses(
        {_CROSS_ENTROPY: lambda z, y: RIGHT.loss(_CROSS_ENTROPY, z, y) / z.shape[1]},
        {_CROSS_ENTROPY: lambda z, y: RIGHT.loss_gradient(_CROSS_ENTROPY, z, y) / z.shape[1]},
    )


def _both(rows: Any) -> Parts:
    """The loss and the gradient of the rows that ``rows(x, count)`` leaves, divided already."""
    return reduced(lambda x, count: rows(x, count).sum(), rows)


def fixed_batch(n: float) -> Parts:
    """The loss and the gradient, divided by a batch of n rows, whatever there are."""
    return _both(lambda x, count: x / x.dtype.type(n * (count // len(x))))


REDUCTION_FAULTS = (
    Fault(
        "reduction-loss-summed", "reduction", "The loss is n times the reference.",
        "L = sum l_i, with the gradient of the mean",
        "Sum for mean in the report; training is right, and the loss grows with the batch.",
        "terms.mean()",
        parts=reduced(lambda x, count: x.sum()),
    ),
    Fault(
        "reduction-gradient-summed", "reduction", "Every gradient is n times the reference.",
        "g = sum over the batch, while the loss is the mean",
        "1/n is forgotten in the backward pass: the learning rate hides it, for one batch size.",
        "Divide g by the number that the loss is divided by.",
        parts=reduced(gradient=lambda g, count: g),
        seen="https://github.com/eriklindernoren/ML-From-Scratch/pull/135",
    ),
    Fault(
        "reduction-both-summed", "reduction", "Loss and gradients grow with the batch.",
        "L = sum l_i, and its gradient",
        "Consistent, so that a gradient check passes, but not the mean that was asked for.",
        "terms.mean()",
        parts=reduced(lambda x, count: x.sum(), lambda g, count: g),
        seen="https://github.com/jax-ml/jax/pull/3113",
    ),
    Fault(
        "reduction-loss-averaged-twice", "reduction", "The loss is 1/n of the reference.",
        "L = mean(l) / n",
        "A mean is divided by the batch size once more, in the loop that reports it.",
        "terms.mean()",
        parts=reduced(lambda x, count: x.sum() / count / len(x)),
    ),
    Fault(
        "reduction-gradient-averaged-twice", "reduction", "Every gradient is 1/n of the reference.",
        "g = gradient of the mean, divided by n again",
        "The loss averages and the optimizer averages, too; a batch of one is right.",
        "Divide by n once.",
        parts=reduced(gradient=lambda g, count: g / count / len(g)),
    ),
    Fault(
        "reduction-rows-for-entries", "reduction", "With C outputs all is C times the reference.",
        "L = sum / n, where the mean is over n C entries",
        "Sum over features, mean over the batch; with one output it is the same.",
        "Divide by z.size.",
        parts=reduced(_per_row, lambda g, count: g / len(g)),
    ),
    Fault(
        "reduction-rows-in-gradient", "reduction", "With C outputs g is C times the reference.",
        "L = mean over n C entries, g = gradient of the sum / n",
        "The loss is np.mean, the gradient is divided by len(x).",
        "Divide by z.size.",
        parts=reduced(gradient=lambda g, count: g / len(g)),
    ),
    Fault(
        "reduction-entries-for-rows", "reduction", "The cross-entropy is 1/C of the reference.",
        "L = -sum t log p / (n C), and its gradient",
        "np.mean of the matrix t log p also averages over the classes.",
        "-(t * log_p).sum(axis=1).mean()",
        parts=_over_classes(),
    ),
    Fault(
        "reduction-fixed-batch", "reduction", "All is n/32 of the reference.",
        "L = sum / 32, and its gradient",
        "The configured batch size divides, also where the last batch is smaller.",
        "Divide by len(x).",
        parts=fixed_batch(_BATCH),
        seen="https://github.com/huggingface/transformers/issues/6969",
    ),
    Fault(
        "reduction-one-less", "reduction", "All is n / (n - 1) times the reference.",
        "L = sum / (n - 1), and its gradient",
        "The divisor of a sample variance, or the last index taken for the length.",
        "Divide by n.",
        parts=_both(lambda x, count: x / (np.float64(count) - count // len(x)).astype(x.dtype)),
    ),
    Fault(
        "reduction-mean-of-means", "reduction", "Samples of the smaller shard weigh more.",
        "L = mean over shards of the mean of each, of shards of 2 rows and a rest",
        "Right as long as all shards are equal, which the last one seldom is.",
        "Sum over all shards / number of all samples.",
        parts=mean_of_means(_SHARD),
        seen="https://github.com/huggingface/transformers/pull/34191",
    ),
    Fault(
        "reduction-means-summed", "reduction", "The gradient grows with the number of shards.",
        "g = sum over shards of the gradient of each mean, of shards of 2 rows and a rest",
        "Gradients are accumulated over micro-batches, and not divided by their number.",
        "Sum over all shards / number of all samples.",
        parts=reduced(gradient=_means_of_shards),
    ),
    Fault(
        "reduction-divided-by-processes", "reduction", "Every gradient is half of the reference.",
        "g = gradient of the mean / 2, of two processes",
        "The loss is divided by the number of processes, which the exchange does already.",
        "Divide once.",
        parts=reduced(gradient=lambda g, count: g / count / 2),
    ),
    Fault(
        "reduction-loss-of-first-shard", "reduction", "The loss ignores half of the batch.",
        "L = mean over the first half of the rows; g of all",
        "Every process trains, and the first one reports its own loss.",
        "average the loss over all processes",
        parts=reduced(_of_first_shard),
    ),
    Fault(
        "reduction-last-sample", "reduction", "The last sample of a batch does not count.",
        "L = mean over rows 0 ... n - 2, and its gradient",
        "A loop to n - 1, exclusive.",
        "range(n)",
        parts=_both(_without_last),
    ),
    Fault(
        "reduction-odd-sample", "reduction", "The last sample of an odd batch has no gradient.",
        "the sums run over n // 2 pairs, and are divided by n",
        "An unrolled loop without the rest; even batches are right.",
        "Add what remains after the pairs.",
        parts=_both(_pairs_only),
    ),
    Fault(
        "reduction-integer-division", "reduction", "Every gradient is 0, but for a batch of one.",
        "g = (1 // n) sum",
        "1 / n of two integers is 0 in C and in Python 2.",
        "1.0 / n",
        parts=reduced(gradient=lambda g, count: g * (1 // count)),
    ),
    Fault(
        "reduction-running-mean", "reduction", "Late samples weigh more in the loss.",
        "m = (m + l_i) / 2 over the samples",
        "Meant as a running mean; for two samples it is the mean.",
        "m += (l_i - m) / (i + 1)",
        parts=reduced(_running),
    ),
    Fault(
        "reduction-nonzero-terms", "reduction", "Samples without loss do not count.",
        "L = sum / number of terms that are not 0, with the gradient of the mean",
        "A mask for padding is guessed from the terms.",
        "Count the samples.",
        parts=reduced(lambda x, count: x.sum() / np.count_nonzero(x) / (count / x.size)),
    ),
    Fault(
        "reduction-bias-averaged", "reduction", "db is 1/n of the reference, dW is right.",
        "db = mean of dz, where dz holds 1/n already",
        "x.T @ dz sums over the batch by itself, and db is written with another function.",
        "dz.sum(axis=0)",
        parts=RIGHT._replace(bias_gradient=lambda dz: dz.mean(axis=0)),
    ),
    Fault(
        "reduction-bias-first-row", "reduction", "db is the gradient of one sample.",
        "db = dz[0]",
        "The bias is added to each row; the sum over them is forgotten.",
        "dz.sum(axis=0)",
        parts=RIGHT._replace(bias_gradient=lambda dz: dz[0].copy()),
    ),
    Fault(
        "reduction-bias-of-all-outputs", "reduction", "All entries of db are equal.",
        "db = sum of dz over samples and outputs",
        "np.sum without an axis is a number, which is broadcast into the bias.",
        "dz.sum(axis=0)",
        parts=RIGHT._replace(bias_gradient=lambda dz: np.full_like(dz[0], dz.sum())),
    ),
    Fault(
        "reduction-layers-averaged-again", "reduction", "dW and db are 1/n of the reference.",
        "dW = x^T dz / n and db = sum dz / n, where dz holds 1/n already",
        "Each layer averages, and the loss does, too.",
        "x.T @ dz and dz.sum(axis=0)",
        parts=RIGHT._replace(
            weight_gradient=lambda x, dz: x.T @ dz / len(x),
            bias_gradient=lambda dz: dz.sum(axis=0) / len(dz),
        ),
    ),
    Fault(
        "reduction-input-gradient-averaged", "reduction", "Gradients shrink by 1/n in each layer.",
        "dx = dz W^T / n",
        "dx belongs to one sample, and nothing is to be averaged.",
        "dz @ W.T",
        parts=RIGHT._replace(input_gradient=lambda dz, W: dz @ W.T / len(dz)),
    ),
    Fault(
        "reduction-mean-input", "reduction", "dW has rank one.",
        "dW = mean(x)^T sum(dz)",
        "The batch is averaged before the product; a batch of one is right.",
        "x.T @ dz",
        parts=RIGHT._replace(
            weight_gradient=lambda x, dz: np.outer(x.mean(axis=0), dz.sum(axis=0))
        ),
    ),
)  # fmt: skip
