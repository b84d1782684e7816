"""Where no cause is proven a hint says what is left, and only of what is known to be right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from wrong_networks import (
    CASES,
    Answer,
    Run,
    after,
    elsewhere,
    hint,
    naive,
    names_a_cause,
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

from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.run import run_case
from mlp_ref.subjects import network_subject


def relu_at_zero(f: Any, z: Any, a: Any) -> Any:
    """relu'(0) = 1."""
    return (z >= 0).astype(z.dtype) if f.name == "relu" else f.slope(z, a)


@pytest.mark.parametrize(
    ("run", "name", "text"),
    [
        (after(lambda t, q: np.full(len(q["x"]), t), "loss"), "mlp/batch-7/gelu",
         "The loss is the mean, one number; the subject returns one per row or entry."),
        (after(lambda t, q: t[None, None], "loss"), "mlp/batch-7/gelu",
         "The loss is one number: a scalar, or an array of shape ()."),
        (after(lambda t, q: t[None], "db"), "mlp/batch-7/gelu",
         "db1 must be summed over the rows to (2,); keepdims keeps an axis too many."),
        (after(lambda t, q: np.stack([t] * 7), "db"), "mlp/batch-7/gelu",
         "db1 must be summed over the 7 rows."),
        (after(lambda t, q: t.T, "z1"), "mlp/batch-7/gelu",
         ("Shapes follow from the layout: rows are samples, x is (n, n_in), W is (n_in, n_out) and "
          "z = x W + b.")),
        (after(lambda t, q: t.astype("f8"), "a"), N + "relu/cross_entropy/float32",
         "The arrays of the case are float32; something turns them into float64."),
        (after(lambda t, q: t.tolist(), "a"), "mlp/batch-7/gelu",
         "Return NumPy arrays: np.asarray(a), or a.detach().numpy() of a PyTorch tensor."),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_put_right(run: Run, name: str, text: str) -> None:
    """A wrong shape, dtype or type has a remedy of its own."""
    assert hint(run, name) == text


@pytest.mark.parametrize(
    ("run", "name", "text"),
    [
        (after(elsewhere, "z0"), "mlp/batch-7/gelu",
         "What goes into layer 0 is right; look at its product and bias."),
        (after(elsewhere, "a0"), "mlp/batch-7/gelu", "z0 is right; look at the value of gelu."),
        (after(lambda t, q: t * t.dtype.type(1.5), "loss"), D + "gelu/squared_error/float64",
         "The forward pass is right; look at squared_error: the loss itself."),
        (after(elsewhere, "g"), D + "gelu/cross_entropy/float64",
         ("The forward pass is right; look at cross_entropy: its gradient with respect to the "
          "output.")),
        (after(elsewhere, "dW1"), "mlp/batch-7/gelu",
         "All up to g is right; look at dW1 = a0^T delta."),
        (wrong(slope=relu_at_zero), "mlp/zero/relu/float64",
         ("All up to dW1 is right; look at the product with W1 transposed, or the derivative of "
          "relu in layer 0, or dW0 = x^T delta. At z = 0 exactly, which this case has, the "
          "derivative is the one from the left.")),
        (after(elsewhere, "db0"), "mlp/batch-7/gelu",
         "dW0 is right; db0 is the sum of the same delta over the rows."),
        (wrong(back=lambda delta, W: delta @ W), "mlp/logits-close/cross_entropy/soft/float64",
         "Every parameter gradient is right; look at the product with W0 transposed."),
        (wrong(value=lambda f, z: 2 * f.value(z)), "mlp/batch-7/gelu",
         "a0 is 2 times the reference. z0 is right; look at the value of gelu."),
        (times(lambda q: 2, "dW0"), D + "relu/squared_error/float64",
         ("dW0 is 2 times the reference. All up to dW1 is right; look at the product with W1 "
          "transposed, or the derivative of relu in layer 0, or dW0 = x^T delta.")),
        (times(lambda q: 1 / 30, "dx"), D + "relu/squared_error/float64",
         ("dx is 1/30 times the reference. Every parameter gradient is right; look at the product "
          "with W0 transposed.")),
        (after(lambda t, q: t * np.nan, "loss"), D + "relu/squared_error/float64",
         ("NaN in the loss. The forward pass is right; look at squared_error: the loss itself.")),
        (after(lambda t, q: np.full_like(t, np.inf), "dx"), "mlp/exact-13-7-4/relu/float64",
         "inf in dx. Every parameter gradient is right; look at the product with W0 transposed."),
        (after(lambda t, q: t * np.nan, "a0"), "mlp/points-tails/relu/float64",
         "NaN in a0. z0 is right; look at the value of relu."),
        (after(lambda t, q: t * np.nan, "a0"), "mlp/points-moderate/silu/float64",
         "NaN in a0. z0 is right; look at the value of silu."),
        (after(lambda t, q: t * np.nan, "loss"), D + "relu/cross_entropy/float64",
         "NaN in the loss. The forward pass is right; look at cross_entropy: the loss itself."),
        (after(lambda t, q: t * np.nan, "g"), "mlp/logits-close/binary_cross_entropy/hard/float32",
         ("NaN in g. The forward pass is right; look at binary_cross_entropy: its gradient with "
          "respect to the output.")),
        (wrong(value=lambda f, z: np.where(z > 20, z, f.value(z))),
         "mlp/points-above-20/softplus/float64",
         ("z0 is right; look at the value of softplus. It would pass as float32, not as float64: "
          "is something computed in float32, or made for it?")),
    ],
)  # fmt: skip
def test_an_unknown_mistake_is_located(run: Run, name: str, text: str) -> None:
    """What matches no convention is not guessed at: the hint says what is left."""
    found = hint(run, name)
    assert found == text
    assert not names_a_cause(found)


def test_a_place_is_not_claimed_without_the_tensors_before_it() -> None:
    """A subject that returns gradients only is asked for what comes before them."""

    def run(**question: Any) -> Answer:
        answer = after(elsewhere, "dW")(**question)
        return {name: answer[name] for name in ("dW2", "dW0", "loss")}

    assert hint(run, D + "gelu/squared_error/float64") == (
        "To see where it begins, return z0 a0 z1 a1 z2 a2 g too: they come before dW2."
    )
    run = only(after(elsewhere, "dx"), "z", "a", "g", "dW", "db0", "db2", "dx")
    assert hint(run, D + "gelu/squared_error/float64") == (
        "To see where it begins, return db1 too: it comes before dx."
    )


def test_an_overflow_is_not_claimed_without_the_tensors_before_it() -> None:
    """A loss that is NaN may come from any layer: only the loss is returned, a0 overflows."""
    run = only(wrong(value=naive), "loss")
    assert hint(run, "mlp/points-tails/sigmoid/float64") == (
        "NaN in the loss. To see where it begins, return z0 a0 z1 a1 too: they come before loss."
    )


@pytest.mark.parametrize(
    ("failing", "text"),
    [
        (("a0",), "a0 before it fails as expected, and dW1 may follow from that."),
        (("a0", "a1"), "a0 a1 before it fail as expected, and dW1 may follow from that."),
    ],
)
def test_nothing_before_is_called_right_that_fails_as_expected(
    failing: tuple[str, ...], text: str
) -> None:
    """An expected failure is one: what comes after it is not told to be its own mistake."""
    case = CASES[D + "gelu/squared_error/float64"]
    known = Expectation("known", ("mine",), "1", "1", ".", {case.id: dict.fromkeys(failing, 1.0)})
    run = after(elsewhere, *failing, "dW1")
    assert run_case(network_subject("mine", run), case, (known,)).hint == text
