"""Records whose expected numbers come from closed forms, to test the second oracle with.

Everything here is mpmath in a context of its own: derivatives are written out, and words are cut
from exact fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from math import frexp, inf, ldexp
from typing import Any

import mpmath
import numpy as np

from mlp_ref.corpus.records import Certified, Record

CTX = mpmath.MPContext()
CTX.prec = 4000  # 1 + tanh(-1000) is no problem for the closed forms either
ONE = CTX.mpf(1)

Array = np.ndarray[Any, Any]


def word(x: Any) -> tuple[float, float, float]:
    """hi, low and radius of an mpf number, by exact fractions."""
    if abs(x) < CTX.ldexp(1, -1200):
        return 0.0, 0.0, 2.0**-1074 if x else 0.0
    sign, man, exp, _ = x._mpf_
    q = Fraction(-man if sign else man) * Fraction(2) ** exp
    hi = float(q)
    radius = max(ldexp(1.0, frexp(hi)[1] - 107), 2.0**-1074) if hi else 2.0**-1074
    unit = Fraction(radius)
    low = float(round((q - Fraction(hi)) / unit) * unit)
    return hi, low, 0.0 if Fraction(hi) + Fraction(low) == q else radius


def certified(q: Any, **more: Any) -> Certified:
    """The words of an array of mpf numbers, in the form that the corpus stores."""
    q = np.array(q, object)
    parts = np.array([word(x) for x in q.flat]).reshape(*q.shape, 3)
    return Certified(q.shape, *(parts[..., k].copy() for k in range(3)), **more)


def lift(x: Any) -> Array:
    """Floats as mpf numbers."""
    out = np.frompyfunc(CTX.mpf, 1, 1)(np.asarray(x, np.float64).astype(object))
    return np.array(out, object)


def record(operation: str, inputs: Mapping[str, Any], expected: Any, **parameters: Any) -> Record:
    """A record of float64 inputs."""
    arrays = {k: x if isinstance(x, np.ndarray) else np.array(x, float) for k, x in inputs.items()}
    return Record(operation, operation, "float64", "", 1, (), parameters, arrays, expected)


def changed(case: Record, name: str, index: Any, part: str, value: Any) -> Record:
    """The record with one word replaced."""
    tensor = case.expected[name]
    array = getattr(tensor, part).copy()
    array[index] = value
    return replace(case, expected={**case.expected, name: replace(tensor, **{part: array})})


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), without cancellation on either side."""
    return CTX.exp(x) / (1 + CTX.exp(x)) if x < 0 else 1 / (1 + CTX.exp(-x))


def _phi(x: Any) -> Any:
    return CTX.exp(-x * x / 2) / CTX.sqrt(2 * CTX.pi)


def _cdf(x: Any) -> Any:
    return CTX.erfc(-x / CTX.sqrt(2)) / 2


def _gelu_tanh_parts(x: Any) -> tuple[Any, Any]:
    """1/2 (1 + tanh q) = sigmoid(2 q), and q'."""
    c = CTX.sqrt(2 / CTX.pi)
    k = CTX.mpf(44715) / 10**6
    return sigmoid(2 * c * (x + k * x**3)), c * (1 + 3 * k * x**2)


def _gelu_tanh_slope(x: Any) -> Any:
    s, q1 = _gelu_tanh_parts(x)
    return s + 2 * x * q1 * s * (1 - s)


# f and f' in closed form, the left derivative at 0
CLOSED: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "identity": (lambda x: x, lambda x: ONE),
    "sigmoid": (sigmoid, lambda x: sigmoid(x) * sigmoid(-x)),
    "tanh": (CTX.tanh, lambda x: CTX.sech(x) ** 2),
    "relu": (lambda x: max(x, 0 * x), lambda x: ONE * (x > 0)),
    "leaky_relu": (lambda x: max(x, x / 100), lambda x: ONE if x > 0 else ONE / 100),
    "elu": (lambda x: x if x > 0 else CTX.expm1(x), lambda x: ONE if x > 0 else CTX.exp(x)),
    "softplus": (lambda x: max(x, 0 * x) + CTX.log1p(CTX.exp(-abs(x))), sigmoid),
    "silu": (
        lambda x: x * sigmoid(x), lambda x: sigmoid(x) + x * sigmoid(x) * sigmoid(-x),
    ),
    "gelu": (lambda x: x * _cdf(x), lambda x: _cdf(x) + x * _phi(x)),
    "gelu_tanh": (lambda x: x * _gelu_tanh_parts(x)[0], _gelu_tanh_slope),
}  # fmt: skip


def activation(function: str, x: Any, g: Any) -> Record:
    """A record of known values."""
    f, slope = CLOSED[function]
    xs, gs = lift([x])[0], lift([g])[0]
    expected = {
        "y": certified([[f(v) for v in xs]]),
        "dx": certified([[w * slope(v) for v, w in zip(xs, gs, strict=True)]]),
    }
    return record("activation", {"x": [x], "g": [g]}, expected, function=function)


def rows(name: str, z: Any, g: Any) -> Record:
    """Softmax or log-softmax in closed form, for finite and -inf logits."""
    zs, gs = lift(z), lift(g)
    e = np.array([[CTX.exp(v) for v in row] for row in zs], object)
    p = e / e.sum(axis=1, keepdims=True)
    if name == "softmax":
        y, dx = p, p * (gs - (p * gs).sum(axis=1, keepdims=True))
    else:
        y = np.array([[CTX.log(v) if v else -CTX.inf for v in row] for row in p], object)
        dx = gs - p * gs.sum(axis=1, keepdims=True)
    finite = np.isfinite(np.array(z, float))
    words = certified(np.where(finite, y, 0 * ONE))
    if name == "log_softmax":
        words = replace(words, hi=np.where(finite, words.hi, -inf))
    return record(name, {"x": z, "g": g}, {"y": words, "dx": certified(dx)})


def loss_case(loss: str, z: Any, t: Any) -> Record:
    """The loss and g in closed form."""
    zs = lift(z)
    labels = np.asarray(t).dtype.kind == "i"
    ts = lift(np.eye(zs.shape[1])[t] if labels else t)
    if loss == "cross_entropy":
        p = np.array([[CTX.exp(v) for v in row] for row in zs], object)
        total = p.sum(axis=1, keepdims=True)
        n, p = len(zs), p / total
        logs = np.frompyfunc(CTX.log, 1, 1)(total)
        value, g = (ts * (logs - zs)).sum() / n, (p * ts.sum(axis=1, keepdims=True) - ts) / n
    elif loss == "binary_cross_entropy":
        s = np.frompyfunc(sigmoid, 1, 1)(zs)
        minus = np.frompyfunc(lambda v: CTX.log1p(CTX.exp(-abs(v))) + max(v, 0), 1, 1)(zs)
        value, g = (minus - ts * zs).sum() / zs.size, (s - ts) / zs.size
    else:
        value, g = ((zs - ts) ** 2).sum() / zs.size, 2 * (zs - ts) / zs.size
    expected = {"loss": certified(value), "g": certified(g)}
    target = np.array(t) if labels else np.array(t, float)
    return record("loss", {"z": z, "target": target}, expected, loss=loss)


RNG = np.random.default_rng(7)
X, T = RNG.normal(size=(3, 2)), RNG.normal(size=(3, 2))
LAYERS = [(RNG.normal(size=(2, 4)), RNG.normal(size=4)), (RNG.normal(size=(4, 2)), np.zeros(2))]


def by_hand(f: str) -> dict[str, Array]:
    """A network 2-4-2 with squared error, by the chain rule in mpf numbers."""
    value, slope = (np.frompyfunc(part, 1, 1) for part in CLOSED[f])
    x, t, W0, b0, W1, b1 = (lift(v) for v in (X, T, *LAYERS[0], *LAYERS[1]))
    z0 = x @ W0 + b0
    a0 = value(z0)
    z1 = a0 @ W1 + b1
    g = 2 * (z1 - t) / t.size
    da0 = g @ W1.T
    dz0 = da0 * slope(z0)
    return {
        "z0": z0, "a0": a0, "z1": z1, "a1": z1, "loss": ((z1 - t) ** 2).sum() / t.size, "g": g,
        "dW0": x.T @ dz0, "db0": dz0.sum(axis=0), "dW1": a0.T @ g, "db1": g.sum(axis=0),
        "dx": dz0 @ W0.T, "da0": da0, "dz0": dz0,
    }  # fmt: skip


def mlp(f: str) -> Record:
    """The record of that network."""
    inputs = {"x": X, "target": T}
    inputs |= {
        f"{p}{k}": v for k, layer in enumerate(LAYERS) for p, v in zip("Wb", layer, strict=True)
    }
    expected = {name: certified(q) for name, q in by_hand(f).items()}
    return record("mlp", inputs, expected, activations=[f, "identity"], loss="squared_error")
