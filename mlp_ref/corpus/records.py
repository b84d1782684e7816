"""Records: what a vector file says about one case, in NumPy arrays.

Operations, their inputs and what is expected of them; L layers, p parameters in all:

    activation             x, g (n, k)                           y = f(x), dx = g f'(x)
    softmax, log_softmax   x, g (n, C)                           y, dx = J(x)^T g, row by row
    dense                  x (n, i), W (i, o), b (o,), g (n, o)  z = x W + b, dW, db, dx
    loss                   z (n, C), target                      loss (), g = dL/dz
    mlp                    W0, b0, W1, ..., x, target            z0, a0, ..., loss, g, dW, db, dx
    optimizer              params, grads, moments (p,)           params, moments
    train_step             params, moments (p,), x, target       loss, grads, params, moments

Moments are v for momentum, m and v for Adam and AdamW, none otherwise. A vector of all parameters
holds W0, b0, W1, b1, ..., each in C order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from mlp_ref.arithmetic import Array

__all__ = ["FLAGS", "OPERATIONS", "Certified", "Generated", "Record", "checksum_weights"]

OPERATIONS = (
    "activation", "dense", "softmax", "log_softmax", "loss", "mlp", "optimizer", "train_step",
)  # fmt: skip

# Every flag that a case may bear, explained once.
FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "Accumulator": (
            "One large and many small terms: an accumulator of fewer bits than the arithmetic "
            "drops the small ones."
        ),
        "Bfloat16": "Every sum is exact, but one operand needs more than the 8 bits of bfloat16.",
        "BiasOnly": "All weights are 0: a bias that is forgotten, scaled or transposed shows.",
        "Cancellation": (
            "Large terms cancel: rounding in a narrower arithmetic, or a rearranged formula, "
            "leaves few right digits."
        ),
        "Chain": (
            "The first of several steps, each from the certified state of the one before: what is "
            "wrong in a later step alone is state."
        ),
        "CloseLogits": "The logits are nearly equal: subtract before exp, not after.",
        "DecimalHyperparameters": (
            "Hyperparameters such as 0.9 are no binary fractions: each is the float64 nearest to "
            "the decimal, rounded at most once."
        ),
        "EpsilonOnly": (
            "The second moment is 0, so that eps alone divides: it belongs outside of the root, "
            "and must not underflow."
        ),
        "EqualLogits": "All logits of a row are equal: every probability is 1/C, at any offset.",
        "ExactIntegers": (
            "Integers so small that no sum is ever rounded, in any order: the tolerance is zero, "
            "and any deviation is a wrong term."
        ),
        "ExtremeLogits": (
            "Logits from -1000 to 1000: exp overflows unless the row maximum is subtracted."
        ),
        "ExtremeMagnitude": (
            "Numbers near the square root of the largest or the least number: an intermediate "
            "square or product must not overflow or underflow needlessly."
        ),
        "FirstStep": "No step taken, zero moments: bias corrections and first velocity decide.",
        "Float16": "Every sum is exact, but operands exceed the 11 bits or the range of float16.",
        "FullPrecisionInput": (
            "The inputs have all bits of the arithmetic: a cast to a narrower one shows."
        ),
        "HugeInput": "Inputs so large that exp and x^3 overflow, and inf times 0 makes NaN.",
        "Kink": "The derivative jumps: the left one, the right one and their mean are accepted.",
        "LargeLearningRate": (
            "The learning rate exceeds 1: a rate that is clipped, or applied twice, shows."
        ),
        "LargestFinite": "The largest finite number: doubling or squaring it overflows.",
        "LateStep": "Many steps taken before: the bias corrections have nearly vanished.",
        "LeftDerivative": (
            "z is 0 exactly, where the convention is the derivative from the left: relu'(0) = 0, "
            "leaky_relu'(0) = 0.01."
        ),
        "MinusInfinity": (
            "A logit of -inf masks a class: probability 0, and 0 times -inf counts as 0."
        ),
        "MixedMagnitudes": (
            "Numbers from 1e-12 to 1e3 in one vector: an absolute tolerance, or a norm over the "
            "vector, hides the small ones."
        ),
        "MustReject": (
            "The inputs break an invariant: an answer instead of an error means that something "
            "was broadcast, cast or clipped in silence."
        ),
        "NarrowInput": "The inputs fit float32, the results do not: float32 sums show.",
        "NeighbouringNumbers": (
            "A number and its neighbours in the arithmetic: a difference of one unit in the last "
            "place must survive."
        ),
        "NotFinite": (
            "NaN or infinities among the inputs: NaN must neither vanish nor spread too far."
        ),
        "OddBatch": "An odd number of rows: code that works in pairs or blocks drops the last one.",
        "OneClass": "A single class or output: (n, 1) is not (n,), and nothing is broadcast.",
        "OutputActivation": (
            "The last layer has an activation, whose derivative belongs to the gradient."
        ),
        "Ragged": (
            "Unequal sizes that are no multiples of each other: rows, columns and strides cannot "
            "be confused unseen."
        ),
        "RealDigits": "Real handwritten digits, with zeros in the inputs as data have them.",
        "RowMaxima": (
            "The row maxima lie far apart in one batch: subtracting the maximum of the batch "
            "makes 0/0 of whole rows."
        ),
        "Saturated": (
            "Functions in their tails: 1 - y*y, y*(1 - y) and 1 + erf lose all digits there, "
            "stable forms keep them."
        ),
        "ShiftedLogits": (
            "Each row is there twice, once shifted by 10000: both must give the same probabilities."
        ),
        "SignedZero": "The sign of a zero counts here: it is that of the input.",
        "SingleRow": (
            "A single row: sums over the batch are trivial, and vectors pass for matrices."
        ),
        "SoftTarget": "Targets are probabilities, not labels.",
        "Square": (
            "Rows, inputs and outputs are equal in number: a transposed matrix or a wrong axis "
            "raises no error, and shows in the values."
        ),
        "Subnormal": (
            "Subnormal inputs beside the least normal ones: they may be flushed to zero, but "
            "their neighbours may not."
        ),
        "Tf32": "Every sum is exact, but one operand needs more than the 11 bits of TF32.",
        "Threshold": (
            "Points on both sides of where a formula switches, overflows or underflows, to the "
            "last bit."
        ),
        "TinyInput": (
            "Inputs near zero: exp(x) - 1 and log(1 + x) lose the digits that expm1 and log1p keep."
        ),
        "WeightDecay": (
            "Weight decay: added to the gradient, but in AdamW applied to the parameters first, "
            "scaled by the learning rate."
        ),
        "Wide": (
            "Real layer widths, from the generator of integers: leading dimensions, blocks and "
            "remainders of large kernels."
        ),
        "WrongLabel": "Confident and wrong: the loss is large, and no probability may be clipped.",
        "ZeroGradient": "The gradient is 0: moments still decay, and 0/0 must not arise.",
        "Zeros": "Zeros of both signs, or z = 0 exactly: nothing may become NaN.",
    }
)


@dataclass(frozen=True, eq=False)
class Certified:
    """An exact tensor q as float64 words: |hi + low - q| <= radius, entry by entry.

    hi is q rounded to nearest, low what is left, rounded to nearest. NaN and infinities stand in hi
    alone.

    ``shape``        of the whole tensor
    ``hi``, ``low``, ``radius``  float64, of the shape, or (len(index),)
    ``bounds``       name of an arithmetic -> how far a correct implementation in it may be from q
    ``index``        flat indices of the entries that are stored; None if all are
    ``checksum``     sum of w_k q_k over all flat indices k, w = `checksum_weights`, if only some
                     entries are stored; every q_k is then a multiple of 2^-10, and nothing rounds
    ``sets``         flat index -> every number that is right there, where several are
    ``signed_zeros`` whether the sign of an expected zero counts
    """

    shape: tuple[int, ...]
    hi: Array
    low: Array
    radius: Array
    bounds: Mapping[str, Array] = field(default_factory=dict)
    index: Array | None = None
    checksum: float | None = None
    sets: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    signed_zeros: bool = False


@dataclass(frozen=True)
class Generated:
    """An array that a recipe stands for: ((r_k >> 11) mod modulus + offset) * scale, in C order.

    r_0, r_1, ... are the outputs of splitmix64 (Steele, Lea and Flood, OOPSLA 2014) from ``seed``:

        s <- s + 0x9e3779b97f4a7c15;   r = s;   r = (r ^ r >> 30) 0xbf58476d1ce4e5b9;
        r = (r ^ r >> 27) 0x94d049bb133111eb;   r = r ^ r >> 31          (all modulo 2^64)

    With modulus 2^25, offset -2^24 and scale 2^-24 these are numbers k / 2^24 in [-1, 1).
    """

    shape: tuple[int, ...]
    seed: int
    modulus: int = 1 << 25
    offset: int = -(1 << 24)
    scale: float = 2.0**-24

    def array(self, dtype: Any = np.float64) -> Array:
        """The numbers; every one is exact in float32 and float64."""
        count = int(np.prod(self.shape))
        with np.errstate(over="ignore"):
            step = np.uint64(0x9E3779B97F4A7C15)
            r = np.uint64(self.seed) + step * np.arange(1, count + 1, dtype=np.uint64)
            r = (r ^ (r >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            r = (r ^ (r >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            r ^= r >> np.uint64(31)
        k = ((r >> np.uint64(11)) % np.uint64(self.modulus)).astype(np.int64) + self.offset
        return (k * self.scale).astype(dtype).reshape(self.shape)


def checksum_weights(count: int) -> Array:
    """w_0, w_1, ...: whole numbers (count,) from 1 to 65521 without a pattern, as int64."""
    return Generated((count,), 0, 65521, 1, 1.0).array(np.int64)


@dataclass(frozen=True, eq=False)
class Record:
    """One case.

    ``id``          ``operation/family/detail.../arithmetic``, never reused
    ``operation``   one of `OPERATIONS`
    ``arithmetic``  float64 or float32: the inputs are numbers of it
    ``note``        why the case exists, in one line
    ``difficulty``  1 any correct formula passes, 2 needs stable formulas, 3 extreme numbers,
                    4 tells a slightly less precise arithmetic from the declared one
    ``flags``       names in `FLAGS`
    ``since``       version of the corpus in which it appeared
    ``parameters``  names and hyperparameters; JSON values
    ``inputs``      arrays of the arithmetic (labels: int64); or `Generated` of them
    ``expected``    what the operation returns; empty if the inputs must be rejected
    ``rejects``     the invariant that the inputs break, such as "shape"; empty if they are valid
    ``provenance``  how the values were found: JSON values
    """

    id: str
    operation: str
    arithmetic: str
    note: str
    difficulty: int
    flags: tuple[str, ...]
    parameters: Mapping[str, Any]
    inputs: Mapping[str, Array | Generated]
    expected: Mapping[str, Certified] = field(default_factory=dict)
    rejects: str = ""
    since: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def arrays(self) -> dict[str, Array]:
        """The inputs as arrays, in new memory."""
        return {
            name: x.array(np.dtype(self.arithmetic)) if isinstance(x, Generated) else x.copy()
            for name, x in self.inputs.items()
        }
