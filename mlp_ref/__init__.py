"""mlp_ref: a minimal NumPy multi-layer perceptron as a numerically verified reference.

Read the modules in this order: activations, softmax, dense, losses, model, optimizers, training.
"""

from mlp_ref.activations import (
    ACTIVATIONS,
    ELU,
    GELU,
    GELU_TANH,
    IDENTITY,
    LEAKY_RELU,
    RELU,
    SIGMOID,
    SILU,
    SOFTPLUS,
    TANH,
)
from mlp_ref.checks import InputError
from mlp_ref.dense import Layer
from mlp_ref.losses import BINARY_CROSS_ENTROPY, CROSS_ENTROPY, LOSSES, SQUARED_ERROR
from mlp_ref.model import MLP, Trace
from mlp_ref.optimizers import OPTIMIZERS, SGD, Adam, AdamW
from mlp_ref.parameters import INITIALIZERS, Params, initialize
from mlp_ref.softmax import LOG_SOFTMAX, SOFTMAX
from mlp_ref.training import History, fit

__version__ = "0.1.0"

__all__ = [
    "ACTIVATIONS",
    "BINARY_CROSS_ENTROPY",
    "CROSS_ENTROPY",
    "ELU",
    "GELU",
    "GELU_TANH",
    "IDENTITY",
    "INITIALIZERS",
    "LEAKY_RELU",
    "LOG_SOFTMAX",
    "LOSSES",
    "MLP",
    "OPTIMIZERS",
    "RELU",
    "SGD",
    "SIGMOID",
    "SILU",
    "SOFTMAX",
    "SOFTPLUS",
    "SQUARED_ERROR",
    "TANH",
    "Adam",
    "AdamW",
    "History",
    "InputError",
    "Layer",
    "Params",
    "Trace",
    "fit",
    "initialize",
]
