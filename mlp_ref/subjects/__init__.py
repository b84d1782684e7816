"""Subjects: the implementations that the gate judges.

A subject is one function that computes a case. It is called with keywords only:

    ``weights``      list of W_l (n_l, n_{l+1}), rows are inputs: z = a W + b (PyTorch: W^T)
    ``biases``       list of b_l (n_{l+1},)
    ``x``            (n, n_0), one sample per row
    ``target``       labels (n,) int64 or probabilities (n, C) for cross_entropy, else (n, C)
    ``activations``  one name per layer, out of identity, sigmoid, tanh, relu, leaky_relu, elu,
                     softplus, silu, gelu, gelu_tanh; in vectors of one's own, the last may also
                     be softmax or log_softmax, over the outputs of each row
    ``loss``         cross_entropy or binary_cross_entropy, both from logits, or squared_error

Every array is float32 or float64 (labels apart); the subject answers in the same dtype, in a
mapping from names to NumPy arrays with any of:

    ``z0 a0 z1 a1 ...``    z_l = a_{l-1} W_l + b_l and a_l = f_l(z_l), (n, n_{l+1})
    ``loss``               the mean loss, a scalar
    ``g``                  its gradient with respect to the last a, (n, C)
    ``dW0 db0 dW1 ...``    its gradients with respect to the parameters, of their shapes
    ``dx``                 its gradient with respect to x, (n, n_0)

A tensor that is left out is skipped and counted. `NotImplementedError(reason)` skips the case; any
other exception, an unknown name, an answer that is no mapping, and a changed argument are errors of
that case, and the run goes on. A function attribute ``arithmetics``, such as ``("float64",)``,
limits the run to what the subject claims; without it float32 and float64 are asked for. For example

    def run(*, weights, biases, x, target, activations, loss):
        if {*activations} != {"identity"} or loss != "squared_error":
            raise NotImplementedError("linear layers and squared_error only")
        answer, z = {}, x
        for k in range(len(weights)):
            z = answer[f"z{k}"] = z @ weights[k] + biases[k]
        return answer | {"loss": np.mean((z - target) ** 2)}
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from mlp_ref.subjects import numpy_subject, python_subject, torch_subject
from mlp_ref.subjects.protocol import Subject

__all__ = ["SUBJECTS", "Subject", "load_python"]

SUBJECTS: Mapping[str, Callable[[], Subject]] = MappingProxyType(
    {"numpy": numpy_subject.load, "torch": torch_subject.load}
)
load_python = python_subject.load
