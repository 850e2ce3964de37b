from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore
from fastpose.data.datasets.pack import PackConfig, pack
from fastpose.errors import UserError
from fastpose.media.images import write_image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for kind in ("images", "masks"):
        (tmp_path / "c" / kind).mkdir(parents=True)
    for i in range(3):
        image = np.full((288, 190, 3), 90, np.uint8)
        image[40:240, 60:140] = 200
        write_image(tmp_path / "c" / "images" / f"{i:04d}.jpg", image)
        if i < 2:
            mask = np.where(image[..., 0] > 128, 255, 0).astype(np.uint8)
            write_image(tmp_path / "c" / "masks" / f"{i:04d}.png", mask)
    return tmp_path / "c"


def test_pictures_are_cut_about_their_masks(root: Path, tmp_path: Path) -> None:
    pack("clothing", root, tmp_path / "out", PackConfig(masks=True))
    store = ClipStore.open(tmp_path / "out")
    assert [clip.name for clip in store.clips] == ["0000", "0001"]
    for clip in store.clips:
        assert clip.mask is not None
        rows = np.flatnonzero((clip.mask[0] > 127).any(axis=1))
        assert 0.74 < len(rows) / 128 < 0.82  # of the height, as prepare frames people
        assert clip.frames[0][clip.mask[0] > 250].min() > 180


def test_all_pictures(root: Path, tmp_path: Path) -> None:
    pack("clothing", root, tmp_path / "out", PackConfig(split="all"))
    third = ClipStore.open(tmp_path / "out").clips[2]
    assert third.name == "0002" and third.window == (-49.5, -0.5, 288.0)


def test_what_does_not_fit_is_named(root: Path, tmp_path: Path) -> None:
    write_image(root / "masks" / "0000.png", np.zeros((288, 190), np.uint8))
    with pytest.raises(UserError, match=r"0000\.png: shows nobody"):
        pack("clothing", root, tmp_path / "out")
    write_image(root / "masks" / "0000.png", np.ones((9, 9), np.uint8))
    with pytest.raises(UserError, match=r"0000\.png: is 9 x 9 pixels, its picture 190 x 288"):
        pack("clothing", root, tmp_path / "out")
    (root / "images" / "0001.jpg").unlink()
    with pytest.raises(UserError, match=r"masks/0001\.png: is the mask of no picture"):
        pack("clothing", root, tmp_path / "out")


def test_real_pictures(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "clothing"
    if not folder.is_dir():
        pytest.skip("no clothing pictures among the shared data")
    some = tmp_path / "some"
    for kind, ending in (("images", "jpg"), ("masks", "png")):
        (some / kind).mkdir(parents=True)
        for path in sorted((folder / "masks").glob("*.png"))[:25]:
            name = f"{path.stem}.{ending}"
            (some / kind / name).symlink_to(folder / kind / name)
    report = pack("clothing", some, tmp_path / "out", PackConfig(masks=True))
    assert report.problems == [] and len(report.clips) == 25
    shares = [float((clip.mask[0] > 127).mean()) for clip in ClipStore.open(tmp_path / "out").clips]  # type: ignore[index]
    assert 0.08 < np.median(shares) < 0.5
