"""Derived error bounds: how far a correct implementation may be from the exact result.

`derive` carries |computed - exact| componentwise through a network, its loss and its gradients,
`derive_step` through one optimizer step, for any order of summation, with or without fused
multiply-add, on any number of threads or devices. docs/theory.md derives every formula.
"""

from mlp_ref.bounds.bounded import Bounded, carry, exactly
from mlp_ref.bounds.elementwise import slope_error, times_error, value_error
from mlp_ref.bounds.losses import gradient_error, loss_error
from mlp_ref.bounds.network import derive, derive_vjp, value_error_of
from mlp_ref.bounds.product import product_error
from mlp_ref.bounds.softmax import log_softmax_error, softmax_error
from mlp_ref.bounds.steps import derive_step

__all__ = [
    "Bounded",
    "carry",
    "derive",
    "derive_step",
    "derive_vjp",
    "exactly",
    "gradient_error",
    "log_softmax_error",
    "loss_error",
    "product_error",
    "slope_error",
    "softmax_error",
    "times_error",
    "value_error",
    "value_error_of",
]
