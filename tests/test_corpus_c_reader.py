"""The reader in C, written from the contract alone: it agrees, and it notices what is wrong."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mlp_ref.corpus import load
from mlp_ref.corpus.lines import lines_text
from mlp_ref.corpus.records import Generated

CONFORMANCE = Path(__file__).parents[1] / "conformance"
SOURCE = CONFORMANCE / "readers" / "dense.c"
CORPUS = load(folder=CONFORMANCE / "vectors")
RECORDS = [record for record in CORPUS.records if record.operation == "dense"]
CASES = sum(not record.rejects for record in RECORDS)
NUMBERS = sum(q.hi.size for record in RECORDS for q in record.expected.values())
TEXT = lines_text(RECORDS, CORPUS.version, CORPUS.sha256)


def compiled(folder: Path, *flags: str, source: Path = SOURCE) -> Path:
    """The reader, or another program, built by the compiler of the machine without a warning."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        reason = "a C compiler, gcc or cc, must be there to test the reader in C; got none"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    program = folder / source.stem
    always = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off")
    command = [compiler, *always, *flags, "-o", str(program), str(source), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader at -O2."""
    return compiled(tmp_path_factory.mktemp("reader"), "-O2")


def run(program: Path, text: str, folder: Path) -> tuple[int, str]:
    """Exit status and output on a file with that text."""
    file = folder / "dense.txt"
    file.write_text(text, "ascii")
    done = subprocess.run([program, file], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def verdict(wrong: int) -> str:
    """What it prints of the whole corpus."""
    return f"{CASES} cases, {NUMBERS} numbers, {wrong} wrong\n"


def test_it_is_short() -> None:
    """Under 80 lines, of at most 100 characters."""
    lines = SOURCE.read_text("ascii").splitlines()
    assert len(lines) < 80
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("level", ["-O0", "-O2", "-O3"])
def test_every_dense_case_passes(level: str, tmp_path: Path) -> None:
    """All cases and all stored numbers, float64 and float32, at every level of optimization."""
    assert run(compiled(tmp_path, level), TEXT, tmp_path) == (0, verdict(0))


def test_other_operations_are_passed_over(reader: Path, tmp_path: Path) -> None:
    """The whole corpus in one file gives the same; a file without dense cases proves nothing."""
    others = [record for record in CORPUS.records if record.operation != "dense"][::20]
    mixed = lines_text([*others, *RECORDS, *others], CORPUS.version)
    assert run(reader, mixed, tmp_path) == (0, verdict(0))
    assert run(reader, lines_text(others, CORPUS.version), tmp_path)[0] == 2


def number(word: str) -> float:
    """The float64 of a word."""
    return float(np.array(int(word, 16), np.uint64).view(np.float64))


def flipped(line: str, rng: random.Random) -> str | None:
    """The row with another digit in hi, or None if that may pass: the bound allows as much."""
    fields = line.split(" ")
    k = rng.randrange(16)
    digit = rng.choice([d for d in "0123456789abcdef" if d != fields[1][k]])
    wrong = fields[1][:k] + digit + fields[1][k + 1 :]
    bound = number(fields[4 if fields[5] == "-" else 5])
    # What is computed is right, so it lies as far away as that on the other side at most.
    allowed = 2 * (bound + number(fields[3])) + abs(number(fields[2]))
    if abs(number(wrong) - number(fields[1])) <= allowed * (1 + 2**-20):
        return None
    return " ".join([fields[0], wrong, *fields[2:]])


def test_a_flipped_digit_is_noticed(reader: Path, tmp_path: Path) -> None:
    """One digit of hi at 50 random places, each more than the bound: exactly one number is wrong.

    Among them are float64 and float32 cases, and tensors that are stored in part.
    """
    rng = random.Random(20261)
    lines = TEXT.splitlines()
    rows = [k for k, line in enumerate(lines) if line.count(" ") == 5 and line[0].isdigit()]
    done = 0
    while done < 50:
        k = rng.choice(rows)
        row = flipped(lines[k], rng)
        if row is not None:
            text = "\n".join([*lines[:k], row, *lines[k + 1 :]]) + "\n"
            assert run(reader, text, tmp_path) == (1, verdict(1)), (lines[k], row)
            done += 1


def test_a_wrong_checksum_is_noticed(reader: Path, tmp_path: Path) -> None:
    """An entry that is not stored is checked too."""
    lines = TEXT.splitlines()
    for k, line in enumerate(lines):
        if line.startswith("checksum"):
            _, name, word = line.split()
            text = "\n".join([*lines[:k], f"checksum {name} {word[:-1]}1", *lines[k + 1 :]])
            assert run(reader, text, tmp_path) == (1, verdict(1))
            return
    pytest.fail("the corpus must have a dense tensor that is stored in part")


@pytest.mark.parametrize("word", ["7ff8000000000000", "7ff0000000000000", "fff0000000000000"])
def test_what_is_not_finite_is_no_number(word: str, reader: Path, tmp_path: Path) -> None:
    """A finite result does not pass where NaN or an infinity is expected."""
    lines = TEXT.splitlines()
    k = next(k for k, line in enumerate(lines) if line.count(" ") == 5 and line[0].isdigit())
    fields = lines[k].split(" ")
    lines[k] = " ".join([fields[0], word, *fields[2:]])
    assert run(reader, "\n".join(lines), tmp_path) == (1, verdict(1))


def test_nan_does_not_pass_as_a_number(reader: Path, tmp_path: Path) -> None:
    """x of NaN makes NaN of results that are expected to be finite."""
    lines = TEXT.splitlines()
    k = next(k for k, line in enumerate(lines) if line.startswith("input x"))
    lines[k + 1] = "7ff8000000000000"
    status, text = run(reader, "\n".join(lines), tmp_path)
    assert status == 1
    assert " 0 wrong" not in text


def test_a_truncated_file_is_unreadable(reader: Path, tmp_path: Path) -> None:
    """Wherever it is cut, but for the last line end: status 2, and no verdict."""
    rng = random.Random(3)
    cuts = [0, 1, 5, 20, len(TEXT) - 2, len(TEXT) - 4, len(TEXT) - 5, len(TEXT) // 2]
    for cut in cuts + [rng.randrange(len(TEXT) - 2) for _ in range(60)]:
        assert run(reader, TEXT[:cut], tmp_path) == (2, ""), cut
    assert run(reader, TEXT[:-1], tmp_path) == (0, verdict(0))


@pytest.mark.parametrize(
    "text", ["", "mlp_ref-vectors 2 2026.1 0 -\n", "{}", "mlp_ref-vectors 1 2026.1 0 -\n"]
)
def test_another_format_is_unreadable(text: str, reader: Path, tmp_path: Path) -> None:
    """Empty, another version, JSON, no cases."""
    assert run(reader, text, tmp_path)[0] == 2


def test_a_missing_file_is_unreadable(reader: Path, tmp_path: Path) -> None:
    """Status 2, as without an argument."""
    assert subprocess.run([reader, tmp_path / "none"], check=False).returncode == 2
    assert subprocess.run([reader], check=False).returncode == 2


def test_the_commands_in_its_head_are_those_that_work(tmp_path: Path) -> None:
    """The comment tells how to compile and run it."""
    head = SOURCE.read_text("ascii").split("*/")[0]
    assert "cc -std=c99 -O2 -ffp-contract=off -o dense dense.c -lm && ./dense dense.txt" in head
    assert "mlp-ref vectors export --operation dense --to lines -o dense.txt" in head


def test_the_generator_of_the_contract_is_that_of_the_corpus(tmp_path: Path) -> None:
    """The function in README.md, as it stands there, gives every generated input bit for bit."""
    text = (CONFORMANCE / "README.md").read_text("utf-8")
    (function,) = re.findall(r"```c\n(void generate.*?)```", text, re.DOTALL)
    recipes = {
        (x.shape, x.seed, x.modulus, x.offset, x.scale): x
        for record in CORPUS.records
        for x in record.inputs.values()
        if isinstance(x, Generated)
    }.values()
    recipes = [*recipes, Generated((5,), 2**64 - 1), Generated((3,), 9, 1 << 20, -7, 2.0**-9)]
    source = tmp_path / "generate.c"
    calls = "".join(
        f"show({np.prod(x.shape)}, UINT64_C({x.seed}), {x.modulus}, {x.offset}, {x.scale!r});\n"
        for x in recipes
    )
    source.write_text(
        f"""#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
{function}
static double x[1 << 18];
static void show(size_t n, uint64_t seed, int64_t modulus, int64_t offset, double scale) {{
    generate(x, n, seed, modulus, offset, scale);
    fwrite(x, sizeof *x, n, stdout);
}}
int main(void) {{
{calls}return 0;
}}
"""
    )
    done = subprocess.run([compiled(tmp_path, source=source)], capture_output=True, check=True)
    expected = np.concatenate([x.array().reshape(-1) for x in recipes])
    assert np.array_equal(np.frombuffer(done.stdout), expected)
