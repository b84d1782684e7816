"""mlp_ref: a minimal NumPy multi-layer perceptron as a numerically verified reference.

Read the modules in this order: activations, softmax, dense, losses, model, optimizers, training.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
else:
    # pytest imports the package at every start, for its plugin, and must not wait for NumPy. So a
    # module is imported when one of its names is first asked for; type checkers read the above.
    def __getattr__(name: str) -> object:
        """One of the modules, or a public name that one of them defines, at its first use."""
        from importlib import import_module

        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = next(m for m in map(__getattr__, _MODULES) if name in m.__all__)
        return globals().setdefault(name, getattr(home, name))


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

# All that it takes to define those names.
_MODULES = (
    "activations", "arithmetic", "batches", "checks", "dense", "losses", "model", "optimizers",
    "parameters", "rounding", "softmax", "special", "training",
)  # fmt: skip


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
