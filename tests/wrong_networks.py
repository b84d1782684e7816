"""A plain network each step of which can be replaced by a wrong one, for the tests of the hints."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from networks import NETWORKS

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import Arithmetic
from mlp_ref.bounds import Bounded, derive
from mlp_ref.gate.run import run_case
from mlp_ref.losses import LOSSES
from mlp_ref.model import MLP
from mlp_ref.parameters import Params
from mlp_ref.subjects import network_subject

Answer = dict[str, Any]
Run = Callable[..., Answer]

CASES = {case.id: case for case in NETWORKS}
# 3 rows, 10 outputs
DIGITS = "mlp/digits-16-6-10/"  # in float32, labels
DEEP = "mlp/digits-16-5-4-10/"  # in float64, probabilities


def network(
    *,
    weights: Any,
    biases: Any,
    x: Any,
    target: Any,
    activations: Any,
    loss: str,
    value: Callable[..., Any] = lambda f, z: f.value(z),
    slope: Callable[..., Any] = lambda f, z, a: f.slope(z, a),
    affine: Callable[..., Any] = lambda a, W, b: a @ W + b,
    back: Callable[..., Any] = lambda delta, W: delta @ W.T,
    grad: Callable[..., Any] = lambda f, z, t: f.value_and_grad(z, t),
) -> Answer:
    """A plain network, written again, each step of which can be replaced by a wrong one."""
    tensors, inputs, fs = {}, [x], [ACTIVATIONS[name] for name in activations]
    for k, f in enumerate(fs):
        z = tensors[f"z{k}"] = affine(inputs[-1], weights[k], biases[k])
        inputs.append(value(f, z))
        tensors[f"a{k}"] = inputs[-1]
    tensors["loss"], delta = grad(LOSSES[loss], inputs[-1], target)
    tensors["g"] = delta
    for k in reversed(range(len(fs))):
        delta = delta * slope(fs[k], tensors[f"z{k}"], tensors[f"a{k}"])
        tensors |= {f"dW{k}": inputs[k].T @ delta, f"db{k}": delta.sum(axis=0)}
        delta = back(delta, weights[k])
    return tensors | {"dx": delta}


def wrong(**steps: Callable[..., Any]) -> Run:
    """A network with wrong steps."""
    return lambda **question: network(**question, **steps)


def after(change: Callable[..., Any], *prefixes: str) -> Run:
    """A network whose tensors of those kinds are changed by change(tensor, question)."""
    return lambda **question: {
        name: change(tensor, question) if name.startswith(prefixes) else tensor
        for name, tensor in network(**question).items()
    }


def times(factor: Callable[..., float], *prefixes: str) -> Run:
    """A network whose tensors of those kinds are multiplied by factor(question)."""
    return after(lambda t, question: t * t.dtype.type(factor(question)), *prefixes)


def only(run: Run, *prefixes: str) -> Run:
    """The same answers, of which only tensors of those kinds are returned."""
    return lambda **question: {
        name: tensor for name, tensor in run(**question).items() if name.startswith(prefixes)
    }


def naive(f: Any, z: Any) -> Any:
    """e^z / (1 + e^z), which is inf / inf."""
    with np.errstate(all="ignore"):
        return np.exp(z) / (1 + np.exp(z))


def elsewhere(tensor: Any, question: Any) -> Any:
    """One entry 1 % wrong."""
    tensor.flat[0] *= 1.01
    return tensor


def hint(run: Run, name: str) -> str:
    """The hint that a failing case gives."""
    (case,) = [case for case in CASES.values() if case.id.startswith(name)][:1]
    report = run_case(network_subject("mine", run), case)
    assert report.verdict == "fail", report.results
    return report.hint


def names_a_cause(hint: str) -> bool:
    """Whether a hint says what was done, beyond what the numbers are and where to look."""
    return bool(_CAUSES.search(_WEAKER.sub("", hint)))


# which weaker arithmetic it holds in is what the numbers are
_WEAKER = re.compile(r"It would pass as \w+, not as \w+: [^.?]+[.?]")
_CAUSES = re.compile(
    r"times the reference: |\bholds\b|\btransposed: |single precision|"
    r"overflows|rounded probability|memory"
)


DERIVED: dict[object, dict[str, Bounded]] = {}


def derived(
    model: MLP, params: Params, x: Any, *goal: Any, arithmetic: Arithmetic
) -> dict[str, Bounded]:
    """`derive`, once for the same numbers."""
    arrays = (params.flat, x, *(q for q in goal if isinstance(q, np.ndarray)))
    rest = [q for q in goal if not isinstance(q, np.ndarray)]
    key = (model, *rest, arithmetic, *((q.dtype, q.shape, q.tobytes()) for q in arrays))
    if key not in DERIVED:
        DERIVED[key] = derive(model, params, x, *goal, arithmetic=arithmetic)
    return DERIVED[key]
