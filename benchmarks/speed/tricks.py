"""What each optimization of a step is worth: the step without it, or with one that was dropped."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from math import sqrt
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.speed.child import main
from benchmarks.speed.clock import block, repeats, spread
from benchmarks.speed.workloads import OPTIMIZERS, Problem, problem
from mlp_ref import CROSS_ENTROPY, IDENTITY, MLP, RELU, Adam, Params
from mlp_ref import OPTIMIZERS as RULES
from mlp_ref.dense import Layer
from mlp_ref.losses import Loss
from mlp_ref.model import Workspace
from mlp_ref.softmax import RowMemory

__all__ = ["DROPPED", "KEPT", "as_it_is", "measure", "section", "step_of"]

Array = Any
_ROUNDS = 9


class _Folded(Adam):
    """Adam with the corrections of m and v folded into the rate and eps: a division fewer."""

    def advance(self, t: int, lr: float, scratch: Array, theta: Array, *rest: Array) -> None:
        g, m, v = rest
        m *= self.beta1
        m += np.multiply(g, 1 - self.beta1, out=scratch)
        v *= self.beta2
        g *= g
        v += np.multiply(g, 1 - self.beta2, out=scratch)
        root, c2 = np.sqrt(v, out=scratch), sqrt(1 - self.beta2**t)
        root += self.eps * c2
        update = np.divide(m, root, out=scratch)
        update *= lr * c2 / (1 - self.beta1**t)
        theta -= update


def step_of(
    p: Problem, *, pure: bool = False, fresh: bool = False, whole: bool = False,
    checked: bool = True, loss: Loss = CROSS_ENTROPY, relu: Any = RELU, rule: Any = None,
    work: Callable[[Workspace], Workspace] = lambda w: w,
) -> Callable[[], Params]:  # fmt: skip
    """The step of training with parts of it exchanged; it returns the parameters.

    ``whole``    computes the gradient of the input, too
    ``fresh``    allocates every array
    ``pure``     calls `Optimizer.step` instead of `Optimizer.update`
    ``checked``  are the labels, in every step
    """
    model = MLP(p.workload.sizes, (relu,) * (len(p.params.layers) - 1) + (IDENTITY,))
    rule = (rule or RULES[p.optimizer])(p.rate)
    held = [p.params.copy(), rule.init(p.params)]
    memory = work(model.workspace(len(p.x), p.params.dtype))
    scratch = np.empty_like(p.params.flat)  # enough for blocks of any length

    def step() -> Params:
        params, state = held
        given = None if fresh else memory
        z, trace = model.forward(params, p.x, given)
        if checked:
            loss.check(z, p.y)
        _, g = loss.descent(z, p.y, None if fresh else memory.loss)
        grads, _ = model.backward(params, trace, g, input_gradient=whole, work=given)
        if pure:
            held[:] = rule.step(params, grads, state)
        else:
            held[1] = rule.update(params, grads, state, scratch)
        return held[0]

    return step


def _matmul_affine(layer: Layer, x: Array, out: Array = None) -> Array:
    z = np.matmul(x, layer.W, out=out)
    z += layer.b
    return z


def _matmul_grad(x: Array, g: Array, out: Any = None, ones: Array = None) -> Layer:
    dW, db = (None, None) if out is None else out
    return Layer(np.matmul(x.T, g, out=dW), np.dot(ones, g, out=db))


def _matmul_vjp(layer: Layer, g: Array, out: Array = None) -> Array:
    return np.matmul(g, layer.W.T, out=out)


def _summed(x: Array, g: Array, out: Any = None, ones: Array = None) -> Layer:
    dW, db = (None, None) if out is None else out
    return Layer(np.dot(x.T, g, out=dW), np.sum(g, axis=0, out=db))


@contextmanager
def _matmul() -> Iterator[None]:
    with (
        mock.patch("mlp_ref.model.affine", _matmul_affine),
        mock.patch("mlp_ref.model.affine_grad", _matmul_grad),
        mock.patch("mlp_ref.model.affine_vjp", _matmul_vjp),
    ):
        yield


@contextmanager
def as_it_is() -> Iterator[None]:
    """Nothing is exchanged."""
    yield


def _no_bias_product() -> Any:
    return mock.patch("mlp_ref.model.affine_grad", _summed)


def _undivided() -> Any:
    return mock.patch("mlp_ref.optimizers._block", lambda flat: flat.size)


def _aligned(work: Workspace) -> Workspace:
    """The same memory, every array at the start of a cache line."""

    def moved(x: Array) -> Array:
        raw = np.empty(x.nbytes + 64, np.uint8)
        start = -raw.ctypes.data % 64
        return raw[start : start + x.nbytes].view(x.dtype).reshape(x.shape)

    z = tuple(map(moved, work.z))
    kept = [other is own for own, other in zip(work.z, work.a, strict=True)]
    a = tuple(b if same else moved(b) for b, same in zip(z, kept, strict=True))
    loss = work.loss._replace(shifted=moved(work.loss.shifted), exp=moved(work.loss.exp))
    grads = Params(moved(work.grads.flat), work.grads.sizes)
    g, d = tuple(map(moved, work.g)), tuple(map(moved, work.d))
    return work._replace(z=z, a=a, g=g, d=d, loss=loss, grads=grads)


def _by_class(
    z: Array, y: Array, work: RowMemory | None = None
) -> tuple[Array, int, Callable[[], Array]]:
    """Cross-entropy of labels with the classes in the first axis: rows as long as the batch."""
    n, classes = z.shape
    rows = RowMemory.like(z) if work is None else work
    shifted, e = rows.shifted.reshape(classes, n), rows.exp.reshape(classes, n)
    np.subtract(z.T, np.maximum.reduce(z, axis=1), out=shifted)
    np.exp(shifted, out=e)
    flat, label = e.reshape(-1), y * n + np.arange(n)
    own = flat[label]
    flat[label] = 0
    others = np.dot(rows.ones, e)
    terms = np.log1p(own - 1 + others)
    terms -= shifted.reshape(-1)[label]

    def grad() -> Array:
        flat[label] = -others
        np.divide(e, own + others, out=e)
        return e.T

    return terms, n, grad


def _dot_grad(x: Array, g: Array, out: Any = None, ones: Array = None) -> Layer:
    dW, db = (None, None) if out is None else out
    return Layer(np.dot(x.T, g, out=dW), np.dot(ones, g, out=db))


def _dots() -> Any:
    return mock.patch("mlp_ref.model.affine_grad", _dot_grad)


def _zero_row(x: Array, out: Array = None) -> Array:
    return np.maximum(x, np.zeros(x.shape[1], x.dtype), out=out)


_HEAVISIDE = replace(RELU, slope=lambda x, y, out=None: np.heaviside(y, 0, out=out))

# name -> (options of step_of, what is exchanged while it runs)
KEPT: Mapping[str, tuple[dict[str, Any], Callable[[], Any]]] = {
    "no gradient of the input": ({"whole": True}, as_it_is),
    "work memory": ({"fresh": True}, as_it_is),
    "optimizer in place": ({"pure": True}, as_it_is),
    "slope of relu by sign, not heaviside": ({"relu": _HEAVISIDE}, as_it_is),
    "np.dot for z and dL/da, not np.matmul": ({}, _matmul),
    "bias gradient by a product with ones": ({}, _no_bias_product),
    "optimizer in blocks (for less memory)": ({}, _undivided),
}
DROPPED: Mapping[str, tuple[dict[str, Any], Callable[[], Any]]] = {
    "work memory at cache lines": ({"work": _aligned}, as_it_is),
    "relu against a row of zeros": ({"relu": replace(RELU, value=_zero_row)}, as_it_is),
    "labels checked once": ({"checked": False}, as_it_is),
    "classes in the first axis": ({"loss": replace(CROSS_ENTROPY, parts=_by_class)}, as_it_is),
    "np.dot for dW, too": ({}, _dots),
    "Adam's corrections folded": ({"rule": _Folded}, as_it_is),
}


def _ratios(workload: str, optimizer: str) -> dict[str, float]:
    """Variant -> its time over that of the step, the median of interleaved rounds."""
    p = problem(workload, optimizer)
    variants = {"": ({}, as_it_is), **KEPT, **DROPPED}
    steps = {name: step_of(p, **options) for name, (options, _) in variants.items()}
    counts: dict[str, int] = {}
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(_ROUNDS + 1):
        for name, (_, exchanged) in variants.items():
            with exchanged(), np.errstate(over="ignore", invalid="ignore"):
                if not turn:
                    counts[name] = repeats(steps[name])
                else:
                    times[name].append(block(steps[name], counts[name]))
    own = times.pop("")
    return {
        name: spread([a / b for a, b in zip(taken, own, strict=True)]).median
        for name, taken in times.items()
    }


def measure(quick: bool) -> dict[str, Any]:
    """Workload -> optimizer -> variant -> ratio."""
    names = ("tiny",) if quick else ("tiny", "small", "mnist", "medium")
    return {name: {rule: _ratios(name, rule) for rule in OPTIMIZERS} for name in names}


def _table(found: dict[str, Any], variants: Mapping[str, object], head: str) -> str:
    lines = [f"| {head} | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
    for name in variants:
        if name == "Adam's corrections folded":
            cells = [f"/ {by['adam'][name]:.2f}" for by in found.values()]
        else:
            cells = [f"{by['sgd'][name]:.2f} / {by['adam'][name]:.2f}" for by in found.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def section(found: dict[str, Any]) -> Iterator[str]:
    """Both tables."""
    yield "## What each trick is worth"
    yield "Time of a step without it, over that of the step as it is (SGD / Adam):"
    yield _table(found, KEPT, "kept")
    yield (
        "Tried, and dropped, because it gains less than 5 % on every workload. Time with it, over "
        "that of the step as it is:"
    )
    yield _table(found, DROPPED, "dropped")


if __name__ == "__main__":
    sys.exit(main(measure))
