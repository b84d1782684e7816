"""`mlp-ref certify`: vectors of the user's own network, or a refusal that names the entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlp_ref import (
    ACTIVATIONS,
    IDENTITY,
    INITIALIZERS,
    MLP,
    RELU,
    SOFTMAX,
    TANH,
    Params,
    initialize,
)
from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.cli import main
from mlp_ref.corpus import load
from mlp_ref.gate.judge import judge_certified
from mlp_ref.operations import OPERATIONS
from mlp_ref.storage import save


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def network(loss: str, dtype: Any = np.float64, last: Any = IDENTITY, **batch: Any) -> None:
    """mine.safetensors, 3-4-2, and batch.npz with five rows."""
    rng = np.random.default_rng(3)
    model = MLP((3, 4, 2), (TANH, last))
    params = initialize(model.sizes, INITIALIZERS["he_normal"], rng=rng, dtype=dtype)
    save("mine.safetensors", model, params, {"loss": loss})
    labels = loss == "cross_entropy"
    target = rng.integers(0, 2, 5) if labels else rng.random((5, 2))
    np.savez("batch.npz", **{"x": rng.normal(size=(5, 3)), "y": target} | batch)


def certify(*more: str, batch: str = "batch.npz", folder: str = "out") -> int:
    """Run the command."""
    return main(["certify", "mine.safetensors", "--batch", batch, "-o", folder, *more])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "squared_error"])
def test_what_is_written_judges_the_reference(loss: str, dtype: str) -> None:
    """The case reads back as part of a corpus, and the reference meets it in its own arithmetic."""
    network(loss, dtype)
    assert certify() == 0
    found = load(folder="out")
    (record,) = found.records
    assert record.id == f"mlp/mine/{dtype}"
    answer = OPERATIONS["mlp"](record.parameters, record.arrays())
    for name, q in record.expected.items():
        assert q.index is None
        if name[:2] not in ("dz", "da"):
            result = judge_certified(name, np.asarray(answer[name]), q, ARITHMETICS[dtype])
            assert result.verdict == "pass"
    assert {"dz0", "dz1", "da0"} <= set(record.expected)
    assert record.provenance["agreed"]["derivatives"] >= 30


def test_it_says_how_sharp_the_vectors_are(capsys: pytest.CaptureFixture[str]) -> None:
    """A line per tensor, and what to do next."""
    network("cross_entropy")
    assert certify("--rows", "2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "tensor",
        "entries",
        "largest",
        "median",
        "bound/|value|",
        "inconclusive",
    ]
    assert [line.split()[:2] for line in lines[1:6]] == [
        ["z0", "8"], ["a0", "8"], ["z1", "4"], ["a1", "4"], ["loss", "1"],
    ]  # fmt: skip
    text = " ".join(lines[-4:])
    assert "out holds mlp/mine/float64" in text
    assert "mlp-ref verify py:module:object --vectors out" in text


def test_the_same_input_gives_the_same_bytes() -> None:
    """Two runs, one of them over the files of the other."""
    network("squared_error")
    assert certify() == 0
    first = {file.name: file.read_bytes() for file in Path("out").iterdir()}
    assert certify() == 0
    assert {file.name: file.read_bytes() for file in Path("out").iterdir()} == first


def test_the_users_own_vectors_have_no_licence_of_ours() -> None:
    """CC0-1.0 is for the corpus."""
    network("squared_error")
    assert certify() == 0
    assert '"licence": "none"' in Path("out/MANIFEST.json").read_text("utf-8")


def test_softmax_may_be_the_last_activation(capsys: pytest.CaptureFixture[str]) -> None:
    """All that a model file may hold; a loss that applies it itself makes a note of it."""
    network("squared_error", last=SOFTMAX)
    assert certify() == 0
    assert "note:" not in capsys.readouterr().out
    network("cross_entropy", last=SOFTMAX)
    assert certify(folder="twice") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "note: cross_entropy takes logits and applies softmax itself" in out


def test_the_digits_and_tables_are_batches(capsys: pytest.CaptureFixture[str]) -> None:
    """As for the other commands."""
    network("squared_error")
    Path("batch.csv").write_text("a,b,c,y0\n1,2,3,4\n", "utf-8")
    assert certify(batch="batch.csv") == 2  # one target for two outputs
    assert "must have the shape (1, 2)" in capsys.readouterr().err
    assert certify(batch="digits") == 2
    assert "must have 3 inputs, as the network; got 64" in capsys.readouterr().err


def test_an_open_kink_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    """relu of tanh(z) - tanh(z): nothing is written."""
    layers = [
        (np.array([[0.3, 0.3]]), np.array([0.1, 0.1])), (np.array([[1.0], [-1.0]]), np.zeros(1)),
    ]  # fmt: skip
    params = Params.from_layers(layers)
    save("mine.safetensors", MLP(params.sizes, (TANH, RELU)), params, {"loss": "squared_error"})
    np.savez("batch.npz", x=np.ones((1, 1)), y=np.ones((1, 1)))
    assert certify() == 2
    text = capsys.readouterr().err
    assert "the side of the kink of relu is open at z1[0, 0]" in text
    assert text.count("\n") == 1
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("prepare", "more", "text"),
    [
        (lambda: Path("out").write_text(""), (), "-o must name a folder; got the file 'out'"),
        (lambda: Path("out/x.json").parent.mkdir() or Path("out/x.json").write_text(""), (),
         "-o must name a folder of its own; got x.json in it"),
        (lambda: None, ("--rows", "0"), "--rows must be 1 or more; got 0"),
        (lambda: None, ("--loss", "none"), "--loss must be one of"),
        (lambda: np.savez("batch.npz", x=np.full((1, 3), np.nan), y=np.ones((1, 2))), (), "finite"),
        (lambda: Path("batch.npz").unlink(), (), "'batch.npz' must be a file that can be read"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line(
    prepare: Any, more: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 2, and one line that says what to do."""
    network("squared_error")
    prepare()
    assert certify(*more) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


def test_a_network_without_a_loss_needs_one(capsys: pytest.CaptureFixture[str]) -> None:
    """A state_dict of PyTorch does not say what it was trained with."""
    network("squared_error")
    model = MLP((3, 4, 2), (ACTIVATIONS["gelu"], IDENTITY))
    params = initialize(model.sizes, INITIALIZERS["he_normal"], rng=np.random.default_rng(0))
    save("mine.safetensors", model, params)
    assert certify() == 2
    assert "must say its loss; got none; add --loss NAME" in capsys.readouterr().err
    assert certify("--loss", "squared_error") == 0


def test_the_extra_is_named_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without python-flint one line says what to install."""
    network("squared_error")
    monkeypatch.setitem(__import__("sys").modules, "mlp_ref.certify.build", None)
    assert certify() == 2
    assert "pip install 'mlp-ref[certify]'" in capsys.readouterr().err
