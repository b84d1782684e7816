"""``mlp-ref train`` on bad input: one line, status 2, and nothing changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_command_train import QUICK, _in_a_folder_of_its_own, error

from mlp_ref.cli import main

__all__ = ["_in_a_folder_of_its_own"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("--hidden 0", "--hidden must be positive widths such as 32,16, or none; got '0'"),
        ("--hidden 3,,4", "--hidden must be positive widths such as 32,16, or none; got '3,,4'"),
        ("--hidden=-3", "--hidden must be positive widths such as 32,16, or none; got '-3'"),
        ("--activation rleu", "--activation must be one of identity, sigmoid, tanh, relu, leaky"),
        ("--optimizer x", "--optimizer must be one of sgd, momentum, nesterov, adam, adamw; got"),
        ("--initializer x", "--initializer must be one of glorot_uniform, glorot_normal, he_unif"),
        ("--loss x", "--loss must be one of cross_entropy, binary_cross_entropy, squared_error;"),
        ("--dtype float16", "--dtype must be one of float32, float64; got 'float16'"),
        ("--lr -1", "lr must be positive and finite; got -1.0"),
        ("--lr nan", "lr must be positive and finite; got nan"),
        ("--batch-size 0", "batch_size must be a positive integer; got int 0"),
        ("--validation 2", "--validation must leave rows of the 1,797 on both sides; got 2;"),
        ("--validation nan", "--validation must leave rows of the 1,797 on both sides; got nan"),
        ("--patience 0", "--patience must be 1 or more, with rows held out; got 0 with"),
        ("--patience 2 --validation 0", "--patience must be 1 or more, with rows held out; got 2"),
        ("--seed -1", "--seed must be 0 or more; got -1"),
        ("--epochs 0", "--epochs must be more than the 0 that are done; got 0"),
        ("--target y", "--target must be left out for the digits; got 'y'"),
        ("no.csv", "'no.csv' must be a file that can be read; got 'No such file or directory'"),
        ("no.txt", "'no.txt' must end in .csv or .npz; got '.txt'"),
        (
            "-o a.checkpoint",
            "-o must name a model file; got 'a.checkpoint'; choose a name such as a.s",
        ),
        ("-o .", "-o must name a model file; got '.'; choose a name such as a.safetensors"),
        ("--hidden 9999999999999999999", "749,999,999,999,999,999,935 parameters must fit into"),
        ("--resume=", "'' must be a file that can be read; got 'Is a directory'; check the path"),
        ("-o=", "-o must name a model file; got '.'; choose a name such as a.safetensors"),
        ("-o /dev/null", "'/dev/null' must be a regular file; got a folder or a device; choose a"),
        ("-o no/a", "'no/a' must be a file that can be written; got 'No such file or"),
        ("--resume no.checkpoint", "'no.checkpoint' must be a file that can be read; got 'No su"),
        ("--resume x --lr 1", "--lr must be left out with --resume; got 1.0; the checkpoint hold"),
        ("--resume x --batch-size 1", "--batch-size must be left out with --resume; got 1; the "),
    ],
)
def test_bad_input_is_refused_in_one_line(
    arguments: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The invariant, what arrived, the remedy; status 2, and no file."""
    found = error(arguments.split(), capsys)
    assert found.startswith(text)
    assert found.count("; ") >= 2


@pytest.mark.parametrize(
    ("rows", "loss", "text"),
    [
        ("1,2\n3,x\n", "cross_entropy", "'own.csv' line 2, column 2 must hold a finite number; "),
        ("1,0.5\n", "cross_entropy", "'own.csv' line 1, column 2 must hold a whole number from 0;"),
        (
            "1,0\n2,3\n",
            "binary_cross_entropy",
            "binary_cross_entropy targets must lie in [0, 1]; got ",
        ),
        ("", "cross_entropy", "'own.csv' must hold a row of numbers; got an empty file"),
    ],
)
def test_bad_data_are_refused_in_one_line(
    rows: str, loss: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cell of text, a label that is no class, targets that the loss does not take, no row."""
    Path("own.csv").write_text(rows, encoding="utf-8")
    assert error(["own.csv", "--loss", loss, "--validation", "0"], capsys).startswith(text)


def test_bad_checkpoints_are_refused_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A model in its place, a truncated or edited file, other data, epochs that are done."""
    assert main(["train", *QUICK]) == 0
    capsys.readouterr()
    assert error(["--resume", "model.safetensors"], capsys) == (
        "'model.safetensors' must be a checkpoint of mlp-ref train; got another safetensors file; "
        "name the .checkpoint file that stands beside the model"
    )
    assert error(["--resume", "model.safetensors.checkpoint", "--epochs", "3"], capsys).startswith(
        "--epochs must be more than the 3 that are done; got 3; it counts all epochs of the run"
    )
    np.savez("own.npz", x=np.ones((9, 64)), y=np.arange(9))
    assert error(["own.npz", "--resume", "model.safetensors.checkpoint"], capsys) == (
        "the data must be those that 'model.safetensors.checkpoint' was trained on; "
        "got other numbers; restore own.npz, or start anew without --resume"
    )
    whole = Path("model.safetensors.checkpoint").read_bytes()
    Path("model.safetensors.checkpoint").write_bytes(whole[:-9])
    assert "must be a whole safetensors file" in error(
        ["--resume", "model.safetensors.checkpoint"], capsys
    )
    Path("model.safetensors.checkpoint").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "must match the SHA-256 digest" in error(
        ["--resume", "model.safetensors.checkpoint"], capsys
    )


def test_a_renamed_checkpoint_needs_the_name_of_the_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without its ending it does not tell the model, and must not be overwritten by it."""
    assert main(["train", *QUICK]) == 0
    capsys.readouterr()
    Path("model.safetensors.checkpoint").rename("kept")
    assert error(["--resume", "kept", "--epochs", "9"], capsys) == (
        "-o must name the model where --resume does not end in .checkpoint; got 'kept'; "
        "add -o MODEL"
    )


def test_the_data_are_never_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    """-o with the name of the table would replace it."""
    Path("own.csv").write_text("1,0\n2,1\n", encoding="utf-8")
    text = error(["own.csv", "-o", "own.csv"], capsys)
    assert text.startswith("-o must not be a file that is read; got 'own.csv'")
    assert Path("own.csv").read_text("utf-8") == "1,0\n2,1\n"
