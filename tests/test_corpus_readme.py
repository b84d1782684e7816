"""conformance/README.md, the contract, knows every name that the corpus and the code know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from example_records import records

import mlp_ref
from mlp_ref.activations import ACTIVATIONS
from mlp_ref.corpus import load
from mlp_ref.corpus.encoding import encode_case
from mlp_ref.corpus.folder import FORMAT, MANIFEST
from mlp_ref.corpus.names import METHODS, tensors_of
from mlp_ref.losses import LOSSES

CONFORMANCE = Path(mlp_ref.__file__).parents[1] / "conformance"
PAGE = (CONFORMANCE / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", [*ACTIVATIONS, *LOSSES, *METHODS, MANIFEST, f"`format`: {FORMAT}"])
def test_every_name_is_explained(name: str) -> None:
    """Functions, losses and methods."""
    assert re.search(rf"(?<!\w){re.escape(name)}(?!\w)", PAGE)


def test_every_key_is_explained() -> None:
    """Keys of cases, tensors and generators."""
    keys: set[str] = set()
    for record in records():
        case = encode_case(record)
        keys |= set(case)
        for tensor in (*case["inputs"].values(), *case.get("expected", {}).values()):
            keys |= {*tensor, *tensor.get("generator", {})}
    assert {key for key in keys if f"`{key}`" not in PAGE and f'"{key}"' not in PAGE} == set()


def test_every_tensor_is_explained() -> None:
    """Names of inputs and results of every operation."""
    every = (tensors_of(r.operation, r.parameters) for r in load().records)
    for name in sorted({name for tensors in every for part in tensors for name in part}):
        stem = re.sub(r"[0-9]+$", "", name)
        assert re.search(rf"(?<!\w)({name}|{stem}0|{stem}_?k)(?!\w)", PAGE), name


def test_links_lead_somewhere() -> None:
    """Files exist, and so do the headings."""
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (CONFORMANCE / link).exists(), link
    headings = {h.lower().replace(" ", "-") for h in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings
