"""``mlp-ref gradcheck``: what it prints for right and wrong gradients, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlp_ref import ACTIVATIONS, IDENTITY, LOSSES, MLP, RELU, Params
from mlp_ref.cli import main
from mlp_ref.storage import save


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def check(arguments: str, status: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that gradcheck prints, none of them over 80 columns."""
    assert main(["gradcheck", *arguments.split()]) == status
    found = capsys.readouterr().out.splitlines()
    assert max(map(len, found)) <= 80
    return found


@pytest.mark.slow
def test_every_activation_under_every_loss(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a model: 30 networks pass, one line each, and the total is printed."""
    header, *rows, last = check("", 0, capsys)
    assert header.split() == ["network", "worst", "verdict", "tolerance", "ratio"]
    names = [(row.split()[0], row.split()[1], row.split()[3]) for row in rows]
    assert names == [(f, loss, "pass") for loss in LOSSES for f in ACTIVATIONS]
    assert last == "PASS  networks: pass 30; 144,900 derivatives"


def test_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    """A trained model is checked tensor by tensor, under the loss that its file names."""
    assert main(["train", "--hidden", "5", "--epochs", "2", "--dtype", "float32"]) == 0
    capsys.readouterr()
    header, *rows, last = check("model.safetensors --rows 7", 0, capsys)
    assert header.split() == ["tensor", "verdict", "resolved", "error", "tolerance", "ratio"]
    assert [row.split()[:2] for row in rows] == [
        [name, "pass"] for name in ("dW0", "db0", "dx", "dW1", "db1", "directions")
    ]
    count = 64 * 5 + 5 + 5 * 10 + 10 + 7 * 64 + 4
    assert last == f"PASS  networks: pass 1; {count} derivatives"


def test_central_differences(capsys: pytest.CaptureFixture[str]) -> None:
    """--method central checks the same derivatives with a wider tolerance."""
    assert main(["train", "--hidden", "5", "--epochs", "1"]) == 0
    capsys.readouterr()
    tolerances = []
    for method in ("complex", "central"):
        header, *rows, last = check(f"model.safetensors --method {method}", 0, capsys)
        assert last.startswith("PASS  networks: pass 1; ")
        at = header.split().index("tolerance")
        tolerances.append(max(float(row.split()[at]) for row in rows if row.startswith("dW")))
    assert tolerances[0] < tolerances[1]


def test_a_wrong_gradient_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With one entry wrong in the sixth digit, status 1, FAIL, and the entry with its numbers."""
    backward = MLP.backward

    def wrong(self, params, trace, g, **options):
        grads, dx = backward(self, params, trace, g, **options)
        grads.layers[1].W[2, 3] *= 1.0 + 2.0**-20
        return grads, dx

    monkeypatch.setattr(MLP, "backward", wrong)
    assert main(["train", "--hidden", "5", "--epochs", "1"]) == 0
    capsys.readouterr()
    found = check("model.safetensors", 1, capsys)
    assert found[-1].startswith("FAIL  networks: fail 1; ")
    text = " ".join(found)
    assert "model.safetensors dW1: fail: " in text
    assert "worst entry [2, 3]: got " in text


def test_noise_is_observed_on_demand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistake that its tolerance covers is inconclusive with --points 4, as noise is smaller."""
    backward = MLP.backward
    assert main(["train", "--hidden", "5", "--epochs", "1"]) == 0
    for wrong, found in ((False, "PASS"), (True, "INCONCLUSIVE")):

        def changed(self, params, trace, g, wrong=wrong, **options):
            grads, dx = backward(self, params, trace, g, **options)
            grads.layers[1].b[4] += wrong * 2.0**-47
            return grads, dx

        monkeypatch.setattr(MLP, "backward", changed)
        capsys.readouterr()
        assert check("model.safetensors", 0, capsys)[-1].startswith("PASS")
        last = check("model.safetensors --points 4", 0, capsys)[-1]
        assert last.startswith(f"{found}  networks: ")


def test_kinks_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Units of a later layer that are exactly at a kink are named; their left derivative counts."""
    model = MLP((2, 3, 2, 1), (IDENTITY, RELU, IDENTITY))
    params = Params.zeros(model.sizes)
    params.layers[0].W[:] = 1.0
    params.layers[2].W[:] = 1.0
    save("model.safetensors", model, params, {"loss": "squared_error"})
    np.savez("data.npz", x=np.ones((4, 2)), y=np.ones(4))
    found = " ".join(check("model.safetensors --data data.npz --rows 2", 0, capsys))
    found = " ".join(found.split())
    assert "PASS networks: pass 1; 28 derivatives" in found
    assert "at a kink, or within rounding error of one: z1[0, 0], z1[0, 1], z1[1, 0]," in found


def test_few_rows_need_as_many_outputs_as_all_of_the_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With --rows 1 the label is 0: the networks still have ten outputs, and a loss to check."""
    *_, last = check("--rows 1", 0, capsys)
    hidden = 64 * 32 + 32 + 32 * 16 + 16 + 64 + 4
    count = 30 * (hidden + 16 * 10 + 10)
    assert last == f"PASS  networks: pass 30; {count:,} derivatives"


def test_data_that_overflows_is_inconclusive(capsys: pytest.CaptureFixture[str]) -> None:
    """Values near the largest float: nothing is known, so nothing is wrong; status 0."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (20, 2)) * 1e308
    np.savez("huge.npz", x=x, y=rng.integers(0, 2, 20))
    found = check("--data huge.npz", 0, capsys)
    assert found[-1].startswith("INCONCLUSIVE  networks: inconclusive 30; ")


def test_a_model_that_does_not_name_its_loss(capsys: pytest.CaptureFixture[str]) -> None:
    """--loss says what the file does not; without it the remedy is named."""
    model = MLP((64, 10), (IDENTITY,))
    save("model.safetensors", model, Params.zeros(model.sizes))
    assert check("model.safetensors --loss cross_entropy", 0, capsys)[-1].startswith("PASS")
    assert main(["gradcheck", "model.safetensors"]) == 2
    assert capsys.readouterr().err == (
        "mlp-ref: error: 'model.safetensors' must say what it was trained with; got no loss; "
        "add --loss NAME\n"
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("--rows 0", "--rows must be 1 or more; got 0; "),
        ("--points 1", "points must be 0, or 2 or more; got 1; "),
        ("--loss cross_entropy", "--activations and --loss must come with a MODEL; got none; "),
        ("no.safetensors", "'no.safetensors' must be a file that can be read; got "),
        ("--data no.csv", "'no.csv' must be a file that can be read; got "),
    ],
)
def test_bad_input_is_refused_in_one_line(
    arguments: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The invariant, what arrived, the remedy; status 2."""
    assert main(["gradcheck", *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"mlp-ref: error: {text}")
    assert err.count("\n") == 1
