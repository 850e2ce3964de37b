from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore
from fastpose.data.datasets.human36m import activity_of, raster_windows
from fastpose.data.datasets.pack import PackConfig, pack
from fastpose.errors import UserError
from tests.data.datasets import human36m_tree, trees


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return human36m_tree.tree(tmp_path_factory.mktemp("h36m") / "h")


@pytest.fixture
def root(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    trees.complete(monkeypatch, "human36m", {"train": 4, "test": 1})
    shutil.copytree(made, tmp_path / "h")
    return tmp_path / "h"


def test_views_with_joints_in_two_and_three_dimensions(root: Path, tmp_path: Path) -> None:
    config = PackConfig(masks=True, every=1)
    report = pack("human36m", root, tmp_path / "out", config)
    assert report.problems == []
    store = ClipStore.open(tmp_path / "out")
    assert len(store.clips) == 4 and store.frames_total == 4 * human36m_tree.LENGTH
    assert {clip.view for clip in store.clips} == set(human36m_tree.CAMERAS)
    assert {clip.group for clip in store.clips} == {"S1/Directions 1", "S1/Photo"}
    assert {clip.activity for clip in store.clips} == {"Directions", "Photo"}
    for clip in store.clips:
        assert clip.actor == "S1" and clip.fps == 50.0 and clip.keypoints3d is not None
        assert trees.check_dots(clip, 0) == trees.check_dots(clip, 7) == 32
        assert clip.mask is not None and 0.2 < (clip.mask > 127).mean() < 0.9
        assert 2.0 < clip.keypoints3d[..., 2].mean() < 3.2  # metres


def test_rotations_look_at_the_window(root: Path, tmp_path: Path) -> None:
    pack("human36m", root, tmp_path / "out", PackConfig(every=1))
    clips = {c.view: c for c in ClipStore.open(tmp_path / "out").clips if c.activity == "Photo"}
    world = human36m_tree.world_pose(1)[4] / 1000.0
    centred = world - world.mean(axis=0)
    for camera, clip in clips.items():
        assert clip.rotation is not None and clip.window is not None and camera is not None
        turned = clip.rotation[4]
        np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-5)
        # What the camera sees at the window's centre is on the turned camera's axis.
        middle = np.array(clip.window[:2]) + clip.window[2] / 2
        ray = np.array([*(middle - human36m_tree.INTRINSICS[2:]) / human36m_tree.INTRINSICS[:2], 1])
        own = human36m_tree.camera_rotation(camera)
        along = turned @ own.T @ ray
        np.testing.assert_allclose(along[:2] / along[2], 0.0, atol=1e-3)
        # It is the camera, turned a little.
        assert np.degrees(np.arccos((np.trace(turned @ own.T) - 1) / 2)) < 12
    both = [clips[c].rotation[4] for c in human36m_tree.CAMERAS]  # type: ignore[index]
    assert np.abs(centred @ both[0].T - centred @ both[1].T).max() > 0.1


def test_every_fifth_frame_and_the_damaged_video(root: Path, tmp_path: Path) -> None:
    pack("human36m", root, tmp_path / "out", PackConfig(split="test"))
    (clip,) = ClipStore.open(tmp_path / "out").clips
    assert clip.view == "60457274" and clip.source_frames == (0, 5, 10) and clip.fps == 10.0


def test_without_what_is_optional(root: Path, tmp_path: Path) -> None:
    for path in root.glob("S*/MySegmentsMat"):
        shutil.rmtree(path)
    for path in root.glob("S*/MyPoseFeatures/D3*"):
        shutil.rmtree(path)
    pack("human36m", root, tmp_path / "out", PackConfig(masks=True))
    clip = ClipStore.open(tmp_path / "out").clips[0]
    assert clip.keypoints3d is None and clip.rotation is None and clip.mask is None
    assert trees.check_dots(clip, 2) == 32


def test_raster_squares(tmp_path: Path, root: Path) -> None:
    boxes = np.array([[180.0, 200.0, 330.0, 640.0], [171.0, 171.0, 340.0, 679.0], [0, 0, 10, 170]])
    boxes += np.array([-0.5, -0.5, 0.5, 0.5])  # first to last pixel, as edges
    windows = raster_windows(boxes)
    # Columns 170 to 340, rows 170 to 680: three cells high, 600 pixels about (255, 425).
    np.testing.assert_array_equal(windows[0], [255 - 300.5, 425 - 300.5, 600.0])
    np.testing.assert_array_equal(windows[1], windows[0])
    np.testing.assert_array_equal(windows[2], [85 - 100.5, 85 - 100.5, 200.0])
    pack("human36m-raster", root, tmp_path / "out", PackConfig(size=64))
    store = ClipStore.open(tmp_path / "out")
    assert store.frames_total == 4 * human36m_tree.LENGTH
    assert all(clip.window is not None and clip.window[2] % 200 == 0 for clip in store.clips)


def test_activities_have_one_spelling() -> None:
    names = ("TakingPhoto 1", "Photo", "WalkingDog", "WalkDog 1", "Sitting-2", "WalkingTogether")
    expected = ["Photo", "Photo", "WalkDog", "WalkDog", "Sitting", "WalkTogether"]
    assert [activity_of(name) for name in names] == expected


def test_what_does_not_fit_is_named(root: Path, tmp_path: Path) -> None:
    labels = root / "S1/MyPoseFeatures/D2_Positions/Photo.54138969.cdf"
    content = labels.read_bytes()
    labels.write_bytes(content[:500])
    with pytest.raises(UserError, match=r"Photo\.54138969\.cdf: cannot be read as CDF"):
        pack("human36m", root, tmp_path / "out")
    labels.unlink()
    with pytest.raises(UserError, match=r"cdf: no such file; unpack the poses again"):
        pack("human36m", root, tmp_path / "out")
    human36m_tree.write_cdf(labels, np.zeros((60, 32, 2)))
    with pytest.raises(UserError, match="has 13 frames, its labels are for 60"):
        pack("human36m", root, tmp_path / "out")
    labels.unlink()
    human36m_tree.write_cdf(labels, np.zeros((12, 32, 3)))
    with pytest.raises(UserError, match=r"Pose must be \(1,N,64\)"):
        pack("human36m", root, tmp_path / "out")
    labels.write_bytes(content)
    boxes = root / "S1/MySegmentsMat/ground_truth_bb/Photo.54138969.mat"
    boxes.write_bytes(b"MATLAB 5.0")
    with pytest.raises(
        UserError, match=r"ground_truth_bb/Photo\.54138969\.mat: cannot be read as HDF5"
    ):
        pack("human36m", root, tmp_path / "out")


def test_keep_going_goes_on_without_a_subject(root: Path, tmp_path: Path) -> None:
    (root / "S1/Videos/._Photo.54138969.mp4").write_bytes(b"Mac OS X")
    shutil.rmtree(root / "S7/Videos")
    with pytest.raises(UserError, match="has no folder S7/Videos"):
        pack("human36m", root, tmp_path / "out")
    report = pack("human36m", root, tmp_path / "out", keep_going=True)
    assert len(report.clips) == 4 and len(report.problems) == 1
