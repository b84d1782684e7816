"""The fixture of cases and its marker, and what the plugin costs where it is not used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

pytest_plugins = ["pytester"]

OWN = """
import pytest
from mlp_ref.pytest_plugin import assert_within_bound
from mlp_ref.subjects.numpy_subject import run

@pytest.mark.mlp_ref({})
def test_mine(mlp_ref_case):
    assert_within_bound(run(**mlp_ref_case.keywords())["z0"], mlp_ref_case, "z0")
"""
CASE = "mlp/batch-7/relu/squared_error/float32"


def own(pytester: pytest.Pytester, marker: str, *arguments: str) -> pytest.RunResult:
    """Run one test of the user's own, with that marker."""
    pytester.makepyfile(OWN.format(marker))
    return pytester.runpytest_inprocess("--strict-markers", "-p", "no:cacheprovider", *arguments)


@pytest.mark.parametrize(
    ("marker", "options", "count"),
    [
        ('only="mlp/batch-7/*"', "", 20),
        ('only="mlp/batch-7/*", arithmetic="float32"', "", 10),
        ('only="mlp/batch-7/*", arithmetic=["float32", "float64"]', "", 20),
        ("", "--mlp-ref-only=mlp/batch-7/*", 20),
        ("", "--mlp-ref-only=*/batch-7/* --mlp-ref-subject=numpy", 40),
        ('only="*/batch-7/*"', "--mlp-ref-only=*relu* --mlp-ref-arithmetic=float64", 2),
    ],
)
def test_a_test_of_ones_own_runs_once_for_each_case(
    pytester: pytest.Pytester, marker: str, options: str, count: int
) -> None:
    """Marker and options choose; a subject is not needed, and adds its own tests."""
    own(pytester, marker, *options.split()).assert_outcomes(passed=count)


def test_the_id_of_the_case_is_that_of_the_test(pytester: pytest.Pytester) -> None:
    """So that -k and a node id find it."""
    result = own(pytester, f'only="{CASE}"', "-v")
    result.stdout.fnmatch_lines([f"*::test_mine[[]{CASE}] PASSED*"])


def test_nothing_in_common_with_the_options_is_a_skip(pytester: pytest.Pytester) -> None:
    """A run of one case of a subject does not fail tests of others."""
    own(pytester, 'only="*/batch-7/*"', "--mlp-ref-only=*/batch-1/*").assert_outcomes(skipped=1)


@pytest.mark.parametrize(
    ("marker", "error"),
    [
        ('only="mpl/*"', "the marker mlp_ref: only must match the id of a case, such as *"),
        ('arithmetic="half"', "the marker mlp_ref: arithmetic must be one of *; got 'half'; *"),
        ('"mlp/*"', "the marker must read mlp_ref(only=*, arithmetic=*)"),
        ('pattern="mlp/*"', "the marker must read mlp_ref(only=*, arithmetic=*)"),
    ],
)
def test_a_wrong_marker_is_an_error_of_one_line(
    pytester: pytest.Pytester, marker: str, error: str
) -> None:
    """A misspelt pattern does not leave a test without cases."""
    result = own(pytester, marker)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([error])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_failing_assertion_shows_the_entry_and_the_users_line(pytester: pytest.Pytester) -> None:
    """The report stands below the assertion of the user's own test; no frame of the gate does."""
    pytester.makepyfile(OWN.format(f'only="{CASE}"').replace('["z0"]', '["z0"] + 1'))
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*assert_within_bound(run(*",
            f"E*AssertionError: {CASE}",
            "E * z0?*: 21 of 21 entries outside the bound",
            "E * error * = * x the bound *; * ULP, * digits",
            "E * case * an odd number of rows",
        ]
    )
    result.stdout.no_fnmatch_line("*within.py*")


def test_the_fixture_cannot_be_asked_for_late(pytester: pytest.Pytester) -> None:
    """Whoever asks for a case when the test runs is told how."""
    pytester.makepyfile("def test(request):\n    request.getfixturevalue('mlp_ref_case')\n")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["take mlp_ref_case as an argument of the test, or of a fixture"])


# ------------------------------------------------------------------------------------- start-up

ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("COV_", "COVERAGE_", "PYTEST_", "PYTHONDONTWRITEBYTECODE"))
}


def python(folder: Path, *arguments: str) -> str:
    """What an interpreter of its own prints, with cached bytecode."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=ENVIRONMENT, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout


def test_an_unused_plugin_imports_nothing_numeric(tmp_path: Path) -> None:
    """After a run with one test, NumPy and the rest of mlp_ref are not loaded."""
    (tmp_path / "test_modules.py").write_text(
        "import sys\ndef test():\n    ours = [m for m in sys.modules if m.startswith('mlp_ref')]\n"
        "    assert sorted(ours) == ['mlp_ref', 'mlp_ref.pytest_plugin']\n"
        "    assert 'numpy' not in sys.modules\n"
    )
    out = python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_modules.py")
    assert "1 passed" in out


def test_the_import_takes_less_than_ten_milliseconds(tmp_path: Path) -> None:
    """The median CPU time of the import, after that of pytest.

    NumPy alone takes several times as long, so that no import of it could hide.
    """
    program = (
        "import time, pytest\nt = time.process_time()\nimport {}\nprint(time.process_time() - t)"
    )
    costs = {
        name: median(float(python(tmp_path, "-c", program.format(name))) for _ in range(5))
        for name in ("mlp_ref.pytest_plugin", "numpy")
    }
    assert costs["mlp_ref.pytest_plugin"] < 0.01 < costs["numpy"]


@pytest.mark.slow
def test_pytest_starts_as_fast_with_the_plugin(tmp_path: Path) -> None:
    """``pytest --co`` in an empty folder takes as long with the plugin as with it blocked.

    Medians of interleaved CPU times. What NumPy adds is the measure, and a quarter of it allowed:
    on a busy machine even CPU times vary, so that up to eight are taken where three exceed it.
    """
    clock = (
        "import sys, time, pytest\nstatus = pytest.main(['--co', '-q', *sys.argv[1:]])\n"
        "print(status, time.process_time(), sep='\\n')"
    )
    arms = {"with": [], "without": ["-p", "no:mlp_ref"], "numpy": ["-p", "numpy"]}
    times: dict[str, list[float]] = {name: [] for name in arms}
    for rounds in range(1, 9):
        for name, options in arms.items():
            out = python(tmp_path, "-c", clock, *options).split()
            assert out[-2] == "5" or "NO_TESTS" in out[-2]
            times[name].append(float(out[-1]))
        middle = {name: median(taken[rounds > 1 :]) for name, taken in times.items()}
        cost = {name: taken - middle["without"] for name, taken in middle.items()}
        if rounds > 3 and cost["with"] < cost["numpy"] / 4:
            break
    assert cost["with"] < cost["numpy"] / 4, times
