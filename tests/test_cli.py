"""The command line as a whole: help, exit statuses, one-line errors, interruptions."""

from __future__ import annotations

import builtins
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import mlp_ref
from mlp_ref import IDENTITY, MLP, Params, cli
from mlp_ref.cli import main
from mlp_ref.commands import terminal, verify
from mlp_ref.storage import save


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def start(*arguments: str, **options) -> subprocess.Popen[str]:
    """`mlp-ref` in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(mlp_ref.__file__).parent.parent)}
    command = [sys.executable, "-m", "mlp_ref", *arguments]
    return subprocess.Popen(command, env=environment, text=True, **options)


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    """--version names the version, --help every command; both end with 0."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mlp-ref {mlp_ref.__version__}\n"
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for command in ("verify", "train", "predict", "gradcheck"):
        assert f"    {command} " in text or f"    {command}\n" in text
        assert main([command, "--help"]) == 0
        assert f"usage: mlp-ref {command}" in capsys.readouterr().out


def test_the_line_of_a_command_is_how_its_description_begins() -> None:
    """So that --help, which imports no command, says of each what the command says of itself."""
    folder = Path(mlp_ref.__file__).parent / "commands"
    modules = [import_module(f"mlp_ref.commands.{path.stem}") for path in folder.glob("[!_]*.py")]
    found = {
        module.__name__.rpartition(".")[2]: re.split("[,.:]", module.DESCRIPTION)[0]
        for module in modules
        if hasattr(module, "DESCRIPTION")
    }
    assert {name: text.replace("\n", " ") for name, text in found.items()} == cli._COMMANDS


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("", "the following arguments are required: COMMAND; see mlp-ref --help"),
        ("dance", "argument COMMAND: invalid choice: 'dance' (choose from "),
        ("train --lr abc", "argument --lr: invalid float value: 'abc'; see mlp-ref train --help"),
        ("predict", "the following arguments are required: MODEL, DATA; see mlp-ref predict"),
        ("verify --nope", "unrecognized arguments: --nope; see mlp-ref --help"),
    ],
)
def test_usage_errors_take_one_line(
    arguments: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, one line on standard error that names the help, nothing on standard output."""
    assert main(arguments.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"mlp-ref: error: {text}")
    assert err.count("\n") == 1


def test_ctrl_c_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interrupted command ends with 130, as shells report it, and no traceback."""

    def interrupt(args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "run", interrupt)
    assert main(["verify"]) == 130
    assert capsys.readouterr().err == "mlp-ref: error: interrupted\n"


def test_too_little_memory_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Data that do not fit into memory end with 2 and say so."""

    def starve(args: object) -> int:
        raise MemoryError

    monkeypatch.setattr(verify, "run", starve)
    assert main(["verify"]) == 2
    assert capsys.readouterr().err == (
        "mlp-ref: error: data and network must fit into memory; got more; use fewer rows, "
        "narrower layers or --dtype float32\n"
    )


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`mlp-ref verify --list | head -1` ends with 141, as shells report SIGPIPE, in silence."""
    process = start("verify", "--list", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 141


def test_without_rich_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """verify and gradcheck print tables and name the extra; train only goes without its bar."""
    original = builtins.__import__

    def without_rich(name: str, *rest: object, **options: object) -> object:
        if name.partition(".")[0] == "rich":
            raise ImportError(name)
        return original(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without_rich)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    for command in ("verify", "gradcheck"):
        assert main([command]) == 2
        assert capsys.readouterr().err == (
            "mlp-ref: error: tables need rich; got no module rich; pip install 'mlp-ref[gate]'\n"
        )
    assert main(["train", "--epochs", "1", "--hidden", "none"]) == 0
    out, err = capsys.readouterr()
    assert err == "mlp-ref: a progress bar needs rich; pip install 'mlp-ref[gate]'\n"
    assert "model.safetensors holds epoch 1" in out


def test_the_bar_shows_its_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal the bar goes to standard error, counts, and shows what it is told."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with terminal.progress(2, "epoch") as advance:
        advance("loss [1]")
        advance("loss [2]")
    out, err = capsys.readouterr()
    assert out == ""
    assert "epoch" in err
    assert "2/2" in err
    assert "loss [2]" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("command", ["verify --list", "predict"])
def test_a_full_disk_is_one_line(command: str, tmp_path: Path) -> None:
    """What cannot be written is an error of usage, not a verdict, and no traceback."""
    if command == "predict":
        model = MLP((64, 10), (IDENTITY,))
        save(tmp_path / "own.safetensors", model, Params.zeros(model.sizes))
        command = f"predict {tmp_path / 'own.safetensors'} digits"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mlp_ref", *command.split()], stdout=full,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("mlp-ref: error: output must be written; got [Errno 28]")
    assert done.stderr.count("\n") == 1


def test_a_closed_output_is_no_error() -> None:
    """`mlp-ref verify --list >&-` has nowhere to write, and says nothing."""
    script = f"'{sys.executable}' -m mlp_ref verify --list >&-"
    done = subprocess.run(["sh", "-c", script], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
