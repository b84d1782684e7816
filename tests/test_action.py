"""The GitHub action: what it declares, and what its shell steps do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import mlp_ref

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "conformance" / "action"
TEXT = (FOLDER / "action.yml").read_text("utf-8")
ACTION: dict[str, Any] = yaml.safe_load(TEXT)
STEPS: dict[str, dict[str, Any]] = {step["name"]: step for step in ACTION["runs"]["steps"]}
SHELL = [step for step in STEPS.values() if "run" in step]
PAGE = (ROOT / "docs" / "how-to" / "gate-in-ci.md").read_text("utf-8")
WORKFLOWS = re.findall(r"^```yaml \S+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("text", [TEXT, *WORKFLOWS], ids=lambda text: text.split("\n")[0])
def test_everything_used_is_pinned(text: str) -> None:
    """Each action stands with the 40 digits of a commit and, for the reader, its version."""
    for line in re.findall(r"^ +(?:- )?uses: (.*)$", text, re.MULTILINE):
        assert re.fullmatch(
            r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+"
            r"|OWNER/mlp_ref/conformance/action@FULL_COMMIT_SHA",
            line,
        )


def test_no_input_is_run() -> None:
    """Shell steps name their shell, and hold no template: inputs are variables of theirs."""
    assert len(SHELL) == 3
    assert {step["shell"] for step in SHELL} == {"bash"}
    assert not [step for step in SHELL if "${{" in step["run"] or "eval" in step["run"]]


def test_every_variable_of_a_step_is_used_in_it() -> None:
    """No variable is set in vain."""
    for step in SHELL:
        assert not [name for name in step.get("env", {}) if f"${name}" not in step["run"]]


@pytest.mark.parametrize("name", ACTION["inputs"])
def test_every_input_is_used_and_documented(name: str) -> None:
    """It has a description, a default or a duty, a use, and a line in the page."""
    declared = ACTION["inputs"][name]
    assert declared["description"]
    assert ("default" in declared) != declared.get("required", False)
    assert f"${{{{ inputs.{name} }}}}" in TEXT
    assert re.search(rf"^\| `{name}` \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("command", ["verify", "compare"])
def test_every_option_exists(command: str) -> None:
    """What the action passes, and what its inputs suggest, is known to the command."""
    shown = subprocess.run(
        [sys.executable, "-m", "mlp_ref", command, "--help"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    other = "compare-options" if command == "compare" else "options"
    calls = "".join(step["run"] for step in SHELL if f"mlp-ref {command}" in step["run"])
    used = re.findall(r"--[a-z][a-z-]+", calls + ACTION["inputs"][other]["description"])
    assert used
    assert not {*used} - {*re.findall(r"--[a-z][a-z-]+", shown)}


class Runner:
    """Runs the shell steps of the action as GitHub does, with the files that it provides."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outputs: dict[str, str] = {}
        (folder / "runner").mkdir()
        self.files = {
            "GITHUB_OUTPUT": folder / "runner" / "output",
            "GITHUB_STEP_SUMMARY": folder / "runner" / "summary.md",
        }

    @property
    def summary(self) -> str:
        """The job summary."""
        return self.files["GITHUB_STEP_SUMMARY"].read_text("utf-8")

    def step(self, name: str, inputs: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run one step; what it writes into GITHUB_OUTPUT is known to the next."""
        given = {key: str(x.get("default", "")) for key, x in ACTION["inputs"].items()} | inputs

        def value(match: re.Match[str]) -> str:
            kind, key = match[1], match[2]
            return given[key] if kind == "inputs" else self.outputs[key]

        def filled(text: str) -> str:
            return re.sub(r"\$\{\{ (inputs|steps\.verify\.outputs)\.([\w-]+) \}\}", value, text)

        step = STEPS[name]
        script = self.folder / "runner" / "script.sh"
        script.write_text(step["run"], "utf-8")
        programs = str(Path(sys.executable).parent)
        environment = {
            **os.environ,
            **{key: filled(text) for key, text in step.get("env", {}).items()},
            **{key: str(path) for key, path in self.files.items()},
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "RUNNER_TEMP": str(self.folder / "runner"),
            "GITHUB_ACTION_PATH": str(FOLDER),
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.folder / filled(step.get("working-directory", ".")),
            env=environment, check=False, capture_output=True, text=True,
        )  # fmt: skip
        output = self.files["GITHUB_OUTPUT"]
        lines = output.read_text("utf-8").splitlines() if output.exists() else []
        self.outputs = dict(line.split("=", 1) for line in lines)
        return done


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """A job in an empty folder."""
    return Runner(tmp_path)


ONE = {"subject": "numpy", "only": "softmax/row-maxima/*", "require": "2"}


def test_a_subject_that_conforms(runner: Runner) -> None:
    """The step passes, tells its status, and leaves every report and a summary."""
    done = runner.step("Verify", ONE)
    assert (done.returncode, runner.outputs["status"]) == (0, "0"), done.stderr
    reports = Path(runner.outputs["reports"])
    assert {path.name for path in reports.iterdir()} == {
        "report.jsonl", "junit.xml", "report.html",
    }  # fmt: skip
    assert "numpy" in runner.summary


WRONG = """\
class Ops:
    arithmetics = ("float64",)

    @staticmethod
    def softmax(*, x, g):
        return {"y": x * 0, "dx": x * 0}
"""


def test_a_subject_that_does_not(runner: Runner) -> None:
    """The step fails with the status of the command, and the reports are there all the same."""
    (runner.folder / "deep").mkdir()
    (runner.folder / "deep" / "mine.py").write_text(WRONG)
    inputs = {"subject": "py:mine:Ops", "require": "1", "working-directory": "deep"}
    done = runner.step("Verify", ONE | inputs)
    assert (done.returncode, runner.outputs["status"]) == (1, "1"), done.stderr
    assert len([*Path(runner.outputs["reports"]).iterdir()]) == 3
    assert "softmax/row-maxima/float64" in runner.summary


def test_too_few_cases(runner: Runner) -> None:
    """--require reaches the command."""
    assert runner.step("Verify", ONE | {"require": "3"}).returncode == 3


def test_require_must_be_given(runner: Runner) -> None:
    """Without it the action is no gate: GitHub itself does not insist."""
    done = runner.step("Verify", ONE | {"require": ""})
    assert (done.returncode, runner.outputs["status"]) == (2, "2")


@pytest.mark.parametrize(
    ("inputs", "ids"),
    [
        ({"arithmetic": "float32"}, ["softmax/row-maxima/float32"]),
        (
            {"arithmetic": "float32 float64"},
            ["softmax/row-maxima/float64", "softmax/row-maxima/float32"],
        ),
        ({"options": "--timeout 10\n--shard 1/2\n"}, ["softmax/row-maxima/float64"]),
        ({"only": "softmax/*-maxima/float32"}, ["softmax/row-maxima/float32"]),
    ],
)
def test_inputs_reach_the_command(runner: Runner, inputs: dict[str, str], ids: list[str]) -> None:
    """Lists are split at blanks and line ends, patterns are left as they are."""
    inputs = ONE | inputs
    inputs["options"] = f"--list {inputs.get('options', '')}"
    assert runner.step("Verify", inputs).stdout.split() == ids


@pytest.mark.parametrize("name", ["subject", "only", "options", "arithmetic", "require"])
def test_inputs_are_never_run(runner: Runner, name: str) -> None:
    """Whatever an input holds, the shell does not obey it."""
    hostile = "\"; touch pwned; $(touch pwned) `touch pwned` ' #"
    assert runner.step("Verify", ONE | {name: hostile}).returncode == 2
    assert not [*runner.folder.rglob("pwned")]


def test_a_subject_is_no_option(runner: Runner) -> None:
    """A subject that looks like one is refused."""
    assert runner.step("Verify", ONE | {"subject": "--list"}).returncode == 2


@pytest.mark.parametrize(
    ("head", "status", "says"),
    [({}, 0, "PASS"), ({"only": "softmax/row-maxima/float32", "require": "1"}, 1, "WORSE")],
)
def test_the_baseline(runner: Runner, head: dict[str, str], status: int, says: str) -> None:
    """Nothing worse passes, and what vanished fails, with the comparison in the summary."""
    assert runner.step("Verify", ONE).returncode == 0
    Path(runner.outputs["reports"], "report.jsonl").rename(runner.folder / "base.jsonl")
    assert runner.step("Verify", ONE | head).returncode == 0
    inputs = ONE | {"baseline": "base.jsonl", "compare-options": "--no-new-skip\n"}
    done = runner.step("Compare with the baseline", inputs)
    assert done.returncode == status, done.stdout + done.stderr
    assert f"\n{says}  " in done.stdout
    assert done.stdout in runner.summary


def test_the_installation(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip would install the package of this repository, as it is, with what the gate needs."""
    report = runner.folder / "installed.json"
    monkeypatch.setenv("PIP_REPORT", str(report))
    for name in ("PIP_DRY_RUN", "PIP_NO_DEPS", "PIP_IGNORE_INSTALLED"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # which switches it off
    done = runner.step("Install mlp-ref", {})
    assert done.returncode == 0, done.stderr
    (package,) = json.loads(report.read_text("utf-8"))["install"]
    assert package["download_info"]["url"] == ROOT.as_uri()
    assert package["metadata"]["version"] == mlp_ref.__version__
    assert package["requested_extras"] == ["gate"]
