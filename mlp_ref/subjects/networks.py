"""Subjects that are one function on networks, called with keywords."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlp_ref.subjects.protocol import Question, Subject

__all__ = ["keywords_of", "network_subject"]

_STANDARD = {"float32", "float64"}  # the dtype of the arrays tells these apart


def keywords_of(question: Question, arithmetic: bool = False) -> dict[str, Any]:
    """Weights, biases, x, target, activations and loss of a question of the operation mlp.

    With ``arithmetic``, its name too.
    """
    inputs, parameters = question.inputs, question.parameters
    depth = len(parameters["activations"])
    keywords: dict[str, Any] = {
        "weights": [inputs[f"W{k}"] for k in range(depth)],
        "biases": [inputs[f"b{k}"] for k in range(depth)],
        "x": inputs["x"],
        "target": inputs["target"],
        "activations": list(parameters["activations"]),
        "loss": parameters["loss"],
    }
    return keywords | ({"arithmetic": question.arithmetic} if arithmetic else {})


def network_subject(
    name: str,
    run: Callable[..., Mapping[str, Any]],
    arithmetics: tuple[str, ...] = ("float32", "float64"),
    versions: Mapping[str, str] | None = None,
    **declared: Any,
) -> Subject:
    """A subject of the operation mlp alone.

    ``run`` is called with keywords; with ``arithmetic`` among them if the subject declares one that
    the dtype of the arrays does not tell. ``declared`` are its checks and conventions.
    """
    narrow = not {*arithmetics} <= _STANDARD
    return Subject(
        name, lambda question: run(**keywords_of(question, narrow)), ("mlp",), arithmetics,
        versions or {}, **declared,
    )  # fmt: skip
