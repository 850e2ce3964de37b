"""The benchmark of data loading at its smallest: every row is there, and the pairs are right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data_loading import BATCH, NAME, from_originals, main, write_originals
from fastpose.data.clips import ClipStore
from fastpose.data.datasets.pack import PackConfig, pack
from fastpose.media.images import read_image


def test_a_table_of_all_contenders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--frames", "60", "--rounds", "2", "--out", str(tmp_path / "r.json")]) == 0
    result = json.loads((tmp_path / "r.json").read_text())
    assert set(result["rows"]) == {
        "packed",
        "packed, 2 threads",
        "warps",
        "original files",
        "pictures only",
    }
    assert result["frames"] == 60 and result["times_faster_than_original_files"]["cpu"]
    assert len(result["memory_over_an_epoch_mib"]) == 11
    text = capsys.readouterr().out
    assert "packed is" in text and "memory over an epoch" in text


def test_both_ways_read_the_same_frames(tmp_path: Path) -> None:
    write_originals(tmp_path / "original", 48)
    pack(NAME, tmp_path / "original", tmp_path / "packed", PackConfig(half="all"))
    store = ClipStore.open(tmp_path / "packed")
    clip = store.clips[3]
    assert clip.source_frames is not None
    file = tmp_path / "original" / str(clip.source) / f"{clip.source_frames[2]}.jpg"
    np.testing.assert_array_equal(clip.frames[2], read_image(file))
    images = from_originals(tmp_path / "original", store, labels=False)()
    assert len(images) == 2 * BATCH  # type: ignore[arg-type]
    known = {frame.tobytes() for c in store.clips for frame in c.frames}
    assert all(image.tobytes() in known for image in images)  # type: ignore[attr-defined]
