"""Hints name the mistake where the numbers prove it, and otherwise only the place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.gate.cases import build_cases
from mlp_ref.gate.run import run_case
from mlp_ref.losses import LOSSES
from mlp_ref.subjects import Subject

CASES = {case.id: case for case in build_cases()}
Answer = dict[str, Any]


def network(
    *,
    weights: Any,
    biases: Any,
    x: Any,
    target: Any,
    activations: Any,
    loss: str,
    value: Callable[..., Any] = lambda f, z: f.value(z),
    slope: Callable[..., Any] = lambda f, z, a: f.slope(z, a),
    affine: Callable[..., Any] = lambda a, W, b: a @ W + b,
    back: Callable[..., Any] = lambda delta, W: delta @ W.T,
    grad: Callable[..., Any] = lambda f, z, t: f.value_and_grad(z, t),
) -> Answer:
    """A plain network, written again, each step of which can be replaced by a wrong one."""
    tensors, inputs, fs = {}, [x], [ACTIVATIONS[name] for name in activations]
    for k, f in enumerate(fs):
        z = tensors[f"z{k}"] = affine(inputs[-1], weights[k], biases[k])
        inputs.append(value(f, z))
        tensors[f"a{k}"] = inputs[-1]
    tensors["loss"], delta = grad(LOSSES[loss], inputs[-1], target)
    tensors["g"] = delta
    for k in reversed(range(len(fs))):
        delta = delta * slope(fs[k], tensors[f"z{k}"], tensors[f"a{k}"])
        tensors |= {f"dW{k}": inputs[k].T @ delta, f"db{k}": delta.sum(axis=0)}
        delta = back(delta, weights[k])
    return tensors | {"dx": delta}


def wrong(**steps: Callable[..., Any]) -> Callable[..., Answer]:
    """A network with wrong steps."""
    return lambda **question: network(**question, **steps)


def after(change: Callable[..., Any], *prefixes: str) -> Callable[..., Answer]:
    """A network whose tensors of those kinds are changed by change(tensor, question)."""
    return lambda **question: {
        name: change(tensor, question) if name.startswith(prefixes) else tensor
        for name, tensor in network(**question).items()
    }


def times(factor: Callable[..., float], *prefixes: str) -> Callable[..., Answer]:
    """A network whose tensors of those kinds are multiplied by factor(question)."""
    return after(lambda t, question: t * t.dtype.type(factor(question)), *prefixes)


def hint(run: Callable[..., Answer], name: str) -> str:
    """The hint that a failing case gives."""
    (case,) = [case for case in CASES.values() if case.id.startswith(name)][:1]
    report = run_case(Subject("mine", run, (), {}), case)
    assert report.verdict == "fail", report.results
    return report.hint


def global_maximum(loss: Any, z: Any, t: Any) -> Any:
    """Softmax after subtracting one maximum for the whole batch."""
    with np.errstate(all="ignore"):
        e = np.exp(z - z.max())
        p = e / e.sum(axis=1, keepdims=True)
        return -np.log(p[np.arange(len(z)), t]).mean(), (p - np.eye(5, dtype=z.dtype)[t]) / 5


def naive(f: Any, z: Any) -> Any:
    """e^z / (1 + e^z), which is inf / inf."""
    with np.errstate(all="ignore"):
        return np.exp(z) / (1 + np.exp(z))


def only_rows(loss: Any, z: Any, t: Any) -> Any:
    """Summed over the outputs, averaged over the rows."""
    value, g = loss.value_and_grad(z, t)
    return value * z.shape[1], g * z.shape[1]


def tanh_gelu(f: Any, z: Any) -> Any:
    """The tanh form where the erf form is asked for."""
    return ACTIVATIONS["gelu_tanh" if f.name == "gelu" else f.name].value(z)


def relu_at_zero(f: Any, z: Any, a: Any) -> Any:
    """relu'(0) = 1."""
    return (z >= 0).astype(z.dtype) if f.name == "relu" else f.slope(z, a)


def elsewhere(tensor: Any, question: Any) -> Any:
    """One entry 1 % wrong."""
    tensor.flat[0] *= 1.01
    return tensor


