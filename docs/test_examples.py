"""Every example in README.md and docs/ runs and prints what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from examples import SHOWN, Block, blocks, run_console, run_python, write_file

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_examples_of_a_page(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From top to bottom, every Python block runs and every command prints what stands below it."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    left_out = []
    for block in blocks(page):
        if block.kind not in SHOWN | {"python", "console"}:
            pytest.fail(f"{page}:{block.line}: {block.kind!r} is neither run nor shown on purpose")
        if not block.available:
            left_out.append(f"line {block.line} needs {', '.join(block.needs)}")
        elif block.file:
            write_file(block, tmp_path)
        elif block.kind == "python":
            run_python(block, names)
        elif block.kind == "console":
            run_console(block, tmp_path)
    if left_out:
        pytest.skip(f"all others ran, but {'; '.join(left_out)}")


def test_pages_that_need_pytorch_are_run_where_it_is() -> None:
    """tox's conformance environment names them; everything else runs without it."""
    needing = [page.stem for page in PAGES if any("torch" in b.needs for b in blocks(page))]
    assert needing == ["gate-an-upgrade"]
    assert "pytest {posargs:docs -k upgrade}" in (ROOT / "tox.ini").read_text("utf-8")


def block(text: str) -> Block:
    """A console block."""
    return Block(Path("x.md"), 3, "console", (), text)


@pytest.mark.parametrize(
    "text",
    [
        "$ echo a\na\n",
        "$ printf 'a\\n\\n b  \\n\\n'\na\n\n b\n",
        "$ echo a; echo b; echo c\na\n...\nc\n",
        "$ echo a; echo b\n...\n",
        "$ echo a\na\n...\n",
        "$ true\n...\n",
        "$ echo took 3.25 s\ntook ... s\n",
        "$ false\n$ echo $?\n1\n",
        "$ echo a \\\n> b\na b\n$ echo c >&2\nc\n",
        "$ x=1\n$ echo $x\n1\n",
        "$ true\n",
    ],
)
def test_the_runner_accepts(text: str, tmp_path: Path) -> None:
    """Equal output, wildcards, shown failures, continued commands and shared variables pass."""
    run_console(block(text), tmp_path)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("$ echo a\nb\n", "x.md:3: $ echo a\nexpected:\nb\ngot:\na"),
        ("$ echo a\n", "expected:\n\ngot:\na"),
        ("$ true\na\n", "expected:\na\ngot:\n"),
        ("$ echo a; echo b\na\n", "expected:\na\ngot:\na\nb"),
        ("$ echo a.b\na..b\n", "expected:\na..b"),
        ("$ echo a; echo b; echo c\na\n...\nb\n", "got:\na\nb\nc"),
        ("$ true\n$ false\n", "x.md:4: $ false\nexit status 1, and no `$ echo $?` below"),
        ("$ exit 0\n$ echo a\na\n", "x.md:3: the commands ended early"),
        ("a\n$ true\n", "x.md:3: output without a command: a"),
    ],
)
def test_the_runner_rejects(text: str, error: str, tmp_path: Path) -> None:
    """Other output, too much or too little of it, and hidden failures do not pass."""
    with pytest.raises(AssertionError) as caught:
        run_console(block(text), tmp_path)
    assert error in str(caught.value)


@pytest.fixture
def page(tmp_path: Path) -> Callable[[str], list[Block]]:
    """Write a page and find its blocks."""

    def write(text: str) -> list[Block]:
        (tmp_path / "page.md").write_text(text)
        return blocks(tmp_path / "page.md")

    return write


def test_blocks_are_found(page: Callable[[str], list[Block]]) -> None:
    """Fences with and without words, lines counted from one, and no block within a block."""
    found = page(
        "# a\n```python\nx = 1\n```\ntext\n~~~console torch no_such\n$ a\n```\n~~~\n```\n```\n"
    )
    assert [(b.line, b.kind, b.needs) for b in found] == [
        (3, "python", ()),
        (7, "console", ("torch", "no_such")),
        (11, "", ()),
    ]
    assert found[1].text == "$ a\n```\n"
    assert not found[1].available


def test_python_blocks_share_names_and_tell_their_lines(
    page: Callable[[str], list[Block]],
) -> None:
    """A later block sees earlier names; a traceback points into the page."""
    first, second = page("```python\nx = 1\n```\n\n```python\ny = x + 1\n1 / 0\n```\n")
    names: dict[str, Any] = {}
    run_python(first, names)
    with pytest.raises(ZeroDivisionError) as caught:
        run_python(second, names)
    assert names["y"] == 2
    assert caught.traceback[-1].lineno + 1 == 7


@pytest.mark.parametrize("word", ["python mine.py", "c mine.c", "ini pytest.ini"])
def test_a_named_block_becomes_a_file(
    word: str, page: Callable[[str], list[Block]], tmp_path: Path
) -> None:
    """`python mine.py` writes the block beside the commands instead of running it."""
    (found,) = page(f"```{word}\n1 / 0\n```\n")
    write_file(found, tmp_path)
    assert (tmp_path / word.split()[1]).read_text() == "1 / 0\n"
    assert found.needs == ()


def test_a_block_may_need_a_program(
    page: Callable[[str], list[Block]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`console gcc` runs where the program is in the path; no module of that name is needed."""
    (found,) = page("```console gcc\n$ true\n```\n")
    (tmp_path / "gcc").write_text("#!/bin/sh\n")
    (tmp_path / "gcc").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert found.available
    monkeypatch.setenv("PATH", str(tmp_path / "elsewhere"))
    assert not found.available


def test_commands_find_the_repository(tmp_path: Path) -> None:
    """In commands, $MLP_REF is this repository."""
    run_console(block("$ ls $MLP_REF/docs/examples.py | tail -c 17\ndocs/examples.py\n"), tmp_path)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("$ echo 'a0[3, 4]  1.5e-09   0.25 x, 7 of 9'\na0[12]  -2.0  1,000.5e+3 x, 7 of 9\n", True),
        ("$ echo '1.5 nan'\ninf 2.5\n", True),
        ("$ echo '7 of 9'\n7 of 8\n", False),
        ("$ echo '1.5 wrong'\n1.5 right\n", False),
        ("$ echo '1.5'\n1\n", False),
    ],
)
def test_measured_numbers_may_differ(text: str, accepted: bool, tmp_path: Path) -> None:
    """Numbers with a decimal point and indices stand for any other; counts and words do not."""
    found = block(text)._replace(measured=True)
    if accepted:
        run_console(found, tmp_path)
        return
    with pytest.raises(AssertionError, match="expected:"):
        run_console(found, tmp_path)
