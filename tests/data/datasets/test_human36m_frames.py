from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from fastpose.data.clips import ClipStore
from fastpose.data.datasets.pack import PackConfig, pack
from fastpose.errors import UserError
from fastpose.media.images import write_image
from tests.data.datasets import human36m_tree, trees


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One activity of subject 1: rows of both cameras one after the other, every fifth frame."""
    root = tmp_path / "f"
    for subject in ("S1", "S5", "S6", "S7", "S8"):
        (root / subject).mkdir(parents=True)
    world = human36m_tree.world_pose(3)[:5]
    frames = np.arange(5) * 5 + 1
    flats, solids, cameras = [], [], []
    for camera in human36m_tree.CAMERAS:
        solid = world @ human36m_tree.camera_rotation(camera).T + np.array([0.0, 0.0, 2600.0])
        flat = solid[..., :2] / solid[..., 2:] * human36m_tree.INTRINSICS[:2]
        flat = flat + human36m_tree.INTRINSICS[2:]
        folder = root / "S1" / "Eating-2" / "imageSequence" / camera
        folder.mkdir(parents=True)
        for number, points in zip(frames, flat, strict=True):
            image = trees.dotted(human36m_tree.SIZE, points)
            write_image(folder / f"img_{number:06d}.jpg", image)
        flats.append(flat)
        solids.append(solid)
        cameras.append(np.full(5, int(camera)))
    with h5py.File(root / "S1" / "Eating-2" / "annot.h5", "w") as file:
        file["pose/2d"], file["pose/3d"] = np.concatenate(flats), np.concatenate(solids)
        file["frame"], file["camera"] = np.tile(frames, 2), np.concatenate(cameras)
    trees.complete(monkeypatch, "human36m-frames", {"train": 1})
    return root


def test_one_clip_for_each_camera(root: Path, tmp_path: Path) -> None:
    pack("human36m-frames", root, tmp_path / "out")
    store = ClipStore.open(tmp_path / "out")
    assert [clip.view for clip in store.clips] == list(human36m_tree.CAMERAS)
    for clip in store.clips:
        assert clip.source_frames == (1, 6, 11, 16, 21) and clip.fps == 10.0
        assert clip.activity == "Eating" and clip.group == "S1/Eating-2"
        assert trees.check_dots(clip, 0) == trees.check_dots(clip, 4) == 32
        assert clip.keypoints3d is not None and 2.0 < clip.keypoints3d[..., 2].mean() < 3.2


def test_what_is_missing_is_named(root: Path, tmp_path: Path) -> None:
    (root / "S1/Eating-2/imageSequence/60457274/img_000011.jpg").unlink()
    with pytest.raises(UserError, match=r"lacks img_000011\.jpg and 0 more of the 5 pictures"):
        pack("human36m-frames", root, tmp_path / "out")
    with h5py.File(root / "S1/Eating-2/annot.h5", "a") as file:
        del file["frame"]
    with pytest.raises(UserError, match=r"annot\.h5: has no frame"):
        pack("human36m-frames", root, tmp_path / "out")
    with pytest.raises(UserError, match="has no folder S9"):
        pack("human36m-frames", root, tmp_path / "out", PackConfig(split="test"))
    shutil.rmtree(root / "S8")
    with pytest.raises(UserError, match="has no folder S8"):
        pack("human36m-frames", root, tmp_path / "out")
    with pytest.raises(UserError, match=r"S8.*\n.*annot\.h5: has no frame"):
        pack("human36m-frames", root, tmp_path / "out", keep_going=True)
