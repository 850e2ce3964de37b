from __future__ import annotations

import shutil
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
    with pytest.raises(UserError, match=r"S5/Landmarks/Walking.60457274/2\.mat: is missing"):
        pack("simplified-human36m", root, tmp_path / "out")
    savemat(root / "S5/Landmarks/Walking.60457274/2.mat", {"keypoints_2d": np.zeros((17, 2))})
    with pytest.raises(UserError, match=r"2\.mat: keypoints_2d must be \(32,2\) numbers"):
        pack("simplified-human36m", root, tmp_path / "out2")
    (root / "S6/BackgroudMask").rename(root / "S6/BackgroundMask")
    with pytest.raises(UserError, match="has no folder S6/BackgroudMask"):
        pack("simplified-human36m", root, tmp_path / "out3")


@pytest.mark.parametrize(
    ("kind", "name"), [("BackgroudMask", "5.png"), ("WithBackground", "5.jpg")]
)
def test_a_sequence_copied_in_part_is_no_shorter_sequence(
    tmp_path: Path, kind: str, name: str
) -> None:
    """The halves would be those of fewer frames, and pictures and poses no longer disjoint."""
    root = tree(tmp_path / "s")
    folder = root / "S7" / kind / "Walking.60457274"
    for number in range(5, 9):
        next(folder.glob(f"{number}.*")).unlink()
    with pytest.raises(UserError, match=rf"{folder}/{name}: is missing.*\(4 of 8 frames lack"):
        pack("simplified-human36m", root, tmp_path / "out")
    report = pack("simplified-human36m", root, tmp_path / "out", keep_going=True)
    assert len(report.problems) == 1 and len(report.clips) == 11
    assert "S7_Walking.60457274" not in dict(report.clips)
    shutil.rmtree(folder)
    with pytest.raises(UserError, match=f"{folder}: no such folder"):
        pack("simplified-human36m", root, tmp_path / "out2")


def test_what_a_mac_leaves_is_no_frame(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", numbers=range(1, 3))
    for left in ("BackgroudMask/Walking.60457274/._1.png", "BackgroudMask/._Walking.60457274"):
        (root / "S1" / left).write_bytes(b"Mac OS X")
    report = pack("simplified-human36m", root, tmp_path / "out", PackConfig(half="all"))
    assert report.problems == [] and len(report.clips) == 12
    (root / "S1/BackgroudMask/Walking.60457274/last.png").touch()
    with pytest.raises(UserError, match=r"last\.png: its name has no number, expected .* 1\.png"):
        pack("simplified-human36m", root, tmp_path / "out2")


def test_keep_going_goes_on_without_a_subject(tmp_path: Path) -> None:
    root = tree(tmp_path / "s", numbers=range(1, 3))
    for subject in ("S6", "S9"):
        shutil.rmtree(root / subject)
    config = PackConfig(half="all")
    with pytest.raises(UserError, match="has no folder S6/BackgroudMask"):
        pack("simplified-human36m", root, tmp_path / "out", config)
    report = pack("simplified-human36m", root, tmp_path / "out", config, keep_going=True)
    assert len(report.clips) == 8
    assert [text.partition(", as")[0] for text in report.problems] == [
        f"{root}: has no folder {subject}/BackgroudMask" for subject in ("S6", "S9")
    ]
    assert ClipStore.open(tmp_path / "out").info["problems"] == report.problems
    for subject in ("S1", "S5", "S7", "S8"):
        shutil.rmtree(root / subject)
    with pytest.raises(UserError, match="holds no sequences of the split train") as caught:
        pack("simplified-human36m", root, tmp_path / "none", config, keep_going=True)
    assert len(str(caught.value).splitlines()) == 7
