"""Assembled gradients: complex steps and central differences, their errors, and observed noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_gradcheck_network import PAIRS, mutations, problem

from mlp_ref import ACTIVATIONS, ELU, IDENTITY, MLP, RELU, SOFTMAX, TANH, Params
from mlp_ref.arithmetic import FLOAT64
from mlp_ref.bounds import derive
from mlp_ref.checks import InputError
from mlp_ref.gradcheck import (
    Verdict,
    assembled,
    assembled_gradient,
    central_differences,
    check_network,
    complex_step,
)
from mlp_ref.gradcheck.differences import central
from mlp_ref.gradcheck.network import by_name, expect
from mlp_ref.losses import CROSS_ENTROPY, SQUARED_ERROR

METHODS = (complex_step, central_differences)
methods = pytest.mark.parametrize("method", METHODS)


def gradients(model, params, x, loss, target):
    """Those of the reference, by name."""
    output, trace = model.forward(params, x)
    return by_name(*model.backward(params, trace, loss.value_and_grad(output, target)[1]))


@methods
@pytest.mark.parametrize(("name", "loss"), PAIRS)
def test_estimates_are_right_to_within_their_error(name, loss, method) -> None:
    """Each is off by its own error and by rounding: complex steps by rounding alone."""
    q = problem(name, loss)
    model, params, x, loss, target = q
    bounds = derive(model, params, x, loss, target, arithmetic=FLOAT64)
    right = gradients(*q)
    found = assembled_gradient(*q, method=method)
    assert list(found) == ["dW0", "db0", "dx", "dW1", "db1", "dW2", "db2"]
    for key, (value, error) in found.items():
        assert (np.abs(value - right[key]) <= error + 3 * bounds[key].radius).all(), key
        exact = method is complex_step and not error.any()
        assert exact or 0 < error.max() < np.abs(value).max()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("name", "loss"), PAIRS)
def test_the_reference_passes_by_central_differences(name, loss, dtype) -> None:
    """Every activation and loss in both precisions, with no entry that is not resolved."""
    report = check_network(*problem(name, loss, dtype), method=central_differences)
    assert report.verdict is Verdict.PASS, report.reports
    assert not report.kinks


@pytest.mark.parametrize(
    "mistake", [m for m in mutations(MLP((1, 1), (IDENTITY,))) if "1e-8" not in m]
)
def test_a_wrong_backward_fails_by_central_differences(mistake) -> None:
    """They reject each classic mistake."""
    model, params, x, loss, target = problem("tanh", "cross_entropy")
    backward = mutations(model)[mistake]
    report = check_network(
        model, params, x, loss, target, backward=backward, method=central_differences
    )
    assert report.verdict is Verdict.FAIL


@methods
@pytest.mark.parametrize("relative", [1e-6, -1e-6])
def test_one_entry_wrong_in_the_sixth_digit_fails(method, relative) -> None:
    """Both methods reject the largest entry of each tensor if it is off by a millionth."""
    q = problem("gelu", "cross_entropy")
    expected, right = expect(*q, method=method), gradients(*q)
    assert expected.judge(right).verdict is Verdict.PASS
    for name, tensor in right.items():
        wrong = tensor.copy()
        wrong.flat[np.abs(wrong).argmax()] *= 1 + relative
        report = expected.judge(right | {name: wrong})
        assert [k for k, found in report.reports.items() if found.verdict == "fail"] == [name]


def beside(distance, slope):
    """One relu unit that far right of its kink, whose backward pass takes ``slope`` for relu'."""
    model, x = MLP((1, 1, 1), (RELU, IDENTITY)), np.array([[1.0]])
    one = np.ones((1, 1))
    params = Params.from_layers([(one, np.array([distance - 1])), (one, np.zeros(1))])
    other = MLP(model.sizes, (replace(RELU, slope=lambda z, a, out=None: 0 * z + slope), IDENTITY))
    return model, params, x, SQUARED_ERROR, np.array([[1.0]]), other.backward


@methods
@pytest.mark.parametrize("distance", [2.0**-40, 2.0**-20, 2.0**-14, 2.0**-10])
def test_beside_a_kink_the_side_is_known(distance, method) -> None:
    """Within reach of the step, but not of rounding: the right derivative, and nothing excused."""
    for slope, verdict in ((1.0, Verdict.PASS), (0.0, Verdict.FAIL), (0.5, Verdict.FAIL)):
        *q, backward = beside(distance, slope)
        report = check_network(*q, backward=backward, method=method)
        assert report.kinks == ()
        assert report.verdict is verdict, report.reports


