"""Small records that use every field of the format, for the tests of the corpus."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlp_ref.corpus.records import Certified, Generated, Record

NAN, INF, LEAST = float("nan"), float("inf"), 2.0**-1074


def certified(shape: tuple[int, ...], *, both: bool = False, **more: Any) -> Certified:
    """A tensor of the numbers 1/3, 2/3, ..., each with its rest and a radius."""
    stored = shape if "index" not in more else (len(more["index"]),)
    count = int(np.prod(stored))
    hi = (np.arange(1, count + 1) / 3).reshape(stored)
    radius = np.full(stored, 2.0**-108)
    bounds = {"float64": np.full(stored, 2.0**-51)}
    if both:
        bounds["float32"] = np.full(stored, 2.0**-22)
    return Certified(shape, hi, hi * 2.0**-55, radius, bounds, **more)


def activation(**change: Any) -> Record:
    """A float64 case with sets, signed zeros, NaN, infinities and subnormal numbers."""
    x = np.array([[0.0, -0.0, NAN], [INF, -INF, LEAST]])
    y = Certified(
        x.shape, np.array([[0.0, -0.0, NAN], [INF, 0.0, LEAST]]), np.zeros((2, 3)),
        np.zeros((2, 3)), {"float64": np.array([[0, 0, 0], [0, INF, LEAST]])}, signed_zeros=True,
    )  # fmt: skip
    dx = certified((2, 3), sets={0: (0.0, 0.5, 1.0), 1: (-0.0, 1.0)})
    fields: dict[str, Any] = {
        "id": "activation/every-field/relu/float64", "operation": "activation",
        "arithmetic": "float64", "note": "every field", "difficulty": 3,
        "flags": ("Kink", "SignedZero"), "parameters": {"function": "relu"},
        "inputs": {"x": x, "g": np.ones((2, 3))}, "expected": {"y": y, "dx": dx},
        "since": "2026.1", "provenance": {"bits": 192, "agreed": {"values": 32.0}},
    }  # fmt: skip
    return Record(**fields | change)


def dense(**change: Any) -> Record:
    """A float32 case with a generated input, a tensor stored in part, and both bounds."""
    part = certified((3, 4), both=True, index=np.array([0, 5, 11]), checksum=-12.5)
    fields: dict[str, Any] = {
        "id": "dense/every-field/float32", "operation": "dense", "arithmetic": "float32",
        "note": "every field", "difficulty": 1, "flags": (), "parameters": {},
        "inputs": {
            "x": np.array([[0.1, 2, 3], [4, 5, 6]], np.float32),
            "W": Generated((3, 4), 0xF000_0000_0000_0001, 7, -3, 0.5),
            "b": np.zeros(4, np.float32), "g": np.ones((2, 4), np.float32),
        },
        "expected": {
            "z": certified((2, 4), both=True), "dW": part, "db": certified((4,), both=True),
            "dx": certified((2, 3), both=True),
        },
        "since": "2026.1",
        "provenance": {"bits": 384, "agreed": {"values": 32.0, "derivatives": 30.5}},
    }  # fmt: skip
    return Record(**fields | change)


def rejected(**change: Any) -> Record:
    """A loss whose labels are too many; inputs of size 0 and of another dtype."""
    fields: dict[str, Any] = {
        "id": "loss/rejects/labels/float32", "operation": "loss", "arithmetic": "float32",
        "note": "labels for no row", "difficulty": 1, "flags": ("MustReject",),
        "parameters": {"loss": "cross_entropy"},
        "inputs": {"z": np.zeros((0, 3)), "target": np.array([2, -1], np.int64)},
        "rejects": "labels", "since": "2026.1",
    }  # fmt: skip
    return Record(**fields | change)


def step(**change: Any) -> Record:
    """A step of Adam, with hyperparameters."""
    parameters = {
        "method": "adam", "lr": 0.001, "weight_decay": 0.0, "beta1": 0.9, "beta2": 0.999,
        "eps": 1e-08, "t": 3,
    }  # fmt: skip
    numbers = np.array([0.5, -0.25])
    fields: dict[str, Any] = {
        "id": "optimizer/every-field/adam/float64", "operation": "optimizer",
        "arithmetic": "float64", "note": "a step", "difficulty": 2, "flags": (),
        "parameters": parameters,
        "inputs": dict.fromkeys(("params", "grads", "m", "v"), numbers),
        "expected": {name: certified((2,)) for name in ("params", "m", "v")},
        "since": "2026.1", "provenance": {"bits": 192, "agreed": {}},
    }  # fmt: skip
    return Record(**fields | change)


def records() -> list[Record]:
    """All of them, in the order of the operations."""
    return [activation(), dense(), rejected(), step()]
