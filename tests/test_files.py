"""Files are replaced whole or not at all, and errors are one line."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mlp_ref.checks import InputError
from mlp_ref.files import (
    append_text,
    atomic_path,
    growing_file,
    partial_path,
    require_file,
    require_other,
    require_writable,
)


def folder(path: Path) -> list[str]:
    """The names in a folder."""
    return sorted(p.name for p in path.iterdir())


def test_a_successful_block_replaces_the_file(tmp_path: Path) -> None:
    """The old content stays until the block ends; then there is the new one and nothing else."""
    path = tmp_path / "model.txt"
    path.write_text("old")
    with atomic_path(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == path.parent
        assert temporary.name.endswith("model.txt")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert folder(tmp_path) == ["model.txt"]


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failed_block_leaves_the_old_file(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    """An error or Ctrl-C within the block keeps the old content and removes the temporary file."""
    path = tmp_path / "model.txt"
    path.write_text("old")

    def write_half() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise interruption

    with pytest.raises(interruption):
        write_half()
    assert path.read_text() == "old"
    assert folder(tmp_path) == ["model.txt"]


def test_a_failed_block_creates_no_file(tmp_path: Path) -> None:
    """Without an old file nothing at all is left."""
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "model.txt"):
        raise RuntimeError
    assert folder(tmp_path) == []


def test_permissions_are_those_of_the_old_file_or_of_the_umask(tmp_path: Path) -> None:
    """A new file gets what open() would give it; an existing one keeps its permissions."""
    plain, path = tmp_path / "plain", tmp_path / "path"
    plain.touch()
    for expected in (plain.stat().st_mode, 0o640):
        with atomic_path(path) as temporary:
            temporary.write_text("x")
        assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(expected)
        path.chmod(0o640)


def test_a_link_is_followed(tmp_path: Path) -> None:
    """Writing to a symbolic link replaces the file that it points to, not the link."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    with atomic_path(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_a_device_is_written_itself() -> None:
    """The null device is not replaced by a file."""
    with atomic_path(os.devnull) as temporary:
        assert temporary == Path(os.devnull)
        temporary.write_text("x")
    assert not Path(os.devnull).is_file()


REMEDY = "check the folder, its permissions and the space left"


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """The error names the path that was given, the reason and the remedy."""
    path = tmp_path / "no" / "model.txt"
    with pytest.raises(InputError) as caught, atomic_path(path):
        raise AssertionError
    assert str(caught.value) == (
        f"'{path}' must be a file that can be written; got 'No such file or directory'; {REMEDY}"
    )


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A folder cannot be written as a file."""
    with pytest.raises(InputError) as caught, atomic_path(tmp_path):
        raise AssertionError
    assert str(caught.value) == (
        f"'{tmp_path}' must be a file that can be written; got 'Is a directory'; {REMEDY}"
    )


def test_a_protected_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without permission to write is not replaced, though its folder would allow it."""
    path = tmp_path / "model.txt"
    path.write_text("old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the superuser may always write
    with pytest.raises(InputError, match="got 'Permission denied'; check"), atomic_path(path):
        raise AssertionError
    assert path.read_text() == "old"


def test_a_zero_byte_in_the_name_is_an_error() -> None:
    """What is no name of a file is refused in one line."""
    with pytest.raises(InputError) as caught, atomic_path("a\0b"):
        raise AssertionError
    text = str(caught.value)
    assert text.startswith("'a\\x00b' must be a file that can be written; got '")
    assert "embedded null" in text
    assert text.endswith(f"; {REMEDY}")


def test_a_full_disk_is_an_error_in_one_line(tmp_path: Path) -> None:
    """An error of the operating system that names no file, such as ENOSPC, is about our file."""
    path = tmp_path / "model.txt"
    with pytest.raises(InputError) as caught, atomic_path(path):
        raise OSError(28, "No space left on device")
    assert str(caught.value) == (
        f"'{path}' must be a file that can be written; got 'No space left on device'; {REMEDY}"
    )
    assert folder(tmp_path) == []


def test_an_error_about_another_file_passes_through(tmp_path: Path) -> None:
    """A block that fails to read some other file is not blamed on the file to write."""
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "model.txt"):
        (tmp_path / "other").read_text()
    assert folder(tmp_path) == []


def test_require_file_returns_a_readable_path(tmp_path: Path) -> None:
    """A file that can be read is returned as a Path."""
    (tmp_path / "x").touch()
    assert require_file(str(tmp_path / "x")) == tmp_path / "x"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("no", "No such file or directory"), (".", "Is a directory"), ("\0", "embedded null byte")],
)
def test_require_file_refuses(tmp_path: Path, name: str, reason: str) -> None:
    """A missing file, a folder and an impossible name are errors in one line."""
    path = tmp_path / name
    with pytest.raises(InputError) as caught:
        require_file(path)
    assert str(caught.value) == (
        f"{str(path)!r} must be a file that can be read; got {reason!r}; check the path"
    )


