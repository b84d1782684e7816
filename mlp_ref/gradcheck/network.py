"""Check every parameter of a network in a few matrix products per layer.

The gradient is assembled from differences with respect to the z_l (`mlp_ref.gradcheck.assembled`).
That takes dz/dW = a as given, so the check is anchored: a few directions in the space of all
parameters are differenced through the whole forward pass (`mlp_ref.gradcheck.anchor`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mlp_ref.arithmetic import FLOAT32, FLOAT64, Array
from mlp_ref.bounds import derive
from mlp_ref.checks import describe, fail
from mlp_ref.gradcheck.anchor import anchor
from mlp_ref.gradcheck.assembled import assemble, assembled_gradient, reach_of
from mlp_ref.gradcheck.estimates import COMPLEX_STEP, Method, complex_step
from mlp_ref.gradcheck.function import Report, Verdict, compare
from mlp_ref.gradcheck.kinks import one_sided, undecided
from mlp_ref.gradcheck.observed import observe
from mlp_ref.losses import Loss
from mlp_ref.model import MLP, Trace
from mlp_ref.parameters import Params

__all__ = ["Backward", "Expected", "NetworkReport", "by_name", "check_network", "expect"]

# gradients of the parameters and of the input, given parameters, trace and dL/da_L
Backward = Callable[[Params, Trace, Array], tuple[Params, Array | None]]


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
    method: Method = complex_step,
    points: int = 0,
) -> NetworkReport:
    """Compare the gradients of ``backward`` (default: `MLP.backward`) with differences.

    ``method`` is `complex_step`, or `central_differences`, which need no complex input and show
    about half of the digits. The steps are taken in float64 whatever the dtype of the parameters.

    The tolerance of a gradient in arithmetic A is its derived bound in A and, for the differences,
    twice that in float64: a forward derivative passes through as many roundings as a backward one,
    once for z and once for its derivative. Central differences add their own error, as observed.
    At a kink every unit is given its left derivative, and then its right one, in whatever direction
    it moves: an entry between the two is inconclusive unless it is the left one, and an entry
    outside is wrong, as everywhere else.

    ``points`` of 2 or more also observe the rounding noise, at so many points nearby (see
    `mlp_ref.gradcheck.observed`), each at the cost of a check: an entry within the tolerance that
    is off by more than this noise is inconclusive. Only so does a small mistake show in an entry
    that is a sum of terms which cancel.

    Raises `InputError` for another method or a single point, if an activation does not take the
    complex input of that method, or for the reasons that `MLP.forward`, `Loss.value` and
    `bounds.derive` raise it.
    """
    expected = expect(model, params, x, loss, target, backward, method=method, points=points)
    return expected.judge(_gradients(model, params, x, loss, target, backward))


def _gradients(
    model: MLP, params: Params, x: Array, loss: Loss, target: Array, backward: Backward | None
) -> dict[str, Array]:
    """What is to be judged, by name."""
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is undecided
        output, trace = model.forward(params, x)
        _, g = loss.value_and_grad(output, target)
        grads, dx = (backward or model.backward)(params, trace, g)
    fits = isinstance(grads, Params) and grads.sizes == model.sizes
    if not fits or not isinstance(dx, np.ndarray) or dx.shape != x.shape:
        fail(
            f"backward must return Params of sizes {model.sizes} and dL/dx of shape {x.shape}",
            f"{describe(grads)} and {describe(dx)}", "see MLP.backward",
        )  # fmt: skip
    return by_name(grads, dx)


def by_name(grads: Params, dx: Array) -> dict[str, Array]:
    """The tensors dx dW0 db0 dW1 ..."""
    found = {"dx": dx}
    for k, layer in enumerate(grads.layers):
        found |= {f"dW{k}": layer.W, f"db{k}": layer.b}
    return found


@dataclass(frozen=True)
class Expected:
    """What gradients are compared with; it does not depend on any backward pass.

    ``left``, ``right`` the estimates with the derivatives of that side at the kinks
    ``error``           that of the differences alone
    ``tolerance``       how far a correct gradient may be from them
    ``directions``      how the estimates compare with differences through the whole forward pass
    ``kinks``           the names of the units at a kink
    ``noise``           how far rounding moves a gradient away from them, where it was observed
    """

    left: Mapping[str, Array]
    right: Mapping[str, Array]
    error: Mapping[str, Array]
    tolerance: Mapping[str, Array]
    directions: Report
    kinks: tuple[str, ...]
    noise: Mapping[str, Array] | None = None

    def judge(self, got: Mapping[str, Array]) -> NetworkReport:
        """Compare gradients entry by entry."""
        with np.errstate(over="ignore", invalid="ignore"):
            reports = {name: self.compare(name, got[name]) for name in self.left}
        return NetworkReport(reports | {"directions": self.directions}, self.kinks)

    def compare(self, name: str, got: Array) -> Report:
        """Compare one tensor; what is not left, but between left and right, is excused."""
        left, right, tolerance = self.left[name], self.right[name], self.tolerance[name]
        off = np.abs(got - left)
        low, high = np.fmin(left, right) - tolerance, np.fmax(left, right) + tolerance
        between = np.asarray((off > tolerance) & (low <= got) & (got <= high))
        report = compare(got, left, tolerance, between, overflow=True)
        if self.noise is None or report.verdict is not Verdict.PASS:
            return report
        excess = off - self.error[name] - self.noise[name]
        beyond = np.where(excess > 0, excess, 0)
        count = np.count_nonzero(beyond)
        if not count:
            return report
        worst = np.unravel_index(beyond.argmax(), got.shape)
        return replace(
            report,
            verdict=Verdict.INCONCLUSIVE,
            reason=f"{count} of {got.size} entries may be rounding, but are off by more than noise",
            index=tuple(int(k) for k in worst),
            got=float(got[worst]),
            expected=float(left[worst]),
            error=float(off[worst]),
            tolerance=float(tolerance[worst]),
        )


def expect(
    model: MLP,
    params: Params,
    x: Array,
    loss: Loss,
    target: Array,
    backward: Backward | None = None,
    *,
    method: Method = complex_step,
    points: int = 0,
) -> Expected:
    """The estimates and tolerances of `check_network`, for as many gradients as there are to judge.

    ``backward`` is called only to observe its noise. Raises `InputError` as `check_network` does.
    """
    if points < 0 or points == 1:
        fail("points must be 0, or 2 or more", f"{points}", "observe the noise at 4 points")
    reach = reach_of(model, method)

    def residuals(params: Params, x: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        got = _gradients(model, params, x, loss, target, backward)
        found = assembled_gradient(model, params, x, loss, target, method=method)
        return {name: got[name] - found[name].value for name in got}, got

    # A complex step makes small numbers smaller: what underflows is divided by the step again.
    stepped = replace(FLOAT64, tiny=FLOAT64.tiny / COMPLEX_STEP)
    arithmetic = FLOAT32 if params.dtype == np.float32 else stepped
    with np.errstate(all="ignore"):  # what overflows is undecided
        allowed = derive(model, params, x, loss, target, arithmetic=arithmetic)
        wide, x64 = params.astype(np.float64), x.astype(np.float64)
        t64 = target.astype(np.float64) if target.dtype.kind == "f" else target
        z = [allowed[f"z{k}"] for k in range(len(model.activations))]
        kinks = [undecided(f, z_l) for f, z_l in zip(model.activations, z, strict=True)]
        touched = any(near.any() for near in kinks)
        sided = [
            one_sided(model, [z_l.value for z_l in z], kinks, side=side, reach=reach)
            for side in ((-1, 1) if touched else (-1,))
        ]
        (left, noise), *others = [assemble(s, wide, x64, loss, t64, method) for s in sided]
        right = others[0][0] if others else left
        error = {name: np.fmax(left[name].error, right[name].error) for name in left}
        tolerance = {q: allowed[q].bound + 2 * allowed[q].radius + error[q] for q in left}
        directions = anchor(sided[0], wide, x64, loss, t64, method, left, noise, allowed)
        observed = observe(residuals, params, x, points) if points else None
    return Expected(
        {name: found.value for name, found in left.items()},
        {name: found.value for name, found in right.items()},
        error,
        tolerance,
        directions,
        tuple(f"z{k}[{i}, {j}]" for k, near in enumerate(kinks) for i, j in np.argwhere(near)),
        observed,
    )
