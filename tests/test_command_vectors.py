"""``mlp-ref vectors``: what it lists, shows and exports, and what it refuses."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
from example_records import activation, dense, records, step

from mlp_ref.cli import main
from mlp_ref.commands import vectors
from mlp_ref.corpus import Corpus, load, write
from mlp_ref.corpus.exports import FORMATS, export
from mlp_ref.corpus.records import OPERATIONS

WIDTH = 80


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """The corpus itself."""
    return load()


@pytest.fixture(autouse=True)
def _a_folder_of_few_cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("few").mkdir()
    write("few", "2026.1", records())


def run(arguments: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that ``mlp-ref vectors`` prints."""
    assert main(["vectors", *shlex.split(arguments)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


# ------------------------------------------------------------------------------------------- list


def test_a_line_per_case_and_counts(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    """Difficulty, stored entries, id and flags of every case; then the sums."""
    head, *lines = run("list", capsys)
    assert head.split() == ["level", "entries", "id", "flags"]
    total = 0
    for line, record in zip(lines, corpus.records, strict=False):
        level, entries, name, *flags = line.split()
        count = sum(q.hi.size for q in record.expected.values())
        assert (int(level), name, tuple(flags)) == (record.difficulty, record.id, record.flags)
        assert entries == (f"{count:,}" if count else "rejects")
        total += count
    blank, counts, operations, levels = lines[len(corpus.records) :]
    assert blank == ""
    assert counts == f"{len(corpus.records):,} cases, {total:,} certified entries, corpus 2026.1"
    numbers = [int(n) for n in re.findall(r" (\d+)(?:,|$)", operations)]
    assert sum(numbers) == len(corpus.records)
    assert all(name in operations for name in OPERATIONS)
    assert sum(map(int, re.findall(r": (\d+)", levels))) == len(corpus.records)


def test_a_list_of_few(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole of it, for a small folder."""
    assert run("list --vectors few", capsys) == [
        "level  entries  id                                   flags",
        "    3       12  activation/every-field/relu/float64  Kink SignedZero",
        "    1       21  dense/every-field/float32",
        "    1  rejects  loss/rejects/labels/float32          MustReject",
        "    2        6  optimizer/every-field/adam/float64",
        "",
        "4 cases, 39 certified entries, corpus 2026.1",
        "  activation 1, dense 1, loss 1, optimizer 1",
        "  level 1: 2, level 2: 1, level 3: 1",
    ]


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        ("--operation dense", ["dense/every-field/float32"]),
        ("--only '*/float64'", [activation().id, step().id]),
        ("--flag Kink", [activation().id]),
        ("--only 'd*' --operation dense", [dense().id]),
    ],
)
def test_cases_are_chosen(options: str, ids: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """By operation, by a pattern for the id, by flag, and by all of them at once."""
    lines = run(f"list --vectors few {options}", capsys)
    assert [line.split()[2] for line in lines[1 : lines.index("")]] == ids


def test_no_line_is_longer_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal flags are cut; in a pipe nothing is."""
    full = run("list --operation dense", capsys)
    assert max(map(len, full)) > WIDTH
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run("list --operation dense", capsys) == [line[:WIDTH] for line in full]


def test_neither_list_nor_show_needs_an_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The base install has no rich."""
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert len(run("list --vectors few", capsys)) == 9
    assert run(f"show {step().id} --vectors few", capsys)[0] == step().id


# ----------------------------------------------------------------------------------------- export


@pytest.mark.parametrize("to", FORMATS)
def test_an_export_holds_the_chosen_cases(to: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Byte for byte what `export` writes, and the line says how many cases there are."""
    few = load(folder="few")
    options = f"--vectors few --to {to} -o out"
    assert run(f"export {options}", capsys) == ["out holds 4 cases"]
    export("expected", to, few.records, few.version, few.sha256)
    assert Path("out").read_bytes() == Path("expected").read_bytes()
    assert run(f"export {options} --only 'dense/*'", capsys) == ["out holds 1 case"]
    export("expected", to, few.records[1:2], few.version, few.sha256)
    assert Path("out").read_bytes() == Path("expected").read_bytes()


def test_the_formats_are_those_that_can_be_written() -> None:
    """The command names them without importing what writes them."""
    assert tuple(FORMATS) == vectors._FORMATS


def test_the_examples_of_the_help_work(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line of the description that is a command."""
    examples = re.findall(r"mlp-ref vectors (.+)", vectors.DESCRIPTION)
    assert [example.split()[0] for example in examples] == ["list", "show", "export"]
    for example in examples:
        assert run(example.removesuffix('"""'), capsys)


# ---------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("", "the following arguments are required: ACTION; see mlp-ref vectors --help"),
        ("list --operation conv", "operation must be one of activation, dense, softmax, log_sof"),
        ("list --flag Odd", "--flag must be one of Accumulator, Bfloat16, "),
        (
            "list --only nothing --vectors few",
            "a case must match; got --only 'nothing'; see mlp-ref vectors list",
        ),
        (
            "list --vectors few --operation dense --flag Kink",
            "a case must match; got --operation 'dense', --flag 'Kink'; see mlp-ref vectors list",
        ),
        (
            "list --vectors few --operation mlp",
            "a case must match; got --operation 'mlp'; see mlp-ref vectors list",
        ),
        (
            "show dense/every-fields/float32 --vectors few",
            "the id must be that of a case; got 'dense/every-fields/float32'; choose one, such as ",
        ),
        (
            "show relu --vectors few",
            "the id must be that of a case; got 'relu'; choose one, such as activation/every-",
        ),
        ("show mlp/x --vectors few", "the id must be that of a case; got 'mlp/x'; see mlp-ref vec"),
        ("export --to csv -o out", "--to must be one of npz, safetensors, lines, c-header; got 'c"),
        ("export --to npz", "the following arguments are required: -o/--output; see mlp-ref vect"),
        ("export --to npz -o no/out", "'no/out' must be a file that can be written; got 'No such"),
        ("export --to npz -o few", "'few' must be a regular file; got a folder or a device;"),
        (
            "export --to npz -o out --only x --vectors few",
            "a case must match; got --only 'x'; see mlp-ref",
        ),
        (
            "export --to npz -o few/dense.json --vectors few",
            "-o must not be a file that is read; got 'few/dense.json'; choose another name",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(
    arguments: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The invariant, what arrived, the remedy; status 2, and no file."""
    before = {file: file.read_bytes() for file in Path().rglob("*") if file.is_file()}
    assert main(["vectors", *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"mlp-ref: error: {text}")
    assert err.count("\n") == 1
    assert {file: file.read_bytes() for file in Path().rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("arguments", ["list", "show x", "export --to lines -o out"])
def test_a_damaged_corpus_has_a_status_of_its_own(
    arguments: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """4: nothing of it is listed, shown or exported, whichever file is damaged."""
    file = Path("few/loss.json")
    file.write_text(file.read_text("ascii").replace("no row", "no low"), "ascii")
    assert main(["vectors", *arguments.split(), "--vectors", "few"]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert "loss.json' must have the SHA-256 digest in the manifest" in err
    assert not Path("out").exists()
