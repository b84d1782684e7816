"""Find and run the examples in a Markdown file.

What the word after a fence means:

python   run; the blocks of one file share their names, from top to bottom
console  lines that begin with `$ ` are run by bash in one folder per file, `> ` continues a
         command; the lines below must be what it prints. `...` stands for any text within a
         line, and alone on a line for any lines. A command that fails must be followed by
         `$ echo $?`.
others   shown, not run; the word must be one of SHOWN, so that no misspelt block is passed over

A further word with a dot, such as `python homework.py` or `c kernel.c`, names a file that the block
becomes, for the commands below. Other words name modules, or programs in PROGRAMS, without which
the block is skipped: `console torch`. After `console measured`, a number with a decimal point and
the index of an entry stand for any other, because they depend on the order in which the machine
adds; counts and words do not. In commands, $MLP_REF is the folder of this repository.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["PROGRAMS", "SHOWN", "Block", "blocks", "run_console", "run_python", "write_file"]

SHOWN = frozenset(
    {"", "bash", "bibtex", "c", "ini", "json", "math", "mermaid", "sh", "text", "toml", "yaml"}
)
PROGRAMS = frozenset({"gcc"})
_FENCE = re.compile(
    r"^(?P<mark>`{3,}|~{3,})(?P<words>[^`\n]*)\n(?P<text>.*?)^(?P=mark)[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_MARK = "=== status of the command above: "
_MEASURED = re.compile(
    r"-?\d[\d,]*(\.\d+(e[+-]?\d+)?|e[+-]\d+)|\b(nan|inf)\b"
    r"|\b(z|y|a|g|dW|db|dx|params|grads|m|v)\d*\[[\d, ]+\]"
)


class Block(NamedTuple):
    """A fenced block, and the line of the file on which its text begins."""

    path: Path
    line: int
    kind: str
    needs: tuple[str, ...]
    text: str
    file: str = ""
    measured: bool = False

    @property
    def available(self) -> bool:
        """Whether the modules and programs that the block needs are installed."""
        return all(
            (shutil.which if name in PROGRAMS else find_spec)(name) is not None
            for name in self.needs
        )


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a file, top to bottom."""
    text = path.read_text("utf-8")
    found = []
    for match in _FENCE.finditer(text):
        kind, *words = match["words"].split() or [""]
        files = [word for word in words if "." in word]
        needs = tuple(word for word in words if word not in (*files, "measured"))
        line = text.count("\n", 0, match.start("text")) + 1
        file = files[0] if files else ""
        found.append(Block(path, line, kind, needs, match["text"], file, "measured" in words))
    return found


def write_file(block: Block, folder: Path) -> None:
    """Write a block that is a file beside the commands."""
    (folder / block.file).write_text(block.text, "utf-8")


def run_python(block: Block, names: dict[str, Any]) -> None:
    """Execute a block with these names; a traceback shows the line in the Markdown file."""
    source = "\n" * (block.line - 1) + block.text
    exec(compile(source, str(block.path), "exec"), names)  # noqa: S102 (our own examples)


def run_console(block: Block, folder: Path) -> None:
    """Run the commands of a block in ``folder`` and compare what they print."""
    pairs = _commands(block)
    script = "".join(
        f"{command}\n_status=$?; printf '\\n{_MARK}%d\\n' $_status; (exit $_status)\n"
        for _, command, _ in pairs
    )
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=_environment(), check=False, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    *outputs, rest = re.split(rf"\n{_MARK}(\d+)\n", done.stdout)
    if rest or len(outputs) != 2 * len(pairs):
        raise AssertionError(f"{block.path}:{block.line}: the commands ended early:\n{done.stdout}")
    for k, (line, command, expected) in enumerate(pairs):
        got, status = outputs[2 * k], int(outputs[2 * k + 1])
        where = f"{block.path}:{line}: $ {command}"
        following = pairs[k + 1][1] if k + 1 < len(pairs) else ""
        if status and following != "echo $?":
            raise AssertionError(f"{where}\nexit status {status}, and no `$ echo $?` below:\n{got}")
        shape = _without_numbers if block.measured else str
        if not _pattern(shape(expected)).fullmatch(shape(_stripped(got))):
            raise AssertionError(f"{where}\nexpected:\n{expected}\ngot:\n{_stripped(got)}")


def _commands(block: Block) -> list[tuple[int, str, str]]:
    """Line number, command and expected output of each command."""
    found: list[tuple[int, str, list[str]]] = []
    continued = False
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            found.append((number, line[2:], []))
            continued = True
        elif not found:
            raise AssertionError(f"{block.path}:{number}: output without a command: {line}")
        elif continued and line.startswith("> "):
            start, command, output = found[-1]
            found[-1] = (start, f"{command}\n{line[2:]}", output)
        else:
            continued = False
            found[-1][2].append(line)
    return [(number, command, _stripped("\n".join(output))) for number, command, output in found]


def _pattern(expected: str) -> re.Pattern[str]:
    """A regular expression for expected output with `...` in it."""
    parts = []
    for line in expected.split("\n"):
        if line.strip() == "...":
            parts.append(r"(?:.*(?:\n|\Z))*?")
        else:
            parts.append(".*?".join(map(re.escape, line.split("..."))) + r"(?:\n|\Z)")
    return re.compile("".join(parts))


def _stripped(text: str) -> str:
    """Without colours, blanks at line ends, and blank lines at the end."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return "\n".join(line.rstrip() for line in plain.split("\n")).rstrip("\n")


def _without_numbers(text: str) -> str:
    """Every measured number and the width of every gap replaced by one sign."""
    return re.sub(r"(?<=\S) +", " ", _MEASURED.sub("#", text))


def _environment() -> dict[str, str]:
    """The environment with our commands first in PATH, a terminal of fixed width, no colours."""
    programs = str(Path(sys.executable).parent)
    path = os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])
    terminal = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    return os.environ | terminal | {"PATH": path, "MLP_REF": str(Path(__file__).parents[1])}
