"""Whole training steps: forward, loss, backward and optimizer, and chains of such steps.

A chain is teacher-forced: each step starts from the rounded certified state of the one before, so
that its bound does not grow. The draft is its first step, and `CHAIN` says how many there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

import numpy as np

from mlp_ref.arithmetic import Arithmetic
from mlp_ref.certify.drafts.draw import (
    BOTH,
    bell,
    draft,
    layers_of,
    rng_of,
    target_for,
    uniform,
)
from mlp_ref.certify.drafts.optimizer import METHODS, hyperparameters, moments_of
from mlp_ref.corpus.records import Record
from mlp_ref.parameters import Params

__all__ = ["CHAIN", "train_step_drafts"]

_SIZES = (3, 3, 2)
_STEPS = 4

# method -> activation and loss of its chain
_CHAINS = {
    "sgd": ("tanh", "cross_entropy"),
    "momentum": ("gelu", "squared_error"),
    "nesterov": ("softplus", "binary_cross_entropy"),
    "adam": ("silu", "cross_entropy"),
    "adamw": ("gelu_tanh", "binary_cross_entropy"),
}
# method, activation and loss of single steps
_SINGLE = (
    ("sgd", "relu", "squared_error"),
    ("momentum", "elu", "cross_entropy"),
    ("nesterov", "sigmoid", "squared_error"),
    ("adam", "leaky_relu", "binary_cross_entropy"),
    ("adamw", "identity", "squared_error"),
)

# of single steps from extreme logits: row maxima far apart, labels of next to no probability
_EXTREME = (
    ("sgd", "identity", "cross_entropy"),
    ("adam", "softplus", "cross_entropy"),
    ("momentum", "identity", "binary_cross_entropy"),
)

# id of the first step -> how many steps the chain has
CHAIN = MappingProxyType(
    {
        f"train_step/{method}/{f}-{loss}/step-1/{A.name}": _STEPS
        for method, (f, loss) in _CHAINS.items()
        for A in BOTH
    }
)


def train_step_drafts() -> Iterator[Record]:
    """The first step of every chain, and single steps from a state in the middle of training."""
    for method in METHODS:
        f, loss = _CHAINS[method]
        for A in BOTH:
            yield _step(A, method, f, loss, "step-1", 0)
    for method, f, loss in _SINGLE:
        for A in BOTH:
            yield _step(A, method, f, loss, "later", 7)
    for method, f, loss in _EXTREME:
        for A in BOTH:
            yield _step(A, method, f, loss, "extreme", 7)


def _step(A: Arithmetic, method: str, f: str, loss: str, stage: str, t: int) -> Record:
    """One batch of five rows; weight decay in the single steps."""
    name = f"train_step/{method}/{f}-{loss}/{stage}"
    rng = rng_of(name)
    params = Params.from_layers(layers_of(rng, _SIZES)).flat
    m, v = 0.25 * uniform(rng, params.shape), 0.25 * rng.random(params.shape)
    if not t:
        m, v = np.zeros_like(params), np.zeros_like(params)
    extreme = stage == "extreme"
    x, target = (
        bell(rng, (5, _SIZES[0])),
        target_for(loss, rng, 5, _SIZES[-1], t > 0 and not extreme),
    )
    soft = ("SoftTarget",) if t and not extreme and loss != "squared_error" else ()
    flags = ("WeightDecay",) if t else ("Chain", "FirstStep")
    note = "one step in the middle of training" if t else "the first step of a chain"
    if extreme:
        x = x * np.array([[600.0], [-450.0], [1.0], [300.0], [-800.0]])
        flags, note = (*flags, "ExtremeLogits"), "one step from logits of several hundreds"
    return draft(
        A, name, note, {"params": params, **moments_of(method, m, v), "x": x, "target": target},
        parameters={
            "sizes": list(_SIZES), "activations": [f, "identity"], "loss": loss,
            **hyperparameters(method, t=t, decay=0.125 if t else 0.0, eps=2.0**-10),
        },
        difficulty=2, flags=("FullPrecisionInput", "OddBatch", *flags, *soft),
    )  # fmt: skip
