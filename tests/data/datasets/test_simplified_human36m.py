from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from fastpose.data.clips import ClipStore
from fastpose.data.datasets.pack import PackConfig, pack, pack_poses
from fastpose.errors import UserError
from fastpose.media.images import write_image
from tests.data.datasets import trees

TRAIN = ("S1", "S5", "S6", "S7", "S8", "S9")


def tree(root: Path, *, numbers: range = range(1, 9), mask: int = 255) -> Path:
    """Two wanted sequences and one of another activity for each subject."""
    rng = np.random.default_rng(0)
    for subject in (*TRAIN, "S11"):
        for sequence in ("Directions 1.54138969", "Walking.60457274", "Smoking.60457274"):
            points = trees.body(rng, 20, 10, 110)
            points = np.concatenate([points, points[:12]])
            for kind in ("WithBackground", "BackgroudMask", "Landmarks"):
                (root / subject / kind / sequence).mkdir(parents=True)
            for number in numbers:
                shifted = points + number
                folder = root / subject
                image = trees.dotted((128, 128), shifted)
                write_image(folder / "WithBackground" / sequence / f"{number}.jpg", image)
                cover = np.where(image.max(-1) > 128, mask, 0).astype(np.uint8)
                write_image(folder / "BackgroudMask" / sequence / f"{number}.png", cover)
                content = {"keypoints_2d": (shifted[:, ::-1] + 0.5) / 128.0}
                savemat(folder / "Landmarks" / sequence / f"{number}.mat", content)
    return root


@pytest.mark.parametrize("mask", [1, 255])
def test_first_halves_before_black(tmp_path: Path, mask: int) -> None:
    root = tree(tmp_path / "s", mask=mask)
    report = pack("simplified-human36m", root, tmp_path / "out", PackConfig(masks=True))
    assert report.problems == []
    store = ClipStore.open(tmp_path / "out")
    assert len(store.clips) == 12 and store.skeleton is not None and store.skeleton.name == "h36m32"
    assert {clip.activity for clip in store.clips} == {"directions", "walking"}
    assert {clip.actor for clip in store.clips} == set(TRAIN)
    first = store.clips[0]
    assert first.source == "S1/WithBackground/Directions 1.54138969"
    assert first.source_frames == (1, 2, 3, 4) and first.fps == 50.0
    for clip in store.clips:
        assert trees.check_dots(clip, 3) == 32
        assert clip.mask is not None and set(np.unique(clip.mask)) == {0, 255}
        assert (clip.frames[0][clip.mask[0] == 0] == 0).all()  # the background is removed


def test_numbers_count_as_numbers_not_as_text(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", numbers=range(8, 12))
    pack("simplified-human36m", root, tmp_path / "out", PackConfig(half="all"))
    clip = ClipStore.open(tmp_path / "out").clips[0]
    assert clip.source_frames == (8, 9, 10, 11)
    assert trees.check_dots(clip, 2) == 32


def test_the_other_half_gives_the_poses(tmp_path: Path) -> None:
    root = tree(tmp_path / "s")
    pack("simplified-human36m", root, tmp_path / "out")
    pack_poses("simplified-human36m", root, tmp_path / "poses.npz")
    with np.load(tmp_path / "poses.npz") as poses:
        given = set(zip(poses["source"].tolist(), poses["source_frame"].tolist(), strict=True))
        assert poses["keypoints"].shape == (12 * 4, 32, 2)
    shown = {
        (clip.source, frame)
        for clip in ClipStore.open(tmp_path / "out").clips
        for frame in clip.source_frames or ()
    }
    assert len(given) == len(shown) == 48 and not given & shown


def test_testing_takes_every_frame(tmp_path: Path) -> None:
    root = tree(tmp_path / "s")
    name = "simplified-human36m-background"
    pack(name, root, tmp_path / "out", PackConfig(split="test"))
    store = ClipStore.open(tmp_path / "out")
    assert store.frames_total == 16 and {clip.actor for clip in store.clips} == {"S11"}
    assert store.clips[0].frames[0].min() > 20  # the background is there


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", numbers=range(1, 3))
    (root / "S5/Landmarks/Walking.60457274/2.mat").unlink()
    with pytest.raises(UserError, match=r"S5/Landmarks/Walking.60457274: lacks 2\.mat"):
        pack("simplified-human36m", root, tmp_path / "out")
    savemat(root / "S5/Landmarks/Walking.60457274/2.mat", {"keypoints_2d": np.zeros((17, 2))})
    with pytest.raises(UserError, match=r"2\.mat: keypoints_2d must be \(32,2\)"):
        pack("simplified-human36m", root, tmp_path / "out2")
    (root / "S6/BackgroudMask").rename(root / "S6/BackgroundMask")
    with pytest.raises(UserError, match="has no folder S6/BackgroudMask"):
        pack("simplified-human36m", root, tmp_path / "out3")
