"""Hints: what a wrong tensor looks like, in the words of the convention that may differ.

A hint names a cause only where the numbers prove it and leave no other; where several would give
the same numbers, all are named. Otherwise it says where to look, which the first wrong tensor of a
case shows if those before it are there and right. A wrong hint would be worse than none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Arithmetic, Array
from mlp_ref.bounds import Bounded
from mlp_ref.gate.cases import Case
from mlp_ref.gate.causes import LAYOUT, ROWS, proven_causes
from mlp_ref.gate.judge import refusal
from mlp_ref.gate.weaker import weaker_arithmetic

__all__ = ["explain"]


def explain(
    case: Case,
    tensor: str,
    answer: Mapping[str, Any],
    expected: Mapping[str, Bounded],
    failed: Collection[str] = (),
) -> str:
    """One or two sentences on a failing tensor; ``failed`` are those before it that fail too."""
    if case.operation != "mlp":
        return weaker_arithmetic(case, answer)
    got, wanted = answer[tensor], expected[tensor]
    if refusal(got, wanted, case.arithmetic):
        return _malformed(case, tensor, got, wanted)
    unclear = _unclear(case, tensor, answer, failed)
    where = unclear or _where(case, tensor)
    numbers = np.asarray(got, np.float64)
    if not np.isfinite(numbers).all():
        what = "NaN" if np.isnan(numbers).any() else "inf"
        cause = "" if unclear else _overflow(case, tensor, numbers, expected)
        name = "the loss" if tensor == "loss" else tensor
        return f"{what}: {cause}" if cause else f"{what} in {name}. {where}"
    causes = proven_causes(case, tensor, answer, expected)
    if not unclear and tensor[0] == "d" and "LeftDerivative" in case.flags:
        where += " At z = 0 exactly, which this case has, the derivative is the one from the left."
    if not causes:
        return " ".join(filter(None, (where, weaker_arithmetic(case, answer))))
    text = ". Or ".join(cause.text for cause in causes)
    return f"{text}." if any(cause.named for cause in causes) else f"{text}. {where}"


def _malformed(case: Case, tensor: str, got: object, wanted: Bounded) -> str:
    if not isinstance(got, np.ndarray | np.generic):
        return "Return NumPy arrays: np.asarray(a), or a.detach().numpy() of a PyTorch tensor."
    right, n, classes = (
        np.shape(wanted.value),
        case.network.x.shape[0],
        case.network.model.sizes[-1],
    )
    if got.shape == right:
        asked = case.arithmetic.dtype
        return f"The arrays of the case are {asked}; something turns them into {got.dtype}."
    if tensor == "loss" and got.shape in ((n,), (n, 1), (n, classes)):
        return "The loss is the mean, one number; the subject returns one per row or entry."
    if tensor == "loss":
        return "The loss is one number: a scalar, or an array of shape ()."
    if tensor.startswith("dW") and got.shape == right[::-1]:
        return f"{tensor} is transposed: {LAYOUT}."
    if tensor.startswith("db") and got.shape == (1, *right):
        return f"{tensor} must be summed over the rows to {right}; keepdims keeps an axis too many."
    if tensor.startswith("db") and got.shape == (n, *right):
        return f"{tensor} must be summed over the {n} rows."
    return f"Shapes follow from the layout: {ROWS}."


# ------------------------------------------------------------------------------------- not finite

# m, where the textbook formula computes exp(m |z|)
_EXPONENTS = {"sigmoid": 1, "tanh": 2, "elu": 1, "softplus": 1, "silu": 1}


def _overflow(case: Case, tensor: str, numbers: Array, expected: Mapping[str, Bounded]) -> str:
    """Why a tensor computed from the right numbers is not finite, if the usual formula would be."""
    kind, depth = tensor[0], len(case.network.model.activations)
    if kind == "z":
        return f"all that goes into {tensor} is finite; is memory used before it is set?"
    with np.errstate(all="ignore"):
        if kind == "a":
            k = int(tensor[1:])
            m = _EXPONENTS.get(case.network.model.activations[k].name, 0)
            power = np.exp(_stored(case.arithmetic, m * np.abs(expected[f"z{k}"].value)))
            if (np.isfinite(numbers) | np.isinf(power)).all():
                return "exp(|x|) overflows; exp(-|x|) never does, and gives the same functions."
        if tensor in ("loss", "g"):
            logits = _stored(case.arithmetic, expected[f"a{depth - 1}"].value)
            if case.network.loss.name == "cross_entropy" and _softmax_overflows(
                case, tensor, logits
            ):
                return (
                    "exp overflows, or underflows in a whole row, unless the maximum of each ROW "
                    "is subtracted first; and log(p) is -inf where p underflows."
                )
            if case.network.loss.name == "binary_cross_entropy" and _sigmoid_saturates(logits):
                return "take the loss from the logits, not the logarithm of a rounded probability."
    return ""


def _stored(arithmetic: Arithmetic, x: Array) -> Array:
    return x.astype(arithmetic.dtype)


def _softmax_overflows(case: Case, tensor: str, z: Array) -> bool:
    """Whether a softmax without the row maximum, or for the loss its logarithm, is not finite."""
    labels = case.network.target.ndim == 1
    for shift in (z - z, np.full_like(z, z.max()), z.max(axis=1, keepdims=True)):
        e = np.exp(z - shift)
        p = e / e.sum(axis=1, keepdims=True)
        if tensor == "loss":
            p = np.log(p[np.arange(len(z)), case.network.target] if labels else p)
        if not np.isfinite(p).all():
            return True
    return False


def _sigmoid_saturates(z: Array) -> bool:
    """Whether a sigmoid rounds to 0 or 1, of which log(p) and log(1 - p) take the logarithm."""
    p = 1 / (1 + np.exp(-z))
    return bool(((p == 0) | (p == 1)).any())


# ----------------------------------------------------------------------------------- where to look


def _unclear(case: Case, tensor: str, answer: Mapping[str, Any], failed: Collection[str]) -> str:
    """Why the place cannot be told, or an empty string. No tensor is computed from the loss."""
    before = [name for name in case.tensors[: case.tensors.index(tensor)] if name != "loss"]
    missing = [name for name in before if name not in answer]
    wrong = [name for name in before if name in failed]
    if missing:
        come = "they come" if len(missing) > 1 else "it comes"
        return f"To see where it begins, return {' '.join(missing)} too: {come} before {tensor}."
    if wrong:
        fail = "fail" if len(wrong) > 1 else "fails"
        return f"{' '.join(wrong)} before it {fail} as expected, and {tensor} may follow from that."
    return ""


def _where(case: Case, tensor: str) -> str:
    """The place of the mistake, where all tensors before this one are right."""
    if tensor in ("loss", "g"):
        what = "its gradient with respect to the output" if tensor == "g" else "the loss itself"
        return f"The forward pass is right; look at {case.network.loss.name}: {what}."
    if tensor == "dx":
        return "Every parameter gradient is right; look at the product with W0 transposed."
    part = tensor.rstrip("0123456789")
    k, last = int(tensor.removeprefix(part)), len(case.network.model.activations) - 1
    f = case.network.model.activations[k].name
    if part == "z":
        return f"What goes into layer {k} is right; look at its product and bias."
    if part == "a":
        return f"z{k} is right; look at the value of {f}."
    if part == "db":
        return f"dW{k} is right; db{k} is the sum of the same delta over the rows."
    steps = [] if k == last else [f"the product with W{k + 1} transposed"]
    steps += [] if f == "identity" else [f"the derivative of {f} in layer {k}"]
    steps += [f"{tensor} = {f'a{k - 1}' if k else 'x'}^T delta"]
    before = "g" if k == last else f"dW{k + 1}"
    return f"All up to {before} is right; look at {', or '.join(steps)}."
