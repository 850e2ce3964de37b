from __future__ import annotations

from pathlib import Path

import numpy as np

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.prepare.analysis import analyze
from fastpose.data.prepare.cutting import Row, cut_source
from fastpose.data.prepare.pieces import Piece
from fastpose.data.prepare.sources import Source, find_sources
from fastpose.media.images import crop_window
from tests.media import scenes


def cut(
    path: Path, out: Path, pieces: list[Piece], *, masks: bool = False, partial: bool = False
) -> tuple[ClipStore, list[Row], list[int]]:
    (source,) = find_sources([path])
    assert isinstance(source, Source)
    analysis = analyze(source, stays=None, follow=False, progress=lambda _: None)
    done: list[int] = []
    with ClipWriter(out, 48) as writer:
        count, rows = cut_source(
            source,
            pieces,
            analysis,
            writer,
            masks=masks,
            partial=partial,
            row_frames=5,
            progress=done.append,
        )
    assert count == len(pieces) and source.report is not None
    return ClipStore.open(out), rows, done


def test_each_piece_holds_its_frames_in_its_window(tmp_path: Path) -> None:
    path = scenes.write(tmp_path / "v.mp4", scenes.walk(40, empty=5))
    (source,) = find_sources([path])
    assert isinstance(source, Source)
    full = [f.image for f in source.frames()]
    windows = [(9.5, 4.5, 80.0), (49.5, -10.5, 96.0), (-30.5, 4.5, 60.0)]
    ranges = [range(3, 20), range(10, 30), range(30, 40)]  # the first two overlap
    pieces = [Piece(f, w) for f, w in zip(ranges, windows, strict=True)]
    store, rows, done = cut(path, tmp_path / "out", pieces)
    assert [c.name for c in store.clips] == ["v_01", "v_02", "v_03"]
    for clip, piece in zip(store.clips, pieces, strict=True):
        assert clip.source == "v.mp4" and clip.source_frames == tuple(piece.frames)
        assert clip.window == piece.window and clip.fps == 25 and not clip.partial
        assert clip.mask is None and clip.background is None
        expected = [crop_window(full[i], piece.window, 48) for i in piece.frames]
        np.testing.assert_array_equal(clip.frames, expected)
    assert done == list(range(1, 41))
    assert [len(row.pictures) for row in rows] == [5, 5, 5]
    assert "v_02: 20 frames from v.mp4, frames 10 to 29 (0.4 to 1.2 s)" in rows[1].caption


def test_masks_and_background_lie_on_the_frames(tmp_path: Path) -> None:
    frames = scenes.walk(60, empty=10)
    path = scenes.write(tmp_path / "v.mp4", frames)
    window = (39.5, 4.5, 88.0)
    store, rows, _ = cut(path, tmp_path / "out", [Piece(range(60), window)], masks=True)
    (clip,) = store.clips
    assert clip.name == "v"  # alone, it needs no number
    assert clip.mask is not None and clip.background is not None
    scene = crop_window(scenes.room(), window, 48).astype(int)
    assert np.abs(clip.background.astype(int) - scene).mean() < 4
    assert max(float(clip.mask[i].mean()) for i in range(8)) < 5  # nobody there yet
    x = -15 + 190 * (30 - 10) / 39
    truth = scenes.figure(np.zeros((96, 160, 3), np.uint8), x, 12, 72, swing=float(np.sin(14.0)))
    expected = crop_window(truth, window, 48).max(axis=2) > 60
    found = clip.mask[30] > 127
    assert (found & expected).sum() / (found | expected).sum() > 0.6
    assert len(rows[0].pictures) > 5


def test_partial_is_passed_on(tmp_path: Path) -> None:
    path = scenes.write(tmp_path / "v.mp4", scenes.walk(10, empty=2))
    pieces = [Piece(range(10), (-0.5, -0.5, 90.0))]
    store, _, _ = cut(path, tmp_path / "out", pieces, partial=True)
    assert store.clips[0].partial
