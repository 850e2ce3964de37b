"""Reading files and folders of motion capture, whatever their format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.motion_capture import READERS, Motion, read_motion, read_motions
from fastpose.errors import UserError
from tests.data.bodies import bowing, waving, write_npz


def test_folders_are_searched_in_depth_and_order(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write_npz(tmp_path / "deep/b.npz", [bowing()])
    write_npz(tmp_path / "a.npz", [waving()])
    (tmp_path / "notes.txt").write_text("nothing")
    assert [m.name for m in read_motions(tmp_path)] == ["wave", "bow"]
    both = read_motions([tmp_path / "deep", tmp_path / "a.npz"])
    assert [m.name for m in both] == ["bow", "wave"]


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda p: p / "none.npz", "no such file"),
        (lambda p: p / "none.xyz", "no motion-capture format; expected one of .npz"),
        (lambda p: p, "no motion-capture file in it"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, make: Callable[[Path], Path], named: str) -> None:
    with pytest.raises(UserError, match=named):
        read_motions(make(tmp_path))


def test_nothing_named() -> None:
    with pytest.raises(UserError, match="no motion capture named"):
        read_motions([])


def test_a_motion_checks_its_shape() -> None:
    with pytest.raises(UserError, match=r"\(N,19,3\)"):
        Motion(np.zeros((4, 5, 3)), 30.0, "short")


def test_every_shared_file_is_read(shared_data: Path) -> None:
    for folder, least in (("mocap", 289), ("mocap_raw", 8)):
        motions = read_motions(shared_data / folder)
        assert len(motions) >= least
        assert all(np.isfinite(m.positions).all() and m.fps > 0 for m in motions)
    assert set(READERS) == {".npz", ".bvh", ".amc"}
    assert len(read_motion(shared_data / "mocap/animated_drawings.npz")) == 5
