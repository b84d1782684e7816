"""Write the certified corpus, or prove that it can be written again.

    python conformance/make_vectors.py            writes conformance/vectors and conformance/ids.txt
    python conformance/make_vectors.py --check    regenerates it in memory: every byte must be the
                                                  same, and with 64 bits more every word

Needs the extra certify. Nothing is written unless every case is decided and confirmed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from mlp_ref.certify.build import VERSION, build
from mlp_ref.corpus.folder import files_of, write
from mlp_ref.corpus.history import updated_history
from mlp_ref.corpus.records import Record
from mlp_ref.files import atomic_path

ROOT = Path(__file__).parent
VECTORS, HISTORY = ROOT / "vectors", ROOT / "ids.txt"
EXTRA_BITS = 64


def say(text: str) -> None:
    """Progress, where somebody looks at it."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{text:78.78}")


def write_all() -> None:
    """Write the vectors and append to the history."""
    records = build(say=say)
    VECTORS.mkdir(exist_ok=True)
    write(VECTORS, VERSION, records)
    before = HISTORY.read_text("ascii").splitlines() if HISTORY.exists() else []
    with atomic_path(HISTORY) as temporary:
        temporary.write_text("\n".join(updated_history(before, records)) + "\n", "ascii")
    print(f"{len(records):,} cases written")


def same_words(record: Record, other: Record) -> bool:
    """Whether all words and radii are the same, bit for bit."""
    return record.expected.keys() == other.expected.keys() and all(
        np.array_equal(getattr(q, part).view(np.uint64), getattr(p, part).view(np.uint64))
        for q, p in zip(record.expected.values(), other.expected.values(), strict=True)
        for part in ("hi", "low", "radius")
    )


def check_all() -> int:
    """Regenerate and compare; 1 if anything differs."""
    records = build(say=say)
    wrong = [
        f"{name} is not what is regenerated"
        for name, blob in files_of(VERSION, records).items()
        if not (VECTORS / name).is_file() or (VECTORS / name).read_bytes() != blob
    ]
    more = build(extra_bits=EXTRA_BITS, confirm=False, say=say)
    wrong += [
        f"{record.id} has other words with {EXTRA_BITS} bits more"
        for record, other in zip(records, more, strict=True)
        if not same_words(record, other)
    ]
    print("\n".join(wrong) or f"{len(records):,} cases: every byte, and every word, is the same")
    return int(bool(wrong))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if parser.parse_args().check:
        raise SystemExit(check_all())
    write_all()
