"""Ledgers: ours are right in every detail, and a file that is none is refused in one line."""

from __future__ import annotations

import copy
import json
import sys
from functools import cache
from math import inf, isnan
from pathlib import Path
from typing import Any

import pytest

from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.checks import InputError
from mlp_ref.cli import main
from mlp_ref.gate.cases import REJECTION, Case, build_cases
from mlp_ref.gate.expectations import Expectation
from mlp_ref.gate.ledger import expectations_of, known_expectations, read_ledger
from mlp_ref.subjects import SUBJECTS

KNOWN = known_expectations()
LIBRARIES = {"torch_ddp": "torch", "torch_tp": "torch"}
DISTRIBUTIONS = {"sklearn": "scikit-learn"}  # where the name is another
FORMATS = {("onnxruntime", "onnx")}
CASE = "mlp/batch-7/tanh/cross_entropy/float64"
ENTRY: dict[str, Any] = {
    "id": "own-loss", "subjects": ["py:own:wrong"], "versions": "own 1", "evidence": "measured",
    "why": "because.", "failing": {CASE: {"loss": 9e9}},
}  # fmt: skip
OWN = """
from mlp_ref.subjects.numpy_subject import run as right

def wrong(**case):
    answer = dict(right(**case))
    return answer | {"loss": answer["loss"] * 2}

def also_right(**case):
    return right(**case)
"""


@cache
def every() -> dict[str, Case]:
    """All cases of all arithmetics."""
    return {case.id: case for case in build_cases(ARITHMETICS.values())}


# ------------------------------------------------------------------------------------------- ours


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.id)
def test_an_expectation_names_existing_cases_and_tensors(known: Expectation) -> None:
    """A misspelt id or tensor would excuse nothing; no deviation is without a size."""
    assert known.unknown(every().values()) == []
    for tensors in known.failing.values():
        for tensor, most in tensors.items():
            assert most == inf if tensor == REJECTION else isnan(most) or most > 0
    assert {REJECTION} & {t for tensors in known.failing.values() for t in tensors} == {
        REJECTION for case in known.failing if every()[case].rejects
    }


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.id)
def test_an_expectation_names_existing_subjects(known: Expectation) -> None:
    """Each one that can be typed, and no other."""
    assert known.subjects
    for subject in known.subjects:
        name, _, variant = subject.partition(":")
        (spelling,) = [text for text in SUBJECTS if text.partition("[")[0].split(":")[0] == name]
        rest = spelling.removeprefix(name)
        allowed = rest.strip("[]").split("|") if rest.startswith("[") else [rest]
        ranks = rest == ":RANKS" and (variant.isdigit() or variant == "*")
        assert ranks or not variant or f":{variant}" in allowed
        assert variant or rest != ":RANKS"


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.id)
def test_an_expectation_says_where_what_and_why(known: Expectation) -> None:
    """Versions, a measurement and a cause are given, each with a number in what was measured."""
    libraries = {subject.partition(":")[0] for subject in known.subjects}
    for name in libraries:
        assert DISTRIBUTIONS.get(name, LIBRARIES.get(name, name)) in known.versions
    assert any(character.isdigit() for character in known.versions)
    assert "NaN" in known.evidence or any(c.isdigit() for c in known.evidence)
    (name,) = {LIBRARIES.get(name, name) for name in libraries}
    assert known.id.startswith(name) or (name, known.id.partition("-")[0]) in FORMATS
    assert known.why.endswith(".")
    assert known.evidence.endswith(".")


def test_ids_are_unique() -> None:
    """One name, one deviation, over all ledgers."""
    assert len({known.id for known in KNOWN}) == len(KNOWN) > 4


def test_no_tensor_of_a_subject_is_named_twice_for_one_kind_of_deviation() -> None:
    """Two causes may meet in a tensor: one makes NaN of some entries, another numbers of others."""
    named = [
        (subject, case, tensor, "nan" if isnan(most) else "inf" if most == inf else "a number")
        for known in KNOWN for subject in known.subjects
        for case, tensors in known.failing.items() for tensor, most in tensors.items()
    ]  # fmt: skip
    assert sorted({name for name in named if named.count(name) > 1}) == []


def test_a_subject_gets_its_own_expectations_only() -> None:
    """What is known of torch excuses nobody else."""
    found = [known.id for known in expectations_of("torch")]
    assert "torch-softplus-threshold" in found
    assert all(name.startswith("torch-") for name in found)
    assert expectations_of("numpy") == expectations_of("py:torch:run") == ()


