"""``mlp-ref verify``: exit statuses, options, files; what the reports say is tested with them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mlp_ref.cli import main
from mlp_ref.corpus import load
from mlp_ref.gate.expectations import Expectation

SUBJECT = """
import numpy as np

from mlp_ref.subjects.numpy_subject import run as right

def wrong(**case):
    tensors = dict(right(**case))
    tensors["db0"] = tensors["db0"] * len(case["x"])
    return tensors

def crashing(**case):
    if "gelu" in case["activations"]:
        raise RuntimeError("no such\\nkernel")
    return right(**case)

def lazy(**case):
    raise NotImplementedError("later")

def only64(**case):
    return right(**case)

only64.arithmetics = ("float64",)

def of_half(arithmetic, weights, biases, x, target, **case):
    weights, biases = ([a.astype("f8") for a in arrays] for arrays in (weights, biases))
    target = target if target.dtype == "i8" else target.astype("f8")
    answer = right(weights=weights, biases=biases, x=x.astype("f8"), target=target, **case)
    return {name: np.asarray(a).astype("f2") for name, a in answer.items()}

of_half.arithmetics = ("float16",)

class dense_only:
    operations = ("dense",)

    @staticmethod
    def dense(x, W, b, g):
        return {"z": x @ W + b, "dW": x.T @ g, "db": g.sum(axis=0), "dx": g @ W.T}

def nan(**case):
    return {name: tensor * float("nan") for name, tensor in right(**case).items()}

def changes(**case):
    answer = right(**case)
    case["x"] *= 2
    return answer
"""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    Path("own.py").write_text(SUBJECT, encoding="utf-8")
    yield
    sys.modules.pop("own", None)


def verify(arguments: str, status: int, capsys: pytest.CaptureFixture[str]) -> str:
    """What verify prints; its exit status is as stated."""
    assert main(["verify", *arguments.split()]) == status
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_the_reference_conforms(capsys: pytest.CaptureFixture[str]) -> None:
    """The main job: NumPy passes every case of the corpus, those of wrong inputs included."""
    out = verify("", 0, capsys)
    records = load().records
    assert "PASS  numpy" in out
    for name in ("float64", "float32"):
        own = sum(record.arithmetic == name for record in records)
        assert f"{name}, {own} cases" in out
    n = f"{len(records):,}"
    assert f"\n  {n} cases:   pass {n}   fail 0   error 0   skip 0\n" in out
    for operation in {record.operation for record in records} - {"mlp"}:
        assert f"\n{operation} " in out


def test_a_wrong_subject_does_not_conform(capsys: pytest.CaptureFixture[str]) -> None:
    """A gradient that is summed where the loss is averaged ends with 1, and is named."""
    out = " ".join(verify("py:own:wrong --only */digits-16-6-10/tanh/*", 1, capsys).split())
    assert "FAIL py:own:wrong does not conform" in out
    assert "db0 is 3 times the reference: summed over the 3 rows" in out


def test_a_crash_ends_its_case_only(capsys: pytest.CaptureFixture[str]) -> None:
    """Cases that raise are errors with their reason in one line; all others are judged."""
    out = verify("py:own:crashing --only mlp/batch-7/*/float64", 1, capsys)
    assert "pass 9   fail 0   error 1   skip 0" in out
    assert "RuntimeError: no such kernel" in out


def test_nan_everywhere_is_no_pass(capsys: pytest.CaptureFixture[str]) -> None:
    """Not one tensor passes; how many are wrong is counted, and NaN is named."""
    out = verify("py:own:nan --only mlp/batch-7/*", 1, capsys)
    assert "20 cases:   pass 0   fail 20   error 0" in out
    assert "tensors: pass 0   fail " in out
    assert "NaN" in out


def test_changed_inputs_are_errors(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where the subject is in a process of its own, and cannot spoil those of the gate."""
    out = verify("py:own:changes --only mlp/batch-7/*", 1, capsys)
    assert "20 cases:   pass 0   fail 0   error 20" in out
    assert "the subject changed its argument 'x' in place; copy it first" in " ".join(out.split())


