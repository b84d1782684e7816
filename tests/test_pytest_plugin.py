"""The pytest plugin: cases as tests, their outcomes and reports, options, and its own fixture."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from mlp_ref.corpus import find
from mlp_ref.gate.expectations import Expectation

pytest_plugins = ["pytester"]

Run = Callable[..., pytest.RunResult]

OWN = """
from mlp_ref.subjects.numpy_subject import run as right

def summed(**case):
    answer = dict(right(**case))
    return answer | {"db0": answer["db0"] * len(case["x"]), "dx": -answer["dx"]}

def some(**case):
    if case["loss"] != "cross_entropy":
        raise NotImplementedError("cross-entropy only")
    if "gelu" in case["activations"]:
        raise RuntimeError("no such\\nkernel")
    return right(**case)

def lazy(**case):
    raise NotImplementedError("later")

def only64(**case):
    return right(**case)

only64.arithmetics = ("float64",)

def of_half(**case):
    return right(**case)

of_half.arithmetics = ("float16",)
"""
BATCH = "mlp/batch-7/softplus/"  # binary_cross_entropy/float64 and squared_error/float32
CASE = f"{BATCH}squared_error/float32"
XFAIL_TB = ["--xfail-tb"] if pytest.version_tuple >= (8, 3) else []  # before, -rx implied it


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest in a folder with subjects and one test of the user's own, in this process."""
    for name in ("CI", "BUILD_NUMBER"):  # where pytest prints whole failures in its summary
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(own=OWN, test_own="def test_own():\n    pass\n")
    return lambda *arguments: pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


def judge(run: Run, name: str, *arguments: str) -> pytest.RunResult:
    """Judge a subject of that file on the two softplus networks of a batch."""
    return run(f"--mlp-ref-subject=py:own:{name}", f"--mlp-ref-only={BATCH}*", *arguments)


# --------------------------------------------------------------------------------------- outcomes


def test_every_case_is_a_test_beside_the_users_own(run: Run) -> None:
    """The reference passes all of its cases, which pytest counts and names as tests."""
    result = run("--mlp-ref-subject=numpy", "--mlp-ref-only=mlp/batch-7/*", "-v")
    result.assert_outcomes(passed=21)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["*collected 21 items", "test_own.py::test_own PASSED*", f"mlp_ref::{CASE} PASSED*"]
    )


def test_without_an_option_nothing_is_collected(run: Run) -> None:
    """The plugin leaves a session alone in which nothing is to be judged."""
    run().assert_outcomes(passed=1)


