"""Model files keep every bit, have PyTorch's names, and are refused in one line when damaged."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike
from safetensors.numpy import load_file, save_file

from mlp_ref import ACTIVATIONS, IDENTITY, MLP, RELU, SOFTMAX, TANH, Layer, Params
from mlp_ref.activations import Elementwise
from mlp_ref.checks import InputError
from mlp_ref.cli import main
from mlp_ref.storage import load, save
from mlp_ref.tensors import write_tensors

MODEL = MLP((3, 4, 2), (TANH, IDENTITY))


def params(dtype: DTypeLike = np.float64) -> Params:
    """Parameters of MODEL, all different."""
    return Params(np.arange(1, 27).astype(dtype) / 7, MODEL.sizes)


def message(call: Callable[..., object], *args: Any, **options: Any) -> str:
    """The text of the InputError that a call raises, which must be one line."""
    with pytest.raises(InputError) as caught:
        call(*args, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where to write a model."""
    return tmp_path / "model.safetensors"


# ------------------------------------------------------------------------------------ round trip


@pytest.mark.parametrize(("dtype", "word"), [(np.float32, np.uint32), (np.float64, np.uint64)])
def test_a_round_trip_keeps_every_bit(path: Path, dtype: DTypeLike, word: DTypeLike) -> None:
    """NaN payloads, both zeros, infinities, subnormals and the largest numbers come back."""
    info = np.finfo(dtype)
    bits = np.random.default_rng(1).integers(0, np.iinfo(word).max, 26, word, endpoint=True)
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, info.smallest_subnormal, -info.max, info.tiny]
    bits[:8] = np.array(special, dtype).view(word)
    bits[8:10] = np.array([np.nan, np.nan], dtype).view(word) | word(0x2A)
    before = Params(bits.view(dtype), MODEL.sizes)
    save(path, MODEL, before)
    model, after, metadata = load(path, allow_nonfinite=True)
    assert model == MODEL
    assert after.sizes == MODEL.sizes
    assert after.dtype == dtype
    assert metadata == {}
    np.testing.assert_array_equal(after.flat.view(word), bits)


def test_names_and_layout_are_those_of_sequential(path: Path) -> None:
    """An activation takes one number, the identity none; weights are transposed."""
    save(path, MLP((3, 4, 2, 5), (TANH, IDENTITY, SOFTMAX)), Params.zeros((3, 4, 2, 5)))
    names = [f"{k}.{part}" for k in (0, 2, 3) for part in ("bias", "weight")]
    assert sorted(load_file(path)) == names
    save(path, MODEL, params())
    tensors = load_file(path)
    np.testing.assert_array_equal(tensors["0.weight"], params().layers[0].W.T)
    np.testing.assert_array_equal(tensors["2.bias"], params().layers[1].b)
    assert tensors["0.weight"].shape == (4, 3)


def test_equal_models_give_equal_bytes(path: Path) -> None:
    """The bytes depend on nothing but the arguments, not even on the order of the metadata."""
    save(path, MODEL, params(), {"a": 1, "b": 2})
    first = path.read_bytes()
    save(path, MODEL, params(), {"b": 2, "a": 1})
    assert path.read_bytes() == first


@pytest.mark.parametrize("name", [*ACTIVATIONS, "softmax", "log_softmax"])
def test_every_activation_is_remembered(path: Path, name: str) -> None:
    """The file names the activations, and load finds the records."""
    model = load(write(path, activations=(name, "identity")), (name, "identity")).model
    save(path, model, params())
    assert load(path).model.activations[0].name == name
    assert load(path).model == model


def test_metadata_come_back(path: Path) -> None:
    """Whatever JSON keeps unchanged comes back equal."""
    entries = {"loss": "cross_entropy", "accuracy": 0.1 + 0.2, "hidden": [32, 16], "ü": None}
    save(path, MODEL, params(), entries)
    assert load(path).metadata == entries


@pytest.mark.parametrize(
    "entries", [{"x": (1, 2)}, {1: "x"}, {"x": float("nan")}, {"x": np.ones(2)}, {"x": {1}}]
)
def test_metadata_that_json_changes_are_an_error(path: Path, entries: dict[Any, Any]) -> None:
    """Tuples, keys that are not strings, NaN and objects are refused, and nothing is written."""
    text = message(save, path, MODEL, params(), entries)
    assert text.startswith("metadata must be what JSON keeps unchanged; got dict {")
    assert text.endswith("use strings, finite numbers, lists, and mappings with strings as keys")
    assert not path.exists()


