"""Negative controls: networks with one classic mistake each, and where the gate rejects them.

Every mistake is PyTorch's own code with one part replaced, so that nothing else can be the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from peers import (
    CRITERIA,
    MODULES,
    answer,
    network_case,
    report_of,
    rounded_case,
    run_modules,
    sequential,
)
from torch import nn
from torch.nn import functional as F

from mlp_ref.arithmetic import FLOAT32, FLOAT64, Arithmetic, Array
from mlp_ref.gate.cases import Case
from mlp_ref.gate.judge import Verdict

CE, BCE, SE = "cross_entropy", "binary_cross_entropy", "squared_error"
Run = Callable[..., Mapping[str, Any]]


def with_modules(**modules: Callable[[], nn.Module]) -> Run:
    """An activation replaced."""

    def run(*, weights, biases, x, target, activations, loss) -> Mapping[str, Any]:
        net = sequential(weights, biases, activations, {**MODULES, **modules})
        return answer(net, CRITERIA[loss], x, target)

    return run


def with_criterion(criterion: Callable[[Any, Any], torch.Tensor]) -> Run:
    """The loss replaced."""

    def run(*, weights, biases, x, target, activations, loss) -> Mapping[str, Any]:
        return answer(sequential(weights, biases, activations), criterion, x, target)

    return run


def with_question(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Run:
    """The input replaced: weights, biases or data."""
    return lambda **question: run_modules(**(question | change(question)))


def with_answer(change: Callable[[str, Array], Array]) -> Run:
    """The tensors changed afterwards."""

    def run(**question: Any) -> Mapping[str, Any]:
        return {name: change(name, array) for name, array in run_modules(**question).items()}

    return run


def truncated(W: Array) -> Array:
    """A float32 matrix with the 10 explicit bits of significand that TF32 keeps."""
    return (W.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)


def in_float32(**question: Any) -> Mapping[str, Any]:
    """Computed in float32, returned as float64."""

    def cast(q: Any, kind: type) -> Any:
        if isinstance(q, list):
            return [cast(part, kind) for part in q]
        return q.astype(kind) if isinstance(q, np.ndarray) and q.dtype.kind == "f" else q

    found = run_modules(**{name: cast(q, np.float32) for name, q in question.items()})
    return {name: array.astype(np.float64) for name, array in found.items()}


class UpperRelu(nn.Module):
    """relu with the derivative 1 at 0."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """z where z >= 0."""
        return torch.where(z >= 0, z, 0 * z)


def clipped(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The cross-entropy of probabilities that are clipped before their logarithm is taken."""
    p = torch.softmax(z, dim=1).clamp(1e-7, 1)
    return F.nll_loss(torch.log(p), y)


