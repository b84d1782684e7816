"""Libraries of the C interface: right answers arrive, and the library sees what is asked."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest
from c_library import Build, builder, question

from mlp_ref.corpus import load as load_corpus
from mlp_ref.gate.cases import case_of
from mlp_ref.gate.transports import connect
from mlp_ref.subjects import Kind, Question, Reply, load
from mlp_ref.subjects.shapes import output_shapes

CORPUS = load_corpus()


@pytest.fixture(name="build")
def _build(tmp_path: Path) -> Build:
    return builder(tmp_path)


# ------------------------------------------------------------------------------------ what is right


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_right_answer_arrives(dtype: str, build: Build) -> None:
    """In memory of its own, with the dtype and the shape of the question."""
    subject, asked = load(build()), question(dtype)
    replies = [subject.ask(asked) for _ in range(2)]
    for reply in replies:
        assert (reply.kind, list(reply.tensors)) == (Kind.ANSWER, ["y", "dx"])
        assert reply.tensors["y"].dtype == dtype
        assert np.array_equal(reply.tensors["y"], 2 * asked.inputs["x"])
        assert np.array_equal(reply.tensors["dx"], asked.inputs["g"])
    assert not np.shares_memory(replies[0].tensors["y"], replies[1].tensors["y"])


def test_inputs_need_not_be_contiguous(build: Build) -> None:
    """The library sees C order, whatever the strides are."""
    x = np.arange(12.0).reshape(6, 2)[::2].T
    reply = load(build()).ask(Question("softmax", "float64", {}, {"x": x, "g": x}))
    assert np.array_equal(reply.tensors["y"], 2 * x)


def test_what_the_library_declares_is_taken(build: Build) -> None:
    """Operations, arithmetics, checks, conventions, versions."""
    about = (
        '{"abi": 1, "name": "mine", "versions": {"blas": "3.1"}, "operations": ["mlp", "loss"], '
        '"arithmetics": ["bfloat16"], "checks": ["shape"], "conventions": ["finite-inputs"]}'
    )
    spec = build("", "", about)
    subject = load(spec)
    assert (subject.name, subject.operations) == (spec, ("mlp", "loss"))
    assert (subject.arithmetics, subject.checks) == (("bfloat16",), ("shape",))
    assert subject.conventions == ("finite-inputs",)
    assert subject.versions == {"mine": "unknown version", "blas": "3.1"}


PROBE = r"""
    char *at = q->message;
    at += sprintf(at, "%d %s %s", q->abi, q->operation, q->arithmetic);
    for (int k = 0; k < q->parameters; k++) {
        at += sprintf(at, "%s %s", k ? "" : ";", q->parameter[k].name);
        for (int j = 0; j < q->parameter[k].count; j++)
            at += sprintf(at, "%c%s", j ? ',' : '=', q->parameter[k].values[j]);
    }
    for (int side = 0; side < 2; side++)
        for (int k = 0; k < (side ? q->outputs : q->inputs); k++) {
            const mlp_ref_tensor *t = side ? &q->output[k] : &q->input[k];
            at += sprintf(at, "; %s %s %d %dx%d", t->name, t->dtype, (int)t->rank,
                          (int)t->shape[0], (int)t->shape[1]);
            if ((size_t)t->data % 64 || t->given) at += sprintf(at, " wrong");
        }
    return MLP_REF_SKIP;
