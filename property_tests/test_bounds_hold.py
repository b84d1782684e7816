"""Derived bounds are never exceeded: float32 against float64, float64 against exact fractions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from evidence import is_caught, tensors, within
from hypothesis import given
from hypothesis import strategies as st
from strategies import Problem, arithmetics, exact_problems, problems

from mlp_ref import ACTIVATIONS, IDENTITY, LEAKY_RELU, RELU, SQUARED_ERROR, Params
from mlp_ref.arithmetic import FLOAT32, FLOAT64, Array
from mlp_ref.bounds import Bounded, derive

every = pytest.mark.parametrize("f", ACTIVATIONS.values(), ids=lambda f: f.name)


def bounds_of(p: Problem) -> dict[str, Bounded]:
    """The tensors of one pass with their bounds in the arithmetic of the problem."""
    return derive(p.model, p.params, p.x, p.loss, p.target, arithmetic=p.A)


def require_bounds(run: Callable[[Problem], dict[str, Array]], p: Problem) -> None:
    """Every tensor that ``run`` computes is as close to the reference as was proven."""
    q = bounds_of(p)
    wrong = [name for name, got in run(p).items() if not within(got, q[name])]
    assert not wrong


@every
@given(data=st.data())
def test_float32_stays_within_its_bounds(f, data) -> None:
    """Every z, a, gradient and loss of a float32 network is near float64, for every activation."""
    p = data.draw(problems(FLOAT32, hidden=[f], outputs=[f]))
    assert all(np.isfinite(q.bound).all() for q in bounds_of(p).values())
    require_bounds(tensors, p)


@given(p=problems(FLOAT32))
def test_mixed_networks_stay_within_their_bounds(p) -> None:
    """Layers of different activations, with softmax or log-softmax as the output of some."""
    require_bounds(tensors, p)


def unguarded(p: Problem) -> dict[str, Array]:
    """One pass whose overflows are not reported."""
    with np.errstate(all="ignore"):
        return tensors(p)


@given(p=problems(FLOAT32, size=None))
def test_bounds_hold_for_parameters_of_every_size(p) -> None:
    """Up to the largest float and down to subnormals: what may overflow has an infinite bound."""
    require_bounds(unguarded, p)


@given(p=arithmetics.flatmap(exact_problems))
def test_exact_networks_have_zero_tolerance(p) -> None:
    """Where nothing is rounded the bounds of all tensors are 0, and the bits are the same."""
    q = bounds_of(p)
    for name, got in tensors(p).items():
        assert not q[name].allowed.any(), name
        assert np.array_equal(got, q[name].value), name


@given(p=problems(FLOAT64))
def test_the_radius_is_the_bound_of_float64(p) -> None:
    """In float64 the bound is the radius, and float32 is never promised more than float64."""
    narrow = replace(p, params=p.params.astype("f4"), x=p.x.astype("f4"))
    if p.target.dtype.kind == "f":
        narrow = replace(narrow, target=FLOAT32.quantize(p.target))
    for q in bounds_of(p).values():
        assert np.array_equal(q.bound, q.radius)
    for name, q in bounds_of(replace(narrow, A=FLOAT32)).items():
        assert np.all(q.radius <= q.bound), name


def rational(p: Problem) -> dict[str, list[Fraction]]:
    """The same pass in exact fractions; identity, relu and leaky_relu; squared error."""
    slopes = {"identity": Fraction(1), "relu": Fraction(0), "leaky_relu": Fraction(1, 100)}
    layers = [(_exact(W), _exact(b)) for W, b in p.params.layers]
    inputs, zs = [_exact(p.x)], []
    for (W, b), f in zip(layers, p.model.activations, strict=True):
        zs.append(inputs[-1] @ W + b)
        inputs.append(np.where(zs[-1] > 0, 1, slopes[f.name]) * zs[-1])
    gap = inputs[-1] - _exact(p.target)
    out = {"loss": np.array(np.sum(gap**2) / gap.size), "g": 2 * gap / Fraction(gap.size)}
    g = out["g"]
    for k in reversed(range(len(layers))):
        d = g * np.where(zs[k] > 0, 1, slopes[p.model.activations[k].name])
        out |= {f"z{k}": zs[k], f"a{k}": inputs[k + 1]}
        out |= {f"dW{k}": inputs[k].T @ d, f"db{k}": d.sum(axis=0)}
        g = d @ layers[k][0].T
    return out | {"dx": g}


def _exact(x: Array) -> Array:
    """x as fractions."""
    return np.vectorize(Fraction, otypes=[object])(x.astype(np.float64))


PIECEWISE = (IDENTITY, RELU, LEAKY_RELU)


def require_truth(p: Problem) -> None:
    """Every tensor is off from its exact fraction by at most the bound."""
    q, truth = bounds_of(p), rational(p)
    for name, got in tensors(p).items():
        for value, exact, bound in zip(
            np.ravel(got), np.ravel(truth[name]), np.ravel(q[name].bound), strict=True
        ):
            assert abs(Fraction(float(value)) - exact) <= Fraction(float(bound)), name


@given(p=arithmetics.flatmap(lambda A: problems(A, PIECEWISE, PIECEWISE, losses=[SQUARED_ERROR])))
def test_bounds_hold_against_exact_fractions(p) -> None:
    """Piecewise linear networks in rational arithmetic: float32 and float64 keep their bounds."""
    require_truth(p)


def changed(name: str, change: Callable[[Problem, Array], Array]) -> Callable[..., object]:
    """A pass that gets the tensors of one kind wrong."""

    def run(p: Problem) -> dict[str, Array]:
        out = tensors(p)
        return {key: change(p, q) if key.startswith(name) else q for key, q in out.items()}

    return run


def without_bias(p: Problem) -> dict[str, Array]:
    """A pass whose first layer forgets the bias."""
    layers = [(W, b if k else 0 * b) for k, (W, b) in enumerate(p.params.layers)]
    return tensors(replace(p, params=Params.from_layers(layers)))


def in_half_precision(p: Problem) -> dict[str, Array]:
    """A pass whose weights were rounded to eleven bits."""
    flat = p.params.flat.astype(np.float16).astype(np.float32)
    return tensors(replace(p, params=p.params.like(flat)))


@pytest.mark.parametrize(
    "wrong",
    [
        changed("dW", lambda p, q: q * len(p.x)),
        changed("g", lambda p, q: q * len(p.x)),
        changed("loss", lambda p, q: q * len(p.x)),
        changed("db", lambda p, q: q * 0),
        changed("dx", lambda p, q: -q),
        changed("a", lambda p, q: q * np.float32(1 + 2.0**-12)),
        without_bias,
        in_half_precision,
    ],
    ids=["dW summed", "g summed", "loss summed", "no db", "-dx", "12 bits", "no bias", "float16"],
)
def test_wrong_passes_exceed_the_bounds(wrong) -> None:
    """A sum for a mean, a forgotten bias, a wrong sign, twelve bits: caught by the same check."""
    is_caught(lambda p: require_bounds(wrong, p), problems(FLOAT32))
