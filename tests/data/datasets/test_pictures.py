"""Files of a folder by their numbers, and what is said of those that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastpose.data.datasets.pictures import Numbered, same_numbers
from fastpose.errors import UserError


def made(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_numbers_count_whatever_stands_before_them(tmp_path: Path) -> None:
    names = ("img_10.png", "img_9.PNG", "2.png", "7.txt", "._3.png", "Thumbs.db")
    files = Numbered(made(tmp_path / "a", *names), "img_{}.png")
    assert list(files) == [2, 9, 10] and files[9].name == "img_9.PNG"
    assert files.path(2).name == "2.png" and files.path(3).name == "img_3.png"
    assert files.require([10, 2, 9], Path("labels.mat")) == [files[10], files[2], files[9]]


def test_labels_and_files_are_the_same_or_refused(tmp_path: Path) -> None:
    files = Numbered(made(tmp_path / "a", "1.png", "2.png", "4.png"), "{}.png")
    lost = r"a/3\.png: labels\.mat labels it, and it is missing \(3 pictures, 4 labels\); unpack"
    with pytest.raises(UserError, match=lost):
        files.require(range(1, 5), Path("labels.mat"))
    with pytest.raises(UserError, match=r"a/4\.png: labels\.mat labels no such picture"):
        files.require(range(1, 3), Path("labels.mat"))
    with pytest.raises(UserError, match="b: holds no pictures"):
        Numbered(made(tmp_path / "b"), "{}.png").require(range(1, 3), Path("labels.mat"))


def test_kinds_agree_or_the_first_missing_file_is_named(tmp_path: Path) -> None:
    one = Numbered(made(tmp_path / "a", "1.png", "2.png"), "{}.png")
    other = Numbered(made(tmp_path / "b", "m_2.txt", "m_1.txt"), "m_{}.txt")
    assert same_numbers(one, other) == [1, 2]
    less = Numbered(made(tmp_path / "c", "m_02.txt", "m_03.txt"), "m_{:02d}.txt")
    with pytest.raises(
        UserError, match=r"c/m_01\.txt: is missing, where .*a/1\.png .*2 of 3 frames"
    ):
        same_numbers(one, less)
    empty = Numbered(made(tmp_path / "d"), "{}.png")
    with pytest.raises(UserError, match="d: holds no frames"):
        same_numbers(empty, empty)
    with pytest.raises(UserError, match="nowhere: no such folder"):
        Numbered(tmp_path / "nowhere", "{}.png")
