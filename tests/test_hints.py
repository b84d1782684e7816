"""Hints name the mistake where the numbers prove it, and otherwise only the place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from wrong_networks import (
    CASES,
    Answer,
    Run,
    after,
    hint,
    naive,
    names_a_cause,
    network,
    only,
    times,
    wrong,
)
from wrong_networks import (
    DEEP as D,
)
from wrong_networks import (
    DIGITS as N,
)

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.gate.run import run_case
from mlp_ref.subjects import network_subject


def single(**question: Any) -> Answer:
    """All of it in float32, and back."""
    cast = {
        name: [a.astype("f4") for a in part] if isinstance(part, list) else part.astype("f4")
        for name, part in question.items() if name in ("weights", "biases", "x", "target")
    }  # fmt: skip
    return {name: t.astype("f8") for name, t in network(**question | cast).items()}


def rounded(*names: str) -> Run:
    """Arguments that were loaded in float32, and float64 from there on."""

    def there_and_back(part: Any) -> Any:
        if isinstance(part, list):
            return [there_and_back(array) for array in part]
        return part.astype("f4").astype(part.dtype)

    return lambda **question: network(
        **question | {name: there_and_back(question[name]) for name in names}
    )


def rounded_probability(loss: Any, z: Any, t: Any) -> Any:
    """The logarithms of p and 1 - p."""
    with np.errstate(all="ignore"):
        p = 1 / (1 + np.exp(-z))
        return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p)), (p - t) / z.size


def naive_gradient(loss: Any, z: Any, t: Any) -> Any:
    """A loss that is right, beside a softmax that subtracts nothing."""
    with np.errstate(all="ignore"):
        e = np.exp(z)
        return loss.value(z, t), (e / e.sum(axis=1, keepdims=True) - t) / len(z)


def global_maximum(loss: Any, z: Any, t: Any) -> Any:
    """Softmax after subtracting one maximum for the whole batch."""
    with np.errstate(all="ignore"):
        e = np.exp(z - z.max())
        p = e / e.sum(axis=1, keepdims=True)
        return -np.log(p[np.arange(len(z)), t]).mean(), (p - np.eye(4, dtype=z.dtype)[t]) / 4


def only_rows(loss: Any, z: Any, t: Any) -> Any:
    """Summed over the outputs, averaged over the rows."""
    value, g = loss.value_and_grad(z, t)
    return value * z.shape[1], g * z.shape[1]


def tanh_gelu(f: Any, z: Any) -> Any:
    """The tanh form where the erf form is asked for."""
    return ACTIVATIONS["gelu_tanh" if f.name == "gelu" else f.name].value(z)


LAYOUT = "weights are (n_in, n_out) here; PyTorch stores (n_out, n_in)."
GRADIENTS = ("g", "d")


@pytest.mark.parametrize(
    ("run", "name", "text"),
    [
        (times(lambda q: len(q["x"]), *GRADIENTS), N + "tanh/cross_entropy/float32",
         "g is 3 times the reference: summed over the 3 rows, not averaged."),
        (times(lambda q: 1 / len(q["x"]), "dW", "db"), D + "tanh/cross_entropy/float64",
         "dW2 is 1/3 times the reference: divided by the 3 rows twice."),
        (times(lambda q: -1, *GRADIENTS), D + "gelu/binary_cross_entropy/float64",
         "g is -1 times the reference: the sign is reversed."),
        (times(lambda q: 0.5, "loss", *GRADIENTS), N + "elu/squared_error/float32",
         "The loss is 1/2 times the reference: squared_error is (z - t)^2, not half of it."),
        (times(lambda q: 0.5, *GRADIENTS), D + "elu/squared_error/float64",
         "g is 1/2 times the reference: squared_error is (z - t)^2, not half of it."),
        (times(lambda q: 5, "loss"), D + "elu/squared_error/float64",
         ("The loss is 5 times the reference: half the sum over the 10 outputs of each row, while "
          "squared_error is the mean over all 30 entries.")),
        (only(times(lambda q: 1 / 10, *GRADIENTS), "d"), D + "gelu/cross_entropy/float64",
         ("dW2 is 1/10 times the reference: divided by the 10 classes, where only rows are "
          "averaged.")),
        (wrong(grad=only_rows), D + "silu/squared_error/float64",
         ("The loss is 10 times the reference: summed over the 10 outputs of each row, while "
          "squared_error is the mean over all 30 entries.")),
        (times(lambda q: 30, "loss"), D + "silu/squared_error/float64",
         ("The loss is 30 times the reference: summed, while squared_error is the mean over all 30 "
          "entries.")),
        (times(lambda q: 1 / 10, "g"), D + "relu/cross_entropy/float64",
         "g is 1/10 times the reference: divided by the 10 classes, where only rows are averaged."),
        (times(lambda q: 1 / 30, "g"), D + "relu/squared_error/float64",
         "g is 1/30 times the reference: divided by the 30 entries twice."),
        (after(lambda t, q: t.T, "dW"), D + "relu/cross_entropy/float64",
         f"dW2 is transposed: {LAYOUT}"),
        (after(lambda t, q: t.T, "dW"), "mlp/square/gelu", f"dW2 is transposed: {LAYOUT}"),
        (after(lambda t, q: t.T, "g"), "mlp/square/gelu",
         "g is transposed: rows are samples, x is (n, n_in), W is (n_in, n_out) and z = x W + b."),
        (wrong(affine=lambda a, W, b: a @ W.T + b), "mlp/square/gelu",
         f"z0 holds the product with W0 transposed: {LAYOUT}"),
        (wrong(affine=lambda a, W, b: a @ W), "mlp/batch-7/gelu",
         "z0 holds a W0 without the bias."),
        (wrong(value=tanh_gelu),
         "mlp/batch-7/gelu", "a0 holds gelu_tanh, not gelu."),
        (single, D + "relu/squared_error/float64",
         "z0 holds numbers of float32: something is cast to single precision."),
        (rounded("x"), D + "relu/cross_entropy/float64",
         "z0 is computed from x in single precision."),
        (only(rounded("x", "weights", "biases"), "dW"), D + "relu/cross_entropy/float64",
         "dW2 is computed from x and the parameters in single precision."),
        (rounded("x", "weights", "biases"), "mlp/negative-zero/elu/float64",
         "z1 is computed from the parameters in single precision."),
        (wrong(grad=global_maximum), "mlp/logits-row-maxima/cross_entropy/hard/float32",
         ("NaN: exp overflows, or underflows in a whole row, unless the maximum of each ROW is "
          "subtracted first; and log(p) is -inf where p underflows.")),
        (wrong(grad=naive_gradient), "mlp/logits-extreme/cross_entropy/soft/float64",
         ("NaN: exp overflows, or underflows in a whole row, unless the maximum of each ROW is "
          "subtracted first; and log(p) is -inf where p underflows.")),
        (wrong(grad=rounded_probability), "mlp/logits-extreme/binary_cross_entropy/hard/float32",
         "NaN: take the loss from the logits, not the logarithm of a rounded probability."),
        (after(lambda t, q: t * np.nan, "z1"), D + "relu/squared_error/float64",
         "NaN: all that goes into z1 is finite; is memory used before it is set?"),
        (wrong(value=lambda f, z: naive(f, z) if f.name == "sigmoid" else f.value(z)),
         "mlp/points-tails/sigmoid/float64",
         "NaN: exp(|x|) overflows; exp(-|x|) never does, and gives the same functions."),
    ],
)  # fmt: skip
def test_a_classic_mistake_is_named(run: Run, name: str, text: str) -> None:
    """Each convention that may differ has its own words, with the numbers of the case."""
    found = hint(run, name)
    assert found == text
    assert names_a_cause(found)


def test_several_explanations_are_all_given() -> None:
    """With 4 rows and 4 outputs a factor of 4 has two causes, and neither is hidden."""
    found = hint(
        times(lambda q: 4, *GRADIENTS), "mlp/logits-close/binary_cross_entropy/soft/float64"
    )
    assert found == (
        "g is 4 times the reference: summed over the 4 rows, not averaged, or summed over the 4 "
        "outputs of each row, while binary_cross_entropy is the mean over all 16 entries."
    )


def test_two_layouts_that_give_the_same_numbers_are_both_named() -> None:
    """Where x is the identity, a transposed answer is the product with transposed weights."""
    found = hint(after(lambda t, q: t.T, "z0"), "mlp/logits-close/cross_entropy/soft/float64")
    assert found == (
        f"z0 holds the product with W0 transposed: {LAYOUT[:-1]}. Or z0 is transposed: rows are "
        "samples, x is (n, n_in), W is (n_in, n_out) and z = x W + b."
    )


def test_a_few_small_integers_prove_nothing() -> None:
    """The loss of an exact case is an integer over 16: half of it may be met by chance."""
    found = hint(times(lambda q: 0.5, "loss"), "mlp/exact-13-7-4/relu/float64")
    assert found == "The forward pass is right; look at squared_error: the loss itself."


def test_the_plain_network_is_right() -> None:
    """Without a wrong step the network of these tests passes every case, and gets no hint."""
    for case in CASES.values():
        report = run_case(network_subject("mine", network), case)
        assert (report.verdict, report.hint) == ("pass", "")