def test_a_curved_kink_is_for_complex_steps() -> None:
    """Where f is curved beside a kink a line is no part of it: central differences say nothing."""
    curved = replace(
        RELU,
        name="curved",
        value=lambda x, out=None: np.where(x.real > 0, x + x * x, 0 * x),
        slope=lambda x, y, out=None: np.where(x > 0, 1 + 2 * x, 0 * x),
        second=lambda x: np.where(x > 0, 2.0, 0.0),
        lipschitz=100.0,
        curvature=2.0,
        value_error=TANH.value_error,
        slope_error=TANH.slope_error,
    )
    model = MLP((1, 1, 1), (curved, IDENTITY))
    q = (model, *beside(2.0**-20, 1.0)[1:5])
    assert check_network(*q).verdict is Verdict.PASS
    assert check_network(*q, method=central_differences).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("size", [1e2, 1e5, 1e8])
def test_steps_shrink_where_weights_are_large(size) -> None:
    """A unit of which a later one makes a jump: no right gradient fails, a doubled one does."""
    model = MLP((2, 3, 3, 2), (TANH, TANH, IDENTITY))
    rng = np.random.default_rng(5)
    params = Params(rng.standard_normal(Params.count(model.sizes)), model.sizes)
    params.layers[1].W[...] *= size
    params.layers[1].b[...] = -TANH.value(params.layers[0].b) @ params.layers[1].W
    x = 0.1 / size * rng.standard_normal((4, 2))
    q = (model, params, x, SQUARED_ERROR, rng.uniform(size=(4, 2)))
    expected = expect(*q, method=central_differences)
    right = gradients(*q)
    assert expected.judge(right).verdict is not Verdict.FAIL
    assert expected.compare("dW1", 2 * right["dW1"]).verdict is Verdict.FAIL


@pytest.mark.parametrize("z", [0.0, 2.0**-16, -(2.0**-15), 2.0**-14])
def test_a_jump_of_the_second_derivative_is_within_the_error(z) -> None:
    """elu'' jumps at 0, within the step: the distance of the two quotients allows for that."""
    one = np.ones((1, 1))
    params = Params.from_layers([(one, np.array([z - 1])), (one, np.zeros(1))])
    q = (MLP((1, 1, 1), (ELU, IDENTITY)), params, one, SQUARED_ERROR, one)
    value, error = assembled_gradient(*q, method=central_differences)["db0"]
    exact = 2 * (ELU.value(np.array([z])) - 1) * min(np.exp(z), 1)
    assert np.abs(value - exact) <= error


def test_a_gradient_below_the_rounding_of_the_terms_does_not_fail() -> None:
    """(z - t)^2 at z = 0 for a tiny t: both terms of a difference round to h^2, so it shows 0."""
    model, params = MLP((1, 1), (IDENTITY,)), Params.zeros((1, 1))
    x, target = np.zeros((1, 1)), np.full((1, 1), 1e-30)
    report = check_network(model, params, x, SQUARED_ERROR, target, method=central_differences)
    assert report.verdict is Verdict.INCONCLUSIVE


def test_a_step_that_no_shortening_helps_shows_nothing() -> None:
    """Where z moves too far however short the step, as in a wrong forward pass: NaN."""

    def terms(shift, moved=None):
        if moved is not None:
            moved[:] = [1.0, 0.0]
        return np.ones((3, 2)) * shift

    value, error = central(terms, np.zeros((3, 2)), np.zeros(3), np.zeros(3), 2)
    assert np.isnan(value[:, 0]).all()
    assert np.isnan(error[:, 0]).all()
    assert np.array_equal(value[:, 1], np.ones(3))


@methods
def test_softmax_inside_a_network(method) -> None:
    """An activation that couples the units of a row is carried through whole."""
    model = MLP((3, 4, 3, 3), (TANH, SOFTMAX, SOFTMAX))
    rng = np.random.default_rng(2)
    params = Params(rng.standard_normal(Params.count(model.sizes)), model.sizes)
    x, target = rng.standard_normal((5, 3)), rng.uniform(size=(5, 3))
    report = check_network(model, params, x, SQUARED_ERROR, target, method=method)
    assert report.verdict is Verdict.PASS, report.reports


@methods
def test_an_activation_that_is_not_elementwise_does_not_pass(method) -> None:
    """A record that mixes the units of a row: assembled as if it did not, so the anchor rejects."""
    mixed = replace(
        TANH, value=lambda x, out=None: np.tanh(x) + np.roll(np.tanh(x), 1, axis=-1), peaks=()
    )
    model, params, x, loss, target = problem("tanh", "squared_error")
    model = MLP(model.sizes, (mixed, mixed, IDENTITY))
    report = check_network(model, params, x, loss, target, method=method)
    assert report.reports["directions"].verdict is not Verdict.PASS
    assert report.verdict is Verdict.FAIL


