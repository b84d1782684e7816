"""The gradient check of a network: every parameter, anchored, and wrong backward passes."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from mlp_ref import ACTIVATIONS, IDENTITY, LOSSES, MLP, RELU, TANH, Params
from mlp_ref.arithmetic import FLOAT32
from mlp_ref.checks import InputError
from mlp_ref.gradcheck import (
    Verdict,
    central_differences,
    check_gradient,
    check_network,
    complex_step,
)
from mlp_ref.gradcheck.kinks import one_sided
from mlp_ref.losses import CROSS_ENTROPY, SQUARED_ERROR

PAIRS = list(product(ACTIVATIONS, LOSSES))


def problem(name, loss, dtype=np.float64, sizes=(4, 5, 3, 2), n=6):
    """A small network with data whose z keep away from 0."""
    rng = np.random.default_rng(sum(map(ord, name + loss)))
    model = MLP(sizes, (ACTIVATIONS[name],) * (len(sizes) - 2) + (IDENTITY,))
    params = Params(rng.standard_normal(Params.count(sizes)).astype(dtype), sizes)
    x = rng.standard_normal((n, sizes[0])).astype(dtype)
    if loss == "cross_entropy":
        return model, params, x, LOSSES[loss], rng.integers(0, sizes[-1], n)
    target = rng.uniform(size=(n, sizes[-1])).astype(dtype)
    return model, params, x, LOSSES[loss], target


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("name", "loss"), PAIRS)
def test_the_reference_passes(name, loss, dtype) -> None:
    """MLP.backward passes for every activation and loss in both precisions, every tensor judged."""
    report = check_network(*problem(name, loss, dtype))
    assert report.verdict is Verdict.PASS, report.reports
    assert set(report.reports) == {"dW0", "db0", "dW1", "db1", "dW2", "db2", "dx", "directions"}
    assert not report.kinks


@pytest.mark.parametrize(("name", "loss"), PAIRS)
def test_the_assembled_check_is_anchored_exhaustively(name, loss) -> None:
    """On a toy network every parameter is differenced on its own, through all of forward."""
    model, params, x, loss, target = problem(name, loss, sizes=(2, 3, 2), n=3)
    output, trace = model.forward(params, x)
    grads, _ = model.backward(params, trace, loss.value_and_grad(output, target)[1])

    def f(flat):
        return loss.value(model.forward(params.like(flat), x.astype(flat.dtype))[0], target)

    report = check_gradient(f, params.flat, grads.flat, method=complex_step)
    assert report.verdict is Verdict.PASS, str(report)
    assert check_network(model, params, x, loss, target).verdict is Verdict.PASS


def mutations(model):
    """Wrong backward passes by name."""

    def after(change):
        def backward(params, trace, g):
            grads, dx = model.backward(params, trace, g)
            return change(grads.copy(), dx.copy())

        return backward

    def entry(layer, part, index, relative):
        def change(grads, dx):
            grads.layers[layer][part][index] *= 1 + relative
            return grads, dx

        return after(change)

    def summed(grads, dx):
        return grads.like(grads.flat * 6), dx * 6

    def no_bias(grads, dx):
        grads.layers[1].b[:] = 0
        return grads, dx

    def last_row_lost(params, trace, g):
        g = g.copy()
        g[-1] = 0
        return model.backward(params, trace, g)

    def slope_of_a(params, trace, g):
        return model.backward(params, trace._replace(z=trace.a), g)

    return {
        "summed over the batch": after(summed),
        "bias gradient dropped": after(no_bias),
        "last sample ignored": last_row_lost,
        "slope taken at a": slope_of_a,
        "dx wrong": after(lambda grads, dx: (grads, -dx)),
        "NaN": after(lambda grads, dx: (grads.like(grads.flat * np.nan), dx)),
        "one weight off by 1e-8": entry(0, 0, (1, 2), 1e-8),
        "one bias off by 1e-8": entry(2, 1, (1,), 1e-8),
    }


@pytest.mark.parametrize("mistake", mutations(MLP((1, 1), (IDENTITY,))))
def test_a_wrong_backward_fails(mistake) -> None:
    """Each wrong backward pass is rejected, down to one entry that is off by a relative 1e-8."""
    model, params, x, loss, target = problem("tanh", "cross_entropy")
    backward = mutations(model)[mistake]
    report = check_network(model, params, x, loss, target, backward=backward)
    assert report.verdict is Verdict.FAIL


def test_every_single_entry_is_checked() -> None:
    """An error of 1e-8 in any one of the parameters is found, in the tensor where it is."""
    model, params, x, loss, target = problem("gelu", "squared_error", sizes=(3, 4, 2), n=5)
    for k in range(params.flat.size):

        def backward(params, trace, g, k=k):
            grads, dx = model.backward(params, trace, g)
            grads.flat[k] *= 1 + 1e-8
            return grads, dx

        report = check_network(model, params, x, loss, target, backward=backward)
        assert report.verdict is Verdict.FAIL, k


def test_wrong_slopes_in_a_record_are_found() -> None:
    """A network with a wrong derivative fails: the check does not use the slope that it judges."""
    wrong = replace(TANH, slope=lambda x, y, out=None: 1 - y)
    model, params, x, loss, target = problem("tanh", "squared_error")
    model = MLP(model.sizes, (wrong, wrong, IDENTITY))
    assert check_network(model, params, x, loss, target).verdict is Verdict.FAIL


def test_kinks_are_named_and_the_left_derivative_passes() -> None:
    """At z = 0 exactly the step goes to the left, as relu' does; the unit is reported."""
    model = MLP((2, 2, 1), (RELU, IDENTITY))
    params = Params.from_layers(
        [(np.array([[1.0, 1.0], [-1.0, 2.0]]), np.zeros(2)), (np.ones((2, 1)), np.zeros(1))]
    )
    x, target = np.array([[1.0, 1.0], [2.0, 1.0]]), np.zeros((2, 1))
    report = check_network(model, params, x, SQUARED_ERROR, target)
    assert report.kinks == ("z0[0, 0]",)
    assert all(report.reports[name].verdict is Verdict.PASS for name in ("dW0", "db0", "dW1", "dx"))


