"""Arithmetic that is narrower than was declared, in one place only."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from mlp_ref.activations import SIGMOID
from mlp_ref.arithmetic import BFLOAT16, FLOAT16, Array
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.making import for_functions
from mlp_ref.faults.parts import RIGHT, Answer, Inputs, Parameters, Parts
from mlp_ref.special import above_minus_inf, gelu_tanh_argument, logistic

__all__ = ["PRECISION"]

FAMILY = "precision"
Rounding = Callable[[Array], Array]


def _float32(x: Array) -> Array:
    """x, rounded to the 24 bits and the range of float32."""
    return x.astype(np.float32).astype(x.dtype)


def _tf32(x: Array) -> Array:
    """x, rounded to 11 bits, to nearest, ties to even."""
    mantissa, exponent = np.frexp(x)
    return np.asarray(np.ldexp(np.rint(mantissa * 2**11) / 2**11, exponent)).astype(x.dtype)


def _bfloat16(x: Array) -> Array:
    """x, rounded to the 8 bits and the range of bfloat16."""
    return BFLOAT16.quantize(x).astype(x.dtype)


def _float16(x: Array) -> Array:
    """x, rounded to the 11 bits and the range of float16: 65504 down to 6e-8."""
    return FLOAT16.quantize(x).astype(x.dtype)


def _decimals(x: Array) -> Array:
    """x, as it comes back from a text with six decimals."""
    return np.asarray(np.round(x, 6))


def _products(narrow: Rounding) -> Parts:
    """Both operands of every matrix product rounded, the sum in full."""
    return RIGHT._replace(
        affine=lambda x, W, b: narrow(x) @ narrow(W) + b,
        weight_gradient=lambda x, dz: narrow(x).T @ narrow(dz),
        input_gradient=lambda dz, W: narrow(dz) @ narrow(W).T,
    )


def _weights(narrow: Rounding) -> Parts:
    """x W + b and dz W^T with rounded weights."""
    return RIGHT._replace(
        affine=lambda x, W, b: x @ narrow(W) + b,
        input_gradient=lambda dz, W: dz @ narrow(W).T,
    )


def _activations(narrow: Rounding) -> Parts:
    """Activations that are stored rounded."""
    return RIGHT._replace(value=lambda f, z: narrow(RIGHT.value(f, z)))


def _gradients(narrow: Rounding) -> Parts:
    """Weight gradients that are stored rounded."""
    return RIGHT._replace(weight_gradient=lambda x, dz: narrow(x.T @ dz))


def _accumulated(narrow: Rounding) -> Callable[[Array, Array, Array], Array]:
    """x W + b, one product after another, each partial sum rounded."""

    def affine(x: Array, W: Array, b: Array) -> Array:
        total = np.zeros((len(x), W.shape[1]), x.dtype)
        for k in range(W.shape[0]):
            total = narrow(total + x[:, k, None] * W[k])
        return np.asarray(total + b)

    return affine


def _moments(narrow: Rounding) -> Parts:
    """Moments that are stored rounded; the step uses the exact ones."""

    def step(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
        after = RIGHT.step(rule, theta, grads, moments)
        return {name: x if name == "params" else narrow(x) for name, x in after.items()}

    return RIGHT._replace(step=step)


def _parameters(narrow: Rounding) -> Parts:
    """Parameters that are stored rounded after the step."""

    def step(rule: Parameters, theta: Array, grads: Array, moments: Inputs) -> Answer:
        after = RIGHT.step(rule, theta, grads, moments)
        return {name: narrow(x) if name == "params" else x for name, x in after.items()}

    return RIGHT._replace(step=step)


def _short_constant(x: Array) -> Array:
    """x s(2 q), with sqrt(2/pi) rounded to float32."""
    exact = math.sqrt(2 / math.pi)
    ratio = float(np.float32(exact)) / exact
    return np.asarray(above_minus_inf(x) * logistic(2 * gelu_tanh_argument(x) * ratio))


PRECISION: tuple[Fault, ...] = (
    Fault(
        "precision-float32-product", FAMILY,
        "Float64 layers are right to 7 digits.",
        "x W with both rounded to float32 in place of float64",
        "An array is created without a dtype, and the product runs in the narrower one.",
        "Give every array its dtype, and convert nothing in between.",
        _products(_float32),
    ),
    Fault(
        "precision-float32-weights", FAMILY,
        "Float64 layers are right to 7 digits, however exact their inputs are.",
        "W rounded to float32 in place of float64",
        "Weights came from a float32 file and were widened afterwards.",
        "Load with the dtype of the computation.",
        _weights(_float32),
    ),
    Fault(
        "precision-float32-accumulator", FAMILY,
        "Float64 sums lose digits with their length.",
        "partial sums rounded to float32 in place of float64",
        "The accumulator of a kernel has a fixed type.",
        "Accumulate in the type of the operands or a wider one.",
        RIGHT._replace(affine=_accumulated(_float32)),
    ),
    Fault(
        "precision-float32-activations", FAMILY,
        "Float64 activations are right to 7 digits.",
        "f(z) rounded to float32 in place of float64",
        "The mathematical function is called in its float version: expf for exp.",
        "Call the function of the dtype.",
        _activations(_float32),
    ),
    Fault(
        "precision-float32-exp", FAMILY,
        "The float64 sigmoid is right to 7 digits, and 0 for z < -104.",
        "s(z) with z and exp in float32 in place of float64",
        "One literal or one call in float32 narrows the whole expression.",
        "Call the function of the dtype.",
        for_functions({"sigmoid": lambda z: SIGMOID.value(z.astype(np.float32)).astype(z.dtype)}),
    ),
    Fault(
        "precision-float32-constant", FAMILY,
        "The float64 tanh form of GELU is right to 8 digits.",
        "sqrt(2/pi) rounded to float32 in place of float64",
        "The constant has the suffix f, or passes through a float parameter.",
        "Write the constant in the dtype of the computation.",
        for_functions({"gelu_tanh": _short_constant}),
    ),
    Fault(
        "precision-float32-leaky-constant", FAMILY,
        "The float64 leaky ReLU is right to 8 digits for z < 0.",
        "0.01 rounded to float32 in place of float64",
        "The slope is stored as a float attribute of the layer.",
        "Store hyperparameters as double.",
        for_functions(
            {"leaky_relu": lambda z: np.maximum(z, float(np.float32(0.01)) * z)}
        ),
    ),
    Fault(
        "precision-float32-loss", FAMILY,
        "The float64 loss is right to 7 digits; gradients are right.",
        "L rounded to float32 in place of float64",
        "The loss is collected for a log in float32, and returned from there.",
        "Return the loss before it is logged.",
        RIGHT._replace(loss=lambda name, a, t: _float32(np.asarray(RIGHT.loss(name, a, t)))),
    ),
    Fault(
        "precision-float32-gradient", FAMILY,
        "Float64 weight gradients are right to 7 digits.",
        "dW rounded to float32 in place of float64",
        "Gradient buffers are allocated with the default dtype.",
        "Allocate gradients like the parameters.",
        _gradients(_float32),
    ),
    Fault(
        "precision-float32-moments", FAMILY,
        "Float64 moments are right to 7 digits.",
        "m and v rounded to float32 in place of float64",
        "The state of the optimizer is allocated with the default dtype, or saved in float32.",
        "Allocate and save moments like the parameters.",
        _moments(_float32),
    ),
    Fault(
        "precision-tf32-product", FAMILY,
        "Layers are right to 3 digits.",
        "both operands of a product rounded to 11 bits in place of 24",
        "Tensor cores round float32 operands, and some libraries switch that on by themselves.",
        "Switch TF32 off: torch.backends.cuda.matmul.allow_tf32 = False.",
        _products(_tf32),
        "https://github.com/pytorch/pytorch/issues/67384",
    ),
    Fault(
        "precision-tf32-weights", FAMILY,
        "Layers are right to 3 digits.",
        "W rounded to 11 bits in place of 24",
        "Weights are packed for tensor cores once, and inputs are not.",
        "Keep weights in the declared arithmetic, or declare tf32.",
        _weights(_tf32),
    ),
    Fault(
        "precision-bfloat16-product", FAMILY,
        "Layers are right to 2 digits.",
        "both operands of a product rounded to bfloat16",
        "Mixed precision is on by default, or a context was not left.",
        "Leave the autocast context, or declare bfloat16.",
        _products(_bfloat16),
    ),
    Fault(
        "precision-bfloat16-activations", FAMILY,
        "Activations are right to 2 digits.",
        "f(z) rounded to bfloat16",
        "Activations are stored narrow to save memory for the backward pass.",
        "Store them in the declared arithmetic, or declare bfloat16.",
        _activations(_bfloat16),
    ),
    Fault(
        "precision-bfloat16-accumulator", FAMILY,
        "Sums stop growing once they are 256 times their terms.",
        "partial sums rounded to bfloat16",
        "The accumulator has the type of the operands.",
        "Accumulate in float32.",
        RIGHT._replace(affine=_accumulated(_bfloat16)),
    ),
    Fault(
        "precision-bfloat16-parameters", FAMILY,
        "Small updates are lost: parameters do not move.",
        "theta rounded to bfloat16 after the step",
        "There is no master copy of the weights in float32.",
        "Keep parameters in float32 and round a copy.",
        _parameters(_bfloat16),
    ),
    Fault(
        "precision-float16-product", FAMILY,
        "Layers are right to 3 digits, and inf beyond 65504.",
        "both operands of a product rounded to float16",
        "Mixed precision is on by default, or a context was not left.",
        "Leave the autocast context, or declare float16.",
        _products(_float16),
        "https://github.com/pytorch/pytorch/issues/53635",
    ),
    Fault(
        "precision-float16-gradient", FAMILY,
        "Weight gradients below 3e-8 are 0.",
        "dW rounded to float16",
        "The loss is not scaled before the backward pass in float16.",
        "Scale the loss, and unscale the gradients in float32.",
        _gradients(_float16),
    ),
    Fault(
        "precision-float16-accumulator", FAMILY,
        "Sums stop growing once they are 2048 times their terms.",
        "partial sums rounded to float16",
        "The accumulator has the type of the operands.",
        "Accumulate in float32.",
        RIGHT._replace(affine=_accumulated(_float16)),
    ),
    Fault(
        "precision-text-weights", FAMILY,
        "Small weights are 0, and all have an absolute error of 5e-7.",
        "W with six decimals in place of all digits",
        "Weights are written to a text with the default format.",
        "Write repr, 17 significant digits, or a binary file.",
        _weights(_decimals),
    ),
)  # fmt: skip
