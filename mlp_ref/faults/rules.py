"""What the wrong optimizers are written with: the numbers of a step of Adam, and decays."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.faults.making import for_methods
from mlp_ref.faults.parts import RIGHT, Answer, Inputs, Parameters, Parts

__all__ = ["Adam", "adam_step", "decayed", "kept", "lengths_of"]


class Adam:
    """The numbers of one step of Adam: ``rate`` b1 b2 ``eps``, m and v after it, t counted from 1.

    c1 = 1 - b1^t,  c2 = 1 - b2^t
    """

    def __init__(self, rule: Parameters, moments: Answer) -> None:
        self.t = int(rule["t"]) + 1
        self.rate, self.eps = rule["lr"], rule["eps"]
        self.m, self.v = moments["m"], moments["v"]
        self.c1, self.c2 = 1 - rule["beta1"] ** self.t, 1 - rule["beta2"] ** self.t


def decayed(rule: Parameters, theta: Array, grads: Array) -> Array:
    """g + weight_decay theta, unless the decay is decoupled."""
    if rule["method"] == "adamw" or not rule["weight_decay"]:
        return grads.copy()
    return np.asarray(grads + rule["weight_decay"] * theta)


def kept(rule: Parameters, theta: Array) -> Array:
    """What a decoupled decay leaves of the parameters."""
    if rule["method"] != "adamw":
        return theta
    return np.asarray(theta * (1 - rule["lr"] * rule["weight_decay"]))


def adam_step(update: Callable[[Adam], Any]) -> Parts:
    """The right moments, and theta - ``update``."""

    def step(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
        after = RIGHT.step(rule, theta, grads, moments)
        return after | {"params": kept(rule, theta) - update(Adam(rule, after))}

    return for_methods({"adam": step, "adamw": step})


def lengths_of(rule: Parameters, theta: Array) -> list[int]:
    """How many numbers W0, b0, W1, b1, ... have; without sizes, the last number is a bias."""
    sizes = rule.get("sizes", [len(theta) - 1, 1])
    return [n for a, b in pairwise(sizes) for n in (a * b, b)]