@pytest.mark.parametrize(
    ("subject", "names", "concerned"),
    [("a", ["b", "a"], True), ("a", ["a:*", "b", "aa"], False), ("a:2", ["a:*"], True),
     ("a:2", ["a"], False), ("aa:2", ["a:*"], False), ("a:*", ["a:2"], False), ("a", ["*"], False)],
)  # fmt: skip
def test_a_star_stands_for_any_variant(subject: str, names: list[str], concerned: bool) -> None:
    """And for nothing else."""
    known = Expectation("known", tuple(names), "1", "1", ".", {})
    assert known.concerns(subject) == concerned


# ---------------------------------------------------------------------------------- what is refused


def ledger(tmp_path: Path, *entries: dict[str, Any], **more: Any) -> str:
    """A file with these entries."""
    path = tmp_path / "ledger.json"
    path.write_text(json.dumps({"format": 1, "entries": list(entries), **more}), "utf-8")
    return str(path)


def refused(path: str) -> str:
    """The one line that says why a file is no ledger."""
    with pytest.raises(InputError) as caught:
        read_ledger(path)
    text = str(caught.value)
    assert text.isprintable()
    assert text.startswith(f"{path!r}")
    return text.removeprefix(f"{path!r}")


def test_a_ledger_is_read(tmp_path: Path) -> None:
    """Every key has its place; the words become numbers."""
    deviations = {"loss": 1, "z0": 1.5, "a0": "nan", "g": "inf"}
    entry = ENTRY | {"failing": {CASE: deviations, "dense/x/float64": {REJECTION: True}}}
    (known,) = read_ledger(ledger(tmp_path, entry))
    assert (known.id, known.subjects) == ("own-loss", ("py:own:wrong",))
    assert (known.versions, known.evidence, known.why) == ("own 1", "measured", "because.")
    found = known.failing[CASE]
    assert (found["loss"], found["z0"], found["g"]) == (1.0, 1.5, inf)
    assert isnan(found["a0"])
    assert known.failing["dense/x/float64"] == {REJECTION: inf}
    assert known.may_pass == ()
    (known,) = read_ledger(ledger(tmp_path, entry | {"may_pass": [CASE]}))
    assert known.may_pass == (CASE,)
    assert read_ledger(ledger(tmp_path)) == ()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", "1", '"x"', "{" * 9999, "[" * 99_999, '{"format": 1}', "\xff\x00",
     '{"entries": []}', '{"format": 1, "entries": [], "more": 1}', '{"format": 1, "format": 1}',
     '{"format": 2, "entries": []}', '{"format": "1", "entries": []}',
     '{"format": true, "entries": []}', '{"format": 1.0, "entries": []}',
     '{"format": 1, "entries": {}}', '{"format": 1, "entries": null}',
     '{"format": 1, "entries": [1]}', '{"format": 1, "entries": [[]]}',
     '{"format": NaN, "entries": []}', '{"format": 1e999, "entries": []}'],
)  # fmt: skip
def test_what_is_no_ledger_is_refused(text: str, tmp_path: Path) -> None:
    """Whatever stands in the file."""
    path = tmp_path / "ledger.json"
    path.write_bytes(text.encode("latin-1"))
    refused(str(path))


@pytest.mark.parametrize("key", ENTRY)
def test_an_entry_has_its_keys_and_no_other(key: str, tmp_path: Path) -> None:
    """One less, one more, or one of another kind."""
    less = {k: v for k, v in ENTRY.items() if k != key}
    assert " must have entries of evidence, failing, id, " in refused(ledger(tmp_path, less))
    assert " must have entries of " in refused(ledger(tmp_path, {**ENTRY, f"{key}s": 1}))
    for value in (None, 1, True, "", [], {}, [1], [""], [None], {"x": 1}, {"x": {}}, {"x": None}):
        assert " must " in refused(ledger(tmp_path, {**ENTRY, key: value}))


@pytest.mark.parametrize(
    ("tensor", "value"),
    [(name, x) for name in ("loss", REJECTION) for x in
     (None, False, "", "NaN", "-inf", "1", -1, -0.5, 0, 0.0, 10**400, -(10**400), [], {}, [1])]
    + [("loss", True), (REJECTION, 1), (REJECTION, 1.0), (REJECTION, "nan"), (REJECTION, "inf")],
)  # fmt: skip
def test_a_deviation_has_a_size(tensor: str, value: Any, tmp_path: Path) -> None:
    """A number above 0, two words, or for what must be refused, true."""
    entry = copy.deepcopy(ENTRY)
    entry["failing"][CASE] = {"z0": 1.0, tensor: value}
    text = refused(ledger(tmp_path, entry))
    assert f": 'own-loss' {CASE} must have " in text
    assert tensor in text


