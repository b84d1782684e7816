"""How others compare numbers with numbers, by their own functions and their own tolerances.

Each gets what the derived bounds get: the certified numbers, rounded to the dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mlp_ref.arithmetic import Array

__all__ = ["LLMC_GRADIENT", "LLMC_VALUE", "OURS", "TITLES", "TOLERANCES", "Tolerance", "kind_of"]

OURS = "ours"
LLMC_VALUE, LLMC_GRADIENT = 1e-2, 2e-2
_VALUES = ("y", "z", "a", "loss")


def kind_of(tensor: str) -> str:
    """Whether llm.c would compare it as a value or as a gradient."""
    return "value" if tensor.rstrip("0123456789") in _VALUES else "gradient"


def _raises(compare: Callable[[], object]) -> bool:
    try:
        compare()
    except AssertionError:
        return True
    return False


def _allclose(got: Array, right: Array, kind: str) -> bool:
    return _raises(lambda: np.testing.assert_allclose(got, right))


def _onnx(got: Array, right: Array, kind: str) -> bool:
    return _raises(lambda: np.testing.assert_allclose(got, right, rtol=1e-3, atol=1e-7))


def _assert_close(got: Array, right: Array, kind: str) -> bool:
    import torch

    # The default, NaN unequal to itself, would reject every right answer that has one.
    x, y = (torch.from_numpy(np.ascontiguousarray(z)) for z in (got, right))
    return _raises(lambda: torch.testing.assert_close(x, y, equal_nan=True))


def _llmc(got: Array, right: Array, kind: str) -> bool:
    """The comparisons as they are written there: of values, NaN passes; of gradients, it fails."""
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(got - right)
    if kind == "value":
        return bool((difference >= LLMC_VALUE).any())
    return not (difference <= LLMC_GRADIENT).all()


@dataclass(frozen=True)
class Tolerance:
    """A comparison of numbers.

    ``rejects``   of what was computed and what is right, flat arrays of one dtype, and their kind
    ``relative``, ``absolute``  by dtype and kind: |got - right| <= absolute + relative |right|
    """

    rejects: Callable[[Array, Array, str], bool]
    relative: Callable[[str, str], float]
    absolute: Callable[[str, str], float]


def _always(number: float) -> Callable[[str, str], float]:
    return lambda dtype, kind: number


TOLERANCES: Mapping[str, Tolerance] = MappingProxyType(
    {
        "allclose": Tolerance(_allclose, _always(1e-7), _always(0.0)),
        "assert_close": Tolerance(
            _assert_close,
            lambda dtype, kind: 1e-7 if dtype == "float64" else 1.3e-6,
            lambda dtype, kind: 1e-7 if dtype == "float64" else 1e-5,
        ),
        "onnx": Tolerance(_onnx, _always(1e-3), _always(1e-7)),
        "llm.c": Tolerance(
            _llmc,
            _always(0.0),
            lambda dtype, kind: LLMC_VALUE if kind == "value" else LLMC_GRADIENT,
        ),
    }
)
TITLES: Mapping[str, str] = MappingProxyType(
    {
        OURS: "ours",
        "allclose": "assert_allclose",
        "assert_close": "assert_close",
        "onnx": "ONNX",
        "llm.c": "llm.c",
        "gradcheck": "gradcheck",
        "check_grads": "check_grads",
    }
)
"""Every method, and what it is called in tables and pictures."""
