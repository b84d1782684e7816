"""Model files go both ways between here and PyTorch, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mlp_ref import ACTIVATIONS, INITIALIZERS, LOG_SOFTMAX, MLP, SOFTMAX, initialize
from mlp_ref.arithmetic import ARITHMETICS
from mlp_ref.bounds import derive
from mlp_ref.checks import InputError
from mlp_ref.storage import load, save

MODULES: dict[str, Callable[[], torch.nn.Module]] = {
    "sigmoid": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "relu": torch.nn.ReLU,
    "leaky_relu": torch.nn.LeakyReLU,
    "elu": torch.nn.ELU,
    "softplus": torch.nn.Softplus,
    "silu": torch.nn.SiLU,
    "gelu": torch.nn.GELU,
    "gelu_tanh": lambda: torch.nn.GELU(approximate="tanh"),
    "softmax": lambda: torch.nn.Softmax(dim=1),
    "log_softmax": lambda: torch.nn.LogSoftmax(dim=1),
}
RECORDS = {**ACTIVATIONS, "softmax": SOFTMAX, "log_softmax": LOG_SOFTMAX}
SIZES, DTYPES = (5, 7, 6, 3), ["float32", "float64"]
NETWORKS = [
    *((name, "identity", "identity") for name in MODULES),
    ("identity", "tanh", "softmax"),
    ("relu", "gelu", "log_softmax"),
]


def sequential(names: tuple[str, ...], dtype: str) -> torch.nn.Sequential:
    """The network of these activations in PyTorch; the identity is no module."""
    modules: list[torch.nn.Module] = []
    for n_in, n_out, name in zip(SIZES, SIZES[1:], names, strict=False):
        modules.append(torch.nn.Linear(n_in, n_out, dtype=getattr(torch, dtype)))
        if name != "identity":
            modules.append(MODULES[name]())
    return torch.nn.Sequential(*modules)


def require_agreement(model: MLP, params: Any, net: torch.nn.Sequential, dtype: str) -> None:
    """PyTorch's output is within the derived bound of the float64 reference."""
    x = np.random.default_rng(7).standard_normal((11, SIZES[0])).astype(dtype)
    output = derive(model, params, x, arithmetic=ARITHMETICS[dtype])[f"a{len(SIZES) - 2}"]
    with torch.no_grad():
        theirs = net(torch.from_numpy(x)).numpy().astype(np.float64)
    error = np.abs(theirs - output.value)
    assert (error <= output.bound + output.radius).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("names", NETWORKS, ids="-".join)
def test_a_file_from_pytorch_loads_here(tmp_path: Path, names: tuple[str, ...], dtype: str) -> None:
    """A state_dict saved by safetensors.torch has the same bits here, and the networks agree."""
    torch.manual_seed(3)
    net = sequential(names, dtype)
    save_file(net.state_dict(), tmp_path / "x")
    model, params, metadata = load(tmp_path / "x", names)
    assert model.sizes == SIZES
    assert metadata == {}
    linear = [module for module in net if isinstance(module, torch.nn.Linear)]
    for layer, module in zip(params.layers, linear, strict=True):
        np.testing.assert_array_equal(layer.W.T, module.weight.detach().numpy(), strict=True)
        np.testing.assert_array_equal(layer.b, module.bias.detach().numpy(), strict=True)
    require_agreement(model, params, net, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("names", NETWORKS, ids="-".join)
def test_a_file_from_here_loads_in_pytorch(
    tmp_path: Path, names: tuple[str, ...], dtype: str
) -> None:
    """load_state_dict takes our file with strict names, the same bits, and the networks agree."""
    model = MLP(SIZES, tuple(RECORDS[name] for name in names))
    rng = np.random.default_rng(5)
    params = initialize(SIZES, INITIALIZERS["torch_linear"], rng=rng, dtype=dtype)
    save(tmp_path / "x", model, params)
    net = sequential(names, dtype)
    net.load_state_dict(load_file(tmp_path / "x"), strict=True)
    linear = [module for module in net if isinstance(module, torch.nn.Linear)]
    for layer, module in zip(params.layers, linear, strict=True):
        np.testing.assert_array_equal(layer.W.T, module.weight.detach().numpy(), strict=True)
    require_agreement(model, params, net, dtype)


@pytest.mark.parametrize("prefix", ["net", "module.layers"])
def test_a_network_within_a_module_loads(tmp_path: Path, prefix: str) -> None:
    """The prefix that a surrounding module gives its names is no obstacle."""
    net = sequential(("tanh", "relu", "identity"), "float32")
    for name in reversed(prefix.split(".")):
        outer = torch.nn.Module()
        outer.add_module(name, net)
        net = outer
    save_file(net.state_dict(), tmp_path / "x")
    assert load(tmp_path / "x", ("tanh", "relu", "identity")).model.sizes == SIZES


@pytest.mark.parametrize(("dtype", "kind"), [(torch.bfloat16, "BF16"), (torch.float16, "F16")])
def test_half_precision_is_an_error(tmp_path: Path, dtype: torch.dtype, kind: str) -> None:
    """A half-precision model is refused with the remedy, never widened in silence."""
    net = sequential(("tanh", "relu", "identity"), "float32").to(dtype)
    save_file(net.state_dict(), tmp_path / "x")
    with pytest.raises(InputError, match=f"must be F32 or F64; got {kind}; convert the model to"):
        load(tmp_path / "x", ("tanh", "relu", "identity"))
    save_file(net.float().state_dict(), tmp_path / "x")
    load(tmp_path / "x", ("tanh", "relu", "identity"))


def test_a_pickled_state_dict_is_an_error(tmp_path: Path) -> None:
    """What torch.save writes is never unpickled."""
    torch.save(sequential(("tanh", "relu", "identity"), "float32").state_dict(), tmp_path / "x")
    with pytest.raises(InputError, match="must be a whole safetensors file; got 'Error while"):
        load(tmp_path / "x", ("tanh", "relu", "identity"))
