from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fastpose.data.clips import ClipStore
from fastpose.data.datasets.pack import pack
from fastpose.errors import UserError
from fastpose.media.images import read_image, write_image


def test_a_strip_is_a_clip(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    levels = np.arange(5, dtype=np.uint8) * 40
    strip = np.repeat(levels, 64)[None, :, None].repeat(64, 0).repeat(3, 2)
    write_image(tmp_path / "w" / "00000003.png", strip)
    pack("weizmann", tmp_path / "w", tmp_path / "out")
    (clip,) = ClipStore.open(tmp_path / "out").clips
    assert clip.frames.shape == (5, 64, 64, 3) and clip.source == "00000003.png"
    assert (clip.frames == levels[:, None, None, None]).all()
    assert clip.keypoints is None and clip.fps == 25.0


def test_what_is_no_strip_is_named(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    write_image(tmp_path / "w" / "a.png", np.zeros((64, 100, 3), np.uint8))
    with pytest.raises(UserError, match="no strip of square frames"):
        pack("weizmann", tmp_path / "w", tmp_path / "out")


def test_real_strips(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "weizmann"
    if not folder.is_dir():
        pytest.skip("no Weizmann strips among the shared data")
    report = pack("weizmann", folder, tmp_path / "out")
    store = ClipStore.open(tmp_path / "out")
    assert len(store.clips) == 57 and store.frames_total == 4109
    assert sum(s.frames for s in report.sources) == 4109
    for clip in store.clips[::19]:
        strip = read_image(folder / str(clip.source))
        assert (clip.frames[7] == strip[:, 7 * 64 : 8 * 64]).all()