def test_a_subject_is_asked_what_it_declares(capsys: pytest.CaptureFixture[str]) -> None:
    """Its operations and no other, which the report says; what it does not check is skipped."""
    out = verify("py:own:dense_only --jsonl out.jsonl", 0, capsys)
    dense = load("dense").records
    wrong = sum(bool(record.rejects) for record in dense)
    right = len(dense) - wrong
    assert f"{len(dense)} cases:   pass {right}   fail 0   error 0   skip {wrong}" in out
    assert "not declared by the subject: activation, softmax, " in out
    assert "wrong in a way that the subject does not claim to check" in " ".join(out.split())
    header, *_ = map(json.loads, Path("out.jsonl").read_text().splitlines())
    assert (header["operations"], header["cases"]) == (["dense"], len(dense))


def test_too_few_cases(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing judged is no pass: 3, also where fewer cases were judged than --require asks."""
    assert "later" in verify("py:own:lazy --only mlp/batch-7/*", 3, capsys)
    verify("--only mlp/batch-7/* --require 21", 3, capsys)
    verify("--only mlp/batch-7/* --require 20", 0, capsys)


def test_a_stale_expectation(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An expected failure that passes ends with 5, and is named."""
    case = "mlp/batch-7/gelu/cross_entropy/float64"
    expect(monkeypatch, {case: {"loss": 1.0}})
    out = verify("--only mlp/batch-7/*", 5, capsys)
    assert f"STALE known: {case} loss passes now" in " ".join(out.split())
    assert "STALE" not in verify("--only mlp/batch-1/*", 0, capsys)


@pytest.mark.parametrize(
    ("name", "tensor"),
    [("no-such-case/float32", "loss"), ("mlp/batch-7/gelu/cross_entropy/float64", "z9")],
)
def test_an_expectation_of_nothing(
    name: str, tensor: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An id or a tensor that does not exist ends with 5, whichever cases are run."""
    expect(monkeypatch, {name: {tensor: 1.0}})
    out = verify("--only mlp/batch-1/* --jsonl out.jsonl", 5, capsys)
    assert f"STALE known: {name} {tensor} does not exist" in " ".join(out.split())
    *_, summary = map(json.loads, Path("out.jsonl").read_text().splitlines())
    assert (summary["status"], summary["unknown"]) == (5, {"known": [f"{name} {tensor}"]})
    expect(monkeypatch, {"mlp/batch-7/gelu/cross_entropy/float64": {"loss": 1.0}})
    verify("--only mlp/batch-1/*", 0, capsys)


def expect(monkeypatch: pytest.MonkeyPatch, failing: dict[str, dict[str, float]]) -> None:
    """Expect that of every subject."""
    known = Expectation("known", ("numpy",), "numpy 1", "1", "because.", failing)
    monkeypatch.setattr("mlp_ref.gate.ledger.known_expectations", lambda: (known,))


def test_a_subject_chooses_its_arithmetic(capsys: pytest.CaptureFixture[str]) -> None:
    """Declared float64 only, a subject is asked in float64 only."""
    out = verify("py:own:only64 --only mlp/batch-7/*", 0, capsys)
    assert "float64, 10 cases" in out
    assert "float32" not in out


def test_a_narrow_arithmetic_is_asked_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Declared float16 only, a subject is asked the cases of float32 that float16 can ask."""
    out = verify("py:own:of_half --list", 0, capsys).split()
    assert {case.rpartition("/")[2] for case in out} == {"float16"}
    judged = verify(f"py:own:of_half --only {out[0]}", 0, capsys)
    assert "float16, 1 case" in judged
    assert f"float16: {len(out)} of " in judged


def test_the_arithmetic_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    """--arithmetic limits the run, and may be repeated."""
    assert "float64" not in verify(
        "py:own:right --arithmetic float32 --only mlp/batch-7/*", 0, capsys
    )
    both = "py:own:right --arithmetic float64 --arithmetic float32 --only mlp/batch-7/*"
    assert "pass 20" in verify(both, 0, capsys)


def test_the_cases_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """--list prints the ids, one a line, judges nothing, and --only filters it."""
    everything = verify("--list", 0, capsys).splitlines()
    chosen = verify("--list --only *softplus*", 0, capsys).splitlines()
    assert chosen == [case for case in everything if "softplus" in case]
    assert len(set(everything)) == len(everything) > 100 > len(chosen) > 10


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """--jsonl writes a header, a line per tensor, and the summary with the exit status."""
    verify("py:own:wrong --jsonl out.jsonl --only mlp/batch-7/tanh/*", 1, capsys)
    header, *results, summary = map(json.loads, Path("out.jsonl").read_text().splitlines())
    assert (header["kind"], header["subject"], header["cases"]) == ("header", "py:own:wrong", 2)
    corpus = load("mlp")
    assert (header["corpus"], header["corpus_sha256"]) == (corpus.version, corpus.sha256)
    assert {r["tensor"] for r in results if r["verdict"] == "fail"} == {"db0"}
    assert (summary["kind"], summary["status"], summary["cases"]["fail"]) == ("summary", 1, 2)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            "nope",
            "a subject other than py:module:object, so:library, cmd:program and files:folder must",
        ),
        ("numpy:fast", "the subject numpy has no variants; got 'fast'; write numpy"),
        ("py:own", "a Python subject must read py:module:object; got 'py:own'; "),
        ("py:nope:run", "module 'nope' must exist; got no module 'nope' in this folder or on the"),
        ("py:own:nope", "module 'own' must have an object 'nope'; got no such name; "),
        ("--arithmetic float65", "--arithmetic must be one of float64, float32, tf32, "),
        (
            "py:own:only64 --arithmetic float32",
            "--arithmetic must be one that py:own:only64 declares: float64; got 'float32'; leave",
        ),
        (
            "--arithmetic float16",
            "--arithmetic must be one that numpy declares: float32, float64; got 'float16'; leave",
        ),
        ("--jobs 0", "--jobs must be 1 or more; got 0; "),
        ("--jobs 2 files:x", "--jobs must be 1 where answers are read from files; got 2; "),
        ("--timeout 0", "--timeout must be a positive number of seconds; got 0.0; "),
        ("--timeout nan", "--timeout must be a positive number of seconds; got nan; "),
        ("cmd:", "a subject must name a program or folder; got 'cmd:'; "),
        ("cmd:./none", "cmd:./none must be a program that can be started; got "),
        ("files:none", "'none/questions.json' must be a file that can be read; got "),
        ("--expect none", "'none' must be a file that can be read; got 'No such file"),
        (
            "--shard 4/3",
            "--shard must be K/N with 1 <= K <= N; got '4/3'; write, for instance, 1/4",
        ),
        ("--shard 0/3", "--shard must be K/N with 1 <= K <= N; got '0/3'; "),
        ("--shard 1", "--shard must be K/N with 1 <= K <= N; got '1'; "),
        ("--shard 1/3x", "--shard must be K/N with 1 <= K <= N; got '1/3x'; "),
        ("--resume", "--resume must come with --jsonl FILE; got None; name the report"),
        ("--resume --jsonl /dev/null", "--resume must come with --jsonl FILE; got '/dev/null'; "),
        ("--only nope", "--only must match the id of a case, such as activation/moderate"),
        ("--require x", "argument --require: invalid int value: 'x'; see mlp-ref verify --help"),
        ("--require 0", "--require must be 1 or more; got 0; a run that judged nothing proves "),
        ("--require -3", "--require must be 1 or more; got -3; a run that judged nothing proves "),
        (
            "--only mlp/batch-1/* --jsonl no/x",
            "'no/x' must be a file that can be written; got 'No suc",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(
    arguments: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The invariant, what arrived, the remedy; status 2, nothing judged."""
    assert main(["verify", *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"mlp-ref: error: {text}")
    assert err.count("\n") == 1
