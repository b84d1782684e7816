"""What docs/performance.md says of the methods, and of the goals that are missed."""

__all__ = ["GPU", "METHOD", "NOT_REACHED", "PEERS"]

METHOD = (
    "One step is forward, mean cross-entropy of integer labels, backward, and an update of all "
    "parameters by SGD or Adam: `mlp_ref.training.train_step`, the function that `fit` runs, which "
    "calls the functions that are verified, and hands them memory to write into. The *limit* of a "
    "step is what nobody can leave out: its matrix products by np.matmul into given memory (without"
    " the gradient of the input), one exp of the logits, and one pass over the parameters. Each "
    "library runs in a process of its own with one thread, and waits on a pipe between its turns; "
    "turns of 60 ms come in random order; a turn is the least of six parts, in CPU time of the "
    "process; every time is divided by that of the limit in the same round; the median is taken of "
    "nine rounds or more, until the quartiles of ours are within 5 %, or there are 25. All "
    "libraries start from the same numbers, and their first four losses must agree to a thousandth "
    "of what a step changes before anything is timed. The table has the medians of the runs below "
    "it."
)

PEERS = (
    "*walkthrough* is the program of a tutorial in plain NumPy, without its mistakes; "
    "*scikit-learn* is what MLPClassifier runs for each minibatch, without the checks of its "
    "public methods; *JAX* gets its batch on the device and returns when the loss is there; "
    "*torch* ships MKL, which is slower on AMD than on Intel; *numpy-ml* computes in float64 and is"
    " loaded with a shim, because it does not import on a current Python."
)

NOT_REACHED = {
    "tiny": (
        "A call into NumPy takes its time before it computes anything, and a step makes some forty "
        "of them. Half of these are in cross-entropy: the row maximum, the sum of the other "
        "exponentials instead of p - 1, log1p, and the check of the labels, which a program that "
        "is right for friendly numbers only does without. What would help a little, and was not "
        "worth its price, is in the table of what was dropped. Next idea: samples in columns, and "
        "b as a last row of W, so that one product adds the bias, and another sums its gradient."
    ),
    "small": (
        "As for tiny. The passes of Adam need a square root and two divisions per parameter, which "
        "the limit does not have. "
        "Next idea: one kernel for the update, which NumPy cannot express."
    ),
    "mnist": (
        "The update of Adam makes thirteen passes over the parameters; SGD makes two where the "
        "limit makes one. Next idea: as for small."
    ),
    "medium": (
        "relu, its slope and the bias are five passes over each activation. np.maximum with a "
        "scalar, and np.sign, take three times as long as an addition. JAX and the fused optimizer "
        "of torch do in one pass what takes us many. Next idea: one kernel for relu and one for "
        "its slope, which NumPy does not have."
    ),
    "large": (
        "As for medium, and Adam's vectors no longer fit into the cache: each block of them is "
        "fetched from memory once per step."
    ),
}

GPU = (
    "Not measured: no GPU was at hand. What a GPU computes is for `mlp-ref verify torch:cuda`; the "
    "commands, and what is known, are in [scoreboard.md](scoreboard.md#on-a-gpu)."
)
