"""ONNX Runtime as a subject: the forward pass, on the CPU."""

from __future__ import annotations

from mlp_ref.arithmetic import Array
from mlp_ref.checks import fail
from mlp_ref.subjects.onnx_graphs import model_of
from mlp_ref.subjects.protocol import Question, Subject

__all__ = ["load"]


def load(variant: str = "") -> Subject:
    """The subject ``onnxruntime``: a graph for every question, optimized as by default.

    It answers y, z and a, on one thread, and skips what ONNX Runtime has no kernel for, which in
    float64 are leaky_relu, elu, softplus and gelu. Graphs have types, so that a wrong dtype is
    refused; the bias of Gemm may be broadcast.

    Raises `InputError` if onnxruntime or onnx is not installed, or a variant is asked for.
    """
    if variant:
        fail("onnxruntime must stand without a variant", repr(variant), "ask for onnxruntime")
    try:
        import onnx
        import onnxruntime as ort
        from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel
    except ImportError as error:
        fail(
            "the subject onnxruntime needs ONNX Runtime and ONNX", f"no module {error.name}",
            "pip install 'mlp-ref[onnxruntime]'",
        )  # fmt: skip
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # nothing on stderr: what is wrong is raised

    def run(question: Question) -> dict[str, Array]:
        model = model_of(question)
        try:
            session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except NoKernel as error:
            raise NotImplementedError(str(error).rpartition(" : ")[2]) from error
        given = {entry.name: question.inputs[entry.name] for entry in session.get_inputs()}
        names = [entry.name for entry in session.get_outputs()]
        return dict(zip(names, session.run(names, given), strict=True))

    return Subject(
        "onnxruntime",
        run,
        operations=("activation", "dense", "softmax", "log_softmax", "mlp"),
        arithmetics=("float64", "float32"),
        versions={"onnxruntime": ort.__version__, "onnx": onnx.__version__},
        checks=("dtype",),
    )