@methods
def test_chunks_change_nothing(method, monkeypatch) -> None:
    """However few units are shifted at once, the estimates agree to within their errors."""
    q = problem("silu", "cross_entropy", sizes=(3, 7, 5, 2))
    whole = assembled_gradient(*q, method=method)
    monkeypatch.setattr(assembled, "_ENTRIES_AT_ONCE", 100)
    bounds = derive(*q, arithmetic=FLOAT64)
    for name, (value, error) in assembled_gradient(*q, method=method).items():
        rounding = 4 * bounds[name].radius
        assert (np.abs(value - whole[name].value) <= error + rounding).all(), name


def test_every_entry_of_a_network_times_one_plus_1e_8_is_rejected() -> None:
    """Of each of 1,355 parameters, by complex steps: estimates and tolerances are computed once."""
    q = problem("tanh", "cross_entropy", sizes=(20, 30, 20, 5), n=16)
    q[1].flat[:] /= 4
    expected, right = expect(*q), gradients(*q)
    for name, tensor in right.items():
        for k in range(tensor.size if name != "dx" else 0):
            wrong = tensor.copy()
            wrong.flat[k] *= 1 + 1e-8
            assert expected.compare(name, wrong).verdict is Verdict.FAIL, (name, k)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("name", "loss"), PAIRS)
def test_the_reference_is_not_beyond_the_observed_noise(name, loss, dtype) -> None:
    """Where the noise is observed too, the reference passes."""
    report = check_network(*problem(name, loss, dtype), points=4)
    assert report.verdict is Verdict.PASS, report.reports


def test_a_sum_that_cancels_hides_no_mistake_from_observed_noise() -> None:
    """Two rows whose terms of dW1 cancel but for 1e-6: 1 + 1e-8 is within the bound, not noise."""
    model, params, x, loss, target = problem("tanh", "squared_error", sizes=(3, 4, 2), n=2)
    *_, layer = params.layers
    h = TANH.value(x @ params.layers[0].W + params.layers[0].b)
    miss = np.array([[1.0, 0.5], [-h[0, 0] / h[1, 0] * (1 - 1e-6), 0.25]])
    target = h @ layer.W + layer.b - miss

    def backward(params, trace, g):
        grads, dx = model.backward(params, trace, g)
        grads.layers[1].W[0, 0] *= 1 + 1e-8
        return grads, dx

    q = (model, params, x, loss, target)
    assert check_network(*q, points=4).verdict is Verdict.PASS
    assert check_network(*q, backward=backward).verdict is Verdict.PASS
    found = check_network(*q, backward=backward, points=4).reports["dW1"]
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.index == (0, 0)
    assert "1 of 8 entries may be rounding, but are off by more than noise" in found.reason


def test_the_left_derivative_is_assembled_at_a_kink() -> None:
    """At z = 0 exactly both methods give that of relu', 0."""
    model = MLP((1, 1, 1), (RELU, IDENTITY))
    one = np.ones((1, 1))
    params = Params.from_layers([(one, np.zeros(1)), (one, np.zeros(1))])
    for method in METHODS:
        found = assembled_gradient(
            model, params, np.zeros((1, 1)), SQUARED_ERROR, one, method=method
        )
        assert abs(found["db0"].value[0]) <= found["db0"].error[0]


def test_bad_arguments_are_one_clear_line() -> None:
    """Another method, one point, complex steps through a real function, and a wrong label."""
    model, params, x, loss, target = q = problem("tanh", "squared_error")
    with pytest.raises(InputError, match=r"must be complex_step or central_differences; got "):
        check_network(*q, method=lambda f, x: None)
    with pytest.raises(InputError, match=r"points must be 0, or 2 or more; got 1; "):
        check_network(*q, points=1)
    real = replace(ACTIVATIONS["tanh"], complex_step=False)
    q = (MLP(model.sizes, (real, real, IDENTITY)), params, x, loss, target)
    with pytest.raises(InputError, match=r"take complex input; got .*; use method=central"):
        assembled_gradient(*q)
    assert check_network(*q, method=central_differences).verdict is Verdict.PASS
    with pytest.raises(InputError, match=r"labels must lie in 0\.\.1"):
        assembled_gradient(model, params, x, CROSS_ENTROPY, np.full(6, 2))