def test_a_record_of_the_users_own(path: Path) -> None:
    """A new activation is saved by its name and loaded with the record."""
    cube = Elementwise(
        "cube", lambda x, m: x * x * x, lambda x, out=None: np.power(x, 3, out=out),
        lambda x, y: 3 * x * x, lambda x: 6 * x, np.inf, np.inf,
    )  # fmt: skip
    model = MLP(MODEL.sizes, (cube, IDENTITY))
    save(path, model, params())
    assert load(path, (cube, IDENTITY)).model == model
    assert message(load, path) == (
        f"an activation must be one of {', '.join(ACTIVATIONS)}, softmax, log_softmax; got 'cube'; "
        "correct the name, or pass your own record in activations=(...)"
    )


def test_an_impostor_is_an_error(path: Path) -> None:
    """A record that is not the library's but has its name would load as another function."""
    fake = Elementwise("tanh", *[lambda *a: a[0]] * 4, 1.0, 1.0)
    assert message(save, path, MLP(MODEL.sizes, (fake, IDENTITY)), params()) == (
        "an activation named 'tanh' must be the library's; got Elementwise <activation tanh>; "
        "give your own record a name of its own"
    )


def test_parameters_fit_the_model(path: Path) -> None:
    """Other sizes and complex parameters are refused."""
    wrong = Params.zeros((3, 4))
    assert message(save, path, MODEL, wrong) == (
        "parameters must be float32 or float64 and have the sizes (3, 4, 2); "
        "got float64 and sizes (3, 4); initialize them with model.sizes"
    )
    assert "got complex128 and sizes" in message(save, path, MODEL, params(complex))


# --------------------------------------------------------------- files without our own metadata


def write(path: Path, prefix: str = "", **changes: Any) -> Path:
    """Write a plain state_dict of MODEL, with tensors changed, or removed where None is given."""
    changes.pop("activations", None)
    tensors = {"0.weight": np.ones((4, 3)), "0.bias": np.ones(4)}
    tensors |= {"2.weight": np.ones((2, 4)), "2.bias": np.ones(2)}
    tensors |= changes.pop("tensors", {})
    save_file(
        {prefix + name: t for name, t in tensors.items() if t is not None}, path, {"format": "pt"}
    )
    return path


@pytest.mark.parametrize("prefix", ["", "net.", "module.layers.", "fc", "_orig_mod.1."])
def test_a_plain_state_dict_with_a_prefix(path: Path, prefix: str) -> None:
    """Any prefix that all tensors share is accepted; names and records may be mixed."""
    stored = load(write(path, prefix), ("tanh", IDENTITY))
    assert stored.model == MODEL
    assert stored.metadata == {"format": "pt"}
    np.testing.assert_array_equal(stored.params.flat, np.ones(26))


def test_layers_are_ordered_by_number(tmp_path: Path) -> None:
    """Layer 10 comes after layer 2, though its name is first in the alphabet."""
    sizes = tuple(range(1, 9))
    layers = [Layer(np.full((n, n + 1), float(n)), np.full(n + 1, float(n))) for n in sizes[:-1]]
    model = MLP(sizes, (RELU,) * 7)
    save(tmp_path / "x", model, Params.from_layers(layers))
    loaded = load(tmp_path / "x").params
    np.testing.assert_array_equal(loaded.flat, Params.from_layers(layers).flat)


def test_activations_must_be_known(path: Path) -> None:
    """A file without names of activations needs them, one per layer, in a sequence."""
    write(path)
    start = f"'{path}' must come with the activations of its 2 layers; got "
    end = "; name one per layer: activations=('relu', 'identity'), --activations relu,identity"
    assert message(load, path) == f"{start}none{end}"
    assert message(load, path, "relu") == f"{start}str 'relu'{end}"
    assert message(load, path, ["relu"]) == (
        f"'{path}' must have 2 activations, one per layer; got tuple ('relu',); "
        "name them from the first layer to the last, 'identity' where there is none"
    )
    assert "got 'rleu'; correct the name" in message(load, path, ("rleu", "identity"))
    assert message(load, path, (None, 3)) == (
        "an activation must be a record; got NoneType None; use ACTIVATIONS[name]"
    )


