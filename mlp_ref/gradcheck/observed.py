"""The rounding noise of a gradient minus its estimate, as it is observed.

A derived bound holds for every usual formula and order of summation, and is a thousand times what
one implementation does to one network. The difference of two computed gradients is nothing but
noise, unless one is wrong, and a mistake is the same at points that lie close together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.gradcheck.noise import quantile, unit_roundoff
from mlp_ref.parameters import Params

__all__ = ["Residuals", "observe"]

# gradient minus estimate, and the gradient, by the names of the tensors
Residuals = Callable[[Params, Array], tuple[Mapping[str, Array], Mapping[str, Array]]]


def observe(residuals: Residuals, params: Params, x: Array, points: int) -> dict[str, Array]:
    """How far rounding moves each entry, but for one check in a million.

    All parameters and inputs move by up to the square root of their unit roundoff, relative to
    themselves: every rounding falls anew, and a mistake stays what it is to half of its digits.
    The noise is the standard deviation of an entry over the ``points``, plus the pooled one of its
    tensor and the rounding of its largest entry, times the normal quantile.
    """
    rng, u = np.random.default_rng(0), unit_roundoff(x)

    def nearby(values: Array) -> Array:
        return np.asarray(values * (1 + u**0.5 * rng.uniform(-1, 1, values.shape)), values.dtype)

    samples = [residuals(params.like(nearby(params.flat)), nearby(x)) for _ in range(points)]
    entries = sum(entry.size for entry in samples[0][1].values())
    noise: dict[str, Array] = {}
    for name, gradient in samples[0][1].items():
        deviation = np.std([found[name] for found, _ in samples], axis=0, ddof=1)
        pooled = np.sqrt(np.mean(np.square(deviation))) + u * np.abs(gradient).max()
        noise[name] = quantile(entries) * (deviation + pooled)
    return noise