def test_a_failure_is_a_report_and_no_traceback(run: Run) -> None:
    """Tensor, entry, numbers, bound, ULP, digits, the others, the hint and the note; no code."""
    result = judge(run, "summed", "-k", "float32")
    result.assert_outcomes(failed=1)
    assert result.ret == 1
    result.stdout.re_match_lines(
        [
            rf"_+ {CASE} _+$",
            r"db0\[\d+\]: \d+ of \d+ entries outside the bound$",
            r"got        -?\d\.\d+(e-\d+)?$",
            r"expected   -?\d\.\d+(e-\d+)?$",
            r"error      \S+ = \S+ x the bound \S+; \S+ ULP, 0\.0 digits$",
            r"wrong too  dx$",
            r"hint       db0 is 7 times the reference: summed over the 7 rows, not averaged\.$",
            r"case       an odd number of rows$",
            r"=+ short test summary info =+$",
            rf"FAILED mlp_ref::{CASE} - .*db0",
        ],
        consecutive=True,
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*.py:*")


def test_skips_and_errors_have_the_reason_of_the_subject(run: Run) -> None:
    """What is not implemented is skipped; what is raised fails, with its place, in two lines."""
    only = "--mlp-ref-only=mlp/batch-7/*elu*"
    result = run("--mlp-ref-subject=py:own:some", only, "-rs")
    result.assert_outcomes(passed=3, skipped=7, failed=1)
    result.stdout.fnmatch_lines(["SKIPPED [[]7] *: not implemented: cross-entropy only"])
    result.stdout.re_match_lines(
        [
            r"error      RuntimeError: no such kernel \(own\.py, line 11\)$",
            r"case       an odd number of rows$",
        ]
    )


def known(most: float) -> Expectation:
    """An expectation about the file's own subject."""
    failing = {CASE: {"db0": most, "dx": most}}
    return Expectation("own-known", ("py:own:summed",), "1", "1 of 1", "Rows are summed.", failing)


def expect(monkeypatch: pytest.MonkeyPatch, known: Expectation) -> None:
    """Make it the only entry of all ledgers."""
    monkeypatch.setattr("mlp_ref.gate.ledger.known_expectations", lambda: (known,))


def test_what_fails_as_expected_is_an_xfail(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id and its cause are the reason; --runxfail shows the failure."""
    expect(monkeypatch, known(1e3))
    result = judge(run, "summed", "-k", "float32", "-rx", *XFAIL_TB)
    result.assert_outcomes(xfailed=1)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["db0?*: * entries outside the bound"])
    result.stdout.no_fnmatch_line("*.py:*")
    result.stdout.fnmatch_lines([f"XFAIL mlp_ref::{CASE} - *own-known: Rows are summed."])
    failed = judge(run, "summed", "-k", "float32", "--runxfail")
    failed.assert_outcomes(failed=1)
    failed.stdout.fnmatch_lines(["db0?*: * entries outside the bound"])


def test_a_larger_failure_than_expected_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """An expectation excuses the deviation that was measured, and says if it is not that one."""
    expect(monkeypatch, known(1e-9))
    result = judge(run, "summed", "-k", "float32")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["hint       own-known explains an error of 1.0e-09, not this*"])


def test_a_stale_expectation_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is expected to fail and passes is a failure of its case, as with xfail_strict."""
    stale = Expectation("own-old", ("numpy",), "1", "1 of 1", "Gone.", {CASE: {"z0": 1.0}})
    expect(monkeypatch, stale)
    result = run("--mlp-ref-subject=numpy", f"--mlp-ref-only={CASE}")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([f"STALE own-old: {CASE} z0 passes now"])


def test_junit_has_case_error_and_bound(run: Run, pytester: pytest.Pytester) -> None:
    """Every test case bears its numbers as properties."""
    judge(run, "summed", "--junitxml=out.xml", "-k", "mlp_ref")
    cases = ET.parse(pytester.path / "out.xml").iter("testcase")
    case = {c.attrib["name"]: c for c in cases}[CASE]
    found = {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
    assert found.pop("tensor").startswith(("db0[", "dx["))
    assert float(found["error"]) / float(found["bound"]) == float(found["error/bound"]) > 1
    assert found.items() >= {"case": CASE, "arithmetic": "float32", "verdict": "fail"}.items()
    assert "outside the bound" in case.find("failure").attrib["message"]


# ---------------------------------------------------------------------------------------- options


def test_items_are_selected_listed_and_stopped_at(run: Run) -> None:
    """-k, --co, -q and -x do with cases what they do with any test."""
    listed = judge(run, "summed", "--co", "-q")
    assert listed.outlines[:3] == [
        "test_own.py::test_own", f"mlp_ref::{BATCH}binary_cross_entropy/float64", f"mlp_ref::{CASE}"
    ]  # fmt: skip
    assert listed.ret == 0
    judge(run, "summed", "-k", "not mlp_ref").assert_outcomes(passed=1, deselected=2)
    judge(run, "summed", "-x").assert_outcomes(passed=1, failed=1)


def test_options_may_stand_in_the_configuration(run: Run, pytester: pytest.Pytester) -> None:
    """A folder in it is relative to the file; the command line goes before it."""
    shutil.copytree(find(), pytester.path / "vectors")
    pytester.makeini(
        "[pytest]\nmlp_ref_subject = py:own:only64\nmlp_ref_only = mlp/batch-7/*\n"
        "mlp_ref_vectors = vectors\nmlp_ref_require = 10\nmlp_ref_arithmetic = float64\n"
    )
    pytester.mkdir("below")
    os.chdir("below")
    run("--rootdir=..", "-p", "no:python", "--mlp-ref-subject=numpy").assert_outcomes(passed=10)
    os.chdir("..")
    run().assert_outcomes(passed=11)
    run("--mlp-ref-subject=").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("subject=nompy", "a subject other than py:module:object, * one of numpy, torch, *"),
        ("subject=py:own:nothing", "module 'own' must have an object 'nothing'; got no such name*"),
        (
            "subject=py:own:of_half",
            "py:own:of_half must declare an arithmetic * of the cases; got float16, mlp; *",
        ),
        ("subject=numpy arithmetic=half", "--mlp-ref-arithmetic must be one of *; got 'half'; *"),
        (
            "subject=py:own:only64 arithmetic=float32",
            "--mlp-ref-arithmetic must be one of float64*",
        ),
        ("subject=numpy only=mpl/*", "--mlp-ref-only must match the id of a case, *'mpl/[*]'; *"),
        ("subject=numpy require=0", "--mlp-ref-require must be a whole number from 1; got '0'; *"),
        ("subject=numpy require=-1", "--mlp-ref-require must be a whole number from 1; *"),
        ("require=2", "--mlp-ref-require needs --mlp-ref-subject"),
        (
            "subject=numpy vectors=none",
            "'none' must be the folder of a corpus, with MANIFEST.json*",
        ),
    ],
)
def test_a_wrong_option_is_a_usage_error_of_one_line(run: Run, arguments: str, error: str) -> None:
    """Nothing is collected, and the exit status is that of a wrong command line."""
    result = run(*(f"--mlp-ref-{argument}" for argument in arguments.split()))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {error}"])
    assert len([line for line in result.errlines if line]) == 1
    assert result.outlines == []


def test_damaged_or_foreign_vectors_judge_nothing(run: Run, pytester: pytest.Pytester) -> None:
    """An edited number is noticed by its digest; so is that no case is of a known operation."""
    damaged = shutil.copytree(find(), pytester.path / "damaged")
    (damaged / "mlp.json").write_bytes((damaged / "mlp.json").read_bytes().replace(b"3f", b"3e", 1))
    result = run("--mlp-ref-subject=numpy", "--mlp-ref-vectors=damaged")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: 'damaged/mlp.json' *; fetch the corpus again*"])
    from mlp_ref.corpus import load, write

    (pytester.path / "other").mkdir()
    write(pytester.path / "other", "own", load("softmax").records[:1])
    result = run("--mlp-ref-subject=py:own:lazy", "--mlp-ref-vectors=other")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: py:own:lazy must declare * operation of the cases; got float32, float64, mlp; *"]
    )
    run("--mlp-ref-subject=numpy", "--mlp-ref-vectors=other").assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("arguments", "few"),
    [
        ("summed --mlp-ref-require=2", ""),
        ("only64 --mlp-ref-require=1", ""),
        ("only64 --mlp-ref-require=2", "cases judged: 1; required: 2"),
        ("lazy", "cases judged: 0; required: 1"),
        ("lazy -k own", ""),
        ("only64 --mlp-ref-require=1 -k test_own", "cases judged: 0; required: 1"),
        ("only64 --mlp-ref-require=2 --co", ""),
    ],
)
def test_too_few_cases_fail_the_session(run: Run, arguments: str, few: str) -> None:
    """Skipped and deselected cases prove nothing; what is only listed is not asked."""
    name, *options = arguments.split()
    result = judge(run, name, *options)
    assert result.ret == (1 if few or name == "summed" else 0)
    assert [line for line in result.outlines if line.startswith("cases judged")] == [few] * bool(
        few
    )
