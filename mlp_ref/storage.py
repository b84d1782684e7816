"""Model files: safetensors, with the names and the layout of a PyTorch nn.Sequential state_dict.

Layer l of a network is module i of the sequence: tensor ``i.weight`` (n_out, n_in), the transpose
of W, and ``i.bias`` (n_out,). An activation is a module of its own and takes one number, the
identity takes none: (tanh, identity) gives 0.weight, 0.bias, 2.weight, 2.bias.

The header has the one key ``mlp_ref``: JSON with the version of this format, the names of the
activations, the user's metadata, and a SHA-256 digest of these and all parameters, so that a
flipped bit is noticed. Equal models give equal bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from mlp_ref.activations import ACTIVATIONS, IDENTITY, Activation
from mlp_ref.arithmetic import Array
from mlp_ref.checks import describe, fail, lookup
from mlp_ref.files import PathName, quote
from mlp_ref.model import MLP
from mlp_ref.parameters import Params
from mlp_ref.softmax import LOG_SOFTMAX, SOFTMAX
from mlp_ref.tensors import DTYPES, read_tensors, seal, unseal, write_tensors

__all__ = ["Stored", "load", "save"]

_KEY, _FORMAT = "mlp_ref", 1
_NAME = re.compile(r"(.*?)(0|[1-9][0-9]*)\.(weight|bias)", re.DOTALL)
_RECORDS: Mapping[str, Activation] = MappingProxyType(
    {**ACTIVATIONS, SOFTMAX.name: SOFTMAX, LOG_SOFTMAX.name: LOG_SOFTMAX}
)


class Stored(NamedTuple):
    """What a model file holds."""

    model: MLP
    params: Params
    metadata: dict[str, Any]


def save(
    path: PathName, model: MLP, params: Params, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write a network to a safetensors file that PyTorch and JAX can read too.

    Every bit of every parameter is kept. ``metadata`` is any mapping that JSON keeps unchanged:
    strings, numbers, lists, and mappings with strings as keys. The file is replaced as a whole.

    Raises `InputError` if the parameters have not the sizes of the model or are complex, if an
    activation bears the name but is not the record of the library's, if JSON would change the
    metadata, or if the file cannot be written.
    """
    if params.sizes != model.sizes or params.dtype not in DTYPES.values():
        fail(
            f"parameters must be float32 or float64 and have the sizes {model.sizes}",
            f"{params.dtype} and sizes {params.sizes}", "initialize them with model.sizes",
        )  # fmt: skip
    for f in model.activations:
        if _RECORDS.get(f.name, f) != f:
            fail(
                f"an activation named {f.name!r} must be the library's", describe(f),
                "give your own record a name of its own",
            )  # fmt: skip
    tensors: dict[str, Array] = {}
    index = 0
    for layer, f in zip(params.layers, model.activations, strict=True):
        tensors |= {f"{index}.weight": layer.W.T, f"{index}.bias": layer.b}
        index += 1 if f == IDENTITY else 2
    entry = {
        "activations": [f.name for f in model.activations],
        "metadata": dict(metadata or {}),
    }
    write_tensors(path, tensors, {_KEY: seal(entry, _FORMAT, tensors)})


def load(
    path: PathName,
    activations: Sequence[str | Activation] | None = None,
    *,
    allow_nonfinite: bool = False,
) -> Stored:
    """Read a network: (model, parameters, metadata), with parameters of the dtype in the file.

    The tensors are named ``N.weight`` (n_out, n_in) and ``N.bias`` (n_out,), all with the same
    prefix before N (as in ``net.0.weight``, ``fc1.weight``), in the order of the numbers N.
    ``activations`` gives one name or record per layer. A file that `save` wrote knows its own; a
    plain state_dict does not, and needs them. Metadata of such a file are its header entries.

    Raises `InputError` if the file is missing, truncated, damaged, or of a newer format, if its
    tensors are not a chain of layers of one dtype, float32 or float64, if a parameter is not finite
    (unless ``allow_nonfinite``), or if the activations are missing, unknown, too many or too few.
    """
    tensors, header = read_tensors(path)
    params = _assemble(path, tensors)
    entry = None
    if _KEY in header:
        kinds = {"activations": list, "metadata": dict}
        entry = unseal(path, header[_KEY], _FORMAT, tensors, kinds)
    stored = None if entry is None else entry["activations"]
    records = _resolve(path, stored, activations, len(params.layers))
    if not allow_nonfinite:
        _require_finite(path, tensors)
    metadata = dict(header) if entry is None else entry["metadata"]
    return Stored(MLP(params.sizes, records), params, metadata)


