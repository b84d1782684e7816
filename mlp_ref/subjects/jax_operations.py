"""The operations as users write them in JAX, whose module is the first argument of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

__all__ = ["answer", "forward", "function", "loss_of"]

Tensor = Any  # jax.Array, or what stands for it while JAX traces
Tensors = dict[str, Tensor]
Parameters = Mapping[str, Any]


def function(jax: Any, name: str, x: Tensor) -> Tensor:
    """f(x), of the shape of x (n, k)."""
    if name in ("gelu", "gelu_tanh"):
        return jax.nn.gelu(x, approximate=name == "gelu_tanh")
    return getattr(jax.nn, name)(x)


def loss_of(jax: Any, name: str, z: Tensor, t: Tensor) -> Tensor:
    """The mean loss of logits or outputs z (n, C); labels are int64 (n,)."""
    nn, jnp = jax.nn, jax.numpy
    if name == "squared_error":
        return jnp.mean((z - t) ** 2)
    if name == "binary_cross_entropy":
        return -jnp.mean(t * nn.log_sigmoid(z) + (1 - t) * nn.log_sigmoid(-z))
    log_p = nn.log_softmax(z)  # (n, C)
    if t.ndim == 1:
        return -jnp.take_along_axis(log_p, t[:, None], axis=1).mean()
    return -jnp.sum(t * log_p, axis=1, where=t != 0).mean()


def forward(jax: Any, names: tuple[str, ...], layers: Any, a: Tensor) -> tuple[Tensor, Tensors]:
    """The output of layers (W, b), each followed by its activation, and z0, a0, z1, a1, ..."""
    trace: Tensors = {}
    for k, (name, (W, b)) in enumerate(zip(names, layers, strict=True)):
        trace[f"z{k}"] = z = a @ W + b  # (n, n_out)
        trace[f"a{k}"] = a = function(jax, name, z)
    return a, trace


def answer(jax: Any, operation: str, parameters: tuple[tuple[str, Any], ...], i: Any) -> Tensors:
    """The tensors of an operation by name, from its inputs. JAX compiles for what is hashable."""
    p = dict(parameters)
    if operation == "mlp":
        return _network(jax, p, i)
    if operation == "loss":
        return _loss(jax, p, i["z"], i["target"])
    if operation == "dense":
        return _pulled(jax, lambda x, W, b: x @ W + b, "z", ("x", "W", "b"), i)
    return _pulled(jax, partial(function, jax, p.get("function", operation)), "y", ("x",), i)


def _pulled(
    jax: Any, f: Callable[..., Tensor], out: str, names: tuple[str, ...], i: Tensors
) -> Tensors:
    """The result of f, and g carried back to each of its arguments."""
    y, pull = jax.vjp(f, *(i[name] for name in names))
    return {out: y} | {f"d{name}": d for name, d in zip(names, pull(i["g"]), strict=True)}


def _loss(jax: Any, p: Parameters, z: Tensor, target: Tensor) -> Tensors:
    value, g = jax.value_and_grad(partial(loss_of, jax, p["loss"]))(z, target)
    return {"loss": value, "g": g}


def _network(jax: Any, p: Parameters, i: Tensors) -> Tensors:
    names = p["activations"]
    layers = [(i[f"W{k}"], i[f"b{k}"]) for k in range(len(names))]
    a, pull, found = jax.vjp(partial(forward, jax, names), layers, i["x"], has_aux=True)
    loss = _loss(jax, p, a, i["target"])
    grads, dx = pull(loss["g"])
    for k, (dW, db) in enumerate(grads):
        found |= {f"dW{k}": dW, f"db{k}": db}
    return {**found, **loss, "dx": dx}