def test_a_full_device_is_an_error_in_one_line() -> None:
    """A device is written directly, and what it refuses is about the path that was given."""
    if not Path("/dev/full").exists():
        pytest.skip("needs a device that is always full")
    with (
        pytest.raises(
            InputError, match="'/dev/full' must be a file that can be written; got 'No s"
        ),
        atomic_path("/dev/full") as path,
    ):
        path.write_text("x")


def test_what_can_be_written_is_known_before_the_work(tmp_path: Path) -> None:
    """A new and an old file pass and stay as they are; a folder, a device and no folder do not."""
    old = tmp_path / "old"
    old.write_text("x")
    require_writable(old)
    require_writable(tmp_path / "new")
    assert [p.name for p in tmp_path.iterdir()] == ["old"]
    assert old.read_text() == "x"
    for bad in (tmp_path, Path("/dev/null")):
        with pytest.raises(InputError, match="must be a regular file; got a folder or a device"):
            require_writable(bad)
    with pytest.raises(InputError, match="must be a file that can be written; got 'No such file"):
        require_writable(tmp_path / "no" / "new")


def test_the_input_is_not_the_output(tmp_path: Path) -> None:
    """The same file by another name is noticed; what does not exist replaces nothing."""
    source, link = tmp_path / "x.csv", tmp_path / "link"
    source.write_text("1")
    link.symlink_to(source)
    require_other(tmp_path / "new", source, "digits")
    with pytest.raises(InputError, match="-o must not be a file that is read; got"):
        require_other(link, "digits", source)
    with pytest.raises(InputError, match="--junit must not be a file that is read; got"):
        require_other(source, source, option="--junit")


def test_text_is_appended(tmp_path: Path) -> None:
    """After a blank line, or to a new file; what cannot be written is an error in one line."""
    for _ in range(2):
        append_text(tmp_path / "x", "\N{BLACK STAR}\n")
    assert (tmp_path / "x").read_text("utf-8") == "\N{BLACK STAR}\n\n\N{BLACK STAR}\n"
    for bad in (tmp_path, tmp_path / "no" / "x", tmp_path / "\0"):
        with pytest.raises(InputError, match="must be a file that can be written; got '"):
            append_text(bad, "x")


def test_a_growing_file_is_on_disk_line_by_line(tmp_path: Path) -> None:
    """Under another name; the old file stays until all is written, and its permissions remain."""
    path = tmp_path / "x"
    path.write_text("old")
    path.chmod(0o640)
    with growing_file(path, "1\n") as write:
        assert partial_path(path) == tmp_path / "x.partial"
        assert partial_path(path).read_text() == "1\n"
        write("2\n")
        assert partial_path(path).read_text() == "1\n2\n"
        assert path.read_text() == "old"
    assert path.read_text() == "1\n2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert folder(tmp_path) == ["x"]


def test_a_growing_file_that_fails_keeps_what_it_has(tmp_path: Path) -> None:
    """Whatever ends the block; the next one begins anew."""
    path = tmp_path / "x"

    def interrupted() -> None:
        with growing_file(path, "1\n") as write:
            write("2\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert folder(tmp_path) == ["x.partial"]
    assert partial_path(path).read_text() == "1\n2\n"
    with growing_file(path):
        pass
    assert path.read_text() == ""


def test_two_cannot_write_one_growing_file(tmp_path: Path) -> None:
    """The first notices that the other took its place, and does not take the name from it."""
    path = tmp_path / "x"

    def both() -> None:
        with growing_file(path) as first:
            first("1\n")
            with growing_file(path) as second:
                first("2\n")
                second("3\n")
                first("4\n")

    with pytest.raises(InputError, match=r"x' must be written by one process at a time; got anot"):
        both()
    assert path.read_text() == "3\n"
    assert folder(tmp_path) == ["x"]


def test_a_growing_file_that_cannot_be_written(tmp_path: Path) -> None:
    """One line, as for any other file; a device is written itself."""
    with (
        pytest.raises(InputError, match="must be a file that can be written; got 'No space left"),
        growing_file(tmp_path / "x"),
    ):
        raise OSError(28, "No space left on device")
    with pytest.raises(FileNotFoundError), growing_file(tmp_path / "x"):
        (tmp_path / "other").read_text()
    with growing_file("/dev/null", "1") as write:
        write("2")
    assert Path("/dev/null").is_char_device()