def _assemble(path: PathName, tensors: Mapping[str, Array]) -> Params:
    """Check names, shapes and dtypes, and put the layers into one vector."""
    found: dict[int, dict[str, Array]] = {}
    prefixes: set[str] = set()
    for name, tensor in tensors.items():
        match = _NAME.fullmatch(name)
        prefixes.add(match[1] if match else "")
        if match is None or len(prefixes) > 1:
            fail(
                f"the tensors of {quote(path)} must be named N.weight and N.bias after one prefix",
                repr(name), "save the state_dict of an nn.Sequential of Linear layers",
            )  # fmt: skip
        found.setdefault(int(match[2]), {})[match[3]] = tensor
    layers: list[tuple[Array, Array]] = []
    for number, parts in sorted(found.items()):
        W, b = (parts.get(part, np.zeros(())) for part in ("weight", "bias"))
        kind, n_in = (layers[0][0].dtype, len(layers[-1][1])) if layers else (W.dtype, "n_in")
        if (
            W.ndim != 2 or W.size == 0 or b.shape != W.shape[:1] or n_in not in ("n_in", W.shape[1])
            or {W.dtype, b.dtype} != {kind}
        ):  # fmt: skip
            held = " and ".join(f"{part} {describe(parts[part])}" for part in sorted(parts))
            fail(
                f"layer {number} of {quote(path)} must have weight (n_out, {n_in}) and bias "
                f"(n_out,) of dtype {kind}",
                held, "keep Linear layers only, and give each a bias",
            )  # fmt: skip
        layers.append((W.T, b))
    if not layers:
        fail(f"{quote(path)} must hold at least one layer", "no tensor", "save the model again")
    return Params.from_layers(layers)


def _resolve(
    path: PathName, stored: list[str] | None, given: Sequence[str | Activation] | None, count: int
) -> tuple[Activation, ...]:
    """The activations that the file names, or the caller, or both if they agree."""
    chosen = stored if given is None else given
    if isinstance(chosen, str) or not isinstance(chosen, Sequence):
        fail(
            f"{quote(path)} must come with the activations of its {count} layers",
            "none" if chosen is None else describe(chosen),
            "name one per layer: activations=('relu', 'identity'), --activations relu,identity",
        )  # fmt: skip
    names = tuple(f if isinstance(f, str) else getattr(f, "name", None) for f in chosen)
    if len(names) != count:
        fail(
            f"{quote(path)} must have {count} activations, one per layer", describe(names),
            "name them from the first layer to the last, 'identity' where there is none",
        )  # fmt: skip
    if stored is not None and names != tuple(stored):
        fail(
            f"the activations of {quote(path)} must be {', '.join(map(str, stored))}, as recorded",
            describe(names), "leave activations out",
        )  # fmt: skip
    return tuple(_record(f) for f in chosen)


def _record(f: str | Activation) -> Activation:
    if not isinstance(f, str):
        return f
    remedy = "correct the name, or pass your own record in activations=(...)"
    return lookup("an activation", f, _RECORDS, remedy)


def _require_finite(path: PathName, tensors: Mapping[str, Array]) -> None:
    for name, tensor in tensors.items():
        for index in np.argwhere(~np.isfinite(tensor))[:1]:
            place = tuple(int(k) for k in index)
            fail(
                f"the parameters of {quote(path)} must be finite",
                f"{tensor[place]} in {name} at {list(place)}",
                "lower the learning rate, or read them by load(..., allow_nonfinite=True)",
            )  # fmt: skip