""".replace("\n", " ")


SEEN = {
    "mlp/batch-7/tanh/cross_entropy/float64": (
        "1 mlp float64; activations=tanh,identity loss=cross_entropy; "
        "W0 float64 2 3x3; b0 float64 1 3x1; W1 float64 2 3x2; b1 float64 1 2x1; "
        "x float64 2 7x3; target float64 2 7x2; z0 float64 2 7x3; a0 float64 2 7x3; "
        "z1 float64 2 7x2; a1 float64 2 7x2; loss float64 0 1x1; g float64 2 7x2; "
        "dW0 float64 2 3x3; db0 float64 1 3x1; dW1 float64 2 3x2; db1 float64 1 2x1; "
        "dx float64 2 7x3"
    ),
    "mlp/logits-equal/cross_entropy/hard/float64": (
        "1 mlp float64; activations=identity loss=cross_entropy; W0 float64 2 4x4; "
        "b0 float64 1 4x1; x float64 2 4x4; target int64 1 4x1; z0 float64 2 4x4; "
        "a0 float64 2 4x4; loss float64 0 1x1; g float64 2 4x4; dW0 float64 2 4x4; "
        "db0 float64 1 4x1; dx float64 2 4x4"
    ),
    "optimizer/rejects/nesterov-without-momentum/nesterov/float64": (
        "1 optimizer float64; method=sgd lr=0.0625 weight_decay=0.0 momentum=0.0 "
        "nesterov=true t=1; params float64 1 6x1; grads float64 1 6x1; params float64 1 6x1"
    ),
    "dense/rejects/dtype-of-x/float64": (
        "1 dense float64; x float32 2 3x4; W float64 2 4x2; b float64 1 2x1; g float64 2 3x2; "
        "z float64 2 3x2; dW float64 2 4x2; db float64 1 2x1; dx float64 2 3x4"
    ),
}


@pytest.mark.parametrize("case", SEEN)
def test_the_library_sees_the_question(case: str, build: Build) -> None:
    """Every name, text and size, in order; every buffer aligned to 64 bytes."""
    reply = load(build(PROBE)).ask(case_of(CORPUS.record(case)).question())
    assert (reply.kind, reply.reason) == (Kind.SKIP, SEEN[case])


@pytest.mark.parametrize(
    ("arithmetic", "dtype"), [("bfloat16", "float32"), ("tf32", "float32"), ("float16", "float16")]
)
def test_narrow_arithmetics_have_their_dtypes(arithmetic: str, dtype: str, build: Build) -> None:
    """Inputs and outputs alike: bfloat16 and TF32 travel as float32."""
    asked = question(dtype)._replace(arithmetic=arithmetic)
    reply = load(build(PROBE)).ask(asked)
    names = ("x", "g", "y", "dx")
    seen = "".join(f"; {name} {dtype} 2 2x3" for name in names)
    assert reply.reason == f"1 softmax {arithmetic}{seen}"


def test_the_shapes_of_outputs_are_those_that_are_expected() -> None:
    """In every case of the corpus; where inputs must be refused there are shapes, too."""
    for record in CORPUS.records:
        shapes = output_shapes(case_of(record).question())
        if record.rejects:
            assert all(len(shape) <= 2 for shape in shapes.values())
        else:
            assert shapes == {name: q.shape for name, q in record.expected.items()}, record.id


def test_a_vector_in_place_of_a_matrix_has_shapes() -> None:
    """Rows of a scalar, columns of a vector."""
    inputs = {"x": np.ones(()), "W": np.ones(3), "b": np.ones(()), "g": np.ones((2, 3))}
    asked = Question("dense", "float64", {}, inputs)
    assert output_shapes(asked) == {"z": (1, 3), "dW": (3,), "db": (), "dx": ()}


# ------------------------------------------------------------------------------- in its own process


def asked_apart(spec: str, *questions: Question) -> list[Reply]:
    """The replies of a library in a child process."""
    session = connect(spec, CORPUS.sha256)
    try:
        return [session.ask(q) for q in questions]
    finally:
        session.close()


def test_a_crash_ends_one_question(build: Build) -> None:
    """The next one is asked of a new process."""
    spec = build("if (x->shape[0] == 1) { *(volatile char *)0 = 1; }")
    crash, next_one = asked_apart(spec, question(rows=1), question())
    assert crash.kind == Kind.ERROR
    assert next_one.kind == Kind.ANSWER


def test_what_it_prints_does_not_disturb(build: Build) -> None:
    """Standard output belongs to the protocol, which the library cannot reach."""
    spec = build('puts("{}"); fflush(stdout); getchar();')
    (reply,) = asked_apart(spec, question())
    assert reply.kind == Kind.ANSWER


def test_the_processor_may_be_left_flushing(build: Build) -> None:
    """It computes in a process of its own, and whoever judges is elsewhere."""
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("this test sets the control register of x86-64 processors")
    flush = 'unsigned m = 0x9fc0; __asm__ volatile("ldmxcsr %0" : : "m"(m));'
    asked = question()
    asked.inputs["x"][...] = 2.0**-1074
    (reply,) = asked_apart(build("", flush), asked)
    assert np.array_equal(reply.tensors["y"], 2 * asked.inputs["x"])


def test_errors_keep_their_kind_on_the_way(build: Build) -> None:
    """A broken rule is an error there too, a refusal a refusal."""
    outside = "((char *)y->data)[size * 8] = 1;"
    refuse = 'if (x->shape[0] == 1) { strcpy(q->message, "one row"); return MLP_REF_REJECT; }'
    refused, broken = asked_apart(build(refuse, outside), question(rows=1), question())
    assert (refused.kind, refused.reason) == (Kind.REJECT, "one row")
    assert broken.kind == Kind.ERROR
