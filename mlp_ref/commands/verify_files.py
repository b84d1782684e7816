"""What ``mlp-ref verify`` writes: whether it may be written, before anything is run."""

from __future__ import annotations

import argparse
import shlex
import sys
from hashlib import sha256
from itertools import combinations
from pathlib import Path

from mlp_ref.checks import fail
from mlp_ref.corpus import Corpus
from mlp_ref.files import partial_path, quote, require_other, require_writable

__all__ = ["digest_of", "require_outputs"]

_WRITTEN = ("jsonl", "junit", "html", "markdown")


def require_outputs(args: argparse.Namespace, corpus: Corpus) -> None:
    """Every file can be written, and replaces neither another one nor what is read."""
    if args.resume and (args.jsonl is None or _is_device(args.jsonl)):
        fail(
            "--resume must come with --jsonl FILE", repr(args.jsonl), "name the report to complete"
        )
    read = [*corpus.folder.glob("*.json"), *_sources(args.subject)]
    read += [args.expect] if args.expect else []
    written: dict[str, str] = {}
    for option in _WRITTEN:
        if path := getattr(args, option):
            require_other(path, *read, option=f"--{option}")
            if not _is_device(path):
                require_writable(path)
                written[f"--{option}"] = path
    if args.jsonl in written.values():
        require_other(partial_path(args.jsonl), *read, option="--jsonl")
        written["the partial --jsonl"] = str(partial_path(args.jsonl))
    for (one, path), (other, same) in combinations(written.items(), 2):
        if Path(path).resolve() == Path(same).resolve():
            fail(f"{one} and {other} must be two files", quote(path), "choose another name")


def digest_of(subject: str) -> str | None:
    """SHA-256 over the files that a subject's name tells of; None if there are none.

    They are the module, or all of its package; the library; what a command line names; the answers
    in a folder. What those load or import is not among them.
    """
    found = _sources(subject)
    if subject.startswith("py:"):
        found = found[:1]  # the first on the path is the one that is imported
        if found and found[0].name == "__init__.py":
            found = sorted(found[0].parent.rglob("*.py"))
    digests = [sha256(path.read_bytes()).hexdigest() for path in found if path.is_file()]
    return sha256(" ".join(digests).encode()).hexdigest() if digests else None


def _sources(subject: str) -> list[Path]:
    """The files that a subject consists of, as far as its name tells."""
    kind, _, rest = subject.partition(":")
    if kind == "files":
        return sorted(Path(rest).glob("answers.*"))
    if kind != "py":
        words = shlex.split(rest) if kind == "cmd" else [rest]
        return [path for path in map(Path, words) if path.is_file()]
    module = Path(*rest.partition(":")[0].split("."))
    return [
        path
        for base in map(Path, ("", *sys.path))
        for path in (base / module.with_suffix(".py"), base / module / "__init__.py")
        if path.is_file()
    ]


def _is_device(path: str) -> bool:
    """Whether it is a device or a pipe, such as /dev/stdout, which is written as it is."""
    return Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir()
