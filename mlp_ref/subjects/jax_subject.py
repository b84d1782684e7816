"""JAX as a subject: a question is one program, compiled by XLA."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from mlp_ref.arithmetic import Array
from mlp_ref.checks import fail
from mlp_ref.subjects.jax_operations import answer
from mlp_ref.subjects.protocol import Question, Subject

__all__ = ["load"]


def load(variant: str = "") -> Subject:
    """The subject ``jax``: everything under `jax.jit`, as most of its users run it.

    It runs on the CPU unless ``JAX_PLATFORMS`` chooses otherwise. float64 is enabled for the
    question alone; the rest of JAX's configuration, such as the precision of matrix products on a
    GPU, is the user's. JAX takes what it does not refuse: it promotes dtypes, broadcasts, and asks
    neither labels nor probabilities for their range. bfloat16 and float16 are not claimed: JAX
    rounds every intermediate of a function and every partial sum of a bias to them.

    Raises `InputError` if JAX is not installed, or a variant is asked for.
    """
    if variant:
        fail("the subject jax must stand without a variant", repr(variant), "ask for jax")
    try:
        import jax
    except ImportError:
        fail("the subject jax needs JAX", "no module jax", "pip install 'mlp-ref[jax]'")
    compiled = jax.jit(partial(answer, jax), static_argnums=(0, 1))

    def run(question: Question) -> dict[str, Array]:
        device = None if os.environ.get("JAX_PLATFORMS") else jax.devices("cpu")[0]
        parameters = _hashable(question.parameters)
        with jax.enable_x64(True), jax.default_device(device):
            found = compiled(question.operation, parameters, dict(question.inputs))
            return {name: jax.device_get(x) for name, x in found.items()}

    return Subject(
        "jax",
        run,
        operations=("activation", "dense", "softmax", "log_softmax", "loss", "mlp"),
        arithmetics=("float64", "float32"),
        versions={"jax": jax.__version__},
    )


def _hashable(parameters: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in parameters.items())
