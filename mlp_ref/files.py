"""Files: writing that never leaves half a file behind, and errors in one line."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from mlp_ref.checks import fail

__all__ = [
    "PathName",
    "atomic_path",
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


def require_other(path: PathName, *inputs: PathName) -> None:
    """Require that what is written to ``path`` replaces none of the inputs."""
    for source in inputs:
        if Path(path).exists() and Path(source).exists() and Path(path).samefile(source):
            fail("-o must not be a file that is read", quote(path), "choose another name")


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


def _refuse(path: PathName, error: Exception) -> NoReturn:
    fail(
        f"{quote(path)} must be a file that can be written", _reason(error),
        "check the folder, its permissions and the space left",
    )  # fmt: skip


def _reason(error: Exception) -> str:
    return repr(getattr(error, "strerror", None) or str(error))
