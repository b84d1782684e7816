"""Exports of the corpus: every number arrives, and equal records give equal bytes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from example_records import activation, dense, records
from safetensors import safe_open

from mlp_ref.checks import InputError
from mlp_ref.corpus import load
from mlp_ref.corpus.exports import FORMATS, arrays_of, export
from mlp_ref.corpus.hexwords import to_hex
from mlp_ref.corpus.lines import lines_text
from mlp_ref.corpus.records import Generated, Record

SHA256 = "0123456789abcdef" * 4
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]


def exported(to: str, cases: list[Record], folder: Path) -> Path:
    """Write the cases into a new file."""
    path = folder / f"cases.{to}"
    export(path, to, cases, "2026.1", SHA256)
    return path


def same_bits(x: np.ndarray, y: np.ndarray) -> bool:
    """Same dtype, shape and bits."""
    return x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes()


# ------------------------------------------------------------------------------ arrays by name


def read(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """The arrays of an export, and its text."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as held:
            found = dict(held)
        return found, str(found.pop("mlp_ref"))
    with safe_open(path, "numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()["mlp_ref"]  # noqa: SIM118


@pytest.mark.parametrize("to", ["npz", "safetensors"])
def test_arrays_arrive_under_their_names(to: str, tmp_path: Path) -> None:
    """ID/input/NAME and ID/expected/NAME/PART hold the bits of the records, and nothing else."""
    found, _ = read(exported(to, records(), tmp_path))
    names = []
    for record in records():
        for name, x in record.arrays().items():
            names.append(f"{record.id}/input/{name}")
            assert same_bits(found[names[-1]], x)
        for name, q in record.expected.items():
            parts = {"hi": q.hi, "lo": q.low, "radius": q.radius, "bound64": q.bounds["float64"]}
            if "float32" in q.bounds:
                parts["bound32"] = q.bounds["float32"]
            if q.index is not None:
                parts |= {"index": q.index, "checksum": np.array(q.checksum)}
            parts |= {f"set/{k}": np.array(values) for k, values in q.sets.items()}
            for part, x in parts.items():
                names.append(f"{record.id}/expected/{name}/{part}")
                assert same_bits(found[names[-1]], x)
    assert sorted(found) == sorted(names)
    assert "dense/every-field/float32/expected/dW/index" in names
    assert "activation/every-field/relu/float64/expected/dx/set/0" in names


@pytest.mark.parametrize("to", ["npz", "safetensors"])
def test_what_is_no_array_arrives_as_json(to: str, tmp_path: Path) -> None:
    """Version, digest, and of each case all that is no array."""
    cases = [*records(), replace(activation(), id="activation/more/float64", note='"\\ ??/')]
    _, text = read(exported(to, cases, tmp_path))
    facts = json.loads(text)
    assert (facts["corpus"], facts["sha256"]) == ("2026.1", SHA256)
    assert list(facts["cases"]) == [record.id for record in cases]
    for record in cases:
        case = facts["cases"][record.id]
        for key in ("operation", "arithmetic", "note", "since", "difficulty", "rejects"):
            assert case[key] == getattr(record, key)
        assert case["flags"] == list(record.flags)
        assert case["parameters"] == record.parameters
        shapes = {
            name: (tuple(q["shape"]), q["signed_zeros"]) for name, q in case["expected"].items()
        }
        assert shapes == {name: (q.shape, q.signed_zeros) for name, q in record.expected.items()}


def test_arrays_are_those_of_the_corpus() -> None:
    """Every stored number of the corpus is in an export, and every id a prefix."""
    corpus = load("dense")
    found = arrays_of(corpus.records)
    assert {name.rpartition("/input/")[0] for name in found if "/input/" in name} == {
        record.id for record in corpus.records
    }
    stored = sum(q.hi.size for record in corpus.records for q in record.expected.values())
    assert sum(x.size for name, x in found.items() if name.endswith("/hi")) == stored


# ------------------------------------------------------------------------------------- any format


@pytest.mark.parametrize("to", FORMATS)
def test_equal_records_give_equal_bytes(
    to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any time, in any folder, and over an older file."""
    first = exported(to, records(), tmp_path).read_bytes()
    monkeypatch.setattr("time.time", lambda: 2e9)
    (tmp_path / "other").mkdir()
    assert exported(to, records(), tmp_path / "other").read_bytes() == first
    assert exported(to, records()[:1], tmp_path).read_bytes() != first
    assert exported(to, records(), tmp_path).read_bytes() == first


@pytest.mark.parametrize("to", FORMATS)
def test_a_folder_that_does_not_exist_is_refused(to: str, tmp_path: Path) -> None:
    """In one line, that names the file."""
    with pytest.raises(InputError, match=r"no/x' must be a file that can be written; got 'No such"):
        export(tmp_path / "no" / "x", to, records(), "2026.1", SHA256)


def test_another_format_is_refused(tmp_path: Path) -> None:
    """The formats are named."""
    with pytest.raises(
        InputError, match=r"^the format must be one of npz, safetensors, lines, c-h"
    ):
        export(tmp_path / "x", "csv", records(), "2026.1", SHA256)
    assert not list(tmp_path.iterdir())


def test_lines_are_written_as_they_are(tmp_path: Path) -> None:
    """No line end is translated."""
    path = exported("lines", records(), tmp_path)
    assert path.read_bytes() == lines_text(records(), "2026.1", SHA256).encode("ascii")


# ------------------------------------------------------------------------------------ the C header

DUMP = r"""
#include <inttypes.h>
#include <stdio.h>
#include "cases.c-header"

static void words(const char *name, const uint64_t *w, long n) {
    if (!w) return;
    printf("%s", name);
    for (long k = 0; k < n; k++) printf(" %016" PRIx64, w[k]);
    printf("\n");
}

int main(void) {
    printf("%s %s\n", MLP_REF_CORPUS, MLP_REF_SHA256);
    for (int c = 0; c < mlp_ref_n_cases; c++) {
        const mlp_ref_case *q = &mlp_ref_cases[c];
        printf("%s|%s|%s|%s|%s|%s|%d\n", q->id, q->operation, q->arithmetic, q->note,
               q->parameters, q->rejects, q->difficulty);
        for (int i = 0; i < q->n_inputs; i++) {
            const mlp_ref_input *x = &q->inputs[i];
            long n = x->shape[0] * x->shape[1];
            printf("%s %s %d %ld %ld\n", x->name, x->dtype, x->rank, x->shape[0], x->shape[1]);
            words("words", x->words, n);
            for (long k = 0; x->modulus && k < n; k++)
                printf("%a\n", mlp_ref_generated(x, (uint64_t)k));
        }
        for (int i = 0; i < q->n_expected; i++) {
            const mlp_ref_expected *e = &q->expected[i];
            printf("%s %d %ld %ld %ld %d\n", e->name, e->rank, e->shape[0], e->shape[1], e->count,
                   e->signed_zeros);
            for (long k = 0; e->index && k < e->count; k++) printf("%ld\n", e->index[k]);
            words("hi", e->hi, e->count);
            words("lo", e->lo, e->count);
            words("radius", e->radius, e->count);
            words("bound64", e->bound64, e->count);
            words("bound32", e->bound32, e->count);
            words("checksum", e->checksum, 1);
            for (int s = 0; s < e->n_sets; s++) {
                printf("%ld %ld ", e->sets[s].index, e->sets[s].count);
                words("set", e->sets[s].words, e->sets[s].count);
            }
        }
    }
    return 0;
}
"""


def words(name: str, x: np.ndarray) -> str:
    """A line of 64-bit words."""
    text = to_hex(x if x.dtype.kind == "i" else x.astype(np.float64))
    return " ".join([name, *(text[k : k + 16] for k in range(0, len(text), 16))])


def sizes(shape: tuple[int, ...]) -> str:
    """Rank, and two sizes."""
    return " ".join(map(str, (len(shape), *(*shape, 1, 1)[:2])))


def dump(record: Record) -> Iterator[str]:
    """What DUMP prints of a case."""
    q = record
    yield "|".join(
        (q.id, q.operation, q.arithmetic, q.note, json.dumps(q.parameters), q.rejects,
         str(q.difficulty))
    )  # fmt: skip
    for name, x in q.inputs.items():
        dtype = q.arithmetic if isinstance(x, Generated) else x.dtype.name
        yield f"{name} {dtype} {sizes(x.shape)}"
        if isinstance(x, Generated):
            yield from (float(v).hex() for v in x.array().flat)
        elif x.size:
            yield words("words", x)
    for name, e in q.expected.items():
        yield f"{name} {sizes(e.shape)} {e.hi.size} {int(e.signed_zeros)}"
        yield from map(str, [] if e.index is None else e.index)
        yield words("hi", e.hi)
        yield words("lo", e.low)
        yield words("radius", e.radius)
        yield from (words(f"bound{key[-2:]}", bound) for key, bound in e.bounds.items())
        if e.checksum is not None:
            yield words("checksum", np.array(e.checksum))
        for k, values in e.sets.items():
            yield f"{k} {len(values)} " + words("set", np.array(values))


def compiler() -> str:
    """A C compiler; skips the test where there is none."""
    found = shutil.which("gcc") or shutil.which("cc")
    return found or pytest.skip("there is no C compiler")


def as_python_writes(line: str) -> str:
    """A number that C wrote with %a, as Python does; other lines as they are."""
    return float.fromhex(line).hex() if line.lstrip("-").startswith("0x") else line


def test_a_strict_compiler_reads_every_number_of_the_header(tmp_path: Path) -> None:
    """A program of C99, compiled without a warning, prints back all that the records hold."""
    cases = [*records(), replace(dense(), id="dense/more/float32", note='"quotes", \\ and ??/')]
    exported("c-header", cases, tmp_path)
    (tmp_path / "dump.c").write_text(DUMP, "ascii")
    command = [compiler(), *STRICT, "dump.c", "-o", "dump"]
    subprocess.run(command, cwd=tmp_path, check=True)
    out = subprocess.run([tmp_path / "dump"], check=True, capture_output=True, text=True).stdout
    found = [as_python_writes(line) for line in out.splitlines()]
    assert found == [f"2026.1 {SHA256}", *(line for record in cases for line in dump(record))]


@pytest.mark.parametrize("operation", [None, "loss"])
def test_a_strict_compiler_takes_the_corpus(operation: str | None, tmp_path: Path) -> None:
    """The whole of it, and one operation; also where nothing of it is used."""
    corpus = load(operation)
    export(tmp_path / "all.h", "c-header", corpus.records, corpus.version, corpus.sha256)
    (tmp_path / "all.c").write_text('#include "all.h"\nint main(void) { return 0; }\n', "ascii")
    subprocess.run([compiler(), *STRICT, "-fsyntax-only", "all.c"], cwd=tmp_path, check=True)


def test_a_header_without_cases_compiles(tmp_path: Path) -> None:
    """No array of C99 is empty, so that this is a case of its own."""
    exported("c-header", [], tmp_path)
    (tmp_path / "dump.c").write_text(DUMP, "ascii")
    command = [compiler(), *STRICT, "dump.c", "-o", "dump"]
    subprocess.run(command, cwd=tmp_path, check=True)
    out = subprocess.run([tmp_path / "dump"], check=True, capture_output=True, text=True).stdout
    assert out == f"2026.1 {SHA256}\n"
