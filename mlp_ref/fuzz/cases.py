"""A question with what is right: values of the float64 reference, and derived bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mlp_ref.activations import ACTIVATIONS, Elementwise
from mlp_ref.allowances import ALLOWANCES, room_for_sets
from mlp_ref.arithmetic import ARITHMETICS, FLOAT64, Arithmetic, Array
from mlp_ref.bounds import carry, derive, derive_vjp, exactly, value_error_of
from mlp_ref.corpus.library import activation_of, layers_of, model_of
from mlp_ref.corpus.names import tensors_of
from mlp_ref.corpus.records import Certified, Record
from mlp_ref.gate.cases import Case, case_of
from mlp_ref.losses import LOSSES
from mlp_ref.operations import OPERATIONS

__all__ = ["IN_PIECES", "fuzz_case", "stored"]

# What is made of pieces: at NaN the derivative of a piece is as good as NaN.
IN_PIECES = ("identity", "relu", "leaky_relu", "elu")
_ROWWISE = ("softmax", "log_softmax")
_UNCERTIFIED = {"bits": 53, "agreed": {}}


def fuzz_case(record: Record, arithmetic: Arithmetic) -> Case | None:
    """The question as a case; None if its bounds leave open how large some entry is.

    There NaN or an infinity of a correct implementation proves nothing against it.
    """
    expected = _expected(record, (arithmetic,))
    if any(_open(q, q.bounds[arithmetic.name]) for q in expected.values()):
        return None
    case = case_of(record, arithmetic)
    return replace(case, record=replace(case.record, expected=expected))


def _open(q: Certified, bound: Array) -> bool:
    """Whether an entry may be anything: the bound is infinite, or exceeds both the value and 1."""
    return bool((np.isinf(bound) | ((bound > np.abs(q.hi)) & (bound > 1))).any())


def stored(record: Record) -> Record:
    """The question as a corpus holds it: with the bounds of its own arithmetic, and of float64."""
    names = dict.fromkeys((FLOAT64.name, record.arithmetic))
    expected = _expected(record, [ARITHMETICS[name] for name in names])
    return replace(record, expected=expected, provenance=_UNCERTIFIED, since="own")


def _expected(record: Record, arithmetics: Sequence[Arithmetic]) -> dict[str, Certified]:
    operation, inputs = record.operation, record.arrays()
    with np.errstate(all="ignore"):
        found = (_of_network if operation == "mlp" else _of_others)(record, inputs, arithmetics)
    expected = {
        name: Certified(
            q.shape, q, np.zeros_like(q), np.where(np.isfinite(q), radius, 0.0),
            {A.name: np.asarray(bound) for A, bound in zip(arithmetics, bounds, strict=True)},
        )
        for name, (q, radius, bounds) in found.items()
    }  # fmt: skip
    sets = _derivatives(record, inputs) if operation == "activation" else {}
    if sets:
        q = expected["dx"]
        bounds = {A.name: room_for_sets(A, q.bounds[A.name], sets) for A in arithmetics}
        expected["dx"] = replace(q, bounds=bounds, sets=sets)
    return expected


# name -> value, radius, and the bounds in each arithmetic
_Found = dict[str, tuple[Array, Array, list[Array]]]
_Inputs = Mapping[str, Array]


def _of_network(record: Record, inputs: _Inputs, arithmetics: Sequence[Arithmetic]) -> _Found:
    """One derivation gives values, radii and bounds."""
    params, loss = layers_of(inputs), LOSSES[record.parameters["loss"]]
    model = model_of(params.sizes, record.parameters)
    derived = [derive(model, params, inputs["x"], loss, inputs["target"], arithmetic=A)
               for A in arithmetics]  # fmt: skip
    return {
        name: (np.asarray(q.value), np.asarray(q.radius), [each[name].bound for each in derived])
        for name, q in derived[0].items() if name[:2] not in ("dz", "da")
    }  # fmt: skip


def _of_others(record: Record, inputs: _Inputs, arithmetics: Sequence[Arithmetic]) -> _Found:
    operation, parameters = record.operation, record.parameters
    wide = {k: x.astype(np.float64) if x.dtype.kind == "f" else x for k, x in inputs.items()}
    found = OPERATIONS[operation](parameters, wide)
    value = {name: np.asarray(found[name], np.float64)
             for name in tensors_of(operation, parameters).expected}  # fmt: skip
    whole = operation in _ROWWISE and np.isfinite(inputs["x"]).all()
    allowed = {
        A: _whole_rows(A, operation, inputs, value) if whole
        else ALLOWANCES[operation](A, parameters, inputs, value)
        for A in dict.fromkeys((FLOAT64, *arithmetics))
    }  # fmt: skip
    if operation == "loss":  # a target of an infinite logit is still divided by the count
        for A, bound in allowed.items():
            room = np.where(np.isfinite(wide["z"]), 0.0, A.gamma(3) * np.abs(value["g"]))
            bound["g"] = np.asarray(bound["g"] + np.nan_to_num(room))
    return {
        name: (q, allowed[FLOAT64][name], [allowed[A][name] for A in arithmetics])
        for name, q in value.items()
    }


def _whole_rows(
    A: Arithmetic, name: str, inputs: Mapping[str, Array], value: Mapping[str, Array]
) -> dict[str, Array]:
    """All rows in one go, as none has terms to be left out."""
    f, x = activation_of(name), exactly(inputs["x"])
    y = carry(A, value["y"], value_error_of(f), x)
    return {"y": y.bound, "dx": derive_vjp(A, f, exactly(inputs["g"]), x, y).bound}


def _derivatives(record: Record, inputs: Mapping[str, Array]) -> dict[int, tuple[float, ...]]:
    """Flat index -> every g f'(x) that is right: of both sides of a kink, and their mean."""
    f, x, g = ACTIVATIONS[record.parameters["function"]], inputs["x"].ravel(), inputs["g"].ravel()
    sets: dict[int, tuple[float, ...]] = {}
    for k in np.flatnonzero(np.isin(x, f.kinks)):
        left, right = _slopes(f)
        sets[int(k)] = tuple(float(g[k]) * s for s in (left, (left + right) / 2, right))
    if f.name in IN_PIECES:
        for k in np.flatnonzero(np.isnan(x)):
            sets[int(k)] = (np.nan, *(float(g[k]) * s for s in _slopes(f)))
    return sets


def _slopes(f: Elementwise) -> tuple[float, float]:
    """f' on the left of 0, and on the right."""
    least = np.finfo(np.float64).smallest_subnormal
    left, right = (float(f.slope(x, f.value(x))) for x in np.array([-least, least]))
    return left, right
