"""The catalogue of faults: its texts, its wrong inputs, its subjects, and the walkthrough."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mlp_ref.checks import InputError
from mlp_ref.corpus.names import REJECTS
from mlp_ref.corpus.records import OPERATIONS
from mlp_ref.faults import FAULTS, RIGHT, WALKTHROUGH_MISTAKES, Fault, Parts
from mlp_ref.faults.making import after_answer, after_inputs, both, for_functions, on_tensors
from mlp_ref.faults.softmax import shifted_by
from mlp_ref.gate.cases import Case, build_cases
from mlp_ref.gate.judge import Verdict, judge_certified
from mlp_ref.gate.run import run_case
from mlp_ref.operations import OPERATIONS as REFERENCE
from mlp_ref.subjects import Subject, load

CASES = {case.id: case for case in build_cases()}
REFUSED = {kind: next(case for case in CASES.values() if case.rejects == kind) for kind in REJECTS}
FAMILIES = {
    "walkthrough": 1, "softmax": 20, "loss": 30, "reduction": 20, "label": 10, "activation": 25,
    "dense": 10, "precision": 5, "optimizer": 10, "entry": 5,
}  # fmt: skip
# The mistakes of the walkthrough -> a case that shows this one alone, and the tensors that do.
SHOWN = {
    "softmax-global-maximum": ("softmax/row-maxima", ["y", "dx"]),
    "activation-sigmoid-overflow": ("activation/huge/sigmoid", ["y"]),
    "reduction-gradient-summed": ("loss/moderate/soft/cross_entropy", ["g"]),
}


def subject(fault: Fault) -> Subject:
    """A fault as a subject."""
    return Subject(
        fault.id, lambda q: fault.answer(q.operation, q.parameters, q.inputs), OPERATIONS,
        ("float32", "float64"), {}, tuple(REJECTS),
    )  # fmt: skip


def fault_of(parts: Parts) -> Fault:
    """A fault without a text."""
    return Fault("mine", "", "", "", "", "", parts)


def failed(fault: Fault, case: Case) -> list[str]:
    """The tensors that are wrong."""
    return [result.tensor for result in run_case(subject(fault), case).failures]


# --------------------------------------------------------------------------------------- the texts


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_explains_itself(fault: Fault) -> None:
    """Its id says the family first; each text is one short line; a link is a public address."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", fault.id)
    assert fault.id.split("-")[0] == fault.family
    for text in (fault.symptom, fault.formula, fault.why, fault.fix):
        assert 3 <= len(text) <= 220
        assert text == " ".join(text.split())
    assert fault.symptom[-1] + fault.why[-1] == ".."
    assert len({fault.symptom, fault.formula, fault.why, fault.fix}) == 4
    assert fault.seen == "" or re.fullmatch(r"https://[a-z.]+/[\w./#-]+", fault.seen)
    assert fault.parts is not RIGHT


def test_the_catalogue_is_large_and_has_every_family() -> None:
    """At least 100 faults, so many of each family; ids and symptoms never repeat."""
    count = Counter(fault.family for fault in FAULTS.values())
    assert set(count) == set(FAMILIES)
    assert {family: n for family, n in FAMILIES.items() if count[family] < n} == {}
    assert len(FAULTS) >= 100
    assert [fault.id for fault in FAULTS.values()] == list(FAULTS)
    symptoms = Counter((fault.family, fault.symptom, fault.formula) for fault in FAULTS.values())
    assert symptoms.most_common(1)[0][1] == 1
    assert next(iter(FAULTS)) == "walkthrough"


def test_no_fault_is_lost_to_a_repeated_id() -> None:
    """What the modules list is what the catalogue holds: of two with one id, one would hide."""
    import mlp_ref.faults as package

    listed = [
        fault
        for name, module in vars(package).items()
        if hasattr(module, "__file__") and name != "variants"
        for group in vars(module).values()
        if type(group) is tuple
        for fault in group
        if isinstance(fault, Fault)
    ]
    assert len(listed) + 1 == len(FAULTS)  # the walkthrough stands alone


# ------------------------------------------------------------------------------------ the subjects


@pytest.mark.parametrize("kind", REJECTS)
def test_a_fault_refuses_what_the_reference_refuses(kind: str) -> None:
    """Wrong inputs are no part of any fault: `InputError`, in the same words."""
    question = REFUSED[kind].question()
    with pytest.raises(InputError) as reference:
        REFERENCE[question.operation](question.parameters, question.inputs)
    for fault in FAULTS.values():
        with pytest.raises(InputError) as error:
            fault.answer(question.operation, question.parameters, question.inputs)
        assert str(error.value) == str(reference.value)


@pytest.mark.parametrize("name", ["softmax-wrong-axis", "walkthrough"])
def test_a_fault_is_loaded_by_its_id(name: str) -> None:
    """fault:ID is a subject of every operation, in float32 and float64, that checks its inputs."""
    found = load(f"fault:{name}")
    assert found.name == f"fault:{name}"
    assert run_case(found, CASES["softmax/square/float64"]).verdict == (
        Verdict.FAIL if name == "softmax-wrong-axis" else Verdict.PASS
    )
    for case in REFUSED.values():
        assert run_case(found, case).verdict == Verdict.PASS


