"""Damaged, foreign and forged files are refused in one line; a failed save changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mlp_ref import IDENTITY, MLP, TANH, Params
from mlp_ref.checks import InputError
from mlp_ref.storage import load, save
from mlp_ref.tensors import read_tensors, write_tensors

MODEL = MLP((3, 4, 2), (TANH, IDENTITY))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A saved model."""
    path = tmp_path / "model.safetensors"
    save(path, MODEL, Params(np.arange(1.0, 27) / 7, MODEL.sizes), {"note": "x"})
    return path


def message(call: Callable[..., object], *args: Any, **options: Any) -> str:
    """The text of the InputError that a call raises, which must be one line."""
    with pytest.raises(InputError) as caught:
        call(*args, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_truncated_file_is_an_error(path: Path) -> None:
    """Cut after any number of bytes, the file is refused as no whole safetensors file."""
    whole = path.read_bytes()
    for length in range(0, len(whole), 5):
        path.write_bytes(whole[:length])
        text = message(load, path)
        assert text.startswith(f"'{path}' must be a whole safetensors file; got 'Error while ")
        assert text.endswith("; fetch it or save it again")


def test_any_changed_byte_is_noticed(path: Path) -> None:
    """Each byte of the file in turn, with bits flipped, makes load refuse the file."""
    whole = path.read_bytes()
    for k in range(len(whole)):
        path.write_bytes(whole[:k] + bytes([whole[k] ^ 0x15]) + whole[k + 1 :])
        message(load, path)


def test_a_flipped_bit_in_a_weight_is_named(path: Path) -> None:
    """The digest tells damage from a defect of the format."""
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert message(load, path) == (
        f"'{path}' must match the SHA-256 digest in its header; got another digest; "
        "the file was damaged or edited: fetch it or save it again"
    )


@pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04" + bytes(100), b"\xff" * 64])
def test_another_kind_of_file_is_an_error(path: Path, content: bytes) -> None:
    """An empty file, text, an archive (as torch.save writes) and garbage are refused."""
    path.write_bytes(content)
    assert f"'{path}' must be a whole safetensors file; got '" in message(load, path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """The reason and the path are given."""
    assert message(load, tmp_path / "no") == (
        f"'{tmp_path}/no' must be a file that can be read; got 'No such file or directory'; "
        "check the path"
    )
    assert "got 'Is a directory'; check the path" in message(load, tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_parameters_that_are_not_finite_are_an_error(path: Path, value: float) -> None:
    """A network that diverged is not used by accident; the tensor and the index are named."""
    params = Params.zeros(MODEL.sizes)
    params.layers[1].W[3, 1] = value  # 2.weight is the transpose
    save(path, MODEL, params)
    assert message(load, path) == (
        f"the parameters of '{path}' must be finite; got {value} in 2.weight at [1, 3]; "
        "lower the learning rate, or read them by load(..., allow_nonfinite=True)"
    )
    np.testing.assert_array_equal(load(path, allow_nonfinite=True).params.flat, params.flat)


def forge(path: Path, entry: object) -> None:
    """Replace the metadata of a file."""
    text = entry if isinstance(entry, str) else json.dumps(entry)
    save_file(load_file(path), path, {"mlp_ref": text})


@pytest.mark.parametrize(
    ("entry", "version"),
    [({"format": 2}, "2"), ({}, "None"), ([], "None"), ("{", "None"), ("[" * 10**5, "None")],
)  # fmt: skip
def test_another_format_is_an_error(path: Path, entry: object, version: str) -> None:
    """A file of a later version, or with metadata that cannot be read, is refused."""
    forge(path, entry)
    assert message(load, path) == (
        f"'{path}' must have format 1; got {version}; update mlp_ref, or save the file again"
    )


@pytest.mark.parametrize(
    "entry",
    [
        {"activations": ["tanh", "identity"], "metadata": {}},
        {"activations": "relu", "metadata": {}, "sha256": ""},
        {"activations": [], "metadata": [], "sha256": ""},
        {"sha256": 5},
    ],
)
def test_forged_metadata_are_an_error(path: Path, entry: dict[str, Any]) -> None:
    """Metadata of another shape are refused like damaged ones."""
    forge(path, {"format": 1, **entry})
    assert "must match the SHA-256 digest in its header; got another digest" in message(load, path)


def test_a_failed_save_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full, the old model is still there, and no other file."""
    before = path.read_bytes()

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert message(save, path, MODEL, Params.zeros(MODEL.sizes)) == (
        f"'{path}' must be a file that can be written; got 'No space left on device'; "
        "check the folder, its permissions and the space left"
    )
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_tensors_of_any_shape(tmp_path: Path) -> None:
    """write_tensors and read_tensors keep arrays that are views, scalars or empty, and texts."""
    tensors = {
        "view": np.arange(12.0).reshape(3, 4).T[::2],
        "scalar": np.array(-0.0, np.float32),
        "empty": np.empty((0, 3)),
    }
    write_tensors(tmp_path / "x", tensors, {"a": "é", "b": ""})
    loaded, header = read_tensors(tmp_path / "x")
    assert header == {"a": "é", "b": ""}
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(loaded[name], tensor, strict=True)