def test_activations_given_must_be_those_recorded(path: Path) -> None:
    """Names in the file and in the call must agree."""
    save(path, MODEL, params())
    assert load(path, ("tanh", "identity")).model == MODEL
    assert message(load, path, ("relu", "identity")) == (
        f"the activations of '{path}' must be tanh, identity, as recorded; "
        "got tuple ('relu', 'identity'); leave activations out"
    )


LINEAR = "keep Linear layers only, and give each a bias"
F64 = "float64 array of shape"


@pytest.mark.parametrize(
    ("tensors", "number", "n_in", "received"),
    [
        ({"0.bias": None}, 0, "n_in", f"weight {F64} (4, 3)"),
        ({"2.weight": None}, 2, "4", f"bias {F64} (2,)"),
        ({"2.weight": np.ones((4, 2))}, 2, "4", f"bias {F64} (2,) and weight {F64} (4, 2)"),
        ({"2.weight": np.ones((2, 5))}, 2, "4", f"bias {F64} (2,) and weight {F64} (2, 5)"),
        ({"2.bias": np.ones(3)}, 2, "4", f"bias {F64} (3,) and weight {F64} (2, 4)"),
        ({"2.bias": np.ones((2, 1))}, 2, "4", f"bias {F64} (2, 1) and weight {F64} (2, 4)"),
        ({"1.weight": np.ones(4), "1.bias": np.ones(4)}, 1, "4",
         f"bias {F64} (4,) and weight {F64} (4,)"),
        ({"0.bias": np.ones(4, "f")}, 0, "n_in",
         f"bias float32 array of shape (4,) and weight {F64} (4, 3)"),
        ({"0.weight": np.ones((4, 0))}, 0, "n_in", f"bias {F64} (4,) and weight {F64} (4, 0)"),
    ],
)  # fmt: skip
def test_layers_that_are_no_chain_are_an_error(
    path: Path, tensors: dict[str, Any], number: int, n_in: str, received: str
) -> None:
    """A missing bias, a wrong shape, another kind of layer or another dtype is named."""
    write(path, tensors=tensors)
    assert message(load, path, ("tanh", "identity")) == (
        f"layer {number} of '{path}' must have weight (n_out, {n_in}) and bias (n_out,) of dtype "
        f"float64; got {received}; {LINEAR}"
    )


@pytest.mark.parametrize("name", ["weight", "1.running_mean", "other.4.weight", "x"])
def test_other_tensors_are_an_error(path: Path, name: str) -> None:
    """Tensors that a multi-layer perceptron does not have are named, not skipped."""
    write(path, tensors={name: np.ones(2)})
    text = message(load, path, ("tanh", "identity"))
    assert text.startswith(f"the tensors of '{path}' must be named N.weight and N.bias after one ")
    assert text.endswith("save the state_dict of an nn.Sequential of Linear layers")


@pytest.mark.parametrize(("dtype", "kind"), [("f2", "F16"), ("i8", "I64"), ("?", "BOOL")])
def test_other_dtypes_are_an_error(path: Path, dtype: str, kind: str) -> None:
    """Half precision and integers are not silently converted."""
    write(path, tensors={"2.bias": np.ones(2, dtype)})
    assert message(load, path, ("tanh", "identity")) == (
        f"tensor '2.bias' of '{path}' must be F32 or F64; got {kind}; "
        "convert the model to float32 before saving, such as with net.float()"
    )


def test_an_empty_file_of_tensors_is_an_error(path: Path) -> None:
    """A file without tensors holds no network; safetensors 0.4 refuses such a file itself."""
    write_tensors(path, {}, {"format": "pt"})
    none = f"'{path}' must hold at least one layer; got no tensor; save the model again"
    damaged = f"'{path}' must be a whole safetensors file; got '"
    assert message(load, path, ()).startswith((none, damaged))


def test_without_safetensors_the_error_says_what_to_install(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one line, and only where a model is stored or read."""
    save(path, MODEL, params())
    monkeypatch.setitem(sys.modules, "safetensors", None)
    said = "model files need safetensors; got no module safetensors; pip install safetensors"
    assert message(save, path, MODEL, params()) == said
    assert message(load, path) == said
    assert main(["predict", str(path), "digits"]) == 2
    assert capsys.readouterr().err == f"mlp-ref: error: {said}\n"
    program = "import sys; sys.modules['safetensors'] = None; import mlp_ref.cli"
    subprocess.run([sys.executable, "-c", program], check=True)
