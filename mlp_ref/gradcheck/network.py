"""Check every parameter of a network in a few matrix products per layer.

For each layer l and each of its units j, z_l[:, j] is shifted for all samples at once. The rows of
a batch do not influence each other, so the terms of the loss give d_l[:, j] = dL/dz_l[:, j] without
a backward pass. Then dW_l = a_{l-1}^T d_l, db_l = sum d_l and dx = d_0 W_0^T, as the chain rule
says for z = a W + b. That takes dz/dW = a as given, so the check is anchored: a few directions in
the space of all parameters are differenced through the whole forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlp_ref.activations import Activation, Elementwise
from mlp_ref.arithmetic import FLOAT32, FLOAT64, Array
from mlp_ref.bounds import Bounded, derive
from mlp_ref.checks import describe, fail
from mlp_ref.gradcheck.estimates import COMPLEX_STEP
from mlp_ref.gradcheck.function import Report, Verdict, compare
from mlp_ref.losses import Loss
from mlp_ref.model import MLP, Trace
from mlp_ref.parameters import Params

__all__ = ["Backward", "NetworkReport", "check_network"]

# gradients of the parameters and of the input, given parameters, trace and dL/da_L
Backward = Callable[[Params, Trace, Array], tuple[Params, Array | None]]
_DIRECTIONS = 4
_ROWS_AT_ONCE = 1 << 14  # keeps the stacked forward passes in cache


@dataclass(frozen=True)
class NetworkReport:
    """A report per tensor (dW0, db0, ..., dx, and ``directions``), and the verdict of them all.

    ``kinks`` names units whose z is exactly at a kink, or within rounding error of one.
    """

    reports: Mapping[str, Report]
    kinks: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """Fail before inconclusive before pass."""
        found = {report.verdict for report in self.reports.values()}
        order = (Verdict.FAIL, Verdict.INCONCLUSIVE)
        return next((verdict for verdict in order if verdict in found), Verdict.PASS)


def check_network(
    model: MLP,
    params: Params,
    x: Array,
    loss: Loss,
    target: Array,
    *,
    backward: Backward | None = None,
) -> NetworkReport:
    """Compare the gradients of ``backward`` (default: `MLP.backward`) with complex steps.

    The steps are taken in float64 whatever the dtype of the parameters. The tolerance of a gradient
    in arithmetic A is its derived bound in A and, for the differences, twice that in float64: a
    forward derivative passes through as many roundings as a backward one, once for z and once for
    its derivative. At a kink every unit is given its left derivative, and then its right one, in
    whatever direction it moves: an entry between the two is inconclusive unless it is the left
    one, and an entry outside is wrong, as everywhere else.

    Raises `InputError` if an activation does not take complex input, or for the reasons that
    `MLP.forward`, `Loss.value` and `bounds.derive` raise it.
    """
    for f in model.activations:
        if isinstance(f, Elementwise) and not f.complex_step:
            fail(
                "check_network needs activations that take complex input",
                describe(f), "use check_gradient with central_differences on the flat parameters",
            )  # fmt: skip
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is undecided
        return _check(model, params, x, loss, target, backward or model.backward)


def _check(
    model: MLP, params: Params, x: Array, loss: Loss, target: Array, backward: Backward
) -> NetworkReport:
    # A complex step makes small numbers smaller: what underflows is divided by the step again.
    stepped = replace(FLOAT64, tiny=FLOAT64.tiny / COMPLEX_STEP)
    arithmetic = FLOAT32 if params.dtype == np.float32 else stepped
    allowed = derive(model, params, x, loss, target, arithmetic=arithmetic)
    output, trace = model.forward(params, x)
    _, g = loss.value_and_grad(output, target)
    grads, dx = backward(params, trace, g)
    fits = isinstance(grads, Params) and grads.sizes == model.sizes
    if not fits or not isinstance(dx, np.ndarray) or dx.shape != x.shape:
        fail(
            f"backward must return Params of sizes {model.sizes} and dL/dx of shape {x.shape}",
            f"{describe(grads)} and {describe(dx)}", "see MLP.backward",
        )  # fmt: skip
    wide, x64 = params.astype(np.float64), x.astype(np.float64)
    t64 = target.astype(np.float64) if target.dtype.kind == "f" else target
    kinks = {k: _kinks(f, allowed[f"z{k}"]) for k, f in enumerate(model.activations)}
    touched = any(near.any() for near in kinks.values())
    sides = [_one_sided(model, kinks, side) for side in (-1, 1)] if touched else [model]
    estimates, *others = [_assemble(side, wide, x64, loss, t64) for side in sides]
    got = {"dx": dx}
    for k, layer in enumerate(grads.layers):
        got |= {f"dW{k}": layer.W, f"db{k}": layer.b}
    reports = {}
    for name, left in estimates.items():
        tolerance = _tolerance(allowed[name])
        right = others[0][name] if touched else left
        between = _between(got[name], left, right, tolerance)
        reports[name] = compare(got[name], left, tolerance, between, overflow=True)
    reports["directions"] = _anchor(sides[0], wide, x64, loss, t64, estimates, allowed)
    names = tuple(f"z{k}[{i}, {j}]" for k, near in kinks.items() for i, j in np.argwhere(near))
    return NetworkReport(reports, names)


def _between(got: Array, left: Array, right: Array, tolerance: Array) -> Array:
    """Where an entry is not the left derivative, but lies between that and the right one."""
    low, high = np.fmin(left, right) - tolerance, np.fmax(left, right) + tolerance
    return np.asarray((np.abs(got - left) > tolerance) & (low <= got) & (got <= high))


def _tolerance(q: Bounded) -> Array:
    return np.asarray(q.bound + 2 * q.radius)


def _assemble(model: MLP, params: Params, x: Array, loss: Loss, target: Array) -> dict[str, Array]:
    """Every gradient from differences with respect to z, layer by layer."""
    _, trace = model.forward(params, x)
    estimates: dict[str, Array] = {}
    for k, layer in enumerate(params.layers):
        d = _unit_derivatives(model, params, k, trace.z[k], loss, target)  # (n, n_{k+1})
        before = trace.a[k - 1] if k else x
        estimates |= {f"dW{k}": before.T @ d, f"db{k}": d.sum(axis=0)}
        if k == 0:
            estimates["dx"] = d @ layer.W.T
    return estimates


def _unit_derivatives(
    model: MLP, params: Params, k: int, z: Array, loss: Loss, target: Array
) -> Array:
    """dL/dz_k (n, units): shift one unit of every row, for as many units at once as fit."""
    n, units = z.shape
    d = np.empty((n, units))
    at_once = max(1, _ROWS_AT_ONCE // n)
    for start in range(0, units, at_once):
        chosen = np.arange(start, min(start + at_once, units))
        stack = np.broadcast_to(z, (len(chosen), n, units)).astype(np.complex128)
        stack[np.arange(len(chosen)), :, chosen] -= 1j * COMPLEX_STEP  # down: left of a kink
        a = model.activations[k].value(stack.reshape(-1, units))
        for layer, f in zip(params.layers[k + 1 :], model.activations[k + 1 :], strict=True):
            a = f.value(a @ layer.W + layer.b)
        repeated = np.concatenate([target] * len(chosen))
        with np.errstate(over="ignore"):
            terms, count, _ = loss.parts(a, repeated)
        rows = terms.reshape(len(chosen), n, -1).sum(axis=2).imag  # (units, n)
        d[:, chosen] = rows.T * (-len(chosen) / (COMPLEX_STEP * count))
    return d


def _kinks(f: Activation, z: Bounded) -> NDArray[np.bool_]:
    """Which entries of z are at a kink, or may be.

    Where all parameters move together z moves by the square of the step, which is far below it.
    """
    near = np.zeros(z.value.shape, bool)
    for kink in f.kinks if isinstance(f, Elementwise) else ():
        near |= np.abs(z.value - kink) <= z.allowed + COMPLEX_STEP
    return near


@dataclass(frozen=True)
class _OneSided:
    """An activation whose derivative at the entries ``near`` a kink is that of one side of it.

    A step of one unit moves the units of later layers in either direction, so that at a kink the
    direction would choose the side, and which one differs from unit to unit.
    """

    f: Elementwise
    near: NDArray[np.bool_]
    side: int

    @property
    def name(self) -> str:
        """That of f."""
        return self.f.name

    def value(self, x: Array, out: Array | None = None) -> Array:
        """f(z), with the chosen derivative times Im z for its imaginary part near a kink."""
        a = self.f.value(x, out)
        if not np.iscomplexobj(x):
            return a
        near = np.tile(self.near, (len(x) // len(self.near), 1))
        kinks = np.array(self.f.kinks)
        z = x[near]
        closest = kinks[np.abs(z.real[:, None] - kinks).argmin(axis=1)]
        beside = np.nextafter(closest, self.side * np.inf) + 1j * COMPLEX_STEP
        slope = self.f.value(beside).imag / COMPLEX_STEP
        a[near] = a[near].real + 1j * z.imag * slope
        return a

    def vjp(self, g: Array, x: Array, y: Array) -> Array:
        """That of f, which takes the left derivative."""
        return self.f.vjp(g, x, y)


def _one_sided(model: MLP, kinks: Mapping[int, NDArray[np.bool_]], side: int) -> MLP:
    """The network with the derivatives of one side at the kinks that are touched."""
    activations = [
        _OneSided(f, kinks[k], side) if isinstance(f, Elementwise) and kinks[k].any() else f
        for k, f in enumerate(model.activations)
    ]
    return MLP(model.sizes, tuple(activations))


def _anchor(
    model: MLP,
    params: Params,
    x: Array,
    loss: Loss,
    target: Array,
    estimates: Mapping[str, Array],
    allowed: Mapping[str, Bounded],
) -> Report:
    """The derivative along a few directions of signs, by two complex forward passes each.

    All parameters move together, so the error of the step is of order h^2; twice the step shows it.
    """
    rng = np.random.default_rng(0)
    got, expected, tolerance = np.empty((3, _DIRECTIONS))
    names = [f"d{part}{k}" for k in range(len(params.layers)) for part in "Wb"]
    gradient = np.concatenate([estimates[name].ravel() for name in names])
    bound = np.concatenate([_tolerance(allowed[name].reference).ravel() for name in names])
    scale = float(np.abs(gradient).sum() + np.abs(estimates["dx"]).sum())
    for k in range(_DIRECTIONS):
        signs, nudge = rng.choice([-1.0, 1.0], params.flat.shape), rng.choice([-1.0, 1.0], x.shape)
        expected[k], twice = (
            _along(model, params, x, loss, target, signs, nudge, step)
            for step in (COMPLEX_STEP, 2 * COMPLEX_STEP)
        )
        got[k] = gradient @ signs + np.sum(estimates["dx"] * nudge)
        rounding = FLOAT64.gamma(gradient.size + x.size) * scale
        tolerance[k] = bound.sum() + _tolerance(allowed["dx"].reference).sum() + rounding
        tolerance[k] += abs(expected[k] - twice)
    no_kink = np.zeros(_DIRECTIONS, bool)
    return compare(got, expected, tolerance, no_kink, overflow=True, scale=scale)


def _along(
    model: MLP,
    params: Params,
    x: Array,
    loss: Loss,
    target: Array,
    signs: Array,
    nudge: Array,
    step: float,
) -> float:
    """The derivative of the mean loss along ``signs`` and ``nudge``, by one complex step down.

    Without Loss.value: whether probabilities sum to one was judged in the dtype they came in.
    """
    shifted = params.like(params.flat - 1j * step * signs)
    output, _ = model.forward(shifted, x - 1j * step * nudge)
    with np.errstate(over="ignore"):
        terms, count, _ = loss.parts(output, target)
    return float(-terms.sum().imag / (step * count))
