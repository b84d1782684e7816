"""The schemas: every file of the corpus is valid, and whatever else a file might say is not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mlp_ref.checks import InputError
from mlp_ref.corpus.decoding import read_cases
from mlp_ref.corpus.names import METHODS, REJECTS
from mlp_ref.corpus.records import FLAGS, OPERATIONS
from mlp_ref.losses import LOSSES

CONFORMANCE = Path(__file__).parents[1] / "conformance"
VECTORS = CONFORMANCE / "vectors"


def read(path: Path) -> Any:
    """JSON from a file."""
    return json.loads(path.read_text("utf-8"))


SCHEMAS = {name: read(CONFORMANCE / "schema" / f"{name}.schema.json")
           for name in ("cases", "manifest", "errata")}  # fmt: skip
VALIDATORS = {name: Draft202012Validator(schema) for name, schema in SCHEMAS.items()}
FILES = {operation: read(VECTORS / f"{operation}.json") for operation in OPERATIONS}


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_are_schemas(name: str) -> None:
    """Of draft 2020-12."""
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_case_is_valid(operation: str) -> None:
    """All files, whole."""
    assert [error.json_path for error in VALIDATORS["cases"].iter_errors(FILES[operation])] == []


def test_the_manifest_and_the_errata_are_valid() -> None:
    """As they are."""
    VALIDATORS["manifest"].validate(read(VECTORS / "MANIFEST.json"))
    VALIDATORS["errata"].validate(read(CONFORMANCE / "errata.json"))


def test_the_schema_names_what_the_program_knows() -> None:
    """Operations, flags, losses, methods, invariants."""
    known = SCHEMAS["cases"]["$defs"]
    assert SCHEMAS["cases"]["properties"]["operation"]["enum"] == list(OPERATIONS)
    assert known["flag"]["enum"] == sorted(FLAGS)
    assert known["loss"]["enum"] == list(LOSSES)
    assert known["method"]["enum"] == list(METHODS)
    assert known["case"]["properties"]["rejects"]["enum"] == list(REJECTS)
    functions = {case["parameters"]["function"] for case in FILES["activation"]["cases"]}
    assert set(known["function"]["enum"]) == functions


def small(operation: str, *, rejects: bool = False, arithmetic: str = "float64") -> dict[str, Any]:
    """A file with one case."""
    cases = [
        case for case in FILES[operation]["cases"]
        if ("rejects" in case) == rejects and case["arithmetic"] == arithmetic
    ]  # fmt: skip
    case = copy.deepcopy(min(cases, key=lambda case: len(str(case["inputs"]))))
    notes = {flag: FLAGS[flag] for flag in case["flags"]}
    return {
        "format": 1, "corpus": "2026.1", "operation": operation, "notes": notes, "cases": [case],
    }  # fmt: skip


def is_valid(file: Any) -> bool:
    """Whether the schema accepts it."""
    return bool(VALIDATORS["cases"].is_valid(file))


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """An edit of the case: set the value at keys a/b/c, or drop it if the value is ``...``."""

    def edit(case: dict[str, Any]) -> None:
        *way, last = path.split("|")
        place: Any = case
        for key in way:
            place = place[key]
        if value is ...:
            del place[last]
        else:
            place[last] = value

    return edit


DENSE = [
    ("unknown key", change("extra", 1)),
    ("unknown key of an input", change("inputs|x|unit", "m")),
    ("unknown key of expected", change("expected|z|mean", "")),
    ("unknown key of provenance", change("provenance|by", "hand")),
    *((f"no {key}", change(key, ...)) for key in (
        "id", "note", "since", "difficulty", "flags", "arithmetic", "parameters", "inputs",
        "expected", "provenance",
    )),
    ("upper case", change("inputs|x|words", "BFF97AAE22B85F4B")),
    ("half a word", change("inputs|x|words", "bff97aae")),
    ("a float32 word in a float64 case", change("inputs|x", {
        "shape": [1, 1], "dtype": "float32", "words": "bff97aae"})),
    ("0x", change("expected|z|hi", "0x02a429328387e3")),
    ("three digits of a short word", change("expected|z|radius", "000")),
    ("a negative radius", change("expected|z|radius", "8000")),
    ("an infinite radius", change("expected|z|radius", "7ff0")),
    ("a bound of NaN", change("expected|z|bound|float64", "7ff8")),
    ("a decimal", change("expected|z|hi", 2.33)),
    ("no bound", change("expected|z|bound", ...)),
    ("no bound for the arithmetic", change("expected|z|bound", {})),
    ("a bound for another", change("expected|z|bound|float32", "0000")),
    ("no radius", change("expected|z|radius", ...)),
    ("three dimensions", change("inputs|x|shape", [1, 1, 1])),
    ("a negative size", change("inputs|x|shape", [1, -1])),
    ("a size of 1.5", change("inputs|x|shape", [1, 1.5])),
    ("no words", change("inputs|x|words", ...)),
    ("words and a generator", change("inputs|x|generator", {
        "seed": "0" * 16, "modulus": 3, "offset": 0, "scale": 1.0})),
    ("an index without a checksum", change("expected|z|index", [0])),
    ("a checksum without an index", change("expected|z|checksum", "0" * 16)),
    ("a set with a bad key", change("expected|z|sets", {"00": ["0" * 16]})),
    ("an empty set", change("expected|z|sets", {"0": []})),
    ("signed_zeros that is false", change("expected|z|signed_zeros", False)),
    ("an input of another operation", change("inputs|target", {
        "shape": [], "dtype": "float64", "words": "0" * 16})),
    ("a missing input", change("inputs|g", ...)),
    ("a missing result", change("expected|dW", ...)),
    ("a result of another operation", change("expected|y", {
        "shape": [], "hi": "0" * 16, "lo": "0" * 16, "radius": "0000",
        "bound": {"float64": "0000"}})),
    ("a parameter", change("parameters", {"loss": "squared_error"})),
    ("the id of another operation", change("id", "softmax/shape-1-1-1/float64")),
    ("the id of another arithmetic", change("id", "dense/shape-1-1-1/float32")),
    ("a blank in the id", change("id", "dense/shape 1/float64")),
    ("another arithmetic", change("arithmetic", "bfloat16")),
    ("float32 with words of float64", change("arithmetic", "float32")),
    ("difficulty 5", change("difficulty", 5)),
    ("an unknown flag", change("flags", ["Ok"])),
    ("a flag twice", change("flags", ["Ragged", "Ragged"])),
    ("a version that is none", change("since", "v1")),
    ("a note of two lines", change("note", "a\nb")),
    ("an answer and a rejection", change("rejects", "shape")),
]  # fmt: skip


@pytest.mark.parametrize(("what", "edit"), DENSE, ids=[what for what, _ in DENSE])
def test_an_edited_case_is_refused(what: str, edit: Callable[[dict[str, Any]], None]) -> None:
    """By the schema, and by the reader of the program."""
    file = small("dense")
    assert is_valid(file)
    read_cases(json.dumps(file), "dense.json")
    edit(file["cases"][0])
    assert not is_valid(file), what
    with pytest.raises(InputError):
        read_cases(json.dumps(file), "dense.json")


STEPS = [
    ("optimizer", change("parameters|method", "rmsprop")),
    ("optimizer", change("parameters|lr", "0.1")),
    ("optimizer", change("parameters|lr", -0.5)),
    ("optimizer", change("parameters|lr", ...)),
    ("optimizer", change("parameters|t", -1)),
    ("optimizer", change("parameters|momentum", 1.0)),
    ("optimizer", change("parameters|beta1", 0.5)),
    ("optimizer", change("parameters|nesterov", 0)),
    ("optimizer", change("inputs|m", {"shape": [0], "dtype": "float64", "words": ""})),
    ("train_step", change("parameters|sizes", [3])),
    ("train_step", change("parameters|sizes", [3, 0])),
    ("train_step", change("inputs|grads", {"shape": [0], "dtype": "float64", "words": ""})),
    ("train_step", change("expected|grads", ...)),
    ("mlp", change("parameters|activations", [])),
    ("mlp", change("parameters|activations", ["swish"])),
    ("mlp", change("parameters|loss", "hinge")),
    ("mlp", change("inputs|W01", {"shape": [0], "dtype": "float64", "words": ""})),
    ("mlp", change("expected|loss", ...)),
    ("activation", change("parameters|function", "softmax")),
    ("activation", change("parameters", {})),
    ("loss", change("parameters|loss", "cross-entropy")),
    ("loss", change("inputs|target", ...)),
    ("softmax", change("parameters|axis", 1)),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "edit"), STEPS)
def test_names_and_parameters_are_those_of_the_operation(
    operation: str, edit: Callable[[dict[str, Any]], None]
) -> None:
    """No other method, loss or function, and no other tensors."""
    file = small(operation)
    assert is_valid(file)
    edit(file["cases"][0])
    assert not is_valid(file)


def test_moments_belong_to_the_method() -> None:
    """Without v, a case of momentum is refused, and without m one of Adam."""
    for case in FILES["optimizer"]["cases"]:
        for key in {"m", "v"} & set(case["inputs"]):
            for part in ("inputs", "expected"):
                edited = copy.deepcopy(case)
                if part in edited:
                    del edited[part][key]
                    assert not is_valid(small("optimizer") | {"cases": [edited]})


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "train_step"])
def test_float32_cases_have_both_bounds(operation: str) -> None:
    """Neither may be missing."""
    for name in ("float64", "float32"):
        file = small(operation, arithmetic="float32")
        assert is_valid(file)
        del next(iter(file["cases"][0]["expected"].values()))["bound"][name]
        assert not is_valid(file)


def test_error_cases() -> None:
    """They have a known reason and no results."""
    file = small("dense", rejects=True)
    assert is_valid(file)
    for edit in (
        change("rejects", "because"), change("rejects", ""), change("expected", {}),
        change("provenance", {"bits": 192}), change("rejects", ...),
    ):  # fmt: skip
        edited = copy.deepcopy(file)
        edit(edited["cases"][0])
        assert not is_valid(edited)


@pytest.mark.parametrize(
    "edit",
    [
        change("format", 2), change("corpus", "latest"), change("operation", "conv"),
        change("notes", {"Unknown": "a flag"}), change("notes", ...), change("cases", []),
        change("extra", None), change("operation", ...), change("operation", "softmax"),
    ],
)  # fmt: skip
def test_an_edited_file_is_refused(edit: Callable[[dict[str, Any]], None]) -> None:
    """Header and all."""
    file = small("dense")
    edit(file)
    assert not is_valid(file)


@pytest.mark.parametrize(
    "edit",
    [
        change("licence", "all rights reserved"), change("sha256", "ab"), change("files", []),
        change("extra", 1), change("cases", "12"), change("sha256", ...),
    ],
)  # fmt: skip
def test_an_edited_manifest_is_refused(edit: Callable[[dict[str, Any]], None]) -> None:
    """Every key, and the entries of the files."""
    manifest = read(VECTORS / "MANIFEST.json")
    edit(manifest)
    assert not VALIDATORS["manifest"].is_valid(manifest)
    for key, value in (("sha256", "AB" * 32), ("name", "../x.json"), ("bytes", 0), ("more", 1)):
        manifest = read(VECTORS / "MANIFEST.json")
        manifest["files"][0][key] = value
        assert not VALIDATORS["manifest"].is_valid(manifest)


def test_errata() -> None:
    """An entry has five keys; what was done is changed or retired."""
    entry = {
        "id": "dense/a/float64", "corpus": "2026.2", "date": "2026-03-01", "what": "changed",
        "why": "a wrong digit",
    }  # fmt: skip
    good = VALIDATORS["errata"].is_valid
    assert good({"format": 1, "errata": [entry, entry | {"what": "retired"}]})
    for wrong in (
        {"what": "edited"}, {"date": "1 March"}, {"date": "2026-13-01"}, {"why": ""},
        {"id": "dense"}, {"corpus": "own"}, {"by": "me"},
    ):  # fmt: skip
        assert not good({"format": 1, "errata": [entry | wrong]})
    assert not good({"format": 1, "errata": [{"id": "dense/a/float64"}]})
    assert not good({"errata": []})
