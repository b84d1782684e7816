"""``mlp-ref train``: what it reaches, what it writes, how it goes on, what it refuses."""

from __future__ import annotations

import re
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from time import monotonic, process_time, sleep

import numpy as np
import pytest
from test_cli import start

from mlp_ref import training
from mlp_ref.cli import main
from mlp_ref.commands import train
from mlp_ref.commands.checkpoint import read_checkpoint
from mlp_ref.storage import load

QUICK = ["--hidden", "8", "--epochs", "3"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def bytes_of(*names: str) -> list[bytes]:
    """The content of files."""
    return [Path(name).read_bytes() for name in names]


def error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a refused command writes; nothing else is left behind."""
    before = sorted(Path().iterdir())
    assert main(["train", *arguments]) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert sorted(Path().iterdir()) == before
    return text.removeprefix("mlp-ref: error: ").rstrip()


@pytest.mark.slow
def test_the_defaults_reach_97_percent_on_held_out_digits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With no option at all: a fifth held out, at least 97 % of it right, in under 10 s."""
    begin = process_time()
    assert main(["train"]) == 0
    seconds = process_time() - begin
    out = capsys.readouterr().out.splitlines()
    assert out[0] == ("digits: 1,438 rows to train on, 359 held out; network 64-128-64-10, float64")
    accuracy = re.fullmatch(r"loss .*, accuracy .* %; held out: loss .*, accuracy (.*) %", out[1])
    assert float(accuracy[1]) >= 97
    assert out[2] == (
        "model.safetensors holds epoch 60; "
        "go on with mlp-ref train --resume model.safetensors.checkpoint --epochs 120"
    )
    assert len(out) == 3
    assert seconds < 10


def test_equal_seeds_give_equal_files(capsys: pytest.CaptureFixture[str]) -> None:
    """The same command twice gives the same bytes of the model; another seed gives others."""
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(["train", *QUICK, "--seed", seed, "-o", f"{name}.safetensors"]) == 0
    a, b, c = bytes_of("a.safetensors", "b.safetensors", "c.safetensors")
    assert a == b != c


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adamw"])
@pytest.mark.parametrize("patience", [[], ["--patience", "2"]])
def test_resuming_gives_the_same_bits(
    optimizer: str, patience: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two epochs and then up to seven give the bits of seven epochs in one go."""
    options = ["--hidden", "8", "--optimizer", optimizer, "--lr", "0.05", *patience]
    assert main(["train", *options, "--epochs", "7", "-o", "whole.safetensors"]) == 0
    assert main(["train", *options, "--epochs", "2", "-o", "parts.safetensors"]) == 0
    assert main(["train", "--resume", "parts.safetensors.checkpoint", "--epochs", "7"]) == 0
    assert "on from epoch 2" in capsys.readouterr().out
    whole, parts = bytes_of("whole.safetensors", "parts.safetensors")
    assert whole == parts
    seconds = {"seconds": 0.0}
    ends = [read_checkpoint(f"{name}.safetensors.checkpoint") for name in ("whole", "parts")]
    first, second = (
        (*[p.flat.tobytes() for p in (c.last.params, c.best.params, *c.last.state.moments)],
         c.last.state.t, c.last.rng_state, c.last.record._replace(**seconds),
         c.best.record._replace(**seconds), c.settings, c.data)
        for c in ends
    )  # fmt: skip
    assert first == second


def test_patience_keeps_the_best_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    """A rate that is too high stops early, and the model is that of the lowest held-out loss."""
    options = ["--hidden", "8", "--lr", "0.3", "--patience", "3", "--epochs", "200"]
    assert main(["train", *options]) == 0
    found = read_checkpoint("model.safetensors.checkpoint")
    assert found.best.record.epoch == found.last.record.epoch - 3 < 197
    stored = load("model.safetensors")
    assert stored.metadata["epoch"] == found.best.record.epoch
    assert np.array_equal(stored.params.flat, found.best.params.flat)


class Interrupted:
    """A clock that presses Ctrl-C when it is read for the k-th time."""

    def __init__(self, k: int) -> None:
        self.left = k

    def __call__(self) -> float:
        """The time, or the interruption."""
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return monotonic()


def test_ctrl_c_keeps_the_last_good_epoch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Interrupted in its third epoch, training leaves the second, and goes on from it."""
    assert main(["train", *QUICK, "-o", "whole.safetensors"]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(training, "perf_counter", Interrupted(6))  # two readings an epoch
        assert main(["train", *QUICK]) == 130
    assert capsys.readouterr().err == (
        "mlp-ref: error: interrupted; model.safetensors holds epoch 2; "
        "go on with mlp-ref train --resume model.safetensors.checkpoint --epochs 3\n"
    )
    assert main(["train", "--resume", "model.safetensors.checkpoint", "--epochs", "3"]) == 0
    whole, resumed = bytes_of("whole.safetensors", "model.safetensors")
    assert whole == resumed


def test_ctrl_c_in_the_first_epoch_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first epoch is done there is nothing to keep, and the message says so."""
    monkeypatch.setattr(training, "perf_counter", Interrupted(1))
    assert main(["train", *QUICK]) == 130
    assert capsys.readouterr().err == (
        "mlp-ref: error: interrupted; no epoch was completed, nothing was written\n"
    )
    assert not list(Path().iterdir())


@pytest.mark.slow
def test_a_real_signal_and_a_killed_process() -> None:
    """SIGINT leaves the last epoch and status 130; SIGKILL leaves files that are whole."""
    for stop, status in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        process = start(
            "train", "--epochs", "1000000", "--hidden", "8", stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A shell that runs the tests in the background has them ignore SIGINT.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        while not Path("model.safetensors").exists():
            assert process.poll() is None, process.stderr.read()
            sleep(0.05)
        process.send_signal(stop)
        out, err = process.communicate(timeout=60)
        assert process.returncode == status
        assert out.count("\n") == 1
        assert "Traceback" not in err
        assert load("model.safetensors").metadata["epoch"] >= 1
        read_checkpoint("model.safetensors.checkpoint")
        Path("model.safetensors").unlink()


def test_a_diverging_run_keeps_the_last_good_epoch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the loss overflows, status 1, the reason, and a model that is still finite."""
    options = ["--loss", "squared_error", "--optimizer", "sgd", "--hidden", "8"]
    options += ["--activation", "identity", "--lr", "9", "--batch-size", "1438"]  # a step an epoch
    assert main(["train", *options]) == 1
    out, err = capsys.readouterr()
    assert out.count("\n") == 1
    found = re.fullmatch(
        r"mlp-ref: error: the training loss must stay finite; got (?:nan|inf) in epoch (\d+); "
        r"lower the learning rate, or clean the data; model.safetensors holds epoch (\d+)\n", err,
    )  # fmt: skip
    assert int(found[2]) == int(found[1]) - 1 > 0
    assert np.isfinite(load("model.safetensors").params.flat).all()


def test_a_table_of_the_users_own(capsys: pytest.CaptureFixture[str]) -> None:
    """A CSV file with a named target, float32, two hidden layers, nothing held out."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 2))
    rows = [f"{a},{int(a * b > 0)},{b}" for a, b in x]
    Path("own.csv").write_text("\n".join(["a,kind,b", *rows]) + "\n", encoding="utf-8")
    options = ["own.csv", "--target", "kind", "--hidden", "16,4", "--activation", "gelu"]
    assert main(["train", *options, "--validation", "0", "--dtype", "float32"]) == 0
    out = capsys.readouterr().out
    assert "own.csv: 60 rows to train on; network 2-16-4-2, float32\n" in out
    assert "held out" not in out
    model, params, metadata = load("model.safetensors")
    assert (model.sizes, params.dtype, metadata["target"]) == ((2, 16, 4, 2), np.float32, "kind")
    Path("own.csv").write_text("\n".join(rows[1:]), encoding="utf-8")
    text = error(["--resume", "model.safetensors.checkpoint", "--epochs", "61"], capsys)
    assert text.startswith("'own.csv' must have a column 'kind'; got no header")


def test_real_targets(capsys: pytest.CaptureFixture[str]) -> None:
    """Regression on an NPZ file prints a loss and no accuracy."""
    x = np.random.default_rng(0).standard_normal((50, 3))
    np.savez("own.npz", x=x, y=x @ [1.0, 2.0, 3.0])
    options = ["own.npz", "--loss", "squared_error", "--hidden", "none", "--lr", "0.05"]
    assert main(["train", *options]) == 0
    assert "accuracy" not in capsys.readouterr().out
    weights = load("model.safetensors").params.layers[0].W[:, 0]
    assert np.argsort(weights).tolist() == [0, 1, 2]


def test_another_output_name_is_resumed_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    """A model that is not called .safetensors is named in the command that goes on."""
    assert main(["train", *QUICK, "-o", "my model"]) == 0
    command = capsys.readouterr().out.splitlines()[-1].partition("go on with ")[2]
    assert command == "mlp-ref train --resume 'my model.checkpoint' --epochs 63"
    again = ["--resume", "my model.checkpoint", "--epochs", "4"]
    assert main(["train", *again]) == 0
    assert load("my model").metadata["epoch"] == 4


def test_the_files_are_written_while_training_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """After every epoch in which two seconds have passed, not only at the end."""
    seen = []
    clock = iter(np.arange(0, 100, 0.75))
    monkeypatch.setattr(train, "monotonic", lambda: float(next(clock)))
    original = train.write_checkpoint

    def write(path: Path, found) -> None:
        seen.append(found.last.record.epoch)
        original(path, replace(found))

    monkeypatch.setattr(train, "write_checkpoint", write)
    assert main(["train", "--hidden", "none", "--epochs", "9"]) == 0
    assert seen == [1, 4, 7, 9]


def test_two_models_in_one_folder_keep_their_checkpoints() -> None:
    """run.1 and run.2 are resumed each from its own state."""
    for name, seed in (("run.1", "1"), ("run.2", "2")):
        assert main(["train", *QUICK, "--seed", seed, "-o", name]) == 0
    other = Path("run.2").read_bytes()
    assert main(["train", "--resume", "run.1.checkpoint", "--epochs", "4"]) == 0
    assert load("run.1").metadata["seed"] == 1
    assert Path("run.2").read_bytes() == other


def test_patience_that_has_ended_a_run_can_be_raised(capsys: pytest.CaptureFixture[str]) -> None:
    """The command that goes on asks for more patience: the old one would end it at once."""
    options = ["--hidden", "8", "--lr", "0.5", "--patience", "1", "--epochs", "50"]
    assert main(["train", *options]) == 0
    command = capsys.readouterr().out.splitlines()[-1].partition("go on with mlp-ref ")[2]
    assert command.endswith(" --patience 2")
    first = read_checkpoint("model.safetensors.checkpoint").last.record.epoch
    assert first < 50
    assert main(command.split()) == 0
    assert read_checkpoint("model.safetensors.checkpoint").last.record.epoch > first + 1
