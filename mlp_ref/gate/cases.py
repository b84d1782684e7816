"""Cases: one network, its data and its loss, in one arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arithmetic import FLOAT32, FLOAT64, Arithmetic, Array
from mlp_ref.bounds import Bounded, derive
from mlp_ref.gate.drafts import Draft, drafts
from mlp_ref.losses import LOSSES, Loss
from mlp_ref.model import MLP
from mlp_ref.parameters import Params

__all__ = ["CASE_ARITHMETICS", "Case", "build_cases", "case_of"]

CASE_ARITHMETICS: tuple[Arithmetic, ...] = (FLOAT32, FLOAT64)


@dataclass(frozen=True, eq=False)
class Case:
    """A question for a subject. Parameters, x and real targets are numbers of the arithmetic.

    ``id``   ``family/detail.../arithmetic``, stable
    ``note`` why the case exists, in one line
    """

    id: str
    note: str
    arithmetic: Arithmetic
    model: MLP
    params: Params
    x: Array
    loss: Loss
    target: Array

    @property
    def tensors(self) -> tuple[str, ...]:
        """The tensors that are judged, in the order in which they are computed."""
        depth = len(self.model.activations)
        forward = [f"{part}{k}" for k in range(depth) for part in "za"]
        backward = [f"{part}{k}" for k in reversed(range(depth)) for part in ("dW", "db")]
        return (*forward, "loss", "g", *backward, "dx")

    def expected(self, arithmetic: Arithmetic | None = None) -> dict[str, Bounded]:
        """Every judged tensor with its bound, in the case's arithmetic or another."""
        bounds = derive(
            self.model, self.params, self.x, self.loss, self.target,
            arithmetic=arithmetic or self.arithmetic,
        )  # fmt: skip
        return {name: bounds[name] for name in self.tensors}

    def question(self) -> dict[str, Any]:
        """The keywords of the subject's function, in new memory."""
        return {
            "weights": [layer.W.copy() for layer in self.params.layers],
            "biases": [layer.b.copy() for layer in self.params.layers],
            "x": self.x.copy(),
            "target": self.target.copy(),
            "activations": [f.name for f in self.model.activations],
            "loss": self.loss.name,
        }


def case_of(draft: Draft, arithmetic: Arithmetic) -> Case:
    """Round a draft to the numbers of an arithmetic."""
    layers = [(arithmetic.quantize(W), arithmetic.quantize(b)) for W, b in draft.layers]
    params = Params.from_layers(layers)
    real = draft.target.dtype.kind == "f"
    return Case(
        f"{draft.name}/{arithmetic.name}",
        draft.note,
        arithmetic,
        MLP(params.sizes, tuple(ACTIVATIONS[name] for name in draft.activations)),
        params,
        arithmetic.quantize(draft.x),
        LOSSES[draft.loss],
        arithmetic.quantize(draft.target) if real else draft.target.astype(np.int64),
    )


def build_cases(arithmetics: tuple[Arithmetic, ...] = CASE_ARITHMETICS) -> Iterator[Case]:
    """Every case in every arithmetic, always the same and in the same order."""
    for draft in drafts():
        for arithmetic in arithmetics:
            yield case_of(draft, arithmetic)
