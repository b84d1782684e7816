"""Certified values: from the definitions alone, decided or refused, whatever the precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest

from mlp_ref.activations import ACTIVATIONS, TANH
from mlp_ref.arithmetic import FLOAT32, FLOAT64
from mlp_ref.bounds import derive_step
from mlp_ref.certify import certifier
from mlp_ref.certify.balls import balls, elementwise
from mlp_ref.certify.certifier import certify
from mlp_ref.certify.drafts import drafts
from mlp_ref.certify.jets import Undecided, working_precision
from mlp_ref.certify.words import round_ball
from mlp_ref.checks import InputError
from mlp_ref.corpus.records import Generated, Record
from mlp_ref.optimizers import SGD, Adam
from mlp_ref.parameters import Params

DRAFTS = [record for record in drafts() if not record.rejects]
# The first case of every family of every operation.
FIRST = [next(group) for _, group in groupby(DRAFTS, lambda r: r.id.split("/")[:2])]


def record_of(operation: str, parameters: dict, flags: tuple[str, ...] = (), **inputs) -> Record:  # type: ignore[no-untyped-def, type-arg]
    """A float64 case."""
    arrays = {k: np.asarray(x) if k == "target" else np.array(x, float) for k, x in inputs.items()}
    return Record(f"{operation}/test", operation, "float64", "", 1, flags, parameters, arrays)


def same_words(a: Record, b: Record) -> bool:
    """Whether all words and radii agree, bit for bit."""
    return a.expected.keys() == b.expected.keys() and all(
        getattr(a.expected[name], part).tobytes() == getattr(b.expected[name], part).tobytes()
        for name in a.expected
        for part in ("hi", "low", "radius")
    )


@pytest.mark.slow
@pytest.mark.parametrize("draft", FIRST, ids=lambda r: r.id)
def test_more_precision_gives_the_same_words(draft: Record) -> None:
    """With 64 and 1,000 bits more, every word and every radius is the same."""
    if any(isinstance(x, Generated) for x in draft.inputs.values()):
        pytest.skip("the lint of the whole corpus covers it")
    found = certify(draft)
    for extra in (64, 1000):
        assert same_words(found, certify(draft, extra_bits=extra))


def test_a_wrong_slope_does_not_certify_itself() -> None:
    """Derivatives come from the definition: a record with another slope and kernel changes none."""
    x = np.array([[-2.5, 0.3, 7.0]])
    lying = replace(TANH, slope=lambda x, y: 0 * x, value=lambda x, out=None: 0 * x)
    with working_precision(192):
        for right, wrong in zip(
            elementwise(TANH, balls(x)), elementwise(lying, balls(x)), strict=True
        ):
            assert [round_ball(q) for q in right.flat] == [round_ball(q) for q in wrong.flat]


@pytest.mark.parametrize("f", ACTIVATIONS.values(), ids=lambda f: f.name)
def test_words_agree_with_the_kernels(f) -> None:  # type: ignore[no-untyped-def]
    """hi lies within the derived bound of the NumPy kernels, on both sides of 0 and at it."""
    x = np.array([[-30.5, -2.25, -1e-9, 0.0, 1e-9, 0.7, 19.0]])
    found = certify(record_of("activation", {"function": f.name}, x=x, g=np.ones_like(x)))
    y, dx = found.expected["y"], found.expected["dx"]
    assert (np.abs(f.value(x) - y.hi) <= y.bounds["float64"]).all()
    assert (np.abs(f.slope(x, f.value(x)) - dx.hi) <= dx.bounds["float64"]).all()


def test_limits_and_nan() -> None:
    """At +-inf stand the limits, exactly; NaN stays NaN."""
    x = np.array([[np.nan, np.inf, -np.inf]])
    wanted = {
        "sigmoid": ([1, 0], [0, 0]), "relu": ([np.inf, 0], [1, 0]), "elu": ([np.inf, -1], [1, 0]),
        "leaky_relu": ([np.inf, -np.inf], [1, 0.01]), "gelu_tanh": ([np.inf, 0], [1, 0]),
    }  # fmt: skip
    for name, (values, slopes) in wanted.items():
        found = certify(record_of("activation", {"function": name}, x=x, g=np.ones_like(x)))
        for tensor, numbers in (("y", values), ("dx", slopes)):
            q = found.expected[tensor]
            assert np.array_equal(q.hi, [[np.nan, *numbers]], equal_nan=True)
            assert (q.radius[q.hi != 0.01] == 0).all()
            assert (q.bounds["float64"][q.hi != 0.01] == 0).all()


def test_a_kink_has_the_left_value_and_the_set_of_all() -> None:
    """relu'(0) = 0, and with the flag Kink also 1/2 and 1 are right; times g."""
    x, g = np.array([[0.0, -0.0, 2.0]]), np.array([[3.0, 1.0, 1.0]])
    found = certify(record_of("activation", {"function": "relu"}, ("Kink",), x=x, g=g))
    assert found.expected["dx"].hi.tolist() == [[0, 0, 1]]
    assert found.expected["dx"].sets == {0: (0.0, 1.5, 3.0), 1: (0.0, 0.5, 1.0)}
    plain = certify(record_of("activation", {"function": "relu"}, x=x, g=g))
    assert plain.expected["dx"].sets == {}


def test_the_sign_of_zero_counts_where_it_is_asked_for() -> None:
    """The identity keeps -0."""
    x = np.array([[0.0, -0.0, 2.0]])
    found = certify(
        record_of("activation", {"function": "identity"}, ("SignedZero",), x=x, g=x + 1)
    )
    assert np.signbit(found.expected["y"].hi).tolist() == [[False, True, False]]
    assert found.expected["y"].signed_zeros