N = "digits-64-12-10/"  # 9 rows, 10 outputs
LAYOUT = "weights are (n_in, n_out) here; PyTorch stores (n_out, n_in)."
GRADIENTS = ("g", "d")


@pytest.mark.parametrize(
    ("run", "name", "text"),
    [
        (times(lambda q: len(q["x"]), *GRADIENTS), N + "tanh/cross_entropy/float32",
         "g is 9 times the reference: summed over the 9 rows, not averaged."),
        (times(lambda q: 1 / len(q["x"]), "dW", "db"), N + "tanh/cross_entropy/float64",
         "dW1 is 1/9 times the reference: divided by the 9 rows twice."),
        (times(lambda q: -1, *GRADIENTS), N + "gelu/binary_cross_entropy/float64",
         "g is -1 times the reference: the sign is reversed."),
        (times(lambda q: 0.5, "loss", *GRADIENTS), N + "elu/squared_error/float32",
         "The loss is 1/2 times the reference: squared_error is (z - t)^2, not half of it."),
        (times(lambda q: 2, *GRADIENTS), N + "elu/squared_error/float64",
         "g is 2 times the reference: squared_error is (z - t)^2, with gradient 2 (z - t)."),
        (wrong(grad=only_rows), N + "silu/squared_error/float64",
         ("The loss is 10 times the reference: summed over the 10 outputs of each row, while "
          "squared_error is the mean over all 90 entries.")),
        (times(lambda q: 90, "loss"), N + "silu/squared_error/float64",
         ("The loss is 90 times the reference: summed, while squared_error is the mean over all 90 "
          "entries.")),
        (times(lambda q: 1 / 10, "g"), N + "relu/cross_entropy/float64",
         "g is 1/10 times the reference: divided by the 10 classes, where only rows are averaged."),
        (times(lambda q: 1 / 90, "g"), N + "relu/squared_error/float64",
         "g is 1/90 times the reference: divided by the 90 entries twice."),
        (after(lambda t, q: t.T, "dW"), N + "relu/cross_entropy/float64",
         f"dW1 is transposed: {LAYOUT}"),
        (after(lambda t, q: t.T, "dW"), "square/gelu", f"dW2 is transposed: {LAYOUT}"),
        (after(lambda t, q: t.T, "g"), "square/gelu",
         "g is transposed: rows are samples, x is (n, n_in), W is (n_in, n_out) and z = x W + b."),
        (wrong(affine=lambda a, W, b: a @ W.T + b), "square/gelu",
         f"z0 holds the product with W0 transposed: {LAYOUT}"),
        (wrong(affine=lambda a, W, b: a @ W), "batch-7/gelu",
         "z0 holds a W0 without the bias."),
        (wrong(value=tanh_gelu),
         "batch-7/gelu", "a0 holds gelu_tanh, not gelu."),
        (wrong(affine=lambda a, W, b: (a.astype("f4") @ W.astype("f4") + b).astype(a.dtype)),
         N + "relu/cross_entropy/float64",
         "z0 holds as float32, not as float64: is something cast to single precision?"),
        (after(lambda t, q: np.full(len(q["x"]), t), "loss"), "batch-7/gelu",
         "The loss is the mean, one number; the subject returns one per row or entry."),
        (after(lambda t, q: t[None, None], "loss"), "batch-7/gelu",
         "The loss is one number: a scalar, or an array of shape ()."),
        (after(lambda t, q: t[None], "db"), "batch-7/gelu",
         "db1 must be summed over the rows to (4,); keepdims keeps an axis too many."),
        (after(lambda t, q: np.stack([t] * 7), "db"), "batch-7/gelu",
         "db1 must be summed over the 7 rows."),
        (after(lambda t, q: t.T, "z1"), "batch-7/gelu",
         ("Shapes follow from the layout: rows are samples, x is (n, n_in), W is (n_in, n_out) and "
          "z = x W + b.")),
        (after(lambda t, q: t.astype("f8"), "a"), N + "relu/cross_entropy/float32",
         "The arrays of the case are float32; something turns them into float64."),
        (after(lambda t, q: t.tolist(), "a"), "batch-7/gelu",
         "Return NumPy arrays: np.asarray(a), or a.detach().numpy() of a PyTorch tensor."),
        (wrong(grad=global_maximum), "logits-row-maxima/cross_entropy/hard/float64",
         ("NaN: exp overflows, or underflows in a whole row, unless the maximum of each ROW is "
          "subtracted first; and log(p) is -inf where p underflows.")),
        (after(lambda t, q: t * np.nan, "loss"), N + "relu/squared_error/float64",
         "NaN: take the loss from the logits, not the logarithm of a rounded probability."),
        (after(lambda t, q: t * np.nan, "z1"), N + "relu/squared_error/float64",
         "NaN: all that goes into z1 is finite; is memory used before it is set?"),
        (wrong(value=lambda f, z: naive(f, z) if f.name == "sigmoid" else f.value(z)),
         "points-huge/sigmoid/float64",
         "NaN: exp(|x|) overflows; exp(-|x|) never does, and gives the same functions."),
    ],
)  # fmt: skip
def test_a_classic_mistake_is_named(run: Callable[..., Answer], name: str, text: str) -> None:
    """Each convention that may differ has its own words, with the numbers of the case."""
    found = hint(run, name)
    assert found == text


