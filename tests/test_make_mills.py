"""The numbers in special.py are those that the script in docs/ computes."""

import runpy
from pathlib import Path

from mlp_ref import special

SCRIPT = Path(__file__).parents[1] / "docs" / "make_mills.py"


def test_the_script_reproduces_the_coefficients_bit_for_bit() -> None:
    """docs/make_mills.py computes exactly the coefficients of Mills' ratio in special.py."""
    computed = runpy.run_path(str(SCRIPT))["coefficients"]()
    assert tuple(computed) == special._MILLS


def test_the_dropped_terms_are_below_the_unit_roundoff() -> None:
    """The truncation of the Chebyshev series sums to less than a quarter of u = 2^-53."""
    assert runpy.run_path(str(SCRIPT))["dropped"]() < 2.0**-55
