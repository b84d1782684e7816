"""Derivatives of activation functions that are wrong, while the values are right."""

from __future__ import annotations

import numpy as np

from mlp_ref.activations import GELU_TANH
from mlp_ref.arithmetic import Array
from mlp_ref.faults.activations import through_nan
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.making import for_functions
from mlp_ref.faults.parts import RIGHT
from mlp_ref.special import (
    gaussian,
    gelu_tanh_argument,
    logistic,
    logistic_slope,
    normal_cdf,
    sech2,
)

__all__ = ["SLOPES"]

FAMILY = "activation"


def _cube_without_three(x: Array, y: Array) -> Array:
    """s + x p' s (1 - s), p' = 2 sqrt(2/pi) (1 + 0.044715 x^2): the 3 is missing."""
    p = 2 * gelu_tanh_argument(x)
    slope = 2 * 0.7978845608028654 * (1 + 0.044715 * np.square(np.clip(x, -30, 30)))
    return np.asarray(logistic(p) + np.clip(x, -1e3, 1e3) * slope * logistic_slope(p))


def _limited(x: Array) -> Array:
    """x, with the infinities replaced by numbers whose product with 0 is 0."""
    return np.asarray(np.nan_to_num(x, nan=np.nan))


SLOPES: tuple[Fault, ...] = (
    Fault(
        "activation-slope-forgotten", FAMILY,
        "Gradients do not depend on the activation at all.",
        "dz = da in place of dz = da f'(z)",
        "The backward pass is written for the matrices only. It still trains, after a fashion.",
        "Multiply by the derivative: dz = da * slope(z).",
        RIGHT._replace(pull=lambda f, da, z, a: da.copy()),
    ),
    Fault(
        "activation-slope-twice", FAMILY,
        "Gradients shrink by one more factor f' per layer.",
        "dz = da f'(z)^2 in place of dz = da f'(z)",
        "The loss already contains the derivative of the last layer, or two functions multiply it.",
        "Multiply by the derivative in one place.",
        RIGHT._replace(pull=lambda f, da, z, a: RIGHT.pull(f, RIGHT.pull(f, da, z, a), z, a)),
    ),
    Fault(
        "activation-sigmoid-slope-of-z", FAMILY,
        "The gradient of the sigmoid is z (1 - z): unbounded, and of the wrong sign.",
        "z (1 - z) in place of a (1 - a)",
        "The short form of the derivative takes the output; it was given the input.",
        "Pass the output: a * (1 - a).",
        for_functions(slopes={"sigmoid": lambda z, a: z * (1 - z)}),
    ),
    Fault(
        "activation-sigmoid-slope-of-output", FAMILY,
        "The gradient of the sigmoid hardly varies: it lies between 0.19 and 0.25.",
        "s'(a) in place of s'(z)",
        "The derivative applies the sigmoid itself, and was given what is already its output.",
        "Pass z, or use a * (1 - a).",
        for_functions(slopes={"sigmoid": lambda z, a: logistic_slope(a)}),
    ),
    Fault(
        "activation-sigmoid-slope-clamped", FAMILY,
        "The gradient of a saturated sigmoid stops at 1e-7.",
        "a (1 - a) with a within [1e-7, 1 - 1e-7] in place of a (1 - a)",
        "A clamp that protects a logarithm is used for the gradient, too.",
        "Clamp nothing: take the loss from logits.",
        for_functions(
            slopes={"sigmoid": lambda z, a: np.clip(a, 1e-7, 1 - 1e-7)
                    * (1 - np.clip(a, 1e-7, 1 - 1e-7))}
        ),
    ),
    Fault(
        "activation-tanh-slope-of-z", FAMILY,
        "The gradient of tanh is 1 - z^2: right near 0, and negative for |z| > 1.",
        "1 - z^2 in place of 1 - a^2",
        "The short form of the derivative takes the output; it was given the input.",
        "Pass the output: 1 - a**2.",
        for_functions(slopes={"tanh": lambda z, a: 1 - z * z}),
    ),
    Fault(
        "activation-tanh-slope-of-output", FAMILY,
        "The gradient of tanh never falls below 0.42.",
        "1 - tanh(a)^2 in place of 1 - tanh(z)^2",
        "The derivative applies tanh itself, and was given what is already its output.",
        "Pass z, or use 1 - a**2.",
        for_functions(slopes={"tanh": lambda z, a: sech2(a)}),
    ),
    Fault(
        "activation-tanh-slope-half", FAMILY,
        "The gradient of tanh is that of a wider function.",
        "1 / cosh(z)^2 with z halved in place of 1 / cosh(z)^2",
        "tanh(z) = 2 s(2z) - 1 is differentiated without the inner 2.",
        "Use 1 - a**2.",
        for_functions(slopes={"tanh": lambda z, a: sech2(z / 2)}),
    ),
    Fault(
        "activation-relu-slope-at-zero", FAMILY,
        "The gradient of ReLU is 1 at exactly 0.",
        "[z >= 0] in place of [z > 0]",
        "Any number between 0 and 1 is a subgradient. Libraries have agreed on 0.",
        "Write z > 0.",
        for_functions(slopes={"relu": lambda z, a: through_nan(z, z >= 0)}),
    ),
    Fault(
        "activation-relu-slope-half", FAMILY,
        "The gradient of ReLU is 1/2 at exactly 0.",
        "1/2 in place of 0 at z = 0",
        "A maximum of two equal numbers shares its gradient between them.",
        "Write z > 0.",
        for_functions(slopes={"relu": lambda z, a: np.heaviside(z, 0.5)}),
    ),
    Fault(
        "activation-leaky-slope-at-zero", FAMILY,
        "The gradient of leaky ReLU is 1 at exactly 0.",
        "1 in place of 0.01 at z = 0",
        "z >= 0 in the derivative where the value has z > 0; JAX has it so.",
        "Write z > 0 in both.",
        for_functions(
            slopes={"leaky_relu": lambda z, a: through_nan(z, np.where(z >= 0, 1, 0.01))}
        ),
    ),
    Fault(
        "activation-leaky-slope-zero", FAMILY,
        "Units with z < 0 get no gradient from leaky ReLU.",
        "0 in place of 0.01 for z < 0",
        "The backward pass of ReLU was kept when the forward pass became leaky.",
        "Write where(z > 0, 1, 0.01).",
        for_functions(slopes={"leaky_relu": lambda z, a: np.heaviside(z, 0)}),
    ),
    Fault(
        "activation-elu-slope-without-alpha", FAMILY,
        "The gradient of ELU is negative for z < 0.",
        "a in place of a + 1 for z < 0",
        "The short form exp(z) = a + alpha is written without alpha.",
        "Write a + 1, or exp(z).",
        for_functions(slopes={"elu": lambda z, a: through_nan(z, np.where(z > 0, 1, a))}),
    ),
    Fault(
        "activation-elu-slope-constant", FAMILY,
        "The gradient of ELU is 1 on both sides.",
        "1 in place of exp(z) for z < 0",
        "The derivative of alpha (exp(z) - 1) is taken to be alpha.",
        "Write exp(z) for z <= 0.",
        for_functions(slopes={"elu": lambda z, a: through_nan(z, np.ones_like(z))}),
    ),
    Fault(
        "activation-elu-slope-overflow", FAMILY,
        "The gradient of ELU is NaN for z > 709 (float32: 88).",
        "[z > 0] + [z <= 0] exp(z) in place of a choice between the two",
        "The branch that is not chosen overflows, and inf times 0 is NaN.",
        "Clamp the argument of exp: exp(min(z, 0)).",
        for_functions(slopes={"elu": lambda z, a: (z > 0) + (z <= 0) * np.exp(z)}),
        "https://github.com/jax-ml/jax/pull/1538",
    ),
    Fault(
        "activation-softplus-slope-of-output", FAMILY,
        "The gradient of softplus is never below 1/2.",
        "s(a) in place of s(z)",
        "The derivative needs z, and the layer has stored its output only.",
        "Store z, or use 1 - exp(-a).",
        for_functions(slopes={"softplus": lambda z, a: logistic(a)}),
        "https://github.com/pytorch/pytorch/issues/55587",
    ),
    Fault(
        "activation-softplus-slope-overflow", FAMILY,
        "The gradient of softplus is NaN for z > 709 (float32: 88).",
        "exp(z) / (1 + exp(z)) in place of s(z)",
        "inf / inf. With a reciprocal in place of the quotient it becomes 0.",
        "Call the stable sigmoid.",
        for_functions(slopes={"softplus": lambda z, a: np.exp(z) / (1 + np.exp(z))}),
        "https://github.com/tenstorrent/tt-metal/pull/56397",
    ),
    Fault(
        "activation-silu-slope-one-term", FAMILY,
        "The gradient of SiLU lacks its hump: it stays between 0 and 1.",
        "s(z) in place of s(z) + z s(z) (1 - s(z))",
        "The second term of the product rule is forgotten.",
        "Write s * (1 + z * (1 - s)).",
        for_functions(slopes={"silu": lambda z, a: logistic(z)}),
    ),
    Fault(
        "activation-silu-slope-of-output", FAMILY,
        "The gradient of SiLU is off wherever z is not 0.",
        "s(a) (1 + a s(-a)) in place of s(z) (1 + z s(-z))",
        "SiLU cannot be differentiated from its output, as the sigmoid can.",
        "Store z.",
        for_functions(
            slopes={"silu": lambda z, a: logistic(a) * (1 + _limited(a) * logistic(-a))}
        ),
    ),
    Fault(
        "activation-gelu-slope-one-term", FAMILY,
        "The gradient of GELU stays between 0 and 1.",
        "Phi(z) in place of Phi(z) + z phi(z)",
        "The second term of the product rule is forgotten.",
        "Write Phi + z * phi.",
        for_functions(slopes={"gelu": lambda z, a: normal_cdf(z)}),
    ),
    Fault(
        "activation-gelu-slope-density", FAMILY,
        "The gradient of GELU is off by up to 0.1.",
        "exp(-z^2/2) / sqrt(pi) in place of exp(-z^2/2) / sqrt(2 pi)",
        "The derivative of erf(z / sqrt 2) / 2 is taken without the inner factor 1 / sqrt 2.",
        "Divide by sqrt(2 pi).",
        for_functions(
            slopes={"gelu": lambda z, a: normal_cdf(z)
                    + 1.4142135623730951 * (_limited(z) * gaussian(z))}
        ),
    ),
    Fault(
        "activation-gelu-slope-of-tanh", FAMILY,
        "The gradient of GELU is off by up to 1e-3; the value is exact.",
        "the derivative of the tanh form in place of Phi(z) + z phi(z)",
        "Forward and backward kernels come from different places.",
        "Take both from one formula.",
        for_functions(slopes={"gelu": GELU_TANH.slope}),
    ),
    Fault(
        "activation-gelu-tanh-slope-cube", FAMILY,
        "The gradient of the tanh form of GELU is off by up to 0.1.",
        "1 + 0.044715 z^2 in place of 1 + 3 * 0.044715 z^2",
        "The derivative of z^3 is written as z^2.",
        "Write 1 + 0.134145 * z**2.",
        for_functions(slopes={"gelu_tanh": _cube_without_three}),
    ),
)  # fmt: skip
