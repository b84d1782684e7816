"""Files: writing that never leaves half a file behind, and errors in one line."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TextIO

from mlp_ref.checks import fail

__all__ = [
    "PathName",
    "append_text",
    "atomic_path",
    "growing_file",
    "partial_path",
    "quote",
    "require_file",
    "require_other",
    "require_writable",
]

PathName = str | os.PathLike[str]


def quote(path: PathName) -> str:
    """The path in quotes and on one line, for messages."""
    return repr(os.fspath(path))


def require_file(path: PathName) -> Path:
    """Return ``path`` if it is a file that can be read; raise `InputError` if it is not."""
    try:
        with Path(path).open("rb"):
            return Path(path)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        fail(f"{quote(path)} must be a file that can be read", _reason(error), "check the path")


def require_other(path: PathName, *inputs: PathName, option: str = "-o") -> None:
    """Require that what is written to ``path``, as ``option`` says, replaces none of the inputs."""
    for source in inputs:
        if Path(path).exists() and Path(source).exists() and Path(path).samefile(source):
            fail(f"{option} must not be a file that is read", quote(path), "choose another name")


def require_writable(path: PathName) -> None:
    """Require that a regular file can be written at ``path``, before long work begins."""
    if Path(path).exists() and not Path(path).is_file():
        fail(f"{quote(path)} must be a regular file", "a folder or a device", "choose a name")
    _, temporary = _beside(path)
    if temporary is not None:
        temporary.unlink()


def _beside(path: PathName) -> tuple[Path, Path | None]:
    """The file that a path leads to, and a new temporary one beside it; none for a device."""
    try:
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise IsADirectoryError(None, "Is a directory")
        special = Path(path).exists() and not Path(path).is_file()
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(None, "Permission denied")
        temporary = target.with_name(f".{secrets.token_hex(8)}.{target.name}")
        if special:
            return target, None
        temporary.touch(exist_ok=False)
        return target, temporary
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        _refuse(path, error)


@contextmanager
def atomic_path(path: PathName) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block succeeds.

    A reader sees the old file or the whole new one, never a part, also after a crash: the data
    reach the disk before the name does. When the block fails or is interrupted, the old file
    stays and the temporary one is removed. A link is followed, the permissions of an existing
    file are kept, and the temporary path ends in the name of ``path``. A device or a pipe cannot
    be replaced and is yielded itself.

    Raises `InputError` if ``path`` cannot be written or the disk is full; other errors of the
    block pass through.
    """
    target, temporary = _beside(path)
    if temporary is None:
        try:
            yield Path(path)
        except OSError as error:
            if error.filename in (None, str(path)):
                _refuse(path, error)
            raise
        return
    try:
        if target.exists():
            shutil.copymode(target, temporary)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        if error.filename in (None, str(temporary)):
            _refuse(path, error)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def append_text(path: PathName, text: str) -> None:
    """Append a paragraph: after a blank line, unless the file is new or empty.

    Raises `InputError` if the file cannot be written.
    """
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"\n{text}" if file.seekable() and file.tell() else text)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        _refuse(path, error)


def partial_path(path: PathName) -> Path:
    """Where `growing_file` keeps what it has so far: ``path.partial``, beside a link's target."""
    target = Path(os.path.realpath(path))
    return target.with_name(f"{target.name}.partial")


@contextmanager
def growing_file(path: PathName, begin: str = "") -> Iterator[Callable[[str], None]]:
    """Yield a function that writes text which is in ``path.partial`` when it returns.

    The file begins with ``begin`` and takes its name when the block succeeds. When the block fails
    or the process is killed, the partial file stays as it is and the old file as it was. A device
    or a pipe is written itself.

    Raises `InputError` if the file cannot be written, or if another process writes it as well.
    """
    if Path(path).exists() and not Path(path).is_file():
        with atomic_path(path) as device, device.open("w", encoding="utf-8") as file:
            file.write(begin)
            yield _writer(file)
        return
    target, partial = Path(os.path.realpath(path)), partial_path(path)
    with atomic_path(partial) as temporary:
        temporary.write_text(begin, "utf-8", newline="\n")
    try:
        with partial.open("a", encoding="utf-8", newline="\n") as file:
            yield _writer(file)
            os.fsync(file.fileno())
            ours = partial.exists() and os.path.samestat(os.fstat(file.fileno()), partial.stat())
        if not ours:
            fail(
                f"{quote(path)} must be written by one process at a time", "another one",
                "run again, and let each write a file of its own",
            )  # fmt: skip
        if target.exists():
            shutil.copymode(target, partial)
        partial.replace(target)
    except OSError as error:
        if error.filename in (None, str(partial)):
            _refuse(path, error)
        raise


def _writer(file: TextIO) -> Callable[[str], None]:
    """Nothing waits in a buffer, where a kill would lose it."""

    def write(text: str) -> None:
        file.write(text)
        file.flush()

    return write


def _refuse(path: PathName, error: Exception) -> NoReturn:
    fail(
        f"{quote(path)} must be a file that can be written", _reason(error),
        "check the folder, its permissions and the space left",
    )  # fmt: skip


def _reason(error: Exception) -> str:
    return repr(getattr(error, "strerror", None) or str(error))
