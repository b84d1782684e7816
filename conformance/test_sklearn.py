"""scikit-learn's MLPClassifier through its public interface: one step of gradient descent.

With learning rate 1, no momentum and no penalty, `partial_fit` leaves theta - dL/dtheta.
"""

from __future__ import annotations

import numpy as np
import pytest
from peers import DTYPES, require
from sklearn.neural_network import MLPClassifier

from mlp_ref import ACTIVATIONS, CROSS_ENTROPY, INITIALIZERS, MLP, SOFTMAX, initialize
from mlp_ref.arithmetic import ARITHMETICS, Arithmetic, Array
from mlp_ref.bounds import Bounded, carry, derive, softmax_error
from mlp_ref.datasets import load_digits
from mlp_ref.gate.judge import Result, Verdict, judge

NAMES = {"identity": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}
HIDDEN, ROWS = (13, 11), 31


def stepped(A: Arithmetic, theta: Array, grad: Bounded) -> Bounded:
    """theta - grad, rounded once."""

    def error(A: Arithmetic, g: Bounded) -> Array:
        return g.bound + A.u * (np.abs(theta) + g.computed) + A.tiny

    return carry(A, theta - grad.value, error, grad)


def loss_of(A: Arithmetic, p: Bounded, y: Array) -> Bounded:
    """The mean of -log p_y from probabilities that err: K u for log, the rest for the mean."""
    rows = np.arange(len(y))

    def error(A: Arithmetic, p: Bounded) -> Array:
        exact = (p.value - p.radius)[rows, y]
        drift = -np.log1p(-(p.radius + p.bound)[rows, y] / exact)
        term = -np.log(exact)
        each = drift + A.K * A.u * (term + drift)
        return np.mean(each + A.gamma(p.value.size + 1) * (term + each)) + A.tiny

    assert (p.value - p.allowed).min() > np.finfo(A.dtype).eps  # nothing is clipped
    return carry(A, np.mean(-np.log(p.value[rows, y])), error, p)


def results_of(name: str, dtype: str, alpha: float = 0.0) -> list[Result]:
    """One step on the digits, judged; ``alpha`` is the penalty that must not be there."""
    A, data = ARITHMETICS[dtype], load_digits()
    x, y = data.x[:ROWS].astype(dtype), data.y[:ROWS]
    sizes = (64, *HIDDEN, 10)
    rng = np.random.default_rng(3)
    params = initialize(sizes, INITIALIZERS["torch_linear"], rng=rng, dtype=dtype)
    model = MLP(sizes, (*[ACTIVATIONS[name]] * 2, ACTIVATIONS["identity"]))
    bounds = derive(model, params, x, CROSS_ENTROPY, y, arithmetic=A)
    logits = bounds["z2"]
    p = carry(A, SOFTMAX.value(logits.value), softmax_error, logits)

    net = MLPClassifier(
        HIDDEN, activation=NAMES[name], solver="sgd", alpha=alpha, batch_size=ROWS,
        learning_rate_init=1.0, momentum=0.0, nesterovs_momentum=False,
    )  # fmt: skip
    net.partial_fit(x, y, classes=np.arange(10))
    net.coefs_ = [W.copy() for W, _ in params.layers]
    net.intercepts_ = [b.copy() for _, b in params.layers]
    results = [judge("p", net.predict_proba(x), p, A)]
    net.partial_fit(x, y)
    results.append(judge("loss", float(net.loss_), loss_of(A, p, y), A))
    for k, (W, b) in enumerate(params.layers):
        wide_W, wide_b = W.astype(np.float64), b.astype(np.float64)
        results.append(judge(f"W{k}", net.coefs_[k], stepped(A, wide_W, bounds[f"dW{k}"]), A))
        results.append(judge(f"b{k}", net.intercepts_[k], stepped(A, wide_b, bounds[f"db{k}"]), A))
    return results


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_probabilities_loss_and_every_gradient(name: str, dtype: str) -> None:
    """p, the loss and theta - dL/dtheta of every W and b are within their bounds."""
    require(results_of(name, dtype), name)


def test_the_default_penalty_is_noticed() -> None:
    """scikit-learn's default alpha fails the loss and every W, and leaves p and every b alone."""
    alpha = MLPClassifier().alpha
    failed = [r.tensor for r in results_of("tanh", "float64", alpha) if r.verdict == Verdict.FAIL]
    assert failed == ["loss", "W0", "W1", "W2"]
