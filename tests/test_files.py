"""Files that are complete or absent."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fastpose import files
from fastpose.errors import UserError


def test_canonical_json_has_one_text_for_one_value() -> None:
    assert files.canonical_json({"b": 1, "a": [1.5, None]}) == b'{"a":[1.5,null],"b":1}'
    with pytest.raises(ValueError):
        files.canonical_json(float("nan"))


def test_replace_file_leaves_the_old_content_when_it_fails(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "file"
    files.replace_file(path, b"old")

    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        files.replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_replace_file_replaces(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.replace_file(path, b"old")
    files.replace_file(path, b"new")
    assert path.read_bytes() == b"new" and len(list(tmp_path.iterdir())) == 1


def test_write_synced_never_overwrites(tmp_path: Path) -> None:
    files.write_synced(tmp_path / "file", b"1")
    with pytest.raises(FileExistsError):
        files.write_synced(tmp_path / "file", b"2")


def test_missing_space_is_told_with_both_figures(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(files, "free_bytes", lambda folder: 10)
    files.require_space(tmp_path, 10, "a thing")
    with pytest.raises(UserError, match="a thing needs 11 bytes and 10 are free"):
        files.require_space(tmp_path, 11, "a thing")


def test_free_space_of_a_folder_that_does_not_exist_yet(tmp_path: Path) -> None:
    assert files.free_bytes(tmp_path / "a" / "b") > 0


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "the disk became full: a thing needs 5 bytes and found"),
        (errno.EDQUOT, "the disk became full"),
        (errno.EACCES, "cannot write a thing"),
    ],
)
def test_refusals_of_the_system_become_one_line(tmp_path: Path, number: int, message: str) -> None:
    with (
        pytest.raises(UserError, match=message) as caught,
        files.explained(tmp_path, "a thing", needed=5),
    ):
        raise OSError(number, os.strerror(number))
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not readable as JSON"),
        (b"{", "not readable as JSON"),
        (b"[" * 100_000, "not readable as JSON"),
        (b"\xff\xfe\x00", "not readable as JSON"),
        (b"[1]", "expected a JSON object, found list"),
        (b" " * 200_001, "at most 200000 were expected"),
    ],
)
def test_json_that_is_no_object_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        files.read_json(path, limit=200_000)


def test_json_is_read_from_plain_files_only(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("{}")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    assert files.read_json(tmp_path / "real.json", limit=10) == {}
    for name, message in (("link.json", "not a plain file"), ("none.json", "is missing")):
        with pytest.raises(UserError, match=message):
            files.read_json(tmp_path / name, limit=10)


def test_the_old_content_stays_until_the_new_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "table.npz"
    path.write_text("old")
    with files.replacing(path) as temporary:
        assert temporary.parent == tmp_path
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_content_alone(tmp_path: Path) -> None:
    path = tmp_path / "table.npz"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"), files.replacing(path) as temporary:
        temporary.write_text("ne")
        raise RuntimeError("half way")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_what_desktops_leave_is_not_listed(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "._a.png", ".DS_Store", "Thumbs.db", "desktop.ini", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in files.listed(tmp_path)] == ["a.png", "b.png", "notes.txt"]
    assert [path.name for path in files.listed(tmp_path, "*.png")] == ["a.png", "b.png"]
    assert files.listed(tmp_path / "nowhere") == []
