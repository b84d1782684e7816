"""The mutants of torch_autograd.py and torch_functions.py, without importing PyTorch."""

from __future__ import annotations

from functools import partial
from importlib import import_module

from mlp_ref.subjects import Subject
from mutants.mutant import TURNED, Mutant, place

__all__ = ["MUTANTS"]


def load(module: str, wrong: str) -> Subject:
    """The subject of a module that needs PyTorch."""
    made: Subject = import_module(f"mutants.{module}").subject(wrong)
    return made


autograd, functions = partial(load, "torch_autograd"), partial(load, "torch_functions")

MUTANTS = (
    Mutant(
        "torch/softmax-before", "CrossEntropyLoss is given probabilities.", autograd,
        ("loss-softmax-twice",), (r"softmax.*(twice|again)",), torch=True,
    ),
    Mutant(
        "torch/mean-of-everything", "The cross-entropy is .mean() over rows and classes.",
        autograd, ("reduction-entries-for-rows",), (r"divided by the \d+ classes",), torch=True,
    ),
    Mutant(
        "torch/label-smoothing", "label_smoothing is left at 0.1.", autograd,
        ("loss-smoothing-in-value",), (r"smooth", place(r"cross_entropy|\bloss\b")),
        ("loss-smoothing-in-gradient",), torch=True,
    ),
    Mutant(
        "torch/sum", 'reduction is "sum", in loss and gradient.', autograd,
        ("reduction-both-summed",), (r"summed over the \d+ rows",), torch=True,
    ),
    Mutant(
        "torch/of-probabilities", "binary_cross_entropy of sigmoid(z).", autograd,
        ("loss-binary-log-capped",), (r"logits, not the logarithm", r"capp?ed|\b100\b"), torch=True,
    ),
    Mutant(
        "torch/smooth-l1", "Twice the smooth L1 loss stands for the square.", autograd,
        (), (place(r"squared_error|\bloss\b"),), torch=True,
    ),
    Mutant(
        "torch/two-backwards", "backward() is called twice, and nothing is zeroed between.",
        autograd, ("dense-not-zeroed",), (r"\b2 times|twice",), torch=True,
    ),
    Mutant(
        "torch/approximate", 'GELU has approximate="tanh".', autograd,
        ("activation-gelu-tanh-for-erf",), (r"gelu_tanh, not gelu", place(r"\bgelu\b")), torch=True,
    ),
    Mutant(
        "torch/clamp-both-sides", "ReLU is clamped at 1, too.", autograd,
        (), (place(r"\brelu\b|a0"),), torch=True,
    ),
    Mutant(
        "torch/autocast", "Operands of products are bfloat16.", autograd,
        ("precision-bfloat16-product",), (r"\bbfloat16\b",), torch=True,
    ),
    Mutant(
        "torch/linear-of-square", "F.linear takes W as it is, where it is square.", autograd,
        ("dense-transposed-square",), (TURNED,), torch=True,
    ),
    Mutant(
        "torch/frozen-bias", "Biases are detached, and have a gradient of 0.", autograd,
        (), (place(r"db\d"), r"db\d is 0"), torch=True,
    ),
    Mutant(
        "torch-function/dW-of-square", "dW of square layers is transposed.", functions,
        ("dense-transposed-dw",), (r"dW\d is transposed",), torch=True,
    ),
    Mutant(
        "torch-function/half-gradient", "dW is kept in float16.", functions,
        ("precision-float16-gradient",), (r"\bfloat16\b", place(r"dW\d")), torch=True,
    ),
    Mutant(
        "torch-function/mean-input", "dW is the mean input times the sum of deltas.", functions,
        ("reduction-mean-input",), (r"dW\d.*(rank|mean)", r"dW\d = "), torch=True,
    ),
    Mutant(
        "torch-function/first-row", "db is the delta of the first row.", functions,
        ("reduction-bias-first-row",), (r"first (row|sample)", place(r"db\d")), torch=True,
    ),
    Mutant(
        "torch-function/saved-z", "The sigmoid's backward takes z for a.", functions,
        ("activation-sigmoid-slope-of-z",), (place(r"derivative of sigmoid"),), torch=True,
    ),
    Mutant(
        "torch-function/sigmoid-of-a", "The sigmoid's backward takes a for z.", functions,
        ("activation-sigmoid-slope-of-output",), (place(r"derivative of sigmoid"),), torch=True,
    ),
    Mutant(
        "torch-function/mask-of-output", "The mask of relu is a >= 0, which always holds.",
        functions, ("activation-slope-forgotten",), (place(r"derivative of relu"),), torch=True,
    ),
    Mutant(
        "torch-function/selu-alpha", "ELU has the alpha of SELU.", functions,
        ("activation-elu-alpha",), (place(r"value of elu"), r"1\.67"), torch=True,
    ),
    Mutant(
        "torch-function/elu-is-relu-backward", "ELU has the derivative of relu.", functions,
        (), (place(r"derivative of elu"),), torch=True,
    ),
    Mutant(
        "torch-function/pixels", "Inputs are divided by 16.", functions,
        (), (place(r"z0|layer 0"), r"\bx\b.*1/16 times"), torch=True,
    ),
)  # fmt: skip
