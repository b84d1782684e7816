"""Dense layers that are wrong: transposed, cut, without a bias, or from the wrong memory."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from mlp_ref.arithmetic import Array
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.making import after_answer, after_inputs
from mlp_ref.faults.parts import RIGHT, Answer, Inputs, Parts

__all__ = ["DENSE", "whole_tiles"]

FAMILY = "dense"


def _square(W: Array) -> Array:
    """W^T where W is square, which no shape can tell."""
    return W.T if W.shape[0] == W.shape[1] else W


def _upside_down(W: Array) -> Array:
    """The memory of W, row by row, read column by column."""
    return W.T.reshape(W.shape)


def _row_bias(x: Array, W: Array, b: Array) -> Array:
    """x W + b, where entry i of b goes to row i if there are as many rows as columns."""
    z = x @ W
    return np.asarray(z + (b[:, None] if z.shape[0] == z.shape[1] else b))


def whole_tiles(size: int) -> Parts:
    """x W + b over the inputs in whole tiles, if there is one."""

    def affine(x: Array, W: Array, b: Array) -> Array:
        k = max(x.shape[1] // size * size, size)
        return np.asarray(x[:, :k] @ W[:k] + b)

    return RIGHT._replace(affine=affine)


def _last_column(change: Callable[[Array], Array]) -> Callable[..., Array]:
    """x W + b with a change in the last column."""

    def affine(x: Array, W: Array, b: Array) -> Array:
        z = x @ W + b
        z[:, -1] = change(z[:, -1])
        return np.asarray(z)

    return affine


class _Cache(threading.local):
    """The inputs that a layer keeps for its backward pass, by shape; one question at a time."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, ...], Array] = {}

    def parts(self, renewed: bool) -> Parts:
        """dW from the kept input. ``renewed``: the last one of that shape, else the first one."""

        def inputs(operation: str, parameters: object, inputs: Inputs) -> Inputs:
            self.kept = {}
            return inputs

        def affine(x: Array, W: Array, b: Array) -> Array:
            if renewed or x.shape not in self.kept:
                self.kept[x.shape] = x
            return np.asarray(x @ W + b)

        def weight_gradient(x: Array, dz: Array) -> Array:
            return np.asarray(self.kept[x.shape].T @ dz)

        return RIGHT._replace(inputs=inputs, affine=affine, weight_gradient=weight_gradient)


def _standardized(operation: str, inputs: Inputs) -> Inputs:
    """x less the mean of each column, over its standard deviation, if that is not 0."""
    if operation not in ("dense", "mlp", "train_step"):
        return {}
    x = inputs["x"]
    deviation = x.std(axis=0)
    return {"x": (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1)}


def _shuffled(operation: str, inputs: Inputs) -> Inputs:
    """The rows of x one place on, those of the target not."""
    return {"x": np.roll(inputs["x"], 1, axis=0)} if operation in ("mlp", "train_step") else {}


def _overwritten(operation: str, answer: Answer, inputs: Inputs) -> Answer:
    """z_k is the memory of a_k."""
    return {f"z{k[1:]}": a for k, a in answer.items() if k[0] == "a"} if operation == "mlp" else {}


def _pull_in_place(f: str, da: Array, z: Array, a: Array) -> Array:
    """dz, written over da."""
    da[...] = RIGHT.pull(f, da, z, a)
    return da.copy()


def _bias_of_output(operation: str, answer: Answer, inputs: Inputs) -> Answer:
    """db of the last layer from g = dL/da."""
    last = sum(name.startswith("db") for name in answer) - 1
    return {f"db{last}": answer["g"].sum(axis=0)} if operation == "mlp" else {}