@pytest.mark.parametrize("value", [None, CASE, {CASE: 1}, ["mlp/other/float64"], [CASE, 1], [[]]])
def test_only_what_fails_may_pass(value: Any, tmp_path: Path) -> None:
    """It is a list of cases that the entry names."""
    text = refused(ledger(tmp_path, ENTRY | {"may_pass": value}))
    assert "'own-loss' must list cases among those that fail as 'may_pass'; got " in text


def test_an_id_is_used_once(tmp_path: Path) -> None:
    """Also not one of ours, for a report tells entries apart by it."""
    assert " must use every id once; got str 'own-loss'; " in refused(
        ledger(tmp_path, ENTRY, ENTRY | {"subjects": ["numpy"]})
    )
    ours = ENTRY | {"id": KNOWN[0].id}
    with pytest.raises(InputError, match="must use ids of its own; got str"):
        expectations_of("py:own:wrong", ledger(tmp_path, ours))


@pytest.mark.parametrize("name", ["none.json", ".", "a\0b"])
def test_a_file_that_is_not_there_is_refused(name: str) -> None:
    """In one line, too."""
    with pytest.raises(InputError, match="must be a file that can be read; got"):
        read_ledger(name)


# --------------------------------------------------------------------------------- verify --expect


def verify(
    arguments: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:  # fmt: skip
    """What verify prints on standard output and error, on one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    Path("own.py").write_text(OWN, encoding="utf-8")
    assert main(["verify", *arguments.split(), "--only", CASE]) == status
    return " ".join("".join(capsys.readouterr()).split())


@pytest.mark.parametrize(
    ("subject", "change", "status", "text"),
    [
        ("wrong", {}, 0, "1 case and 1 tensor failed as expected"),
        ("wrong", {"subjects": ["numpy", "py:own:other"]}, 1, "does not conform"),
        ("wrong", {"failing": {CASE: {"loss": 1e-9}}}, 1, "explains an error of 1.0e-09, not this"),
        ("wrong", {"failing": {CASE: {"loss": "nan"}}}, 1, "own-loss explains an error of nan"),
        ("wrong", {"failing": {CASE: {"loss": 9e9, "z9": 1}}}, 5,
         f"STALE own-loss: {CASE} z9 does not exist"),
        ("wrong", {"failing": {CASE: {"loss": 9e9}, "mlp/none/float64": {"g": 1}}}, 5,
         "STALE own-loss: mlp/none/float64 g does not exist"),
        ("also_right", {"subjects": ["py:own:also_right"]}, 5,
         f"STALE own-loss: {CASE} loss passes now"),
        ("also_right", {}, 0, "conforms"),
        ("also_right", {"subjects": ["py:own:also_right"], "may_pass": [CASE]}, 0, "conforms"),
        ("wrong", {"may_pass": [CASE]}, 0, "1 case and 1 tensor failed as expected"),
    ],
)  # fmt: skip
def test_a_ledger_of_ones_own(
    subject: str, change: dict[str, Any], status: int, text: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """It excuses what it names, of the subjects that it names; what is stale or unknown: 5."""
    path = ledger(tmp_path, ENTRY | change)
    out = verify(f"py:own:{subject} --expect {path}", status, tmp_path, monkeypatch, capsys)
    assert text in out


def test_a_ledger_that_is_none_judges_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2 and one line."""
    path = ledger(tmp_path, ENTRY | {"why": 1})
    out = verify(f"--expect {path}", 2, tmp_path, monkeypatch, capsys)
    assert out.startswith(
        f"mlp-ref: error: {path!r}: 'own-loss' must have a text as 'why'; got int"
    )


def test_entries_for_other_subjects_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt subject would leave the ledger without effect, in silence."""
    named = (["py:own:worng"], ["torch", "torch_ddp:*"], ["torch"])
    others = [ENTRY | {"id": f"own-{k}", "subjects": each} for k, each in enumerate(named)]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    Path("own.py").write_text(OWN)
    for entries, told in (
        (others, "3 of 3 entries are for other subjects: py:own:worng, torch, torch_ddp:*"),
        ([ENTRY, others[2]], "1 of 2 entries is for other subjects: torch"),
        ([ENTRY], ""),
    ):
        Path("known.json").write_text(json.dumps({"format": 1, "entries": entries}))
        main(["verify", "py:own:wrong", "--only", CASE, "--expect", "known.json"])
        assert capsys.readouterr().err == (f"mlp-ref: 'known.json': {told}\n" if told else "")