def network(activations: list[str], W1: list[list[float]]) -> Record:
    """tanh twice of the same number, then W1 and what follows."""
    return record_of(
        "mlp", {"activations": activations, "loss": "squared_error"}, W0=[[0.3, 0.3]],
        b0=[0.1, 0.1], W1=W1, b1=[0.0], x=[[1.0]], target=np.array([[0.25]]),
    )  # fmt: skip


def test_an_open_kink_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """tanh(z) - tanh(z) is 0, but no precision shows it: the entry is named, nothing is guessed."""
    monkeypatch.setattr(certifier, "_MOST_BITS", 800)
    with pytest.raises(Undecided) as caught:
        certify(network(["tanh", "relu"], [[1.0], [-1.0]]))
    text = str(caught.value)
    assert "the side of the kink of relu is open at z1[0, 0]" in text
    assert "within 800 bits" in text
    assert text.count(";") == 2


def test_an_exact_zero_is_no_open_kink() -> None:
    """With the identity the same z1 is an exact 0: the left derivative."""
    found = certify(network(["identity", "relu"], [[1.0], [-1.0]]))
    assert found.expected["z1"].hi.tolist() == [[0.0]]
    assert found.expected["dW1"].hi.tolist() == [[0.0], [0.0]]


def test_exact_numbers_have_no_radius() -> None:
    """Products of integers are exact."""
    for draft in DRAFTS:
        if "ExactIntegers" in draft.flags and draft.operation == "dense":
            for q in certify(draft).expected.values():
                assert not q.radius.any()


def chosen(operation: str) -> Iterator[Record]:
    """Cases of one operation."""
    return (r for r in DRAFTS if r.operation == operation)


@pytest.mark.parametrize("operation", ["mlp", "activation", "loss", "optimizer", "train_step"])
def test_bounds_are_finite_and_cover_the_radius(operation: str) -> None:
    """A stored bound is at least the radius of what it judges."""
    for draft in list(chosen(operation))[::7]:
        for q in certify(draft).expected.values():
            for bound in q.bounds.values():
                assert (bound >= q.radius).all()


@pytest.mark.parametrize("rule", [
    SGD(0.125), SGD(0.125, 0.875), SGD(0.125, 0.875, True, 0.25),
    Adam(2.0**-6, 0.875, 1 - 2.0**-8, 2.0**-10), Adam(2.0**-6, 0.875, 1 - 2.0**-8, 2.0**-10, 0.25),
], ids=repr)  # fmt: skip
@pytest.mark.parametrize("A", [FLOAT32, FLOAT64], ids=lambda A: A.name)
def test_a_step_carries_the_error_of_its_gradients(rule, A) -> None:  # type: ignore[no-untyped-def]
    """Gradients that are off by up to their error give results within the bound of the step."""
    rng = np.random.default_rng(7)
    params, v = (Params(A.quantize(s * rng.random(31)), (30, 1)) for s in (1, 0.01))
    exact = rng.normal(size=31) * 10.0 ** rng.integers(-6, 1, 31)
    exact[:3] = 0
    state = rule.init(params)._replace(t=3)
    state = state._replace(moments=tuple(v.copy() for _ in state.moments))
    grads, error = params.like(exact.astype(np.float64)), 1e-3 * np.abs(exact) + 1e-7
    found = derive_step(rule, params, grads, state, arithmetic=A, grads_error=error)
    wide = state._replace(moments=tuple(m.astype(np.float64) for m in state.moments))
    base = rule.step(params.astype(np.float64), grads, wide)
    worst = 0.0
    for _ in range(200):
        off = grads.like(exact + rng.choice([-1, 1], 31) * error * (1 - 2.0**-20))
        after, new = rule.step(params, off.astype(A.dtype), state)
        results = {"params": (after, base[0])}
        names = {0: (), 1: ("v",), 2: ("m", "v")}[len(new.moments)]
        results |= {k: pair for k, *pair in zip(names, new.moments, base[1].moments, strict=True)}
        for name, (got, right) in results.items():
            ratio = np.abs(got.flat - right.flat) / found[name].bound
            worst = max(worst, float(ratio.max()))
    assert 0.5 < worst <= 1


def test_infinities_without_a_limit_are_refused() -> None:
    """-inf at the label has no certified limit, nor have infinities of the other losses."""
    z = np.array([[-np.inf, 1.0]])
    for loss, target in (
        ("cross_entropy", np.array([0])),
        ("binary_cross_entropy", np.array([[0.0, 1.0]])),
        ("squared_error", np.array([[0.0, 1.0]])),
    ):
        with pytest.raises(InputError, match="must have logits with a certified limit"):
            certify(record_of("loss", {"loss": loss}, z=z, target=target))
    found = certify(record_of("loss", {"loss": "cross_entropy"}, z=z, target=np.array([1])))
    assert found.expected["loss"].hi == 0


def test_what_is_stored_in_part_must_be_exact() -> None:
    """The checksum of rounded entries would judge correct implementations wrongly."""
    x = np.full((30, 30), 0.1)
    with pytest.raises(InputError, match="a tensor stored in part must be exact"):
        certify(record_of("activation", {"function": "tanh"}, x=x, g=x))
    assert certify(record_of("activation", {"function": "tanh"}, x=x, g=x), whole=True).expected
