"""The diagnosis where no mistake of the catalogue fits: what the wrong numbers have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from diagnosed import changed, diagnosed, diagnosed_of

from mlp_ref.faults import RIGHT, operations_of
from mlp_ref.subjects import Question

pytestmark = pytest.mark.once


def one_off(x: Any) -> Any:
    """Another number in the last entry."""
    x = x.copy()
    x.flat[-1] = 3 * x.flat[-1] + 1
    return x


def beyond(q: Question) -> Mapping[str, Any]:
    """Softsign in place of tanh for large arguments."""
    answer = dict(operations_of(RIGHT)[q.operation](q.parameters, q.inputs))
    if q.parameters.get("function") == "tanh":
        x = q.inputs["x"]
        with np.errstate(all="ignore"):
            answer["y"] = np.where(x >= 1.5, 0.25 + answer["y"] / 2, answer["y"])
    return answer


STRUCTURES = {
    "factor": (changed("db", lambda x: -x), "dense", r"db of dense is -1 times the reference."),
    "unnamed factor": (changed("dx", lambda x: 7 * x), "dense", "dx of dense is 7 times the"),
    "order": (
        changed("dx", lambda x: x[::-1]),
        "dense",
        "dx of dense has its rows in reverse order",
    ),
    "region": (changed("z", one_off), "dense", "z of dense is wrong in "),
    "zero": (changed("dW", np.zeros_like), "dense", "dW of dense is 0 everywhere"),
}


@pytest.mark.parametrize("what", STRUCTURES)
def test_the_numbers_say_what_no_mistake_explains(what: str) -> None:
    """A constant factor, another order, the place of the wrong entries."""
    parts, operation, sentence = STRUCTURES[what]
    found = diagnosed(parts, operation)
    assert found[0].faults == ()
    assert found[0].sentence.startswith(sentence)


def test_the_range_of_wrong_arguments_is_told() -> None:
    """A function that is wrong beyond a threshold is wrong "where x >= ..."."""
    (found,) = diagnosed_of(beyond, "activation")
    assert found.faults == ()
    assert found.sentence.startswith("The value of tanh is wrong where x >= ")


def test_rows_and_outputs_are_told_apart_by_other_cases() -> None:
    """A factor that is 3 here and 5 there is the number of rows, not a constant."""
    parts = RIGHT._replace(bias_gradient=lambda dz: dz.sum(axis=0) * len(dz))
    (found,) = diagnosed(parts, "dense")
    assert found.sentence == "db of dense is n (the rows of the batch) times the reference."


def test_the_bits_of_a_coarse_product_are_counted() -> None:
    """Operands that are cut, not rounded, to 11 bits are none of the catalogue's."""

    def cut(x: Any) -> Any:
        mantissa, exponent = np.frexp(x)
        return np.ldexp(np.trunc(mantissa * 2**11) / 2**11, exponent).astype(x.dtype)

    parts = RIGHT._replace(affine=lambda x, W, b: cut(x) @ cut(W) + b)
    found = diagnosed(parts, "dense")
    assert found[0].sentence == "z of dense is right to about 11 bits, as in TF32 or float16."


def test_what_the_failing_cases_have_in_common_is_told() -> None:
    """Odd batches only: every failing case is one, and no passing case is."""

    def gradient(x: Any, dz: Any) -> Any:
        rng = np.random.default_rng(len(x))
        return x.T @ dz + (len(x) % 2) * rng.normal(size=(x.shape[1], dz.shape[1]))

    found = diagnosed(RIGHT._replace(weight_gradient=gradient), "dense")
    assert (
        "All of them are cases with an odd number of rows, and no case that passes is."
        in found[0].evidence
    )
    assert found[0].sentence.startswith("No known mistake: dW of dense goes wrong first.")


@pytest.mark.parametrize(
    ("kept", "then"),
    [
        (("loss", "g"), "not all that comes before it was returned."),
        (("z0", "a0", "z1", "a1", "z2", "a2", "loss"), "what comes before it is right."),
    ],
)
def test_what_was_not_returned_is_not_called_right(kept: tuple[str, ...], then: str) -> None:
    """A loss is the first wrong tensor of those that are there; those before it may be wrong."""
    wrong = operations_of(RIGHT._replace(loss=lambda name, a, t: np.float64(0.123)))

    def run(q: Question) -> Mapping[str, Any]:
        answer = wrong[q.operation](q.parameters, q.inputs)
        return {name: x for name, x in answer.items() if name in kept}

    found = diagnosed_of(run, "mlp")
    assert found[0].sentence.startswith("No known mistake: loss of mlp goes wrong first.")
    assert found[0].fix == f"Look at the value of the loss in mlp; {then}"


def test_what_is_no_condition_is_not_told() -> None:
    """Odd batches fail, but some pass: nothing tells the failing ones apart."""
    made = operations_of(RIGHT)

    def run(q: Question) -> Mapping[str, Any]:
        answer = dict(made[q.operation](q.parameters, q.inputs))
        if len(q.inputs["x"]) % 2 and float(q.inputs["x"].sum()) > 0:
            answer["dW"] = answer["dW"] + np.random.default_rng(0).normal(size=answer["dW"].shape)
        return answer

    (found,) = diagnosed_of(run, "dense")
    assert found.cases > 3
    assert "no case that passes" not in found.evidence


def test_exchanged_rows_are_told() -> None:
    """Rows that no mistake of the catalogue exchanges, each with the bound of its own."""

    def exchanged(x: Any) -> Any:
        x = x.copy()
        if len(x) > 2:
            x[[1, 2]] = x[[2, 1]]
        return x

    (found,) = diagnosed(changed("dx", exchanged), "dense")
    assert found.sentence == "dx of dense has its rows 1 and 2 exchanged."


def test_a_network_is_looked_at_where_nothing_smaller_fails() -> None:
    """A wrong dense layer explains the networks that are made of it."""
    noise = RIGHT._replace(affine=lambda x, W, b: x @ W + b + np.float64(0.01))
    found = diagnosed(noise, "dense", "mlp")
    assert found[0].sentence.startswith("No known mistake: z of dense goes wrong first.")
    assert not any(" mlp" in diagnosis.sentence for diagnosis in found)
