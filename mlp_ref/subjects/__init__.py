"""Subjects: the implementations that the gate judges.

A subject answers questions: operations of the corpus on arrays. `mlp_ref.subjects.protocol` says
what it returns and declares; conformance/README.md defines the operations. A function of the
operation mlp, the smallest subject there is, is called with keywords:

    ``weights``      list of W_l (n_l, n_{l+1}), rows are inputs: z = a W + b (PyTorch: W^T)
    ``biases``       list of b_l (n_{l+1},)
    ``x``            (n, n_0), one sample per row
    ``target``       labels (n,) int64 or probabilities (n, C) for cross_entropy, else (n, C)
    ``activations``  one name per layer, out of identity, sigmoid, tanh, relu, leaky_relu, elu,
                     softplus, silu, gelu, gelu_tanh; the last may also be softmax or log_softmax,
                     over the outputs of each row
    ``loss``         cross_entropy or binary_cross_entropy, both from logits, or squared_error

Every array is float32 or float64 (labels apart); the subject answers in the same dtype, in a
mapping from names to NumPy arrays with any of:

    ``z0 a0 z1 a1 ...``    z_l = a_{l-1} W_l + b_l and a_l = f_l(z_l), (n, n_{l+1})
    ``loss``               the mean loss, a scalar
    ``g``                  its gradient with respect to the last a, (n, C)
    ``dW0 db0 dW1 ...``    its gradients with respect to the parameters, of their shapes
    ``dx``                 its gradient with respect to x, (n, n_0)

A tensor that is left out is skipped and counted. `NotImplementedError(reason)` skips the case; any
other exception, an unknown name, an answer that is no mapping, and a changed argument are errors of
that case, and the run goes on. A function attribute ``arithmetics``, such as ``("float64",)``,
limits the run to what the subject claims; without it float32 and float64 are asked for. Where an
attribute ``checks`` claims that wrong inputs are refused, any exception refuses them. For example

    def run(*, weights, biases, x, target, activations, loss):
        if {*activations} != {"identity"} or loss != "squared_error":
            raise NotImplementedError("linear layers and squared_error only")
        answer, z = {}, x
        for k in range(len(weights)):
            z = answer[f"z{k}"] = z @ weights[k] + biases[k]
        return answer | {"loss": np.mean((z - target) ** 2)}
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from mlp_ref.checks import lookup
from mlp_ref.subjects.networks import network_subject
from mlp_ref.subjects.protocol import CONVENTIONS, Kind, Question, Reply, Session, Subject

__all__ = [
    "CONVENTIONS", "SUBJECTS", "Kind", "Question", "Reply", "Session", "Subject", "command_of",
    "load", "network_subject",
]  # fmt: skip

# name -> module, which is imported when the subject is loaded, and what follows the name
_MODULES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "numpy": ("numpy_subject", ""),
        "torch": ("pytorch.subject", "[:compile|:cuda|:cuda+tf32]"),
        "torch_ddp": ("pytorch.ddp", ":RANKS"),
        "torch_tp": ("pytorch.tp", ":RANKS"),
        "jax": ("jax_subject", ""),
        "onnxruntime": ("onnxruntime_subject", ""),
        "sklearn": ("sklearn_subject", ""),
        "fault": ("fault_subject", ":ID"),
    }
)
SUBJECTS: tuple[str, ...] = tuple(f"{name}{variants}" for name, (_, variants) in _MODULES.items())
_OWN = {"py": "python", "so": "shared_object"}  # these take the whole text


def _module(spec: str) -> tuple[Any, str]:
    """The module of a subject, and what its ``load`` is called with."""
    name, _, variant = spec.partition(":")
    if name in _OWN:
        return import_module(f"{__name__}.{_OWN[name]}"), spec
    what = "a subject other than py:module:object, so:library, cmd:program and files:folder"
    file, _ = lookup(what, name, _MODULES)
    return import_module(f"{__name__}.{file}"), variant


def load(spec: str) -> Subject:
    """The subject of that name, in this process.

    Raises `InputError` if there is none, or it cannot be loaded.
    """
    module, text = _module(spec)
    subject: Subject = module.load(text)
    return subject


def command_of(spec: str) -> list[str]:
    """The program that serves the subject to another process, by the wire protocol.

    Raises `InputError` if there is no such subject.
    """
    module, text = _module(spec)
    if hasattr(module, "command"):  # of several processes
        found: list[str] = module.command(text)
        return found
    return [sys.executable, "-m", "mlp_ref.subjects.worker", spec]
