"""Values of activation functions that are wrong: another function, a clamp, a formula that fails.

`SLOPES` in slopes.py has the wrong derivatives. Where a wrong function is meant from the start, as
with tanh for erf in GELU, its value and its derivative belong together, and are one mistake.
"""

from __future__ import annotations

import math

import numpy as np

from mlp_ref.activations import GELU, GELU_TANH
from mlp_ref.arithmetic import Array
from mlp_ref.faults.fault import Fault
from mlp_ref.faults.making import for_functions
from mlp_ref.faults.parts import Parts
from mlp_ref.special import above_minus_inf, gelu_tanh_argument, logistic, logistic_slope

__all__ = ["ACTIVATIONS", "clamped_sigmoid", "leaky", "through_nan"]

FAMILY = "activation"
SQRT_HALF_PI = math.sqrt(math.pi / 2)


def _erf_of_five_terms(x: Array) -> Array:
    """1 - (a1 t + ... + a5 t^5) exp(-x^2), t = 1 / (1 + p x): 1.5e-7 off, for x >= 0; odd."""
    terms = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
    t = 1 / (1 + 0.3275911 * np.abs(x))
    total = np.zeros_like(t)
    for a in reversed(terms):
        total = (total + a) * t
    return np.asarray(np.copysign(1 - total * np.exp(-x * x), x))


def through_nan(x: Array, slope: Array) -> Array:
    """The slope in the dtype of x; NaN where x is NaN, as it has to be."""
    return np.asarray(np.where(np.isnan(x), x, slope).astype(x.dtype))


def leaky(alpha: float) -> Parts:
    """x for x > 0, alpha x otherwise, and the derivative that goes with it."""
    return for_functions(
        {"leaky_relu": lambda x: np.where(x > 0, x, alpha * x)},
        {"leaky_relu": lambda x, y: through_nan(x, np.where(x > 0, 1, alpha))},
    )


def clamped_sigmoid(c: float, *, slope: bool = False) -> Parts:
    """s(clip(x, -c, c)), and the slope y (1 - y) of that or the right one."""
    return for_functions(
        {"sigmoid": lambda x: logistic(np.clip(x, -c, c))},
        {"sigmoid": lambda x, y: y * logistic(-np.clip(x, -c, c))} if slope else {},
    )


def _gelu_of_sigmoid(x: Array) -> Array:
    """x s(1.702 x)."""
    return np.asarray(above_minus_inf(x) * logistic(1.702 * above_minus_inf(x)))


def _slope_of_sigmoid(x: Array, y: Array) -> Array:
    """s + 1.702 x s (1 - s), s = s(1.702 x)."""
    x = np.clip(x, -1e4, 1e4)
    return np.asarray(logistic(1.702 * x) + 1.702 * x * logistic_slope(1.702 * x))