def kinked(slope=0.0, change=None, **options):
    """Two hidden layers of relu, unit 0 of the second exactly at its kink in the first row.

    ``slope`` is what backward takes for relu'(0), and ``change`` alters dW0 in place.
    """
    model = MLP((2, 2, 2, 1), (RELU, RELU, IDENTITY))
    params = Params.from_layers(
        [
            (np.eye(2), np.zeros(2)),
            (np.array([[1.0, 1.0], [-1.0, 2.0]]), np.zeros(2)),
            (np.ones((2, 1)), np.zeros(1)),
        ]
    )
    x, target = np.array([[1.0, 1.0], [2.0, 1.0]]), np.zeros((2, 1))
    other = replace(RELU, slope=lambda z, a, out=None: np.where(z == 0, slope, RELU.slope(z, a)))

    def backward(params, trace, g):
        grads, dx = MLP(model.sizes, (other, other, IDENTITY)).backward(params, trace, g)
        if change is not None:
            change(grads.layers[0].W)
        return grads, dx

    return check_network(model, params, x, SQUARED_ERROR, target, backward=backward, **options)


@pytest.mark.parametrize("wrong", [3.0, -1.0, np.nan, np.inf])
def test_a_kink_in_a_later_layer_excuses_no_mistake(wrong) -> None:
    """Beside a kink right gradients pass; a factor, the wrong sign, NaN and inf fail."""
    report = kinked()
    assert report.verdict is Verdict.PASS, report.reports
    assert report.kinks == ("z1[0, 0]",)

    def change(W):
        W[0, 0] *= wrong

    report = kinked(change=change)
    assert report.reports["dW0"].verdict is Verdict.FAIL
    assert report.reports["dW1"].verdict is Verdict.PASS


@pytest.mark.parametrize("method", [complex_step, central_differences])
@pytest.mark.parametrize(
    ("slope", "verdict"),
    [
        (0.0, Verdict.PASS),
        (0.5, Verdict.INCONCLUSIVE),
        (1.0, Verdict.INCONCLUSIVE),
        (1.5, Verdict.FAIL),
        (-0.5, Verdict.FAIL),
    ],
)
def test_another_slope_at_a_kink(slope, verdict, method) -> None:
    """Between the one-sided derivatives is inconclusive, and what is outside is wrong."""
    report = kinked(slope, method=method)
    assert report.kinks == ("z1[0, 0]",)
    assert report.reports["dW0"].verdict is verdict, report.reports["dW0"]
    assert report.reports["directions"].verdict is Verdict.PASS
    if verdict is Verdict.INCONCLUSIVE:
        assert "kink" in report.reports["dW0"].reason


