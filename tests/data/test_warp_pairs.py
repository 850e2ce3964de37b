from __future__ import annotations

from pathlib import Path

import numpy as np

from fastpose.data.clips import ClipStore, ClipWriter
from fastpose.data.thin_plate import WarpConfig
from fastpose.data.warp_pairs import WarpPairs

STILL = WarpConfig(shift=0.0, bend=(0.0, 0.0))


def store(path: Path, *lengths: int) -> ClipStore:
    rng = np.random.default_rng(0)
    with ClipWriter(path / "clips", 32) as writer:
        for i, length in enumerate(lengths):
            frames = rng.integers(0, 256, (length, 32, 32, 3), dtype=np.uint8)
            writer.add(f"c{i}", frames, fps=1.0)
    return ClipStore.open(path / "clips")


def test_without_a_warp_both_are_the_frame(tmp_path: Path) -> None:
    clips = store(tmp_path, 1, 3)  # single pictures will do
    pairs = WarpPairs(clips, first=STILL, second=STILL)
    target, other, where = pairs.sample(40, np.random.default_rng(0))
    assert target.dtype == other.dtype == np.uint8
    for a, b, (clip, frame) in zip(target, other, where, strict=True):
        np.testing.assert_array_equal(a, clips.clips[clip].frames[frame])
        np.testing.assert_array_equal(a, b)
    assert {tuple(w) for w in where.tolist()} == {(0, 0), (1, 0), (1, 1), (1, 2)}


def test_the_other_is_a_warp_of_the_target(tmp_path: Path) -> None:
    """The second warp alone, after the same first one: it starts from the warped picture."""
    clips = store(tmp_path, 2)
    shift = WarpConfig(shift=0.2, bend=(0.0, 0.0))
    target, other, _ = WarpPairs(clips, first=shift, second=STILL).sample(
        8, np.random.default_rng(1)
    )
    np.testing.assert_array_less(np.abs(target.astype(int) - other.astype(int)), 2)
    original = clips.clips[0].frames[0]
    assert (np.abs(target.astype(int) - original).mean(axis=(1, 2, 3)) > 20).all()


def test_black_comes_in_from_outside(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "white", 32) as writer:
        writer.add("c", np.full((1, 32, 32, 3), 255, np.uint8), fps=1.0)
    pairs = WarpPairs(ClipStore.open(tmp_path / "white"), first=WarpConfig(shift=0.5))
    target, _, _ = pairs.sample(30, np.random.default_rng(0))
    black = (target == 0).mean(axis=(1, 2, 3))
    assert black.max() > 0.3 and black.mean() < 0.6
    assert ((target == 0) | (target == 255)).mean() > 0.9  # but for a border of grey


def test_a_share_is_part_of_the_whole_draw(tmp_path: Path) -> None:
    pairs = WarpPairs(store(tmp_path, 3, 2))
    whole = pairs.sample(10, np.random.default_rng(2))
    parts = [pairs.sample(10, np.random.default_rng(2), s) for s in (slice(0, 4), slice(4, 10))]
    for k in range(3):
        np.testing.assert_array_equal(np.concatenate([p[k] for p in parts]), whole[k])
