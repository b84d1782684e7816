"""scikit-learn as a subject: forward and backward pass of MLPClassifier and MLPRegressor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.checks import fail
from mlp_ref.subjects.networks import network_subject
from mlp_ref.subjects.protocol import Subject

__all__ = ["load"]

HIDDEN = {"identity": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}
# loss -> the estimator that has it, and the activation of its outputs, which is part of the loss
LOSSES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "cross_entropy": ("MLPClassifier", "softmax"),
        "binary_cross_entropy": ("MLPClassifier", "logistic"),
        "squared_error": ("MLPRegressor", "identity"),
    }
)


def load(variant: str = "") -> Subject:
    """The subject ``sklearn``: ``_backprop``, which is private, without a penalty.

    It answers the a of hidden layers, loss, dW and db; z is overwritten there, and dx not computed.
    It takes what it does not refuse: it casts and broadcasts.

    Raises `InputError` if scikit-learn is not installed, or a variant is asked for.
    """
    if variant:
        fail("the subject sklearn must stand without a variant", repr(variant), "ask for sklearn")
    try:
        import sklearn
    except ImportError:
        remedy = "pip install 'mlp-ref[sklearn]'"
        fail("the subject sklearn needs scikit-learn", "no module sklearn", remedy)
    return network_subject("sklearn", _run, versions={"scikit-learn": sklearn.__version__})


def _run(
    *, weights: Sequence[Array], biases: Sequence[Array], x: Array, target: Array,
    activations: Sequence[str], loss: str,
) -> dict[str, Any]:  # fmt: skip
    from sklearn import neural_network

    *hidden, last = activations
    names, depth, outputs = {*hidden}, len(weights), weights[-1].shape[1]
    if last != "identity" or len(names) > 1 or not names <= {*HIDDEN}:
        raise NotImplementedError("one of identity, sigmoid, tanh, relu for all hidden layers")
    if loss == "cross_entropy" and outputs == 1:
        raise NotImplementedError("the single output of a classifier is a logistic one")
    estimator, output = LOSSES[loss]
    net: Any = getattr(neural_network, estimator)(alpha=0.0)
    net.activation = HIDDEN[names.pop()] if names else "identity"
    net.n_layers_, net.out_activation_ = depth + 1, output
    net.coefs_, net.intercepts_ = [*weights], [*biases]
    t = np.eye(outputs, dtype=x.dtype)[target] if target.ndim == 1 else target  # (n, outputs)
    a, deltas, dW, db = [x, *[x] * depth], [x] * depth, [x] * depth, [x] * depth
    value, _, _ = net._backprop(x, t, None, a, deltas, dW, db)

    # Its binary cross-entropy is a sum over the outputs. Its squared error is half of a mean, whose
    # gradients are those of a sum.
    half = 2 if output == "identity" else 1
    found = {"loss": half * value / (outputs if output == "logistic" else 1)}
    for k in range(depth):
        for name, gradient in ((f"dW{k}", dW[k]), (f"db{k}", db[k])):
            found[name] = half * gradient / (1 if output == "softmax" else outputs)
    if output == "identity":
        found[f"z{depth - 1}"] = found[f"a{depth - 1}"] = a[depth]
    return found | {f"a{k}": a[k + 1] for k in range(depth - 1)}
