"""Where an object keeps an array per layer: parameters, or their gradients.

A place is one of four forms, with names that are listed here:

    lists     net.weights[k], net.biases[k]
    numbered  net.W1, net.b1, ...  counted from 1 or from 0
    entries   net.params["W1"], net.params["b1"], ...  of either form before
    layers    net.layers[k].W, net.layers[k].b, without the layers that have none
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlp_ref.arithmetic import Array

__all__ = ["GRADIENTS", "PARAMETERS", "Place", "places"]

PARAMETERS = (
    ("weights", "biases"), ("W", "b"), ("w", "b"), ("Ws", "bs"), ("weight", "bias"),
)  # fmt: skip
GRADIENTS = (
    ("dW", "db"), ("dw", "db"), ("dWs", "dbs"), ("dweights", "dbiases"), ("d_weights", "d_biases"),
    ("grad_W", "grad_b"), ("W_grad", "b_grad"), ("grad_weights", "grad_biases"),
    ("weight_grads", "bias_grads"), ("weights_grad", "biases_grad"), ("nabla_w", "nabla_b"),
    ("dweight", "dbias"), ("grad_weight", "grad_bias"), ("weight_grad", "bias_grad"),
)  # fmt: skip
_HOLDERS = ("params", "parameters", "grads", "gradients")
_Slot = tuple[Any, Any]  # a container, and the key or the attribute in it


class Place(NamedTuple):
    """One place; ``form`` is "list", "numbered" or "layers", ``holder`` a mapping or empty."""

    holder: str
    form: str
    names: tuple[str, str]
    first: int = 0

    def slots(self, root: Any, depth: int) -> list[tuple[_Slot, _Slot]]:
        """Where weights and biases of each layer are; empty if the object has no such place."""
        root = root if not self.holder else _get(root, self.holder)
        pairs = [self._slots(root, name, depth) for name in self.names]
        return list(zip(*pairs, strict=True)) if all(pairs) else []

    def _slots(self, root: Any, name: str, depth: int) -> list[_Slot]:
        if self.form == "list":
            held = _get(root, name)
            return [(held, k) for k in range(depth)] if _is_list(held, depth) else []
        if self.form == "layers":
            layers = _get(root, "layers")
            layers = layers if isinstance(layers, Sequence) else ()
            having = [layer for layer in layers if _get(layer, name) is not None]
            return [(layer, name) for layer in having] if len(having) == depth else []
        names = [f"{name}{k + self.first}" for k in range(depth)]
        found = all(_get(root, one) is not None for one in names)
        return [(root, one) for one in names] if found else []

    def read(self, root: Any, depth: int) -> list[tuple[Array, Array]]:
        """Weights and biases, layer by layer; empty if the object has no such place."""
        slots = self.slots(root, depth)
        return [(_read(W), _read(b)) for W, b in slots]

    def write(self, root: Any, values: Sequence[tuple[Array, Array]]) -> None:
        """Put arrays there; raises whatever the object does if it does not allow that."""
        for pair, arrays in zip(self.slots(root, len(values)), values, strict=True):
            for (container, key), array in zip(pair, arrays, strict=True):
                if _is_held(container):
                    container[key] = array
                else:
                    setattr(container, key, array)

    def __str__(self) -> str:
        if self.form == "layers":
            return " and ".join(f"layers[k].{name}" for name in self.names)
        before = f"{self.holder}." if self.holder else ""
        counted = {"list": "[k]", "numbered": str(self.first)}[self.form]
        return " and ".join(f"{before}{name}{counted}" for name in self.names)


def places(
    root: Any, pairs: Sequence[tuple[str, str]], holders: Sequence[str] = _HOLDERS
) -> Iterator[Place]:
    """Every place that is known, whether the object has it or not."""
    for holder in ("", *holders):
        if holder and not isinstance(_get(root, holder), Mapping):
            continue
        for names in pairs:
            yield Place(holder, "list", names)
            yield Place(holder, "numbered", names, 1)
            yield Place(holder, "numbered", names, 0)
            if not holder:
                yield Place(holder, "layers", names)


def _get(root: Any, name: str) -> Any:
    try:
        return root.get(name) if isinstance(root, Mapping) else getattr(root, name, None)
    except Exception:  # a property of the user's that does not work yet
        return None


def _read(slot: _Slot) -> Array:
    container, key = slot
    try:
        return np.asarray(container[key] if _is_held(container) else getattr(container, key))
    except Exception:  # no array, and not one that can be made
        return np.asarray(None)


def _is_held(container: Any) -> bool:
    return isinstance(container, Mapping | list | tuple)


def _is_list(held: Any, depth: int) -> bool:
    return isinstance(held, list | tuple) and len(held) == depth
