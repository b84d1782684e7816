"""The arrays of a question: matrices, logits and targets, of many kinds."""

from __future__ import annotations

import numpy as np

from mlp_ref.arithmetic import FLOAT64, Arithmetic, Array
from mlp_ref.fuzz.choices import Choose
from mlp_ref.fuzz.numbers import KINDS, PAGES, grid, spread, table

__all__ = ["Maker"]

# Logits, the simplest first; those that matter most stand twice.
_LOGITS = (
    "integers", "dull", "rows", "tens", "hundreds", "close", "rows", "edges", "dull", "everything",
    "tiny", "hundreds",
)  # fmt: skip
_OFFSETS = np.array([0.0, 1000.0, -1000.0, -400.0, 300.0, 40.0, 1e4, -1e4])
_ROWS = (1, 2, 3, 4, 5, 2, 3, 4, 3, 5, 2, 4, 7, 3, 2, 33)
_WIDTHS = (1, 2, 3, 4, 5, 2, 3, 4, 3, 2, 5, 6, 3, 4, 12, 17)
_FEW_ROWS = (1, 2, 3, 4, 5, 2, 3, 7)
_FEW = (1, 2, 3, 4, 2, 3, 5, 2)


class Maker:
    """Arrays in one arithmetic, from one page of numbers."""

    def __init__(self, choose: Choose, arithmetic: Arithmetic) -> None:
        self.one, self._choose, self.A = choose.one, choose, arithmetic
        self._page = choose.one(range(PAGES))

    def rows(self, *, few: bool = False) -> int:
        """A batch size, and for networks of ``few`` rows."""
        return self.one(_FEW_ROWS if few else _ROWS)

    def width(self, *, few: bool = False) -> int:
        """A number of inputs, outputs or classes."""
        return self.one(_FEW if few else _WIDTHS)

    def array(self, kind: str, shape: tuple[int, ...], *, factor: bool | Array = False) -> Array:
        """Numbers of a kind; the simplest is 0, and that of a factor is 1."""
        return self.held(grid(self._choose.codes(), shape, self._numbers(kind), factor=factor))

    def held(self, x: Array) -> Array:
        """Rounded to the arithmetic, in the dtype of a record; what becomes infinite is 1."""
        rounded = self.A.quantize(x).astype(np.float64 if self.A == FLOAT64 else np.float32)
        lost = np.isfinite(x) & ~np.isfinite(rounded)
        return np.asarray(np.where(lost, rounded.dtype.type(1), rounded))

    def _numbers(self, kind: str) -> Array:
        return table(kind, self.A, self._page)

    def logits(self, shape: tuple[int, int], odd: tuple[str, ...] = ()) -> Array:
        """(n, C): saturated, nearly equal, of row maxima far apart; and of ``odd`` kinds.

        ``masked`` has -inf, and a finite logit in each row; ``nan`` NaN; ``special`` both, and inf.
        """
        kind = self.one((*_LOGITS, *odd, *odd))
        plain = kind if kind in KINDS else "dull"
        z = self.array(plain, shape)
        if kind == plain:
            return z
        codes = self._choose.codes()
        if kind == "rows":
            return self.held(z + _OFFSETS[spread(codes, (shape[0], 1)) % len(_OFFSETS)])
        which, number = spread(codes, shape) % 6, z.dtype.type
        if kind != "nan":
            low = (which == 1) & (np.arange(shape[1]) > 0) if kind == "masked" else which == 1
            z = np.where(low, number(-np.inf), z)
        if kind != "masked":
            z = np.where(which == 2, number(np.nan), z)
        if kind == "special":
            z = np.where(which == 3, number(np.inf), z)
        return np.asarray(z)

    def target(self, loss: str, shape: tuple[int, int], near: Array | None = None) -> Array:
        """Labels or probabilities; numbers in [0, 1]; or any numbers, perhaps ``near`` outputs."""
        if loss == "squared_error":
            kind = self.one(("integers", "dull", "near", "wide", "near", "tiny"))
            alone = near is not None  # with simplest outputs of 0
            if kind != "near" or near is None:
                return self.array("dull" if kind == "near" else kind, shape, factor=alone)
            gap = self.array(self.one(("integers", "tiny", "dull")), shape, factor=True)
            return self.held(near + gap)
        soft = self.one((False, True))
        if loss == "binary_cross_entropy":
            numbers = self._numbers("shares") if soft else np.resize([0.0, 1.0], 256)
            return self.held(grid(self._choose.codes(), shape, numbers))
        if not soft:
            return np.asarray(spread(self._choose.codes(), shape[:1]).astype(np.int64) % shape[1])
        return self._shares(spread(self._choose.codes(), shape))

    def _shares(self, weights: Array) -> Array:
        """Rows that sum to one; in multiples of a power of two, but for some of float64."""
        weights = weights.astype(np.float64)
        weights[weights.sum(axis=1) == 0, 0] = 1
        shares = weights / weights.sum(axis=1, keepdims=True)
        if self.A == FLOAT64 and self.one((False, True)):
            return np.asarray(shares)
        unit = 2.0 ** -min(20, self.A.precision - 1)
        shares = np.floor(shares / unit) * unit
        shares[np.arange(len(shares)), shares.argmax(axis=1)] += 1 - shares.sum(axis=1)
        return self.held(shares)
