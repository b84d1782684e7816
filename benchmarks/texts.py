"""What docs/detection.md says of the methods, and of the limits of the comparison."""

__all__ = ["LIMITS", "METHODS"]

_COMMIT = "02e439de2295d0c775276f2342596b42958569ed"
_LLMC = f"https://github.com/karpathy/llm.c/blob/{_COMMIT}/test_gpt2.c"

METHODS = (
    ("method", "compares", "tolerance"),
    ("---", "---", "---"),
    ("ours", "every entry with certified words", "the bound derived for the case, and the radius"),
    ("assert_allclose", "every entry with the right number", "numpy.testing's default: rtol 1e-7"),
    (
        "assert_close",
        "the same",
        "torch.testing's defaults: rtol and atol 1e-7 in float64, 1.3e-6 and 1e-5 in float32",
    ),
    (
        "ONNX",
        "the same",
        "rtol 1e-3, atol 1e-7 for every operator and dtype (onnx.backend.test.loader)",
    ),
    ("llm.c", "the same", f"absolute: values 1e-2, gradients 2e-2 ([test_gpt2.c]({_LLMC}))"),
    (
        "gradcheck",
        "the Jacobian with central differences",
        "torch.autograd's defaults: eps 1e-6, rtol 1e-3, atol 1e-5",
    ),
    (
        "check_grads",
        "the gradient along one random direction with a central difference",
        "jax.test_util's defaults: eps 1e-4, rtol and atol 1e-5 (float32: 2e-3); order 1, mode rev",
    ),
)

LIMITS = (
    (
        "The catalogue is ours, and the corpus has grown with it: that ours finds all of it on our "
        "inputs is made, not found. The differences between methods on the same inputs, and the "
        "numbers on N(0,1) inputs, are free of that."
    ),
    (
        "ONNX's suite has hardly any gradients, and llm.c's no optimizer states. Their tolerances "
        "are applied to all tensors here, beside certified numbers, which flatters both. In llm.c "
        "values are logits and losses; all else counts as a gradient. NaN passes as a value there, "
        "and the program exits with 0 whatever it found: here its verdict counts."
    ),
    (
        "assert_close is called with equal_nan=True. By default it rejects every right answer that "
        "has a NaN."
    ),
    (
        "Both gradient checkers are called as they are, without tolerances that an expert would "
        "choose, on cases of finite numbers and at most 1,000 inputs. What they reject is found by "
        "their rule, written out in NumPy, and confirmed by the checker itself; that they accept "
        "is the word of that rule, which a test compares with the checkers on a sample. For "
        "PyTorch and JAX as implementations, gradcheck gets the differences of the reference."
    ),
    (
        "N(0,1) inputs are three draws for every function, loss, network 6-5-4 (weights "
        "N(0, 1/n)) and optimizer, with batches of eight. The corpus has more cases. More draws "
        "would find a little more."
    ),
    "Counts near a tolerance may change by a few with another library of exp, or another BLAS.",
)
