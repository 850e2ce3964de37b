"""Unpaired poses: disjoint from the pictures, and readable as motion capture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.motion_capture import read_motion
from fastpose.data.pose_prior import PosePrior
from fastpose.data.synthetic import (
    SyntheticConfig,
    SyntheticPeople,
    motion_clips,
    motion_poses,
    write_poses,
)
from fastpose.data.synthetic.body import JOINT
from fastpose.errors import UserError
from fastpose.skeletons import get_skeleton


def test_poses_are_metres_with_y_up_and_deterministic() -> None:
    poses = motion_poses(6, 2, frames_per_clip=10)
    assert poses.shape == (60, 19, 3) and poses.dtype == np.float32
    assert np.array_equal(poses, motion_poses(6, 2, frames_per_clip=10))
    assert not np.array_equal(poses, motion_poses(6, 3, frames_per_clip=10))
    assert np.median(poses[:, JOINT["head_top"], 1]) > 1.2
    assert np.median(poses[:, JOINT["l_shoulder"], 0] - poses[:, JOINT["r_shoulder"], 0]) > 0.2


def test_a_clip_does_not_depend_on_how_many_are_asked_for() -> None:
    few, many = (motion_clips(n, 4, frames_per_clip=5) for n in (2, 5))
    assert np.array_equal(few[1].positions, many[1].positions)


def test_poses_are_not_those_of_the_pictures() -> None:
    """Bone lengths name a body; under one seed no body of the poses is an actor of the clips."""

    def thigh_and_arm(p: np.ndarray) -> tuple[float, float]:
        def length(a: str, b: str) -> float:
            return round(float(np.linalg.norm(p[0, JOINT[a]] - p[0, JOINT[b]])), 3)

        return length("l_hip", "l_knee"), length("l_elbow", "l_wrist")

    people = SyntheticPeople(16, 1, seed=0, config=SyntheticConfig(actors=8))
    actors = {thigh_and_arm(people.clip(i).keypoints3d) for i in range(20)}
    others = {thigh_and_arm(m.positions) for m in motion_clips(50, 0, frames_per_clip=1)}
    assert len(actors) >= 5 and len(others) == 50
    assert not actors & others


def test_write_and_read_back(tmp_path: Path) -> None:
    config = SyntheticConfig(activities=("walk", "squat"))
    path = write_poses(tmp_path / "poses.npz", 5, 9, frames_per_clip=12, fps=20.0, config=config)
    motions = read_motion(path)
    expected = motion_clips(5, 9, frames_per_clip=12, fps=20.0, config=config)
    assert [m.name for m in motions] == [m.name for m in expected]
    for read, made in zip(motions, expected, strict=True):
        assert np.array_equal(read.positions, made.positions)
        assert read.fps == 20.0 and read.action == made.action in ("walk", "squat")
        assert read.subject == made.subject
    assert [p.name for p in tmp_path.iterdir()] == ["poses.npz"]


def test_file_has_the_keys_of_the_motion_capture_format(tmp_path: Path) -> None:
    with np.load(write_poses(tmp_path / "p.npz", 2, frames_per_clip=3)) as data:
        assert data["positions"].shape == (6, 19, 3)
        assert data["valid"].all()
        assert data["clip_start"].tolist() == [0, 3] and data["clip_length"].tolist() == [3, 3]
        assert [data["joint_names"][i] for i in data["h36m17_index"]] == list(
            get_skeleton("h36m17").joints
        )
        mirror = data["mirror"]
        assert np.array_equal(mirror[mirror], np.arange(19))


def test_a_prior_reads_the_file(tmp_path: Path) -> None:
    path = write_poses(tmp_path / "poses.npz", 6, frames_per_clip=20)
    prior = PosePrior.from_path(path, get_skeleton("body18"))
    drawn = prior.sample(50, np.random.default_rng(0))
    assert drawn.shape == (50, 18, 2) and np.isfinite(drawn).all()


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ending in \.npz"):
        write_poses(tmp_path / "poses", 1)
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        write_poses(tmp_path / "folder.npz", 1)
    path = write_poses(tmp_path / "poses.npz", 1, frames_per_clip=2)
    with pytest.raises(UserError, match="--overwrite"):
        write_poses(path, 1)
    write_poses(path, 2, frames_per_clip=2, overwrite=True)
    assert len(read_motion(path)) == 2
    with pytest.raises(UserError, match="clips"):
        motion_clips(0)
    with pytest.raises(UserError, match="frames per clip"):
        motion_clips(1, frames_per_clip=0)


def test_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space"):
        write_poses(tmp_path / "poses.npz", 1, frames_per_clip=2)
    assert list(tmp_path.iterdir()) == []
