"""The gradient checkers themselves, called with their defaults on a subject in NumPy."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks.differences import Subject
from benchmarks.views import View

__all__ = ["REAL"]


def _gradcheck(subject: Subject, view: View) -> bool:
    """Whether `torch.autograd.gradcheck` rejects it, as an autograd function of its own."""
    import torch

    class Wrapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            ctx.save_for_backward(*tensors)
            value = subject.value(view, [x.detach().numpy() for x in tensors])
            return torch.from_numpy(np.array(value))

        @staticmethod
        def backward(ctx: Any, *cotangents: Any) -> Any:
            arrays = [x.detach().numpy() for x in ctx.saved_tensors]
            found = view.pull(subject.answers, arrays, cotangents[0].numpy())
            return tuple(torch.from_numpy(np.array(x)) for x in found)

    point = [torch.from_numpy(x).requires_grad_() for x in view.point()]
    with np.errstate(all="ignore"):
        return not torch.autograd.gradcheck(Wrapped.apply, point, raise_exception=False)


def _check_grads(subject: Subject, view: View) -> bool:
    """Whether `jax.test_util.check_grads` rejects its vjp; order has no default: the first."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax
    from jax.test_util import check_grads

    def forward(*arrays: Any) -> Any:
        return np.array(subject.value(view, [np.array(x) for x in arrays]))

    def saved(*arrays: Any) -> Any:
        return forward(*arrays), arrays

    def backward(arrays: Any, cotangent: Any) -> Any:
        found = view.pull(subject.answers, [np.array(x) for x in arrays], np.array(cotangent))
        return tuple(np.array(x) for x in found)

    wrapped = jax.custom_vjp(forward)
    wrapped.defvjp(saved, backward)
    with jax.enable_x64(True), np.errstate(all="ignore"):
        try:
            check_grads(wrapped, view.point(), order=1, modes=("rev",))
        except AssertionError:
            return True
    return False


REAL: Mapping[str, Callable[[Subject, View], bool]] = MappingProxyType(
    {"gradcheck": _gradcheck, "check_grads": _check_grads}
)
