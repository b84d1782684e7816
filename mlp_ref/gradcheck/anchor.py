"""Derivatives along a few directions of all parameters and inputs, through the whole forward pass.

They know nothing of how a gradient was assembled, and so anchor it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlp_ref.arithmetic import FLOAT64, Array
from mlp_ref.bounds import Bounded
from mlp_ref.gradcheck.assembled import row_terms
from mlp_ref.gradcheck.differences import Difference, central
from mlp_ref.gradcheck.estimates import COMPLEX_STEP, Method, complex_step
from mlp_ref.gradcheck.function import Report, compare
from mlp_ref.losses import Loss
from mlp_ref.model import MLP, Trace
from mlp_ref.parameters import Params

__all__ = ["anchor"]

_DIRECTIONS = 4
_SIGNS = np.array([-1.0, 1.0])


def anchor(
    model: MLP,
    params: Params,
    x: Array,
    loss: Loss,
    target: Array,
    method: Method,
    estimates: Mapping[str, Difference],
    noise: Array,
    allowed: Mapping[str, Bounded],
) -> Report:
    """Compare ``estimates`` with differences along directions of signs.

    The tolerance is the sum of those of all entries, and the error of the difference. ``noise`` is
    that of the loss of each row (n,), where the point is not rounded.
    """
    rng = np.random.default_rng(0)
    got, expected, tolerance = np.empty((3, _DIRECTIONS))
    names = [f"d{part}{k}" for k in range(len(params.layers)) for part in "Wb"]
    gradient = np.concatenate([estimates[name].value.ravel() for name in names])
    dx = estimates["dx"].value
    scale = float(np.abs(gradient).sum() + np.abs(dx).sum())
    own = sum(float(np.sum(3 * allowed[q].radius + estimates[q].error)) for q in [*names, "dx"])
    output, trace = model.forward(params, x)
    base, count = row_terms(loss, output, target)
    for k in range(_DIRECTIONS):
        signs, nudge = rng.choice(_SIGNS, params.flat.shape), rng.choice(_SIGNS, x.shape)
        along = _Along(model, params, x, loss, target, trace, signs, nudge)
        if method is complex_step:
            found = along.derivative()
        else:
            # the rounding of a parameter and of an input weighs less than that of their product
            rows = central(along, 0.0, base, 2 * noise, 1)
            found = Difference(rows.value.sum(), rows.error.sum())
        expected[k] = found.value / count
        got[k] = gradient @ signs + np.sum(dx * nudge)
        rounding = FLOAT64.gamma(gradient.size + x.size) * scale
        tolerance[k] = own + found.error / count + rounding
    no_kink = np.zeros(_DIRECTIONS, bool)
    return compare(got, expected, tolerance, no_kink, overflow=True, scale=scale)


@dataclass(frozen=True)
class _Along:
    """The loss of each row where all parameters follow ``signs`` and the inputs ``nudge``.

    Without Loss.value: whether probabilities sum to one was judged in the dtype they came in.
    """

    model: MLP
    params: Params
    x: Array
    loss: Loss
    target: Array
    trace: Trace
    signs: Array
    nudge: Array

    def __call__(self, shift: Array, moved: Array | None = None) -> Array:
        """Terms (n, 1) for a shift (1,); ``moved`` (1,) is raised to how far any z moves."""
        params = self.params.like(self.params.flat + shift * self.signs)
        output, trace = self.model.forward(params, self.x + shift * self.nudge)
        if moved is not None:
            for z, before in zip(trace.z, self.trace.z, strict=True):
                moved[0] = np.maximum(moved[0], np.abs(z - before).max())
        return row_terms(self.loss, output, self.target)[0][:, None]

    def derivative(self) -> Difference:
        """By a complex step down. Its error is of order h^2, which twice the step shows."""
        value, twice = (
            self(np.array([-1j * step])).sum().imag / -step
            for step in (COMPLEX_STEP, 2 * COMPLEX_STEP)
        )
        return Difference(value, np.abs(value - twice))
