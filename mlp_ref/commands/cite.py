"""``mlp-ref cite``: how to cite the software and the corpus."""

from __future__ import annotations

import argparse
import sys

from mlp_ref import __version__
from mlp_ref.corpus import load

__all__ = ["add_arguments", "run"]

DESCRIPTION = """\
Print BibTeX entries of the software and of the certified corpus, and one sentence that says which
numbers were used: the versions, and the digest of the corpus."""

_TEXT = """\
@software{{mlp_ref,
  author  = {{{{mlp\\_ref maintainers}}}},
  title   = {{mlp\\_ref: a numerically verified reference for multi-layer perceptrons}},
  version = {{{version}}},
  year    = {{{year}}},
  license = {{BSD-3-Clause}}
}}

@misc{{mlp_ref_corpus,
  author       = {{{{mlp\\_ref maintainers}}}},
  title        = {{mlp\\_ref: certified values for multi-layer perceptrons}},
  version      = {{{corpus}}},
  year         = {{{year}}},
  howpublished = {{conformance vectors, CC0-1.0}},
  note         = {{SHA-256 of MANIFEST.json: {sha256}}}
}}

We used mlp_ref {version} and its certified corpus {corpus} ({cases:,} cases),
SHA-256 {sha256}.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cite``: none."""


def run(args: argparse.Namespace) -> int:
    """Print, and return 0."""
    corpus = load()
    sys.stdout.write(
        _TEXT.format(
            version=__version__, corpus=corpus.version, year=corpus.version.partition(".")[0],
            sha256=corpus.sha256, cases=len(corpus.records),
        )
    )  # fmt: skip
    return 0
