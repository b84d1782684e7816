"""PyTorch as its users write it, modules and autograd, and how its answers are judged.

`mlp_ref.subjects` holds another PyTorch, in functional form: the two share no line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.random import Generator
from torch import nn
from torch.nn import functional as F

from mlp_ref import INITIALIZERS, LOSSES, MLP, SOFTMAX, Params, initialize
from mlp_ref.arithmetic import Arithmetic, Array
from mlp_ref.corpus.library import activation_of
from mlp_ref.gate.cases import Case
from mlp_ref.gate.cases import network_case as network_case_of
from mlp_ref.gate.judge import Result, Verdict
from mlp_ref.gate.run import CaseReport, run_case
from mlp_ref.subjects import network_subject

DTYPES = ("float32", "float64")
MODULES: Mapping[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "softplus": nn.Softplus,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
    "softmax": lambda: nn.Softmax(dim=1),
    "log_softmax": lambda: nn.LogSoftmax(dim=1),
}
Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
CRITERIA: Mapping[str, Criterion] = {
    "cross_entropy": F.cross_entropy,
    "binary_cross_entropy": F.binary_cross_entropy_with_logits,
    "squared_error": F.mse_loss,
}


def numpy_of(tensor: torch.Tensor) -> Array:
    """The numbers in memory of their own, which no in-place step of PyTorch can reach."""
    return tensor.detach().numpy().copy()


def linears(net: nn.Sequential) -> list[nn.Linear]:
    """The dense layers, from input to output."""
    return [module for module in net if isinstance(module, nn.Linear)]


def sequential(
    weights: Sequence[Array],
    biases: Sequence[Array],
    activations: Sequence[str],
    modules: Mapping[str, Callable[[], nn.Module]] = MODULES,
) -> nn.Sequential:
    """Linear and activation modules in turn, with the weights copied in transposed."""
    parts: list[nn.Module] = []
    for W, b, name in zip(weights, biases, activations, strict=True):
        linear = nn.Linear(*W.shape, dtype=torch.from_numpy(W).dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W).T)  # (n_out, n_in)
            linear.bias.copy_(torch.from_numpy(b))
        parts += [linear, modules[name]()]
    return nn.Sequential(*parts)


def answer(net: nn.Sequential, criterion: Criterion, x: Array, target: Array) -> dict[str, Array]:
    """Every tensor of one pass through ``net``, by the names of `bounds.derive`."""
    outputs: list[torch.Tensor] = []
    hooks = [m.register_forward_hook(lambda *call: outputs.append(call[2])) for m in net]
    first = torch.tensor(x, requires_grad=True)
    output = net(first)
    output.retain_grad()
    loss = criterion(output, torch.tensor(target))
    net.zero_grad()
    loss.backward()
    for hook in hooks:
        hook.remove()
    found = {"loss": loss, "g": output.grad, "dx": first.grad}
    found |= {f"{'za'[k % 2]}{k // 2}": tensor for k, tensor in enumerate(outputs)}
    for k, linear in enumerate(linears(net)):
        found |= {f"dW{k}": linear.weight.grad.T, f"db{k}": linear.bias.grad}
    return {name: numpy_of(tensor) for name, tensor in found.items()}


def run_modules(
    *,
    weights: Sequence[Array],
    biases: Sequence[Array],
    x: Array,
    target: Array,
    activations: Sequence[str],
    loss: str,
) -> dict[str, Array]:
    """A subject of the gate: forward and backward through nn.Sequential."""
    return answer(sequential(weights, biases, activations), CRITERIA[loss], x, target)


def report_of(run: Callable[..., Mapping[str, Any]], case: Case) -> CaseReport:
    """The gate's verdict on one function."""
    return run_case(network_subject("torch modules", run, DTYPES, {}), case)


def describe(result: Result) -> str:
    """The worst entry of a tensor, in one line."""
    return (
        f"{result.tensor}{list(result.index)} {result.reason}: got {result.got!r}, expected "
        f"{result.expected!r}, error/bound {result.ratio:.4g}, {result.ulp:.3g} ULP"
    )


def require(results: Sequence[Result], where: str) -> None:
    """Every tensor passes; none is skipped."""
    wrong = [describe(r) for r in results if r.verdict != Verdict.PASS]
    assert not wrong, "\n".join([where, *wrong])
    assert results


def require_pass(case: Case) -> None:
    """PyTorch's modules answer within the derived bounds, every tensor and entry."""
    report = report_of(run_modules, case)
    require(report.results, f"{case.id} {report.hint}")


def rng_of(name: str) -> Generator:
    """A generator of its own for every name, so that adding a case changes no other."""
    return np.random.default_rng(crc32(name.encode()))


def target_of(loss: str, n: int, classes: int, rng: Generator, *, soft: bool) -> Array:
    """Labels, zeros and ones, or integers; their soft forms have all 53 bits."""
    labels = rng.integers(0, classes, n)
    if loss == "cross_entropy":
        return SOFTMAX.value(rng.standard_normal((n, classes))) if soft else labels
    if loss == "binary_cross_entropy":
        return rng.uniform(size=(n, classes)) if soft else np.eye(classes)[labels]
    return rng.standard_normal((n, classes)) if soft else rng.integers(-3, 4, (n, classes)) / 1


def rounded_case(
    name: str,
    activations: tuple[str, ...],
    layers: Sequence[tuple[Array, Array]],
    x: Array,
    loss: str,
    target: Array,
    A: Arithmetic,
) -> Case:
    """A case of float64 numbers, rounded to the arithmetic; the float64 reference judges it."""
    params = Params.from_layers((A.quantize(W), A.quantize(b)) for W, b in layers)
    model = MLP(params.sizes, tuple(activation_of(f) for f in activations))
    target = A.quantize(target) if target.dtype.kind == "f" else target
    return network_case_of(
        f"{name}/{A.name}", "", A, model, params, A.quantize(x), LOSSES[loss], target
    )


def network_case(
    name: str,
    activations: tuple[str, ...],
    sizes: tuple[int, ...],
    loss: str,
    A: Arithmetic,
    *,
    soft: bool,
    x: Array | None = None,
    rows: int = 1,
) -> Case:
    """A network that is drawn from its name, with the rows ``x``, by default normal numbers."""
    rng = rng_of(name)
    drawn = initialize(sizes, INITIALIZERS["glorot_uniform"], rng=rng)
    layers = tuple((W, rng.normal(scale=0.2, size=b.shape)) for W, b in drawn.layers)
    x = rng.standard_normal((rows, sizes[0])) if x is None else x
    target = target_of(loss, len(x), sizes[-1], rng, soft=soft)
    return rounded_case(name, activations, layers, x, loss, target, A)


def logits_of() -> dict[str, Array]:
    """Batches of logits, by what is extreme about them."""
    rng = rng_of("logits")
    normal = rng.standard_normal((7, 5))
    offsets = np.linspace(-1000, 1000, 7)[:, None]
    sign = rng.choice([-1.0, 1.0], (7, 5))
    return {
        "typical": normal,
        "one class": normal[:, :1],
        "one row of 1,001 classes": rng.standard_normal((1, 1001)),
        "row maxima from -1000 to 1000": offsets + normal,
        "from -1000 to 1000 in one row": 1000 * normal,
        "equal": np.full((7, 5), 3.0),
        "nearly equal": normal / 1024,
        "of every magnitude": sign * 2.0 ** rng.uniform(-40, 40, (7, 5)),
        "near the largest float32": sign * 2.0 ** rng.uniform(120, 127, (7, 5)),
    }


LOGITS = logits_of()
