"""The catalogue of classic mistakes, each a runnable wrong implementation.

Every one is rejected by the corpus; `VARIANTS`, which are right in another way, are not.
"""

from collections.abc import Mapping
from types import MappingProxyType

from mlp_ref.faults.activations import ACTIVATIONS
from mlp_ref.faults.decay import DECAYS
from mlp_ref.faults.dense import DENSE
from mlp_ref.faults.entries import ENTRIES
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.labels import LABEL_FAULTS
from mlp_ref.faults.losses import CROSS_ENTROPY_FAULTS
from mlp_ref.faults.losses_real import REAL_LOSS_FAULTS
from mlp_ref.faults.momentum import MOMENTUM
from mlp_ref.faults.optimizers import OPTIMIZERS
from mlp_ref.faults.parts import RIGHT, Parts, operations_of
from mlp_ref.faults.precision import PRECISION
from mlp_ref.faults.reductions import REDUCTION_FAULTS
from mlp_ref.faults.relatives import RELATIVES
from mlp_ref.faults.slopes import SLOPES
from mlp_ref.faults.softmax import SOFTMAX_FAULTS
from mlp_ref.faults.variants import VARIANTS as _VARIANTS
from mlp_ref.faults.walkthrough import WALKTHROUGH, WALKTHROUGH_MISTAKES

__all__ = [
    "FAULTS", "RELATIVES", "RIGHT", "VARIANTS", "WALKTHROUGH_MISTAKES", "Fault", "Parts",
    "operations_of",
]  # fmt: skip

FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        fault.id: fault
        for fault in (
            WALKTHROUGH, *SOFTMAX_FAULTS, *CROSS_ENTROPY_FAULTS, *REAL_LOSS_FAULTS,
            *REDUCTION_FAULTS, *LABEL_FAULTS, *ACTIVATIONS, *SLOPES, *DENSE,
            *PRECISION, *OPTIMIZERS, *MOMENTUM, *DECAYS, *ENTRIES,
        )
    }
)  # fmt: skip
"""id -> fault, the walkthrough first, then family by family."""

VARIANTS: Mapping[str, Fault] = MappingProxyType({variant.id: variant for variant in _VARIANTS})
"""id -> what is right in another way, and must pass."""