def test_one_sided_activations_are_activations() -> None:
    """With the derivative of one side at a kink, name, real values and vjp are those of f."""
    model = MLP((1, 2), (RELU,))
    sided = one_sided(model, [np.array([[0.0, -1.0]])], [np.array([[True, False]])], side=1)
    f, z, g = sided.activations[0], np.array([[0.0, -1.0]]), np.ones((1, 2))
    assert f.name == "relu"
    assert np.array_equal(f.value(z), RELU.value(z))
    assert np.array_equal(f.vjp(g, z, z), RELU.vjp(g, z, z))
    assert np.array_equal(f.value(z + 1j).imag, [[1, 0]])


def test_a_row_of_zeros_hides_no_mistake() -> None:
    """Zero biases and a row of zeros put every unit at a kink; dW0 * 3 fails all the same."""
    model, params, x, loss, target = problem("relu", "squared_error", sizes=(3, 4, 4, 2))
    for layer in params.layers:
        layer.b[:] = 0
    x[0] = 0

    def tripled(params, trace, g):
        grads, dx = model.backward(params, trace, g)
        grads.layers[0].W[...] *= 3
        return grads, dx

    right = check_network(model, params, x, loss, target)
    wrong = check_network(model, params, x, loss, target, backward=tripled)
    assert len(right.kinks) >= 8
    assert right.reports["dW0"].verdict is Verdict.PASS
    assert right.verdict is not Verdict.FAIL
    assert wrong.reports["dW0"].verdict is Verdict.FAIL


def test_a_loss_that_is_always_zero_proves_nothing() -> None:
    """One class: cross_entropy is 0 whatever the logits, and seven times its gradient too."""
    model = MLP((3, 4, 1), (TANH, IDENTITY))
    params = Params(np.random.default_rng(0).standard_normal(Params.count(model.sizes)), (3, 4, 1))
    x, target = np.ones((5, 3)), np.zeros(5, np.int64)
    report = check_network(model, params, x, CROSS_ENTROPY, target)
    assert report.verdict is Verdict.INCONCLUSIVE


def test_an_overflow_is_inconclusive() -> None:
    """Where the truth leaves the range of the format, inf and NaN are no mistake, and no proof."""
    model, params, x, loss, target = problem("relu", "squared_error")
    report = check_network(model, params, x * 1e307, loss, target)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert any("could not be estimated" in found.reason for found in report.reports.values())


def test_float32_gradients_are_judged_by_float32_bounds() -> None:
    """In float32 an error of 1e-3 is found and one of half a unit roundoff is not a mistake."""
    model, params, x, loss, target = problem("tanh", "cross_entropy", np.float32)
    for relative, verdict in ((1e-3, Verdict.FAIL), (FLOAT32.u / 2, Verdict.PASS)):

        def backward(params, trace, g, relative=relative):
            grads, dx = model.backward(params, trace, g)
            return grads, (dx * (1 + relative)).astype(np.float32)

        report = check_network(model, params, x, loss, target, backward=backward)
        assert report.verdict is verdict


def test_units_are_shifted_in_chunks() -> None:
    """A layer too wide for one stack gives the same verdict: 70 units of 500 rows."""
    model, params, x, _, target = problem("silu", "cross_entropy", sizes=(3, 70, 2), n=500)
    assert check_network(model, params, x, CROSS_ENTROPY, target).verdict is Verdict.PASS


def test_bad_arguments_are_one_clear_line() -> None:
    """An activation without complex input, and a backward that returns something else."""
    model, params, x, loss, target = problem("tanh", "squared_error")
    real = MLP(model.sizes, (replace(TANH, complex_step=False), TANH, IDENTITY))
    with pytest.raises(InputError, match=r"take complex input; got .*; use method=central"):
        check_network(real, params, x, loss, target)
    with pytest.raises(InputError, match=r"backward must return Params of sizes \(4, 5, 3, 2\)"):
        check_network(model, params, x, loss, target, backward=lambda p, t, g: (g, g))
