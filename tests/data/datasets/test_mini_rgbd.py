from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore
from fastpose.data.datasets.pack import PackConfig, pack
from fastpose.errors import UserError
from fastpose.media.images import write_image
from tests.data.datasets import trees


def tree(root: Path, names: tuple[str, ...], count: int = 3) -> Path:
    rng = np.random.default_rng(1)
    for name in names:
        for kind in ("rgb", "fg_mask", "joints_2Ddep", "joints_3D"):
            (root / name / kind).mkdir(parents=True)
        points = trees.body(rng, 25, 80, 200)
        for i in range(count):
            image = trees.dotted((320, 240), points + i)
            write_image(root / name / "rgb" / f"syn_{i:05d}.png", image)
            cover = np.where(image.max(-1) > 128, 255, 0).astype(np.uint8)
            write_image(root / name / "fg_mask" / f"mask_{i:05d}.png", cover)
            flat = [f"{x:.1f} {y:.1f} 850 {j}" for j, (x, y) in enumerate(points + i)]
            deep = [f"{x / 1000} {y / 1000} 0.85 {j}" for j, (x, y) in enumerate(points)]
            for kind, lines in (("2Ddep", flat), ("3D", deep)):
                file = root / name / f"joints_{kind}" / f"syn_joints_{kind}_{i:05d}.txt"
                file.write_text("\n".join(lines) + "\n")
    return root


def test_sequences_with_joints_and_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(tmp_path / "m", ("01", "02", "11"))
    trees.complete(monkeypatch, "mini-rgbd", {"train": 2, "test": 1})
    pack("mini-rgbd", root, tmp_path / "out", PackConfig(masks=True))
    store = ClipStore.open(tmp_path / "out")
    assert [clip.name for clip in store.clips] == ["infant01", "infant02"]
    assert store.skeleton is not None and store.skeleton.joints[16] == "l_shoulder"
    for clip in store.clips:
        assert trees.check_dots(clip, 2) == 25
        assert clip.mask is not None and (clip.mask[1] > 127).sum() > 25
        assert clip.keypoints3d is not None and clip.keypoints3d.shape == (3, 25, 3)
        np.testing.assert_allclose(clip.keypoints3d[..., 2], 0.85)
    pack("mini-rgbd", root, tmp_path / "test", PackConfig(split="test"))
    assert [clip.actor for clip in ClipStore.open(tmp_path / "test").clips] == ["11"]


def test_what_does_not_fit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(tmp_path / "m", ("01",))
    with pytest.raises(UserError, match="holds 1 sequences of the split train, MINI-RGBD has 10"):
        pack("mini-rgbd", root, tmp_path / "out")
    trees.complete(monkeypatch, "mini-rgbd", {"train": 1})
    file = root / "01/joints_2Ddep/syn_joints_2Ddep_00001.txt"
    lines = file.read_text().splitlines()
    for content in (lines[:24], ["x y z"]):
        file.write_text("\n".join(content))
        with pytest.raises(UserError, match=r"00001\.txt: expected 25 lines of three numbers"):
            pack("mini-rgbd", root, tmp_path / "out")
    file.unlink()
    file.mkdir()
    with pytest.raises(UserError, match=r"00001\.txt: expected 25 lines .*Is a directory"):
        pack("mini-rgbd", root, tmp_path / "out")
    file.rmdir()
    with pytest.raises(UserError, match=r"syn_joints_2Ddep_00001\.txt: is missing, where .*/rgb/"):
        pack("mini-rgbd", root, tmp_path / "out")
    (root / "01/fg_mask/mask_00000.png").unlink()
    file.write_text("\n".join(lines))
    with pytest.raises(UserError, match=r"mask_00000\.png: is missing, .* \(1 of 3 frames lack"):
        pack("mini-rgbd", root, tmp_path / "out")


def test_labels_belong_to_the_picture_of_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many pictures as labels, but of other frames."""
    root = tree(tmp_path / "m", ("01",), count=5)
    trees.complete(monkeypatch, "mini-rgbd", {"train": 1})
    for file in ("rgb/syn_00001.png", "fg_mask/mask_00001.png"):
        (root / "01" / file).unlink()
    for kind in ("2Ddep", "3D"):
        (root / "01" / f"joints_{kind}" / f"syn_joints_{kind}_00003.txt").unlink()
    with pytest.raises(UserError, match=r"rgb/syn_00001\.png: is missing.*\(2 of 5 frames"):
        pack("mini-rgbd", root, tmp_path / "out")
    for kind in ("rgb", "fg_mask", "joints_2Ddep", "joints_3D"):  # frames 1 and 3 of everything
        for number in (1, 3):
            for file in (root / "01" / kind).glob(f"*{number:05d}.*"):
                file.unlink()
    pack("mini-rgbd", root, tmp_path / "out")
    (clip,) = ClipStore.open(tmp_path / "out").clips
    assert clip.source_frames == (0, 2, 4)
    assert [trees.check_dots(clip, picked) for picked in range(3)] == [25, 25, 25]


def test_a_picture_without_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree(tmp_path / "m", ("01",))
    trees.complete(monkeypatch, "mini-rgbd", {"train": 1})
    for left in ("rgb/._syn_00000.png", "rgb/Thumbs.db", "joints_3D/.DS_Store"):
        (root / "01" / left).write_bytes(b"left by a desktop")
    assert pack("mini-rgbd", root, tmp_path / "out").problems == []
    picture = root / "01/rgb/syn_00001.png"
    (root / "01/rgb/preview.png").write_bytes(picture.read_bytes())
    with pytest.raises(
        UserError, match=r"rgb/preview\.png: its name has no number.*syn_00001\.png"
    ):
        pack("mini-rgbd", root, tmp_path / "out2")
    (root / "01/rgb/preview.png").rename(root / "01/rgb/copy_of_00001.png")
    with pytest.raises(UserError, match=r"syn_00001\.png: has the number of copy_of_00001\.png"):
        pack("mini-rgbd", root, tmp_path / "out2")
