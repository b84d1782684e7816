"""The gradient of a network from differences, assembled in a few matrix products per layer.

Each unit j of a layer l is shifted for all samples at once. The rows of a batch do not influence
each other, so the terms of the loss give d_l[:, j] = dL/dz_l[:, j] without a backward pass. Then

    dW_l = a_{l-1}^T d_l,    db_l = sum_rows d_l,    dx = d_0 W_0^T

as the chain rule says for z = a W + b. A shift of z_l[:, j] changes a_l[:, j] alone, so z_{l+1}
changes by a product of rank one: that of its change and row j of W_{l+1}.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlp_ref.activations import Elementwise
from mlp_ref.arithmetic import FLOAT64, Array
from mlp_ref.checks import describe, fail
from mlp_ref.dense import affine
from mlp_ref.gradcheck.differences import REACH, Difference, central, from_complex
from mlp_ref.gradcheck.estimates import Method, central_differences, complex_step
from mlp_ref.gradcheck.kinks import OneSided, one_sided
from mlp_ref.losses import Loss
from mlp_ref.model import MLP, Trace
from mlp_ref.parameters import Params

__all__ = ["assemble", "assembled_gradient", "reach_of", "row_terms"]

_ENTRIES_AT_ONCE = 1 << 15  # a stack of half a megabyte stays in cache


def assembled_gradient(
    model: MLP,
    params: Params,
    x: Array,
    loss: Loss,
    target: Array,
    *,
    method: Method = complex_step,
) -> dict[str, Difference]:
    """The derivatives ``dW0 db0 dW1 ... dx`` of the mean loss, each with the error of differences.

    ``method`` is `complex_step`, whose error is rounding alone (0 here: `mlp_ref.bounds` knows it),
    or `central_differences`; see `mlp_ref.gradcheck.differences` for both. They are evaluated in
    float64 at the z_l of a forward pass. At a kink the left derivative is taken.

    Raises `InputError` for another method, for an activation that does not take the complex input
    of that method, and as `MLP.forward` and `Loss.value` do.
    """
    reach = reach_of(model, method)
    wide, x64 = params.astype(np.float64), x.astype(np.float64)
    output, trace = model.forward(wide, x64)
    loss.check(output.astype(params.dtype), target)
    t64 = target.astype(np.float64) if target.dtype.kind == "f" else target
    at = [
        np.isin(z, f.kinks) if isinstance(f, Elementwise) else np.zeros(z.shape, bool)
        for f, z in zip(model.activations, trace.z, strict=True)
    ]
    with np.errstate(all="ignore"):  # what overflows has no derivative
        sided = one_sided(model, trace.z, at, side=-1, reach=reach)
        return assemble(sided, wide, x64, loss, t64, method)[0]


def reach_of(model: MLP, method: Method) -> float:
    """How far the method moves any z_l; requires that the model and it fit."""
    if method is central_differences:
        return 2 * REACH
    if method is not complex_step:
        fail(
            "the method must be complex_step or central_differences",
            describe(method), "use check_gradient on the flat parameters for another one",
        )  # fmt: skip
    for f in model.activations:
        if isinstance(f, Elementwise) and not f.complex_step:
            fail(
                "complex steps need activations that take complex input",
                describe(f), "use method=central_differences",
            )  # fmt: skip
    return 0.0


def assemble(
    model: MLP, params: Params, x: Array, loss: Loss, target: Array, method: Method
) -> tuple[dict[str, Difference], Array]:
    """Every gradient, layer by layer from the last, and the noise (n,) of a row's loss.

    The noise is what one rounding of every z_l, of the size of the terms it is a sum of, and one
    of the loss leave; with h it says how well a difference can be known.
    """
    output, trace = model.forward(params, x)
    base, count = row_terms(loss, output, target)
    variance = np.square(FLOAT64.u * base)
    found: dict[str, Difference] = {}
    for k in reversed(range(len(params.layers))):
        before, (W, b), z = trace.a[k - 1] if k else x, params.layers[k], trace.z[k]
        tail, units = _Tail(model, params, trace, k, loss, target), z.shape[1]
        if method is complex_step:
            d = from_complex(tail, units)
        else:
            d = central(tail, z, base, np.sqrt(variance), units)
        sizes = np.abs(before) @ np.abs(W) + np.abs(b)
        variance = variance + np.square(FLOAT64.u * d.value * sizes).sum(axis=1)
        d = Difference(d.value / count, d.error / count)
        own = {
            f"dW{k}": Difference(before.T @ d.value, np.abs(before.T) @ d.error),
            f"db{k}": Difference(d.value.sum(axis=0), d.error.sum(axis=0)),
        }
        if k == 0:
            own["dx"] = Difference(d.value @ W.T, d.error @ np.abs(W.T))
        found = own | found
    return found, np.sqrt(variance)


def row_terms(loss: Loss, output: Array, target: Array) -> tuple[Array, int]:
    """The sum of the terms of each row, and what the mean divides their sum by."""
    terms, count, _ = loss.parts(output, target)
    return terms.reshape(len(output), -1).sum(axis=1), count


@dataclass(frozen=True)
class _Tail:
    """The layers from the units of z_k on, as a function of a shift of each unit."""

    model: MLP
    params: Params
    trace: Trace
    k: int
    loss: Loss
    target: Array

    def __call__(self, shift: Array, moved: Array | None = None) -> Array:
        """The loss of each row (n, units) where unit j alone is shifted by shift[j].

        ``moved`` (units,) is raised to how far any later z moves.
        """
        z, f = self.trace.z[self.k], self.model.activations[self.k]
        n, units = z.shape
        rows = np.empty((n, units), shift.dtype)
        last = len(self.params.layers) - 1
        alone = isinstance(f, Elementwise | OneSided) and self.k < last
        change = f.value(z + shift) - self.trace.a[self.k] if alone else None  # (n, units)
        at_once = max(1, _ENTRIES_AT_ONCE // (n * max(self.model.sizes[self.k + 1 + alone :])))
        for start in range(0, units, at_once):
            chosen = slice(start, min(start + at_once, units))
            count = chosen.stop - start
            if change is None:
                stack = np.broadcast_to(z, (count, n, units)).astype(shift.dtype)
                stack[np.arange(count), :, np.arange(units)[chosen]] += shift[chosen, None]
            else:
                W = self.params.layers[self.k + 1].W[chosen]  # (count, n_{k+2})
                stack = np.einsum("ij,jc->jic", change[:, chosen], W)
                stack += self.trace.z[self.k + 1]
            for k in range(self.k + alone, last + 1):
                if moved is not None and k > self.k:
                    far = np.abs(stack.reshape(count, n, -1) - self.trace.z[k]).max(axis=(1, 2))
                    moved[chosen] = np.maximum(moved[chosen], far)
                a = self.model.activations[k].value(stack.reshape(count * n, -1))
                stack = affine(self.params.layers[k + 1], a) if k < last else a
            terms, _ = row_terms(self.loss, stack, np.concatenate([self.target] * count))
            rows[:, chosen] = terms.reshape(count, n).T
        return rows
