from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore
from fastpose.data.datasets.pack import PackConfig, pack
from fastpose.errors import UserError
from fastpose.media.images import write_image
from tests.data.datasets import trees


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "c" / "train").mkdir(parents=True)
    for i, name in enumerate(("00000_image.png", "00001_image:png.png")):
        image, labels = np.zeros((286, 286, 3), np.uint8), np.zeros((286, 286), np.uint8)
        image[60:220, 100:180], labels[60:220, 100:180] = 200 - 50 * i, 7
        write_image(tmp_path / "c" / "train" / name, image)
        write_image(tmp_path / "c" / "train" / name.replace("image", "labels", 1), labels)
        write_image(tmp_path / "c" / "train" / f"{i:05d}_bodysegments.png", labels)
    trees.complete(monkeypatch, "chictopia-plus", {"train": 2})
    return tmp_path / "c"


def test_pictures_with_masks(root: Path, tmp_path: Path) -> None:
    (root / "train" / "00001_labels.png").unlink(missing_ok=True)
    (root / "train" / "._00000_image.png").write_bytes(b"Mac OS X")
    pack("chictopia-plus", root, tmp_path / "out", PackConfig(masks=True, size=286))
    clips = ClipStore.open(tmp_path / "out").clips
    assert [clip.name for clip in clips] == ["train_00000", "train_00001"]
    for clip in clips:
        assert clip.mask is not None
        np.testing.assert_array_equal(clip.mask[0] > 0, clip.frames[0].max(-1) > 0)


def test_missing_labels_are_named(root: Path, tmp_path: Path) -> None:
    (root / "train" / "00000_labels.png").unlink()
    with pytest.raises(UserError, match=r"00000_labels\.png: no such file"):
        pack("chictopia-plus", root, tmp_path / "out", PackConfig(masks=True))
    report = pack("chictopia-plus", root, tmp_path / "out")  # without masks they are not needed
    assert len(report.clips) == 2 and ClipStore.open(tmp_path / "out").size == 256