ACTIVATIONS: tuple[Fault, ...] = (
    Fault(
        "activation-gelu-tanh-for-erf", FAMILY,
        "GELU is off by up to 5e-4, and its tails by everything.",
        "x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 in place of x Phi(x)",
        "Libraries call the approximation and the exact function by one name, with other defaults.",
        "Ask for the exact one by its option: approximate='none' in PyTorch.",
        for_functions({"gelu": GELU_TANH.value}, {"gelu": GELU_TANH.slope}),
        "https://github.com/chelsea0x3b/dfdx/issues/804",
    ),
    Fault(
        "activation-gelu-erf-for-tanh", FAMILY,
        "The tanh form of GELU is off by up to 5e-4.",
        "x Phi(x) in place of x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2",
        "Weights were trained with the approximation and are served with the exact function.",
        "Use the form with which the weights were trained.",
        for_functions({"gelu_tanh": GELU.value}, {"gelu_tanh": GELU.slope}),
        "https://github.com/kyutai-labs/pocket-tts/pull/278",
    ),
    Fault(
        "activation-gelu-sigmoid", FAMILY,
        "GELU is off by up to 2e-2.",
        "x s(1.702 x) in place of x Phi(x)",
        "The crudest of the approximations is the quickest one, and looks the same in a plot.",
        "Write 0.5 * x * erfc(-x / sqrt(2)).",
        for_functions({"gelu": _gelu_of_sigmoid}, {"gelu": _slope_of_sigmoid}),
        "https://github.com/pytorch/pytorch/pull/61439",
    ),
    Fault(
        "activation-gelu-erf-five-terms", FAMILY,
        "GELU is off by 1e-7 near 0, and by thousands of units in the last place where x < -3.",
        "1 - (a1 t + ... + a5 t^5) exp(-x^2) in place of erf(x)",
        "The formula is printed in handbooks; its absolute error of 1.5e-7 is large beside a tail.",
        "Call erf or erfc of the mathematical library.",
        for_functions(
            {"gelu": lambda x: above_minus_inf(x) / 2
                * (1 + _erf_of_five_terms(x / math.sqrt(2)))}
        ),
        "https://github.com/webmachinelearning/webnn/issues/950",
    ),
    Fault(
        "activation-gelu-cut", FAMILY,
        "GELU is exactly 0 for x < -3.5.",
        "0 for x < -3.5 in place of x Phi(x)",
        "A polynomial holds on an interval only, and what lies outside is called negligible.",
        "Use erfc in the tail, where Phi is small but not 0.",
        for_functions({"gelu": lambda x: np.where(x < -3.5, 0, GELU.value(x))}),
        "https://github.com/tenstorrent/tt-metal/issues/35290",
    ),
    Fault(
        "activation-gelu-tanh-constant", FAMILY,
        "The tanh form of GELU is off by 1e-5, relatively.",
        "0.7979 in place of sqrt(2/pi) = 0.79788456...",
        "Constants are typed from a paper with the digits that it prints.",
        "Compute the constant: math.sqrt(2 / math.pi).",
        for_functions(
            {"gelu_tanh": lambda x: above_minus_inf(x)
                * logistic(2 * gelu_tanh_argument(x) * (0.7979 * SQRT_HALF_PI))}
        ),
    ),
    Fault(
        "activation-softplus-threshold", FAMILY,
        "Softplus is x for x > 20: right in float32, and off by a million units in float64.",
        "x for x > 20 in place of log(1 + exp(x))",
        "The threshold was chosen for float32, and is a default for every dtype.",
        "Write max(x, 0) + log1p(exp(-abs(x))).",
        for_functions({"softplus": lambda x: np.where(x > 20, x, np.logaddexp(0, x))}),
        "https://pytorch.org/docs/stable/generated/torch.nn.Softplus.html",
    ),
    Fault(
        "activation-softplus-overflow", FAMILY,
        "Softplus is inf for x > 709 (float32: 88).",
        "log1p(exp(x)) in place of max(x, 0) + log1p(exp(-|x|))",
        "exp overflows long before its logarithm would matter. Small inputs never show it.",
        "Write max(x, 0) + log1p(exp(-abs(x))).",
        for_functions({"softplus": lambda x: np.log1p(np.exp(x))}),
        "https://github.com/mlpack/mlpack/pull/2371",
    ),
    Fault(
        "activation-softplus-log", FAMILY,
        "Softplus is exactly 0 for x < -37 (float32: -17), and coarse before.",
        "max(x, 0) + log(1 + exp(-|x|)) in place of max(x, 0) + log1p(exp(-|x|))",
        "1 + e rounds e away. The absolute error is tiny, the relative one is 1.",
        "Write log1p(e) for log(1 + e).",
        for_functions(
            {"softplus": lambda x: np.maximum(x, 0) + np.log(1 + np.exp(-np.abs(x)))}
        ),
    ),
    Fault(
        "activation-sigmoid-clamped", FAMILY,
        "The sigmoid stops at 9e-14, whatever the input.",
        "s(clip(x, -30, 30)) in place of s(x)",
        "The clamp keeps exp from overflowing, and cuts the tails off, too.",
        "Write exp(-abs(x)) and divide by 1 + exp(-abs(x)).",
        clamped_sigmoid(30),
    ),
    Fault(
        "activation-sigmoid-by-tanh", FAMILY,
        "The sigmoid has no correct digit left where x < -36 (float32: -16).",
        "(1 + tanh(x / 2)) / 2 in place of 1 / (1 + exp(-x))",
        "The identity is exact, and 1 + tanh cancels in the left tail.",
        "Write e / (1 + e) with e = exp(x) for x < 0.",
        for_functions({"sigmoid": lambda x: (1 + np.tanh(x / 2)) / 2}),
    ),
    Fault(
        "activation-sigmoid-overflow", FAMILY,
        "The sigmoid is NaN for x > 709 (float32: 88).",
        "exp(x) / (1 + exp(x)) in place of 1 / (1 + exp(-x))",
        "inf / inf. The form is right for x < 0 only.",
        "Take exp(-abs(x)), and divide by the sign of x.",
        for_functions({"sigmoid": lambda x: np.exp(x) / (1 + np.exp(x))}),
    ),
    Fault(
        "activation-sigmoid-hard", FAMILY,
        "The sigmoid has corners, and is 0 for x < -2.5.",
        "clip(0.2 x + 0.5, 0, 1) in place of 1 / (1 + exp(-x))",
        "Recurrent layers of older libraries have it as a default, under nearly the same name.",
        "Name the activation: sigmoid, not hard_sigmoid.",
        for_functions(
            {"sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1)},
            {"sigmoid": lambda x, y: through_nan(x, 0.2 * (np.abs(x) < 2.5))},
        ),
    ),
    Fault(
        "activation-tanh-overflow", FAMILY,
        "tanh is NaN for |x| > 710 (float32: 89), and loses its digits near 0.",
        "(exp(x) - exp(-x)) / (exp(x) + exp(-x)) in place of tanh(x)",
        "The definition is copied. It is inf / inf at one end and cancels at the other.",
        "Call tanh.",
        for_functions(
            {"tanh": lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))}
        ),
    ),
    Fault(
        "activation-tanh-by-sigmoid", FAMILY,
        "tanh is 0 or coarse for |x| < 1e-8 (float32: 1e-4).",
        "2 s(2 x) - 1 in place of tanh(x)",
        "A kernel that has only exp reuses its sigmoid; 2 s - 1 cancels near 0.",
        "Call tanh, or write -expm1(-2x) / (1 + exp(-2x)).",
        for_functions({"tanh": lambda x: 2 * logistic(2 * x) - 1}),
    ),
    Fault(
        "activation-relu-nan", FAMILY,
        "ReLU turns NaN into 0, so that a network hides where it broke.",
        "fmax(x, 0) in place of max(x, 0)",
        "The maximum of C and of GPUs returns the operand that is a number.",
        "Write x < 0 ? 0 : x, which lets NaN through.",
        for_functions({"relu": lambda x: np.fmax(x, 0)}),
        "https://github.com/tensorflow/tensorflow/issues/32730",
    ),
    Fault(
        "activation-relu-six", FAMILY,
        "ReLU stops at 6.",
        "min(max(x, 0), 6) in place of max(x, 0)",
        "The mobile variant is taken for the plain one; small inputs never reach 6.",
        "Name the activation: relu, not relu6.",
        for_functions(
            {"relu": lambda x: np.minimum(np.maximum(x, 0), 6)},
            {"relu": lambda x, y: through_nan(x, (x > 0) & (x < 6))},
        ),
    ),
    Fault(
        "activation-leaky-alpha-tenfold", FAMILY,
        "Leaky ReLU is ten times too large for x < 0.",
        "0.1 x in place of 0.01 x, for x < 0",
        "A zero is lost on the way from a paper or a configuration.",
        "State the slope where the layer is made: negative_slope=0.01.",
        leaky(0.1),
    ),
    Fault(
        "activation-leaky-alpha-default", FAMILY,
        "Leaky ReLU is twenty times too large for x < 0.",
        "0.2 x in place of 0.01 x, for x < 0",
        "The default slope is 0.01, 0.2 or 0.3, depending on the library.",
        "State the slope where the layer is made: negative_slope=0.01.",
        leaky(0.2),
        "https://www.tensorflow.org/api_docs/python/tf/nn/leaky_relu",
    ),
    Fault(
        "activation-leaky-wrong-side", FAMILY,
        "Leaky ReLU is x for x < 0, and nearly nothing for x > 0.",
        "min(x, 0.01 x) in place of max(x, 0.01 x)",
        "The maximum is written as a minimum, or a comparison the wrong way round.",
        "Write max(x, 0.01 * x).",
        for_functions({"leaky_relu": lambda x: np.minimum(x, 0.01 * x)}),
    ),
    Fault(
        "activation-elu-alpha", FAMILY,
        "ELU goes to -1.67 for x -> -inf.",
        "1.6732632 (exp(x) - 1) in place of exp(x) - 1, for x < 0",
        "The constant belongs to SELU, which also scales the other side.",
        "Leave alpha at 1 for ELU.",
        for_functions(
            {"elu": lambda x: np.where(x > 0, x, 1.6732632 * np.expm1(np.minimum(x, 0)))},
            {"elu": lambda x, y: np.where(x > 0, y.dtype.type(1), y + y.dtype.type(1.6732632))},
        ),
    ),
    Fault(
        "activation-elu-mask", FAMILY,
        "ELU is NaN for x > 709 (float32: 88).",
        "[x > 0] x + [x <= 0] (exp(x) - 1) in place of a choice between the two",
        "Both branches are computed and multiplied by a mask, and inf times 0 is NaN.",
        "Clamp the argument of exp: exp(min(x, 0)).",
        for_functions({"elu": lambda x: (x > 0) * x + (x <= 0) * np.expm1(x)}),
        "https://github.com/pytorch/pytorch/issues/68425",
    ),
    Fault(
        "activation-silu-hard", FAMILY,
        "SiLU is 0 for x < -3 and x for x > 3.",
        "x clip(x / 6 + 1/2, 0, 1) in place of x s(x)",
        "The piecewise form for small devices is taken for the function itself.",
        "Write x * sigmoid(x).",
        for_functions(
            {"silu": lambda x: above_minus_inf(x) * np.clip(x / 6 + 0.5, 0, 1)},
            {"silu": lambda x, y: through_nan(
                x, np.where(np.abs(x) < 3, np.clip(x, -3, 3) / 3 + 0.5, x > 0))},
        ),
    ),
    Fault(
        "activation-gelu-for-silu", FAMILY,
        "SiLU is off by a fifth of x around 0.",
        "x Phi(x) in place of x s(x)",
        "GELU and SiLU look alike, and a wrong name in a configuration raises no error.",
        "Name the activation: silu (swish), not gelu.",
        for_functions({"silu": GELU.value}, {"silu": GELU.slope}),
    ),
)  # fmt: skip
