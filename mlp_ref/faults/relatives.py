"""The same mistakes with other constants, by which a diagnosis knows them too.

The catalogue has each mistake once, with the constant that is met most often. These are the others
that libraries and tutorials use; they are rejected as the catalogue's are, and are not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import numpy as np

from mlp_ref.activations import GELU
from mlp_ref.arithmetic import Array
from mlp_ref.faults.activations import clamped_sigmoid, leaky
from mlp_ref.faults.dense import whole_tiles
from mlp_ref.faults.losses import eps_gradient, of_probabilities, smoothed
from mlp_ref.faults.losses_real import clipped_logits, of_binary_probabilities
from mlp_ref.faults.making import for_functions, reduced
from mlp_ref.faults.parts import RIGHT, Parts
from mlp_ref.faults.reductions import fixed_batch, mean_of_means
from mlp_ref.faults.softmax import eps_below

__all__ = ["RELATIVES"]

_SMALL = (1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15, 1e-16, 1e-20, 1e-30)


def _but(*constants: float) -> list[float]:
    """The small constants without that of the catalogue, and without what is no mistake."""
    return [c for c in _SMALL if c not in constants]


def _log_from(c: float) -> Callable[[Array], Array]:
    return lambda p: np.log(np.maximum(p, p.dtype.type(c)))


def _log_between(c: float) -> Callable[[Array], Array]:
    return lambda p: np.log(np.clip(p, c, 1 - c))


def _log_plus(c: float) -> Callable[[Array], Array]:
    return lambda p: np.log(p + p.dtype.type(c))


def _gelu_cut(at: float) -> Parts:
    return for_functions(
        {"gelu": lambda x: np.where(x < at, 0, GELU.value(x))},
        {"gelu": lambda x, y: np.where(x < at, 0, GELU.slope(x, y))},
    )


def _softplus_threshold(at: float) -> Parts:
    return for_functions(
        {"softplus": lambda x: np.where(x > at, x, RIGHT.value("softplus", x))},
        {
            "softplus": lambda x, y: np.where(
                x > at, 1, RIGHT.pull("softplus", np.ones_like(x), x, y)
            )
        },
    )


def _elu(alpha: float) -> Parts:
    return for_functions(
        {"elu": lambda x: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))},
        {"elu": lambda x, y: np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0)))},
    )


_CLAMPS = (10, 15, 20, 36, 50, 88, 100, 500, 709)
_ROWS = "the rows summed and the outputs averaged"


def _rows_summed(x: Array, count: int) -> Array:
    return np.asarray(x.sum() / x.dtype.type(count // len(x)))


def _rows_left(g: Array, count: int) -> Array:
    return np.asarray(g / g.dtype.type(count // len(g)))


def _each(make: Callable[[float], Parts], constants: Iterable[float]) -> dict[str, Parts]:
    return {f"{c:g}": make(c) for c in constants}


RELATIVES: Mapping[str, Mapping[str, Parts]] = MappingProxyType(
    {
        "loss-clipped-probability": {
            **_each(lambda c: of_probabilities(_log_between(c)), _but(1e-7)),
            **{
                f"{name} from below": parts
                for name, parts in _each(lambda c: of_probabilities(_log_from(c)), _SMALL).items()
            },
        },
        "loss-log-plus-eps": {
            **_each(lambda c: of_probabilities(_log_plus(c), eps_gradient(c)), _but(1e-8)),
            **{
                f"{name}, and the gradient p - t": parts
                for name, parts in _each(lambda c: of_probabilities(_log_plus(c)), _SMALL).items()
            },
        },
        "loss-binary-log-plus-eps": _each(
            lambda c: of_binary_probabilities(_log_plus(c)), _but(1e-12)
        ),
        "softmax-eps-below": _each(eps_below, _but(1e-6, 1e-16, 1e-20, 1e-30)),
        "activation-leaky-alpha-default": _each(leaky, (0.3, 1 / 3, 0.1, 0.05, 0.001)),
        "activation-elu-alpha": _each(_elu, (0.1, 0.5, 2.0)),
        "activation-gelu-cut": _each(_gelu_cut, (-3, -4, -5, -5.5, -6, -8)),
        "activation-softplus-threshold": _each(_softplus_threshold, (10, 15, 18, 25)),
        "activation-sigmoid-clamped": _each(clamped_sigmoid, _CLAMPS)
        | {f"{c:g}, also in its slope": clamped_sigmoid(c, slope=True) for c in (*_CLAMPS, 30)},
        "dense-tile-remainder": {str(size): whole_tiles(size) for size in (2, 3, 8)},
        "reduction-fixed-batch": _each(fixed_batch, (8, 16, 64, 100, 128, 256)),
        "reduction-mean-of-means": {f"{k} rows": mean_of_means(k) for k in (3, 4, 5)},
        "reduction-loss-summed": {_ROWS: reduced(_rows_summed)},
        "reduction-gradient-summed": {_ROWS: reduced(gradient=_rows_left)},
        "reduction-both-summed": {_ROWS: reduced(_rows_summed, _rows_left)},
        "reduction-divided-by-processes": _each(
            lambda c: reduced(gradient=lambda g, count: g / count / g.dtype.type(c)), (3, 4, 8)
        ),
        "loss-smoothing-in-gradient": _each(
            lambda c: smoothed(c, gradient=True), (0.01, 0.05, 0.2)
        ),
        "loss-smoothing-in-value": _each(lambda c: smoothed(c, gradient=False), (0.01, 0.05, 0.2)),
        "loss-binary-clipped-logits": _each(clipped_logits, (10, 20, 30, 50, 100)),
    }
)
"""id of a fault -> the constant -> the same mistake with that constant."""
