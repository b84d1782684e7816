"""Optimizers as classes with a dictionary of state; operation optimizer alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mutants.mutant import Mutant, place, questions

__all__ = ["MUTANTS"]


class Momentum:
    """SGD with momentum, Nesterov's form and L2 decay."""

    def __init__(self, wrong, lr, momentum, nesterov, weight_decay, t):
        self.wrong, self.lr, self.mu, self.nesterov = wrong, lr, momentum, nesterov
        self.decay, self.t = weight_decay, t

    def update(self, w, g, state):
        """The new parameters; state changes."""
        if self.decay and self.wrong != "steps/damped-and-no-decay":
            sign = -1 if self.wrong == "steps/decay-grows" else 1
            g = g + sign * self.decay * w
        lr = self.lr
        if self.wrong == "steps/rate-falls":
            lr = lr / (1 + 0.01 * self.t)
        if not self.mu:
            return w - lr * g
        share = 1.0
        if self.wrong in ("steps/average-of-gradients", "steps/damped-and-no-decay"):
            share = 1 - self.mu
        if self.wrong == "steps/rate-in-velocity":
            share = lr
        old = state["v"]
        state["v"] = share * g + self.mu * old
        if self.wrong == "steps/velocity-of-before":
            return w - lr * (g + self.mu * old if self.nesterov else old)
        if self.wrong == "steps/rate-in-velocity":
            return w - (lr * g + self.mu * state["v"] if self.nesterov else state["v"])
        if self.nesterov and self.wrong != "steps/flag-ignored":
            return w - lr * (g + self.mu * state["v"])
        return w - lr * state["v"]


class Adam:
    """Adam, and AdamW if decoupled."""

    def __init__(self, wrong, decoupled, lr, beta1, beta2, eps, weight_decay, t):
        self.wrong, self.decoupled, self.decay = wrong, decoupled, weight_decay
        self.lr, self.b1, self.b2, self.eps, self.t = lr, beta1, beta2, eps, t + 1
        if wrong == "steps/t-stays-1":
            self.t = 1
        if wrong == "steps/t-from-0":
            self.t = max(t, 1)
        if wrong == "steps/betas-exchanged":
            self.b1, self.b2 = beta2, beta1

    def update(self, w, g, state):
        """The new parameters; state changes."""
        wrong, lr = self.wrong, self.lr
        if self.decoupled and wrong != "steps/decay-through-adam":
            w = w * (1 - lr * self.decay)
        else:
            g = g + self.decay * w
        state["m"] = m = state["m"] + (g - state["m"]) * (1 - self.b1)
        state["v"] = v = state["v"] * self.b2 + g * ((1 - self.b2) * g)
        left1, left2 = 1 - self.b1**self.t, 1 - self.b2**self.t
        if wrong in ("steps/moments-as-they-are", "steps/raw-and-eps-inside"):
            left1 = left2 = 1.0
        if wrong == "steps/second-as-it-is":
            left2 = 1.0
        if wrong in ("steps/eps-under-root", "steps/raw-and-eps-inside"):
            return w - lr / left1 * m / np.sqrt(v / left2 + self.eps)
        if wrong == "steps/eps-before-correction":
            return w - lr * left2**0.5 / left1 * m / (np.sqrt(v) + self.eps)
        return w - lr * (m / left1) / (self.eps + np.sqrt(v / left2))


def run(wrong, question) -> dict[str, Any]:
    """One step."""
    settings, inputs = dict(question.parameters), question.inputs
    state = {name: inputs[name] for name in ("m", "v") if name in inputs}
    method = settings.pop("method")
    if method == "sgd":
        optimizer = Momentum(wrong, **settings)
    else:
        optimizer = Adam(wrong, method == "adamw", **settings)
    after = optimizer.update(inputs["params"], inputs["grads"], state)
    return {"params": after, **state}


build = partial(questions, run, operations=("optimizer",))

MUTANTS = (
    Mutant(
        "steps/moments-as-they-are", "Adam divides neither moment by its correction.", build,
        ("optimizer-adam-no-correction",), (r"bias correction",),
    ),
    Mutant(
        "steps/second-as-it-is", "Adam corrects m alone.", build,
        ("optimizer-adam-no-correction-of-v",), (r"correct.* v\b",),
    ),
    Mutant(
        "steps/eps-under-root", "Adam adds eps under the root.", build,
        ("optimizer-adam-eps-inside",), (r"\beps\b",),
    ),
    Mutant(
        "steps/eps-before-correction", "Adam adds eps before v is corrected.", build,
        ("optimizer-adam-eps-before-correction",), (r"\beps\b",),
    ),
    Mutant(
        "steps/betas-exchanged", "Adam's beta1 and beta2 are exchanged.", build,
        ("optimizer-adam-betas-swapped",), (r"betas?.*(exchang|swap)",),
    ),
    Mutant(
        "steps/t-from-0", "Adam counts its steps from 0, and calls the first one 1.", build,
        ("optimizer-adam-t-late",), (r"\bt\b.*(late|earlier|off by one)",),
    ),
    Mutant(
        "steps/t-stays-1", "Adam takes every step for its first.", build,
        (), (place(r"\bparams\b"), r"first step"),
    ),
    Mutant(
        "steps/decay-through-adam", "AdamW adds its decay to the gradient.", build,
        ("optimizer-adamw-coupled",), (r"decay.*gradient",),
    ),
    Mutant(
        "steps/average-of-gradients", "The velocity is an average, not a sum.", build,
        ("optimizer-momentum-dampened",), (r"1 - mu|dampen",),
    ),
    Mutant(
        "steps/rate-in-velocity", "The velocity holds the learning rate.", build,
        ("optimizer-momentum-rate-inside",), (r"\bv\b.*\blr\b|\blr\b.*velocity|v is .*times",),
    ),
    Mutant(
        "steps/velocity-of-before", "The step takes the velocity of the step before.", build,
        ("optimizer-momentum-old-velocity",), (r"velocity|\bv before",),
    ),
    Mutant(
        "steps/flag-ignored", "Nesterov's form is never used.", build,
        ("optimizer-nesterov-missing",), (r"[Nn]esterov",),
    ),
    Mutant(
        "steps/decay-grows", "Weight decay is subtracted from the gradient.", build,
        ("optimizer-decay-sign",), (r"decay.*sign",),
    ),
    Mutant(
        "steps/rate-falls", "The learning rate falls with t.", build,
        (), (place(r"\bparams\b"), r"learning rate"),
    ),
    Mutant(
        "steps/raw-and-eps-inside", "Adam corrects nothing, and has eps under the root.", build,
        ("optimizer-adam-no-correction",), (r"bias correction", r"\beps\b"),
        ("optimizer-adam-eps-inside",),
    ),
    Mutant(
        "steps/damped-and-no-decay", "The velocity is an average, and decay is ignored.", build,
        ("optimizer-momentum-dampened",), (r"1 - mu|dampen", r"decay"),
        ("optimizer-decay-missing",),
    ),
)  # fmt: skip