def test_an_unknown_fault_is_refused() -> None:
    """The message names the faults."""
    with pytest.raises(InputError, match=r"fault.*nothing"):
        load("fault:nothing")


# -------------------------------------------------------------------------------- the walkthrough


@pytest.mark.parametrize("arithmetic", ["float32", "float64"])
@pytest.mark.parametrize("mistake", SHOWN)
def test_the_walkthrough_has_each_of_its_mistakes(mistake: str, arithmetic: str) -> None:
    """Where one mistake shows alone, the walkthrough is wrong in the same tensors and numbers."""
    name, tensors = SHOWN[mistake]
    case, faults = CASES[f"{name}/{arithmetic}"], (FAULTS["walkthrough"], FAULTS[mistake])
    assert all(set(tensors) <= set(failed(fault, case)) for fault in faults)
    question = case.question()
    ours, single = (
        fault.answer(question.operation, question.parameters, question.inputs) for fault in faults
    )
    for tensor in tensors:
        if tensor != "g":
            np.testing.assert_array_equal(ours[tensor], single[tensor])
            continue
        for answer in (ours, single):  # n times what is right within its bound, for n = 4
            result = judge_certified("g", answer["g"] / 4, case.expected()["g"], case.arithmetic)
            assert result.verdict == Verdict.PASS


@pytest.mark.parametrize("arithmetic", ["float32", "float64"])
def test_the_walkthrough_takes_the_logarithm_of_zero(arithmetic: str) -> None:
    """The loss of one row with logits 1000 and -1000 is 2000; of log p_y it is inf, as alone."""
    case = CASES[f"loss/extreme/hard/cross_entropy/{arithmetic}"]
    inputs = {name: x[:1] for name, x in case.question().inputs.items()}
    name, parameters = "loss-log-of-probability", {"loss": "cross_entropy"}
    assert 2000 <= REFERENCE["loss"](parameters, inputs)["loss"] <= 2001
    assert FAULTS[name].answer("loss", parameters, inputs)["loss"] == np.inf
    assert FAULTS["walkthrough"].answer("loss", parameters, inputs)["loss"] == np.inf
    assert "loss" in failed(FAULTS["walkthrough"], case)


def test_the_walkthrough_has_no_other_mistake() -> None:
    """Its list names four faults; layers, other activations and optimizers are right."""
    assert {*SHOWN, "loss-log-of-probability"} == set(WALKTHROUGH_MISTAKES) <= set(FAULTS)
    for case in CASES.values():
        if case.rejects or case.operation not in ("dense", "optimizer", "activation"):
            continue
        if case.operation != "activation" or case.record.parameters["function"] != "sigmoid":
            assert failed(FAULTS["walkthrough"], case) == []


# -------------------------------------------------------------------- what faults are written with


@pytest.mark.parametrize("arithmetic", ["float32", "float64"])
def test_the_wrong_softmax_is_right_with_the_maximum_of_the_row(arithmetic: str) -> None:
    """The shift is the only mistake of the faults that are made with another one."""
    right = fault_of(shifted_by(lambda z: z.max(axis=1, keepdims=True)))
    for case in CASES.values():
        if case.operation in ("softmax", "log_softmax", "loss") and not case.rejects:
            assert failed(right, case) == []


def test_two_faults_at_once_do_both() -> None:
    """`both` joins what differs, and applies changed inputs and answers one after the other."""
    up = after_inputs(lambda operation, inputs: {"x": inputs["x"] + 1})
    twice = after_inputs(lambda operation, inputs: {"x": inputs["x"] * 2})
    joined = both(
        both(up, both(twice, for_functions({"relu": np.abs}))),
        both(
            for_functions({"elu": np.negative}),
            after_answer(lambda operation, answer, inputs: {"dx": answer["dx"] + inputs["x"]}),
        ),
    )
    x, g = np.array([[-2.0, 3.0]]), np.array([[1.0, 1.0]])
    for name, expected in {"relu": [[2.0, 8.0]], "elu": [[2.0, -8.0]]}.items():
        answer = fault_of(joined).answer("activation", {"function": name}, {"x": x, "g": g})
        np.testing.assert_array_equal(answer["y"], expected)
    answer = fault_of(joined).answer("activation", {"function": "relu"}, {"x": x, "g": g})
    np.testing.assert_array_equal(answer["dx"], [[0 - 2.0, 1 + 3.0]])  # the inputs that were asked


def test_a_change_of_tensors_reaches_every_layer() -> None:
    """dW stands for dW0, dW1, ...; the others are as they were."""
    case = CASES["mlp/square/sigmoid/cross_entropy/float64"]
    question = case.question()
    arguments = (question.operation, question.parameters, question.inputs)
    right = fault_of(RIGHT).answer(*arguments)
    wrong = fault_of(on_tensors(["dW"], np.negative)).answer(*arguments)
    for name, x in right.items():
        expected = -x if name.startswith("dW") else x
        np.testing.assert_array_equal(wrong[name], expected)


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_the_pages_count_the_catalogue(page: str) -> None:
    """What they say of it is so."""
    text = Path(__file__).parents[1].joinpath(page).read_text("utf-8")
    assert f"{len(FAULTS)} classic mistakes" in text
