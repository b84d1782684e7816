"""The multi-layer perceptron: forward, backward, predict.

    a_0 = x,    z_l = a_l W_l + b_l,    a_{l+1} = f_l(z_l),    l = 0 ... L - 1

Rows are samples. Forward returns all that backward needs; nothing is stored on the model, and no
function changes its arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from mlp_ref.activations import IDENTITY, Activation, Elementwise
from mlp_ref.arithmetic import Array
from mlp_ref.checks import describe, fail, require_matrix, require_same
from mlp_ref.dense import affine, affine_grad, affine_vjp
from mlp_ref.parameters import Params, require_sizes
from mlp_ref.softmax import RowMemory

__all__ = ["MLP", "Trace", "Workspace"]


class Trace(NamedTuple):
    """What a forward pass computed: the input x, and z_l and a_{l+1} = f_l(z_l) of each layer l."""

    x: Array  # (n, n_0)
    z: tuple[Array, ...]  # (n, n_{l+1})
    a: tuple[Array, ...]  # (n, n_{l+1})


class Workspace(NamedTuple):
    """Memory that a training step writes into instead of allocating, for batches of n rows.

    ``z``, ``a``  one array where f_l may be computed in place
    ``g``, ``d``  dL/da_{l+1} and dL/dz_l; all layers share the memory of one
    """

    z: tuple[Array, ...]  # (n, n_{l+1})
    a: tuple[Array, ...]  # (n, n_{l+1})
    g: tuple[Array, ...]  # (n, n_{l+1})
    d: tuple[Array, ...]  # (n, n_{l+1})
    grads: Params
    loss: RowMemory
    ones: Array  # (n,)


@dataclass(frozen=True)
class MLP:
    """An architecture: layer widths and one activation per layer; parameters are separate.

    ``sizes``        (n_0, ..., n_L), L >= 1
    ``activations``  f_0 ... f_{L-1}; for the losses that take logits f_{L-1} is the identity

    Raises `InputError` for widths that are not positive integers or a wrong number of activations.
    """

    sizes: tuple[int, ...]
    activations: tuple[Activation, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", require_sizes(self.sizes))
        object.__setattr__(self, "activations", tuple(self.activations))
        if len(self.activations) != len(self.sizes) - 1:
            fail(
                f"sizes {self.sizes} need {len(self.sizes) - 1} activations, one per layer",
                f"{len(self.activations)}", "end with IDENTITY for a layer of logits",
            )  # fmt: skip
        for f in self.activations:
            if not hasattr(f, "vjp"):
                fail("an activation must be a record", describe(f), "use ACTIVATIONS[name]")

    def forward(
        self, params: Params, x: Array, work: Workspace | None = None
    ) -> tuple[Array, Trace]:
        """Return the output a_L (n, n_L) and the trace.

        x is (n, n_0) and of the dtype of the parameters; complex x or parameters follow the complex
        step. With ``work`` the results live in its memory and last until it is used again; z_l is
        overwritten by a_l where `Elementwise.in_place` allows it.
        Raises `InputError` for another shape or dtype, or for parameters of other sizes.
        """
        self._require(params)
        require_matrix("x", x, self.sizes[0], params.dtype)
        a, zs, outputs = x, [], []
        for k, f in enumerate(self.activations):
            z = affine(params.layers[k], a, work and work.z[k])
            a = f.value(z, work and work.a[k])
            zs.append(z)
            outputs.append(a)
        return a, Trace(x, tuple(zs), tuple(outputs))

    def backward(
        self,
        params: Params,
        trace: Trace,
        g: Array,
        *,
        input_gradient: bool = True,
        work: Workspace | None = None,
    ) -> tuple[Params, Array | None]:
        """Return the gradients of the parameters and, unless declined, of the input x.

        g (n, n_L) is dL/da_L. From the last layer to the first, with d_l = dL/dz_l:

            d_l = J_l^T g_l,   dL/dW_l = a_l^T d_l,   dL/db_l = sum_rows d_l,   g_{l-1} = d_l W_l^T

        Raises `InputError` if g has not the shape and dtype of the output.
        """
        self._require(params)
        require_same("g", g, "the output", trace.a[-1])
        require_matrix("g", g, self.sizes[-1], params.dtype)
        grads = Params.zeros(self.sizes, params.dtype) if work is None else work.grads
        last = len(params.layers) - 1
        for k in range(last, -1, -1):
            f, delta = self.activations[k], g
            if k < last or f is not IDENTITY:  # the Jacobian of logits is I
                delta = f.vjp(g, trace.z[k], trace.a[k], work and work.d[k])  # (n, n_{k+1})
            before = trace.a[k - 1] if k else trace.x
            affine_grad(before, delta, grads.layers[k], work and work.ones)
            if k:
                g = affine_vjp(params.layers[k], delta, work and work.g[k - 1])  # (n, n_k)
        gx = affine_vjp(params.layers[0], delta) if input_gradient else None
        return grads, gx

    def predict(self, params: Params, x: Array) -> Array:
        """The output a_L (n, n_L) alone; see `forward`."""
        return self.forward(params, x)[0]

    def classify(self, params: Params, x: Array) -> Array:
        """The index (n,) of the largest output of each row, the first of equal ones."""
        return np.asarray(np.argmax(self.predict(params, x), axis=1))

    def workspace(
        self, n: int, dtype: DTypeLike = np.float64, grads: Params | None = None
    ) -> Workspace:
        """Memory for batches of n rows; batches of another n may share that of the gradients."""

        def shared(widths: tuple[int, ...]) -> tuple[Array, ...]:
            memory = np.empty(n * max(widths, default=0), dtype)
            return tuple(memory[: n * k].reshape(n, k) for k in widths)

        z = tuple(np.empty((n, k), dtype) for k in self.sizes[1:])
        return Workspace(
            z,
            tuple(
                z_l if isinstance(f, Elementwise) and f.in_place else np.empty_like(z_l)
                for z_l, f in zip(z, self.activations, strict=True)
            ),
            shared(self.sizes[1:-1]),
            shared(self.sizes[1:]),
            Params.zeros(self.sizes, dtype) if grads is None else grads,
            RowMemory.like(z[-1]),
            np.ones(n, dtype),
        )

    def _require(self, params: Params) -> None:
        if params.sizes != self.sizes:
            fail(
                f"parameters must have the sizes {self.sizes} of the model",
                f"sizes {params.sizes}", "initialize them with model.sizes",
            )  # fmt: skip