@pytest.mark.parametrize(
    ("run", "name", "text"),
    [
        (after(elsewhere, "z0"), "batch-7/gelu",
         "What goes into layer 0 is right; look at its product and bias."),
        (after(elsewhere, "a0"), "batch-7/gelu", "z0 is right; look at the value of gelu."),
        (after(lambda t, q: t * t.dtype.type(1.5), "loss"), N + "gelu/squared_error/float64",
         "The forward pass is right; look at squared_error: the loss itself."),
        (after(elsewhere, "g"), N + "gelu/cross_entropy/float64",
         ("The forward pass is right; look at cross_entropy: its gradient with respect to the "
          "output.")),
        (after(elsewhere, "dW1"), "batch-7/gelu",
         "All up to g is right; look at dW1 = a0^T delta."),
        (wrong(slope=relu_at_zero), "zero/relu/float64",
         ("All up to dW1 is right; look at the product with W1 transposed, or the derivative of "
          "relu in layer 0, or dW0 = x^T delta.")),
        (after(elsewhere, "db0"), "batch-7/gelu",
         "dW0 is right; db0 is the sum of the same delta over the rows."),
        (wrong(back=lambda delta, W: delta @ W), "logits-close/cross_entropy/soft/float64",
         "Every parameter gradient is right; look at the product with W0 transposed."),
    ],
)  # fmt: skip
def test_an_unknown_mistake_is_located(run: Callable[..., Answer], name: str, text: str) -> None:
    """What matches no convention is not guessed at: the hint says what is left."""
    assert hint(run, name) == text


def test_several_explanations_are_all_given() -> None:
    """With 5 rows and 5 outputs a factor of 5 has two causes, and neither is hidden."""
    found = hint(times(lambda q: 5, *GRADIENTS), "logits-close/binary_cross_entropy/soft/float64")
    assert found == (
        "g is 5 times the reference: summed over the 5 rows, not averaged, or summed over the 5 "
        "outputs of each row, while binary_cross_entropy is the mean over all 25 entries."
    )


def test_a_place_is_not_claimed_without_the_tensors_before_it() -> None:
    """A subject that returns gradients only is asked for what comes before them."""

    def run(**question: Any) -> Answer:
        answer = after(elsewhere, "dW")(**question)
        return {name: answer[name] for name in ("dW1", "dW0", "loss")}

    assert hint(run, N + "gelu/squared_error/float64") == (
        "To see where it begins, return z0 a0 z1 a1 g too: they come before dW1."
    )


def test_the_plain_network_is_right() -> None:
    """Without a wrong step the network of these tests passes every case, and gets no hint."""
    for case in CASES.values():
        report = run_case(Subject("mine", network, (), {}), case)
        assert (report.verdict, report.hint) == ("pass", "")
