"""Drafts: every case of the corpus before its values are certified, built from code.

A draft is a `Record` without expected values, provenance and version. The order is fixed, and the
same bits come out on every machine; `draw` says how.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlp_ref.certify.drafts.activation import activation_drafts
from mlp_ref.certify.drafts.dense import dense_drafts
from mlp_ref.certify.drafts.loss import loss_drafts
from mlp_ref.certify.drafts.mlp import mlp_drafts
from mlp_ref.certify.drafts.mlp_edges import mlp_edge_drafts
from mlp_ref.certify.drafts.optimizer import optimizer_drafts
from mlp_ref.certify.drafts.rejects import reject_drafts
from mlp_ref.certify.drafts.softmax import softmax_drafts
from mlp_ref.certify.drafts.train_step import CHAIN, train_step_drafts
from mlp_ref.corpus.records import Record

__all__ = ["CHAIN", "drafts"]


def drafts() -> Iterator[Record]:
    """Every draft, operation by operation."""
    yield from activation_drafts()
    yield from dense_drafts()
    yield from softmax_drafts()
    yield from loss_drafts()
    yield from mlp_drafts()
    yield from mlp_edge_drafts()
    yield from optimizer_drafts()
    yield from train_step_drafts()
    yield from reject_drafts()
