"""A whole network, its loss and its gradients in simulated p-bit arithmetic.

Every choice that an implementation is free to make is drawn at random: the formula of a function,
the order of a sum, fused multiply-add, where the bias and the factor 1/n come in, how often a
tensor is stored, and to which side elementary functions err.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mlp_ref.activations import Activation, Elementwise
from mlp_ref.arithmetic import Arithmetic, Array
from mlp_ref.losses import BINARY_CROSS_ENTROPY, CROSS_ENTROPY, Loss
from mlp_ref.model import MLP
from mlp_ref.parameters import Params
from mlp_ref.softmax import SOFTMAX
from simulator.engine import Nearest, Number
from simulator.formulas import SLOPES, VALUES, Formula

ORDERS = ("sequential", "random", "tree", "blocked")


class Machine(Nearest):
    """An implementation: an arithmetic and the choices that it leaves open."""

    def __init__(self, A: Arithmetic, rng: np.random.Generator, truncating: bool = False) -> None:
        # Only memory is narrow: operations overflow where those of float64 do.
        super().__init__(replace(A, largest=np.inf), gradual=bool(rng.integers(2)), rng=rng)
        self.memory = A
        self.rng: np.random.Generator = rng
        self.truncating = truncating
        self.bits += truncating
        self.order = rng.choice(ORDERS)
        self.fused, self.bias_first, self.late = rng.integers(2, size=3).astype(bool)
        self.stores = int(rng.integers(1, 3))
        self.lean = rng.choice(["uniform", "signs", "up", "down"])

    def rounded(self, exact: Array, K: float = 1.0) -> Array:
        """To the nearest, or towards zero; an elementary function first errs by (K - 1) u."""
        exact = np.asarray(exact, np.float64)
        if K > 1:
            sides = {
                "uniform": self.rng.uniform(-1, 1, exact.shape),
                "signs": self.rng.choice([-1.0, 1.0], exact.shape),
            }
            side = sides.get(str(self.lean), 1.0 if self.lean == "up" else -1.0)
            exact = exact * (1 + (K - 1) * self.A.u * side)
        if not self.truncating:
            return super().rounded(exact)
        fraction, exponent = np.frexp(exact)
        return self.underflow(
            np.ldexp(np.trunc(np.ldexp(fraction, self.bits)), exponent - self.bits)
        )

    def coin(self) -> bool:
        """A free choice."""
        return bool(self.rng.integers(2))

    def store(self, x: Number) -> Number:
        """Round a tensor on its way to memory; an intermediate may have been rounded before."""
        if not self.A.u_store:
            return x
        value = self.memory.quantize(x.value).astype(np.float64)
        if not self.gradual:
            value = np.where(np.abs(value) < self.A.tiny_store, 0, value)
        return Number(self, value)

    def link(self, x: Number) -> Number:
        """A result inside a chain of operations that may each store what they computed."""
        return self.store(x) if self.stores == 2 else x

    def operand(self, x: Array) -> Array:
        """What a matrix product reads."""
        if not self.A.u_operand:
            return x
        unit = np.ldexp(2 * self.A.u_operand, np.frexp(x)[1] - 1)
        return np.rint(x / unit) * unit

    def total(self, terms: Array, exact: Array | None = None) -> Array:
        """Sum rounded terms (n, k, m) over k; with fused multiply-add from exact products."""
        k = terms.shape[1]
        picks = self.rng.permutation(k) if self.order == "random" else np.arange(k)
        parts = [terms[:, i] for i in picks]
        if self.order in ("tree", "blocked"):
            return self._pairs(parts) if self.order == "tree" else self._blocks(parts)
        total = parts[0]
        for i, part in zip(picks[1:], parts[1:], strict=True):
            fused = exact is not None and self.fused
            total = self.rounded(total + (exact[:, i] if fused and exact is not None else part))
        return total

    def _pairs(self, parts: list[Array]) -> Array:
        while len(parts) > 1:
            odd = parts[-1:] if len(parts) % 2 else []
            pairs = zip(parts[::2], parts[1::2], strict=False)
            parts = [self.rounded(x + y) for x, y in pairs] + odd
        return parts[0]

    def _blocks(self, parts: list[Array]) -> Array:
        half = (len(parts) + 1) // 2
        sums = []
        for block in (parts[:half], parts[half:]):
            if block:
                total = block[0]
                for part in block[1:]:
                    total = self.rounded(total + part)
                sums.append(total)
        return self._pairs(sums)

    def product(self, x: Array, y: Array, bias: Array | None = None) -> Number:
        """x y + bias."""
        exact = self.operand(x)[:, :, None] * self.operand(y)[None]
        terms = self.rounded(exact)
        if bias is None:
            return Number(self, self.total(terms, exact))
        if self.bias_first:
            first = np.broadcast_to(bias, (len(x), 1, len(bias)))
            return Number(
                self,
                self.total(np.concatenate([first, terms], 1), np.concatenate([first, exact], 1)),
            )
        return self.link(Number(self, self.total(terms, exact))) + bias

    def row_sum(self, x: Number) -> Number:
        """The sum over each row, as a column."""
        return Number(self, self.total(x.value[:, :, None]))

    def mean_of(self, x: Number, count: int) -> Number:
        """x / count, as a division or a product with the reciprocal."""
        return (
            x / Number(self, np.array(float(count)))
            if self.coin()
            else x * (1 / Number(self, np.array(float(count))))
        )

    def choose(self, formulas: tuple[Formula, ...], x: Number, y: Number) -> Number:
        """For each entry the result of one of the formulas that serve there."""
        out = np.full(x.value.shape, np.nan)
        for k in self.rng.permutation(len(formulas)):
            found = formulas[k].evaluate(self, x, y).value
            serves = (formulas[k].low <= x.value) & (x.value <= formulas[k].high)
            fresh = np.isnan(out) | (self.rng.random(out.shape) < 1 / len(formulas))
            out = np.where(serves & fresh & ~np.isnan(found), found, out)
        return Number(self, out)


def simulate(
    machine: Machine, model: MLP, params: Params, x: Array, loss: Loss, target: Array
) -> dict[str, Array]:
    """What the machine computes, under the names of `mlp_ref.bounds.derive`."""
    out: dict[str, Array] = {}
    a, raw = x, []
    for k, (layer, f) in enumerate(zip(params.layers, model.activations, strict=True)):
        z = machine.store(machine.product(a, layer.W, layer.b))
        value = _value(machine, f, z)
        raw.append(value)
        out[f"z{k}"], out[f"a{k}"] = z.value, machine.store(value).value
        a = out[f"a{k}"]
    last = len(params.layers) - 1
    terms, count, g = _loss(machine, loss, Number(machine, a), target)
    total = Number(machine, machine.total(terms.value.reshape(1, -1, 1))[0, 0])
    out["loss"] = machine.store(machine.mean_of(machine.link(total), count)).value
    scale = count if machine.late else 1  # the factor 1/n is applied to dW, db and dx
    g = machine.store(g if machine.late else machine.mean_of(g, count))
    out["g"] = g.value / scale
    ones = np.ones((1, len(x)))
    for k in reversed(range(last + 1)):
        f, z = model.activations[k], Number(machine, out[f"z{k}"])
        dz = machine.store(_vjp(machine, f, g, z, Number(machine, out[f"a{k}"]), raw[k]))
        before = out[f"a{k - 1}"] if k else x
        g = machine.store(machine.product(dz.value, params.layers[k].W.T))
        results = {
            f"dW{k}": machine.product(before.T, dz.value),
            f"db{k}": machine.product(ones, dz.value),
        }
        for name, result in results.items():
            scaled = machine.mean_of(result, count) if machine.late else result
            out[name] = machine.store(scaled).value
        out[f"db{k}"] = out[f"db{k}"][0]
        out[f"dz{k}"] = dz.value / scale
        out[f"da{k - 1}" if k else "dx"] = g.value / scale
    return out


def _value(m: Machine, f: Activation, z: Number) -> Number:
    if isinstance(f, Elementwise):
        return m.choose(VALUES[f.name], z, z)
    return softmax(m, z) if f is SOFTMAX else log_softmax(m, z)


def _peak(z: Number) -> Number:
    return Number(z.engine, z.value.max(axis=1, keepdims=True))


def softmax(m: Machine, z: Number) -> Number:
    """exp(s) / S, exp(s - log S) or exp(z - (m + log S))."""
    if m.coin():
        e = m.exp(z - _peak(z))
        return e / m.link(m.row_sum(e))
    return m.exp(m.link(log_softmax(m, z)))


def log_softmax(m: Machine, z: Number) -> Number:
    """s - log S or z - (m + log S)."""
    e = m.exp(z - _peak(z))
    log_sum = m.log(m.link(m.row_sum(e)))
    return (z - _peak(z)) - log_sum if m.coin() else z - (_peak(z) + log_sum)


def _vjp(m: Machine, f: Activation, g: Number, z: Number, a: Number, raw: Number) -> Number:
    if isinstance(f, Elementwise):
        if f.name == "sigmoid" and m.coin():
            return (g * a) * (1 - a)
        return g * m.choose(SLOPES[f.name], z, a if f.from_output else raw)
    if f is SOFTMAX:
        return a * (g - m.row_sum(a * g))
    return g - softmax(m, z) * m.row_sum(g)


def _loss(m: Machine, loss: Loss, z: Number, t: Array) -> tuple[Number, int, Number]:
    """Terms of the loss, their number, and the gradient of their sum."""
    if loss is CROSS_ENTROPY:
        log_p, p = m.link(log_softmax(m, z)), softmax(m, z)
        if t.ndim == 1:
            hot = np.eye(z.value.shape[1])[t]
            return -Number(m, log_p.value[np.arange(len(t)), t]), len(t), m.link(p) - hot
        share = m.row_sum(Number(m, t))
        return -m.row_sum(log_p * t), len(t), m.link(p) * share - t
    if loss is BINARY_CROSS_ENTROPY:
        log_term = m.link(m.log1p(m.exp(-abs(z))))
        if m.coin():
            terms = m.link(m.link(z.maximum(0) - m.link(z * t)) + log_term)
        else:
            above = m.link(log_term + z.maximum(0))  # softplus(z)
            below = m.link(log_term + (-z).maximum(0))  # softplus(-z)
            terms = m.link(m.link(below * t) + m.link(above * m.link(1 - Number(m, t))))
        return terms, z.value.size, m.link(m.choose(VALUES["sigmoid"], z, z)) - t
    gap = m.link(z - t)
    return m.link(gap * gap), z.value.size, gap * 2
