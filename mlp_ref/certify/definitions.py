"""Textbook formulas of softmax and of the losses over jets: what is differentiated, row by row.

A row is shifted by the middle of its largest logit, a constant that no result depends on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from flint import arb

from mlp_ref.certify.jets import Jet

__all__ = ["ROW_LOSSES", "log_softmax", "softmax"]

Row = Sequence[Jet]


def _shift(z: Row) -> arb:
    return max((x.series[0].mid() for x in z), default=arb(0))


def _sum(terms: Sequence[Jet]) -> Jet:
    total = terms[0] * 1
    for term in terms[1:]:
        total = total + term
    return total


def softmax(z: Row, m: Any) -> list[Jet]:
    """p_j = exp(z_j) / sum_k exp(z_k)."""
    c = _shift(z)
    e = [m.exp(x - c) for x in z]
    total = _sum(e)
    return [x / total for x in e]


def log_softmax(z: Row, m: Any) -> list[Jet]:
    """log p_j = z_j - log sum_k exp(z_k)."""
    c = _shift(z)
    e = [m.exp(x - c) for x in z]
    log_total = m.log(_sum(e))
    return [x - c - log_total for x in z]


def _cross_entropy(z: Row, t: Sequence[arb], m: Any) -> Jet:
    """-sum_k t_k log p_k."""
    terms = [-(log_p * share) for log_p, share in zip(log_softmax(z, m), t, strict=True)]
    return _sum(terms)


def _binary_cross_entropy(z: Row, t: Sequence[arb], m: Any) -> Jet:
    """sum_k t_k log(1 + exp(-z_k)) + (1 - t_k) log(1 + exp(z_k))."""
    terms = [
        m.log(1 + m.exp(-x)) * share + m.log(1 + m.exp(x)) * (1 - share)
        for x, share in zip(z, t, strict=True)
    ]
    return _sum(terms)


def _squared_error(z: Row, t: Sequence[arb], m: Any) -> Jet:
    """sum_k (z_k - t_k)^2."""
    terms = [(x - share) * (x - share) for x, share in zip(z, t, strict=True)]
    return _sum(terms)


# The loss of one row, not yet averaged.
ROW_LOSSES: Mapping[str, Callable[[Row, Sequence[arb], Any], Jet]] = MappingProxyType(
    {
        "cross_entropy": _cross_entropy,
        "binary_cross_entropy": _binary_cross_entropy,
        "squared_error": _squared_error,
    }
)
