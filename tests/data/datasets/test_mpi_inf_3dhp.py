from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from fastpose.data.clips import ClipStore
from fastpose.data.datasets import mpi_inf_3dhp
from fastpose.data.datasets.matlab import load_mat
from fastpose.data.datasets.mpi_inf_3dhp import SKELETON
from fastpose.data.datasets.pack import PackConfig, pack
from fastpose.errors import UserError
from fastpose.media.images import write_image
from fastpose.media.video import VideoWriter
from tests.data.datasets import trees

LENGTH = 6
# Places of the 17 test joints among the 28 of the training labels, as public readers have them.
CHOSEN = [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6]


def calibration(path: Path) -> None:
    lines = ["Skeleton Camera Calibration File V0.3"]
    for camera in range(14):
        outer = np.eye(4)
        outer[0, 0] = outer[2, 2] = np.cos(camera)
        outer[0, 2], outer[2, 0] = np.sin(camera), -np.sin(camera)
        inner = np.eye(4)
        inner[0, 0], inner[1, 1], inner[0, 2], inner[1, 2] = 300, 300, 100, 90
        lines += [f"name          {camera}", "  sensor        10 10", "  size          200 180"]
        lines += ["  animated      0"]
        lines += ["  intrinsic     " + " ".join(f"{v:.6f}" for v in inner.ravel())]
        lines += ["  extrinsic     " + " ".join(f"{v:.6f}" for v in outer.ravel())]
        lines += ["  radial        0"]
    path.write_text("\n".join(lines))


def train(root: Path, extra: int = 0) -> None:
    folder, rng = root / "S1" / "Seq1", np.random.default_rng(5)
    (folder / "imageSequence").mkdir(parents=True)
    flat, deep = np.empty((14, 1), object), np.empty((14, 1), object)
    for camera in range(14):
        points = trees.body(rng, 28, 20, 160) + np.arange(LENGTH)[:, None, None]
        flat[camera, 0] = points.reshape(LENGTH, 56)
        deep[camera, 0] = rng.uniform(1000, 3000, (LENGTH, 84))
        if camera in (0, 4):
            video = folder / "imageSequence" / f"video_{camera}.avi"
            with VideoWriter(video.with_suffix(".mp4"), 25.0, (200, 180), quality=4) as writer:
                for i in range(LENGTH + extra):
                    shown = points[min(i, LENGTH - 1), CHOSEN]
                    writer.add(trees.dotted((200, 180), shown))
            video.with_suffix(".mp4").rename(video)
    savemat(folder / "annot.mat", {"annot2": flat, "annot3": deep, "frames": np.arange(LENGTH)})
    calibration(folder / "camera.calibration")


def write_test_sequence(root: Path) -> None:
    folder, rng = root / "TS1", np.random.default_rng(6)
    (folder / "imageSequence").mkdir(parents=True)
    points = trees.body(rng, 17, 20, 160) + np.arange(LENGTH)[:, None, None]
    for i in range(LENGTH):
        image = trees.dotted((200, 180), points[i])
        write_image(folder / "imageSequence" / f"img_{i + 1:06d}.jpg", image)
    with h5py.File(folder / "annot_data.mat", "w") as file:
        file["annot2"], file["annot3"] = points[:, None], rng.uniform(1e3, 3e3, (LENGTH, 1, 17, 3))
        file["valid_frame"] = np.array([1, 1, 0, 1, 1, 1])[:, None]


def test_training_cameras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(tmp_path / "m")
    trees.complete(monkeypatch, "mpi-inf-3dhp", {"train": 2})
    read = Mock(side_effect=load_mat)
    monkeypatch.setattr(mpi_inf_3dhp, "load_mat", read)
    pack("mpi-inf-3dhp", tmp_path / "m", tmp_path / "out")
    assert read.call_count == 1  # for both cameras
    store = ClipStore.open(tmp_path / "out")
    assert [clip.view for clip in store.clips] == ["0", "4"]
    for clip in store.clips:
        assert len(clip) == LENGTH and clip.actor == "S1" and clip.group == "S1/Seq1"
        assert trees.check_dots(clip, 3) == 17
        assert clip.keypoints3d is not None and 1 < clip.keypoints3d.mean() < 3
        assert clip.rotation is not None
    turn = store.clips[1].rotation[0] @ store.clips[0].rotation[0].T  # type: ignore[index]
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) > 90  # the cameras are 4 rad apart


def test_test_sequences_without_invalid_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_test_sequence(tmp_path / "m" / "mpi_inf_3dhp_test_set")
    trees.complete(monkeypatch, "mpi-inf-3dhp", {"test": 1})
    pack("mpi-inf-3dhp", tmp_path / "m", tmp_path / "out", PackConfig(split="test"))
    (clip,) = ClipStore.open(tmp_path / "out").clips
    assert clip.source_frames == (1, 2, 4, 5, 6) and trees.check_dots(clip, 2) == 17


def test_joints_go_by_their_names() -> None:
    names = ("head_top", "neck", "r_shoulder", "r_elbow", "r_wrist", "l_shoulder")
    assert SKELETON.joints[:6] == names and SKELETON.joints[14:] == ("pelvis", "spine", "head")
    from fastpose.data.datasets import mpi_inf_3dhp

    assert mpi_inf_3dhp._CHOSEN == CHOSEN


def test_what_does_not_fit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(tmp_path / "m", extra=5)
    trees.complete(monkeypatch, "mpi-inf-3dhp", {"train": 2})
    with pytest.raises(UserError, match=r"video_0\.avi: has 11 frames, its labels are for 6"):
        pack("mpi-inf-3dhp", tmp_path / "m", tmp_path / "out")
    file = tmp_path / "m/S1/Seq1/annot.mat"
    savemat(file, {"annot2": np.zeros((1, 1)), "annot3": np.zeros((1, 1))})
    with pytest.raises(UserError, match=r"annot\.mat: camera 0"):
        pack("mpi-inf-3dhp", tmp_path / "m", tmp_path / "out")
    with pytest.raises(UserError, match="has no folder TS1 or mpi_inf_3dhp_test_set/TS1"):
        pack("mpi-inf-3dhp", tmp_path / "m", tmp_path / "out", PackConfig(split="test"))