DENSE: tuple[Fault, ...] = (
    Fault(
        "dense-transposed-square", FAMILY,
        "Layers with as many inputs as outputs are wrong, all others right.",
        "x W^T + b in place of x W + b, where W is square",
        "One library stores W, the other W^T. Only a square matrix fits both ways.",
        "Transpose once, on loading, and test with a square layer.",
        RIGHT._replace(affine=lambda x, W, b: x @ _square(W) + b),
    ),
    Fault(
        "dense-transposed-dx", FAMILY,
        "The gradient that reaches the layer below a square layer is wrong.",
        "dx = dz W in place of dz W^T, where W is square",
        "The transpose is forgotten in the backward pass; shapes object unless W is square.",
        "Write dz @ W.T.",
        RIGHT._replace(input_gradient=lambda dz, W: dz @ _square(W.T)),
    ),
    Fault(
        "dense-transposed-dw", FAMILY,
        "The weight gradient of a square layer is its transpose.",
        "dW = dz^T x in place of x^T dz, where W is square",
        "The formula belongs to weights that are stored transposed.",
        "Write x.T @ dz for z = x @ W.",
        RIGHT._replace(weight_gradient=lambda x, dz: _square(x.T @ dz)),
    ),
    Fault(
        "dense-column-major", FAMILY,
        "Every layer with two or more rows and columns is wrong.",
        "the entries of W^T, in the shape of W, in place of W",
        "A file has the weights column by column, and is read row by row.",
        "Read with order='F', or store in C order.",
        RIGHT._replace(affine=lambda x, W, b: x @ _upside_down(W) + b),
    ),
    Fault(
        "dense-no-bias", FAMILY,
        "Outputs lack a constant per column.",
        "x W in place of x W + b",
        "Biases start at 0, so that a fresh network gives the right answer.",
        "Add b.",
        RIGHT._replace(affine=lambda x, W, b: x @ W),
    ),
    Fault(
        "dense-bias-twice", FAMILY,
        "Outputs are off by the bias.",
        "x W + 2 b in place of x W + b",
        "The product already adds the bias, and so does the layer.",
        "Add b once.",
        RIGHT._replace(affine=lambda x, W, b: x @ W + b + b),
    ),
    Fault(
        "dense-bias-per-row", FAMILY,
        "Only a batch of as many rows as outputs is wrong.",
        "z_ij = ... + b_i in place of b_j, where the batch is as large as the layer",
        "A bias of shape (n, 1) is broadcast along the wrong axis, and fits by chance.",
        "Keep b of shape (n_out,).",
        RIGHT._replace(affine=_row_bias),
    ),
    Fault(
        "dense-last-input", FAMILY,
        "The last input has no influence.",
        "the sum over k < n_in - 1 in place of k < n_in",
        "A loop ends one too early.",
        "Let the loop run to n_in.",
        RIGHT._replace(affine=lambda x, W, b: x[:, :-1] @ W[:-1] + b),
    ),
    Fault(
        "dense-last-output", FAMILY,
        "The last output is 0.",
        "z_j = 0 in place of its sum, for the last j",
        "A loop ends one too early, and the memory was zeroed before.",
        "Let the loop run to n_out.",
        RIGHT._replace(affine=_last_column(np.zeros_like)),
    ),
    Fault(
        "dense-tile-remainder", FAMILY,
        "Layers are wrong whose number of inputs is no multiple of 4.",
        "the sum over k < 4 (n_in // 4) in place of k < n_in",
        "A kernel works on whole tiles, and its tests on sizes that are powers of two.",
        "Handle the remainder after the last whole tile.",
        whole_tiles(4),
    ),
    Fault(
        "dense-last-sample", FAMILY,
        "The weight gradient lacks the last row of the batch.",
        "dW = sum over the first n - 1 rows in place of all n",
        "A loop ends one too early; the loss is right.",
        "Let the loop run to n.",
        RIGHT._replace(weight_gradient=lambda x, dz: x[:-1].T @ dz[:-1]),
    ),
    Fault(
        "dense-bias-before-slope", FAMILY,
        "The bias gradient of the last layer lacks the derivative of its activation.",
        "db = sum of dL/da in place of dL/dz",
        "The weights got the corrected gradient, the bias the one before.",
        "Compute dz first, and both gradients from it.",
        after_answer(_bias_of_output),
    ),
    Fault(
        "dense-not-zeroed", FAMILY,
        "Weight and bias gradients are twice what they should be.",
        "dW + dW in place of dW, after a second backward pass",
        "Gradients are added to what is there, and nobody set it to zero.",
        "Zero the gradients before every backward pass.",
        RIGHT._replace(
            weight_gradient=lambda x, dz: 2 * (x.T @ dz),
            bias_gradient=lambda dz: 2 * dz.sum(axis=0),
        ),
    ),
    Fault(
        "dense-stale-cache", FAMILY,
        "The weight gradient of a layer belongs to an input that came before.",
        "dW = x'^T dz, with x' the first input of that shape, in place of x^T dz",
        "A buffer is filled when the shape changes, and not when the numbers do.",
        "Store x in every forward pass.",
        _Cache().parts(renewed=False),
    ),
    Fault(
        "dense-shared-cache", FAMILY,
        "The weight gradients of all but the last of equal layers are wrong.",
        "dW = x'^T dz, with x' the last input of that shape, in place of x^T dz",
        "Layers of one class, or one layer that is used twice, share the memory of their input.",
        "Store x per call, and not per class.",
        _Cache().parts(renewed=True),
    ),
    Fault(
        "dense-inputs-standardized", FAMILY,
        "The answer belongs to other inputs than those that were asked.",
        "(x - mean) / deviation in place of x",
        "A preprocessing step writes into the array that it was given.",
        "Copy before changing: x = (x - mean) / deviation.",
        after_inputs(_standardized),
    ),
    Fault(
        "dense-rows-shuffled", FAMILY,
        "Everything is right for one sample, and the loss is wrong for more.",
        "x_(i-1) beside t_i in place of x_i",
        "Inputs are shuffled, and the targets are not.",
        "Shuffle both with one permutation.",
        after_inputs(_shuffled),
    ),
    Fault(
        "dense-activation-in-place", FAMILY,
        "z is reported as a, and gradients that need z are wrong; ReLU's are right.",
        "f'(a) in place of f'(z)",
        "The activation writes over its input, which the backward pass still needs.",
        "Keep z unless the derivative can be had from a.",
        after_answer(_overwritten)._replace(pull=lambda f, da, z, a: RIGHT.pull(f, da, a, a)),
    ),
    Fault(
        "dense-gradient-in-place", FAMILY,
        "The reported gradient of the loss carries the derivative of the last activation.",
        "g = dL/dz in place of dL/da",
        "The backward pass writes over the gradient that it was given.",
        "Write dz = da * slope into new memory.",
        RIGHT._replace(
            pull=_pull_in_place,
            inputs=lambda operation, parameters, inputs: {k: x.copy() for k, x in inputs.items()},
        ),
    ),
)  # fmt: skip
