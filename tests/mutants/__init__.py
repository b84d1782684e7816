"""Mutants: wrong networks as people write them, which measure the diagnosis.

The catalogue (`mlp_ref.faults`) cannot measure the diagnosis that searches it: it would find
itself. So these are implementations of their own, in the styles that users bring.

Rules:

* No code of the catalogue is copied or called, nor that of the reference. Rounding, the order of
  sums, constants and the handling of edges differ from it, as they do in the wild.
* A mutant has one mistake; those with ``second`` have two. Each is an ``if wrong == ID`` beside the
  right code, so that one reads what is wrong, and `Mutant.subject(broken=False)` is the same code
  without it. Without it, every case that it is asked passes, in float32 and float64; with it, one
  fails. tests/test_mutants.py and conformance/test_mutants_torch.py prove both.
* What an implementation does not support, it skips, as a user's would.
* ``right`` holds every id of the catalogue that says what is wrong; it is empty where none does,
  and then any id is a wrong diagnosis. "Unknown" is never wrong.
* ``words`` match what is true of the mistake in any wording, and no other cause; `place` makes one
  for sentences that say where to look.
* A mutant is never changed so that the diagnosis finds it.

Those whose ``torch`` is true import PyTorch when their subject is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mutants import (
    columns,
    flat,
    kernels,
    layers,
    loops,
    losses,
    rows,
    scalars,
    steps,
    with_torch,
)
from mutants.mutant import Mutant

__all__ = ["MUTANTS", "Mutant"]

_MODULES = (rows, loops, columns, layers, flat, kernels, losses, scalars, steps, with_torch)

MUTANTS: Mapping[str, Mutant] = MappingProxyType(
    {mutant.id: mutant for module in _MODULES for mutant in module.MUTANTS}
)
