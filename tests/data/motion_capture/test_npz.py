"""Packed motion capture: clips, broken frames, and files that cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.motion_capture.npz import load_arrays, read_npz
from fastpose.errors import UserError
from tests.data.bodies import bowing, waving, write_npz


def test_clips_come_back(tmp_path: Path) -> None:
    wave, bow = waving(), bowing()
    found = read_npz(write_npz(tmp_path / "m.npz", [wave, bow]))
    assert [(m.name, m.action, len(m), m.fps) for m in found] == [
        ("wave", "waving", 24, 30.0),
        ("bow", "bowing", 16, 30.0),
    ]
    np.testing.assert_array_equal(found[1].positions, bow.positions)
    assert found[0].source == "m.npz"


def test_broken_frames_are_dropped(tmp_path: Path) -> None:
    wave = waving()
    positions = wave.positions.copy()
    positions[3] = np.nan
    valid = np.arange(len(wave)) != 3
    path = write_npz(tmp_path / "m.npz", [wave], positions=positions, valid=valid)
    (found,) = read_npz(path)
    np.testing.assert_array_equal(found.positions, wave.positions[valid])


def test_joints_are_taken_by_name(tmp_path: Path) -> None:
    wave = waving()
    order = np.random.default_rng(0).permutation(19)
    names = np.array(write_and_names(tmp_path))[order]
    path = write_npz(
        tmp_path / "m.npz", [wave], positions=wave.positions[:, order], joint_names=names
    )
    np.testing.assert_array_equal(read_npz(path)[0].positions, wave.positions)


def write_and_names(folder: Path) -> list[str]:
    return [str(n) for n in load_arrays(write_npz(folder / "n.npz", [waving()]))["joint_names"]]


def test_one_array_alone_is_one_clip(tmp_path: Path) -> None:
    wave = waving()
    lost = {k: None for k in ("valid", "clip_start", "clip_length", "clip_name", "clip_action")}
    path = write_npz(tmp_path / "alone.npz", [wave], clip_subject=None, fps=None, **lost)
    (found,) = read_npz(path)
    assert (found.name, len(found), found.fps) == ("alone", 24, 30.0)


def nan_in_frame_5() -> np.ndarray:
    positions = waving().positions.copy()
    positions[5, 3, 1] = np.nan
    return positions


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"positions": None}, "positions"),
        ({"positions": np.zeros((24, 18, 3), np.float32)}, "(F,19,3)"),
        ({"joint_names": np.array([f"j{i}" for i in range(19)])}, "lacks the joints pelvis"),
        ({"positions": nan_in_frame_5()}, "frame 5 holds NaN"),
        ({"valid": np.zeros(24, bool)}, "no clip with a valid frame"),
        ({"valid": np.ones(7, bool)}, "does not fit its 24 frames"),
        ({"clip_length": np.array([99])}, "outside its 24 frames"),
        ({"clip_start": np.zeros(0, int), "clip_length": np.zeros(0, int)}, "holds no clip"),
    ],
)
def test_unusable_files_are_named(tmp_path: Path, changes: dict[str, object], named: str) -> None:
    path = write_npz(tmp_path / "bad.npz", [waving()], **changes)
    with pytest.raises(UserError) as caught:
        read_npz(path)
    message = str(caught.value)
    assert "bad.npz" in message and named in message and "\n" not in message


def test_what_is_no_npz(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("not a zip")
    whole = write_npz(tmp_path / "whole.npz", [waving()]).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    np.savez(tmp_path / "pickle.npz", positions=np.array([{"a": 1}], dtype=object))
    for name in ("text", "cut", "pickle", "missing"):
        with pytest.raises(UserError, match=f"{name}.npz"):
            read_npz(tmp_path / f"{name}.npz")
