"""Inputs that must be rejected: what a library broadcasts, casts or clips gives a wrong answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator

from mlp_ref.arithmetic import FLOAT32, FLOAT64, Arithmetic, Array
from mlp_ref.certify.drafts.draw import (
    BOTH,
    bell,
    draft,
    layer_inputs,
    layers_of,
    rng_of,
    target_for,
)
from mlp_ref.certify.drafts.optimizer import hyperparameters
from mlp_ref.corpus.records import Record

__all__ = ["reject_drafts"]

_Arrays = dict[str, Array]


def reject_drafts() -> Iterator[Record]:
    """Every draft whose inputs break an invariant, in both arithmetics."""
    for A in BOTH:
        for operation, cases in (
            ("dense", _dense), ("softmax", _rows), ("log_softmax", _rows), ("loss", _loss),
            ("mlp", _mlp), ("optimizer", _optimizer),
        ):  # fmt: skip
            for family, what, note, parameters, inputs in cases(A):
                plain = draft(
                    A, f"{operation}/rejects/{family}", note, {}, parameters=parameters,
                    flags=("MustReject",),
                )  # fmt: skip
                yield replace(plain, inputs=inputs, rejects=what)


_Case = tuple[str, str, str, Mapping[str, Any], _Arrays]


def _other(A: Arithmetic) -> Arithmetic:
    return FLOAT32 if A == FLOAT64 else FLOAT64


def _numbers(A: Arithmetic, rng: Generator, *shape: int) -> Array:
    return A.quantize(bell(rng, shape))


def _dense(A: Arithmetic) -> Iterator[_Case]:
    rng = rng_of("dense/rejects")
    good = {
        "x": _numbers(A, rng, 3, 4), "W": _numbers(A, rng, 4, 2), "b": _numbers(A, rng, 2),
        "g": _numbers(A, rng, 3, 2),
    }  # fmt: skip
    cast = _other(A).quantize
    for family, what, note, change in (
        ("rows-of-weights", "shape", "W has one row too many", {"W": _numbers(A, rng, 5, 2)}),
        ("transposed-weights", "shape", "W is transposed", {"W": good["W"].T.copy()}),
        ("length-of-b", "shape", "b has one number too many", {"b": _numbers(A, rng, 3)}),
        ("scalar-b", "broadcast", "b has one number for two outputs", {"b": good["b"][:1]}),
        ("matrix-b", "shape", "b is a matrix (1, n_out)", {"b": good["b"][None]}),
        ("one-row-g", "broadcast", "g has one row for three", {"g": good["g"][:1]}),
        ("one-column-g", "broadcast", "g has one column for two", {"g": good["g"][:, :1]}),
        ("vector-x", "shape", "x is a vector", {"x": good["x"][0]}),
        ("empty-batch", "shape", "a batch without rows", {"x": good["x"][:0], "g": good["g"][:0]}),
        ("dtype-of-x", "dtype", "x has another dtype than W", {"x": cast(good["x"])}),
        ("dtype-of-b", "dtype", "b has another dtype than W", {"b": cast(good["b"])}),
        ("integer-x", "dtype", "x holds integers", {"x": np.arange(12).reshape(3, 4)}),
    ):
        yield family, what, note, {}, good | _own(change)


def _rows(A: Arithmetic) -> Iterator[_Case]:
    rng = rng_of("softmax/rejects")
    x, g = _numbers(A, rng, 3, 4), _numbers(A, rng, 3, 4)
    for family, what, note, inputs in (
        ("vector-x", "shape", "a vector of logits", {"x": x[0], "g": g[0]}),
        ("one-row-g", "broadcast", "g has one row for three", {"x": x, "g": g[:1]}),
        ("empty-batch", "shape", "a batch without rows", {"x": x[:0], "g": g[:0]}),
        (
            "integer-x",
            "dtype",
            "logits that are integers",
            {"x": np.arange(12).reshape(3, 4), "g": g},
        ),
    ):
        yield family, what, note, {}, _own(inputs)


def _own(arrays: Mapping[str, Array]) -> _Arrays:
    """Copies, so that no draft shares memory with another."""
    return {key: np.array(x) for key, x in arrays.items()}


def _loss(A: Arithmetic) -> Iterator[_Case]:
    rng = rng_of("loss/rejects")
    z, labels = _numbers(A, rng, 4, 3), np.array([0, 2, 1, 2])
    unit = A.quantize(rng.random((4, 3)))
    p = A.quantize(target_for("cross_entropy", rng, 4, 3, soft=True))
    real, cast = _numbers(A, rng, 4, 3), _other(A).quantize
    twice = np.array(unit)
    for entry, name in ((1.5, "above-one"), (-0.25, "below-zero")):
        twice[2, 1] = entry
        yield (
            f"{name}/binary_cross_entropy", "range", f"a target of {entry} is no probability",
            {"loss": "binary_cross_entropy"}, _own({"z": z, "target": twice}),
        )  # fmt: skip
    negative = np.array([[0.5, 0.75, -0.25]] * 4, A.dtype)
    squared, binary, cross = "squared_error", "binary_cross_entropy", "cross_entropy"
    column, classes = "a target (n, 1) against (n, C)", "a target (C,) against (n, C)"
    for family, loss, what, note, target in (
        ("one-column", squared, "broadcast", column, real[:, :1]),
        ("one-column", binary, "broadcast", column, unit[:, :1]),
        ("one-column", cross, "broadcast", column, np.ones((4, 1), A.dtype)),
        ("one-row", squared, "broadcast", classes, real[0]),
        ("one-row", binary, "broadcast", classes, unit[0]),
        ("one-row-matrix", squared, "broadcast", "a target (1, C) against (n, C)", real[:1]),
        ("dtype", squared, "dtype", "the target has another dtype", cast(real)),
        ("dtype", binary, "dtype", "the target has another dtype", cast(unit)),
        (
            "dtype",
            cross,
            "dtype",
            "the target has another dtype",
            np.full((4, 3), (0.5, 0.25, 0.25), _other(A).dtype),
        ),
        ("label-too-large", cross, "labels", "a label C in 0 ... C - 1", np.array([0, 3, 1, 2])),
        ("label-negative", cross, "labels", "a label of -1", np.array([0, -1, 1, 2])),
        ("labels-too-many", cross, "labels", "one label too many", np.array([0, 2, 1, 2, 0])),
        ("labels-too-few", cross, "labels", "one label too few", labels[:3]),
        ("labels-column", cross, "labels", "labels (n, 1)", labels[:, None]),
        ("labels-float", cross, "dtype", "labels that are floats", labels.astype(A.dtype)),
        ("sum-too-large", cross, "sum", "probabilities that sum to 1.5", A.quantize(p * 1.5)),
        ("counts", cross, "sum", "counts instead of probabilities", np.ones((4, 3), A.dtype)),
        ("negative-probability", cross, "range", "a negative probability", negative),
    ):
        yield f"{family}/{loss}", what, note, {"loss": loss}, _own({"z": z, "target": target})
    for loss, target in ((cross, labels[:0]), (binary, unit[:0]), (squared, real[:0])):
        yield (
            f"empty-batch/{loss}", "shape", "a batch without rows", {"loss": loss},
            _own({"z": z[:0], "target": target}),
        )  # fmt: skip
    yield (
        f"vector-z/{squared}", "shape", "outputs (C,)", {"loss": squared},
        _own({"z": z[0], "target": real[0]}),
    )  # fmt: skip


def _mlp(A: Arithmetic) -> Iterator[_Case]:
    rng = rng_of("mlp/rejects")
    layers = layers_of(rng, (3, 4, 2))
    good = {key: A.quantize(np.asarray(x)) for key, x in layer_inputs(layers).items()}
    good |= {"x": _numbers(A, rng, 3, 3), "target": _numbers(A, rng, 3, 2)}
    cast = _other(A).quantize
    for family, what, note, change in (
        ("width-of-x", "shape", "x has one column too many", {"x": _numbers(A, rng, 3, 4)}),
        ("layers-do-not-chain", "shape", "W1 takes 5 inputs of 4", {"W1": _numbers(A, rng, 5, 2)}),
        ("length-of-b", "shape", "b0 has one number too few", {"b0": good["b0"][:3]}),
        ("scalar-b", "broadcast", "b1 has one number for two outputs", {"b1": good["b1"][:1]}),
        (
            "target-column",
            "broadcast",
            "a target (n, 1) against (n, 2)",
            {"target": good["target"][:, :1]},
        ),
        ("target-rows", "shape", "the target has one row too few", {"target": good["target"][:2]}),
        ("dtype-of-x", "dtype", "x has another dtype than the weights", {"x": cast(good["x"])}),
        ("dtype-of-weights", "dtype", "W1 has another dtype than W0", {"W1": cast(good["W1"])}),
        (
            "empty-batch",
            "shape",
            "a batch without rows",
            {"x": good["x"][:0], "target": good["target"][:0]},
        ),
    ):
        yield (
            family, what, note, {"activations": ["tanh", "identity"], "loss": "squared_error"},
            _own(good | change),
        )  # fmt: skip


def _optimizer(A: Arithmetic) -> Iterator[_Case]:
    rng = rng_of("optimizer/rejects")
    good = {key: _numbers(A, rng, 6) for key in ("params", "grads", "m")}
    good["v"] = A.quantize(rng.random(6))
    cast = _other(A).quantize
    for family, method, what, note, change in (
        ("length-of-grads", "sgd", "shape", "one gradient too few", {"grads": good["grads"][:5]}),
        ("one-gradient", "adam", "broadcast", "one gradient for all", {"grads": good["grads"][:1]}),
        ("dtype-of-grads", "sgd", "dtype", "g of another dtype", {"grads": cast(good["grads"])}),
        ("length-of-v", "momentum", "shape", "v has one entry too few", {"v": good["v"][:5]}),
        ("dtype-of-m", "adam", "dtype", "m of another dtype", {"m": cast(good["m"])}),
        ("length-of-m", "adamw", "shape", "m has one entry too few", {"m": good["m"][:5]}),
    ):
        kept = {"sgd": (), "momentum": ("v",)}.get(method, ("m", "v"))
        inputs = {key: good[key] for key in ("params", "grads", *kept)} | change
        yield f"{family}/{method}", what, note, hyperparameters(method, t=1), _own(inputs)
    for family, method, name, value in (
        ("negative-rate", "sgd", "lr", -0.5), ("momentum-of-one", "momentum", "momentum", 1.0),
        ("nesterov-without-momentum", "nesterov", "momentum", 0.0),
        ("beta-of-one", "adam", "beta2", 1.0), ("zero-eps", "adam", "eps", 0.0),
        ("negative-decay", "adamw", "weight_decay", -0.25),
    ):  # fmt: skip
        kept = {"sgd": (), "momentum": ("v",), "nesterov": ()}.get(method, ("m", "v"))
        inputs = {key: good[key] for key in ("params", "grads", *kept)}
        yield (
            f"{family}/{method}", "range", f"{name} = {value} is outside its range",
            hyperparameters(method, t=1) | {name: value}, _own(inputs),
        )  # fmt: skip
