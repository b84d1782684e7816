"""``mlp-ref predict``: what it writes for which network, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlp_ref import CROSS_ENTROPY, IDENTITY, MLP, RELU, SIGMOID, SOFTMAX, Params
from mlp_ref.cli import main
from mlp_ref.datasets import load_digits
from mlp_ref.storage import save
from mlp_ref.tensors import write_tensors

MODEL = MLP((2, 3, 2), (RELU, IDENTITY))
X = np.array([[0.1, -2.0], [1e-30, 3.5], [7.25, 0.3]])


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.csv").write_text("\n".join(f"{a!r},{b!r}" for a, b in X.tolist()), encoding="utf-8")


def network(dtype: type = np.float64, **metadata: str) -> np.ndarray:
    """Store a network as model.safetensors and return its outputs for X."""
    flat = np.random.default_rng(0).standard_normal(Params.count(MODEL.sizes)).astype(dtype)
    params = Params(flat, MODEL.sizes)
    save("model.safetensors", MODEL, params, metadata)
    return MODEL.predict(params, X.astype(dtype))


def lines(arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], np.ndarray]:
    """The header and the numbers that predict prints."""
    assert main(["predict", *arguments.split()]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    return header.split(","), np.array([row.split(",") for row in rows])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_labels_and_probabilities(dtype: type, capsys: pytest.CaptureFixture[str]) -> None:
    """After cross_entropy: the label, and softmax of the outputs, bit for bit in the text."""
    z = network(dtype, loss="cross_entropy")
    header, cells = lines("model.safetensors x.csv", capsys)
    assert header == ["label", "p0", "p1"]
    assert cells[:, 0].tolist() == [str(k) for k in z.argmax(axis=1)]
    assert np.array_equal(cells[:, 1:].astype(dtype), SOFTMAX.value(z))


def test_probabilities_of_independent_outputs(capsys: pytest.CaptureFixture[str]) -> None:
    """After binary_cross_entropy: the sigmoid of each output, no label."""
    z = network(loss="binary_cross_entropy")
    header, cells = lines("model.safetensors x.csv", capsys)
    assert header == ["p0", "p1"]
    assert np.array_equal(cells.astype(float), SIGMOID.value(z))


@pytest.mark.parametrize(
    ("metadata", "options"),
    [
        ({"loss": "squared_error"}, ""),
        ({}, ""),
        ({"loss": "of their own"}, ""),
        ({"loss": "cross_entropy"}, "--raw"),
        ({"loss": "cross_entropy"}, "--loss squared_error"),
    ],
)
def test_outputs(
    metadata: dict[str, str], options: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """After squared_error, for an unknown loss and with --raw: the outputs themselves."""
    z = network(**metadata)
    header, cells = lines(f"model.safetensors x.csv {options}", capsys)
    assert header == ["y0", "y1"]
    assert np.array_equal(cells.astype(float), z)


def test_a_state_dict_of_pytorch(capsys: pytest.CaptureFixture[str]) -> None:
    """A file that says nothing of activations and loss gets both from the command line."""
    W, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.5, -0.5])
    write_tensors("torch.safetensors", {"0.weight": W, "0.bias": b}, {"format": "pt"})
    options = "--activations identity --loss cross_entropy"
    header, cells = lines(f"torch.safetensors x.csv {options}", capsys)
    z = MLP((2, 2), (IDENTITY,)).predict(Params.from_layers([(W.T.copy(), b)]), X)
    assert header[0] == "label"
    assert np.array_equal(cells[:, 1:].astype(float), SOFTMAX.value(z))


def test_the_digits_and_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Trained on the digits and applied to them, nearly every label is right; -o writes a file."""
    assert main(["train", "--hidden", "16", "--epochs", "9"]) == 0
    assert main(["predict", "model.safetensors", "digits", "-o", "out.csv"]) == 0
    assert "label" not in capsys.readouterr().out
    rows = np.loadtxt("out.csv", delimiter=",", skiprows=1)
    data = load_digits()
    z = np.log(rows[:, 1:])
    assert CROSS_ENTROPY.accuracy(z, data.y) == np.mean(rows[:, 0] == data.y) > 0.8


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("no.safetensors x.csv", "'no.safetensors' must be a file that can be read; got 'No such"),
        ("x.csv x.csv", "'x.csv' must be a whole safetensors file; got "),
        ("model.safetensors no.csv", "'no.csv' must be a file that can be read; got 'No such file"),
        (
            "model.safetensors digits",
            "'digits' must have 2 columns, as the network has inputs; got",
        ),
        (
            "model.safetensors x.csv --loss x",
            "--loss must be one of cross_entropy, binary_cross_en",
        ),
        ("model.safetensors x.csv --activations relu", "'model.safetensors' must have 2 activatio"),
        (
            "model.safetensors text.csv",
            "'text.csv' line 2, column 1 ('a') must hold a finite number",
        ),
        ("model.safetensors x.csv -o no/out.csv", "'no/out.csv' must be a file that can be writ"),
        ("nan.safetensors x.csv", "the parameters of 'nan.safetensors' must be finite; got nan in"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    arguments: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The invariant, what arrived, the remedy; status 2, and no file."""
    network()
    Path("text.csv").write_text("a,b\none,2\n", encoding="utf-8")
    save("nan.safetensors", MODEL, Params(np.full(17, np.nan), MODEL.sizes))
    before = sorted(Path().iterdir())
    assert main(["predict", *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"mlp-ref: error: {text}")
    assert err.count("\n") == 1
    assert sorted(Path().iterdir()) == before


def test_outputs_that_overflow_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A sample of 1e308 gives no probability: one line names it, and nothing is written."""
    save("own.safetensors", MLP((1, 2), (IDENTITY,)), Params(np.full(4, 9.0), (1, 2)))
    Path("own.csv").write_text("1\n1e308\n", encoding="utf-8")
    assert main(["predict", "own.safetensors", "own.csv", "-o", "out.csv"]) == 2
    assert capsys.readouterr().err == (
        "mlp-ref: error: every output must be finite; got inf from sample 1 of 'own.csv'; "
        "scale the samples as those that the network was trained on\n"
    )
    assert not Path("out.csv").exists()


def test_the_model_is_never_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    """-o with the name of the model or of the data would replace it by predictions."""
    network()
    before = Path("model.safetensors").read_bytes()
    assert main(["predict", "model.safetensors", "x.csv", "-o", "model.safetensors"]) == 2
    assert "-o must not be a file that is read; got 'model.safetensors'" in capsys.readouterr().err
    assert Path("model.safetensors").read_bytes() == before
