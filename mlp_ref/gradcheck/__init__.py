"""Gradient checking, for anyone's function and for an `MLP`.

`check_gradient` compares a gradient with an estimate by `complex_step` or `central_differences`;
`taylor_test` needs neither; `check_network` checks every parameter of a network by either of them,
in a few matrix products per layer, and `assembled_gradient` returns what it compares with. The
verdict is pass, fail or inconclusive, and no tolerance is guessed: each is computed from the
truncation and the rounding noise that are observed, or from `mlp_ref.bounds`.
"""

from mlp_ref.gradcheck.assembled import assembled_gradient
from mlp_ref.gradcheck.differences import Difference
from mlp_ref.gradcheck.estimates import Estimate, central_differences, complex_step
from mlp_ref.gradcheck.function import Report, Verdict, check_gradient
from mlp_ref.gradcheck.network import NetworkReport, check_network
from mlp_ref.gradcheck.noise import noise_level
from mlp_ref.gradcheck.taylor import TaylorReport, taylor_test

__all__ = [
    "Difference",
    "Estimate",
    "NetworkReport",
    "Report",
    "TaylorReport",
    "Verdict",
    "assembled_gradient",
    "central_differences",
    "check_gradient",
    "check_network",
    "complex_step",
    "noise_level",
    "taylor_test",
]