def global_cross_entropy(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The cross-entropy of a softmax that is shifted by the maximum of the whole batch."""
    e = torch.exp(z - z.max())
    return F.nll_loss(torch.log(e / e.sum(dim=1, keepdim=True)), y)


def small(activation: str, loss: str, A: Arithmetic = FLOAT64, *, soft: bool = False) -> Case:
    """Square layers and as many rows as classes: a transpose keeps its shape."""
    name = f"rejected/{activation}/{loss}"
    return network_case(name, (activation, "identity"), (4, 4, 4), loss, A, soft=soft, rows=4)


def logits_case(spread: float) -> Case:
    """Logits whose row maxima are far apart, and whose labels are unlikely."""
    z = np.array([[-spread, -spread - 1, 0.5 - spread], [spread, 0.0, 1.0], [0.25, 2.0, -3.0]])
    layers = ((z, np.zeros(3)),)
    target = np.array([1, 1, 1])
    return rounded_case("logits", ("identity",), layers, np.eye(3), CE, target, FLOAT64)


def zero_case() -> Case:
    """z = 0 exactly in every hidden unit."""
    layers = ((np.ones((2, 3)), np.zeros(3)), (np.ones((3, 1)), np.zeros(1)))
    x, target = np.array([[1.0, -1.0], [0.0, 0.0]]), np.array([[1.0], [2.0]])
    return rounded_case("zero", ("relu", "identity"), layers, x, SE, target, FLOAT64)


def mean_of_rows(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Summed over the outputs, averaged over the rows only."""
    return F.binary_cross_entropy_with_logits(z, t, reduction="sum") / len(z)


BACKWARD = ["g", "dW1", "db1", "dW0", "db0", "dx"]
ALL = ["z0", "a0", "z1", "a1", "loss", *BACKWARD]
REJECTED: dict[str, tuple[Case, Run, list[str]]] = {
    "the loss summed": (
        small("tanh", CE), with_criterion(lambda z, y: F.cross_entropy(z, y, reduction="sum")),
        ["loss", *BACKWARD],
    ),
    "the gradient summed where the loss is averaged": (
        small("tanh", CE),
        with_answer(lambda name, q: 4 * q if name in BACKWARD else q), BACKWARD,
    ),
    "the gradient averaged twice": (
        small("tanh", SE, soft=True),
        with_answer(lambda name, q: q / 4 if name in BACKWARD else q), BACKWARD,
    ),
    "binary cross-entropy averaged over rows only": (
        small("tanh", BCE), with_criterion(mean_of_rows), ["loss", *BACKWARD],
    ),
    "half of the squared error": (
        small("tanh", SE), with_criterion(lambda z, t: F.mse_loss(z, t) / 2), ["loss", *BACKWARD],
    ),
    "softmax twice": (
        small("tanh", CE), with_criterion(lambda z, y: F.cross_entropy(F.softmax(z, 1), y)),
        ["loss", *BACKWARD],
    ),
    "label smoothing": (
        small("tanh", CE), with_criterion(lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1)),
        ["loss", *BACKWARD],
    ),
    "clipped probabilities": (
        logits_case(40), with_criterion(clipped), ["loss", "g", "dW0", "db0", "dx"],
    ),
    "softmax shifted by the maximum of the batch": (
        logits_case(500), with_criterion(global_cross_entropy), ["loss", "g", "dW0", "db0", "dx"],
    ),
    "gelu by tanh": (
        small("gelu", CE), with_modules(gelu=lambda: nn.GELU(approximate="tanh")), ALL[1:],
    ),
    "gelu_tanh by erf": (small("gelu_tanh", CE), with_modules(gelu_tanh=nn.GELU), ALL[1:]),
    "selu for elu": (small("elu", CE), with_modules(elu=nn.SELU), ALL[1:]),
    "leaky_relu with slope 0.2": (
        small("leaky_relu", CE), with_modules(leaky_relu=lambda: nn.LeakyReLU(0.2)), ALL[1:],
    ),
    "relu'(0) = 1": (zero_case(), with_modules(relu=UpperRelu), ["dW0", "db0", "dx"]),
    "square weights transposed": (
        small("tanh", CE), with_question(lambda q: {"weights": [W.T for W in q["weights"]]}), ALL,
    ),
    "the last bias dropped": (
        small("tanh", CE),
        with_question(lambda q: {"biases": [q["biases"][0], 0 * q["biases"][1]]}), ALL[2:],
    ),
    "weights truncated as in TF32": (
        small("tanh", CE, FLOAT32),
        with_question(lambda q: {"weights": [truncated(W) for W in q["weights"]]}), ALL,
    ),
    "weights off in bit 42": (
        small("tanh", CE),
        with_question(lambda q: {"weights": [W * (1 + 2.0**-42) for W in q["weights"]]}), ALL,
    ),
    "float32 claimed as float64": (small("tanh", CE), in_float32, ALL),
    "a gradient transposed": (
        small("tanh", CE), with_answer(lambda name, q: q.T if name == "dW1" else q), ["dW1"],
    ),
    "a gradient accumulated over two calls": (
        small("tanh", CE), with_answer(lambda name, q: 2 * q if name == "db0" else q), ["db0"],
    ),
    "one NaN": (
        small("tanh", CE),
        with_answer(lambda name, q: np.nan * q if name == "loss" else q), ["loss"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", REJECTED)
def test_the_mistake_is_rejected_where_it_is_made(mistake: str) -> None:
    """Exactly the tensors that the mistake reaches fail, and PyTorch without it passes."""
    case, wrong, failing = REJECTED[mistake]
    report = report_of(wrong, case)
    assert report.verdict == Verdict.FAIL
    assert [result.tensor for result in report.failures] == failing
    assert report_of(run_modules, case).verdict == Verdict.PASS
